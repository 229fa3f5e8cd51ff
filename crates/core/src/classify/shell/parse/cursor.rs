//! The characters of a command line, and where the reader is.
//!
//! Lives here: looking ahead and moving on. Never: what a character means.

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    chars: Vec<char>,
    at: usize,
}

impl Cursor {
    pub(super) fn new(text: &str) -> Self {
        Self {
            chars: text.chars().collect(),
            at: 0,
        }
    }
    /// The next character.
    pub(super) fn peek(&self) -> Option<char> {
        self.ahead(0)
    }
    /// The character that far ahead.
    pub(super) fn ahead(&self, by: usize) -> Option<char> {
        self.chars.get(self.at.saturating_add(by)).copied()
    }
    /// The character before the next.
    pub(super) fn behind(&self) -> Option<char> {
        self.at
            .checked_sub(1)
            .and_then(|at| self.chars.get(at))
            .copied()
    }
    /// Takes the next character.
    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at = self.at.saturating_add(1);
        Some(c)
    }
    /// Gives the last character back.
    pub(super) fn step_back(&mut self) {
        self.at = self.at.saturating_sub(1);
    }
    /// Whether that is what comes next.
    pub(super) fn sees(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(by, c)| self.ahead(by) == Some(c))
    }
    /// Takes that, if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let sees = self.sees(text);
        if sees {
            self.skip(text.chars().count());
        }
        sees
    }
    /// Moves on.
    pub(super) fn skip(&mut self, by: usize) {
        self.at = self.at.saturating_add(by).min(self.chars.len());
    }
    /// Takes characters as long as they fit.
    pub(super) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek().filter(|c| fits(*c)) {
            taken.push(c);
            self.skip(1);
        }
        taken
    }
    /// The rest of the line without its end, which is taken as well. `None` at the end of the text.
    pub(super) fn line(&mut self) -> Option<String> {
        self.peek()?;
        let line = self.take_while(|c| c != '\n');
        self.skip(1);
        Some(line)
    }
}

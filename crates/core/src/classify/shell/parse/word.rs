//! Words and quotes.
//!
//! Lives here: which characters make a word, and what quotes do to them. Never: what stands behind a `$` (`expand`).

use super::{Parsed, Parser};
use crate::classify::shell::tree::{Part, Word};
use crate::classify::shell::{Reason, Shell};

/// The most words that braces are expanded to.
const BRACE_WORDS_MAX: usize = 128;

/// A word while it is read.
#[derive(Default)]
pub(super) struct Making {
    parts: Vec<Part>,
}

impl Making {
    /// More text.
    pub(super) fn text(&mut self, text: &str, quoted: bool) {
        match self.parts.last_mut() {
            Some(Part::Literal(before, same)) if *same == quoted => before.push_str(text),
            _ => self.parts.push(Part::Literal(text.to_owned(), quoted)),
        }
    }
    /// One more character.
    fn character(&mut self, c: char, quoted: bool) {
        self.text(c.encode_utf8(&mut [0; 4]), quoted);
    }
    /// Something else.
    pub(super) fn part(&mut self, part: Part) {
        self.parts.push(part);
    }
    /// The last character, when it was not quoted.
    fn before(&self) -> Option<char> {
        match self.parts.last() {
            Some(Part::Literal(text, false)) => text.chars().next_back(),
            _ => None,
        }
    }
}

impl Parser<'_> {
    /// The word that comes next, which may not be empty.
    pub(super) fn word(&mut self) -> Parsed<Word> {
        let mut word = Making::default();
        while let Some(c) = self.cursor.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | ')' => break,
                '<' | '>' if self.cursor.ahead(1) == Some('(') => return Err(Reason::Construct),
                '<' | '>' => break,
                '(' if word.parts.is_empty() => return Err(Reason::Syntax),
                '(' => return Err(Reason::Function),
                _ => self.piece(c, &mut word)?,
            }
        }
        if word.parts.is_empty() {
            return Err(Reason::Syntax);
        }
        self.finished(word)
    }

    /// One character of a word, or what begins with it.
    fn piece(&mut self, c: char, word: &mut Making) -> Parsed<()> {
        match c {
            '\'' => {
                self.cursor.skip(1);
                let text = self.cursor.take_while(|c| c != '\'');
                if !self.cursor.take("'") {
                    return Err(Reason::OpenQuote);
                }
                word.text(&text, true);
                Ok(())
            }
            '"' => {
                self.cursor.skip(1);
                let inner = self.until_quote(true)?;
                word.text("", true);
                for part in inner.parts {
                    match part {
                        Part::Literal(text, _) => word.text(&text, true),
                        other => word.part(other),
                    }
                }
                Ok(())
            }
            '\\' => self.escaped(word),
            '`' => {
                let part = self.backquoted(false)?;
                word.part(part);
                Ok(())
            }
            '$' => self.dollar(false, word),
            '~' => self.tilde(word),
            _ => self.plain(c, word),
        }
    }

    /// A character that is not quoted and begins nothing.
    fn plain(&mut self, c: char, word: &mut Making) -> Parsed<()> {
        let is_zsh = self.shell == Shell::Zsh;
        match c {
            '*' | '?' | '[' => word.part(Part::Glob(c)),
            '^' | '#' if is_zsh => return Err(Reason::Peculiar),
            // zsh reads `=name` as the path of a program, also in a value.
            '=' if is_zsh && matches!(word.before(), None | Some('=' | ':')) => {
                return Err(Reason::Peculiar);
            }
            c if !c.is_ascii() => return Err(Reason::UnquotedUnicode),
            c => word.character(c, false),
        }
        self.cursor.skip(1);
        Ok(())
    }

    fn escaped(&mut self, word: &mut Making) -> Parsed<()> {
        self.cursor.skip(1);
        match self.cursor.next() {
            None => Err(Reason::Syntax),
            Some('\n') => Err(Reason::LineContinuation),
            Some(c) if !c.is_ascii() => Err(Reason::UnquotedUnicode),
            Some(c) => {
                word.character(c, true);
                Ok(())
            }
        }
    }

    fn tilde(&mut self, word: &mut Making) -> Parsed<()> {
        self.cursor.skip(1);
        let ends = |c: Option<char>| {
            matches!(
                c,
                None | Some('/' | ' ' | '\t' | '\n' | ';' | '&' | '|' | ')' | '<' | '>')
            )
        };
        let is_zsh = self.shell == Shell::Zsh;
        if word.parts.is_empty() {
            if ends(self.cursor.peek()) {
                word.part(Part::Home);
                return Ok(());
            }
            let name = self.cursor.take_while(|c| c.is_ascii_lowercase());
            if name.is_empty() || is_zsh || !ends(self.cursor.peek()) {
                return Err(Reason::Tilde);
            }
            word.part(Part::Tilde);
            return Ok(());
        }
        if is_zsh {
            return Err(Reason::Tilde);
        }
        // bash expands it after these in some words, dash in others.
        match word.before() {
            Some('=' | ':') => word.part(Part::Tilde),
            _ => word.character('~', false),
        }
        Ok(())
    }

    /// What stands up to a `"`, or up to the end of a here-document, in which quotes mean nothing.
    pub(super) fn until_quote(&mut self, quotes: bool) -> Parsed<Word> {
        let mut word = Making::default();
        loop {
            match self.cursor.peek() {
                None if quotes => return Err(Reason::OpenQuote),
                None => break,
                Some('"') if quotes => {
                    self.cursor.skip(1);
                    break;
                }
                Some('$') => self.dollar(true, &mut word)?,
                Some('`') => {
                    if !quotes {
                        return Err(Reason::HereDocument);
                    }
                    let part = self.backquoted(true)?;
                    word.part(part);
                }
                Some('\\') => {
                    self.cursor.skip(1);
                    match self.cursor.next() {
                        None => return Err(Reason::OpenQuote),
                        Some('\n') => return Err(Reason::LineContinuation),
                        Some(c) if "$`\\".contains(c) || (c == '"' && quotes) => {
                            word.character(c, true);
                        }
                        Some(c) => {
                            word.character('\\', true);
                            word.character(c, true);
                        }
                    }
                }
                Some(c) => {
                    self.cursor.skip(1);
                    // In some encodings such a pair would be one character.
                    if !c.is_ascii() && matches!(self.cursor.peek(), Some('\\' | '`')) {
                        return Err(Reason::UnquotedUnicode);
                    }
                    word.character(c, true);
                }
            }
        }
        Ok(Word { parts: word.parts })
    }

    /// A word that was read to its end: braces in it are looked at as a whole.
    fn finished(&self, word: Making) -> Parsed<Word> {
        // `[` alone names a program.
        if matches!(word.parts.as_slice(), [Part::Glob('[')]) {
            return Ok(Word {
                parts: vec![Part::Literal("[".to_owned(), false)],
            });
        }
        let has_braces = word.parts.iter().any(|part| match part {
            // `{}` is itself in every shell.
            Part::Literal(text, false) => text.replace("{}", "").contains(['{', '}']),
            _ => false,
        });
        if !has_braces {
            return Ok(Word { parts: word.parts });
        }
        let [Part::Literal(text, false)] = word.parts.as_slice() else {
            return Err(Reason::Brace);
        };
        if self.shell == Shell::Sh {
            return Err(Reason::Brace);
        }
        let words = braces(text).ok_or(Reason::Brace)?;
        Ok(Word {
            parts: vec![Part::Brace(words)],
        })
    }
}

/// What becomes of a word with one list in braces: `a{b,c}d`, `{1..3}`.
fn braces(text: &str) -> Option<Vec<String>> {
    let (before, rest) = text.split_once('{')?;
    let (list, behind) = rest.split_once('}')?;
    if [before, list, behind]
        .iter()
        .any(|part| part.contains(['{', '}']))
    {
        return None;
    }
    // What is plain here stays so once it stands at the beginning of a word.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./,:@%+-{}".contains(c);
    if !text.chars().all(is_plain) {
        return None;
    }
    let inner: Vec<String> = if list.contains(',') {
        if list.contains("..") {
            return None;
        }
        list.split(',').map(str::to_owned).collect()
    } else {
        let (from, to) = list.split_once("..")?;
        let (from, to) = (counted(from)?, counted(to)?);
        let up: Vec<u32> = (from.min(to)..=from.max(to))
            .take(BRACE_WORDS_MAX + 1)
            .collect();
        let ordered: Vec<u32> = if from <= to {
            up
        } else {
            up.into_iter().rev().collect()
        };
        ordered.iter().map(u32::to_string).collect()
    };
    let words: Vec<String> = inner
        .iter()
        .map(|part| format!("{before}{part}{behind}"))
        .collect();
    // An empty one is dropped by the shell.
    (words.len() <= BRACE_WORDS_MAX && words.iter().all(|word| !word.is_empty())).then_some(words)
}

/// A number without a sign or leading zeros.
fn counted(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

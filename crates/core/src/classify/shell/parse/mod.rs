//! From bytes to a tree that the declared shell would read the same way.
//!
//! Lives here: the grammar of lists, pipelines and simple commands. Never: constructs (`compound`), words (`word`,
//! `expand`), redirections (`redirect`), what anything does.
//!
//! Where dash, bash and zsh read a text differently, or one of them does so from version to version, it is not
//! understood: nothing here guesses.

mod compound;
mod cursor;
mod expand;
mod redirect;
mod word;

use super::tree::{Command, Item, Joint, Part, Pipeline, Script, Simple, Word};
use super::{Reason, Shell, ShellLimits};
use cursor::Cursor;
use redirect::Document;

/// Words that end a list when they stand where a command would begin.
const ENDS: &[&str] = &["then", "elif", "else", "fi", "do", "done", "esac", "}"];
/// Words that begin a construct of some shell that is not understood.
const CONSTRUCTS: &[&str] = &[
    "[[",
    "function",
    "select",
    "coproc",
    "foreach",
    "end",
    "repeat",
    "nocorrect",
    "always",
    "in",
];
/// Words that begin one that is.
const COMPOUNDS: &[&str] = &["{", "if", "while", "until", "for", "case"];

/// Reads a whole command line.
pub(super) fn parse(command: &[u8], shell: Shell, limits: &ShellLimits) -> Result<Script, Reason> {
    if shell == Shell::Forced {
        return Err(Reason::ForcedCommand);
    }
    if command.len() > limits.command_bytes_max {
        return Err(Reason::TooLong);
    }
    let text = std::str::from_utf8(command).map_err(|_| Reason::NotUtf8)?;
    // It is what follows `-c`, and shells go on looking for options there.
    if text.starts_with(['-', '+']) {
        return Err(Reason::Options);
    }
    within(text, shell, limits, 0)
}

/// Reads a text that lies that deep within a command line.
pub(super) fn within(
    text: &str,
    shell: Shell,
    limits: &ShellLimits,
    depth: usize,
) -> Result<Script, Reason> {
    if text
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        return Err(Reason::Control);
    }
    Parser::new(text, shell, limits, depth, false).whole()
}

struct Parser<'a> {
    cursor: Cursor,
    shell: Shell,
    limits: &'a ShellLimits,
    depth: usize,
    /// Within `$( )` or backquotes, whose end shells of different age look for in different ways.
    substituted: bool,
    /// Here-documents that begin at the next line.
    pending: Vec<Document>,
    /// Here-documents that were read, and belong to the command that ends next.
    documents: Vec<Word>,
}

type Parsed<T> = Result<T, Reason>;

impl<'a> Parser<'a> {
    fn new(
        text: &str,
        shell: Shell,
        limits: &'a ShellLimits,
        depth: usize,
        substituted: bool,
    ) -> Self {
        Self {
            cursor: Cursor::new(text),
            shell,
            limits,
            depth,
            substituted,
            pending: Vec::new(),
            documents: Vec::new(),
        }
    }

    /// All of the text.
    fn whole(mut self) -> Parsed<Script> {
        let script = self.list()?;
        match self.cursor.peek() {
            None if self.pending.is_empty() => Ok(script),
            None => Err(Reason::HereDocument),
            Some(_) => Err(Reason::Syntax),
        }
    }

    /// Goes one deeper for as long as something is read.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > self.limits.nesting_max {
            return Err(Reason::TooDeep);
        }
        let read = read(self);
        self.depth = self.depth.saturating_sub(1);
        read
    }

    /// Commands up to what cannot begin one: the end, `)`, `;;`, or a word like `done`.
    fn list(&mut self) -> Parsed<Script> {
        self.deeper(|parser| {
            let mut script = Script::default();
            loop {
                parser.gap()?;
                if parser.at_end_of_list() {
                    return Ok(script);
                }
                let item = parser.item()?;
                script.items.push(item);
                let ended = parser.separator(&mut script)?;
                if let Some(last) = script.items.last_mut() {
                    last.documents.append(&mut parser.documents);
                }
                if !ended {
                    return Ok(script);
                }
            }
        })
    }

    /// The same, with at least one command.
    fn filled(&mut self) -> Parsed<Script> {
        let script = self.list()?;
        if script.items.is_empty() {
            return Err(Reason::Syntax);
        }
        Ok(script)
    }

    fn at_end_of_list(&self) -> bool {
        matches!(self.cursor.peek(), None | Some(')'))
            || self.cursor.sees(";;")
            || self.reserved(ENDS).is_some()
    }

    /// What stands behind a command: whether another may follow.
    fn separator(&mut self, script: &mut Script) -> Parsed<bool> {
        self.blanks()?;
        match (self.cursor.peek(), self.cursor.ahead(1)) {
            (None | Some(')'), _) | (Some(';'), Some(';')) => Ok(false),
            (Some(';'), Some('&' | '|')) => Err(Reason::Construct),
            (Some(';'), _) => {
                self.cursor.skip(1);
                Ok(true)
            }
            // zsh has `&!` and `&|`; what follows a plain `&` is no part of it.
            (Some('&'), Some('!' | '|' | '>' | '&')) => Err(Reason::Construct),
            (Some('&'), _) => {
                self.cursor.skip(1);
                if let Some(last) = script.items.last_mut() {
                    last.background = true;
                }
                Ok(true)
            }
            (Some('\n' | '#'), _) => {
                self.gap()?;
                Ok(true)
            }
            _ => Err(Reason::Syntax),
        }
    }

    /// Pipelines joined by `&&` and `||`.
    fn item(&mut self) -> Parsed<Item> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.blanks()?;
            let joint = if self.cursor.take("&&") {
                Joint::And
            } else if self.cursor.take("||") {
                Joint::Or
            } else {
                return Ok(Item {
                    first,
                    rest,
                    background: false,
                    documents: Vec::new(),
                });
            };
            self.gap()?;
            rest.push((joint, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Parsed<Pipeline> {
        self.blanks()?;
        let negated =
            self.cursor.peek() == Some('!') && matches!(self.cursor.ahead(1), Some(' ' | '\t'));
        if negated {
            self.cursor.skip(1);
        }
        let mut stages = vec![self.command()?];
        loop {
            self.blanks()?;
            if self.cursor.sees("||") || !self.cursor.sees("|") {
                return Ok(Pipeline { negated, stages });
            }
            self.cursor.skip(1);
            if self.cursor.take("&") && self.shell == Shell::Sh {
                return Err(Reason::Construct);
            }
            self.gap()?;
            stages.push(self.command()?);
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        self.blanks()?;
        if self.cursor.peek() == Some('(') {
            return self.subshell();
        }
        if let Some(word) = self.reserved(COMPOUNDS) {
            return self.deeper(|parser| parser.compound(word));
        }
        if self.reserved(CONSTRUCTS).is_some() {
            return Err(Reason::Construct);
        }
        if self.reserved(ENDS).is_some() || self.reserved(&["!"]).is_some() {
            return Err(Reason::Syntax);
        }
        self.simple().map(Command::Simple)
    }

    /// Assignments, words and redirections, up to what ends a command.
    fn simple(&mut self) -> Parsed<Simple> {
        let mut simple = Simple::default();
        loop {
            self.blanks()?;
            match self.cursor.peek() {
                None | Some('\n' | ';' | '|' | ')' | '#') => break,
                Some('&') if self.cursor.ahead(1) != Some('>') => break,
                Some('(') if simple.words.len() == 1 => return Err(Reason::Function),
                Some('(') => return Err(Reason::Syntax),
                Some('<' | '>') if self.cursor.ahead(1) == Some('(') => {
                    simple.words.push(self.process()?);
                }
                Some(_) if self.at_redirection() => {
                    simple.redirections.push(self.redirection()?);
                }
                Some(_) => {
                    let word = self.word()?;
                    match assignment(&word) {
                        Some(assigned) if simple.words.is_empty() => {
                            simple.assignments.push(assigned);
                        }
                        _ => simple.words.push(word),
                    }
                }
            }
        }
        let empty = simple.words.is_empty() && simple.assignments.is_empty();
        if empty && simple.redirections.is_empty() {
            return Err(Reason::Syntax);
        }
        // zsh runs a program of its own choice for a redirection alone.
        if simple.words.is_empty() && !simple.redirections.is_empty() && self.shell == Shell::Zsh {
            return Err(Reason::Peculiar);
        }
        Ok(simple)
    }

    /// The word of these that comes next, if it stands alone.
    fn reserved(&self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|word| {
            let behind = self.cursor.ahead(word.chars().count());
            self.cursor.sees(word)
                && matches!(
                    behind,
                    None | Some(' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>')
                )
        })
    }

    /// Blanks, and lines that go on after them.
    fn blanks(&mut self) -> Parsed<()> {
        loop {
            match (self.cursor.peek(), self.cursor.ahead(1)) {
                (Some(' ' | '\t'), _) => self.cursor.skip(1),
                // Elsewhere a line that goes on could join two halves of an operator or of a word.
                (Some('\\'), Some('\n')) => match self.cursor.behind() {
                    Some(' ' | '\t' | '\n' | '|') => self.cursor.skip(2),
                    _ => return Err(Reason::LineContinuation),
                },
                _ => return Ok(()),
            }
        }
    }

    /// Blanks, comments, new lines, and the here-documents that begin at them.
    fn gap(&mut self) -> Parsed<()> {
        loop {
            self.blanks()?;
            match self.cursor.peek() {
                Some('\n') => {
                    self.cursor.skip(1);
                    self.read_documents()?;
                }
                Some('#') => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn comment(&mut self) -> Parsed<()> {
        if self.substituted || self.shell == Shell::Zsh {
            return Err(Reason::Comment);
        }
        let comment = self.cursor.take_while(|c| c != '\n');
        if comment.ends_with('\\') || !comment.is_ascii() {
            return Err(Reason::Comment);
        }
        Ok(())
    }
}

/// `name=value`, where the name and the sign are not quoted.
fn assignment(word: &Word) -> Option<(String, Word)> {
    let (Part::Literal(text, false), rest) = word.parts.split_first()? else {
        return None;
    };
    let (name, value) = text.split_once('=')?;
    if !is_name(name) {
        return None;
    }
    let mut parts = Vec::new();
    if !value.is_empty() {
        parts.push(Part::Literal(value.to_owned(), false));
    }
    parts.extend(rest.iter().cloned());
    Some((name.to_owned(), Word { parts }))
}

/// Whether it can be the name of a variable.
pub(super) fn is_name(text: &str) -> bool {
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(begins) && text.chars().all(goes_on)
}

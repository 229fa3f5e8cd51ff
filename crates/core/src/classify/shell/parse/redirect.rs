//! Redirections and here-documents.
//!
//! Lives here: their forms, and where a here-document ends. Never: whether a file may be written.

use super::cursor::Cursor;
use super::{Parsed, Parser};
use crate::classify::shell::tree::{Direction, Part, Redirection, Word};
use crate::classify::shell::{Reason, Shell};

/// A here-document that begins at the next line.
pub(super) struct Document {
    end: String,
    /// Nothing in it is expanded.
    literal: bool,
    /// Tabs in front of its lines are dropped.
    tabs: bool,
}

impl Parser<'_> {
    /// Whether a redirection comes next: `<`, `>`, `2>`, `&>`.
    pub(super) fn at_redirection(&self) -> bool {
        match (self.cursor.peek(), self.cursor.ahead(1)) {
            (Some('<' | '>'), _) | (Some('&'), Some('>')) => true,
            (Some(c), Some('<' | '>')) => c.is_ascii_digit() && self.cursor.ahead(2) != Some('('),
            _ => false,
        }
    }

    /// A redirection that comes next.
    pub(super) fn redirection(&mut self) -> Parsed<Redirection> {
        if self.cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.cursor.skip(1);
        } else if self.cursor.take("&>") {
            if self.shell == Shell::Sh {
                return Err(Reason::Redirection);
            }
            self.cursor.take(">");
            return self.target(Direction::Write);
        }
        if self.cursor.take("<<<") {
            if self.shell == Shell::Sh {
                return Err(Reason::Redirection);
            }
            return Ok(Redirection::Here(self.named()?));
        }
        if self.cursor.take("<<") {
            return self.document();
        }
        if self.cursor.take(">&") || self.cursor.take("<&") {
            return self.descriptor();
        }
        if self.cursor.take(">>") || self.cursor.take(">|") || self.cursor.take("<>") {
            return self.target(Direction::Write);
        }
        if self.cursor.take(">") {
            return self.target(Direction::Write);
        }
        self.cursor.skip(1);
        // zsh takes `<1-9>` for a pattern.
        let number = |c: char| c.is_ascii_digit() || c == '-';
        if self.shell == Shell::Zsh && self.cursor.peek().is_some_and(number) {
            return Err(Reason::Peculiar);
        }
        self.target(Direction::Read)
    }

    fn target(&mut self, direction: Direction) -> Parsed<Redirection> {
        Ok(Redirection::File(direction, self.named()?))
    }

    /// The word that names the file.
    fn named(&mut self) -> Parsed<Word> {
        self.blanks()?;
        match (self.cursor.peek(), self.cursor.ahead(1)) {
            (Some('<' | '>'), Some('(')) => self.process(),
            // `!` and `|` behind the sign are zsh's, `&` would be part of another sign.
            (None | Some('\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' | '#' | '!'), _) => {
                Err(Reason::Redirection)
            }
            _ => self.word(),
        }
    }

    /// `2>&1` and `>&-`; bash also has `>&file`, which is a file elsewhere.
    fn descriptor(&mut self) -> Parsed<Redirection> {
        let is_one = self
            .cursor
            .peek()
            .is_some_and(|c| c.is_ascii_digit() || c == '-');
        self.cursor.skip(1);
        let ended = matches!(
            self.cursor.peek(),
            None | Some(' ' | '\t' | '\n' | ';' | '&' | '|' | ')')
        );
        if is_one && ended {
            Ok(Redirection::Descriptor)
        } else {
            Err(Reason::Redirection)
        }
    }

    /// After `<<`.
    fn document(&mut self) -> Parsed<Redirection> {
        if self.substituted {
            return Err(Reason::HereDocument);
        }
        let tabs = self.cursor.take("-");
        self.blanks()?;
        if self.cursor.peek() == Some('$') {
            return Err(Reason::HereDocument);
        }
        let word = self.word()?;
        let (end, literal) = match word.parts.as_slice() {
            [Part::Literal(end, quoted)] => (end.clone(), *quoted),
            _ => return Err(Reason::HereDocument),
        };
        if end.is_empty() || !end.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Reason::HereDocument);
        }
        self.pending.push(Document { end, literal, tabs });
        Ok(Redirection::Document)
    }

    /// The here-documents that begin at the line that comes next.
    pub(super) fn read_documents(&mut self) -> Parsed<()> {
        for document in std::mem::take(&mut self.pending) {
            let body = self.body_of(&document)?;
            let word = if document.literal {
                Word {
                    parts: vec![Part::Literal(body, true)],
                }
            } else {
                self.expanded(&body)?
            };
            self.documents.push(word);
        }
        Ok(())
    }

    fn body_of(&mut self, document: &Document) -> Parsed<String> {
        let mut body = String::new();
        loop {
            // Shells forgive a missing end, each in its way.
            let line = self.cursor.line().ok_or(Reason::HereDocument)?;
            let shown = if document.tabs {
                line.trim_start_matches('\t')
            } else {
                &line
            };
            if shown == document.end {
                return Ok(body);
            }
            // A line that goes on may hide where the end is.
            if !document.literal && line.ends_with('\\') {
                return Err(Reason::HereDocument);
            }
            body.push_str(shown);
            body.push('\n');
        }
    }

    /// What an expanded here-document says.
    fn expanded(&mut self, body: &str) -> Parsed<Word> {
        self.deeper(|parser| {
            let mut inner = Parser::new(body, parser.shell, parser.limits, parser.depth, true);
            inner.cursor = Cursor::new(body);
            inner.until_quote(false)
        })
    }
}

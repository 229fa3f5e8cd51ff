//! What stands behind a `$` or within backquotes.
//!
//! Lives here: parameters, substitutions, arithmetic, `$'…'`. Never: what their values are.

use super::word::Making;
use super::{Parsed, Parser};
use crate::classify::shell::tree::{Part, Word};
use crate::classify::shell::{Reason, Shell};

/// Parameters with a sign for a name.
const SIGNS: &str = "@*#?$!-0123456789";

impl Parser<'_> {
    /// A `$` that comes next, and what belongs to it.
    pub(super) fn dollar(&mut self, quoted: bool, word: &mut Making) -> Parsed<()> {
        self.cursor.skip(1);
        match self.cursor.peek() {
            Some('(') if self.cursor.ahead(1) == Some('(') => {
                self.arithmetic()?;
                word.part(value(quoted));
            }
            Some('(') => {
                let script = self.substitution()?;
                word.part(Part::Expansion {
                    quoted,
                    many: false,
                    name: None,
                    script: Some(script),
                });
            }
            Some('{') => {
                let name = self.braced()?;
                word.part(Part::Expansion {
                    quoted,
                    many: name.as_deref() == Some("@"),
                    name,
                    script: None,
                });
            }
            Some('[') => return Err(Reason::Parameter),
            Some('\'') if !quoted => {
                let text = self.dollar_quoted()?;
                word.text(&text, true);
            }
            Some('"') if !quoted => return Err(Reason::DollarQuote),
            Some('\\') if self.cursor.ahead(1) == Some('\n') => {
                return Err(Reason::LineContinuation);
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name = self
                    .cursor
                    .take_while(|c| c.is_ascii_alphanumeric() || c == '_');
                self.no_subscript()?;
                word.part(Part::Expansion {
                    quoted,
                    many: false,
                    name: Some(name),
                    script: None,
                });
            }
            Some(c) if SIGNS.contains(c) => {
                self.cursor.skip(1);
                if self.shell == Shell::Zsh && c.is_ascii_digit() {
                    self.cursor.take_while(|c| c.is_ascii_digit());
                }
                if self.shell == Shell::Zsh && c == '#' {
                    return Err(Reason::Peculiar);
                }
                self.no_subscript()?;
                word.part(Part::Expansion {
                    quoted,
                    many: c == '@',
                    name: Some(c.to_string()),
                    script: None,
                });
            }
            // zsh has many more signs, and reads some of them in other ways than other shells do.
            Some(c) if self.shell == Shell::Zsh && !"\" \t\n".contains(c) => {
                return Err(Reason::Peculiar);
            }
            _ => word.text("$", quoted),
        }
        Ok(())
    }

    /// In zsh `$x[…]` computes, and `$x:h` edits.
    fn no_subscript(&self) -> Parsed<()> {
        if self.shell == Shell::Zsh && matches!(self.cursor.peek(), Some('[' | ':')) {
            return Err(Reason::Peculiar);
        }
        Ok(())
    }

    /// `${…}`: a plain name, which is given back, its length, or a form with plain text in it.
    fn braced(&mut self) -> Parsed<Option<String>> {
        self.cursor.skip(1);
        let inner = self.cursor.take_while(|c| c != '}' && c != '\n');
        if !self.cursor.take("}") {
            return Err(Reason::Parameter);
        }
        self.no_subscript()?;
        let is_sign = inner.chars().count() == 1 && inner.chars().all(|c| SIGNS.contains(c));
        let is_number = !inner.is_empty() && inner.chars().all(|c| c.is_ascii_digit());
        if super::is_name(&inner) || is_number || (is_sign && self.shell != Shell::Zsh) {
            return Ok(Some(inner));
        }
        if self.shell == Shell::Zsh {
            return Err(Reason::Parameter);
        }
        if inner.strip_prefix('#').is_some_and(super::is_name) {
            return Ok(None);
        }
        let name_ends = inner
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .ok_or(Reason::Parameter)?;
        let (name, form) = inner.split_at(name_ends);
        let text = [":-", ":+", ":?", "-", "+", "?", "%%", "%", "##", "#"]
            .iter()
            .find_map(|sign| form.strip_prefix(sign))
            .ok_or(Reason::Parameter)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@+,=* -".contains(c);
        if !super::is_name(name) || !text.chars().all(is_plain) {
            return Err(Reason::Parameter);
        }
        Ok(None)
    }

    /// `$(( … ))` over numbers.
    fn arithmetic(&mut self) -> Parsed<()> {
        self.cursor.skip(2);
        let mut open: usize = 0;
        loop {
            match self.cursor.next() {
                Some('(') => open = open.saturating_add(1),
                Some(')') => match open.checked_sub(1) {
                    Some(less) => open = less,
                    None if self.cursor.take(")") => return Ok(()),
                    None => return Err(Reason::Arithmetic),
                },
                Some(c) if c.is_ascii_digit() || " +-*/%<>&|^!~".contains(c) => {}
                _ => return Err(Reason::Arithmetic),
            }
        }
    }

    /// `$( … )`.
    fn substitution(&mut self) -> Parsed<crate::classify::shell::tree::Script> {
        // Shells disagree about which new line such a document begins at.
        if !self.pending.is_empty() {
            return Err(Reason::HereDocument);
        }
        self.cursor.skip(1);
        let outer = std::mem::replace(&mut self.substituted, true);
        let documents = std::mem::take(&mut self.documents);
        let script = self.list()?;
        self.substituted = outer;
        self.documents = documents;
        if self.cursor.take(")") {
            Ok(script)
        } else {
            Err(Reason::OpenQuote)
        }
    }

    /// `<( … )` and `>( … )`, a word of their own.
    pub(super) fn process(&mut self) -> Parsed<Word> {
        if self.shell == Shell::Sh {
            return Err(Reason::Construct);
        }
        self.cursor.skip(1);
        let script = self.substitution()?;
        match self.cursor.peek() {
            None | Some(' ' | '\t' | '\n' | ';' | '&' | '|' | ')') => Ok(Word {
                parts: vec![Part::Process(script)],
            }),
            Some(_) => Err(Reason::Construct),
        }
    }

    /// Backquotes: their text is a command line of its own.
    pub(super) fn backquoted(&mut self, quoted: bool) -> Parsed<Part> {
        self.cursor.skip(1);
        let text = self.cursor.take_while(|c| c != '`');
        if !self.cursor.take("`") {
            return Err(Reason::OpenQuote);
        }
        if text.contains(['\\', '"', '\'']) {
            return Err(Reason::Backquote);
        }
        let script = self.deeper(|parser| {
            Parser::new(&text, parser.shell, parser.limits, parser.depth, true).whole()
        })?;
        Ok(Part::Expansion {
            quoted,
            many: false,
            name: None,
            script: Some(script),
        })
    }

    /// `$'…'`, where the shell has it.
    fn dollar_quoted(&mut self) -> Parsed<String> {
        if self.shell == Shell::Sh {
            return Err(Reason::DollarQuote);
        }
        self.cursor.skip(1);
        let mut text = String::new();
        loop {
            match self.cursor.next() {
                None => return Err(Reason::OpenQuote),
                Some('\'') => return Ok(text),
                Some('\\') => text.push(self.dollar_escape()?),
                Some(c) => text.push(c),
            }
        }
    }

    fn dollar_escape(&mut self) -> Parsed<char> {
        Ok(match self.cursor.next() {
            Some(c @ ('\\' | '\'' | '"')) => c,
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('e') => '\u{1b}',
            Some('x') => self.coded(16, 2)?,
            Some('0'..='7') => {
                self.cursor.step_back();
                self.coded(8, 3)?
            }
            _ => return Err(Reason::DollarQuote),
        })
    }

    /// A character of ASCII by its number, in exactly that many digits.
    fn coded(&mut self, radix: u32, digits: usize) -> Parsed<char> {
        let mut code: u32 = 0;
        for _ in 0..digits {
            let digit = self.cursor.next().and_then(|c| c.to_digit(radix));
            let digit = digit.ok_or(Reason::DollarQuote)?;
            code = code.saturating_mul(radix).saturating_add(digit);
        }
        match u8::try_from(code) {
            Ok(byte @ 1..=127) => Ok(char::from(byte)),
            _ => Err(Reason::DollarQuote),
        }
    }
}

/// What is known only when it is run.
fn value(quoted: bool) -> Part {
    Part::Expansion {
        quoted,
        many: false,
        name: None,
        script: None,
    }
}

//! Constructs of the shell: subshells, groups, conditions, loops and cases.
//!
//! Lives here: their grammar, in the one form that all shells share. Never: short forms of a single shell.

use super::{Parsed, Parser, is_name};
use crate::classify::shell::tree::{Command, Compound, Redirection, Word};
use crate::classify::shell::{Reason, Shell};

impl Parser<'_> {
    /// `( … )`.
    pub(super) fn subshell(&mut self) -> Parsed<Command> {
        if self.cursor.sees("((") {
            return Err(Reason::Construct);
        }
        self.cursor.skip(1);
        let inner = self.filled()?;
        if !self.cursor.take(")") {
            return Err(Reason::Syntax);
        }
        self.with_redirections(Compound::Subshell(inner))
    }

    /// What begins with that reserved word, which comes next.
    pub(super) fn compound(&mut self, word: &'static str) -> Parsed<Command> {
        self.expect(word)?;
        let compound = match word {
            "{" => {
                let inner = self.filled()?;
                self.expect("}")?;
                Compound::Group(inner)
            }
            "if" => self.condition()?,
            "while" | "until" => {
                let condition = self.filled()?;
                let body = self.body()?;
                Compound::Loop { condition, body }
            }
            "for" => self.each()?,
            _ => self.case()?,
        };
        self.with_redirections(compound)
    }

    /// A reserved word that has to come next.
    fn expect(&mut self, word: &'static str) -> Parsed<()> {
        if self.reserved(&[word]).is_none() {
            return Err(Reason::Syntax);
        }
        self.cursor.skip(word.len());
        Ok(())
    }

    fn body(&mut self) -> Parsed<crate::classify::shell::tree::Script> {
        self.expect("do")?;
        let body = self.filled()?;
        self.expect("done")?;
        Ok(body)
    }

    /// After `if`.
    fn condition(&mut self) -> Parsed<Compound> {
        let mut arms = Vec::new();
        let mut otherwise = None;
        loop {
            let asked = self.filled()?;
            self.expect("then")?;
            arms.push((asked, self.filled()?));
            if self.reserved(&["elif"]).is_some() {
                self.expect("elif")?;
                continue;
            }
            if self.reserved(&["else"]).is_some() {
                self.expect("else")?;
                otherwise = Some(self.filled()?);
            }
            self.expect("fi")?;
            return Ok(Compound::If { arms, otherwise });
        }
    }

    /// After `for`.
    fn each(&mut self) -> Parsed<Compound> {
        self.blanks()?;
        let name = self
            .cursor
            .take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name(&name) {
            return Err(Reason::Syntax);
        }
        self.blanks()?;
        self.expect("in")?;
        let mut words = Vec::new();
        loop {
            self.blanks()?;
            match self.cursor.peek() {
                Some(';') if self.cursor.ahead(1) != Some(';') => {
                    self.cursor.skip(1);
                    break;
                }
                Some('\n') => break,
                None | Some(';' | '&' | '|' | '(' | ')' | '<' | '>' | '#') => {
                    return Err(Reason::Syntax);
                }
                Some(_) => words.push(self.word()?),
            }
        }
        self.gap()?;
        let body = self.body()?;
        Ok(Compound::For { name, words, body })
    }

    /// After `case`.
    fn case(&mut self) -> Parsed<Compound> {
        // Older shells look for the end of `$( )` without knowing that a pattern ends in a bracket.
        if self.substituted {
            return Err(Reason::Construct);
        }
        self.blanks()?;
        let word = self.ordinary_word()?;
        self.blanks()?;
        self.expect("in")?;
        let mut arms = Vec::new();
        loop {
            self.gap()?;
            if self.reserved(&["esac"]).is_some() {
                break;
            }
            let patterns = self.patterns()?;
            let list = self.list()?;
            arms.push((patterns, list));
            if !self.cursor.take(";;") {
                break;
            }
        }
        self.gap()?;
        self.expect("esac")?;
        Ok(Compound::Case { word, arms })
    }

    fn patterns(&mut self) -> Parsed<Vec<Word>> {
        // In zsh a bracket within a pattern is part of it.
        if self.shell == Shell::Zsh && self.cursor.peek() == Some('(') {
            return Err(Reason::Peculiar);
        }
        self.cursor.take("(");
        let mut patterns = Vec::new();
        loop {
            self.blanks()?;
            patterns.push(self.ordinary_word()?);
            self.blanks()?;
            if self.cursor.take(")") {
                return Ok(patterns);
            }
            if !self.cursor.take("|") {
                return Err(Reason::Syntax);
            }
        }
    }

    /// A word where nothing else may stand.
    fn ordinary_word(&mut self) -> Parsed<Word> {
        match self.cursor.peek() {
            None | Some('\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' | '#') => {
                Err(Reason::Syntax)
            }
            Some(_) => self.word(),
        }
    }

    fn with_redirections(&mut self, compound: Compound) -> Parsed<Command> {
        let mut redirections: Vec<Redirection> = Vec::new();
        loop {
            self.blanks()?;
            if !self.at_redirection() {
                return Ok(Command::Compound(Box::new(compound), redirections));
            }
            redirections.push(self.redirection()?);
        }
    }
}

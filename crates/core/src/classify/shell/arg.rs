//! What is known of the arguments that a word becomes.
//!
//! Lives here: expansion, as far as it can be told without running anything. Never: what an argument means to a program.

use super::tree::{Command, Part, Script, Word};
use std::collections::BTreeMap;

/// One argument, or what stands for several that are not known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Arg {
    /// Exactly this one.
    Exact(String),
    /// One path: below the account's home directory, or that directory when the rest is empty.
    Home(String),
    /// Not known beforehand.
    Opaque(Opaque),
}

/// An argument that is not known beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Opaque {
    /// How it begins: all of them, unless it is split.
    pub prefix: String,
    /// It may be any number of arguments, none among them.
    pub many: bool,
    /// What comes of an expansion is split at blanks: only the first begins with the prefix.
    pub split: bool,
    /// It is more than names of files that are there: the values of variables, what a program said.
    pub expands: bool,
    /// What is not known of it are the digits of a number or a date.
    pub digits: bool,
}

impl Arg {
    /// Exactly this one.
    pub fn exact(text: impl Into<String>) -> Self {
        Self::Exact(text.into())
    }
    /// Any number of arguments of which nothing is known.
    pub fn anything() -> Self {
        Self::Opaque(Opaque {
            prefix: String::new(),
            many: true,
            split: true,
            expands: true,
            digits: false,
        })
    }
    /// One argument of which only the beginning is known.
    pub fn beginning(prefix: impl Into<String>) -> Self {
        Self::Opaque(Opaque {
            prefix: prefix.into(),
            many: false,
            split: false,
            expands: true,
            digits: false,
        })
    }
    /// Its text, when all of it is known.
    pub fn literal(&self) -> Option<&str> {
        match self {
            Self::Exact(text) => Some(text),
            _ => None,
        }
    }
    /// Whether a program could take it for an option, though it is not known to be one.
    pub fn may_be_option(&self) -> bool {
        match self {
            Self::Opaque(opaque) => {
                opaque.split || opaque.prefix.is_empty() || opaque.prefix.starts_with('-')
            }
            _ => false,
        }
    }
    /// Whether it may be more or fewer arguments than one.
    pub fn is_many(&self) -> bool {
        matches!(self, Self::Opaque(opaque) if opaque.many)
    }
    /// Whether an argument that was really given is one of those meant here.
    pub fn covers(&self, given: &str) -> bool {
        match self {
            Self::Exact(text) => text == given,
            Self::Home(rest) => given.ends_with(rest.as_str()),
            Self::Opaque(opaque) => opaque.split || given.starts_with(&opaque.prefix),
        }
    }
}

/// What variables are known to hold.
pub type Values = BTreeMap<String, Arg>;

/// The arguments that a word becomes.
pub fn args(word: &Word, values: &Values) -> Vec<Arg> {
    if let [Part::Brace(words)] = word.parts.as_slice() {
        return words.iter().map(Arg::exact).collect();
    }
    if let Some(home) = home(word) {
        return vec![home];
    }
    if let [part] = word.parts.as_slice()
        && let Some(value) = held(part, values)
    {
        return vec![value.clone()];
    }
    let mut opaque = Opaque {
        prefix: String::new(),
        many: false,
        split: false,
        expands: false,
        digits: true,
    };
    let mut known = true;
    for part in &word.parts {
        match (part, held(part, values)) {
            (Part::Literal(text, _), _) | (_, Some(Arg::Exact(text))) if known => {
                opaque.prefix.push_str(text);
            }
            // What is below a name that is not known is not known either.
            (Part::Literal(text, _), _) | (_, Some(Arg::Exact(text))) => {
                opaque.expands |= text.contains('/');
                opaque.digits &= !text.contains(':');
            }
            (_, Some(Arg::Opaque(inner))) if known => {
                opaque.prefix.push_str(&inner.prefix);
                opaque.expands |= inner.expands;
                opaque.digits &= inner.digits;
                known = false;
            }
            (Part::Glob(_), _) => {
                known = false;
                opaque.digits = false;
                opaque.many = true;
            }
            (part, _) if is_plain_number(part) => known = false,
            (Part::Expansion { quoted, many, .. }, _) => {
                known = false;
                opaque.digits = false;
                opaque.expands = true;
                opaque.split |= !quoted || *many;
                opaque.many |= !quoted || *many;
            }
            (Part::Home | Part::Tilde | Part::Process(_) | Part::Brace(_), _) => {
                known = false;
                opaque.digits = false;
                opaque.expands = true;
            }
        }
    }
    if known {
        return vec![Arg::Exact(opaque.prefix)];
    }
    // A home directory or a pipe in front begins with a slash.
    if matches!(
        word.parts.first(),
        Some(Part::Home | Part::Tilde | Part::Process(_))
    ) {
        "/".clone_into(&mut opaque.prefix);
    }
    vec![Arg::Opaque(opaque)]
}

/// The one argument that a parameter stands for, where its value is known and is not taken apart.
fn held<'a>(part: &Part, values: &'a Values) -> Option<&'a Arg> {
    let Part::Expansion {
        quoted,
        name: Some(name),
        ..
    } = part
    else {
        return None;
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@+,=%-".contains(c);
    let is_taken_apart = |text: &str| text.is_empty() || !text.chars().all(is_plain);
    match values.get(name)? {
        Arg::Exact(text) if !quoted && is_taken_apart(text) => None,
        Arg::Opaque(_) if !quoted => None,
        value => Some(value),
    }
}

/// Whether it becomes digits, and at most `-`, `.` and letters of the line itself between them: nothing that is taken apart,
/// leads to another directory or names a machine.
fn is_plain_number(part: &Part) -> bool {
    match part {
        Part::Expansion {
            name: Some(name), ..
        } => ["?", "$", "#"].contains(&name.as_str()),
        Part::Expansion {
            script: Some(script),
            ..
        } => is_date(script),
        _ => false,
    }
}

/// `date +%F` and its like, without names of days and months, which may hold anything in some language.
fn is_date(script: &Script) -> bool {
    let [item] = script.items.as_slice() else {
        return false;
    };
    let [Command::Simple(simple)] = item.first.stages.as_slice() else {
        return false;
    };
    let alone = item.rest.is_empty()
        && item.documents.is_empty()
        && simple.assignments.is_empty()
        && simple.redirections.is_empty();
    let words: Option<Vec<String>> = simple.words.iter().map(literal).collect();
    let words = words.unwrap_or_default();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let format = match words.as_slice() {
        ["date", format] | ["date", "-u", format] => format,
        ["date", "-d", _, format] => format,
        _ => return false,
    };
    alone && format.strip_prefix('+').is_some_and(is_plain_format)
}

fn is_plain_format(format: &str) -> bool {
    let mut letters = format.chars();
    while let Some(c) = letters.next() {
        let plain = match c {
            '%' => letters.next().is_some_and(|c| "FYmdHMSsjNyuV".contains(c)),
            c => c.is_ascii_alphanumeric() || "._-".contains(c),
        };
        if !plain {
            return false;
        }
    }
    true
}

fn literal(word: &Word) -> Option<String> {
    word.parts
        .iter()
        .map(|part| match part {
            Part::Literal(text, _) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

/// `~` and `~/…` when the rest is literal.
fn home(word: &Word) -> Option<Arg> {
    let (Part::Home, rest) = word.parts.split_first()? else {
        return None;
    };
    let mut below = String::new();
    for part in rest {
        let Part::Literal(text, _) = part else {
            return None;
        };
        below.push_str(text);
    }
    Some(Arg::Home(
        below.strip_prefix('/').unwrap_or(&below).to_owned(),
    ))
}

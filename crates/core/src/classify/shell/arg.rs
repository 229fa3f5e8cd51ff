//! What is known of the arguments that a word becomes.
//!
//! Lives here: expansion, as far as it can be told without running anything. Never: what an argument means to a program.

use super::tree::{Part, Word};

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
        })
    }
    /// One argument of which only the beginning is known.
    pub fn beginning(prefix: impl Into<String>) -> Self {
        Self::Opaque(Opaque {
            prefix: prefix.into(),
            many: false,
            split: false,
            expands: true,
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

/// The arguments that a word becomes.
pub fn args(word: &Word) -> Vec<Arg> {
    if let [Part::Brace(words)] = word.parts.as_slice() {
        return words.iter().map(Arg::exact).collect();
    }
    if let Some(home) = home(word) {
        return vec![home];
    }
    let mut opaque = Opaque {
        prefix: String::new(),
        many: false,
        split: false,
        expands: false,
    };
    let mut known = true;
    for part in &word.parts {
        match part {
            Part::Literal(text, _) if known => opaque.prefix.push_str(text),
            // What is below a name that is not known is not known either.
            Part::Literal(text, _) => opaque.expands |= text.contains('/'),
            Part::Glob(_) => {
                known = false;
                opaque.many = true;
            }
            Part::Expansion { quoted, many, .. } => {
                known = false;
                opaque.expands = true;
                opaque.split |= !quoted || *many;
                opaque.many |= !quoted || *many;
            }
            Part::Home | Part::Tilde | Part::Process(_) | Part::Brace(_) => {
                known = false;
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

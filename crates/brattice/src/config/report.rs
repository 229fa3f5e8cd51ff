//! What is wrong with a bundle: all of it at once, each with its place, its value and how to mend it.
//!
//! Lives here: problems and how they print. Never: finding them. Values of secret keys never get in.

use serde::Serialize;
use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, as given or below the bundle's directory.
    pub file: String,
    /// The line in it, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The key, e.g. `targets.orders-db.tls`; empty for the whole file.
    pub path: String,
    /// What it says now; never of a key that holds a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What is wrong, as a sentence without its full stop.
    pub what: String,
    /// What to do about it.
    pub mend: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        write!(f, "\n  {}", self.what)?;
        if !self.mend.is_empty() {
            write!(f, "\n  mend: {}", self.mend)?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In the order of the files, then of the lines.
    pub problems: Vec<Problem>,
}

impl Report {
    /// A report of one problem with a file as a whole.
    pub fn of_file(file: &str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            problems: vec![Problem {
                file: file.to_owned(),
                line: None,
                path: String::new(),
                value: None,
                what: what.into(),
                mend: mend.into(),
            }],
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Puts the problems in reading order.
    pub fn sort(&mut self) {
        self.problems.sort_by(|a, b| {
            (&a.file, a.line.unwrap_or(0), &a.path).cmp(&(&b.file, b.line.unwrap_or(0), &b.path))
        });
        self.problems.dedup();
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

//! Where rules come from, and what is wrong with them.
//!
//! Lives here: files as text, problems with file and line. Never: reading a file, judging.

use std::fmt;

/// A file of rules.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its name, as people know it: `policies/company.cedar`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// One thing to mend before a bundle can load, or to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file; empty when it is not of one file.
    pub file: String,
    /// The line, counted from 1; 0 when it is not of one line.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub mend: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.is_empty(), self.line) {
            (true, _) => {}
            (false, 0) => write!(f, "{}: ", self.file)?,
            (false, line) => write!(f, "{}:{line}: ", self.file)?,
        }
        f.write_str(&self.message)?;
        match &self.mend {
            Some(mend) => write!(f, " ({mend})"),
            None => Ok(()),
        }
    }
}

/// The line, counted from 1, of a byte offset.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

/// A diagnostic of Cedar's as a problem of a file.
pub(super) fn problem_of(
    file: &SourceFile,
    what: &dyn miette::Diagnostic,
    fallback_line: usize,
) -> Problem {
    let offset = what.labels().and_then(|mut l| l.next()).map(|l| l.offset());
    Problem {
        file: file.name.clone(),
        line: offset.map_or(fallback_line, |o| line_at(&file.text, o)),
        message: what.to_string(),
        mend: what.help().map(|h| h.to_string()),
    }
}

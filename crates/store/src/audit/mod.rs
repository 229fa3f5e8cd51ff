//! The audit log of a node: append-only segments, one hash chain through all of them, signed heads beside them.
//!
//! Lives here: the log as the gate uses it, and its errors. Never: what an entry means, or any way to change one.
//!
//! The directory holds `lock`, `signing.key`, `signing.pub`, `heads`, and one file a segment, named by the position
//! of its first entry. [`verify()`] checks all of it with the public key alone.

mod commit;
mod files;
mod head;
mod log;
mod read;
mod recover;
mod segment;
mod verify;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_kill;
#[cfg(test)]
mod tests_tamper;

pub use files::{LogFile, files, read_file};
pub use head::{Head, NotAKey, PublicKey};
pub use log::{Log, Settings};
pub use read::{Entries, Filter, ReadError, Stored, export};
pub use recover::Recovered;
pub use verify::{Problem, Report, verify, verify_segments};

use std::io;
use std::path::{Path, PathBuf};

/// Why the log was not opened. The gateway does not start without it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk did not do what was asked.
    #[error("could not {operation} ({})", path.display())]
    Io {
        /// What was asked.
        operation: &'static str,
        /// Of which file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// Another process has it.
    #[error("another process writes the audit log in {}", .0.display())]
    Locked(PathBuf),
    /// The log belongs to another node.
    #[error("the audit log is that of node `{found}`, not of `{expected}`")]
    OtherNode {
        /// Who this is.
        expected: String,
        /// Whose it is.
        found: String,
    },
    /// What is there is not what was written; a torn last entry does not count.
    #[error("the audit log is damaged at position {position} ({}): {what}", path.display())]
    Damaged {
        /// Where.
        position: u64,
        /// In which file.
        path: PathBuf,
        /// In what way.
        what: String,
    },
    /// Entries that a signed head vouches for are gone.
    #[error("the audit log ends at position {entries}, but a signed head covers {signed} entries")]
    Truncated {
        /// How many entries there are.
        entries: u64,
        /// How many there were.
        signed: u64,
    },
    /// The file of heads cannot be used.
    #[error("the file of signed heads is damaged: {0}")]
    Heads(String),
    /// There is no usable signing key.
    #[error("no signing key: {0}")]
    Key(String),
}

impl OpenError {
    fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            operation,
            path: path.to_owned(),
            source,
        }
    }
}

/// The segments in a directory, by first position.
fn segments_in(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(dir)? {
        let path = item?.path();
        if let Some(first) = segment::first_of(&path) {
            found.push((first, path));
        }
    }
    found.sort();
    Ok(found)
}

//! What can go wrong with a server, said so that a failing test can be understood from its output alone.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why there is no server, or no answer from it.
#[derive(thiserror::Error)]
pub enum PostgresError {
    /// The tools directory has no such server.
    #[error("PostgreSQL {major} is not in {}: run `cargo xtask setup` (13, 14, 16 and 17: with --full)", path.display())]
    NotInstalled {
        /// The version asked for.
        major: u8,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The options contradict each other.
    #[error("the server cannot be started like that: {reason}")]
    Options {
        /// What is wrong with them.
        reason: &'static str,
    },
    /// The operating system refused.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("making the {what} certificate")]
    Certificate {
        /// Whose.
        what: String,
        /// Why it failed.
        source: rcgen::Error,
    },
    /// Somebody took the port between choosing and using it.
    #[error("port {port} was taken before the server could listen on it")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// A program said no.
    #[error("{what} failed: {output}")]
    Failed {
        /// Which.
        what: String,
        /// What it said.
        output: String,
    },
}

/// Tests unwrap: a panic then shows the sentence and its causes, not the fields.
impl fmt::Debug for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Says what an I/O operation was for.
pub(super) trait During<T> {
    fn during(self, doing: impl Into<String>) -> Result<T, PostgresError>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, doing: impl Into<String>) -> Result<T, PostgresError> {
        self.map_err(|source| PostgresError::Io {
            doing: doing.into(),
            source,
        })
    }
}

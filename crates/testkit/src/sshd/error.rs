//! What can go wrong with an SSH server of the tests, said so that a failing test can be understood from its output alone.
//! Never what an agent is told: that is the gateway's.

use std::fmt;
use std::io;

use crate::postgres::PostgresError;

/// Why there is no server, or no key for it.
#[derive(thiserror::Error)]
pub enum SshdError {
    /// The machine is not ready for private servers of any kind.
    #[error("getting the machine ready for an SSH server")]
    Machine(#[from] PostgresError),
    /// The operating system refused.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// Somebody took the port between choosing and using it.
    #[error("port {port} was taken before sshd could listen on it")]
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
    /// The options, or the place for the files, cannot be written into sshd's configuration.
    #[error("the server cannot be started like that: {reason}")]
    Options {
        /// What is wrong with them.
        reason: &'static str,
    },
}

/// Tests unwrap: a panic then shows the sentence and its causes, not the fields.
impl fmt::Debug for SshdError {
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
    fn during(self, doing: impl Into<String>) -> Result<T, SshdError>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, doing: impl Into<String>) -> Result<T, SshdError> {
        self.map_err(|source| SshdError::Io {
            doing: doing.into(),
            source,
        })
    }
}

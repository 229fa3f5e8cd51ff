//! Why the demonstration stopped. Nothing here decides whether it should.

use crate::postgres::PostgresError;
use crate::sshd::SshdError;
use std::io;

/// Why it stopped.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The operating system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// PostgreSQL did not start, or did not answer.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The host did not start, or did not answer.
    #[error(transparent)]
    Sshd(#[from] SshdError),
    /// A command that prepares something failed.
    #[error("`{line}` failed:\n{said}")]
    Command {
        /// The command.
        line: String,
        /// What it said.
        said: String,
    },
    /// The gateway did not come up.
    #[error("the gateway is not there ({why}); it said:\n{log}")]
    NoGateway {
        /// What was seen.
        why: String,
        /// Its log.
        log: String,
    },
    /// A step did not go as it should.
    #[error("this is not so: {0}")]
    NotSo(String),
}

/// Says what was being done when the operating system refused.
pub trait During<T> {
    /// Adds it.
    fn during(self, doing: &str) -> Result<T, Failure>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, doing: &str) -> Result<T, Failure> {
        self.map_err(|source| Failure::Io {
            doing: doing.to_owned(),
            source,
        })
    }
}

//! Why something could not be measured. Nothing here measures.

use crate::gateway::GatewayError;
use crate::idp::IdpError;
use crate::postgres::PostgresError;
use crate::sshd::SshdError;
use std::io;

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The operating system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// PostgreSQL.
    #[error("{0}")]
    Postgres(#[from] PostgresError),
    /// sshd.
    #[error("{0}")]
    Sshd(#[from] SshdError),
    /// The gateway.
    #[error("{0}")]
    Gateway(#[from] GatewayError),
    /// The identity provider.
    #[error("the identity provider: {0}")]
    Idp(#[from] IdpError),
    /// A program failed.
    #[error("{what} failed:\n{said}")]
    Program {
        /// Which, at what.
        what: String,
        /// What it said.
        said: String,
    },
    /// What came is not what was asked for, so the figure would be worth nothing.
    #[error("{0}")]
    Wrong(String),
}

/// Says what was being done when the operating system refused.
pub(super) trait During<T> {
    fn during(self, doing: &str) -> Result<T, BenchError>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, doing: &str) -> Result<T, BenchError> {
        self.map_err(|source| BenchError::Io {
            doing: doing.to_owned(),
            source,
        })
    }
}

//! PostgreSQL's frontend/backend protocol, versions 3.0 and 3.2.
//!
//! Here live its framing, its messages as types in both directions, the start-up and authentication
//! exchanges. Message names and layouts follow the chapter "Frontend/Backend Protocol" of the
//! PostgreSQL documentation: "Message Flow" (54.2), "SASL Authentication" (54.3), "Message Formats"
//! (54.7), "Error and Notice Message Fields" (54.8). Never here: sockets, policy, or what a statement
//! means.
//!
//! Nothing is forwarded that was not decoded: frames for the target are written anew by [`encode`]
//! from what [`frontend`] understood.

pub mod backend;
pub mod encode;
pub mod end_point;
pub mod fields;
pub mod frame;
pub mod frontend;
pub mod login;
pub mod oauthbearer;
pub mod options;
pub mod parameters;
mod read;
pub mod reply;
mod row;
pub mod scram;
pub mod search_path;
pub mod session;
pub mod startup;
pub mod upstream;

pub use backend::Backend;
pub use fields::{ErrorFields, Fields, Severity};
pub use frame::Frame;
pub use frontend::Frontend;

use bytes::Bytes;
use std::fmt;
use subtle::ConstantTimeEq;

/// Whether a name means a prepared statement or a portal (Describe, Close).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// A prepared statement, `S`.
    Statement,
    /// A portal, `P`.
    Portal,
}

impl NameKind {
    /// The byte that stands for it in a frame.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Statement => b'S',
            Self::Portal => b'P',
        }
    }
}

/// The transaction status that ends every ReadyForQuery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TxStatus {
    /// Outside a transaction, `I`.
    Idle,
    /// Inside a transaction block, `T`.
    Open,
    /// Inside a failed transaction block, `E`.
    Failed,
}

impl TxStatus {
    /// The byte that stands for it in a frame.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::Open => b'T',
            Self::Failed => b'E',
        }
    }
}

/// What a backend hands out so that its query can be cancelled from another connection.
///
/// The secret has 4 bytes in protocol 3.0 and up to 256 in 3.2.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CancelKey {
    /// The process id, or what stands for one.
    pub pid: i32,
    /// The secret; never shown.
    pub secret: Bytes,
}

impl CancelKey {
    /// The shortest secret (protocol 3.0).
    pub const SECRET_BYTES_MIN: usize = 4;
    /// The longest secret (protocol 3.2).
    pub const SECRET_BYTES_MAX: usize = 256;

    /// Whether the other key is this one, in time that does not tell how much of it matched.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        let same_pid = self.pid.ct_eq(&other.pid);
        let same_secret = self.secret.as_ref().ct_eq(other.secret.as_ref());
        (same_pid & same_secret).into()
    }
}

impl fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelKey")
            .field("pid", &self.pid)
            .field("secret_bytes", &self.secret.len())
            .finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod fuzz;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod mangle;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests;

//! The way to the targets' servers, for the few statements that leases need.
//!
//! Lives here: the port. Never: a connection; the data path has the only one.

use brattice_core::ports::{BoxFuture, Lease};
use std::sync::Arc;

/// Rows of all statements of one message, as text.
pub type Rows = Vec<Vec<Option<String>>>;

/// Why statements were not run; for the operator, and without anything secret.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct ServerError {
    /// The target's own code, where it refused.
    pub sqlstate: Option<String>,
    /// The reason.
    pub why: String,
}

impl ServerError {
    /// Whether the login was refused (class 28, invalid authorization specification).
    pub(super) fn is_login(&self) -> bool {
        self.sqlstate
            .as_deref()
            .is_some_and(|s| s.starts_with("28"))
    }
}

/// The targets' servers.
pub trait Servers: Send + Sync {
    /// The server of a target, as the bundle in force has it. It stays reachable when the bundle changes.
    fn of(&self, target: &str) -> Option<Arc<dyn Server>>;
    /// A database of the target that may be reached, for what is not about any of them.
    fn any_place(&self, target: &str) -> Option<String>;
}

/// One server.
pub trait Server: Send + Sync {
    /// Runs one message as this login.
    fn run<'a>(
        &'a self,
        place: &'a str,
        login: &'a Lease,
        statements: &'a str,
    ) -> BoxFuture<'a, Result<Rows, ServerError>>;
}

//! The ports of credentials, tokens and what is proved of principals.
//!
//! Lives here: the traits, what they take and return. Never: an implementation, HTTP.

use super::Failed;
use brattice_core::ids::CredentialId;
use brattice_core::ports::{Bounds, BoxFuture};
use brattice_core::principal::{Chain, Identity, Principal, PrincipalKind};
use brattice_core::scope::Scope;
use brattice_core::secret::Secret;
use brattice_core::sender::Binding;
use brattice_core::time::Timestamp;
use std::time::Duration;

/// A credential that was just minted. The only time its password is told.
#[derive(Debug)]
pub struct Minted {
    /// Its id.
    pub id: CredentialId,
    /// The user name to log in with.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// The target it is for.
    pub target: String,
    /// Where to connect: the host.
    pub host: String,
    /// And the port.
    pub port: u16,
    /// The database to name, e.g. `orders-db/app`; a host has none.
    pub database: Option<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A minted credential as administrators see it.
#[derive(Debug, Clone)]
pub struct CredentialView {
    /// Its id.
    pub id: CredentialId,
    /// The target it is for.
    pub target: String,
    /// Whose it is.
    pub chain: Chain,
    /// When it was minted.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What is asked for a token.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// At most this.
    pub scope: Scope,
    /// For a worker of whoever acts, by this name.
    pub worker: Option<String>,
    /// For at most so long.
    pub lifetime: Duration,
    /// Bound to this.
    pub binding: Binding,
}

/// A token at the moment of its making.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token, for its holder alone.
    pub token: Secret,
    /// What it proves.
    pub identity: Identity,
}

/// Why no token was given. The first three are told to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeRefused {
    /// More than the token that is traded has.
    Scope(String),
    /// Asked wrongly.
    Request(String),
    /// Not for this token.
    Grant(String),
    /// It could not be made.
    Failed(Failed),
}

/// The gateway's own access tokens.
pub trait TokensApi: Send + Sync {
    /// Makes a token that proves at most what these prove; `actor` acts for `subject` from then on.
    fn exchange(
        &self,
        subject: &Identity,
        actor: Option<&Identity>,
        asked: Exchange,
    ) -> Result<IssuedToken, ExchangeRefused>;
    /// The public keys (RFC 7517).
    fn key_set(&self) -> serde_json::Value;
    /// The issuers whose tokens are taken, beside our own.
    fn trusted_issuers(&self) -> Vec<String>;
}

/// Short-lived credentials.
pub trait CredentialsApi: Send + Sync {
    /// Mints one for this identity and target; it never lives longer than the identity's own proof.
    fn create<'a>(
        &'a self,
        who: &'a Identity,
        target: &'a str,
        lifetime: Duration,
        bounds: Bounds,
    ) -> BoxFuture<'a, Result<Minted, CreateError>>;
    /// Those that are good now, the newest first, at most some hundreds: those of one principal, or all.
    fn list<'a>(
        &'a self,
        of: Option<&'a Principal>,
    ) -> BoxFuture<'a, Result<Vec<CredentialView>, Failed>>;
    /// What it is and whose; `None` if there is none.
    fn get<'a>(
        &'a self,
        id: &'a CredentialId,
    ) -> BoxFuture<'a, Result<Option<CredentialView>, Failed>>;
    /// Ends it and the sessions that were opened with it. False if there was none.
    fn revoke<'a>(&'a self, id: &'a CredentialId) -> BoxFuture<'a, Result<bool, Failed>>;
}

/// Why no credential was minted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// A request that cannot be met; the text is for the caller.
    #[error("{0}")]
    Refused(String),
    /// Something is not working.
    #[error(transparent)]
    Failed(#[from] Failed),
}

/// What revoking a principal ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suspended {
    /// Whether there is such a provider, or anything that came of such a token.
    pub found: bool,
    /// Sessions that were cut.
    pub sessions: u64,
    /// Credentials that were revoked.
    pub credentials: u64,
}

/// Principals.
pub trait IdentitiesApi: Send + Sync {
    /// Voids everything that this principal has proved so far, wherever it stands in a chain: its sessions end, its
    /// credentials are revoked, its tokens are refused. What its provider vouches for from now on counts again.
    fn suspend<'a>(
        &'a self,
        who: &'a Principal,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<Suspended, Failed>>;
    /// The principal in the groups it was last seen with, for judging what is done to it; `None` if it was never seen.
    fn seen<'a>(
        &'a self,
        kind: PrincipalKind,
        issuer: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Principal>, Failed>>;
    /// The person as they last signed in at this gateway, if that is still fresh enough to count. For decisions that
    /// come in over a webhook: what the webhook says about groups counts for nothing.
    fn person<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Identity>, Failed>>;
}

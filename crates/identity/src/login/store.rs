//! What signing in keeps, as ports.
//!
//! Lives here: the traits and the rows. Never: an implementation.

use brattice_core::ids::Digest;
use brattice_core::ports::{BoxFuture, StoreError};
use brattice_core::principal::{Identity, Principal};
use brattice_core::time::Timestamp;

/// A sign-in: a person at one client, from its first token to its last.
#[derive(Debug, Clone)]
pub struct SignInRow {
    /// Its id.
    pub id: String,
    /// Which client.
    pub client: String,
    /// From which address it was begun.
    pub from: String,
    /// The person, as the provider said last.
    pub identity: Identity,
    /// What its refresh tokens are made with, sealed.
    pub secret: Vec<u8>,
    /// How many refresh tokens were used up: the one of this number is good now.
    pub turn: u64,
    /// The provider's own refresh token, sealed.
    pub upstream: Option<Vec<u8>>,
    /// When it began.
    pub began_at: Timestamp,
    /// When the provider was asked last.
    pub checked_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
}

/// A sign-in that begins.
pub type NewSignIn = SignInRow;

/// What a refresh changes.
#[derive(Debug, Clone)]
pub struct Turned {
    /// The person, as the provider said last.
    pub identity: Identity,
    /// The provider's own refresh token, sealed.
    pub upstream: Option<Vec<u8>>,
    /// When the provider was asked last.
    pub checked_at: Timestamp,
}

/// Where steps and sign-ins are kept. Whatever is past its end is as if it were not there.
pub trait LoginStore: Send + Sync {
    /// Keeps a step. Where there are too many, the oldest of whoever has most goes.
    fn keep_step<'a>(
        &'a self,
        key: Digest,
        body: Vec<u8>,
        source: &'a str,
        until: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Reads a step.
    fn step(&self, key: Digest) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreError>>;
    /// Takes a step away: exactly one caller ever gets it.
    fn take_step(&self, key: Digest) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreError>>;
    /// Puts a step in place of what was read; false when it is another by now.
    fn change_step(
        &self,
        key: Digest,
        from: Vec<u8>,
        to: Vec<u8>,
    ) -> BoxFuture<'_, Result<bool, StoreError>>;
    /// Keeps a sign-in.
    fn begin(&self, sign_in: NewSignIn) -> BoxFuture<'_, Result<(), StoreError>>;
    /// A sign-in that has not ended.
    fn sign_in<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<SignInRow>, StoreError>>;
    /// Uses up the refresh token of this number, if it is still the one that is good.
    fn turn<'a>(
        &'a self,
        id: &'a str,
        from: u64,
        to: Turned,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;
    /// Ends a sign-in; on return no token that comes from it is good. False when there was none.
    fn end<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<bool, StoreError>>;
    /// A person's sign-ins that have not ended, the newest first.
    fn of<'a>(&'a self, who: &'a Principal) -> BoxFuture<'a, Result<Vec<SignInRow>, StoreError>>;
}

/// Whether what was proven still counts.
pub trait StillGood: Send + Sync {
    /// False when the person, or the sign-in, was revoked since.
    fn counts<'a>(&'a self, identity: &'a Identity) -> BoxFuture<'a, Result<bool, StoreError>>;
}

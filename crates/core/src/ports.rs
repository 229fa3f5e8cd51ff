//! What the gate needs from outside, as traits: identity, store, audit log, recordings.
//!
//! Lives here: the traits and their errors. Never: an implementation.

use crate::approval::{Approval, Grant, Question};
use crate::audit::{Entry, Position};
use crate::freeze::Freeze;
use crate::gate::Cut;
use crate::ids::{ApprovalId, CredentialId, Digest, SessionId};
use crate::principal::{Chain, Identity, Principal};
use crate::record::{Frame, Header};
use crate::secret::Secret;
use crate::sender::{Certificate, Missing, Sender};
use crate::time::Timestamp;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

/// A boxed future: the ports stay usable as `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why an identity was not accepted. The text is for the operator's log; callers get one uniform refusal.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The proof is wrong, expired, or for somebody else.
    #[error("{0}")]
    Rejected(String),
    /// The proof is good in other hands: it is bound to something that its sender did not show to hold. This may be told.
    #[error("the proof is bound to {0}, which its sender does not show to hold")]
    Unheld(Missing),
    /// Too many attempts from this source.
    #[error("too many attempts")]
    Throttled,
    /// The proof could not be checked now; refused, and worth trying again.
    #[error("cannot check the proof now: {0}")]
    Unavailable(String),
}

/// What a minted credential is, without its secret.
#[derive(Debug, Clone)]
pub struct MintedCredential {
    /// Its id and user name.
    pub id: CredentialId,
    /// How its holder proves to hold it.
    pub proof: MintedProof,
    /// The target it is for.
    pub target: String,
    /// The identity it was minted by, with the credential's own expiry.
    pub identity: Identity,
    /// What it was bound to when it was asked for.
    pub bounds: Bounds,
    /// It was for one login, and that was made.
    pub spent: bool,
}

/// How the holder of a minted credential proves to hold it: by exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MintedProof {
    /// By its secret. PostgreSQL's form of a SCRAM-SHA-256 verifier: `SCRAM-SHA-256$iterations:salt$stored:server`.
    Secret(String),
    /// By a key, over SSH, with a certificate that names the credential. The SHA-256 of the public key as SSH writes it
    /// (RFC 4253, section 6.6), which is what its fingerprint shows.
    Key(Digest),
}

/// What a minted credential is good for, beside its target and its time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// One login, and no other.
    #[serde(default)]
    pub single_use: bool,
    /// Logins from these addresses alone; from anywhere when empty.
    #[serde(default)]
    pub from: Vec<IpNet>,
}

impl Bounds {
    /// Whether somebody may log in from there. An IPv4 address that came in IPv6's clothes is what it is.
    pub fn permit(&self, from: IpAddr) -> bool {
        let from = from.to_canonical();
        self.from.is_empty() || self.from.iter().any(|net| net.contains(&from))
    }
}

/// Proves who is calling.
pub trait Authenticator: Send + Sync {
    /// Verifies an access token, that its sender holds what it is bound to, and maps its claims. `source` is the caller's
    /// address, for throttling.
    fn verify_token<'a>(
        &'a self,
        token: &'a Secret,
        sender: &'a Sender,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Identity, AuthError>>;
    /// Verifies that a client's certificate names somebody. Without further ado it names nobody.
    fn verify_certificate<'a>(
        &'a self,
        _certificate: &'a Certificate,
        _source: &'a str,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        Box::pin(std::future::ready(Err(AuthError::Rejected(
            "client certificates name nobody here".to_owned(),
        ))))
    }
    /// Looks up a minted credential that is still good; `None` if there is none. The caller runs the SCRAM exchange.
    fn minted<'a>(
        &'a self,
        id: &'a CredentialId,
    ) -> BoxFuture<'a, Result<Option<MintedCredential>, AuthError>>;
    /// Uses up a credential that is for one login: true for exactly one caller, ever.
    fn spend<'a>(&'a self, id: &'a CredentialId) -> BoxFuture<'a, Result<bool, AuthError>>;
}

/// Who a target's credential is lent to.
#[derive(Debug, Clone, Copy)]
pub struct Borrower<'a> {
    /// The target.
    pub target: &'a str,
    /// The place on it: a database's name.
    pub place: &'a str,
    /// What for.
    pub purpose: Purpose<'a>,
}

/// What a target's credential is lent for.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// One session.
    Session {
        /// Which.
        id: &'a SessionId,
        /// Who acts in it, as the target's own log should name it.
        agent: &'a str,
    },
    /// The gateway's own reading of the target's catalogue.
    Catalogue,
}

/// A credential of the target, lent for one session. Not `Clone`; dropped with the session.
#[derive(Debug)]
pub struct Lease {
    /// The role on the target.
    pub user: String,
    /// Whose rights it has there. Another than `user` where each session has a role of its own, and the same for all
    /// sessions on the target: what was approved for one of them means the same in the next.
    pub rights: String,
    /// Its password; empty when a certificate is used.
    pub password: Secret,
    /// The private key that it logs in with over SSH, as `ssh-keygen` writes it.
    pub private_key: Option<Secret>,
    /// Who certifies that key, where the host wants a certificate with it.
    pub certifier: Option<Box<dyn KeyCertifier>>,
    /// PEM certificate chain and private key for TLS client authentication.
    pub client_certificate: Option<(Vec<u8>, Secret)>,
    /// What has to be given back, if anything.
    pub held: Option<Box<dyn LeaseHeld>>,
}

/// Certifies the private key of a lease, over SSH (OpenSSH's PROTOCOL.certkeys).
pub trait KeyCertifier: Send + Sync + fmt::Debug {
    /// A certificate that is good for a login now, as a `-cert.pub` file has it; it may be one that was given before. The
    /// error's text is for the operator.
    fn certify(&self) -> BoxFuture<'_, Result<String, String>>;
}

/// Something that was taken for one session. Dropping it gives it back, once, whatever ended the session; the work of
/// it is done elsewhere, so that nobody waits for it.
pub trait LeaseHeld: Send + Sync + fmt::Debug {
    /// Throws this switch before what was taken runs out, if it runs out and cannot be renewed.
    fn ends_with(&self, cut: Arc<Cut>);
    /// The target did not take the login. True when it was with a secret that had been kept for a while, and is forgotten
    /// now: lending anew, once, reads it where it comes from.
    fn refused(&self) -> bool {
        false
    }
}

/// Why no credential could be lent; the text is for the operator.
#[derive(Debug, thiserror::Error)]
#[error("no credential for {target}: {why}")]
pub struct LendError {
    /// The target.
    pub target: String,
    /// Why.
    pub why: String,
}

/// Where targets' credentials come from. Asked only by the gate, with an admission in hand.
pub trait CredentialSource: Send + Sync {
    /// Lends the credential of a target for one session.
    fn lend<'a>(&'a self, to: Borrower<'a>) -> BoxFuture<'a, Result<Lease, LendError>>;
}

/// The record could not be written: whatever waited for it is refused.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the record could not be written: {0}")]
pub struct RecordFailed(pub String);

/// The node's audit log.
pub trait AuditLog: Send + Sync {
    /// Appends an entry; on return it survives the death of this process. Never blocks on a sync.
    fn append(&self, entry: &Entry) -> Result<Position, RecordFailed>;
    /// Waits until everything up to here survives the machine's death. Calls made together share one sync.
    fn durable(&self, at: Position) -> BoxFuture<'_, Result<(), RecordFailed>>;
    /// Says that somebody will soon wait for this, so that the disk can begin. Waits for nothing.
    fn soon(&self, _at: Position) {}
}

/// One session's recording. A failed call ends the session.
pub trait Recorder: Send {
    /// Adds a frame. Buffers are bounded; may write to the file.
    fn frame(&mut self, frame: Frame<'_>) -> Result<(), RecordFailed>;
    /// Writes out what is buffered.
    fn flush(&mut self) -> Result<(), RecordFailed>;
    /// Seals the recording and tells its digest.
    fn seal(self: Box<Self>) -> Result<Digest, RecordFailed>;
}

/// Where recordings go.
pub trait Recordings: Send + Sync {
    /// Begins a recording; an existing one is never overwritten.
    fn open(&self, header: &Header) -> Result<Box<dyn Recorder>, RecordFailed>;
}

/// The store did not answer, or answered nonsense: whatever waited for it is refused.
#[derive(Debug, thiserror::Error)]
#[error("{operation} failed in the store")]
pub struct StoreError {
    /// What was attempted.
    pub operation: &'static str,
    /// The cause, for the operator.
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

/// Questions to people, and what came of them.
pub trait Approvals: Send + Sync {
    /// Puts a question. An open one of the same chain, target and action is returned instead of asking twice.
    /// `Ok(None)` when this chain has asked too much lately.
    fn ask<'a>(&'a self, question: Question)
    -> BoxFuture<'a, Result<Option<Approval>, StoreError>>;
    /// Reads one.
    fn get<'a>(&'a self, id: &'a ApprovalId)
    -> BoxFuture<'a, Result<Option<Approval>, StoreError>>;
    /// Waits until this one is no longer pending, and returns it.
    fn decided<'a>(&'a self, id: &'a ApprovalId) -> BoxFuture<'a, Result<Approval, StoreError>>;
    /// The newest approved, unused and unexpired question of exactly this chain, target and action.
    fn ticket<'a>(
        &'a self,
        chain: &'a Chain,
        target: &'a str,
        action: Digest,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Approval>, StoreError>>;
    /// Uses it up: true for exactly one caller, ever, and only from approved and before its expiry.
    fn consume<'a>(
        &'a self,
        id: &'a ApprovalId,
        session: &'a SessionId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;
    /// One who asked is gone. A pending question ends with the last of them: whoever asks the same shares it, and one
    /// who left with a ticket still waits.
    fn abandon<'a>(&'a self, id: &'a ApprovalId) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Ends an approved question that was not used: it can no longer be.
    fn void<'a>(&'a self, id: &'a ApprovalId) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Grants in force for this chain and target.
    fn grants<'a>(
        &'a self,
        chain: &'a Chain,
        target: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Grant>, StoreError>>;
    /// Opens a grant.
    fn open_grant<'a>(&'a self, grant: Grant) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// People as they last proved here who they are.
pub trait People: Send + Sync {
    /// The last proof that this person gave by themselves, whether or not it has expired since; `None` when there is
    /// none, or when it was revoked.
    fn last_proof<'a>(
        &'a self,
        who: &'a Principal,
    ) -> BoxFuture<'a, Result<Option<Identity>, StoreError>>;
}

/// What people have stopped.
pub trait Freezes: Send + Sync {
    /// The freezes that stand, as they were a moment ago at most; what this process itself has frozen is always in it.
    fn standing(&self) -> BoxFuture<'_, Result<Arc<[Freeze]>, StoreError>>;
}

/// Random bytes from the operating system.
pub trait Randomness: Send + Sync {
    /// Fills the buffer, or says that it could not.
    fn fill(&self, buf: &mut [u8]) -> Result<(), RecordFailed>;
}

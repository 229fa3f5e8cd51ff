//! What the API needs from the rest of the program, as traits that the binary implements.
//!
//! Lives here: the traits, what they take and what they return. Never: HTTP, an implementation, a check of rights (the
//! API asks [`Authorizer`] before it calls any other port).

pub mod login;
pub mod proofs;

use brattice_core::approval::{Answer, Approval, ApprovalState, Grant};
use brattice_core::audit::Event;
use brattice_core::delegation::Delegation;
use brattice_core::denial::Denial;
use brattice_core::freeze::{Freeze, Reach};
use brattice_core::ids::{
    ApprovalId, CredentialId, DelegationId, Digest, FreezeId, GrantId, Revision, SessionId,
};
use brattice_core::policy::{Ahead, Wanted};
use brattice_core::ports::{Bounds, BoxFuture, RecordFailed};
use brattice_core::principal::{Chain, Identity, Principal, PrincipalKind};
use brattice_core::scope::Scope;
use brattice_core::secret::Secret;
use brattice_core::sender::Binding;
use brattice_core::target::Target;
use brattice_core::time::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Why a port could not do what it was asked. The text goes to the operator's log; callers are told "unavailable".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} failed: {why}")]
pub struct Failed {
    /// What was attempted.
    pub operation: &'static str,
    /// Why it did not work.
    pub why: String,
}

impl Failed {
    /// A failure of an operation.
    pub fn new(operation: &'static str, why: impl ToString) -> Self {
        Self {
            operation,
            why: why.to_string(),
        }
    }
}

/// What somebody wants to do with the gateway; the policy's actions on it.
#[derive(Debug, Clone, Copy)]
pub enum Act<'a> {
    /// `approval.read`: see this question. One's own needs no rule.
    ReadApproval(&'a Approval),
    /// `approve`: answer this question. For which of its rules is [`Authorizer::may_answer`]'s to say.
    Approve(&'a Approval),
    /// `session.read`: see that a session exists. One's own needs no rule.
    ReadSession(&'a SessionView),
    /// `replay`: see its recording.
    Replay(&'a SessionView),
    /// `session.end`: cut it. One's own needs no rule.
    EndSession(&'a SessionView),
    /// `audit.read` on the gateway: everything.
    ReadAudit,
    /// `policy.read`: see the bundle.
    ReadBundle,
    /// `policy.apply`: put another bundle in force.
    ApplyBundle,
    /// `identity.suspend`: void everything that a principal has proved so far.
    Suspend(&'a Principal),
    /// Asking for grants ahead of time, for one's own chain. Needs no rule: a wish permits nothing.
    Request(&'a str),
    /// `grant.end`: end a grant. One's own needs no rule.
    EndGrant(&'a Grant),
    /// Letting this agent act for oneself. Needs no rule: every link of the chain is judged by the rules.
    Delegate(&'a Principal),
    /// Ending a delegation: one's own, or where `identity.suspend` of the agent is permitted.
    EndDelegation(&'a Delegation),
    /// `target.freeze`: stop it.
    Freeze(Stopped<'a>),
    /// `target.thaw`: let it go on.
    Thaw(Stopped<'a>),
    /// `credential.revoke`: end a minted credential. One's own needs no rule.
    RevokeCredential(&'a CredentialView),
    /// `connect`: open this target, which is what a credential is for.
    Connect(&'a str),
}

impl Act<'_> {
    /// The policy's action.
    pub fn name(&self) -> &'static str {
        match self {
            Act::ReadApproval(_) => "approval.read",
            Act::Approve(_) => "approve",
            Act::ReadSession(_) => "session.read",
            Act::Replay(_) => "replay",
            Act::EndSession(_) => "session.end",
            Act::ReadAudit => "audit.read",
            Act::ReadBundle => "policy.read",
            Act::ApplyBundle => "policy.apply",
            Act::Suspend(_) => "identity.suspend",
            Act::Request(_) => "grant.request",
            Act::EndGrant(_) => "grant.end",
            Act::Delegate(_) => "delegation.create",
            Act::EndDelegation(_) => "delegation.end",
            Act::Freeze(_) => "target.freeze",
            Act::Thaw(_) => "target.thaw",
            Act::RevokeCredential(_) => "credential.revoke",
            Act::Connect(_) => "connect",
        }
    }

    /// What it is done to, for records.
    pub fn object(&self) -> String {
        match self {
            Act::ReadApproval(a) | Act::Approve(a) => a.question.id.to_string(),
            Act::ReadSession(s) | Act::Replay(s) | Act::EndSession(s) => s.id.to_string(),
            Act::ReadAudit => "gateway".to_owned(),
            Act::ReadBundle | Act::ApplyBundle => "bundle".to_owned(),
            Act::Suspend(who) => who.to_string(),
            Act::Freeze(what) | Act::Thaw(what) => match what {
                Stopped::Everything => Reach::All.to_string(),
                Stopped::Label(label) => format!("label {label}"),
                Stopped::Target(target) => format!("target {}", target.name),
            },
            Act::RevokeCredential(c) => c.id.to_string(),
            Act::EndGrant(g) => g.id.to_string(),
            Act::Delegate(agent) => agent.to_string(),
            Act::EndDelegation(d) => d.id.to_string(),
            Act::Connect(target) | Act::Request(target) => (*target).to_owned(),
        }
    }

    /// Whether it is for people alone, whatever rules say. The others are for agents, too, where it is their own.
    pub fn is_for_people(&self) -> bool {
        match self {
            Act::Approve(_)
            | Act::Replay(_)
            | Act::ReadAudit
            | Act::ReadBundle
            | Act::ApplyBundle
            | Act::Delegate(_)
            | Act::EndDelegation(_)
            | Act::Freeze(_)
            | Act::Thaw(_)
            | Act::Suspend(_) => true,
            Act::ReadApproval(_)
            | Act::ReadSession(_)
            | Act::EndSession(_)
            | Act::RevokeCredential(_)
            | Act::EndGrant(_)
            | Act::Request(_)
            | Act::Connect(_) => false,
        }
    }
}

/// What is stopped, as rules are asked about it.
#[derive(Debug, Clone, Copy)]
pub enum Stopped<'a> {
    /// The gateway as a whole.
    Everything,
    /// Whatever has this label, as `key=value`.
    Label(&'a str),
    /// One target.
    Target(&'a Target),
}

/// Decides by the policy in force, which is the same Cedar rules that judge commands.
pub trait Authorizer: Send + Sync {
    /// Whether this identity may do this, coming from this address. Unsure is a denial.
    fn decide(&self, who: &Identity, act: &Act<'_>, from: IpAddr) -> Result<(), Denial>;
    /// For which of a question's rules this person may answer; never none, never for a question of a chain they are in.
    fn may_answer(
        &self,
        who: &Identity,
        approval: &Approval,
        from: IpAddr,
    ) -> Result<Vec<String>, Denial>;
}

/// The audit log, for administrative acts. A failed call refuses the act.
pub trait Recorder: Send + Sync {
    /// Writes the event with the time and the revision in force; on return it is durable.
    fn write<'a>(&'a self, event: Event) -> BoxFuture<'a, Result<(), RecordFailed>>;
}

/// Which questions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalFilter {
    /// In this state alone.
    pub state: Option<ApprovalState>,
    /// About this target alone.
    pub target: Option<String>,
    /// At most so many, the newest first.
    pub limit: usize,
}

/// What became of an answer.
#[derive(Debug, Clone)]
pub enum Answered {
    /// It counts; this is the question with it.
    Counted(Approval),
    /// The question was no longer open; nothing changed.
    Closed(Approval),
    /// This person has answered before; nothing changed.
    Twice(Approval),
}

/// Questions to people.
pub trait ApprovalsApi: Send + Sync {
    /// Lists questions, the newest first.
    fn list<'a>(
        &'a self,
        filter: &'a ApprovalFilter,
    ) -> BoxFuture<'a, Result<Vec<Approval>, Failed>>;
    /// Reads one.
    fn get<'a>(&'a self, id: &'a ApprovalId) -> BoxFuture<'a, Result<Option<Approval>, Failed>>;
    /// Adds an answer and moves the question on, in one step; whoever waits for it is told. `None` if there is no such
    /// question.
    fn answer<'a>(
        &'a self,
        id: &'a ApprovalId,
        answer: Answer,
    ) -> BoxFuture<'a, Result<Option<Answered>, Failed>>;
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// Open on this gateway.
    Live,
    /// Ended in order.
    Closed,
    /// The gateway died under it.
    Interrupted,
}

/// A session as administrators see it.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// Where it stands.
    pub state: SessionState,
    /// Who, for whom.
    pub chain: Chain,
    /// The target.
    pub target: String,
    /// The target's labels.
    pub labels: BTreeMap<String, String>,
    /// The database, or what stands for it.
    pub place: String,
    /// The protocol's name.
    pub protocol: String,
    /// The caller's address.
    pub client: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Commands judged so far.
    pub commands: u64,
    /// Bytes sent to the caller so far.
    pub bytes_to_client: u64,
    /// The bundle it began under.
    pub revision: Revision,
    /// The question it waits for.
    pub holding: Option<ApprovalId>,
    /// Digest of the sealed recording.
    pub recording: Option<Digest>,
}

/// Which sessions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// In this state alone.
    pub state: Option<SessionState>,
    /// On this target alone.
    pub target: Option<String>,
    /// At most so many, the newest first.
    pub limit: usize,
}

/// One frame of a recording, for showing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayFrame {
    /// Its place in the recording, counted from 0.
    pub index: u64,
    /// When.
    pub at: Timestamp,
    /// What it holds: `command`, `parameters`, `input`, `output`, `verdict`, `outcome`.
    pub kind: &'static str,
    /// The session's command counter.
    pub command: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Some frames, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayPage {
    /// The frames, in order.
    pub frames: Vec<ReplayFrame>,
    /// The index to ask for next; `None` at the end of a sealed recording.
    pub next: Option<u64>,
}

/// Sessions and their recordings.
pub trait SessionsApi: Send + Sync {
    /// Lists sessions, the newest first.
    fn list<'a>(
        &'a self,
        filter: &'a SessionFilter,
    ) -> BoxFuture<'a, Result<Vec<SessionView>, Failed>>;
    /// Reads one.
    fn get<'a>(&'a self, id: &'a SessionId) -> BoxFuture<'a, Result<Option<SessionView>, Failed>>;
    /// Cuts it: the caller's connection closes, a running command is cancelled. False if it was not open.
    fn end<'a>(&'a self, id: &'a SessionId, reason: &'a str)
    -> BoxFuture<'a, Result<bool, Failed>>;
    /// Frames of the recording from an index on, at most so many and so many bytes. `None` if there is no recording.
    fn replay<'a>(
        &'a self,
        id: &'a SessionId,
        from: u64,
        frames_max: usize,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Option<ReplayPage>, Failed>>;
}

/// A credential that was just minted. The only time its password is told.
#[derive(Debug)]
pub struct Minted {
    /// Its id, which is the user name too.
    pub id: CredentialId,
    /// The password.
    pub password: Secret,
    /// The target it is for.
    pub target: String,
    /// Where to connect: the host.
    pub host: String,
    /// And the port.
    pub port: u16,
    /// The database to name, e.g. `orders-db/app`.
    pub database: String,
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

/// What is asked for ahead of time.
#[derive(Debug)]
pub struct Asking<'a> {
    /// Who asks, for their own chain.
    pub who: &'a Identity,
    /// On which target.
    pub target: &'a str,
    /// What they want to do.
    pub wanted: Wanted,
    /// For how long at most.
    pub minutes: u64,
    /// Why, in their words.
    pub reason: &'a str,
    /// From which address.
    pub from: IpAddr,
}

/// What asking ahead of time came to; beside it the rules that a grant does not lift.
#[derive(Debug)]
pub enum Requested {
    /// People are asked.
    Asked(Box<Approval>, Ahead),
    /// No rule stands in the way that a grant lifts.
    Nothing(Ahead),
    /// It may not be asked.
    Refused(Denial),
}

/// Grants.
pub trait GrantsApi: Send + Sync {
    /// Asks people for grants of the rules that may stand in the way.
    fn request<'a>(&'a self, asking: Asking<'a>) -> BoxFuture<'a, Result<Requested, Failed>>;
    /// The grants in force, those that end last first.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Grant>, Failed>>;
    /// Ends one, and the sessions that were opened by it. False if it was not in force.
    fn end<'a>(&'a self, id: &'a GrantId) -> BoxFuture<'a, Result<bool, Failed>>;
}

/// What a person delegates.
#[derive(Debug)]
pub struct Delegate<'a> {
    /// The person, for themselves.
    pub who: &'a Identity,
    /// Who shall act for them.
    pub agent: Principal,
    /// Within which bounds.
    pub scope: Scope,
    /// For how long.
    pub lifetime: Duration,
    /// Why, in their words.
    pub reason: &'a str,
}

/// What came of it.
#[derive(Debug)]
pub enum Delegated {
    /// It is in force.
    Given(Delegation),
    /// It is not; the text is for the person.
    Refused(String),
}

/// Agents that act for people.
pub trait DelegationsApi: Send + Sync {
    /// Keeps a delegation.
    fn delegate<'a>(&'a self, wish: Delegate<'a>) -> BoxFuture<'a, Result<Delegated, Failed>>;
    /// The delegations in force, those that end last first.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Delegation>, Failed>>;
    /// Ends one, and everything that came of it. False if it was not in force.
    fn end<'a>(&'a self, id: &'a DelegationId) -> BoxFuture<'a, Result<bool, Failed>>;
    /// The person as this agent may prove that it acts for them, if the delegation is its own and counts now.
    fn subject<'a>(
        &'a self,
        id: &'a DelegationId,
        actor: &'a Identity,
    ) -> BoxFuture<'a, Result<Option<Identity>, Failed>>;
}

/// What a freeze did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// The freeze.
    pub freeze: Freeze,
    /// Sessions that were cut.
    pub sessions: u64,
}

/// Stopping targets.
pub trait FreezesApi: Send + Sync {
    /// The targets of the bundle in force that this means.
    fn reached(&self, reach: &Reach) -> Vec<Target>;
    /// The freezes that stand, the oldest first.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Freeze>, Failed>>;
    /// Stops what this reaches: nobody gets in any more, and whoever is in is cut. `None` when too many freezes stand.
    fn freeze<'a>(
        &'a self,
        reach: Reach,
        reason: &'a str,
        by: &'a Principal,
    ) -> BoxFuture<'a, Result<Option<Frozen>, Failed>>;
    /// Ends a freeze. False if it did not stand.
    fn thaw<'a>(
        &'a self,
        id: &'a FreezeId,
        by: &'a Principal,
    ) -> BoxFuture<'a, Result<bool, Failed>>;
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditLine {
    /// Its position in the node's chain.
    pub position: u64,
    /// The entry as it was hashed, in JSON.
    pub entry: serde_json::Value,
}

/// A file of the audit log: a segment, the signed heads, or the public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFile {
    /// Its name, without a directory.
    pub name: String,
    /// How long it is now; segments and heads only grow.
    pub bytes: u64,
}

/// The audit log, for reading.
pub trait AuditApi: Send + Sync {
    /// Entries from a position on, at most so many. Waits up to `wait` when there is none yet.
    fn read<'a>(
        &'a self,
        from: u64,
        limit: usize,
        wait: Duration,
    ) -> BoxFuture<'a, Result<Vec<AuditLine>, Failed>>;
    /// How many entries there are.
    fn entries(&self) -> Result<u64, Failed>;
    /// Signs a head that vouches for every entry there is.
    fn vouch<'a>(&'a self) -> BoxFuture<'a, Result<(), Failed>>;
    /// The files that offline verification needs. No head of the listed length vouches for an entry beyond the listed
    /// lengths of the segments.
    fn files<'a>(&'a self) -> BoxFuture<'a, Result<Vec<AuditFile>, Failed>>;
    /// Bytes of one of those files from an offset on; `None` if there is no such file.
    fn file<'a>(
        &'a self,
        name: &'a str,
        offset: u64,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, Failed>>;
}

/// A problem or a warning of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleProblem {
    /// The file.
    pub file: String,
    /// The line, where known.
    pub line: Option<usize>,
    /// The key or the rule.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

/// The bundle in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleView {
    /// Its number.
    pub revision: Revision,
    /// Digest of all that is in it.
    pub digest: Digest,
    /// When it came into force.
    pub applied_at: Timestamp,
    /// Targets, by name.
    pub targets: Vec<String>,
    /// Rules, by id.
    pub rules: Vec<String>,
    /// What should be looked at.
    pub warnings: Vec<BundleProblem>,
}

/// The bundle.
pub trait BundleApi: Send + Sync {
    /// What is in force.
    fn current<'a>(&'a self) -> BoxFuture<'a, Result<BundleView, Failed>>;
    /// Reads the bundle's directory anew; empty if it could be put in force.
    fn check<'a>(&'a self) -> BoxFuture<'a, Result<Vec<BundleProblem>, Failed>>;
    /// Reads it anew and puts it in force whole, or leaves everything as it is and tells why.
    fn reload<'a>(
        &'a self,
    ) -> BoxFuture<'a, Result<Result<BundleView, Vec<BundleProblem>>, Failed>>;
}

//! What the API needs from the rest of the program, as traits that the binary implements.
//!
//! Lives here: the traits, what they take and what they return. Never: HTTP, an implementation, a check of rights (the
//! API asks [`Authorizer`] before it calls any other port).

mod given;
pub mod login;
pub mod proofs;
mod records;
mod rights;
mod ssh;

pub use given::{
    CreateError, CredentialView, CredentialsApi, Exchange, ExchangeRefused, IdentitiesApi,
    IssuedToken, Minted, Suspended, TokensApi,
};
pub use records::{
    Answered, ApprovalFilter, ApprovalsApi, AuditApi, AuditFile, AuditLine, Following, ReplayFrame,
    ReplayPage, Seen, SessionFilter, SessionState, SessionView, SessionsApi, TerminalView, Watch,
};
pub use rights::{
    Asking, Delegate, Delegated, DelegationsApi, FreezesApi, Frozen, GrantsApi, Requested,
};
pub use ssh::{Certified, Certify, SshApi, SshFront, SshHost};

use brattice_core::approval::{Approval, Grant};
use brattice_core::audit::Event;
use brattice_core::delegation::Delegation;
use brattice_core::denial::Denial;
use brattice_core::freeze::Reach;
use brattice_core::ids::{Digest, Revision};
use brattice_core::ports::{BoxFuture, RecordFailed};
use brattice_core::principal::{Identity, Principal};
use brattice_core::target::Target;
use brattice_core::time::Timestamp;
use std::net::IpAddr;

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
    /// `watch`: see what passes in it as it does. Asked together with `replay`.
    Watch(&'a SessionView),
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
            Act::Watch(_) => "watch",
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
            Act::ReadSession(s) | Act::Replay(s) | Act::Watch(s) | Act::EndSession(s) => {
                s.id.to_string()
            }
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
            | Act::Watch(_)
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

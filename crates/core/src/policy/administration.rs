//! The words for acts on the gateway itself: verbs, objects and circumstances.
//!
//! Lives here: what is asked. Never: the answer.

use crate::action::Effect;
use crate::approval::Asked;
use crate::ids::{ApprovalId, CredentialId, GrantId, SessionId};
use crate::principal::{Chain, Principal};
use crate::target::Target;
use crate::time::Timestamp;
use jiff::tz::TimeZone;
use std::net::IpAddr;

macro_rules! admin_verbs {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),* $(,)?) => {
        /// Something a person does to the gateway.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum AdminVerb { $($(#[$doc])* $variant),* }
        impl AdminVerb {
            /// Every verb.
            pub const ALL: &'static [AdminVerb] = &[$(AdminVerb::$variant),*];
            /// Its name in the policy schema.
            pub fn as_str(self) -> &'static str {
                match self { $(AdminVerb::$variant => $name),* }
            }
        }
    };
}

admin_verbs! {
    /// Seeing that a session exists.
    SessionRead = "session.read",
    /// Watching a live session.
    Watch = "watch",
    /// Replaying a recorded one.
    Replay = "replay",
    /// Reading a question and its command.
    ApprovalRead = "approval.read",
    /// Reading the audit log.
    AuditRead = "audit.read",
    /// Reading the rules.
    PolicyRead = "policy.read",
    /// Saying yes or no.
    Approve = "approve",
    /// Proposing a bundle.
    PolicyPropose = "policy.propose",
    /// Bringing a bundle into force.
    PolicyApply = "policy.apply",
    /// Ending a session.
    SessionEnd = "session.end",
    /// Ending a grant.
    GrantEnd = "grant.end",
    /// Revoking a minted credential.
    CredentialRevoke = "credential.revoke",
    /// Suspending an identity.
    IdentitySuspend = "identity.suspend",
    /// Stopping targets.
    TargetFreeze = "target.freeze",
    /// Letting stopped targets go on.
    TargetThaw = "target.thaw",
    /// Deleting a recording.
    RecordingDelete = "recording.delete",
}

/// What it is done to.
#[derive(Debug, Clone, Copy)]
pub enum AdminObject<'a> {
    /// The gateway as a whole.
    Gateway,
    /// The bundle in force.
    Bundle,
    /// A target.
    Target(&'a Target),
    /// All targets with a label, as `key=value`, those to come as well.
    Label(&'a str),
    /// A session.
    Session {
        /// Its id.
        id: &'a SessionId,
        /// Its target.
        target: &'a Target,
        /// Whose it is.
        chain: &'a Chain,
        /// Whether it is still open.
        live: bool,
    },
    /// A question.
    Approval {
        /// Its id.
        id: &'a ApprovalId,
        /// The target of the held command.
        target: &'a Target,
        /// Who asks, for whom.
        chain: &'a Chain,
        /// What each holding rule asks.
        asked: &'a [Asked],
        /// What the command would do.
        effects: &'a [Effect],
    },
    /// A yes that stands for a while.
    Grant {
        /// Its id.
        id: &'a GrantId,
        /// Its target.
        target: &'a Target,
        /// Whom it lets through.
        chain: &'a Chain,
        /// The rule it lifts.
        rule: &'a str,
        /// Who said yes.
        approvers: &'a [Principal],
    },
    /// A minted credential.
    Credential {
        /// Its id.
        id: &'a CredentialId,
        /// The target it is for.
        target: &'a Target,
        /// Whose it is.
        chain: &'a Chain,
    },
    /// An identity, in the groups it was last seen with.
    Identity(&'a Principal),
}

/// The circumstances of an administrative act.
#[derive(Debug, Clone, Copy)]
pub struct AdminMoment<'a> {
    /// When.
    pub now: Timestamp,
    /// The caller's address.
    pub address: IpAddr,
    /// The bundle's time zone.
    pub zone: &'a TimeZone,
}

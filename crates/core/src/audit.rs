//! The audit log's entries: what is written, before what.
//!
//! Lives here: the entries' content. Never: files, chaining, signing (the store's), or secrets.

use crate::action::Effect;
use crate::ids::{ApprovalId, Digest, Revision, SessionId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One thing that happened, as it is hashed into the chain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// The session, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<SessionId>,
    /// Counts the session's entries from 0, without gaps.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sequence: Option<u64>,
    /// The bundle in force.
    pub revision: Revision,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// The kinds of entries. `kind` names each in the serialised form.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The process started; joins the chain across restarts.
    Boot {
        /// The program's version.
        version: String,
        /// Sessions that the last run left open and that are now marked interrupted.
        interrupted: Vec<SessionId>,
    },
    /// A bundle came into force.
    BundleApplied {
        /// Digest of everything in it.
        digest: Digest,
    },
    /// A caller was let in and a session opened.
    SessionOpened {
        /// Who, for whom: the whole chain.
        chain: String,
        /// The target.
        target: String,
        /// The database, or what stands for it.
        place: String,
        /// How the identity was proven.
        by: String,
        /// The token's `jti`.
        token_id: Option<String>,
        /// The caller's address.
        client: String,
        /// The role used on the target.
        role: String,
        /// The grants by which it was opened, where rules alone would have held it.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        grants: Vec<String>,
    },
    /// A caller was refused at the door.
    LoginRefused {
        /// Why: a stable code.
        code: String,
        /// The target asked for, as far as known.
        target: String,
        /// The caller's address.
        client: String,
        /// Who, as far as proven.
        who: Option<String>,
        /// The reason, for the operator.
        reason: String,
    },
    /// A token or credential that was used from one place is used from another: it may have been stolen.
    SeenElsewhere {
        /// Whose: the whole chain.
        chain: String,
        /// Which: the token's `jti`, or the credential's id.
        proof: String,
        /// The caller's address.
        client: String,
        /// The places it was used from before: addresses, or prefixes of 64 bits.
        before: Vec<String>,
    },
    /// A command is about to be forwarded.
    Intent {
        /// Digest of the exact action.
        action: Digest,
        /// The text, with secrets redacted and cut at a bound; the recording has all of it.
        text: String,
        /// How many parameters were sent with it.
        parameters: u32,
        /// What it does.
        effects: Vec<Effect>,
        /// The approvals and grants that were used up for it.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        approvals: Vec<String>,
        /// Rules in observe mode that would have refused or held it.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        observed: Vec<String>,
    },
    /// A command was refused.
    Refused {
        /// Digest of the exact action.
        action: Digest,
        /// The text, redacted and cut.
        text: String,
        /// Stable code.
        code: String,
        /// The rules that decided.
        rules: Vec<String>,
        /// What the caller was told.
        reason: String,
        /// The approval that would lift it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        approval: Option<ApprovalId>,
    },
    /// A question was put to people.
    ApprovalAsked {
        /// Which.
        approval: ApprovalId,
        /// Digest of the exact action.
        action: Digest,
        /// The rules that hold it.
        rules: Vec<String>,
    },
    /// Someone answered.
    ApprovalAnswered {
        /// Which.
        approval: ApprovalId,
        /// Who.
        by: String,
        /// Yes or no.
        yes: bool,
        /// In their words.
        reason: Option<String>,
        /// How it came in.
        via: String,
    },
    /// A question ended without being used.
    ApprovalEnded {
        /// Which.
        approval: ApprovalId,
        /// How: `expired`, `not_run`, `denied`.
        state: String,
    },
    /// A running statement was asked to stop.
    CancelRequested {
        /// The caller's address.
        client: String,
        /// Whether the key was right and it was passed on.
        accepted: bool,
    },
    /// A session ended.
    SessionClosed {
        /// Why.
        reason: String,
        /// Commands judged.
        commands: u64,
        /// Bytes sent to the caller.
        bytes_to_client: u64,
        /// Digest of the sealed recording.
        recording: Option<Digest>,
    },
    /// An act on the gateway itself: credentials, revocation, policy, recordings.
    Administered {
        /// Who.
        by: String,
        /// What, e.g. `credential.create`.
        act: String,
        /// On what.
        object: String,
        /// Whether it was allowed.
        allowed: bool,
        /// Details, without secrets.
        details: String,
    },
}

/// Where an entry stands in the node's chain, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position(pub u64);

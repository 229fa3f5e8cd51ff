//! Bodies of requests and answers: what goes over the wire, with its documentation.
//!
//! Lives here: serde types and their making from domain values. Never: proof types, decisions.

mod credentials;
mod delegations;
mod grants;
mod ssh;
mod watch;

pub use credentials::{CredentialBody, CredentialLineBody, CredentialRequest, CredentialsBody};
pub use delegations::{DelegatedBody, DelegationBody, DelegationRequest, DelegationsBody};
pub use grants::{AheadBody, GrantBody, GrantRequest, GrantsBody, RequestedBody};
pub use ssh::{CertificateBody, CertificateRequest, SshBody, SshTargetBody};
pub use watch::{TerminalBody, WatchBody};

use crate::ports::{BundleProblem, BundleView, ReplayFrame, SessionState, SessionView};
use brattice_core::approval::{Answer, Approval, ApprovalState, Asked};
use brattice_core::freeze::Freeze;
use brattice_core::principal::{Chain, Identity, Principal, PrincipalKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrincipalBody {
    /// `agent` or `user`.
    pub kind: String,
    /// `issuer/name`.
    pub id: String,
    /// Groups, each as `issuer/name`.
    pub groups: Vec<String>,
}

impl From<&Principal> for PrincipalBody {
    fn from(p: &Principal) -> Self {
        let kind = match p.kind {
            PrincipalKind::Agent => "agent",
            PrincipalKind::User => "user",
        };
        Self {
            kind: kind.to_owned(),
            id: p.id(),
            groups: p.groups.iter().cloned().collect(),
        }
    }
}

fn chain_body(chain: &Chain) -> Vec<PrincipalBody> {
    chain.actors().map(PrincipalBody::from).collect()
}

/// Who the caller is, as the gateway sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhoamiBody {
    /// The acting principal first, then those it acts for.
    pub chain: Vec<PrincipalBody>,
    /// How it was proven.
    pub by: String,
    /// Whether a second factor was used.
    pub mfa: bool,
    /// When the principal last authenticated (RFC 3339).
    pub authenticated_at: String,
    /// When the proof ends (RFC 3339).
    pub expires_at: String,
    /// What the token was narrowed to, as scope tokens; empty when it was not.
    pub scope: String,
    /// The token's own id, where it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token_id: Option<String>,
    /// The ids of the tokens that it descends from, nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub lineage: Vec<String>,
    /// The sign-in that it comes from, where a person signed in at the gateway.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sign_in: Option<String>,
}

impl From<&Identity> for WhoamiBody {
    fn from(who: &Identity) -> Self {
        Self {
            chain: chain_body(&who.chain),
            by: word(&who.by),
            mfa: who.mfa,
            authenticated_at: who.authenticated_at.to_string(),
            expires_at: who.expires_at.to_string(),
            scope: who.scope.to_string(),
            token_id: who.token_id.clone(),
            lineage: who.lineage.clone(),
            sign_in: who.sign_in.clone(),
        }
    }
}

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskedBody {
    /// The rule's id.
    pub rule: String,
    /// Groups of which any may answer.
    pub groups: Vec<String>,
    /// How many distinct people must say yes.
    pub approvers: u8,
    /// How many minutes a yes stands for the same rule, chain and target.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grant_minutes: Option<u64>,
    /// What the rule says about itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
}

impl From<&Asked> for AskedBody {
    fn from(a: &Asked) -> Self {
        Self {
            rule: a.rule.clone(),
            groups: a.groups.clone(),
            approvers: a.approvers,
            grant_minutes: a.grant_minutes,
            message: a.message.clone(),
        }
    }
}

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerBody {
    /// Who.
    pub by: String,
    /// Yes or no.
    pub yes: bool,
    /// The rules it answers for.
    pub rules: Vec<String>,
    /// Why, in their words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// When (RFC 3339).
    pub at: String,
    /// How it came in.
    pub via: String,
}

impl From<&Answer> for AnswerBody {
    fn from(a: &Answer) -> Self {
        Self {
            by: a.by.to_string(),
            yes: a.yes,
            rules: a.rules.clone(),
            reason: a.reason.clone(),
            at: a.at.to_string(),
            via: a.via.clone(),
        }
    }
}

/// A question to people. Texts are exactly what was sent: whoever shows them makes control characters visible first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalBody {
    /// Its id.
    pub id: String,
    /// `pending`, `approved`, `denied`, `consumed`, `expired` or `not_run`.
    pub state: String,
    /// The session that asks; none for what is asked ahead of time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<String>,
    /// Who asks: the acting principal first, then those it acts for.
    pub chain: Vec<PrincipalBody>,
    /// The target.
    pub target: String,
    /// Its labels, as `key=value`.
    pub labels: Vec<String>,
    /// The database, or what stands for it.
    pub place: String,
    /// The hash of the exact action; an answer must name it.
    pub action: String,
    /// The command's text, complete.
    pub text: String,
    /// Its parameters; null is NULL.
    pub parameters: Vec<Option<String>>,
    /// What it would do.
    pub effects: Vec<String>,
    /// Each act, as `verb object`.
    pub acts: Vec<String>,
    /// What each holding rule asks.
    pub asked: Vec<AskedBody>,
    /// That it is about grants ahead of time; no command waits, and a yes opens them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ahead: Option<AheadBody>,
    /// The answers so far.
    pub answers: Vec<AnswerBody>,
    /// The bundle it was judged under.
    pub revision: u64,
    /// When it was asked (RFC 3339).
    pub asked_at: String,
    /// When it lapses (RFC 3339).
    pub expires_at: String,
}

impl From<&Approval> for ApprovalBody {
    fn from(a: &Approval) -> Self {
        let q = &a.question;
        Self {
            id: q.id.to_string(),
            state: state_name(a.state),
            session: q.session.as_ref().map(ToString::to_string),
            chain: chain_body(&q.chain),
            target: q.target.clone(),
            labels: q.labels.clone(),
            place: q.place.clone(),
            action: q.action.to_string(),
            text: q.text.clone(),
            parameters: q.parameters.clone(),
            effects: q.effects.iter().map(|e| e.as_str().to_owned()).collect(),
            acts: q.acts.clone(),
            asked: q.asked.iter().map(AskedBody::from).collect(),
            ahead: q.ahead.as_ref().map(AheadBody::from),
            answers: a.answers.iter().map(AnswerBody::from).collect(),
            revision: q.revision.0,
            asked_at: q.asked_at.to_string(),
            expires_at: q.expires_at.to_string(),
        }
    }
}

/// The serialised name of a state.
pub fn state_name(state: ApprovalState) -> String {
    word(&state)
}

/// The state of that name.
pub fn state_named(name: &str) -> Option<ApprovalState> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

/// Questions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalsBody {
    /// The newest first.
    pub approvals: Vec<ApprovalBody>,
}

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// The hash of the action that the person looked at. If it is not the question's, nothing is answered.
    pub action: String,
    /// Why, in their words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// A person's decision, brought by a webhook's receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    /// `approve` or `deny`.
    pub decision: String,
    /// The hash of the action that the person looked at.
    pub action: String,
    /// The person, as `issuer/name`. Policy judges them as if they had come themselves.
    pub person: String,
    /// Why, in their words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionBody {
    /// Its id.
    pub id: String,
    /// `live`, `closed` or `interrupted`.
    pub state: String,
    /// The acting principal first, then those it acts for.
    pub chain: Vec<PrincipalBody>,
    /// The target.
    pub target: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The database, or what stands for it.
    pub place: String,
    /// The protocol.
    pub protocol: String,
    /// The caller's address.
    pub client: String,
    /// When it began (RFC 3339).
    pub started_at: String,
    /// When it ended (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_at: Option<String>,
    /// Commands judged so far.
    pub commands: u64,
    /// Bytes sent to the caller so far.
    pub bytes_to_client: u64,
    /// The bundle it began under.
    pub revision: u64,
    /// The question it waits for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub holding: Option<String>,
    /// Digest of the sealed recording.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recording: Option<String>,
}

impl From<&SessionView> for SessionBody {
    fn from(s: &SessionView) -> Self {
        Self {
            id: s.id.to_string(),
            state: session_state_name(s.state).to_owned(),
            chain: chain_body(&s.chain),
            target: s.target.clone(),
            labels: s.labels.clone(),
            place: s.place.clone(),
            protocol: s.protocol.clone(),
            client: s.client.clone(),
            started_at: s.started_at.to_string(),
            ended_at: s.ended_at.map(|t| t.to_string()),
            commands: s.commands,
            bytes_to_client: s.bytes_to_client,
            revision: s.revision.0,
            holding: s.holding.as_ref().map(ToString::to_string),
            recording: s.recording.map(|d| d.to_string()),
        }
    }
}

/// The name of a session's state.
pub fn session_state_name(state: SessionState) -> &'static str {
    match state {
        SessionState::Live => "live",
        SessionState::Closed => "closed",
        SessionState::Interrupted => "interrupted",
    }
}

/// The session state of that name.
pub fn session_state_named(name: &str) -> Option<SessionState> {
    [
        SessionState::Live,
        SessionState::Closed,
        SessionState::Interrupted,
    ]
    .into_iter()
    .find(|s| session_state_name(*s) == name)
}

/// Sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionsBody {
    /// The newest first.
    pub sessions: Vec<SessionBody>,
}

/// Why something is ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonRequest {
    /// Why, in the caller's words; for the record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// That something happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoneBody {
    /// Always true: what did not happen is a problem.
    pub done: bool,
}

/// One line of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FrameBody {
    /// Its place in the recording, counted from 0.
    pub index: u64,
    /// When (RFC 3339).
    pub at: String,
    /// `command`, `parameters`, `input`, `output`, `errors`, `terminal`, `file`, `verdict` or `outcome`.
    pub kind: String,
    /// The session's command counter, as in the audit log's intents.
    pub command: u64,
    /// The bytes, where they are text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// The bytes in hexadecimal, where they are not text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hex: Option<String>,
}

impl From<&ReplayFrame> for FrameBody {
    fn from(f: &ReplayFrame) -> Self {
        let text = std::str::from_utf8(&f.bytes).ok().map(str::to_owned);
        let hex = text.is_none().then(|| hex::encode(&f.bytes));
        Self {
            index: f.index,
            at: f.at.to_string(),
            kind: f.kind.to_owned(),
            command: f.command,
            text,
            hex,
        }
    }
}

/// A principal to revoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrincipalRequest {
    /// `issuer/name`; of an issuer its name, of a token its id (`jti`).
    pub id: String,
    /// `agent`, `user`, `issuer` (everybody of it) or `token` (and all that descends from it). Default: `agent`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<String>,
    /// Why, in the caller's words; for the record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// What revoking ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SuspendedBody {
    /// What was revoked, as it was named.
    pub id: String,
    /// Whether it ever proved itself here, as this kind of principal.
    pub known: bool,
    /// Sessions that were cut.
    pub sessions: u64,
    /// Credentials that were revoked.
    pub credentials: u64,
}

/// What to stop: one of `target`, `label` and `all`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeRequest {
    /// The target of this name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<String>,
    /// Every target with this label, as `key=value`; those of bundles to come as well.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<String>,
    /// Every target.
    #[serde(default)]
    pub all: bool,
    /// Why: those who are stopped read it.
    pub reason: String,
}

/// A freeze that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FreezeBody {
    /// Its id.
    pub id: String,
    /// What it is of: `target NAME`, `label KEY=VALUE` or `all`.
    pub of: String,
    /// The targets that it has reached so far.
    pub targets: Vec<String>,
    /// Why, in the words of whoever froze.
    pub reason: String,
    /// Who froze.
    pub by: String,
    /// When (RFC 3339).
    pub at: String,
}

impl From<&Freeze> for FreezeBody {
    fn from(f: &Freeze) -> Self {
        Self {
            id: f.id.to_string(),
            of: f.reach.to_string(),
            targets: f.targets.iter().cloned().collect(),
            reason: f.reason.clone(),
            by: f.by.to_string(),
            at: f.at.to_string(),
        }
    }
}

/// Freezes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FreezesBody {
    /// Those that stand, the oldest first.
    pub freezes: Vec<FreezeBody>,
}

/// What a freeze did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FrozenBody {
    /// The freeze.
    pub freeze: FreezeBody,
    /// Sessions that were cut.
    pub sessions: u64,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditLineBody {
    /// Its position in the node's chain.
    pub position: u64,
    /// The entry.
    pub entry: serde_json::Value,
}

/// The audit log's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditFilesBody {
    /// Segments, signed heads and the public key.
    pub files: Vec<AuditFileBody>,
}

/// A file of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditFileBody {
    /// Its name.
    pub name: String,
    /// How long it is now.
    pub bytes: u64,
}

/// A problem or a warning of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleProblemBody {
    /// The file.
    pub file: String,
    /// The line, where known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<usize>,
    /// The key or the rule.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl From<&BundleProblem> for BundleProblemBody {
    fn from(p: &BundleProblem) -> Self {
        Self {
            file: p.file.clone(),
            line: p.line,
            path: p.path.clone(),
            what: p.what.clone(),
            mend: p.mend.clone(),
        }
    }
}

/// What a look at the bundle's directory found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckBody {
    /// Whether it could be put in force.
    pub valid: bool,
    /// Everything that is wrong with it.
    pub problems: Vec<BundleProblemBody>,
}

/// The bundle in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleBody {
    /// Its number.
    pub revision: u64,
    /// Digest of all that is in it.
    pub digest: String,
    /// When it came into force (RFC 3339).
    pub applied_at: String,
    /// Targets, by name.
    pub targets: Vec<String>,
    /// Rules, by id.
    pub rules: Vec<String>,
    /// What should be looked at.
    pub warnings: Vec<BundleProblemBody>,
}

impl From<&BundleView> for BundleBody {
    fn from(b: &BundleView) -> Self {
        Self {
            revision: b.revision.0,
            digest: b.digest.to_string(),
            applied_at: b.applied_at.to_string(),
            targets: b.targets.clone(),
            rules: b.rules.clone(),
            warnings: b.warnings.iter().map(BundleProblemBody::from).collect(),
        }
    }
}

/// A unit variant's serialised name.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

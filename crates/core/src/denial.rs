//! A refusal, as a machine can act on it.
//!
//! Lives here: what a refusal says. Never: how a protocol spells it.

use crate::ids::ApprovalId;
use serde::Serialize;
use std::fmt;

/// Why something was refused: stable codes for machines, in records, metrics and `DETAIL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Nothing proves who is calling.
    Unauthenticated,
    /// A rule forbids it, or nothing permits it.
    Forbidden,
    /// It was not understood, so it cannot be judged.
    Unknown,
    /// The protocol feature is refused for everyone.
    NotSupported,
    /// It waits for a person's approval; come back with the ticket.
    ApprovalRequired,
    /// A person said no.
    ApprovalDenied,
    /// The approval was not decided in time.
    ApprovalExpired,
    /// A masked value would leave in another shape.
    Masked,
    /// A limit was exceeded.
    TooLarge,
    /// Too many at once, or too often.
    Throttled,
    /// The caller asked for it to be stopped while it waited for people.
    Cancelled,
    /// The identity ended: expired, revoked or changed.
    SessionEnded,
    /// People stopped the target; only they let it go on.
    Frozen,
    /// The record, the store or another part the promise needs is failing.
    Unavailable,
    /// A target does not let the gateway in as it is set up: people must mend that first.
    Misconfigured,
}

impl Code {
    /// The name in records and errors.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Unauthenticated => "unauthenticated",
            Code::Forbidden => "forbidden",
            Code::Unknown => "unknown",
            Code::NotSupported => "not_supported",
            Code::ApprovalRequired => "approval_required",
            Code::ApprovalDenied => "approval_denied",
            Code::ApprovalExpired => "approval_expired",
            Code::Masked => "masked",
            Code::TooLarge => "too_large",
            Code::Throttled => "throttled",
            Code::Cancelled => "cancelled",
            Code::SessionEnded => "session_ended",
            Code::Frozen => "frozen",
            Code::Unavailable => "unavailable",
            Code::Misconfigured => "misconfigured",
        }
    }
    /// Whether the same request may succeed later without any change.
    pub fn retry(self) -> bool {
        matches!(
            self,
            Code::ApprovalRequired | Code::Throttled | Code::Unavailable
        )
    }
}

/// A refusal. All text is for the caller: it never holds internal causes, other principals' data or secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// The stable code.
    pub code: Code,
    /// The rules that decided, by id; built-in ones begin with `brattice.`, e.g. `brattice.parse`.
    pub rules: Vec<String>,
    /// One sentence: what was refused and why.
    pub reason: String,
    /// What to do instead.
    pub hint: Option<String>,
    /// The approval that would lift it.
    pub approval: Option<ApprovalId>,
    /// Where a person decides it.
    pub approval_url: Option<String>,
}

impl Denial {
    /// A refusal by one built-in rule.
    pub fn new(code: Code, rule: &str, reason: impl Into<String>) -> Self {
        Self {
            code,
            rules: vec![rule.to_owned()],
            reason: reason.into(),
            hint: None,
            approval: None,
            approval_url: None,
        }
    }
    /// What a recording keeps of it, beside the command that was refused: JSON.
    pub fn recorded(&self, command: &[u8]) -> Vec<u8> {
        let said = serde_json::json!({
            "command": String::from_utf8_lossy(command),
            "code": self.code.as_str(),
            "rules": self.rules,
            "reason": self.reason,
        });
        said.to_string().into_bytes()
    }
    /// The same with advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
impl std::error::Error for Denial {}

//! Asking ahead of time, and grants.

use super::{ApprovalBody, PrincipalBody, chain_body};
use brattice_core::approval::{Ahead, Grant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a question about grants ahead of time says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AheadBody {
    /// For how many minutes at most, from the moment of the yes; a rule may grant less.
    pub minutes: u64,
    /// To open the target.
    pub connect: bool,
    /// To see or use what is masked.
    pub reveal: bool,
    /// Why, in the asker's words.
    pub reason: String,
}

impl From<&Ahead> for AheadBody {
    fn from(a: &Ahead) -> Self {
        Self {
            minutes: a.minutes,
            connect: a.connect,
            reveal: a.reveal,
            reason: a.reason.clone(),
        }
    }
}

/// A wish for grants ahead of time, for one's own chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantRequest {
    /// On which target.
    pub target: String,
    /// For commands with these effects: `read`, `write`, `destroy`, `administer`, `execute`.
    #[serde(default)]
    pub effects: Vec<String>,
    /// To open the target.
    #[serde(default)]
    pub connect: bool,
    /// To see or use what is masked.
    #[serde(default)]
    pub reveal: bool,
    /// For how many minutes at most.
    pub minutes: u64,
    /// Why: people read it.
    pub reason: String,
}

/// What asking came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestedBody {
    /// The question that people were asked; none where no rule stands in the way.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approval: Option<ApprovalBody>,
    /// Rules that may stand in the way as well and ask people each time.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub asks_each_time: Vec<String>,
    /// Rules that may stand in the way as well and that nothing lifts.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub forbidding: Vec<String>,
    /// What of the wish nothing permits.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unpermitted: Vec<String>,
}

/// A grant in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GrantBody {
    /// Its id.
    pub id: String,
    /// The rule it lifts.
    pub rule: String,
    /// On which target.
    pub target: String,
    /// For whom: the acting principal first, then those it acts for.
    pub chain: Vec<PrincipalBody>,
    /// Who said yes.
    pub approvers: Vec<String>,
    /// When it ends (RFC 3339).
    pub until: String,
}

impl From<&Grant> for GrantBody {
    fn from(g: &Grant) -> Self {
        Self {
            id: g.id.to_string(),
            rule: g.rule.clone(),
            target: g.target.clone(),
            chain: chain_body(&g.holder),
            approvers: g.approvers.iter().map(ToString::to_string).collect(),
            until: g.until.to_string(),
        }
    }
}

/// Grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GrantsBody {
    /// Those in force, that end last first.
    pub grants: Vec<GrantBody>,
}

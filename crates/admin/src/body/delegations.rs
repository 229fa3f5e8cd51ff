//! Delegations.

use brattice_core::delegation::Delegation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// That an agent shall act for the caller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DelegationRequest {
    /// The agent, as `issuer/name`.
    pub to: String,
    /// The targets that it may open for the caller; at least one.
    pub targets: Vec<String>,
    /// The effects that its commands may have: `read`, `write`, `destroy`, `administer`, `execute`; at least one.
    pub effects: Vec<String>,
    /// Classes whose data it may see other than masked, where rules permit it. Default: none.
    #[serde(default)]
    pub classes: Vec<String>,
    /// For how long, in seconds.
    pub seconds: u64,
    /// Why; for the record.
    pub reason: String,
}

/// A delegation in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DelegationBody {
    /// Its id, which the agent trades together with its own token.
    pub id: String,
    /// Who gave it.
    pub person: String,
    /// Who may act for them.
    pub agent: String,
    /// Within which bounds, as scope tokens.
    pub scope: String,
    /// Why, in the person's words.
    pub reason: String,
    /// When it was given (RFC 3339).
    pub at: String,
    /// When it ends (RFC 3339).
    pub until: String,
}

impl From<&Delegation> for DelegationBody {
    fn from(d: &Delegation) -> Self {
        Self {
            id: d.id.to_string(),
            person: d.person.to_string(),
            agent: d.agent.to_string(),
            scope: d.scope.to_string(),
            reason: d.reason.clone(),
            at: d.at.to_string(),
            until: d.until.to_string(),
        }
    }
}

/// A delegation that was just given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DelegatedBody {
    /// The delegation.
    pub delegation: DelegationBody,
    /// Whether the agent ever proved itself here.
    pub agent_known: bool,
}

/// Delegations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DelegationsBody {
    /// Those in force, that end last first.
    pub delegations: Vec<DelegationBody>,
}

//! Delegations that a person leaves with the gateway: an agent may act for them, within bounds, for a while.
//!
//! Lives here: what one says. Never: who may give it, storage, tokens. It permits nothing: every link of the chain that
//! comes of it is judged by the rules.

use crate::ids::DelegationId;
use crate::principal::Principal;
use crate::scope::Scope;
use crate::time::Timestamp;

/// That an agent may act for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// Its id; worth nothing without the agent's own token.
    pub id: DelegationId,
    /// Who gave it.
    pub person: Principal,
    /// Who may act for them.
    pub agent: Principal,
    /// Within which bounds.
    pub scope: Scope,
    /// Why, in the person's words.
    pub reason: String,
    /// When it was given.
    pub at: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

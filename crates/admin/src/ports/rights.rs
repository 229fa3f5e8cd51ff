//! The ports of what gives and takes for a while: grants, delegations, freezes.
//!
//! Lives here: the traits, what they take and return. Never: an implementation, HTTP.

use super::Failed;
use brattice_core::approval::{Approval, Grant};
use brattice_core::delegation::Delegation;
use brattice_core::denial::Denial;
use brattice_core::freeze::{Freeze, Reach};
use brattice_core::ids::{DelegationId, FreezeId, GrantId};
use brattice_core::policy::{Ahead, Wanted};
use brattice_core::ports::BoxFuture;
use brattice_core::principal::{Identity, Principal};
use brattice_core::scope::Scope;
use brattice_core::target::Target;
use std::net::IpAddr;
use std::time::Duration;

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

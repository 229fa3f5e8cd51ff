//! Delegations of people to agents: giving, listing, ending, and what one proves when it is traded for a token.
//!
//! Lives here: the order of it. Never: who may (the API and policy say, before this is asked), what a token may have
//! (the exchange says).

use super::identities::Identities;
use super::seen::LastProofs;
use super::{failed, revocations};
use crate::run::Gateway;
use brattice_admin::ports::{Delegate, Delegated, DelegationsApi, Failed};
use brattice_core::delegation::Delegation;
use brattice_core::ids::DelegationId;
use brattice_core::ports::{BoxFuture, People};
use brattice_core::principal::{Chain, Identity};
use brattice_core::sender::Binding;
use std::sync::Arc;

/// The delegations of a gateway.
pub struct Delegations(pub Arc<Gateway>);

impl Delegations {
    async fn give(&self, wish: Delegate<'_>) -> Result<Delegated, Failed> {
        let gateway = &self.0;
        let trusted = &gateway.checked.load().issuers;
        if !trusted.iter().any(|i| i.name == wish.agent.issuer) {
            return Ok(Delegated::Refused(
                "the bundle has no identity provider of that name".to_owned(),
            ));
        }
        let mut id = [0; 10];
        let filled = gateway.randomness.fill(&mut id);
        filled.map_err(|why| Failed::new("keep a delegation", why))?;
        let now = gateway.clock.now();
        let delegation = Delegation {
            id: DelegationId::from_bytes(id),
            person: wish.who.chain.acting.clone(),
            agent: wish.agent,
            scope: wish.scope,
            reason: wish.reason.to_owned(),
            at: now,
            until: now.plus(wish.lifetime),
        };
        if !gateway.db.delegate(&delegation).await.map_err(failed)? {
            return Ok(Delegated::Refused(
                "too many delegations of yours are in force; end some".to_owned(),
            ));
        }
        Ok(Delegated::Given(delegation))
    }

    /// What the agent that proved itself may prove by a delegation: that the person, as they last proved themselves
    /// here, lets it act for them. `None` for whatever reason there is none: who asks learns nothing of others'.
    async fn proof(&self, id: &DelegationId, actor: &Identity) -> Result<Option<Identity>, Failed> {
        let gateway = &self.0;
        let now = gateway.clock.now();
        let found = gateway.db.delegation(id, now).await.map_err(failed)?;
        // The agent itself, and nobody who acts for it or for whom it acts.
        let alone = actor.chain.on_behalf_of.is_empty();
        let Some(given) = found.filter(|d| alone && d.agent.is_same(&actor.chain.acting)) else {
            return Ok(None);
        };
        let people = LastProofs::new(gateway.seen.clone(), gateway.revocations.clone());
        let Some(last) = people.last_proof(&given.person).await.map_err(failed)? else {
            return Ok(None);
        };
        let age_max = gateway.checked.load().limits.delegation_proof_age_max;
        let person = Identity {
            // Groups are those of the last proof, not those of when it was given.
            chain: Chain::of(last.chain.acting.clone()),
            expires_at: given.until,
            token_id: Some(id.to_string()),
            credential: None,
            scope: given.scope,
            lineage: Vec::new(),
            binding: Binding::default(),
            ..last
        };
        let old = now.since(person.authenticated_at) > age_max;
        if old || !gateway.oidc.knows_all_of(&person.chain) {
            return Ok(None);
        }
        // Whatever was revoked since it was given ended it, though the person has proved themselves anew.
        let since_given = Identity {
            chain: Chain {
                acting: given.agent,
                on_behalf_of: vec![person.chain.acting.clone()],
            },
            authenticated_at: person.authenticated_at.min(given.at),
            ..person.clone()
        };
        let revoked = gateway.revocations.current().await.map_err(failed)?;
        Ok(revoked.voids(&since_given).is_none().then_some(person))
    }

    /// Ends it with all that came of it.
    async fn finish(&self, id: &DelegationId) -> Result<bool, Failed> {
        let now = self.0.clock.now();
        let found = self.0.db.delegation(id, now).await.map_err(failed)?;
        if found.is_none() {
            return Ok(false);
        }
        let void = revocations::token(id.as_str());
        Identities(self.0.clone()).void(&void).await?;
        Ok(true)
    }
}

impl DelegationsApi for Delegations {
    fn delegate<'a>(&'a self, wish: Delegate<'a>) -> BoxFuture<'a, Result<Delegated, Failed>> {
        Box::pin(self.give(wish))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Delegation>, Failed>> {
        Box::pin(async move {
            let now = self.0.clock.now();
            self.0.db.delegations(now).await.map_err(failed)
        })
    }

    fn end<'a>(&'a self, id: &'a DelegationId) -> BoxFuture<'a, Result<bool, Failed>> {
        Box::pin(self.finish(id))
    }

    fn subject<'a>(
        &'a self,
        id: &'a DelegationId,
        actor: &'a Identity,
    ) -> BoxFuture<'a, Result<Option<Identity>, Failed>> {
        Box::pin(self.proof(id, actor))
    }
}

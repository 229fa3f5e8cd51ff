//! The gateway's own access tokens: given for others, signed by keys that the store keeps sealed.
//!
//! Lives here: translation, where the keys are kept, and taking a budget out of another. Never: what may be had for what.

use crate::run::Gateway;
use brattice_admin::ports::{Exchange, ExchangeRefused, Failed, IssuedToken, TokensApi};
use brattice_core::ports::{BoxFuture, StoreError};
use brattice_core::principal::Identity;
use brattice_core::scope::Allowance;
use brattice_core::time::Timestamp;
use brattice_core::usage::{Meters, Spent};
use brattice_identity::sts::{Asked, NoKey, Refused, RingStore, exchange};
use brattice_store::db::Db;
use serde_json::Value;
use std::sync::Arc;

/// The keys of tokens, among the sealed secrets of a database.
pub struct KeysIn(pub Db);

impl RingStore for KeysIn {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(self.0.sealed(name))
    }

    fn keep<'a>(&'a self, name: &'a str, blob: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.put_sealed(name, blob))
    }
}

/// Takes a new token's budgets out of those that it comes from: all of them, or the token is not given.
fn set_aside(
    meters: &Meters,
    issued: &Identity,
    proofs: &[&Identity],
    now: Timestamp,
) -> Result<(), ExchangeRefused> {
    let own = |b: &&Allowance| Some(&b.by) == issued.token_id.as_ref();
    let mut taken: Vec<(Arc<Spent>, u64)> = Vec::new();
    for budget in issued.scope.budgets.iter().filter(own) {
        let above = proofs.iter().flat_map(|p| &p.scope.budgets);
        for from in above.filter(|b| b.of == budget.of) {
            let spent = meters.spent(from);
            if !spent.take(budget.most, from.most, now) {
                for (spent, amount) in taken {
                    spent.give_back(amount, now);
                }
                let left = from.most.saturating_sub(spent.amount());
                return Err(ExchangeRefused::Scope(format!(
                    "`{budget}` is more than is left of the token it would come from: {left}"
                )));
            }
            taken.push((spent, budget.most));
        }
    }
    Ok(())
}

/// The tokens of a gateway.
pub struct Trade(pub Arc<Gateway>);

impl TokensApi for Trade {
    fn exchange(
        &self,
        subject: &Identity,
        actor: Option<&Identity>,
        asked: Exchange,
    ) -> Result<IssuedToken, ExchangeRefused> {
        let gateway = &self.0;
        let failed = |why: &dyn std::error::Error| {
            ExchangeRefused::Failed(Failed::new("issue a token", why.to_string()))
        };
        let asked = Asked {
            scope: asked.scope,
            worker: asked.worker,
            lifetime: asked.lifetime,
            binding: asked.binding,
        };
        let now = gateway.clock.now();
        let proofs: Vec<&Identity> = std::iter::once(subject).chain(actor).collect();
        let identity = exchange(subject, actor, asked, now, gateway.randomness.as_ref());
        let identity = identity.map_err(|why| match why {
            Refused::Scope(why) => ExchangeRefused::Scope(why.to_string()),
            Refused::Request(why) => ExchangeRefused::Request(why.to_owned()),
            Refused::Grant(why) => ExchangeRefused::Grant(why.to_owned()),
            Refused::Randomness(why) => failed(&why),
        })?;
        if !identity.binding.is_any() && gateway.oidc.wants_bound(&identity.chain) {
            return Err(ExchangeRefused::Request(
                "Tokens of this chain are given bound alone: send a DPoP proof, or show a client certificate.".to_owned(),
            ));
        }
        let issued = gateway.own_tokens.issue(identity, now);
        let issued = issued.map_err(|why| match why {
            NoKey::TooLong => ExchangeRefused::Request(why.to_string()),
            why => failed(&why),
        })?;
        set_aside(gateway.gate.meters(), &issued.identity, &proofs, now)?;
        Ok(IssuedToken {
            token: issued.token,
            identity: issued.identity,
        })
    }

    fn key_set(&self) -> Value {
        self.0.own_tokens.ring().key_set()
    }

    fn trusted_issuers(&self) -> Vec<String> {
        let checked = self.0.checked.load();
        checked.issuers.iter().map(|i| i.url.clone()).collect()
    }
}

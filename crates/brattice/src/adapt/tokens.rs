//! The gateway's own access tokens: given for others, signed by keys that the store keeps sealed.
//!
//! Lives here: translation, and where the keys are kept. Never: what may be had for what.

use crate::run::Gateway;
use brattice_admin::ports::{Exchange, ExchangeRefused, Failed, IssuedToken, TokensApi};
use brattice_core::ports::{BoxFuture, StoreError};
use brattice_core::principal::Identity;
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
        };
        let now = gateway.clock.now();
        let identity = exchange(subject, actor, asked, now, gateway.randomness.as_ref());
        let identity = identity.map_err(|why| match why {
            Refused::Scope(why) => ExchangeRefused::Scope(why.to_string()),
            Refused::Request(why) => ExchangeRefused::Request(why.to_owned()),
            Refused::Grant(why) => ExchangeRefused::Grant(why.to_owned()),
            Refused::Randomness(why) => failed(&why),
        })?;
        let issued = gateway.own_tokens.issue(identity, now);
        let issued = issued.map_err(|why| match why {
            NoKey::TooLong => ExchangeRefused::Request(why.to_string()),
            why => failed(&why),
        })?;
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

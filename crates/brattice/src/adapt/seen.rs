//! Who proved who they are lately, as they proved it.
//!
//! Lives here: a bounded memory in front of the store's. Never: proof; nobody is let in by it.

use super::Revocations;
use brattice_core::ports::{BoxFuture, People, StoreError};
use brattice_core::principal::{Identity, Principal, PrincipalKind};
use brattice_core::time::{Clock, Timestamp};
use brattice_store::db::Db;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Most chains whose noting is remembered, so that it is not done again at once.
const REMEMBERED_MAX: usize = 10_000;
/// How often the same proof is noted.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// The memory.
pub struct Seen {
    db: Db,
    clock: Arc<dyn Clock>,
    noted: Mutex<HashMap<String, Noted>>,
}

struct Noted {
    identity: Identity,
    at: Timestamp,
}

impl Seen {
    /// In front of this store.
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self {
            db,
            clock,
            noted: Mutex::default(),
        }
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<String, Noted>> {
        match self.noted.lock() {
            Ok(noted) => noted,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// Remembers a chain that was proven. The store hears of it without anybody waiting: what is lost is noted again.
    /// What was proven by a token of our own says nothing that its parents did not.
    pub fn note(&self, identity: &Identity) {
        // A person who signs out has said what they said: approvals and delegations of theirs stand.
        let identity = Identity {
            sign_in: None,
            ..identity.clone()
        };
        if !identity.lineage.is_empty() || !self.is_news(&identity) {
            return;
        }
        let db = self.db.clone();
        tokio::spawn(async move {
            if let Err(error) = db.note_seen(&identity).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "who was seen could not be noted"
                );
            }
        });
    }

    fn is_news(&self, identity: &Identity) -> bool {
        let now = self.clock.now();
        let mut noted = self.noted();
        let name = identity.chain.to_string();
        let known = noted.get(&name);
        let same = known
            .is_some_and(|k| k.identity.chain == identity.chain && now.since(k.at) < NOTE_EVERY);
        if known.is_none() && noted.len() >= REMEMBERED_MAX {
            noted.retain(|_, k| now.since(k.at) < NOTE_EVERY);
        }
        if known_or_room(&noted, &name) {
            let at = noted.get(&name).filter(|_| same).map_or(now, |k| k.at);
            noted.insert(
                name,
                Noted {
                    identity: identity.clone(),
                    at,
                },
            );
        }
        !same
    }

    /// A principal with the groups it was last proven to be in.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn principal(
        &self,
        kind: PrincipalKind,
        issuer: &str,
        name: &str,
    ) -> Result<Option<Principal>, StoreError> {
        let alone = format!("{}{issuer}/{name}", prefix(kind));
        if let Some(known) = self.noted().get(&alone) {
            return Ok(Some(known.identity.chain.acting.clone()));
        }
        Ok(self.db.seen(kind, issuer, name).await?.map(|s| s.principal))
    }

    /// A person as they last proved themselves, while that proof holds.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn person(&self, issuer: &str, name: &str) -> Result<Option<Identity>, StoreError> {
        let known = self.last_proof(issuer, name).await?;
        Ok(known.filter(|k| k.expires_at > self.clock.now()))
    }

    async fn last_proof(&self, issuer: &str, name: &str) -> Result<Option<Identity>, StoreError> {
        let alone = format!("{}{issuer}/{name}", prefix(PrincipalKind::User));
        let known = self.noted().get(&alone).map(|k| k.identity.clone());
        if known.is_some() {
            return Ok(known);
        }
        let stored = self.db.seen(PrincipalKind::User, issuer, name).await?;
        Ok(stored.and_then(|s| s.identity))
    }
}

/// The people whose answers are used: as they last proved themselves, unless they were revoked since.
pub struct LastProofs {
    seen: Arc<Seen>,
    revocations: Arc<Revocations>,
}

impl LastProofs {
    /// What was seen, less what was revoked.
    pub fn new(seen: Arc<Seen>, revocations: Arc<Revocations>) -> Self {
        Self { seen, revocations }
    }
}

impl People for LastProofs {
    fn last_proof<'a>(
        &'a self,
        who: &'a Principal,
    ) -> BoxFuture<'a, Result<Option<Identity>, StoreError>> {
        Box::pin(async move {
            if who.kind != PrincipalKind::User {
                return Ok(None);
            }
            let Some(proof) = self.seen.last_proof(&who.issuer, &who.name).await? else {
                return Ok(None);
            };
            let revoked = self.revocations.current().await?;
            let void = revoked.voids(&proof).is_some();
            Ok((!void).then_some(proof))
        })
    }
}

fn known_or_room(noted: &HashMap<String, Noted>, name: &str) -> bool {
    noted.contains_key(name) || noted.len() < REMEMBERED_MAX
}

/// As a principal's text begins.
fn prefix(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::Agent => "agent:",
        PrincipalKind::User => "user:",
    }
}

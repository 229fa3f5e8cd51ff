//! Whose proofs are void: the store's revocations, held in memory for a moment.
//!
//! Lives here: the picture of them, its age, and what it voids. Never: who may revoke, cutting.

use arc_swap::ArcSwap;
use brattice_core::ports::StoreError;
use brattice_core::principal::OWN_ISSUER;
use brattice_core::principal::{Identity, Principal, PrincipalKind};
use brattice_core::time::{Clock, Timestamp};
use brattice_store::db::{Db, Revocation};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// How old a picture of the revocations may be when somebody is let in by it.
const AGE_MAX: Duration = Duration::from_secs(1);

/// Revocations as the store has them. What this process revokes it sees at once; what another does, within
/// `AGE_MAX`.
pub struct Revocations {
    db: Db,
    clock: Arc<dyn Clock>,
    held: ArcSwap<Held>,
    /// How often the picture was said to be old.
    wanted: AtomicU64,
    reading: tokio::sync::Mutex<()>,
    leeway_micros: AtomicI64,
}

/// What stands for everybody of a kind at a provider, where principals are revoked.
pub fn everybody(kind: PrincipalKind, issuer: &str) -> Principal {
    Principal {
        kind,
        issuer: issuer.to_owned(),
        name: "*".to_owned(),
        groups: BTreeSet::new(),
    }
}

/// What stands for a token and all that descends from it.
pub fn token(id: &str) -> Principal {
    Principal {
        kind: PrincipalKind::Agent,
        issuer: OWN_ISSUER.to_owned(),
        name: format!("token:{id}"),
        groups: BTreeSet::new(),
    }
}

/// Whether a revocation of this is one of that proof.
pub fn concerns(revoked: &Principal, proof: &Identity) -> bool {
    let mut actors = proof.chain.actors();
    let mut tokens = proof.roots();
    actors.any(|a| a.is_same(revoked) || everybody(a.kind, &a.issuer).is_same(revoked))
        || tokens.any(|id| token(id).is_same(revoked))
}

/// A picture of all revocations.
#[derive(Debug, Default)]
pub struct Held {
    by_principal: Arc<ByPrincipal>,
    /// The number that the store gave it: while that is the same, so is the rest.
    turn: Option<i64>,
    read_at: Option<Timestamp>,
    /// What was wanted when it was read.
    wanted: u64,
    leeway: Duration,
}

type ByPrincipal = HashMap<(PrincipalKind, String), Timestamp>;

fn by_principal(all: Vec<Revocation>) -> ByPrincipal {
    all.into_iter()
        .map(|r| ((r.principal.kind, r.principal.id()), r.at))
        .collect()
}

impl Held {
    /// What of a proof was revoked after it was given: somebody in its chain, a provider, or a token that it descends
    /// from. The provider's clock may be ahead of ours by its leeway, so that what seems to be proven a moment after the
    /// revocation may have been proven before it.
    pub fn voids(&self, proof: &Identity) -> Option<String> {
        let void = |kind, id: String| {
            let at = self.by_principal.get(&(kind, id))?;
            (proof.authenticated_at <= at.plus(self.leeway)).then_some(())
        };
        let actors = proof.chain.actors();
        let person = actors
            .flat_map(|who| {
                [
                    (who.kind, who.id()),
                    (who.kind, everybody(who.kind, &who.issuer).id()),
                ]
            })
            .find(|(kind, id)| void(*kind, id.clone()).is_some());
        if let Some((_, id)) = person {
            return Some(id);
        }
        // A token's id is used once, so that it does not matter when.
        let mut tokens = proof.roots().map(|id| token(id));
        let voided = tokens.find(|t| self.by_principal.contains_key(&(t.kind, t.id())));
        voided.map(|t| t.id())
    }
}

impl Revocations {
    /// Those of this store. Nothing is read yet.
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self {
            db,
            clock,
            held: ArcSwap::default(),
            wanted: AtomicU64::new(0),
            reading: tokio::sync::Mutex::new(()),
            leeway_micros: AtomicI64::new(0),
        }
    }

    /// How far the clock of any provider may be from ours.
    pub fn set_leeway(&self, leeway: Duration) {
        let micros = i64::try_from(leeway.as_micros()).unwrap_or(i64::MAX);
        self.leeway_micros.store(micros, Ordering::Release);
        self.forget();
    }

    /// The next who asks reads anew.
    pub fn forget(&self) {
        self.wanted.fetch_add(1, Ordering::AcqRel);
    }

    /// A picture that is new enough to let somebody in by.
    ///
    /// # Errors
    /// When the store does not answer: nobody is let in then.
    pub async fn current(&self) -> Result<Arc<Held>, StoreError> {
        if let Some(held) = self.fresh() {
            return Ok(held);
        }
        let _turn = self.reading.lock().await;
        if let Some(held) = self.fresh() {
            return Ok(held);
        }
        // Read before the store is: what is revoked meanwhile makes this picture old. Until it is there, nobody goes by the
        // one before.
        let wanted = self.wanted.load(Ordering::Acquire);
        let read_at = self.clock.now();
        let leeway = u64::try_from(self.leeway_micros.load(Ordering::Acquire)).unwrap_or(0);
        // The number first: what is revoked between the two is read again the next time.
        let turn = self.db.revocations_turn().await?;
        let before = self.held.load_full();
        let by_principal = match before.turn == Some(turn) {
            true => before.by_principal.clone(),
            false => Arc::new(by_principal(self.db.revocations().await?)),
        };
        let held = Arc::new(Held {
            by_principal,
            turn: Some(turn),
            read_at: Some(read_at),
            wanted,
            leeway: Duration::from_micros(leeway),
        });
        self.held.store(held.clone());
        Ok(held)
    }

    fn fresh(&self) -> Option<Arc<Held>> {
        let held = self.held.load_full();
        if held.wanted != self.wanted.load(Ordering::Acquire) {
            return None;
        }
        let now = self.clock.now();
        // A clock that went back makes a picture old, not young.
        let young = held
            .read_at
            .is_some_and(|at| at <= now && now.since(at) <= AGE_MAX);
        young.then_some(held)
    }
}

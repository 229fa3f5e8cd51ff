//! Whose proofs are void: the store's revocations, held in memory for a moment.
//!
//! Lives here: the picture of them, its age, and what it voids. Never: who may revoke, cutting.

use arc_swap::ArcSwap;
use brattice_core::ports::StoreError;
use brattice_core::principal::{Chain, Principal, PrincipalKind};
use brattice_core::time::{Clock, Timestamp};
use brattice_store::db::{Db, Revocation};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// How old a picture of the revocations may be when somebody is let in by it.
const AGE_MAX: Duration = Duration::from_secs(1);

/// Revocations as the store has them. What this process revokes it sees at once; what another does, within
/// `AGE_MAX`.
pub struct Revocations {
    db: Db,
    clock: Arc<dyn Clock>,
    held: ArcSwap<Held>,
    stale: AtomicBool,
    reading: tokio::sync::Mutex<()>,
    leeway_micros: AtomicI64,
}

/// A picture of all revocations.
#[derive(Debug, Default)]
pub struct Held {
    by_principal: HashMap<(PrincipalKind, String), Timestamp>,
    read_at: Option<Timestamp>,
    leeway: Duration,
}

impl Held {
    fn of(all: Vec<Revocation>, read_at: Timestamp, leeway: Duration) -> Self {
        let by_principal = all
            .into_iter()
            .map(|r| ((r.principal.kind, r.principal.id()), r.at))
            .collect();
        Self {
            by_principal,
            read_at: Some(read_at),
            leeway,
        }
    }

    /// Who of a chain was revoked after it was proven at this instant. The provider's clock may be ahead of ours by its
    /// leeway, so that what seems to be proven a moment after the revocation may have been proven before it.
    pub fn voids<'c>(&self, chain: &'c Chain, proven_at: Timestamp) -> Option<&'c Principal> {
        chain.actors().find(|who| {
            let at = self.by_principal.get(&(who.kind, who.id()));
            at.is_some_and(|at| proven_at <= at.plus(self.leeway))
        })
    }
}

impl Revocations {
    /// Those of this store. Nothing is read yet.
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self {
            db,
            clock,
            held: ArcSwap::default(),
            stale: AtomicBool::new(true),
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
        self.stale.store(true, Ordering::Release);
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
        // Lowered before reading: what is revoked meanwhile raises it again.
        self.stale.store(false, Ordering::Release);
        let read_at = self.clock.now();
        let all = self.db.revocations().await.inspect_err(|_| self.forget())?;
        let leeway = u64::try_from(self.leeway_micros.load(Ordering::Acquire)).unwrap_or(0);
        let held = Arc::new(Held::of(all, read_at, Duration::from_micros(leeway)));
        self.held.store(held.clone());
        Ok(held)
    }

    fn fresh(&self) -> Option<Arc<Held>> {
        if self.stale.load(Ordering::Acquire) {
            return None;
        }
        let held = self.held.load_full();
        let now = self.clock.now();
        // A clock that went back makes a picture old, not young.
        let young = held
            .read_at
            .is_some_and(|at| at <= now && now.since(at) <= AGE_MAX);
        young.then_some(held)
    }
}

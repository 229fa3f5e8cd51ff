//! What people have stopped: the store's freezes, held in memory for a moment; stopping more, and letting go on.
//!
//! Lives here: the picture of them, its age, and the order of stopping. Never: who may (policy says, before this is
//! asked).

use super::failed;
use crate::run::Gateway;
use arc_swap::ArcSwapOption;
use brattice_admin::ports::{Failed, FreezesApi, Frozen};
use brattice_core::freeze::{Freeze, Reach};
use brattice_core::gate::CutReason;
use brattice_core::ids::FreezeId;
use brattice_core::ports::{BoxFuture, Freezes as Port, StoreError};
use brattice_core::principal::Principal;
use brattice_core::target::Target;
use brattice_core::time::{Clock, Timestamp};
use brattice_store::db::Db;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How old a picture of the freezes may be when somebody is let in by it.
const AGE_MAX: Duration = Duration::from_secs(1);

/// Freezes as the store has them. What this process freezes it sees at once; what another does, within `AGE_MAX`.
pub struct Freezes {
    db: Db,
    clock: Arc<dyn Clock>,
    held: ArcSwapOption<Held>,
    /// How often the picture was said to be old.
    wanted: AtomicU64,
    reading: tokio::sync::Mutex<()>,
}

struct Held {
    standing: Arc<[Freeze]>,
    read_at: Timestamp,
    /// What was wanted when it was read.
    wanted: u64,
}

impl Freezes {
    /// Those of this store. Nothing is read yet.
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self {
            db,
            clock,
            held: ArcSwapOption::empty(),
            wanted: AtomicU64::new(0),
            reading: tokio::sync::Mutex::new(()),
        }
    }

    /// The next who asks reads anew.
    pub fn forget(&self) {
        self.wanted.fetch_add(1, Ordering::AcqRel);
    }

    async fn current(&self) -> Result<Arc<[Freeze]>, StoreError> {
        if let Some(standing) = self.fresh() {
            return Ok(standing);
        }
        let _turn = self.reading.lock().await;
        if let Some(standing) = self.fresh() {
            return Ok(standing);
        }
        // Read before the store is: what is frozen meanwhile makes this picture old. Until it is there, nobody goes by the
        // one before.
        let wanted = self.wanted.load(Ordering::Acquire);
        let read_at = self.clock.now();
        let all = self.db.freezes().await?;
        let standing: Arc<[Freeze]> = all.into();
        let held = Held {
            standing: standing.clone(),
            read_at,
            wanted,
        };
        self.held.store(Some(Arc::new(held)));
        Ok(standing)
    }

    fn fresh(&self) -> Option<Arc<[Freeze]>> {
        let held = self.held.load_full()?;
        if held.wanted != self.wanted.load(Ordering::Acquire) {
            return None;
        }
        let now = self.clock.now();
        // A clock that went back makes a picture old, not young.
        let young = held.read_at <= now && now.since(held.read_at) <= AGE_MAX;
        young.then(|| held.standing.clone())
    }
}

impl Port for Freezes {
    fn standing(&self) -> BoxFuture<'_, Result<Arc<[Freeze]>, StoreError>> {
        Box::pin(self.current())
    }
}

impl Gateway {
    /// Cuts every session whose target is frozen, and notes what a freeze reaches by the bundle in force. Returns how
    /// many.
    ///
    /// # Errors
    /// When the freezes cannot be read.
    pub async fn cut_frozen(&self) -> Result<usize, StoreError> {
        let standing = self.freezes.current().await?;
        if standing.is_empty() {
            return Ok(0);
        }
        let force = self.gate.in_force();
        let cut = self.live.cut_saying(CutReason::Frozen, |session| {
            let target = force.targets.get(&session.target).map(|g| &g.target);
            let stops = |f: &&Freeze| match target {
                Some(target) => f.stops(target),
                // It left the bundle: its name is all that is known of it.
                None => f.reach == Reach::All || f.targets.contains(&session.target),
            };
            standing.iter().find(stops).map(Freeze::denial)
        });
        for freeze in standing.iter() {
            let reached = self.reached(&freeze.reach);
            let also: BTreeSet<String> = reached
                .into_iter()
                .map(|t| t.name)
                .filter(|name| !freeze.targets.contains(name))
                .collect();
            if !also.is_empty() {
                self.db.widen_freeze(&freeze.id, &also).await?;
                self.freezes.forget();
            }
        }
        Ok(cut.len())
    }

    /// The targets of the bundle in force that this means.
    fn reached(&self, reach: &Reach) -> Vec<Target> {
        let force = self.gate.in_force();
        let targets = force.targets.values().map(|g| &g.target);
        targets.filter(|t| reach.means(t)).cloned().collect()
    }
}

/// The freezes of a gateway.
pub struct Stops(pub Arc<Gateway>);

impl Stops {
    /// First nobody gets in any more, then whoever is in is cut. Whoever was on the way in meanwhile asks again once it
    /// can be cut.
    async fn stop(&self, freeze: Freeze) -> Result<Option<Frozen>, Failed> {
        let gateway = &self.0;
        // Counted ahead: once the store knows, the sweep may be first to cut them.
        let open = gateway.live.list();
        let open = open.iter().filter(|s| freeze.targets.contains(&s.target));
        let sessions = open.count() as u64;
        if !gateway.db.freeze(&freeze).await.map_err(failed)? {
            return Ok(None);
        }
        gateway.freezes.forget();
        gateway.cut_frozen().await.map_err(failed)?;
        tracing::warn!(freeze = %freeze.id, reach = %freeze.reach, by = %freeze.by, reason = freeze.reason, sessions, "targets were frozen");
        Ok(Some(Frozen { freeze, sessions }))
    }

    async fn go_on(&self, id: &FreezeId, by: &Principal) -> Result<bool, Failed> {
        let ended = self.0.db.thaw(id, by).await.map_err(failed)?;
        self.0.freezes.forget();
        if ended {
            tracing::warn!(freeze = %id, %by, "a freeze was ended");
        }
        Ok(ended)
    }
}

impl FreezesApi for Stops {
    fn reached(&self, reach: &Reach) -> Vec<Target> {
        self.0.reached(reach)
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Freeze>, Failed>> {
        Box::pin(async move { self.0.db.freezes().await.map_err(failed) })
    }

    fn freeze<'a>(
        &'a self,
        reach: Reach,
        reason: &'a str,
        by: &'a Principal,
    ) -> BoxFuture<'a, Result<Option<Frozen>, Failed>> {
        Box::pin(async move {
            let mut id = [0; 10];
            let filled = self.0.randomness.fill(&mut id);
            filled.map_err(|why| Failed::new("freeze targets", why))?;
            let targets = self.0.reached(&reach).into_iter().map(|t| t.name);
            let freeze = Freeze {
                id: FreezeId::from_bytes(id),
                targets: targets.collect(),
                reach,
                reason: reason.to_owned(),
                by: by.clone(),
                at: self.0.clock.now(),
            };
            self.stop(freeze).await
        })
    }

    fn thaw<'a>(
        &'a self,
        id: &'a FreezeId,
        by: &'a Principal,
    ) -> BoxFuture<'a, Result<bool, Failed>> {
        Box::pin(self.go_on(id, by))
    }
}

//! Shared pictures of a target's catalogues: read by a connection of the gateway's own, kept fresh on demand.
//!
//! Lives here: fetching and sharing. Never: what a picture means.

use super::dial::{self, Opening};
use super::own::Own;
use crate::endpoint::Endpoints;
use arc_swap::ArcSwapOption;
use brattice_core::classify::sql::catalogue::{Catalogue, Major};
use brattice_core::classify::sql::{CatalogueQueries, Rows};
use brattice_core::gate::{
    CatalogueUnavailable, Catalogues, Cut, Snapshot, catalogue_queries, next_version,
};
use brattice_core::ports::{Borrower, BoxFuture, CredentialSource, LeaseHeld, Purpose};
use brattice_core::time::{Clock, Timestamp};
use brattice_wire::Limits;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Databases of one target whose pictures are kept.
const DATABASES_MAX: usize = 64;
/// How long one read of the catalogue may take.
const READ_MAX: Duration = Duration::from_secs(20);

/// The pictures of one target.
pub struct TargetCatalogues {
    target: String,
    endpoints: Arc<Endpoints>,
    lender: Arc<dyn CredentialSource>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

#[derive(Default)]
struct Slot {
    snapshot: ArcSwapOption<Snapshot>,
    reader: tokio::sync::Mutex<Option<Reader>>,
}

/// A connection that reads the catalogue.
struct Reader {
    own: Own,
    queries: &'static CatalogueQueries,
    fingerprint: Rows,
    /// Thrown when what it is logged in with runs out: the next read makes it anew.
    over: Arc<Cut>,
    // Given back with the reader.
    _held: Option<Box<dyn LeaseHeld>>,
}

impl fmt::Debug for TargetCatalogues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TargetCatalogues({})", self.target)
    }
}

impl TargetCatalogues {
    /// No picture yet.
    pub fn new(
        target: String,
        endpoints: Arc<Endpoints>,
        lender: Arc<dyn CredentialSource>,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Self {
        Self {
            target,
            endpoints,
            lender,
            clock,
            limits,
            slots: Mutex::default(),
        }
    }

    fn slot(&self, database: &str) -> Arc<Slot> {
        let mut slots = match self.slots.lock() {
            Ok(s) => s,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some(slot) = slots.get(database) {
            return slot.clone();
        }
        if slots.len() >= DATABASES_MAX {
            slots.clear();
        }
        slots.entry(database.to_owned()).or_default().clone()
    }

    /// Closes the connections. They are made anew by whoever asks.
    pub async fn close(&self) {
        let slots: Vec<Arc<Slot>> = match self.slots.lock() {
            Ok(slots) => slots.values().cloned().collect(),
            Err(poisoned) => poisoned.into_inner().values().cloned().collect(),
        };
        for slot in slots {
            slot.reader.lock().await.take();
        }
    }

    async fn read(
        &self,
        database: &str,
        asked_at: Timestamp,
    ) -> Result<Snapshot, CatalogueUnavailable> {
        let slot = self.slot(database);
        let mut reader = slot.reader.lock().await;
        // Whoever waited for the lock may find the work done.
        if let Some(s) = slot.snapshot.load_full()
            && s.checked_at >= asked_at
        {
            return Ok(s.as_ref().clone());
        }
        let taken = reader.take();
        let work = self.read_with(database, taken, slot.snapshot.load_full());
        let (used, snapshot) = tokio::time::timeout(READ_MAX, work)
            .await
            .map_err(|_| unavailable("it took too long"))??;
        *reader = Some(used);
        slot.snapshot.store(Some(Arc::new(snapshot.clone())));
        Ok(snapshot)
    }

    async fn read_with(
        &self,
        database: &str,
        reader: Option<Reader>,
        known: Option<Arc<Snapshot>>,
    ) -> Result<(Reader, Snapshot), CatalogueUnavailable> {
        if let Some(mut reader) = reader
            && reader.over.reason().is_none()
        {
            // A connection that has died since is made anew below.
            if let Ok(done) = self.compare(&mut reader, known.clone()).await {
                return Ok((reader, done));
            }
        }
        let mut reader = self.connect(database).await?;
        let snapshot = self.compare(&mut reader, None).await?;
        Ok((reader, snapshot))
    }

    async fn compare(
        &self,
        reader: &mut Reader,
        known: Option<Arc<Snapshot>>,
    ) -> Result<Snapshot, CatalogueUnavailable> {
        let checked_at = self.clock.now();
        let fingerprint = reader.own.query(&reader.queries.fingerprint).await;
        let fingerprint = fingerprint.map_err(|e| unavailable(&e.to_string()))?;
        if let Some(known) = known
            && fingerprint == reader.fingerprint
        {
            return Ok(Snapshot {
                catalogue: known.catalogue.clone(),
                checked_at,
            });
        }
        let mut rows = Vec::new();
        for (_, text) in &reader.queries.parts {
            let part = reader.own.query(text).await;
            rows.push(part.map_err(|e| unavailable(&e.to_string()))?);
        }
        let mut catalogue =
            Catalogue::from_rows(reader.queries, &rows).map_err(|e| unavailable(&e.to_string()))?;
        catalogue.version = next_version();
        reader.fingerprint = fingerprint;
        Ok(Snapshot {
            catalogue: Arc::new(catalogue),
            checked_at,
        })
    }

    async fn connect(&self, database: &str) -> Result<Reader, CatalogueUnavailable> {
        let endpoint = self
            .endpoints
            .get(&self.target)
            .ok_or_else(|| unavailable("the target is gone from the bundle"))?;
        let to = Borrower {
            target: &self.target,
            place: database,
            purpose: Purpose::Catalogue,
        };
        let opening = Opening {
            name: "brattice catalogue".to_owned(),
            settings: Vec::new(),
        };
        let (lender, limits) = (self.lender.as_ref(), &self.limits);
        let (lease, dialled) = dial::enter(&endpoint, lender, to, opening, limits)
            .await
            .map_err(|e| unavailable(&e.to_string()))?;
        let over = Arc::new(Cut::new());
        let held = lease.held;
        if let Some(held) = &held {
            held.ends_with(over.clone());
        }
        let own = Own::of(dialled, limits);
        Ok(Reader {
            queries: catalogue_queries(Major(own.server_major))
                .ok_or_else(|| unavailable("no reads for this version"))?,
            own,
            fingerprint: Vec::new(),
            over,
            _held: held,
        })
    }
}

impl Catalogues for TargetCatalogues {
    fn current(&self, database: &str) -> Option<Snapshot> {
        self.slot(database)
            .snapshot
            .load()
            .as_ref()
            .map(|s| s.as_ref().clone())
    }

    fn refresh<'a>(
        &'a self,
        database: &'a str,
    ) -> BoxFuture<'a, Result<Snapshot, CatalogueUnavailable>> {
        let asked_at = self.clock.now();
        Box::pin(async move {
            let done = self.read(database, asked_at).await;
            if let Err(error) = &done {
                tracing::error!(%error, target = self.target, database, "the catalogue cannot be read");
            }
            done
        })
    }
}

fn unavailable(why: &str) -> CatalogueUnavailable {
    CatalogueUnavailable(why.to_owned())
}

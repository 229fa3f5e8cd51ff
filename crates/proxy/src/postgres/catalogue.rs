//! Shared pictures of a target's catalogues: read by a connection of the gateway's own, kept fresh on demand.
//!
//! Lives here: fetching and sharing. Never: what a picture means.

use super::dial;
use crate::endpoint::Endpoints;
use crate::stream::Stream;
use arc_swap::ArcSwapOption;
use brattice_core::classify::sql::catalogue::{Catalogue, Major};
use brattice_core::classify::sql::{CatalogueQueries, Rows};
use brattice_core::gate::{
    CatalogueUnavailable, Catalogues, Snapshot, catalogue_queries, next_version, text_rows,
};
use brattice_core::ports::{BoxFuture, CredentialSource};
use brattice_core::time::{Clock, Timestamp};
use brattice_wire::Limits;
use brattice_wire::postgres::{Backend, backend, encode};
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
    stream: Stream,
    input: BytesMut,
    queries: &'static CatalogueQueries,
    fingerprint: Rows,
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
        if let Some(mut reader) = reader {
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
        let fingerprint = reader
            .query(&reader.queries.fingerprint, &self.limits)
            .await?;
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
            rows.push(reader.query(text, &self.limits).await?);
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
        let lease = self
            .lender
            .lend(&self.target)
            .await
            .map_err(|e| unavailable(&e.to_string()))?;
        let dialled = dial::connect(
            &endpoint,
            database,
            &lease,
            "brattice catalogue",
            Vec::new(),
            &self.limits,
        )
        .await
        .map_err(|e| unavailable(&e.to_string()))?;
        Ok(Reader {
            stream: dialled.stream,
            input: dialled.unread,
            queries: catalogue_queries(Major(dialled.logged_in.server_major))
                .ok_or_else(|| unavailable("no reads for this version"))?,
            fingerprint: Vec::new(),
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

impl Reader {
    /// Runs one of the gateway's own queries.
    async fn query(&mut self, text: &str, limits: &Limits) -> Result<Rows, CatalogueUnavailable> {
        let mut out = BytesMut::new();
        encode::query(&mut out, text.as_bytes()).map_err(|e| unavailable(&e.to_string()))?;
        self.stream
            .write_all_buf(&mut out)
            .await
            .map_err(|e| unavailable(&e.to_string()))?;
        self.stream
            .flush()
            .await
            .map_err(|e| unavailable(&e.to_string()))?;
        let mut rows = Vec::new();
        let mut failed = None;
        loop {
            while let Some(message) =
                backend::next(&mut self.input, limits).map_err(|e| unavailable(&e.to_string()))?
            {
                match message {
                    Backend::DataRow(row) => {
                        let mut cells = Vec::with_capacity(row.len());
                        for cell in row.cells() {
                            cells.push(
                                cell.map_err(|e| unavailable(&e.to_string()))?
                                    .map(Bytes::copy_from_slice),
                            );
                        }
                        rows.push(cells);
                    }
                    Backend::ErrorResponse(fields) => failed = Some(fields.sqlstate().to_owned()),
                    Backend::ReadyForQuery(_) => {
                        return match failed {
                            None => {
                                text_rows(rows).ok_or_else(|| unavailable("its text is not UTF-8"))
                            }
                            Some(state) => Err(unavailable(&format!(
                                "the target answered with SQLSTATE {state}"
                            ))),
                        };
                    }
                    _ => {}
                }
            }
            if self
                .stream
                .read_buf(&mut self.input)
                .await
                .map_err(|e| unavailable(&e.to_string()))?
                == 0
            {
                return Err(unavailable("the target closed the connection"));
            }
        }
    }
}

fn unavailable(why: &str) -> CatalogueUnavailable {
    CatalogueUnavailable(why.to_owned())
}

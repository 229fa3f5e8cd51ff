//! The audit log: writing administrative acts to it, following it, taking its files away.
//!
//! Lives here: pages of entries, and which files may leave. Never: the signing key, a way to change anything.

use crate::run::Gateway;
use brattice_admin::ports::{AuditApi, AuditFile, AuditLine, Failed, Recorder};
use brattice_core::audit::{Entry, Event};
use brattice_core::ports::{AuditLog, BoxFuture, RecordFailed};
use brattice_store::audit::{self, Entries, Filter};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Writes administrative acts.
pub struct OnRecord(pub Arc<Gateway>);

impl Recorder for OnRecord {
    fn write<'a>(&'a self, event: Event) -> BoxFuture<'a, Result<(), RecordFailed>> {
        Box::pin(async move {
            let gateway = &self.0;
            let entry = Entry {
                at: gateway.clock.now(),
                session: None,
                sequence: None,
                revision: gateway.revision(),
                event,
            };
            let at = gateway.tally.append(&entry)?;
            gateway.tally.durable(at).await
        })
    }
}

/// The log's files.
pub struct AuditFiles(pub Arc<Gateway>);

impl AuditFiles {
    fn dir(&self) -> PathBuf {
        self.0.audit_dir()
    }

    async fn page(
        &self,
        from: u64,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<AuditLine>, Failed> {
        let until = Instant::now() + wait;
        loop {
            let mut appended = pin!(self.0.tally.appended().notified());
            // From here on nothing that is appended goes unnoticed.
            appended.as_mut().enable();
            let dir = self.dir();
            let lines = blocking("read the audit log", move || lines(&dir, from, limit)).await?;
            if !lines.is_empty() || limit == 0 {
                return Ok(lines);
            }
            if tokio::time::timeout_at(until, appended).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }
}

impl AuditApi for AuditFiles {
    fn read<'a>(
        &'a self,
        from: u64,
        limit: usize,
        wait: Duration,
    ) -> BoxFuture<'a, Result<Vec<AuditLine>, Failed>> {
        Box::pin(self.page(from, limit, wait))
    }

    fn entries(&self) -> Result<u64, Failed> {
        self.0
            .log
            .entries()
            .map_err(|why| Failed::new("count audit entries", why))
    }

    fn vouch<'a>(&'a self) -> BoxFuture<'a, Result<(), Failed>> {
        Box::pin(async move {
            let signed = self.0.log.sign_head().await;
            signed
                .map(drop)
                .map_err(|why| Failed::new("sign the audit log", why))
        })
    }

    fn files<'a>(&'a self) -> BoxFuture<'a, Result<Vec<AuditFile>, Failed>> {
        Box::pin(async move {
            let dir = self.dir();
            blocking("list the audit log's files", move || {
                let files = audit::files(&dir).map_err(|why| why.to_string())?;
                Ok(files
                    .into_iter()
                    .map(|f| AuditFile {
                        name: f.name,
                        bytes: f.bytes,
                    })
                    .collect())
            })
            .await
        })
    }

    fn file<'a>(
        &'a self,
        name: &'a str,
        offset: u64,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, Failed>> {
        let (dir, name) = (self.dir(), name.to_owned());
        Box::pin(blocking("read a file of the audit log", move || {
            audit::read_file(&dir, &name, offset, bytes_max).map_err(|why| why.to_string())
        }))
    }
}

async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Failed> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|why| Failed::new(operation, why))?
        .map_err(|why| Failed::new(operation, why))
}

fn lines(dir: &Path, from: u64, limit: usize) -> Result<Vec<AuditLine>, String> {
    let filter = Filter {
        from,
        session: None,
    };
    let mut lines = Vec::new();
    for stored in Entries::open(dir, filter).take(limit) {
        let stored = stored.map_err(|why| why.to_string())?;
        lines.push(AuditLine {
            position: stored.position.0,
            entry: serde_json::to_value(&stored.entry).map_err(|why| why.to_string())?,
        });
    }
    Ok(lines)
}

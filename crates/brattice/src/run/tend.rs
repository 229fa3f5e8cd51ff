//! What has to be done again and again: signing heads, sweeping old questions, noticing a changed bundle; and the list
//! of sessions.
//!
//! Lives here: timers. Never: what they do.

use super::Gateway;
use crate::config;
use brattice_core::gate::CutReason;
use brattice_core::ids::{Digest, SessionId};
use brattice_core::record::Header;
use brattice_core::time::Clock;
use brattice_proxy::postgres::Witness;
use brattice_store::db::{Db, SessionEnd};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};

/// How often the bundle's files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a head is signed while there is activity.
const SIGN_EVERY: Duration = Duration::from_secs(30);
/// How often old questions are swept.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Runs until told to stop.
pub(super) async fn tend(gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut sign = tokio::time::interval(SIGN_EVERY);
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    let mut seen = newest(&gateway);
    loop {
        tokio::select! {
            _ = stop.changed() => return,
            _ = look.tick() => {
                let now = newest(&gateway);
                if now != seen {
                    seen = now;
                    reload(&gateway);
                }
                if gateway.log.failure().is_some() {
                    gateway.live.cut_all(CutReason::Failing);
                }
            }
            _ = sign.tick() => {
                if let Err(error) = gateway.log.sign_head().await {
                    tracing::error!(%error, "a head of the audit log could not be signed");
                }
            }
            _ = sweep.tick() => {
                if let Err(error) = gateway.db.expire(gateway.clock.now()).await {
                    tracing::error!(%error, "old approvals could not be swept");
                }
            }
        }
    }
}

/// Reads the bundle again; a broken one is refused with its errors and the last good one stays.
pub fn reload(gateway: &Gateway) {
    let root = gateway.checked.load().root.clone();
    match config::load(&root) {
        Err(report) => tracing::error!("the bundle was not applied:\n{report}"),
        Ok(checked) if checked.digest == gateway.checked.load().digest => {}
        Ok(checked) => {
            if let Err(error) = gateway.apply(checked) {
                tracing::error!(%error, "the bundle was not applied");
            }
        }
    }
}

/// The newest change among the bundle's files, and how many there are.
fn newest(gateway: &Gateway) -> (Option<SystemTime>, usize) {
    let root = gateway.checked.load().root.clone();
    let mut newest = None;
    let mut count = 0;
    for directory in [root.clone(), root.join("policies")] {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let is_ours = entry.path().extension().is_some_and(|e| e == "toml" || e == "cedar");
            if let (true, Ok(changed)) = (is_ours, entry.metadata().and_then(|m| m.modified())) {
                newest = newest.max(Some(changed));
                count += 1;
            }
        }
    }
    (newest, count)
}

/// Something to note in the list of sessions.
enum Note {
    Opened(Box<Header>),
    Closed(SessionId, SessionEnd),
}

/// Keeps the list of sessions that outlives them, in the order in which things happened.
pub(super) struct SessionList {
    notes: mpsc::UnboundedSender<Note>,
    clock: Arc<dyn Clock>,
}

impl SessionList {
    /// Notes into this database. There is at most one note for each open and each closed connection, so the queue is
    /// bounded by the connection permits.
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        let (notes, mut queue) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(note) = queue.recv().await {
                let done = match &note {
                    Note::Opened(header) => db.session_opened(header).await,
                    Note::Closed(id, end) => db.session_closed(id, end).await,
                };
                if let Err(error) = done {
                    tracing::error!(%error, "the list of sessions could not be kept");
                }
            }
        });
        Self { notes, clock }
    }

    fn note(&self, note: Note) {
        if self.notes.send(note).is_err() {
            tracing::error!("the list of sessions is no longer kept");
        }
    }
}

impl Witness for SessionList {
    fn opened(&self, header: &Header) {
        self.note(Note::Opened(Box::new(header.clone())));
    }

    fn closed(&self, id: &SessionId, reason: &str, commands: u64, recording: Option<Digest>) {
        let end = SessionEnd { at: self.clock.now(), reason: reason.to_owned(), commands, recording };
        self.note(Note::Closed(id.clone(), end));
    }
}

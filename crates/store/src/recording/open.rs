//! Recordings that are being written, and whoever looks on meanwhile.
//!
//! Lives here: what a session and its onlookers share of a writer, and since when it was last written out. Never: a queue:
//! onlookers read the file, so that they see what is on record and nothing else, and a session does nothing for them.

use super::write::Writer;
use brattice_core::ids::{Digest, SessionId};
use brattice_core::ports::{RecordFailed, Recorder};
use brattice_core::record::Frame;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// However many look on, what a session has buffered is written out no more often than this.
const WRITTEN_OUT_EVERY: Duration = Duration::from_millis(40);

/// What is being written now.
#[derive(Default)]
pub(crate) struct OpenNow(Mutex<HashMap<SessionId, Arc<Slot>>>);

/// One recording that is being written.
struct Slot {
    path: PathBuf,
    /// None once it is sealed, or its session let go of it.
    writer: Mutex<Option<Writer>>,
    written_out_at: Mutex<Option<Instant>>,
}

impl OpenNow {
    /// Lists a recording until its session seals it or lets go of it.
    pub(crate) fn enter(self: &Arc<Self>, session: SessionId, writer: Writer) -> Shared {
        let slot = Arc::new(Slot {
            path: writer.path.clone(),
            writer: Mutex::new(Some(writer)),
            written_out_at: Mutex::default(),
        });
        self.list().insert(session.clone(), slot.clone());
        Shared {
            open: self.clone(),
            session,
            slot,
        }
    }

    /// Where a recording stands that is being written.
    pub(crate) fn path_of(&self, session: &SessionId) -> Option<PathBuf> {
        self.list().get(session).map(|slot| slot.path.clone())
    }

    /// Writes out what a session has buffered; false when nothing of it is being written any more.
    pub(crate) fn write_out(
        &self,
        session: &SessionId,
        now: Instant,
    ) -> Result<bool, RecordFailed> {
        let Some(slot) = self.list().get(session).cloned() else {
            return Ok(false);
        };
        {
            let mut last = slot
                .written_out_at
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|at| now.saturating_duration_since(at) < WRITTEN_OUT_EVERY) {
                return Ok(true);
            }
            *last = Some(now);
        }
        match slot.writer()?.as_mut() {
            Some(writer) => writer.flush().map(|()| true),
            None => Ok(false),
        }
    }

    fn list(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// What panicked half-way through a frame is not written on.
    fn writer(&self) -> Result<MutexGuard<'_, Option<Writer>>, RecordFailed> {
        self.writer
            .lock()
            .map_err(|_| RecordFailed("writing the recording broke off".to_owned()))
    }
}

/// A session's hold on its recording.
pub(crate) struct Shared {
    open: Arc<OpenNow>,
    session: SessionId,
    slot: Arc<Slot>,
}

impl Shared {
    fn with<T>(
        &self,
        what: impl FnOnce(&mut Writer) -> Result<T, RecordFailed>,
    ) -> Result<T, RecordFailed> {
        match self.slot.writer()?.as_mut() {
            Some(writer) => what(writer),
            None => Err(RecordFailed("the recording is sealed".to_owned())),
        }
    }
}

impl Recorder for Shared {
    fn frame(&mut self, frame: Frame<'_>) -> Result<(), RecordFailed> {
        self.with(|writer| writer.frame(frame))
    }

    fn flush(&mut self) -> Result<(), RecordFailed> {
        self.with(Writer::flush)
    }

    fn seal(self: Box<Self>) -> Result<Digest, RecordFailed> {
        // Held until the end is written: to whoever looks on it is open, or all of it is there.
        let mut slot = self.slot.writer()?;
        let writer = slot.take();
        let writer = writer.ok_or_else(|| RecordFailed("the recording is sealed".to_owned()))?;
        Box::new(writer).seal()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Taken out before it is off the list: whoever finds no entry finds all of it on the disk.
        if let Ok(mut writer) = self.slot.writer.lock() {
            drop(writer.take());
        }
        let mut list = self.open.list();
        // Another recording of the same id cannot be open: its marker would be there.
        list.remove(&self.session);
    }
}

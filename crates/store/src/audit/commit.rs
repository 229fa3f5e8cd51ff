//! What writers share: the tail, the syncs, the heads.
//!
//! Lives here: group commit, rolling, signing, and the state that ends all of it for good. Never: a way on after a failed
//! write or sync.

use super::head::{self, Head, SigningKey};
use super::log::Settings;
use super::segment::{self, SegmentHeader};
use crate::disk::{Disk, Growing};
use brattice_core::ids::Digest;
use brattice_core::ports::RecordFailed;
use brattice_core::time::Clock;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::watch;

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) key: SigningKey,
    pub(crate) tail: Mutex<Tail>,
    /// Taken for the length of a sync, before `tail`: a second one must not overtake files that the first has in hand.
    pub(crate) sync: Mutex<()>,
    pub(crate) heads: Mutex<Heads>,
    /// Why nothing more is written. Set once, never cleared.
    pub(crate) failed: OnceLock<String>,
    /// No more appends; what was appended can still become durable.
    pub(crate) closed: AtomicBool,
    /// Entries that survive the machine's death.
    pub(crate) synced: watch::Sender<u64>,
    /// Entries that somebody waits for.
    pub(crate) wanted: AtomicU64,
    pub(crate) syncing: AtomicBool,
    /// Held for as long as the log is open.
    pub(crate) _lock: File,
}

pub(crate) struct Tail {
    pub(crate) file: Arc<dyn Growing>,
    pub(crate) bytes: u64,
    /// Position of the segment's first entry.
    pub(crate) first: u64,
    pub(crate) next: u64,
    pub(crate) chain: Digest,
    /// Finished segments with entries that no sync has covered.
    pub(crate) unsynced: Vec<Arc<dyn Growing>>,
    /// A file name that no sync has covered.
    pub(crate) new_name: bool,
    /// The chain's state when a segment was finished: to be signed after the next sync.
    pub(crate) rolled: Option<(u64, Digest)>,
}

pub(crate) struct Heads {
    pub(crate) file: Arc<dyn Growing>,
    pub(crate) newest: Option<Head>,
}

/// Syncs on a blocking thread for as long as somebody waits, unless one does so already.
pub(crate) fn start_sync(shared: &Arc<Shared>) {
    if shared.syncing.swap(true, Ordering::SeqCst) {
        return;
    }
    let shared = Arc::clone(shared);
    tokio::task::spawn_blocking(move || {
        let mut running = Running {
            shared: &shared,
            unfinished: true,
        };
        while let Ok(done) = shared.sync_once() {
            if shared.wanted.load(Ordering::SeqCst) > done.entries {
                continue;
            }
            shared.syncing.store(false, Ordering::SeqCst);
            // Whoever asked between the two lines saw a sync running and relies on this one.
            let missed = shared.wanted.load(Ordering::SeqCst) > done.entries;
            if !missed || shared.syncing.swap(true, Ordering::SeqCst) {
                running.unfinished = false;
                return;
            }
        }
    });
}

/// When syncing ends otherwise than in good order, breaks the log and wakes all who wait.
struct Running<'a> {
    shared: &'a Shared,
    unfinished: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.unfinished {
            self.shared.fail("the sync ended in the middle".to_owned());
            self.shared.syncing.store(false, Ordering::SeqCst);
            self.shared.synced.send_modify(|_| {});
        }
    }
}

/// What a sync covered.
pub(crate) struct Synced {
    entries: u64,
    chain: Digest,
}

impl Shared {
    pub(crate) fn check_failed(&self) -> Result<(), RecordFailed> {
        match self.failed.get() {
            None => Ok(()),
            Some(why) => Err(RecordFailed(why.clone())),
        }
    }

    pub(crate) fn check_open(&self) -> Result<(), RecordFailed> {
        self.check_failed()?;
        if self.closed.load(Ordering::SeqCst) {
            return Err(RecordFailed("the log is closed".to_owned()));
        }
        Ok(())
    }

    /// Ends the log for good. The first reason stays.
    pub(crate) fn fail(&self, why: String) -> RecordFailed {
        if self.failed.set(why.clone()).is_ok() {
            tracing::error!(why, "the audit log takes no more entries");
        }
        RecordFailed(why)
    }

    pub(crate) fn fail_io(&self, operation: &str, error: &io::Error) -> RecordFailed {
        self.fail(format!("could not {operation}: {error}"))
    }

    pub(crate) fn tail(&self) -> Result<std::sync::MutexGuard<'_, Tail>, RecordFailed> {
        self.tail
            .lock()
            .map_err(|_| self.fail("an append ended in the middle".to_owned()))
    }

    pub(crate) fn write(&self, tail: &mut Tail, frame: &[u8]) -> io::Result<()> {
        let length = frame.len() as u64;
        let full = tail.bytes.saturating_add(length) > self.settings.segment_bytes_max;
        if full && tail.next > tail.first {
            let (file, bytes) =
                begin_segment(self.disk.as_ref(), &self.settings, tail.next, tail.chain)?;
            tail.unsynced.push(std::mem::replace(&mut tail.file, file));
            tail.bytes = bytes;
            tail.first = tail.next;
            tail.new_name = true;
            tail.rolled = Some((tail.next, tail.chain));
        }
        tail.file.append(frame)?;
        tail.bytes += length;
        Ok(())
    }

    /// Makes durable what was written when it began.
    pub(crate) fn sync_once(&self) -> Result<Synced, RecordFailed> {
        let _alone = self
            .sync
            .lock()
            .map_err(|_| self.fail("a sync ended in the middle".to_owned()))?;
        let (done, rolled) = {
            let mut tail = self.tail()?;
            let mut files = std::mem::take(&mut tail.unsynced);
            files.push(Arc::clone(&tail.file));
            let new_name = std::mem::take(&mut tail.new_name);
            let rolled = tail.rolled.take();
            let done = Synced {
                entries: tail.next,
                chain: tail.chain,
            };
            drop(tail);
            self.sync_files(&files, new_name)
                .map_err(|e| self.fail_io("sync the audit log", &e))?;
            (done, rolled)
        };
        self.synced.send_replace(done.entries);
        if let Some((entries, chain)) = rolled {
            self.sign(Synced { entries, chain })?;
        }
        Ok(done)
    }

    fn sync_files(&self, files: &[Arc<dyn Growing>], new_name: bool) -> io::Result<()> {
        for file in files {
            file.sync()?;
        }
        if new_name {
            self.disk.sync_dir(&self.settings.dir)?;
        }
        Ok(())
    }

    pub(crate) fn sign_now(&self) -> Result<Option<Head>, RecordFailed> {
        self.check_failed()?;
        let synced = self.sync_once()?;
        self.sign(synced)
    }

    /// Signs what survives the machine's death. A head never runs ahead of that: it would accuse an honest log.
    pub(crate) fn sign(&self, synced: Synced) -> Result<Option<Head>, RecordFailed> {
        let mut heads = self
            .heads
            .lock()
            .map_err(|_| self.fail("a signing ended in the middle".to_owned()))?;
        if let Some(newest) = &heads.newest
            && newest.entries >= synced.entries
        {
            return Ok(None);
        }
        let (node, now) = (&self.settings.node, self.clock.now());
        let head = self.key.sign(node, synced.entries, synced.chain, now);
        head::line(&head)
            .and_then(|line| heads.file.append(&line))
            .and_then(|()| heads.file.sync())
            .map_err(|e| self.fail_io("write a signed head", &e))?;
        heads.newest = Some(head.clone());
        Ok(Some(head))
    }
}

pub(crate) fn begin_segment(
    disk: &dyn Disk,
    settings: &Settings,
    first: u64,
    previous: Digest,
) -> io::Result<(Arc<dyn Growing>, u64)> {
    let header = SegmentHeader {
        node: settings.node.clone(),
        first,
        previous,
    }
    .encode()?;
    let file = disk.create(&settings.dir.join(segment::file_name(first)))?;
    file.append(&header)?;
    Ok((file, header.len() as u64))
}

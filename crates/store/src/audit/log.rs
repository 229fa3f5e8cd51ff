//! Writing the log: append under one lock, sync once for all who wait.
//!
//! Lives here: order, group commit, rolling, signing. Never: a way on after a failed write or sync.

use super::head::{self, HEADS, Head, PublicKey, SIGNING_KEY, SigningKey};
use super::recover::{self, Recovered};
use super::segment::{self, SegmentHeader};
use super::{OpenError, segments_in};
use crate::disk::{Disk, Growing, LocalDisk, private_dir};
use brattice_core::audit::{Entry, Position};
use brattice_core::ids::Digest;
use brattice_core::ports::{AuditLog, BoxFuture, Randomness, RecordFailed};
use brattice_core::time::Clock;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::watch;

/// Where a log is, and whose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory: on a durable local volume, written by this process alone.
    pub dir: PathBuf,
    /// The node's name; a log belongs to one node for ever.
    pub node: String,
    /// A segment that would grow beyond this is followed by a new one.
    pub segment_bytes_max: u64,
}

impl Settings {
    /// A log in this directory, with segments of 64 MiB.
    pub fn new(dir: impl Into<PathBuf>, node: impl Into<String>) -> Self {
        Self {
            dir: dir.into(),
            node: node.into(),
            segment_bytes_max: 64 << 20,
        }
    }
}

/// The node's audit log. Clones share it.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    settings: Settings,
    disk: Box<dyn Disk>,
    clock: Arc<dyn Clock>,
    key: SigningKey,
    tail: Mutex<Tail>,
    /// Taken for the length of a sync, before `tail`: a second one must not overtake files that the first has in hand.
    sync: Mutex<()>,
    heads: Mutex<Heads>,
    /// Why nothing more is written. Set once, never cleared.
    failed: OnceLock<String>,
    /// No more appends; what was appended can still become durable.
    closed: AtomicBool,
    /// Entries that survive the machine's death.
    synced: watch::Sender<u64>,
    /// Entries that somebody waits for.
    wanted: AtomicU64,
    syncing: AtomicBool,
    /// Held for as long as the log is open.
    _lock: File,
}

struct Tail {
    file: Arc<dyn Growing>,
    bytes: u64,
    /// Position of the segment's first entry.
    first: u64,
    next: u64,
    chain: Digest,
    /// Finished segments with entries that no sync has covered.
    unsynced: Vec<Arc<dyn Growing>>,
    /// A file name that no sync has covered.
    new_name: bool,
    /// The chain's state when a segment was finished: to be signed after the next sync.
    rolled: Option<(u64, Digest)>,
}

struct Heads {
    file: Arc<dyn Growing>,
    newest: Option<Head>,
}

impl Log {
    /// Opens or begins the log. Refuses if what is there is not whole, a torn last entry aside, which is cut.
    pub fn open(
        settings: Settings,
        random: &dyn Randomness,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Recovered), OpenError> {
        Self::open_on(Box::new(LocalDisk), settings, random, clock)
    }

    pub(crate) fn open_on(
        disk: Box<dyn Disk>,
        settings: Settings,
        random: &dyn Randomness,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Recovered), OpenError> {
        let dir = settings.dir.as_path();
        private_dir(dir).map_err(|e| OpenError::io("make the directory", dir, e))?;
        let lock = take_lock(dir)?;
        let is_new = is_new(dir).map_err(|e| OpenError::io("list the segments", dir, e))?;
        let key = SigningKey::load_or_make(dir, is_new, random)?;
        let end = recover::recover(dir, &settings.node, key.public())?;
        let recovered = Recovered {
            entries: end.next,
            cut_bytes: end.cut_bytes,
        };
        let (file, bytes) = match &end.segment {
            Some(path) => disk.extend(path).map(|file| (file, end.bytes)),
            None => begin_segment(disk.as_ref(), &settings, end.next, end.chain),
        }
        .map_err(|e| OpenError::io("open a segment", dir, e))?;
        let heads = open_heads(disk.as_ref(), dir)
            .map_err(|e| OpenError::io("open the signed heads", dir, e))?;
        let shared = Shared {
            disk,
            clock,
            key,
            tail: Mutex::new(Tail {
                file,
                bytes,
                first: end.first,
                next: end.next,
                chain: end.chain,
                unsynced: Vec::new(),
                new_name: true,
                rolled: None,
            }),
            sync: Mutex::new(()),
            heads: Mutex::new(Heads {
                file: heads,
                newest: end.newest,
            }),
            failed: OnceLock::new(),
            closed: AtomicBool::new(false),
            synced: watch::channel(0).0,
            wanted: AtomicU64::new(0),
            syncing: AtomicBool::new(false),
            settings,
            _lock: lock,
        };
        shared.sign_now().map_err(|e| {
            OpenError::io(
                "sign the first head",
                &shared.settings.dir,
                io::Error::other(e),
            )
        })?;
        Ok((Self(Arc::new(shared)), recovered))
    }

    /// The key that checks this log.
    pub fn public_key(&self) -> PublicKey {
        self.0.key.public()
    }

    /// How many entries there are.
    pub fn entries(&self) -> Result<u64, RecordFailed> {
        Ok(self.0.tail()?.next)
    }

    /// Why nothing more can be written, if so. For health checks.
    pub fn failure(&self) -> Option<&str> {
        self.0.failed.get().map(String::as_str)
    }

    /// Makes everything durable and signs it; `None` when the newest head covers it already. Called by a timer at least
    /// every minute.
    pub async fn sign_head(&self) -> Result<Option<Head>, RecordFailed> {
        let shared = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || shared.sign_now())
            .await
            .map_err(|_| RecordFailed("the signing task ended early".to_owned()))?
    }

    /// The newest signed head.
    pub fn newest_head(&self) -> Option<Head> {
        self.0.heads.lock().ok()?.newest.clone()
    }

    /// Signs a last head; nothing can be appended afterwards.
    pub async fn close(&self) -> Result<(), RecordFailed> {
        {
            // Under the lock: no append is then between its check and its write.
            let _tail = self.0.tail()?;
            self.0.closed.store(true, Ordering::SeqCst);
        }
        self.0.check_failed()?;
        let shared = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || shared.sync_once().and_then(|s| shared.sign(s)))
            .await
            .map_err(|_| RecordFailed("the signing task ended early".to_owned()))?
            .map(drop)
    }
}

impl AuditLog for Log {
    fn append(&self, entry: &Entry) -> Result<Position, RecordFailed> {
        self.0.check_failed()?;
        let mut frame = segment::begin_entry();
        serde_json::to_writer(&mut frame, entry).map_err(|e| RecordFailed(e.to_string()))?;
        let mut tail = self.0.tail()?;
        self.0.check_open()?;
        let position = tail.next;
        let chain = segment::seal_entry(&mut frame, &tail.chain, position)
            .ok_or_else(|| RecordFailed("the entry is too large".to_owned()))?;
        self.0
            .write(&mut tail, &frame)
            .map_err(|e| self.0.fail_io("append to the audit log", &e))?;
        tail.next = position + 1;
        tail.chain = chain;
        Ok(Position(position))
    }

    fn durable(&self, at: Position) -> BoxFuture<'_, Result<(), RecordFailed>> {
        Box::pin(async move {
            let shared = &self.0;
            if at.0 >= shared.tail()?.next {
                return Err(RecordFailed(format!("nothing is at position {}", at.0)));
            }
            let mut synced = shared.synced.subscribe();
            shared.wanted.fetch_max(at.0 + 1, Ordering::SeqCst);
            loop {
                shared.check_failed()?;
                if *synced.borrow_and_update() > at.0 {
                    return Ok(());
                }
                start_sync(shared);
                if synced.changed().await.is_err() {
                    return Err(RecordFailed("the log is gone".to_owned()));
                }
            }
        })
    }
}

/// Syncs on a blocking thread for as long as somebody waits, unless one does so already.
fn start_sync(shared: &Arc<Shared>) {
    if shared.syncing.swap(true, Ordering::SeqCst) {
        return;
    }
    let shared = Arc::clone(shared);
    tokio::task::spawn_blocking(move || {
        let mut running = Running {
            shared: &shared,
            unfinished: true,
        };
        loop {
            let Ok(done) = shared.sync_once() else {
                break;
            };
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
struct Synced {
    entries: u64,
    chain: Digest,
}

impl Shared {
    fn check_failed(&self) -> Result<(), RecordFailed> {
        match self.failed.get() {
            None => Ok(()),
            Some(why) => Err(RecordFailed(why.clone())),
        }
    }

    fn check_open(&self) -> Result<(), RecordFailed> {
        self.check_failed()?;
        if self.closed.load(Ordering::SeqCst) {
            return Err(RecordFailed("the log is closed".to_owned()));
        }
        Ok(())
    }

    /// Ends the log for good. The first reason stays.
    fn fail(&self, why: String) -> RecordFailed {
        if self.failed.set(why.clone()).is_ok() {
            tracing::error!(why, "the audit log takes no more entries");
        }
        RecordFailed(why)
    }

    fn fail_io(&self, operation: &str, error: &io::Error) -> RecordFailed {
        self.fail(format!("could not {operation}: {error}"))
    }

    fn tail(&self) -> Result<std::sync::MutexGuard<'_, Tail>, RecordFailed> {
        self.tail
            .lock()
            .map_err(|_| self.fail("an append ended in the middle".to_owned()))
    }

    fn write(&self, tail: &mut Tail, frame: &[u8]) -> io::Result<()> {
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
    fn sync_once(&self) -> Result<Synced, RecordFailed> {
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

    fn sign_now(&self) -> Result<Option<Head>, RecordFailed> {
        self.check_failed()?;
        let synced = self.sync_once()?;
        self.sign(synced)
    }

    /// Signs what survives the machine's death. A head never runs ahead of that: it would accuse an honest log.
    fn sign(&self, synced: Synced) -> Result<Option<Head>, RecordFailed> {
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

fn is_new(dir: &Path) -> io::Result<bool> {
    let has_heads = dir.join(HEADS).try_exists()? && dir.join(HEADS).metadata()?.len() > 0;
    Ok(!has_heads && segments_in(dir)?.is_empty() && !dir.join(SIGNING_KEY).try_exists()?)
}

fn take_lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|e| OpenError::io("open the lock", &path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(dir.to_owned())),
        Err(TryLockError::Error(e)) => Err(OpenError::io("take the lock", &path, e)),
    }
}

fn begin_segment(
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

fn open_heads(disk: &dyn Disk, dir: &Path) -> io::Result<Arc<dyn Growing>> {
    let path = dir.join(HEADS);
    if path.try_exists()? {
        disk.extend(&path)
    } else {
        disk.create(&path)
    }
}

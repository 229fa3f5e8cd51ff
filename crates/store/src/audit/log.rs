//! The log as it is held: opened, appended to, waited for, closed.
//!
//! Lives here: the order of these. Never: bytes of a segment, the syncs themselves.

use super::commit::{Heads, Shared, Tail, begin_segment, start_sync};
use super::head::{HEADS, Head, PublicKey, SIGNING_KEY, SigningKey};
use super::recover::{self, Recovered};
use super::segment;
use super::{OpenError, segments_in};
use crate::disk::{Disk, Growing, LocalDisk, private_dir};
use brattice_core::audit::{Entry, Position};
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

    /// How many of them survive the machine's death.
    pub fn durable_entries(&self) -> u64 {
        *self.0.synced.borrow()
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

    fn soon(&self, at: Position) {
        self.0.wanted.fetch_max(at.0 + 1, Ordering::SeqCst);
        start_sync(&self.0);
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

fn open_heads(disk: &dyn Disk, dir: &Path) -> io::Result<Arc<dyn Growing>> {
    let path = dir.join(HEADS);
    if path.try_exists()? {
        disk.extend(&path)
    } else {
        disk.create(&path)
    }
}

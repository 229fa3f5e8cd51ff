//! The few file operations that records need, behind a trait, so that a full or failing disk can be played in tests.
//!
//! Lives here: create, append, sync. Never: formats.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// A file that only grows.
pub(crate) trait Growing: Send + Sync {
    /// Adds bytes at the end; on return they survive the death of this process.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;
    /// Adds two pieces, one behind the other.
    fn append_two(&self, first: &[u8], second: &[u8]) -> io::Result<()> {
        self.append(first)?;
        self.append(second)
    }
    /// On return what was added survives the death of the machine.
    fn sync(&self) -> io::Result<()>;
}

impl Growing for File {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&*self).write_all(bytes)
    }
    fn append_two(&self, first: &[u8], second: &[u8]) -> io::Result<()> {
        let pieces = [IoSlice::new(first), IoSlice::new(second)];
        let written = match (&*self).write_vectored(&pieces) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
            other => other?,
        };
        let (first_left, second_left) = match first.split_at_checked(written) {
            Some((_, left)) => (left, second),
            None => (
                &[][..],
                second.get(written - first.len()..).unwrap_or_default(),
            ),
        };
        self.append(first_left)?;
        self.append(second_left)
    }
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Makes files that grow.
pub(crate) trait Disk: Send + Sync {
    /// Makes a new file; fails if there is one.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Growing>>;
    /// Opens a file to go on at its end.
    fn extend(&self, path: &Path) -> io::Result<Arc<dyn Growing>>;
    /// On return the names in this directory survive the death of the machine.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// The machine's own file system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalDisk;

impl Disk for LocalDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Growing>> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(Arc::new(file))
    }
    fn extend(&self, path: &Path) -> io::Result<Arc<dyn Growing>> {
        Ok(Arc::new(OpenOptions::new().append(true).open(path)?))
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

/// Makes a directory and those above it, for the owner's eyes only.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
pub(crate) mod failing {
    //! A disk that fills up, or whose syncs fail, when a test says so.

    use super::{Disk, Growing, LocalDisk};
    use std::io;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

    #[derive(Default)]
    struct Switches {
        full: AtomicBool,
        room: AtomicI64,
        no_sync: AtomicBool,
        syncs: AtomicU64,
    }

    #[derive(Clone, Default)]
    pub(crate) struct FailingDisk(Arc<Switches>);

    impl FailingDisk {
        /// From now on only so many more bytes fit.
        pub(crate) fn leave_room_for(&self, bytes: i64) {
            self.0.room.store(bytes, Ordering::SeqCst);
            self.0.full.store(true, Ordering::SeqCst);
        }
        pub(crate) fn free(&self) {
            self.0.full.store(false, Ordering::SeqCst);
        }
        pub(crate) fn fail_syncs(&self) {
            self.0.no_sync.store(true, Ordering::SeqCst);
        }
        pub(crate) fn syncs(&self) -> u64 {
            self.0.syncs.load(Ordering::SeqCst)
        }
    }

    struct FailingFile(Arc<dyn Growing>, Arc<Switches>);

    impl Growing for FailingFile {
        fn append(&self, bytes: &[u8]) -> io::Result<()> {
            if self.1.full.load(Ordering::SeqCst) {
                let wanted = i64::try_from(bytes.len()).unwrap();
                let room = self.1.room.fetch_sub(wanted, Ordering::SeqCst);
                if room < wanted {
                    let fits = usize::try_from(room.max(0)).unwrap();
                    self.0.append(&bytes[..fits])?;
                    return Err(io::ErrorKind::StorageFull.into());
                }
            }
            self.0.append(bytes)
        }
        fn sync(&self) -> io::Result<()> {
            self.1.syncs.fetch_add(1, Ordering::SeqCst);
            if self.1.no_sync.load(Ordering::SeqCst) {
                return Err(io::Error::other("the device reports an error"));
            }
            self.0.sync()
        }
    }

    impl Disk for FailingDisk {
        fn create(&self, path: &Path) -> io::Result<Arc<dyn Growing>> {
            Ok(Arc::new(FailingFile(
                LocalDisk.create(path)?,
                self.0.clone(),
            )))
        }
        fn extend(&self, path: &Path) -> io::Result<Arc<dyn Growing>> {
            Ok(Arc::new(FailingFile(
                LocalDisk.extend(path)?,
                self.0.clone(),
            )))
        }
        fn sync_dir(&self, path: &Path) -> io::Result<()> {
            LocalDisk.sync_dir(path)
        }
    }
}

//! The leases that are out, on disk: a gateway that was killed revokes them at its next start.
//!
//! Lives here: a file for each, by the vault's own name for it. Never: a secret; whoever has the name of a lease still
//! needs a token to end it.

use brattice_core::ids::Hasher;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

/// Notes that are read at once.
const NOTES_MAX: usize = 100_000;

/// The book.
pub(in crate::lend) struct Book {
    directory: PathBuf,
    /// Leases that sessions of this process have, or that are being revoked.
    live: Mutex<HashSet<String>>,
}

/// One lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub vault: String,
    pub lease: String,
}

impl Book {
    pub(in crate::lend) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            live: Mutex::default(),
        }
    }

    fn live(&self) -> MutexGuard<'_, HashSet<String>> {
        match self.live.lock() {
            Ok(live) => live,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// Notes a lease before it is used. It survives the death of the process, not of the machine: the vault ends it then.
    pub(super) fn note(&self, note: &Note) -> io::Result<()> {
        self.live().insert(note.lease.clone());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.file(&note.lease))?;
        file.write_all(&serde_json::to_vec(note)?)
    }

    /// One that is no longer out, or that a later sweep must see to.
    pub(super) fn settled(&self, lease: &str, paid: bool) {
        if paid && let Err(why) = std::fs::remove_file(self.file(lease)) {
            tracing::warn!(%why, "the note of a lease that is over cannot be removed");
        }
        self.live().remove(lease);
    }

    /// Those that no session of this process has.
    pub(super) fn left_behind(&self) -> Vec<Note> {
        let Ok(files) = std::fs::read_dir(&self.directory) else {
            return Vec::new();
        };
        let notes = files.take(NOTES_MAX).filter_map(|file| {
            let text = std::fs::read(file.ok()?.path()).ok()?;
            serde_json::from_slice::<Note>(&text).ok()
        });
        let notes: Vec<Note> = notes.collect();
        let live = self.live();
        // One that was settled since it was read has no file any more.
        notes
            .into_iter()
            .filter(|n| !live.contains(&n.lease) && self.file(&n.lease).exists())
            .collect()
    }

    fn file(&self, lease: &str) -> PathBuf {
        let mut h = Hasher::new();
        h.field(b"brattice lease").field(lease.as_bytes());
        self.directory.join(hex::encode(h.finish().0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_found_by_the_next_process_until_it_is_settled() {
        let dir = tempfile::tempdir().unwrap();
        let note = Note {
            vault: "corp".to_owned(),
            lease: "database/creds/x/../../../etc/passwd".to_owned(),
        };
        let book = Book::new(dir.path().join("leases"));
        assert_eq!(book.left_behind(), []);
        book.note(&note).unwrap();
        assert_eq!(book.left_behind(), [], "its session has it");
        let next = Book::new(dir.path().join("leases"));
        assert_eq!(next.left_behind(), std::slice::from_ref(&note));
        next.settled(&note.lease, true);
        assert_eq!(next.left_behind(), []);
    }
}

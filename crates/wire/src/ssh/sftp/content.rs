//! What was transferred of one file, for the record: how much, and the digest of what went in sequence. Never here: the
//! file itself, which may hold more than was transferred.

use brattice_core::ids::Hasher;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;

/// What was transferred in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// How many bytes, counting again what was transferred again. Of writes, those that the target says it took.
    pub bytes: u64,
    /// SHA-256 of them, if they went in sequence from offset 0, each once and none failed. It is that of the whole file only
    /// if all of the file was transferred. `None` once the transfer left that sequence.
    pub sha256: Option<[u8; 32]>,
}

/// Hashes what follows on one another from offset 0.
struct Sequence {
    next: u64,
    hasher: Option<Hasher>,
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hasher {
            Some(_) => write!(f, "Sequence(up to {})", self.next),
            None => f.write_str("Sequence(left)"),
        }
    }
}

impl Sequence {
    fn new() -> Self {
        Self {
            next: 0,
            hasher: Some(Hasher::new()),
        }
    }

    fn leave(&mut self) {
        self.hasher = None;
    }

    fn add(&mut self, offset: u64, data: &[u8]) {
        let end = self.next.checked_add(data.len() as u64);
        match (self.hasher.as_mut(), end) {
            (Some(hasher), Some(end)) if offset == self.next => {
                hasher.raw(data);
                self.next = end;
            }
            _ => self.leave(),
        }
    }

    fn digest(self) -> Option<[u8; 32]> {
        self.hasher.map(|hasher| hasher.finish().0)
    }
}

/// What came from a file. Answers to requests under way together may come in any order.
#[derive(Debug)]
pub(super) struct Reading {
    bytes: u64,
    sequence: Sequence,
    /// What came before its turn.
    early: BTreeMap<u64, Bytes>,
    early_bytes: usize,
    early_bytes_max: usize,
}

impl Reading {
    pub(super) fn new(early_bytes_max: usize) -> Self {
        Self {
            bytes: 0,
            sequence: Sequence::new(),
            early: BTreeMap::new(),
            early_bytes: 0,
            early_bytes_max,
        }
    }

    pub(super) fn came(&mut self, offset: u64, data: &[u8]) {
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        if data.is_empty() || self.sequence.hasher.is_none() {
            return;
        }
        if offset > self.sequence.next {
            self.keep(offset, data);
            return;
        }
        self.sequence.add(offset, data);
        while let Some(first) = self.early.first_entry() {
            if *first.key() > self.sequence.next {
                break;
            }
            let (offset, data) = first.remove_entry();
            self.early_bytes = self.early_bytes.saturating_sub(data.len());
            self.sequence.add(offset, &data);
        }
    }

    fn keep(&mut self, offset: u64, data: &[u8]) {
        let kept = self.early_bytes.saturating_add(data.len());
        if kept > self.early_bytes_max || self.early.contains_key(&offset) {
            self.sequence.leave();
            self.early.clear();
            self.early_bytes = 0;
            return;
        }
        self.early_bytes = kept;
        // A copy: a slice would keep the whole receive buffer alive.
        self.early.insert(offset, Bytes::copy_from_slice(data));
    }

    pub(super) fn content(self) -> Content {
        Content {
            bytes: self.bytes,
            sha256: self.sequence.digest().filter(|_| self.early.is_empty()),
        }
    }
}

/// What went into a file.
#[derive(Debug)]
pub(super) struct Writing {
    bytes: u64,
    sequence: Sequence,
    unanswered: usize,
}

impl Writing {
    /// `appends`: the target puts data at the file's end, whatever its offset, so no offset says where it is.
    pub(super) fn new(appends: bool) -> Self {
        let mut sequence = Sequence::new();
        if appends {
            sequence.leave();
        }
        Self {
            bytes: 0,
            sequence,
            unanswered: 0,
        }
    }

    pub(super) fn went(&mut self, offset: u64, data: &[u8]) {
        self.unanswered = self.unanswered.saturating_add(1);
        if !data.is_empty() {
            self.sequence.add(offset, data);
        }
    }

    pub(super) fn answered(&mut self, bytes: u64, done: bool) {
        self.unanswered = self.unanswered.saturating_sub(1);
        if done {
            self.bytes = self.bytes.saturating_add(bytes);
        } else {
            self.sequence.leave();
        }
    }

    pub(super) fn content(self) -> Content {
        let settled = self.unanswered == 0;
        Content {
            bytes: self.bytes,
            sha256: self.sequence.digest().filter(|_| settled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brattice_core::ids::Digest;

    fn read(pieces: &[(u64, &[u8])]) -> Content {
        let mut reading = Reading::new(8);
        for (offset, data) in pieces {
            reading.came(*offset, data);
        }
        reading.content()
    }

    fn digest(bytes: &[u8]) -> Option<[u8; 32]> {
        Some(Digest::of(bytes).0)
    }

    #[test]
    fn hashes_answers_in_the_order_of_their_offsets() {
        let content = read(&[(2, b"cd"), (4, b"ef"), (0, b"ab"), (6, b"gh")]);
        assert_eq!(content.bytes, 8);
        assert_eq!(content.sha256, digest(b"abcdefgh"));
        assert_eq!(read(&[]).sha256, digest(b""));
    }

    #[test]
    fn gives_no_digest_of_what_left_the_sequence() {
        for pieces in [
            &[(0, b"ab".as_slice()), (0, b"ab")][..],
            &[(0, b"ab"), (4, b"ef")],
            &[(1, b"b")],
            &[(3, b"d"), (1, b"bcd"), (0, b"a")],
            &[(2, b"c"), (2, b"c"), (0, b"ab")],
            &[(u64::MAX, b"ab"), (0, b"ab")],
        ] {
            assert_eq!(read(pieces).sha256, None, "{pieces:?}");
        }
    }

    #[test]
    fn keeps_only_so_much_of_what_comes_early() {
        assert_eq!(
            read(&[(1, b"12345678"), (0, b"0")]).sha256,
            digest(b"012345678")
        );
        let content = read(&[(1, b"123456789"), (0, b"0")]);
        assert_eq!((content.bytes, content.sha256), (10, None));
    }

    #[test]
    fn counts_what_the_target_took_and_hashes_only_if_it_took_all() {
        let written = |outcomes: [Option<bool>; 2]| {
            let mut writing = Writing::new(false);
            for (at, outcome) in outcomes.into_iter().enumerate() {
                writing.went(at as u64 * 2, b"xy");
                if let Some(done) = outcome {
                    writing.answered(2, done);
                }
            }
            writing.content()
        };
        assert_eq!(written([Some(true), Some(true)]).sha256, digest(b"xyxy"));
        let failed = written([Some(true), Some(false)]);
        assert_eq!((failed.bytes, failed.sha256), (2, None));
        let unanswered = written([Some(true), None]);
        assert_eq!((unanswered.bytes, unanswered.sha256), (2, None));
    }

    #[test]
    fn gives_no_digest_of_what_was_appended() {
        let mut writing = Writing::new(true);
        writing.went(0, b"xy");
        writing.answered(2, true);
        let content = writing.content();
        assert_eq!((content.bytes, content.sha256), (2, None));
    }
}

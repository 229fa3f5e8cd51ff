//! What is open on the target: under which handle, by which right, and what went through it.
//!
//! Here lives the table from the client's handles to the target's. The client's are numbers of ours that are never used
//! again. Never here: frames.

use super::content::{Content, Reading, Writing};
use super::masked::Masking;
use super::open_flags::OpenFlags;
use super::request::OnHandle;
use crate::{PeerMisbehaved, Side};
use brattice_core::denial::Denial;
use brattice_core::gate::Lane;
use brattice_core::mask::{Detector, Tally};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;

/// A file that is closed, or was open when the session ended: for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDone {
    /// Its settled path when it was opened.
    pub path: String,
    /// What was read of it; `None` if it was not open for that.
    pub read: Option<Content>,
    /// What was written to it; `None` if it was not open for that.
    pub written: Option<Content>,
    /// Values that were found in what was read, where its content is masked.
    pub masked: Tally,
    /// Why some of what the client wanted to read was not shown, where its content is masked.
    pub withheld: Option<Denial>,
}

/// What a cleared request opens.
#[derive(Debug)]
pub(super) struct Opening {
    pub path: String,
    /// `None`: a directory.
    pub flags: Option<OpenFlags>,
    pub lane: Lane,
    /// What masks its content, if anything does.
    pub masks: Option<Arc<Detector>>,
}

/// Something open.
#[derive(Debug)]
pub(super) struct Open {
    /// The target's handle.
    pub handle: Bytes,
    pub path: String,
    pub is_directory: bool,
    pub lane: Lane,
    pub read: Option<Reading>,
    pub written: Option<Writing>,
    pub masking: Option<Masking>,
    /// The client closed it; no further request may name it.
    closing: bool,
    /// The target says that it is closed.
    closed: bool,
    /// Reads and writes without an answer.
    under_way: usize,
}

/// All that is open.
#[derive(Debug)]
pub(super) struct Files {
    open: HashMap<u64, Open>,
    /// Requests to open that were forwarded and have no answer yet.
    opening: usize,
    used: u64,
    early_bytes_max: usize,
}

impl Files {
    pub(super) fn new(early_bytes_max: usize) -> Self {
        Self {
            open: HashMap::new(),
            opening: 0,
            used: 0,
            early_bytes_max,
        }
    }

    /// How many are open or may soon be.
    pub(super) fn count(&self) -> usize {
        self.open.len().saturating_add(self.opening)
    }

    pub(super) fn opening(&mut self) {
        self.opening = self.opening.saturating_add(1);
    }

    pub(super) fn not_opened(&mut self) {
        self.opening = self.opening.saturating_sub(1);
    }

    /// Takes in what the target opened and gives the client's handle for it.
    ///
    /// # Errors
    /// When the target gives a handle that is in use: two files could not be told apart.
    pub(super) fn opened(
        &mut self,
        handle: Bytes,
        opening: Opening,
    ) -> Result<[u8; 8], PeerMisbehaved> {
        self.not_opened();
        if self.open.values().any(|o| !o.closing && o.handle == handle) {
            return Err(PeerMisbehaved::Repeated {
                side: Side::Target,
                message: "HANDLE",
                field: "handle",
            });
        }
        self.used = self.used.saturating_add(1);
        let early = self.early_bytes_max;
        let flags = opening.flags.unwrap_or_default();
        self.open.insert(
            self.used,
            Open {
                // A copy: a slice would keep the whole receive buffer alive.
                handle: Bytes::copy_from_slice(&handle),
                path: opening.path,
                is_directory: opening.flags.is_none(),
                lane: opening.lane,
                read: flags.read.then(|| Reading::new(early)),
                written: flags.write.then(|| Writing::new(flags.append)),
                masking: opening.masks.map(|detector| Masking {
                    detector,
                    tally: Tally::default(),
                    withheld: None,
                }),
                closing: false,
                closed: false,
                under_way: 0,
            },
        );
        Ok(self.used.to_be_bytes())
    }

    /// What the client means by a handle, if it is open, with its number.
    pub(super) fn named(&mut self, handle: &[u8]) -> Option<(u64, &mut Open)> {
        let number = u64::from_be_bytes(<[u8; 8]>::try_from(handle).ok()?);
        let open = self.open.get_mut(&number).filter(|o| !o.closing)?;
        Some((number, open))
    }

    /// Something that the client has not closed, by its number.
    pub(super) fn lasting(&mut self, number: u64) -> Option<&mut Open> {
        self.open.get_mut(&number).filter(|o| !o.closing)
    }

    /// What masks a file.
    pub(super) fn masking(&mut self, number: u64) -> Option<&mut Masking> {
        self.open.get_mut(&number)?.masking.as_mut()
    }

    /// The target answered a read.
    pub(super) fn came(&mut self, number: u64, offset: u64, data: &[u8]) -> Option<FileDone> {
        let open = self.open.get_mut(&number)?;
        open.under_way = open.under_way.saturating_sub(1);
        if let Some(reading) = open.read.as_mut() {
            reading.came(offset, data);
        }
        self.done(number)
    }

    /// The target answered a write.
    pub(super) fn took(&mut self, number: u64, bytes: u64, done: bool) -> Option<FileDone> {
        let open = self.open.get_mut(&number)?;
        open.under_way = open.under_way.saturating_sub(1);
        if let Some(writing) = open.written.as_mut() {
            writing.answered(bytes, done);
        }
        self.done(number)
    }

    /// The target answered a CLOSE. Whatever it says, the handle is not used again.
    pub(super) fn closed(&mut self, number: u64) -> Option<FileDone> {
        self.open.get_mut(&number)?.closed = true;
        self.done(number)
    }

    fn done(&mut self, number: u64) -> Option<FileDone> {
        let open = self.open.get(&number)?;
        if !open.closed || open.under_way > 0 {
            return None;
        }
        self.open.remove(&number).and_then(Open::done)
    }

    /// All that is still open, in the order of opening.
    pub(super) fn drain(&mut self) -> Vec<FileDone> {
        let mut all: Vec<_> = self.open.drain().collect();
        all.sort_unstable_by_key(|(number, _)| *number);
        all.into_iter().filter_map(|(_, o)| o.done()).collect()
    }
}

impl Open {
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// A request about it is forwarded.
    pub(super) fn goes(&mut self, what: &OnHandle) {
        match (what, self.written.as_mut()) {
            (OnHandle::Read { .. }, _) => {}
            (OnHandle::Write { offset, data }, Some(writing)) => writing.went(*offset, data),
            _ => return,
        }
        self.under_way = self.under_way.saturating_add(1);
    }

    fn done(self) -> Option<FileDone> {
        let (masked, withheld) = match self.masking {
            Some(masking) => (masking.tally, masking.withheld),
            None => (Tally::default(), None),
        };
        (!self.is_directory).then(|| FileDone {
            masked,
            withheld,
            path: self.path,
            read: self.read.map(Reading::content),
            written: self.written.map(Writing::content),
        })
    }
}

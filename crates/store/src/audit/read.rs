//! Reading the log: from any position on, following its growth, and as JSON lines.
//!
//! Lives here: iteration and export. Never: proof that what is read is unchanged; that is [`super::verify()`]'s.

use super::segment::{BadHeader, Next, SegmentReader};
use super::segments_in;
use brattice_core::audit::{Entry, Position};
use brattice_core::ids::{Digest, SessionId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// An entry with its place in the chain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stored {
    /// Where it stands.
    pub position: Position,
    /// The chain of hashes after it. (`chain` is the delegation chain of whoever opened a session.)
    #[serde(rename = "chain_hash")]
    pub chain: Digest,
    /// What was written.
    #[serde(flatten)]
    pub entry: Entry,
}

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// From this position on.
    pub from: u64,
    /// Of this session only.
    pub session: Option<SessionId>,
}

/// Why reading ended.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk did not answer.
    #[error("could not read the audit log ({})", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// What is there cannot be read.
    #[error("the audit log is damaged at position {position} ({}): {what}", path.display())]
    Damaged {
        /// Where.
        position: u64,
        /// In which file.
        path: PathBuf,
        /// In what way.
        what: String,
    },
}

/// Entries of a log in order. At the end it yields `None`; asked again later, it goes on with what has been added since.
pub struct Entries {
    dir: PathBuf,
    filter: Filter,
    open: Option<(PathBuf, SegmentReader)>,
    next: u64,
    failed: bool,
}

impl Entries {
    /// Begins at the filter's position, or at the first one that there is.
    pub fn open(dir: impl Into<PathBuf>, filter: Filter) -> Self {
        Self {
            dir: dir.into(),
            next: filter.from,
            filter,
            open: None,
            failed: false,
        }
    }

    /// Position of the next entry that will be looked at.
    pub fn position(&self) -> u64 {
        self.next
    }

    fn step(&mut self) -> Result<Option<Stored>, ReadError> {
        loop {
            let Some((path, mut reader)) = self.take_reader()? else {
                return Ok(None);
            };
            let position = self.next;
            match reader.next().map_err(|e| io_error(&path, e))? {
                Next::Entry { payload, chain } => {
                    self.next += 1;
                    let wanted = position >= self.filter.from && self.is_wanted(payload);
                    let entry = wanted.then(|| serde_json::from_slice(payload));
                    self.open = Some((path.clone(), reader));
                    match entry {
                        None => {}
                        Some(Ok(entry)) => {
                            return Ok(Some(Stored {
                                position: Position(position),
                                chain,
                                entry,
                            }));
                        }
                        Some(Err(e)) => return Err(damaged(position, &path, &e.to_string())),
                    }
                }
                Next::Rotten(what) => return Err(damaged(position, &path, what)),
                Next::Short => {
                    self.open = Some((path, reader));
                    return Ok(None);
                }
                Next::End => {
                    let followed = self.segment_at(position)?.is_some_and(|p| p != path);
                    if !followed {
                        self.open = Some((path, reader));
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn is_wanted(&self, payload: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Peek<'a> {
            #[serde(borrow)]
            session: Option<Cow<'a, str>>,
        }
        match &self.filter.session {
            None => true,
            Some(wanted) => serde_json::from_slice::<Peek<'_>>(payload).map_or(true, |peek| {
                peek.session.as_deref() == Some(wanted.as_str())
            }),
        }
    }

    fn take_reader(&mut self) -> Result<Option<(PathBuf, SegmentReader)>, ReadError> {
        if let Some(open) = self.open.take() {
            return Ok(Some(open));
        }
        let Some(path) = self.segment_at(self.next)? else {
            return Ok(None);
        };
        match SegmentReader::open(&path) {
            Ok((reader, header)) => {
                self.next = header.first;
                Ok(Some((path, reader)))
            }
            Err(BadHeader::Short) => Ok(None),
            Err(BadHeader::Rotten(what)) => Err(damaged(self.next, &path, what)),
            Err(BadHeader::Io(e)) => Err(io_error(&path, e)),
        }
    }

    /// The segment that a position is in: the last that does not begin after it; else the first there is.
    fn segment_at(&self, position: u64) -> Result<Option<PathBuf>, ReadError> {
        let segments = segments_in(&self.dir).map_err(|e| io_error(&self.dir, e))?;
        let at = segments.iter().rev().find(|(first, _)| *first <= position);
        Ok(at.or(segments.first()).map(|(_, path)| path.clone()))
    }
}

impl Iterator for Entries {
    type Item = Result<Stored, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}

/// Writes entries as JSON, one object a line, and tells how many.
pub fn export(dir: &Path, filter: Filter, out: &mut dyn Write) -> Result<u64, ReadError> {
    let mut count = 0;
    for stored in Entries::open(dir, filter) {
        let stored = stored?;
        serde_json::to_writer(&mut *out, &stored)
            .map_err(io::Error::from)
            .and_then(|()| out.write_all(b"\n"))
            .map_err(|e| io_error(dir, e))?;
        count += 1;
    }
    Ok(count)
}

fn io_error(path: &Path, source: io::Error) -> ReadError {
    ReadError::Io {
        path: path.to_owned(),
        source,
    }
}

fn damaged(position: u64, path: &Path, what: &str) -> ReadError {
    ReadError::Damaged {
        position,
        path: path.to_owned(),
        what: what.to_owned(),
    }
}

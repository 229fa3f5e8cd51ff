//! Where recordings stand: opening new ones, finding old ones, marking those that a crash cut.
//!
//! Lives here: paths, and the list of open recordings. Never: the content of a recording.

use super::format::{self, FileHeader, Footer, HEADER_BYTES_MAX, MAGIC, TAG_INTERRUPTED};
use super::key::{MasterKeys, TAG_BYTES, Use};
use super::open::OpenNow;
use super::read::{End, ReadError, Reader};
use super::write::{Pool, Writer};
use crate::crc::crc32;
use crate::disk::{Disk, LocalDisk, private_dir};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brattice_core::ids::SessionId;
use brattice_core::ports::{Randomness, RecordFailed, Recorder, Recordings};
use brattice_core::record::Header;
use brattice_core::time::Timestamp;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// The directory that names what is being written.
const OPEN: &str = "open";
/// The ending of a recording's file name.
const SUFFIX: &str = ".brec";

/// Why the shelf could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} ({})", path.display())]
pub struct ShelfError {
    operation: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Why a recording that is being written cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// What is buffered could not be written out.
    #[error(transparent)]
    Write(#[from] RecordFailed),
    /// What was written cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// All recordings of a gateway.
pub struct Shelf {
    dir: PathBuf,
    keys: MasterKeys,
    random: Arc<dyn Randomness>,
    disk: Box<dyn Disk>,
    pool: Arc<Pool>,
    open_now: Arc<OpenNow>,
}

/// A recording that the last run left open.
#[derive(Debug)]
pub struct Recovered {
    /// Whose.
    pub session: SessionId,
    /// The end it has now; otherwise why it could not be given one. A damaged recording is told once and left as it is;
    /// a missing key or a failing disk is tried again at the next start.
    pub end: Result<Footer, ReadError>,
}

impl Shelf {
    /// Opens the shelf in a directory, which only this process writes.
    pub fn open(
        dir: impl Into<PathBuf>,
        keys: MasterKeys,
        random: Arc<dyn Randomness>,
    ) -> Result<Self, ShelfError> {
        Self::open_on(Box::new(LocalDisk), dir.into(), keys, random)
    }

    pub(crate) fn open_on(
        disk: Box<dyn Disk>,
        dir: PathBuf,
        keys: MasterKeys,
        random: Arc<dyn Randomness>,
    ) -> Result<Self, ShelfError> {
        let open = dir.join(OPEN);
        private_dir(&open).map_err(failed("make the directory", &open))?;
        Ok(Self {
            dir,
            keys,
            random,
            disk,
            pool: Arc::default(),
            open_now: Arc::default(),
        })
    }

    /// The recordings of a session: one, unless its id was used again on another day.
    pub fn find(&self, session: &SessionId) -> Result<Vec<PathBuf>, ShelfError> {
        let name = format!("{session}{SUFFIX}");
        let mut found = Vec::new();
        for day in self.days()? {
            let path = self.dir.join(&day).join(&name);
            if path.try_exists().map_err(failed("look for", &path))? {
                found.push(path);
            }
        }
        Ok(found)
    }

    /// The days that have recordings, as `YYYY/MM/DD`, newest first.
    pub fn days(&self) -> Result<Vec<String>, ShelfError> {
        let mut days = vec![String::new()];
        for digits in [4, 2, 2] {
            let mut below = Vec::new();
            for above in &days {
                for name in names_in(&self.dir.join(above))? {
                    if name.len() == digits && name.bytes().all(|b| b.is_ascii_digit()) {
                        below.push(if above.is_empty() {
                            name
                        } else {
                            format!("{above}/{name}")
                        });
                    }
                }
            }
            days = below;
        }
        days.sort_by(|a, b| b.cmp(a));
        Ok(days)
    }

    /// The sessions recorded on a day, with their files.
    pub fn list(&self, day: &str) -> Result<Vec<(SessionId, PathBuf)>, ShelfError> {
        let is_day = day.bytes().all(|b| b.is_ascii_digit() || b == b'/');
        let dir = self.dir.join(day);
        if !is_day || day.starts_with('/') || !dir.is_dir() {
            return Ok(Vec::new());
        }
        let mut found: Vec<(SessionId, PathBuf)> = names_in(&dir)?
            .into_iter()
            .filter_map(|name| {
                let session = name.strip_suffix(SUFFIX)?.parse().ok()?;
                Some((session, dir.join(&name)))
            })
            .collect();
        found.sort();
        Ok(found)
    }

    /// Opens a recording for reading.
    pub fn read(&self, path: &Path) -> Result<Reader, ReadError> {
        Reader::open(path, &self.keys)
    }

    /// Opens the recording of a session that is being recorded by this process, with all that was recorded so far; `None`
    /// when it is not. What comes later is read with [`Shelf::write_out`] and [`Reader::look_again`].
    ///
    /// # Errors
    /// When what is buffered cannot be written, or what is written cannot be read.
    pub fn follow(&self, session: &SessionId, now: Instant) -> Result<Option<Reader>, FollowError> {
        let Some(path) = self.open_now.path_of(session) else {
            return Ok(None);
        };
        self.open_now.write_out(session, now)?;
        Ok(Some(self.read(&path)?))
    }

    /// Writes out what a session that is being recorded has buffered, unless that was done a moment ago. False when it is
    /// no longer being recorded: then all there will ever be is on the disk.
    ///
    /// # Errors
    /// When it cannot be written, which ends the session.
    pub fn write_out(&self, session: &SessionId, now: Instant) -> Result<bool, RecordFailed> {
        self.open_now.write_out(session, now)
    }

    /// At start, before any session: gives every recording that the last run left open its end.
    pub fn recover(&self) -> Result<Vec<Recovered>, ShelfError> {
        let open = self.dir.join(OPEN);
        let mut recovered = Vec::new();
        for name in names_in(&open)? {
            let marker = open.join(&name);
            let Ok(session) = name.parse::<SessionId>() else {
                continue;
            };
            let place = std::fs::read_to_string(&marker).map_err(failed("read", &marker))?;
            let path = self.dir.join(place.trim_end());
            let begun = path.try_exists().map_err(failed("look for", &path))?;
            // A marker is written whole before its recording is begun.
            if place.ends_with('\n') && begun {
                let end = self.interrupt(&path);
                let may_mend = matches!(end, Err(ReadError::Io(_) | ReadError::Key(_)));
                recovered.push(Recovered { session, end });
                if may_mend {
                    continue;
                }
            }
            std::fs::remove_file(&marker).map_err(failed("remove", &marker))?;
        }
        Ok(recovered)
    }

    /// Cuts a torn last block and writes the end of an interrupted recording.
    fn interrupt(&self, path: &Path) -> Result<Footer, ReadError> {
        let mut reader = Reader::open(path, &self.keys)?;
        for frame in reader.by_ref() {
            frame?;
        }
        if let Some(End::Sealed(footer) | End::Interrupted(footer)) = reader.end() {
            return Ok(footer.clone());
        }
        let left = reader.salvaged();
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(left.offset)?;
        drop(file);
        let file = self.disk.extend(path)?;
        let mut body = serde_json::to_vec(&left.footer).map_err(io::Error::from)?;
        let aad = format::digest_part(&left.bound_to, TAG_INTERRUPTED, &body);
        let mut seal = Vec::with_capacity(TAG_BYTES);
        let number = left.footer.blocks;
        if !left.key.seal(Use::Interrupted, number, &aad.0, &mut seal) {
            return Err(io::Error::other("the end could not be sealed").into());
        }
        body.extend_from_slice(&seal);
        let prefix = format::part_prefix(TAG_INTERRUPTED, &body)
            .ok_or_else(|| io::Error::other("the end is too large"))?;
        file.append_two(&prefix, &body)?;
        file.sync()?;
        Ok(left.footer)
    }

    #[cfg(test)]
    pub(crate) fn spare(&self) -> (usize, usize) {
        self.pool.kept()
    }

    fn begin(&self, header: &Header) -> Result<Writer, RecordFailed> {
        let refused = |e: io::Error| RecordFailed(format!("could not begin the recording: {e}"));
        let place = place_of(header)
            .ok_or_else(|| RecordFailed("the session begins on no possible day".to_owned()))?;
        let (key, wrapped, key_id) = self
            .keys
            .make_data_key(&header.session, self.random.as_ref())?;
        let file_header = FileHeader {
            header: header.clone(),
            key_id: key_id.to_owned(),
            key: STANDARD.encode(wrapped),
        };
        let json = serde_json::to_vec(&file_header).map_err(|e| RecordFailed(e.to_string()))?;
        let path = self.dir.join(&place);
        let marker = self.dir.join(OPEN).join(header.session.as_str());
        let start = file_start(&json)
            .ok_or_else(|| RecordFailed("the recording's header is too large".to_owned()))?;
        mark_open(&marker, &place).map_err(refused)?;
        let begun = path
            .parent()
            .map_or(Ok(()), private_dir)
            .and_then(|()| self.disk.create(&path));
        let file = match begun {
            Ok(file) => file,
            Err(e) => {
                // Nothing of this session was begun; what stands in its place is somebody else's and finished.
                if let Err(left) = std::fs::remove_file(&marker) {
                    tracing::warn!(error = %left, "a marker of no recording stays until the next start");
                }
                return Err(refused(e));
            }
        };
        file.append(&start).map_err(refused)?;
        let digest = format::digest_header(&json);
        Ok(Writer {
            file,
            key,
            pool: Arc::clone(&self.pool),
            path,
            marker,
            digest,
            bound_to: digest,
            buffer: None,
            last_at: header.started_at,
            blocks: 0,
            frames: 0,
            bytes: 0,
            failed: None,
        })
    }
}

impl Recordings for Shelf {
    fn open(&self, header: &Header) -> Result<Box<dyn Recorder>, RecordFailed> {
        let writer = self.begin(header)?;
        Ok(Box::new(
            self.open_now.enter(header.session.clone(), writer),
        ))
    }
}

fn file_start(json: &[u8]) -> Option<Vec<u8>> {
    if json.len() > HEADER_BYTES_MAX {
        return None;
    }
    let length = u32::try_from(json.len()).ok()?;
    let mut start = MAGIC.to_vec();
    start.extend_from_slice(&length.to_be_bytes());
    start.extend_from_slice(&crc32(json).to_be_bytes());
    start.extend_from_slice(json);
    Some(start)
}

fn mark_open(marker: &Path, place: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(marker)?;
    file.write_all(format!("{place}\n").as_bytes())
}

/// `YYYY/MM/DD/<session>.brec`.
fn place_of(header: &Header) -> Option<String> {
    day_of(header.started_at).map(|day| format!("{day}/{}{SUFFIX}", header.session))
}

fn day_of(at: Timestamp) -> Option<String> {
    let text = at.to_string();
    let (day, _) = text.split_once('T')?;
    let parts: Vec<&str> = day.split('-').collect();
    match parts.as_slice() {
        [year, month, day] if year.len() == 4 => Some(format!("{year}/{month}/{day}")),
        _ => None,
    }
}

fn names_in(dir: &Path) -> Result<Vec<String>, ShelfError> {
    let list = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for item in std::fs::read_dir(dir)? {
            if let Ok(name) = item?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    };
    list().map_err(failed("list", dir))
}

fn failed<'a>(operation: &'static str, path: &'a Path) -> impl Fn(io::Error) -> ShelfError + 'a {
    move |source| ShelfError {
        operation,
        path: path.to_owned(),
        source,
    }
}

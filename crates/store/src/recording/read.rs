//! Reading a recording, whole or cut by a crash.
//!
//! Lives here: the checks on the way from file to frames. Never: a frame that did not pass them.

use super::format::{self, Footer, FramePrefix, TAG_INTERRUPTED, TAG_SEALED};
use super::key::{DataKey, MasterKeys, TAG_BYTES, Use};
use super::parts::{Part, Parts};
use super::write::BLOCK_BYTES_MAX;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brattice_core::ids::Digest;
use brattice_core::record::{FrameKind, Header};
use brattice_core::time::Timestamp;
use std::io;
use std::path::Path;
use zstd::bulk::Decompressor;

/// Why a recording, or the rest of it, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk did not answer.
    #[error("could not read the recording")]
    Io(#[from] io::Error),
    /// None of the master keys at hand opens it.
    #[error("no master key opens this recording (it was wrapped with key {0})")]
    Key(String),
    /// What is there is not what was written.
    #[error("the recording is damaged at block {block}: {what}")]
    Damaged {
        /// Where.
        block: u64,
        /// In what way.
        what: &'static str,
    },
}

/// One piece of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFrame {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: FrameKind,
    /// The session's command counter.
    pub command: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// False for a last frame of which the crash left only the beginning.
    pub whole: bool,
}

/// How the file ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The session closed it.
    Sealed(Footer),
    /// A crash cut it, and the next start marked it.
    Interrupted(Footer),
    /// It just ends: it is being written, or a crash cut it and nothing has marked it yet.
    Unfinished,
}

/// A recording, being read.
pub struct Reader {
    parts: Parts,
    header: Header,
    key: DataKey,
    bound_to: Digest,
    zstd: Decompressor<'static>,
    /// Frames of the block at hand, read up to `used`.
    plain: Vec<u8>,
    used: usize,
    at: Timestamp,
    blocks: u64,
    frames: u64,
    bytes: u64,
    end: Option<End>,
    failed: bool,
    /// A frame whose rest had not been written, and how much of it was missing.
    cut: Option<(ReadFrame, u64)>,
}

impl Reader {
    /// Opens a recording: reads its header and unwraps its key.
    pub fn open(path: &Path, keys: &MasterKeys) -> Result<Self, ReadError> {
        let (parts, file_header) = Parts::open(path)?;
        let header = file_header.header;
        let key = STANDARD
            .decode(&file_header.key)
            .ok()
            .and_then(|wrapped| keys.open_data_key(&file_header.key_id, &header.session, &wrapped))
            .ok_or(ReadError::Key(file_header.key_id))?;
        Ok(Self {
            at: header.started_at,
            bound_to: parts.digest,
            parts,
            header,
            key,
            zstd: Decompressor::new()?,
            plain: Vec::with_capacity(BLOCK_BYTES_MAX),
            used: 0,
            blocks: 0,
            frames: 0,
            bytes: 0,
            end: None,
            failed: false,
            cut: None,
        })
    }

    /// What it is of.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How it ends; known once all frames are read.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Bytes on the disk that were not read yet, as of the last look.
    pub fn behind(&self) -> u64 {
        self.parts.behind()
    }

    /// Reads on where a recording that is being written just ended, as far as it goes now. A frame that was not whole is
    /// given again once it is.
    ///
    /// # Errors
    /// When the disk does not answer.
    pub fn look_again(&mut self) -> Result<(), ReadError> {
        if !self.failed && matches!(self.end, None | Some(End::Unfinished)) {
            self.parts.look_again()?;
            self.end = None;
        }
        Ok(())
    }

    /// What an end that is written now has to say, and where it belongs.
    pub(crate) fn salvaged(self) -> Salvage {
        Salvage {
            footer: Footer {
                blocks: self.blocks,
                frames: self.frames,
                bytes: self.bytes,
                last_at: self.at,
                digest: self.parts.digest,
                interrupted: true,
            },
            offset: self.parts.offset,
            key: self.key,
            bound_to: self.bound_to,
        }
    }

    fn step(&mut self) -> Result<Option<ReadFrame>, ReadError> {
        let (mut frame, mut missing) = match self.cut.take() {
            Some(cut) => cut,
            None => match self.prefix()? {
                None => return Ok(None),
                Some(prefix) => {
                    let frame = ReadFrame {
                        at: Timestamp(self.at.0.wrapping_add(prefix.delta)),
                        kind: prefix.kind,
                        command: prefix.command,
                        bytes: Vec::new(),
                        whole: true,
                    };
                    (frame, prefix.length)
                }
            },
        };
        while missing > 0 {
            let rest = self.plain.get(self.used..).unwrap_or_default();
            if rest.is_empty() {
                if !self.block()? {
                    if let Some(End::Sealed(_)) = self.end {
                        return Err(self.damaged("its last frame is not whole"));
                    }
                    self.cut = Some((frame.clone(), missing));
                    frame.whole = false;
                    return Ok(Some(frame));
                }
                continue;
            }
            let take = usize::try_from(missing)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let (now, _) = rest.split_at_checked(take).unwrap_or((rest, &[]));
            frame.bytes.extend_from_slice(now);
            self.used += take;
            missing -= take as u64;
        }
        self.at = frame.at;
        self.frames += 1;
        Ok(Some(frame))
    }

    /// The next frame's prefix, which never runs over two blocks.
    fn prefix(&mut self) -> Result<Option<FramePrefix>, ReadError> {
        loop {
            let mut rest = self.plain.get(self.used..).unwrap_or_default();
            let before = rest.len();
            if before > 0 {
                let prefix = FramePrefix::decode(&mut rest).map_err(|what| self.damaged(what))?;
                let prefix = prefix.ok_or_else(|| self.damaged("a frame's prefix is cut"))?;
                self.used += before - rest.len();
                return Ok(Some(prefix));
            }
            if self.end.is_some() || !self.block()? {
                return Ok(None);
            }
        }
    }

    /// Reads the next block; false at the end.
    fn block(&mut self) -> Result<bool, ReadError> {
        match self.parts.next()? {
            Part::Block => {
                let plain = self
                    .key
                    .open(
                        Use::Block,
                        self.blocks,
                        &self.bound_to.0,
                        &mut self.parts.body,
                    )
                    .ok_or(ReadError::Damaged {
                        block: self.blocks,
                        what: "it is not what was encrypted here",
                    })?;
                self.plain.clear();
                self.used = 0;
                self.zstd
                    .decompress_to_buffer(plain, &mut self.plain)
                    .map_err(|_| ReadError::Damaged {
                        block: self.blocks,
                        what: "it cannot be decompressed",
                    })?;
                self.blocks += 1;
                self.bytes += self.plain.len() as u64;
                Ok(true)
            }
            Part::End {
                interrupted,
                before,
            } => {
                let footer = self.check_end(interrupted, before)?;
                self.end = Some(if interrupted {
                    End::Interrupted(footer)
                } else {
                    End::Sealed(footer)
                });
                Ok(false)
            }
            Part::Cut => {
                self.end = Some(End::Unfinished);
                Ok(false)
            }
        }
    }

    fn check_end(&self, interrupted: bool, before: Digest) -> Result<Footer, ReadError> {
        let (tag, what) = if interrupted {
            (TAG_INTERRUPTED, Use::Interrupted)
        } else {
            (TAG_SEALED, Use::Sealed)
        };
        let bad = || self.damaged("its end does not fit");
        let (json, seal) = self
            .parts
            .body
            .split_last_chunk::<TAG_BYTES>()
            .ok_or_else(bad)?;
        let footer: Footer = serde_json::from_slice(json).map_err(|_| bad())?;
        let aad = format::digest_part(&self.bound_to, tag, json);
        let mut seal = *seal;
        let fits = self
            .key
            .open(what, footer.blocks, &aad.0, &mut seal)
            .is_some()
            && footer.blocks == self.blocks
            && footer.bytes == self.bytes
            && footer.digest == before
            && footer.interrupted == interrupted;
        if fits { Ok(footer) } else { Err(bad()) }
    }

    fn damaged(&self, what: &'static str) -> ReadError {
        ReadError::Damaged {
            block: self.blocks,
            what,
        }
    }
}

impl Iterator for Reader {
    type Item = Result<ReadFrame, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || (self.end.is_some() && self.used == self.plain.len()) {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}

/// What is left of a cut recording.
pub(crate) struct Salvage {
    pub(crate) footer: Footer,
    /// Where the last whole block ends in the file.
    pub(crate) offset: u64,
    pub(crate) key: DataKey,
    pub(crate) bound_to: Digest,
}

//! Writing a recording.
//!
//! Lives here: the frame's way from the caller's buffer to the file. Never: an allocation a frame, a way on after a
//! failed write.
//!
//! Sessions are many and mostly idle, so what is large (the block's buffer, the compressor) belongs to the shelf and is
//! lent: the buffer from the first frame to the next flush, the compressor for the length of a flush.

use super::format::{
    self, FRAME_PREFIX_BYTES_MAX, Footer, FramePrefix, TAG_BLOCK, TAG_INTERRUPTED, TAG_SEALED,
};
use super::key::{DataKey, TAG_BYTES, Use};
use crate::disk::{Disk, Growing, LocalDisk};
use brattice_core::ids::Digest;
use brattice_core::ports::{RecordFailed, Recorder};
use brattice_core::record::Frame;
use brattice_core::time::Timestamp;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use zstd::bulk::Compressor;
use zstd::zstd_safe;

/// A block holds so many bytes of frames at most; larger frames run over several blocks.
pub const BLOCK_BYTES_MAX: usize = 64 * 1024;
/// More buffers or compressors than this are not kept.
const KEPT_MAX: usize = 32;
/// Level 1: on events and rows, more gains nothing.
const ZSTD_LEVEL: i32 = 1;

/// What writers lend from each other.
#[derive(Default)]
pub(crate) struct Pool {
    buffers: Mutex<Vec<Vec<u8>>>,
    presses: Mutex<Vec<Press>>,
}

/// A compressor and the room for what it makes.
struct Press {
    zstd: Compressor<'static>,
    out: Vec<u8>,
}

impl Press {
    fn new() -> std::io::Result<Self> {
        let room = zstd_safe::compress_bound(BLOCK_BYTES_MAX) + TAG_BYTES;
        Ok(Self {
            zstd: Compressor::new(ZSTD_LEVEL)?,
            out: Vec::with_capacity(room),
        })
    }
}

#[cfg(test)]
impl Pool {
    /// Buffers and compressors that nobody has.
    pub(crate) fn kept(&self) -> (usize, usize) {
        let buffers = self.buffers.lock().unwrap().len();
        (buffers, self.presses.lock().unwrap().len())
    }
}

fn take<T>(from: &Mutex<Vec<T>>) -> Option<T> {
    from.lock().ok()?.pop()
}

fn give_back<T>(to: &Mutex<Vec<T>>, item: T) {
    if let Ok(mut kept) = to.lock()
        && kept.len() < KEPT_MAX
    {
        kept.push(item);
    }
}

/// One session's recording, being written.
pub(crate) struct Writer {
    pub(crate) file: Arc<dyn Growing>,
    pub(crate) key: DataKey,
    pub(crate) pool: Arc<Pool>,
    /// Where it stands.
    pub(crate) path: PathBuf,
    /// Names this recording as open; gone once it is sealed.
    pub(crate) marker: PathBuf,
    /// The digest so far.
    pub(crate) digest: Digest,
    /// The header's digest, which every block is bound to.
    pub(crate) bound_to: Digest,
    pub(crate) buffer: Option<Vec<u8>>,
    pub(crate) last_at: Timestamp,
    pub(crate) blocks: u64,
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    pub(crate) failed: Option<RecordFailed>,
}

impl Recorder for Writer {
    fn frame(&mut self, frame: Frame<'_>) -> Result<(), RecordFailed> {
        self.check()?;
        let added = self.add(&frame);
        self.keep_failure(added)
    }

    fn flush(&mut self) -> Result<(), RecordFailed> {
        self.check()?;
        let flushed = self.write_block();
        self.keep_failure(flushed)
    }

    fn seal(mut self: Box<Self>) -> Result<Digest, RecordFailed> {
        self.check()?;
        self.write_block()?;
        let footer = self.footer(false);
        let digest = self.write_end(&footer)?;
        self.file.sync().map_err(|e| failed("sync", &e))?;
        if let Some(day) = self.path.parent() {
            LocalDisk
                .sync_dir(day)
                .map_err(|e| failed("sync the place of", &e))?;
        }
        std::fs::remove_file(&self.marker).map_err(|e| failed("mark as sealed", &e))?;
        Ok(digest)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // A session that is dropped without being sealed keeps what it had; the next start marks it interrupted.
        if self.failed.is_none() && self.write_block().is_err() {
            tracing::error!(path = %self.path.display(), "a recording lost its last frames");
        }
    }
}

impl Writer {
    fn check(&self) -> Result<(), RecordFailed> {
        match &self.failed {
            None => Ok(()),
            Some(failed) => Err(failed.clone()),
        }
    }

    fn keep_failure(&mut self, result: Result<(), RecordFailed>) -> Result<(), RecordFailed> {
        if let Err(e) = &result {
            self.failed = Some(e.clone());
        }
        result
    }

    fn add(&mut self, frame: &Frame<'_>) -> Result<(), RecordFailed> {
        let prefix = FramePrefix {
            kind: frame.kind,
            command: frame.command,
            delta: frame.at.0.wrapping_sub(self.last_at.0),
            length: frame.bytes.len() as u64,
        };
        if self.room() < FRAME_PREFIX_BYTES_MAX {
            self.write_block()?;
        }
        prefix.encode(self.buffer());
        self.last_at = frame.at;
        self.frames += 1;
        let mut rest = frame.bytes;
        loop {
            let room = self.room();
            let Some((now, later)) = rest.split_at_checked(room) else {
                self.buffer().extend_from_slice(rest);
                return Ok(());
            };
            self.buffer().extend_from_slice(now);
            self.write_block()?;
            rest = later;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    fn room(&self) -> usize {
        BLOCK_BYTES_MAX
            - self
                .buffer
                .as_ref()
                .map_or(0, Vec::len)
                .min(BLOCK_BYTES_MAX)
    }

    fn buffer(&mut self) -> &mut Vec<u8> {
        let pool = &self.pool;
        self.buffer.get_or_insert_with(|| {
            take(&pool.buffers).unwrap_or_else(|| Vec::with_capacity(BLOCK_BYTES_MAX))
        })
    }

    /// Compresses, encrypts and writes what is buffered.
    fn write_block(&mut self) -> Result<(), RecordFailed> {
        let Some(mut buffer) = self.buffer.take() else {
            return Ok(());
        };
        if !buffer.is_empty() {
            let mut press = match take(&self.pool.presses) {
                Some(press) => press,
                None => Press::new().map_err(|e| failed("compress", &e))?,
            };
            self.press_block(&buffer, &mut press)?;
            give_back(&self.pool.presses, press);
        }
        buffer.clear();
        give_back(&self.pool.buffers, buffer);
        Ok(())
    }

    fn press_block(&mut self, frames: &[u8], press: &mut Press) -> Result<(), RecordFailed> {
        press.out.clear();
        press
            .zstd
            .compress_to_buffer(frames, &mut press.out)
            .map_err(|e| failed("compress", &e))?;
        let sealed = self
            .key
            .seal(Use::Block, self.blocks, &self.bound_to.0, &mut press.out);
        if !sealed {
            return Err(RecordFailed("a block could not be encrypted".to_owned()));
        }
        self.write_part(TAG_BLOCK, &press.out)?;
        self.blocks += 1;
        self.bytes += frames.len() as u64;
        Ok(())
    }

    fn write_part(&mut self, tag: u8, body: &[u8]) -> Result<(), RecordFailed> {
        let prefix = format::part_prefix(tag, body)
            .ok_or_else(|| RecordFailed("a block is too large".to_owned()))?;
        self.file
            .append_two(&prefix, body)
            .map_err(|e| failed("write", &e))?;
        self.digest = format::digest_part(&self.digest, tag, body);
        Ok(())
    }

    /// The totals as they stand.
    fn footer(&self, interrupted: bool) -> Footer {
        Footer {
            blocks: self.blocks,
            frames: self.frames,
            bytes: self.bytes,
            last_at: self.last_at,
            digest: self.digest,
            interrupted,
        }
    }

    /// Writes an end and tells the digest over all.
    fn write_end(&mut self, footer: &Footer) -> Result<Digest, RecordFailed> {
        let (tag, what) = if footer.interrupted {
            (TAG_INTERRUPTED, Use::Interrupted)
        } else {
            (TAG_SEALED, Use::Sealed)
        };
        let mut body = serde_json::to_vec(footer).map_err(|e| RecordFailed(e.to_string()))?;
        let aad = format::digest_part(&self.bound_to, tag, &body);
        let mut tag_bytes = Vec::with_capacity(TAG_BYTES);
        if !self.key.seal(what, footer.blocks, &aad.0, &mut tag_bytes) {
            return Err(RecordFailed("the end could not be sealed".to_owned()));
        }
        body.extend_from_slice(&tag_bytes);
        self.write_part(tag, &body)?;
        Ok(self.digest)
    }
}

fn failed(operation: &str, error: &std::io::Error) -> RecordFailed {
    RecordFailed(format!("could not {operation} the recording: {error}"))
}

//! The form of a recording's file.
//!
//! Lives here: header, block and frame bytes. Never: files, keys.
//!
//! Header: magic, length, CRC, JSON. Then parts: a tag byte, length and CRC of the body, the body. A block's body is
//! encrypted; an end's is JSON and a tag that authenticates it. The digest runs over the header's JSON and each body.

use crate::crc::crc32;
use brattice_core::ids::{Digest, Hasher};
use brattice_core::record::{FrameKind, Header};
use brattice_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// First bytes of every recording; the last one is the format's version.
pub(crate) const MAGIC: &[u8; 8] = b"BRATREC\x01";
/// Tag of a block of frames.
pub(crate) const TAG_BLOCK: u8 = b'B';
/// Tag of the end that the session's own close wrote.
pub(crate) const TAG_SEALED: u8 = b'S';
/// Tag of the end that was written after a crash.
pub(crate) const TAG_INTERRUPTED: u8 = b'I';
/// Bytes before a part's body.
pub(crate) const PART_PREFIX_BYTES: usize = 9;
/// No part's body is longer: a block that zstd could not compress, and its tag.
pub(crate) const PART_BYTES_MAX: usize = 128 * 1024;
/// No header is longer.
pub(crate) const HEADER_BYTES_MAX: usize = 256 * 1024;
/// Frame kind, three numbers of at most ten bytes each.
pub(crate) const FRAME_PREFIX_BYTES_MAX: usize = 31;

/// What opens a recording.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FileHeader {
    /// Of what.
    #[serde(flatten)]
    pub(crate) header: Header,
    /// Which master key wraps the data key.
    pub(crate) key_id: String,
    /// The wrapped data key, base64.
    pub(crate) key: String,
}

/// How a recording ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// Blocks before it.
    pub blocks: u64,
    /// Frames in them; for an interrupted one, whole frames.
    pub frames: u64,
    /// Bytes of frames before compression.
    pub bytes: u64,
    /// When the last frame was added; when it began, if there is none.
    pub last_at: Timestamp,
    /// The digest over header and blocks.
    pub digest: Digest,
    /// Written after a crash: the session's end was not seen.
    pub interrupted: bool,
}

/// The digest over a recording's header.
pub(crate) fn digest_header(json: &[u8]) -> Digest {
    let mut h = Hasher::new();
    h.field(b"brattice recording 1").field(json);
    h.finish()
}

/// The digest after one more part.
pub(crate) fn digest_part(before: &Digest, tag: u8, body: &[u8]) -> Digest {
    let mut h = Hasher::new();
    h.raw(&before.0).raw(&[tag]).field(body);
    h.finish()
}

/// The prefix of a part.
pub(crate) fn part_prefix(tag: u8, body: &[u8]) -> Option<[u8; PART_PREFIX_BYTES]> {
    let length = u32::try_from(body.len()).ok()?.to_be_bytes();
    let sum = crc32(body).to_be_bytes();
    let mut out = [0; PART_PREFIX_BYTES];
    let bytes = std::iter::once(tag).chain(length).chain(sum);
    out.iter_mut().zip(bytes).for_each(|(o, b)| *o = b);
    Some(out)
}

/// Tag, length and CRC of a part.
pub(crate) fn split_part_prefix(prefix: [u8; PART_PREFIX_BYTES]) -> (u8, usize, u32) {
    let [tag, a, b, c, d, e, f, g, h] = prefix;
    (
        tag,
        u32::from_be_bytes([a, b, c, d]) as usize,
        u32::from_be_bytes([e, f, g, h]),
    )
}

/// What stands before a frame's bytes. Time is the difference to the frame before, zigzag: clocks step back.
pub(crate) struct FramePrefix {
    pub(crate) kind: FrameKind,
    pub(crate) command: u64,
    pub(crate) delta: i64,
    pub(crate) length: u64,
}

impl FramePrefix {
    /// Adds it to a block.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(byte_of(self.kind));
        put_varint(out, self.command);
        put_varint(out, zigzag(self.delta));
        put_varint(out, self.length);
    }

    /// Takes one from the front. `Ok(None)`: there are not enough bytes. `Err`: it is no frame.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Result<Option<Self>, &'static str> {
        let mut rest = *bytes;
        let Some((kind, after)) = rest.split_first() else {
            return Ok(None);
        };
        rest = after;
        let kind = kind_of(*kind).ok_or("a frame of unknown kind")?;
        let mut numbers = [0; 3];
        for number in &mut numbers {
            match take_varint(&mut rest)? {
                Some(n) => *number = n,
                None => return Ok(None),
            }
        }
        let [command, delta, length] = numbers;
        *bytes = rest;
        Ok(Some(Self {
            kind,
            command,
            delta: unzigzag(delta),
            length,
        }))
    }
}

fn byte_of(kind: FrameKind) -> u8 {
    // Named one by one: whoever adds a kind is led here, and to `kind_of`.
    match kind {
        FrameKind::Command
        | FrameKind::Parameters
        | FrameKind::Input
        | FrameKind::Output
        | FrameKind::Verdict
        | FrameKind::Outcome
        | FrameKind::Errors
        | FrameKind::Terminal
        | FrameKind::File => kind as u8,
    }
}

fn kind_of(byte: u8) -> Option<FrameKind> {
    [
        FrameKind::Command,
        FrameKind::Parameters,
        FrameKind::Input,
        FrameKind::Output,
        FrameKind::Verdict,
        FrameKind::Outcome,
        FrameKind::Errors,
        FrameKind::Terminal,
        FrameKind::File,
    ]
    .into_iter()
    .find(|kind| byte_of(*kind) == byte)
}

fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push((n & 0x7F) as u8 | 0x80);
        n >>= 7;
    }
    out.push((n & 0x7F) as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Result<Option<u64>, &'static str> {
    let mut n = 0_u64;
    for shift in (0..64).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        *bytes = rest;
        let part = u64::from(byte & 0x7F);
        if shift == 63 && part > 1 {
            return Err("a number that is too large");
        }
        n |= part << shift;
        if byte & 0x80 == 0 {
            return Ok(Some(n));
        }
    }
    Err("a number that is too long")
}

fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)).cast_unsigned()
}

fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -((n & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_what_was_put() {
        for n in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, n);
            assert_eq!(take_varint(&mut out.as_slice()), Ok(Some(n)));
            let mut short = &out[..out.len() - 1];
            assert_eq!(take_varint(&mut short), Ok(None));
        }
        assert!(take_varint(&mut [0xFF; 11].as_slice()).is_err());
    }

    #[test]
    fn a_clock_that_steps_back_is_a_delta_like_any_other() {
        for n in [0, 1, -1, i64::MAX, i64::MIN, -86_400_000_000] {
            assert_eq!(unzigzag(zigzag(n)), n);
        }
    }
}

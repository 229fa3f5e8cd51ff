//! Framing, and the fields of one frame: a length of 32 bits, then numbers and length-prefixed strings. Every read checks
//! what is left first. Nothing here knows any particular message.

use bytes::{Buf, Bytes, BytesMut};

pub(super) use crate::reader::Reader;
use crate::{PeerMisbehaved, Side};

/// The length field in front of each frame.
const LENGTH_BYTES: usize = 4;

/// Takes the body of one whole frame, or nothing if it has not all arrived. A length is judged as soon as it is announced.
pub(super) fn frame(
    buf: &mut BytesMut,
    side: Side,
    max: usize,
) -> Result<Option<Bytes>, PeerMisbehaved> {
    let Some((length, _)) = buf.split_first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let announced = u32::from_be_bytes(*length);
    let size = usize::try_from(announced).unwrap_or(usize::MAX);
    if size == 0 {
        return Err(PeerMisbehaved::FrameTooShort {
            side,
            message: "SFTP frame",
            announced,
        });
    }
    if size > max {
        return Err(PeerMisbehaved::FrameTooLong {
            side,
            message: "SFTP frame",
            announced: u64::from(announced),
            max,
        });
    }
    if buf.len().saturating_sub(LENGTH_BYTES) < size {
        return Ok(None);
    }
    buf.advance(LENGTH_BYTES);
    Ok(Some(buf.split_to(size).freeze()))
}

impl Reader {
    /// What the frame turned out to be.
    pub(super) fn is(&mut self, message: &'static str) {
        self.message = message;
    }

    /// A string of any bytes behind its length in 32 bits, no longer than allowed.
    pub(super) fn string(
        &mut self,
        field: &'static str,
        max: usize,
    ) -> Result<Bytes, PeerMisbehaved> {
        let length = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if length > self.remaining() {
            return Err(self.truncated());
        }
        if length > max {
            return Err(self.too_long(field, length, max));
        }
        self.bytes(length)
    }

    /// A 32-bit count of items that take at least `least_bytes` each.
    pub(super) fn long_count(
        &mut self,
        field: &'static str,
        max: usize,
        least_bytes: usize,
    ) -> Result<usize, PeerMisbehaved> {
        let count = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        self.counted(count, field, max, least_bytes)
    }
}

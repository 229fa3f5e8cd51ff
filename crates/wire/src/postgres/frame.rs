//! Framing: one type byte, a 32-bit length that counts itself, a body. Lengths are judged as soon as
//! they are announced. Here too is the writer of frames. Never here: what a body means.

use bytes::{BufMut, Bytes, BytesMut};

use crate::{Limits, PeerMisbehaved, Side, Unencodable};

/// The type byte and the length.
pub const HEADER_BYTES: usize = 5;

/// One whole frame, its body not yet decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The type byte.
    pub tag: u8,
    /// What follows the length.
    pub body: Bytes,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Frame({:?}, {} bytes)",
            char::from(self.tag),
            self.body.len()
        )
    }
}

impl Frame {
    /// Writes the frame again as it came.
    ///
    /// # Errors
    /// When the body is longer than a length field can say, which no frame that was read is.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), Unencodable> {
        write(out, self.tag, |out| {
            out.extend_from_slice(&self.body);
            Ok(())
        })
    }
}

/// The type and whole size, header included, of the frame at the start of `buf`, once announced.
#[must_use]
pub fn peek(buf: &[u8]) -> Option<(u8, usize)> {
    let (&[tag, a, b, c, d], _) = buf.split_first_chunk::<HEADER_BYTES>()?;
    let length = u32::from_be_bytes([a, b, c, d]);
    Some((tag, usize::try_from(length).ok()?.saturating_add(1)))
}

/// Whole frames of one type, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Run {
    /// How many.
    pub frames: u64,
    /// Their bytes, headers included.
    pub bytes: usize,
}

/// The whole frames of this type at the start of `buf`.
///
/// A frame with an impossible length ends the run; [`next_frame`] then refuses it.
#[must_use]
pub fn run(buf: &[u8], tag: u8) -> Run {
    let mut whole = Run::default();
    let mut rest = buf;
    while let Some((found, size)) = peek(rest) {
        if found != tag || size < HEADER_BYTES {
            break;
        }
        let Some(next) = rest.get(size..) else { break };
        whole.frames += 1;
        whole.bytes = whole.bytes.saturating_add(size);
        rest = next;
    }
    whole
}

/// The whole DataRow frames at the start of `buf`.
///
/// The caller's buffer never holds more than the limits let it, so a run needs no check of its own.
#[must_use]
pub fn data_row_run(buf: &[u8]) -> Run {
    run(buf, b'D')
}

/// Takes one whole frame from the target, or nothing if it has not all arrived.
///
/// # Errors
/// When the announced length is impossible or beyond the maximum for this type.
pub fn next_frame(buf: &mut BytesMut, limits: &Limits) -> Result<Option<Frame>, PeerMisbehaved> {
    let max = match buf.first() {
        None => return Ok(None),
        Some(b'R' | b'v') => limits.auth_frame_bytes_max,
        Some(b'A' | b'D' | b'E' | b'G' | b'H' | b'N' | b'T' | b'V' | b'W' | b'd' | b't') => {
            limits.reply_frame_bytes_max
        }
        Some(_) => limits.reply_small_frame_bytes_max,
    };
    take(buf, Side::Target, "reply", max)
}

/// Takes one whole frame whose length may be at most `max`, or nothing if it has not all arrived.
pub(super) fn take(
    buf: &mut BytesMut,
    side: Side,
    message: &'static str,
    max: usize,
) -> Result<Option<Frame>, PeerMisbehaved> {
    let Some((&[tag, a, b, c, d], _)) = buf.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let size = checked_size(u32::from_be_bytes([a, b, c, d]), side, message, max)?;
    let Some(size) = size.checked_add(1).filter(|size| buf.len() >= *size) else {
        return Ok(None);
    };
    let mut body = buf.split_to(size).freeze();
    let _header = body.split_to(HEADER_BYTES);
    Ok(Some(Frame { tag, body }))
}

/// Refuses a length that cannot hold itself or is beyond the maximum.
pub(super) fn checked_size(
    announced: u32,
    side: Side,
    message: &'static str,
    max: usize,
) -> Result<usize, PeerMisbehaved> {
    if announced < 4 {
        return Err(PeerMisbehaved::FrameTooShort {
            side,
            message,
            announced,
        });
    }
    match usize::try_from(announced) {
        Ok(size) if size <= max => Ok(size),
        _ => Err(PeerMisbehaved::FrameTooLong {
            side,
            message,
            announced: u64::from(announced),
            max,
        }),
    }
}

/// Writes one frame around what `body` appends; on error the output is as it was before.
pub(super) fn write(
    out: &mut BytesMut,
    tag: u8,
    body: impl FnOnce(&mut BytesMut) -> Result<(), Unencodable>,
) -> Result<(), Unencodable> {
    let start = out.len();
    out.put_u8(tag);
    let written = write_untyped(out, body);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Writes a packet without a type byte, as the start-up phase has them.
pub(super) fn write_untyped(
    out: &mut BytesMut,
    body: impl FnOnce(&mut BytesMut) -> Result<(), Unencodable>,
) -> Result<(), Unencodable> {
    let start = out.len();
    out.put_i32(0);
    let written = body(out).and_then(|()| {
        let length =
            i32::try_from(out.len().saturating_sub(start)).map_err(|_| Unencodable::TooLong)?;
        let slot = out
            .get_mut(start..)
            .and_then(<[u8]>::first_chunk_mut::<4>)
            .ok_or(Unencodable::TooLong)?;
        *slot = length.to_be_bytes();
        Ok(())
    });
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Appends a text and its NUL.
pub(super) fn put_text(out: &mut BytesMut, text: &[u8]) -> Result<(), Unencodable> {
    if text.contains(&0) {
        return Err(Unencodable::NulInText);
    }
    out.extend_from_slice(text);
    out.put_u8(0);
    Ok(())
}

/// Appends a 16-bit count, unsigned as PostgreSQL reads it.
pub(super) fn put_count(out: &mut BytesMut, count: usize) -> Result<(), Unencodable> {
    out.put_u16(u16::try_from(count).map_err(|_| Unencodable::TooMany)?);
    Ok(())
}

/// Appends a value behind its length, NULL as -1.
pub(super) fn put_value(out: &mut BytesMut, value: Option<&[u8]>) -> Result<(), Unencodable> {
    match value {
        None => out.put_i32(-1),
        Some(value) => {
            out.put_i32(i32::try_from(value.len()).map_err(|_| Unencodable::TooLong)?);
            out.extend_from_slice(value);
        }
    }
    Ok(())
}

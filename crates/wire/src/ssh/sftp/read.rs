//! Framing, and the fields of one frame: a length of 32 bits, then numbers and length-prefixed strings. Every read checks
//! what is left first. Nothing here knows any particular message.

use bytes::{Buf, Bytes, BytesMut};

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

/// A cursor over one frame, which names the message in every complaint.
#[derive(Debug)]
pub(super) struct Reader {
    body: Bytes,
    side: Side,
    message: &'static str,
}

impl Reader {
    pub(super) const fn new(side: Side, message: &'static str, body: Bytes) -> Self {
        Self {
            body,
            side,
            message,
        }
    }

    /// What the frame turned out to be.
    pub(super) fn is(&mut self, message: &'static str) {
        self.message = message;
    }

    pub(super) fn u8(&mut self) -> Result<u8, PeerMisbehaved> {
        self.body.try_get_u8().map_err(|_| self.truncated())
    }

    pub(super) fn u32(&mut self) -> Result<u32, PeerMisbehaved> {
        self.body.try_get_u32().map_err(|_| self.truncated())
    }

    pub(super) fn u64(&mut self) -> Result<u64, PeerMisbehaved> {
        self.body.try_get_u64().map_err(|_| self.truncated())
    }

    /// A string of any bytes, no longer than allowed.
    pub(super) fn string(
        &mut self,
        field: &'static str,
        max: usize,
    ) -> Result<Bytes, PeerMisbehaved> {
        let length = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if length > self.body.len() {
            return Err(self.truncated());
        }
        if length > max {
            return Err(PeerMisbehaved::FieldTooLong {
                side: self.side,
                message: self.message,
                field,
                length,
                max,
            });
        }
        Ok(self.body.split_to(length))
    }

    /// A count of items that take at least so many bytes each.
    pub(super) fn count(
        &mut self,
        field: &'static str,
        max: usize,
        least_bytes: usize,
    ) -> Result<usize, PeerMisbehaved> {
        let count = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        let max = max.min(self.body.len().checked_div(least_bytes).unwrap_or(0));
        if count > max {
            return Err(self.too_many(field, count, max));
        }
        Ok(count)
    }

    pub(super) fn too_many(&self, field: &'static str, count: usize, max: usize) -> PeerMisbehaved {
        PeerMisbehaved::TooMany {
            side: self.side,
            message: self.message,
            field,
            count,
            max,
        }
    }

    pub(super) fn bad(&self, field: &'static str) -> PeerMisbehaved {
        PeerMisbehaved::BadValue {
            side: self.side,
            message: self.message,
            field,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.body)
    }

    /// Refuses whatever is left.
    pub(super) fn finish(&self) -> Result<(), PeerMisbehaved> {
        if self.body.is_empty() {
            return Ok(());
        }
        Err(PeerMisbehaved::TrailingBytes {
            side: self.side,
            message: self.message,
            extra: self.body.len(),
        })
    }

    fn truncated(&self) -> PeerMisbehaved {
        PeerMisbehaved::Truncated {
            side: self.side,
            message: self.message,
        }
    }
}

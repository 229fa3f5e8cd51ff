//! Reads the fields of one message body. Every read checks what is left first; a count is believed
//! only as far as the bytes behind it could hold. Nothing here knows any particular message.

use std::ffi::CStr;

use bytes::{Buf, Bytes};

use crate::{PeerMisbehaved, Side};

/// A cursor over one message body, which names the message in every complaint.
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

    pub(super) fn remaining(&self) -> usize {
        self.body.len()
    }

    pub(super) fn u8(&mut self) -> Result<u8, PeerMisbehaved> {
        self.body.try_get_u8().map_err(|_| self.truncated())
    }

    pub(super) fn i16(&mut self) -> Result<i16, PeerMisbehaved> {
        self.body.try_get_i16().map_err(|_| self.truncated())
    }

    pub(super) fn i32(&mut self) -> Result<i32, PeerMisbehaved> {
        self.body.try_get_i32().map_err(|_| self.truncated())
    }

    pub(super) fn u32(&mut self) -> Result<u32, PeerMisbehaved> {
        self.body.try_get_u32().map_err(|_| self.truncated())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PeerMisbehaved> {
        let mut array = [0; N];
        self.body
            .try_copy_to_slice(&mut array)
            .map_err(|_| self.truncated())?;
        Ok(array)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<Bytes, PeerMisbehaved> {
        if length > self.body.len() {
            return Err(self.truncated());
        }
        Ok(self.body.split_to(length))
    }

    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.body)
    }

    /// A 16-bit count, unsigned as PostgreSQL reads it, of items that take `least_bytes` each.
    pub(super) fn count(
        &mut self,
        field: &'static str,
        max: usize,
        least_bytes: usize,
    ) -> Result<usize, PeerMisbehaved> {
        let count = usize::from(self.body.try_get_u16().map_err(|_| self.truncated())?);
        let room = self.body.len() / least_bytes.max(1);
        let max = max.min(room);
        if count > max {
            return Err(PeerMisbehaved::TooMany {
                side: self.side,
                message: self.message,
                field,
                count,
                max,
            });
        }
        Ok(count)
    }

    /// A text up to its NUL, which is consumed and not returned.
    pub(super) fn text(&mut self) -> Result<Bytes, PeerMisbehaved> {
        let Ok(text) = CStr::from_bytes_until_nul(&self.body) else {
            return Err(PeerMisbehaved::Unterminated {
                side: self.side,
                message: self.message,
            });
        };
        let text = self.body.split_to(text.count_bytes());
        self.body.advance(1);
        Ok(text)
    }

    /// A text whose length is bounded more narrowly than its message.
    pub(super) fn text_within(
        &mut self,
        field: &'static str,
        max: usize,
    ) -> Result<Bytes, PeerMisbehaved> {
        let text = self.text()?;
        if text.len() > max {
            return Err(PeerMisbehaved::FieldTooLong {
                side: self.side,
                message: self.message,
                field,
                length: text.len(),
                max,
            });
        }
        Ok(text)
    }

    /// A text that must be UTF-8.
    pub(super) fn utf8(&mut self, field: &'static str) -> Result<String, PeerMisbehaved> {
        let text = self.text()?;
        match std::str::from_utf8(&text) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(PeerMisbehaved::NotUtf8 {
                side: self.side,
                message: self.message,
                field,
            }),
        }
    }

    /// A value behind its 32-bit length, where -1 is NULL.
    pub(super) fn value(&mut self) -> Result<Option<Bytes>, PeerMisbehaved> {
        let length = self.i32()?;
        match usize::try_from(length) {
            Ok(length) => self.bytes(length).map(Some),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(PeerMisbehaved::NegativeLength {
                side: self.side,
                message: self.message,
                length,
            }),
        }
    }

    /// A format code, 0 for text or 1 for binary.
    pub(super) fn format(&mut self) -> Result<i16, PeerMisbehaved> {
        match self.i16()? {
            code @ (0 | 1) => Ok(code),
            _ => Err(self.bad_value("format code")),
        }
    }

    /// A counted list of format codes.
    pub(super) fn formats(
        &mut self,
        field: &'static str,
        max: usize,
    ) -> Result<Vec<i16>, PeerMisbehaved> {
        let count = self.count(field, max, 2)?;
        (0..count).map(|_| self.format()).collect()
    }

    /// Refuses whatever is left.
    pub(super) fn finish(self) -> Result<(), PeerMisbehaved> {
        if self.body.is_empty() {
            return Ok(());
        }
        Err(PeerMisbehaved::TrailingBytes {
            side: self.side,
            message: self.message,
            extra: self.body.len(),
        })
    }

    pub(super) fn bad_value(&self, field: &'static str) -> PeerMisbehaved {
        PeerMisbehaved::BadValue {
            side: self.side,
            message: self.message,
            field,
        }
    }

    fn truncated(&self) -> PeerMisbehaved {
        PeerMisbehaved::Truncated {
            side: self.side,
            message: self.message,
        }
    }
}

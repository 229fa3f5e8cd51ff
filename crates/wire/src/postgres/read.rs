//! Fields as PostgreSQL's messages have them (PostgreSQL documentation, "Message Data Types").
//!
//! Lives here: texts, values, formats and counts. Never: any particular message.

use crate::PeerMisbehaved;
use bytes::{Buf, Bytes};
use std::ffi::CStr;

pub(super) use crate::reader::Reader;

impl Reader {
    /// A 16-bit count, unsigned as PostgreSQL reads it, of items that take `least_bytes` each.
    pub(super) fn count(
        &mut self,
        field: &'static str,
        max: usize,
        least_bytes: usize,
    ) -> Result<usize, PeerMisbehaved> {
        let count = usize::from(self.u16()?);
        self.counted(count, field, max, least_bytes)
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
            return Err(self.too_long(field, text.len(), max));
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
}

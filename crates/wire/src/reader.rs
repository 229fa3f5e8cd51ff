//! Reads the fields of one message. Every read checks what is left first; a count is believed only as far as the bytes
//! behind it could hold.
//!
//! Lives here: what protocols share. Never: a field that one protocol alone has; those are beside its messages.

use crate::{PeerMisbehaved, Side};
use bytes::{Buf, Bytes};

/// A cursor over one message body, which names the message in every complaint.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) body: Bytes,
    pub(crate) side: Side,
    pub(crate) message: &'static str,
}

impl Reader {
    pub(crate) const fn new(side: Side, message: &'static str, body: Bytes) -> Self {
        Self {
            body,
            side,
            message,
        }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.body.len()
    }

    pub(crate) fn u8(&mut self) -> Result<u8, PeerMisbehaved> {
        self.body.try_get_u8().map_err(|_| self.truncated())
    }

    pub(crate) fn i16(&mut self) -> Result<i16, PeerMisbehaved> {
        self.body.try_get_i16().map_err(|_| self.truncated())
    }

    pub(crate) fn u16(&mut self) -> Result<u16, PeerMisbehaved> {
        self.body.try_get_u16().map_err(|_| self.truncated())
    }

    pub(crate) fn i32(&mut self) -> Result<i32, PeerMisbehaved> {
        self.body.try_get_i32().map_err(|_| self.truncated())
    }

    pub(crate) fn u32(&mut self) -> Result<u32, PeerMisbehaved> {
        self.body.try_get_u32().map_err(|_| self.truncated())
    }

    pub(crate) fn u64(&mut self) -> Result<u64, PeerMisbehaved> {
        self.body.try_get_u64().map_err(|_| self.truncated())
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], PeerMisbehaved> {
        let mut array = [0; N];
        self.body
            .try_copy_to_slice(&mut array)
            .map_err(|_| self.truncated())?;
        Ok(array)
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<Bytes, PeerMisbehaved> {
        if length > self.body.len() {
            return Err(self.truncated());
        }
        Ok(self.body.split_to(length))
    }

    pub(crate) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.body)
    }

    /// Checks a count of items that take at least `least_bytes` each.
    pub(crate) fn counted(
        &self,
        count: usize,
        field: &'static str,
        max: usize,
        least_bytes: usize,
    ) -> Result<usize, PeerMisbehaved> {
        let room = self.body.len() / least_bytes.max(1);
        let max = max.min(room);
        if count > max {
            return Err(self.too_many(field, count, max));
        }
        Ok(count)
    }

    /// Refuses whatever is left.
    pub(crate) fn finish(&self) -> Result<(), PeerMisbehaved> {
        if self.body.is_empty() {
            return Ok(());
        }
        Err(PeerMisbehaved::TrailingBytes {
            side: self.side,
            message: self.message,
            extra: self.body.len(),
        })
    }

    pub(crate) fn too_many(&self, field: &'static str, count: usize, max: usize) -> PeerMisbehaved {
        PeerMisbehaved::TooMany {
            side: self.side,
            message: self.message,
            field,
            count,
            max,
        }
    }

    pub(crate) fn too_long(
        &self,
        field: &'static str,
        length: usize,
        max: usize,
    ) -> PeerMisbehaved {
        PeerMisbehaved::FieldTooLong {
            side: self.side,
            message: self.message,
            field,
            length,
            max,
        }
    }

    pub(crate) fn bad_value(&self, field: &'static str) -> PeerMisbehaved {
        PeerMisbehaved::BadValue {
            side: self.side,
            message: self.message,
            field,
        }
    }

    pub(crate) fn truncated(&self) -> PeerMisbehaved {
        PeerMisbehaved::Truncated {
            side: self.side,
            message: self.message,
        }
    }
}

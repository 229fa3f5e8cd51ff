//! Proofs: values that exist only because the gate let something through.
//!
//! Lives here: their private fields. Never: `Clone`, `Default`, `Deserialize`, or a public constructor.

use crate::denial::{Code, Denial};
use crate::gate::cut::Cut;
use bytes::Bytes;
use std::sync::Arc;

/// Bytes that were judged and whose intent is on record. Only this may be written to a target.
#[derive(Debug)]
pub struct Cleared(Bytes);

impl Cleared {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }
    /// Gives the bytes to the one who writes them upstream.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// The right to stream data inside one cleared command (COPY data): bounded, counted, ended by a cut.
#[derive(Debug)]
pub struct Lane {
    cut: Arc<Cut>,
    bytes_left: u64,
    bytes_passed: u64,
}

impl Lane {
    pub(super) fn new(cut: Arc<Cut>, bytes_max: u64) -> Self {
        Self {
            cut,
            bytes_left: bytes_max,
            bytes_passed: 0,
        }
    }

    /// Lets a chunk through.
    ///
    /// # Errors
    /// When the session was cut, or the stream is longer than a lane may be.
    pub fn pass(&mut self, chunk: Bytes) -> Result<Cleared, Denial> {
        if let Some(reason) = self.cut.reason() {
            return Err(self.cut.says(reason));
        }
        let len = chunk.len() as u64;
        let Some(left) = self.bytes_left.checked_sub(len) else {
            return Err(Denial::new(
                Code::TooLarge,
                "brattice.lane",
                "this stream is longer than the gateway passes in one command",
            )
            .hint("split it into several commands"));
        };
        self.bytes_left = left;
        self.bytes_passed += len;
        Ok(Cleared(chunk))
    }

    /// Bytes let through so far.
    pub fn bytes_passed(&self) -> u64 {
        self.bytes_passed
    }
}

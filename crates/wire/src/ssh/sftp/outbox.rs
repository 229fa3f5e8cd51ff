//! The one way to the target: cleared frames, and the closed set of frames that the gateway itself makes.
//!
//! Here lives their serialisation. Never here: a way to append bytes that nobody cleared.

use super::encode;
use super::request::{OnHandle, OnPath, Request};
use super::settle::Lookup;
use brattice_core::gate::Cleared;
use bytes::{Bytes, BytesMut};

/// What the gateway sends on its own account. None of it changes anything on the target.
#[derive(Debug)]
pub(super) enum Plumbing {
    /// The first frame.
    Init,
    /// Asks for the target's own limits.
    Limits(u32),
    /// Looks something up.
    Look(u32, Lookup),
    /// Closes a handle that a cleared request opened.
    Close(u32, Bytes),
}

/// Frames on their way to the target.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: BytesMut,
}

impl Outbox {
    /// Takes a cleared frame, if it is the one that was asked about: another one has no business here.
    #[must_use]
    pub(super) fn asked(&mut self, frame: Cleared, asked: &Bytes) -> bool {
        let frame = frame.into_bytes();
        let is_it = frame == asked;
        if is_it {
            self.bytes.extend_from_slice(&frame);
        }
        is_it
    }

    /// Takes a frame that a lane passed.
    pub(super) fn passed(&mut self, frame: Cleared) {
        self.bytes.extend_from_slice(&frame.into_bytes());
    }

    pub(super) fn plumbing(&mut self, frame: Plumbing) {
        let out = &mut self.bytes;
        match frame {
            Plumbing::Init => encode::init(out),
            Plumbing::Limits(id) => encode::request(out, id, &Request::Limits),
            Plumbing::Look(id, Lookup::Realpath(path)) => {
                encode::request(out, id, &Request::Path(OnPath::Realpath, path));
            }
            Plumbing::Look(id, Lookup::Lstat(path)) => {
                encode::request(out, id, &Request::Path(OnPath::Lstat, path));
            }
            Plumbing::Close(id, handle) => {
                encode::request(out, id, &Request::Handle(OnHandle::Close, handle));
            }
        }
    }

    /// What waits to be written.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Drops what was written.
    pub fn advance(&mut self, written: usize) {
        let written = written.min(self.bytes.len());
        bytes::Buf::advance(&mut self.bytes, written);
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

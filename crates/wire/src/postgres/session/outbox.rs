//! The one way to the target: cleared frames, and the closed set of frames that the gateway itself makes.
//!
//! Here lives their serialisation. Never here: a way to append bytes that nobody cleared.

use super::super::{NameKind, encode};
use brattice_core::gate::Cleared;
use bytes::{Bytes, BytesMut};

/// The name of the statements and portals that the gateway itself prepares; clients may not use it.
pub const OWN_NAME: &[u8] = brattice_core::gate::OWN_NAME.as_bytes();

/// What the gateway sends on its own account. None of it carries a client's text.
#[derive(Debug)]
pub enum Plumbing {
    /// Ends a pipeline of the gateway's own.
    Sync,
    /// Asks for replies so far.
    Flush,
    /// Leaves.
    Terminate,
    /// Drops a name.
    Close(NameKind, Bytes),
    /// Describes a name.
    Describe(NameKind, Bytes),
    /// A statement that fails in the place of a refused one, so that the target's transaction really aborts.
    Fail,
    /// The same in place of a Parse of the unnamed statement: that one is gone then, as after any Parse that fails.
    FailUnnamed,
    /// The same as a simple query.
    FailQuery,
    /// A harmless statement: in a failed transaction the target answers it with its own error.
    Nothing,
    /// The same as a simple query.
    NothingQuery,
    /// One of the gateway's own reads of the catalogue.
    Read(&'static str),
    /// The end of a COPY stream.
    CopyDone,
    /// A COPY stream is given up.
    CopyFail,
}

/// The text that fails in place of a refused statement; it shows in the target's own log.
const FAILS: &[u8] = b"refused_by_brattice";
const DOES_NOTHING: &[u8] = b"SELECT 1";

/// Frames on their way to the target.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: BytesMut,
}

impl Outbox {
    /// Takes a cleared frame.
    pub fn cleared(&mut self, frame: Cleared) {
        self.bytes.extend_from_slice(&frame.into_bytes());
    }

    /// Takes a cleared piece of a COPY stream and frames it.
    pub fn copy_data(&mut self, chunk: Cleared) {
        // A chunk came out of a frame of at most this size, so it fits one.
        let _ = encode::copy_data(&mut self.bytes, &chunk.into_bytes());
    }

    /// Takes a frame of the gateway's own.
    pub fn plumbing(&mut self, frame: &Plumbing) {
        let out = &mut self.bytes;
        // The texts are constants without NUL and names that were read from frames, so encoding them cannot fail.
        let _ = match frame {
            Plumbing::Sync => {
                encode::sync(out);
                Ok(())
            }
            Plumbing::Flush => {
                encode::flush(out);
                Ok(())
            }
            Plumbing::Terminate => {
                encode::terminate(out);
                Ok(())
            }
            Plumbing::CopyDone => {
                encode::copy_done(out);
                Ok(())
            }
            Plumbing::CopyFail => encode::copy_fail(out, b"given up by the client"),
            Plumbing::Close(kind, name) => encode::close(out, *kind, name),
            Plumbing::Describe(kind, name) => encode::describe(out, *kind, name),
            Plumbing::Fail => encode::parse(out, OWN_NAME, FAILS, &[]),
            Plumbing::FailUnnamed => encode::parse(out, b"", FAILS, &[]),
            Plumbing::FailQuery => encode::query(out, FAILS),
            Plumbing::Nothing => encode::parse(out, OWN_NAME, DOES_NOTHING, &[]),
            Plumbing::NothingQuery => encode::query(out, DOES_NOTHING),
            Plumbing::Read(text) => encode::parse(out, OWN_NAME, text.as_bytes(), &[])
                .and_then(|()| encode::bind::<&[u8]>(out, OWN_NAME, OWN_NAME, &[], &[], &[]))
                .and_then(|()| encode::execute(out, OWN_NAME, 0))
                .and_then(|()| encode::close(out, NameKind::Portal, OWN_NAME))
                .and_then(|()| encode::close(out, NameKind::Statement, OWN_NAME)),
        };
    }

    /// What waits to be written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Drops what was written.
    pub fn advance(&mut self, written: usize) {
        let written = written.min(self.bytes.len());
        bytes::Buf::advance(&mut self.bytes, written);
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

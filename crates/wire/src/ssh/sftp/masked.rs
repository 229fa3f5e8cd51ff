//! Reading a file whose content is masked. What the client wants is read with what stands around it, so that a value is seen
//! whole wherever a read cuts it; values are written over in place, and all offsets and sizes stay as they are.
//!
//! Here lives the window around a read. Never here: what a value is, and for whom it is masked.

use super::code::Code;
use super::refusal;
use super::request::{OnHandle, Request};
use super::{Event, Sftp, Wanted, encode};
use crate::{PeerMisbehaved, Side};
use brattice_core::denial::Denial;
use brattice_core::mask::{Detector, REACH_BYTES, Tally};
use bytes::BytesMut;
use std::sync::Arc;

/// How far a value may reach beyond what is read and is still seen whole.
const AROUND_BYTES: u32 = REACH_BYTES as u32;
/// What the client gets at once: a longer read is answered with less, as a server may (draft 02, section 6.4).
pub const READ_BYTES_MAX: usize = 64 << 10;
/// Windows on their way: each is held until it is whole.
pub(super) const WINDOWS_MAX: usize = 8;

/// What masks the content of one open file, and what it came to.
#[derive(Debug)]
pub(super) struct Masking {
    pub detector: Arc<Detector>,
    /// What was found.
    pub tally: Tally,
    /// Why some of it was not shown.
    pub withheld: Option<Denial>,
}

/// One read of the client's, with what stands around it.
#[derive(Debug)]
pub(super) struct Window {
    pub file: u64,
    /// Where it begins in the file.
    start: u64,
    /// How long it is, unless the file ends before.
    length: usize,
    /// What the client wants of it.
    pub offset: u64,
    wanted: u32,
    came: BytesMut,
}

impl Window {
    pub(super) fn around(file: u64, offset: u64, wanted: u32) -> Self {
        let wanted = wanted.min(READ_BYTES_MAX as u32);
        let start = offset.saturating_sub(u64::from(AROUND_BYTES));
        let before = offset.saturating_sub(start);
        let length = before + u64::from(wanted) + u64::from(AROUND_BYTES);
        Self {
            file,
            start,
            length: usize::try_from(length).unwrap_or(usize::MAX),
            offset,
            wanted,
            came: BytesMut::new(),
        }
    }

    /// How many bytes stand before what the client wants.
    fn before(&self) -> usize {
        usize::try_from(self.offset.saturating_sub(self.start)).unwrap_or(usize::MAX)
    }

    fn missing(&self) -> usize {
        self.length.saturating_sub(self.came.len())
    }
}

impl Sftp {
    /// Asks the target for what is missing of a window, under the lane of the file.
    pub(super) fn read_on(&mut self, id: u32, window: Box<Window>) -> Option<Event> {
        let most = self.read_bytes_max.min(window.missing());
        let length = u32::try_from(most).unwrap_or(u32::MAX);
        let at = window.start.checked_add(window.came.len() as u64);
        let own = self.id();
        let (Some(open), Some(offset)) = (self.files.lasting(window.file), at) else {
            return self.not_read(id, &window, Code::Failure, "the file is closed");
        };
        let mut frame = BytesMut::new();
        let what = OnHandle::Read { offset, length };
        encode::request(&mut frame, own, &Request::Handle(what, open.handle.clone()));
        match open.lane.pass(frame.freeze()) {
            Ok(cleared) => {
                self.outbox.passed(cleared);
                self.owe(own, id, None, Wanted::Window(window));
                None
            }
            Err(denial) => {
                let line = refusal::line_of(&denial, self.limits.text_bytes_max);
                self.not_read(id, &window, Code::PermissionDenied, &line)
            }
        }
    }

    /// A piece of a window came.
    ///
    /// # Errors
    /// When it is more than was asked for, or nothing.
    pub(super) fn window_came(
        &mut self,
        id: u32,
        mut window: Box<Window>,
        data: &[u8],
    ) -> Result<Option<Event>, PeerMisbehaved> {
        if data.is_empty() || data.len() > window.missing() {
            return Err(PeerMisbehaved::Unexpected {
                side: Side::Target,
                message: "DATA",
                state: "a read of another length",
            });
        }
        window.came.extend_from_slice(data);
        match window.missing() {
            0 => Ok(self.window_done(id, *window)),
            // Some servers give less than they are asked for long before the file ends.
            _ => Ok(self.read_on(id, window)),
        }
    }

    /// The window is whole, or the file ends in it: shows the client its part.
    pub(super) fn window_done(&mut self, id: u32, window: Window) -> Option<Event> {
        let before = window.before();
        let Window {
            file,
            offset,
            wanted,
            mut came,
            ..
        } = window;
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let end = before.saturating_add(wanted).min(came.len());
        if came.len() <= before {
            encode::status(&mut self.to_client, id, Code::Eof, "end of file");
            return self.files.came(file, offset, &[]).map(Event::FileDone);
        }
        let Some(masking) = self.files.masking(file) else {
            encode::status(&mut self.to_client, id, Code::Failure, "not read");
            return self.files.came(file, offset, &[]).map(Event::FileDone);
        };
        if !is_text(&came) {
            let denial = refusal::of_no_text();
            let line = refusal::line_of(&denial, self.limits.text_bytes_max);
            masking.withheld = Some(denial);
            encode::status(&mut self.to_client, id, Code::PermissionDenied, &line);
            return self.files.came(file, offset, &[]).map(Event::FileDone);
        }
        let detector = masking.detector.clone();
        detector.blank(&mut came, before..end, &mut masking.tally);
        let shown = came.get(before..end).unwrap_or_default();
        encode::data(&mut self.to_client, id, shown);
        self.files.came(file, offset, shown).map(Event::FileDone)
    }

    /// A read that comes to nothing.
    fn not_read(&mut self, id: u32, window: &Window, code: Code, text: &str) -> Option<Event> {
        encode::status(&mut self.to_client, id, code, text);
        self.files
            .came(window.file, window.offset, &[])
            .map(Event::FileDone)
    }
}

/// Whether values can be seen in it: what is packed, pictures and programs all have bytes that no text has.
fn is_text(bytes: &[u8]) -> bool {
    let strange = |b: &u8| *b < 0x20 && !matches!(*b, b'\t' | b'\n' | b'\r' | 0x08 | 0x0C | 0x1B);
    !bytes.iter().any(strange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_files_are_no_text_and_logs_in_any_encoding_are() {
        assert!(is_text(b"a\tb\r\n\x1b[31mred \xe9t\xe9 \xc3\xa9\n"));
        assert!(is_text(b""));
        // The first bytes of gzip, zip, xz, Zstandard, SQLite and of UTF-16.
        for packed in [
            &b"\x1f\x8b\x08\x00"[..],
            b"PK\x03\x04",
            b"\xfd7zXZ\x00",
            b"(\xb5/\xfd\x04\x00",
            b"SQLite format 3\x00",
            b"\xff\xfea\x00",
        ] {
            assert!(!is_text(packed), "{packed:?}");
        }
    }

    #[test]
    fn a_window_reaches_as_far_as_the_file_does_before_a_read_and_further_behind_it() {
        let around = REACH_BYTES;
        let near = Window::around(1, 10, 5);
        assert_eq!(
            (near.start, near.before(), near.length),
            (0, 10, 15 + around)
        );
        let far = Window::around(1, around as u64 + 7, 5);
        assert_eq!(
            (far.start, far.before(), far.length),
            (7, around, 5 + 2 * around)
        );
        assert_eq!(Window::around(1, u64::MAX, 1).before(), around);
        let long = Window::around(1, 0, u32::MAX);
        assert_eq!(long.length, READ_BYTES_MAX + around);
    }
}

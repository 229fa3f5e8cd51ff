//! Detectors over a stream of bytes: what is found does not depend on where the chunks are cut.
//!
//! Lives here: how much must be held back, and for how long. Never: frames, rows, cells.
//!
//! The stream is cut where no value can go on: after a control character or a quote, and after a space before which
//! there was no digit. The cuts follow from the bytes alone, so any chunking gives the same output.

use crate::mask::detect::{Detector, Tally};
use crate::mask::detectors::pem::Body;
use std::sync::Arc;

/// A piece without a cut longer than this is cut anyway.
const PIECE_BYTES_MAX: usize = 64 << 10;
/// What is looked at beyond such a cut, to see where a value that begins before it ends.
const BEYOND_BYTES: usize = 8 << 10;

/// Masks a stream. Holds back at most 72 KiB.
#[derive(Debug)]
pub struct StreamMasker {
    detector: Arc<Detector>,
    held: Vec<u8>,
    /// How far `held` has been searched for cuts, and what the piece that began last has had.
    searched: usize,
    digit: bool,
    dashes: usize,
    fence: bool,
    rest: Rest,
}

/// A value whose beginning was replaced and whose end has not come.
#[derive(Debug)]
enum Rest {
    Nothing,
    /// A private key's block.
    Block(Body),
    /// A token that is longer than a piece.
    Token,
}

impl StreamMasker {
    /// A masker at the beginning of a stream.
    pub fn new(detector: Arc<Detector>) -> Self {
        Self {
            detector,
            held: Vec::new(),
            searched: 0,
            digit: false,
            dashes: 0,
            fence: false,
            rest: Rest::Nothing,
        }
    }

    /// Takes a chunk and appends what can be passed on.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>, tally: &mut Tally) {
        self.held.extend_from_slice(chunk);
        self.swallow();
        self.work(false, out, tally);
    }

    /// The stream has ended: appends all that was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>, tally: &mut Tally) {
        self.work(true, out, tally);
        self.rest = Rest::Nothing;
    }

    /// The stream pauses, as a terminal does at a prompt: appends what was held back. A value that is cut by the
    /// pause is looked at as two.
    pub fn pause(&mut self, out: &mut Vec<u8>, tally: &mut Tally) {
        self.work(true, out, tally);
    }

    /// How many bytes are held back.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn work(&mut self, all: bool, out: &mut Vec<u8>, tally: &mut Tally) {
        loop {
            let cut = self.cut();
            let (end, look) = match cut {
                Some(cut) => (cut, cut),
                None if self.held.len() >= PIECE_BYTES_MAX + BEYOND_BYTES => {
                    (PIECE_BYTES_MAX, PIECE_BYTES_MAX + BEYOND_BYTES)
                }
                None if all && !self.held.is_empty() => (self.held.len(), self.held.len()),
                None => return,
            };
            let taken = self.emit(end, look, out, tally);
            self.held.drain(..taken);
            self.restart();
            self.swallow();
        }
    }

    /// Appends the first bytes up to `end`, or to the end of a value that begins before it; says how many were taken.
    fn emit(&mut self, end: usize, look: usize, out: &mut Vec<u8>, tally: &mut Tally) -> usize {
        let window = self.held.get(..look).unwrap_or_default();
        let taken = self.detector.redact_until(window, end, out, tally);
        if taken == look {
            self.rest = match self.detector.open_block(window) {
                Some(body) => Rest::Block(body),
                None if look > end => Rest::Token,
                None => Rest::Nothing,
            };
        }
        taken
    }

    /// Drops bytes of a value whose beginning was replaced.
    fn swallow(&mut self) {
        let gone = match &mut self.rest {
            Rest::Nothing => return,
            Rest::Block(body) => self.held.iter().take_while(|b| body.take(**b)).count(),
            Rest::Token => self.held.iter().take_while(|b| is_token(**b)).count(),
        };
        if gone < self.held.len() {
            self.rest = Rest::Nothing;
        }
        if gone > 0 {
            self.held.drain(..gone);
            self.restart();
        }
    }

    fn restart(&mut self) {
        self.searched = 0;
        self.digit = false;
        self.dashes = 0;
        self.fence = false;
    }

    /// The end of the last piece that is whole; of the first one, where patterns of the bundle may span pieces.
    fn cut(&mut self) -> Option<usize> {
        let lines = self.detector.has_patterns();
        let mut last = None;
        let new = self.held.get(self.searched..).unwrap_or_default();
        // Only the last cut counts where no piece can be too long, and what was before it does not change these.
        if !lines
            && self.held.len() < PIECE_BYTES_MAX
            && let Some(end) = new.iter().rposition(|b| ends_any(*b))
        {
            let after = self.searched + end + 1;
            self.restart();
            self.searched = after;
            last = Some(after);
        }
        for (at, b) in self.held.iter().enumerate().skip(self.searched) {
            self.dashes = if *b == b'-' { self.dashes + 1 } else { 0 };
            // The opening line of a private key has spaces.
            self.fence |= self.dashes >= 5;
            self.digit |= b.is_ascii_digit();
            let cut = match *b {
                b'\n' => true,
                _ if lines => false,
                b' ' => !self.digit && !self.fence,
                b => ends_any(b),
            };
            if cut {
                last = Some(at + 1);
                self.digit = false;
                self.fence = false;
                self.dashes = 0;
                if lines {
                    self.searched = at + 1;
                    return last;
                }
            } else if at + 1 - last.unwrap_or(0) >= PIECE_BYTES_MAX {
                // However much more is already here: this piece is cut at its greatest length.
                self.searched = at;
                return last;
            }
        }
        self.searched = self.held.len();
        last
    }
}

/// No value goes on behind these, whatever came before.
fn ends_any(b: u8) -> bool {
    b < 0x20 || matches!(b, b'"' | b'<' | b'>' | 0x7F)
}

/// Bytes of which long tokens are made.
fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'+' | b'/' | b'=')
}

#[cfg(test)]
#[path = "stream/tests.rs"]
mod tests;

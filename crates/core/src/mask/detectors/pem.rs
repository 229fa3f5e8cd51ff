//! PEM blocks with a private key (RFC 7468).
//!
//! Lives here: how far a block goes, piece by piece. Never: what is in it.

use crate::mask::detect::compile;
use regex_automata::meta::{BuildError, Regex};
use std::ops::Range;

/// The opening line of a block that we hide.
const OPENING: &str = r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----";
/// The longest block that is followed; a key of 16,384 bits is shorter.
pub(crate) const BYTES_MAX: usize = 32 << 10;
/// How far before a place a value may begin that goes on there: a block with its opening line.
pub const REACH_BYTES: usize = BYTES_MAX + (1 << 10);

/// Follows a block from after its opening line to its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Body {
    taken: usize,
    /// Dashes in a row, and whether the closing line was begun.
    dashes: usize,
    closing: bool,
}

impl Body {
    /// Takes the next byte; false when it no longer belongs to the block.
    pub(crate) fn take(&mut self, b: u8) -> bool {
        // Base 64, its headers (`Proc-Type: 4,ENCRYPTED`), and line ends written out, as JSON has them.
        let belongs = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'+' | b'/' | b'=' | b'-' | b'\n' | b'\r' | b' ' | b'\\' | b':' | b',' | b'\t'
            );
        if !belongs || self.taken >= BYTES_MAX {
            return false;
        }
        if self.closing && self.dashes >= 5 && b != b'-' {
            return false;
        }
        self.taken += 1;
        match b {
            b'-' => self.dashes += 1,
            _ => {
                self.closing |= self.dashes >= 5;
                self.dashes = 0;
            }
        }
        // The dashes that end the closing line are its last five.
        !(self.closing && self.dashes > 5)
    }
}

/// A block that was found.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub range: Range<usize>,
    /// How it stands at its end, for when more comes.
    pub body: Body,
}

/// Finds blocks.
#[derive(Debug, Clone)]
pub(crate) struct Blocks(Regex);

impl Blocks {
    pub(crate) fn new() -> Result<Self, Box<BuildError>> {
        compile(&[OPENING]).map(Self)
    }

    /// Every block, in order.
    pub(crate) fn find(&self, bytes: &[u8]) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        for opening in self.0.find_iter(bytes) {
            if blocks.last().is_some_and(|b| opening.start() < b.range.end) {
                continue;
            }
            let mut body = Body::default();
            let rest = bytes.get(opening.end()..).unwrap_or_default();
            let taken = rest.iter().take_while(|b| body.take(**b)).count();
            blocks.push(Block {
                range: opening.start()..opening.end() + taken,
                body,
            });
        }
        blocks
    }
}

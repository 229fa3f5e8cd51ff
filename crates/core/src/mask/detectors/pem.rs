//! PEM blocks with a private key (RFC 7468).
//!
//! Lives here: how far a block goes, piece by piece. Never: what is in it.

/// The words that end the opening line of a block that we hide.
pub(crate) const OPENING: &str = r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----";
/// The longest block that is followed; a key of 16,384 bits is shorter.
pub(crate) const BYTES_MAX: usize = 32 << 10;

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

/// The end of a block whose opening line ends at `from`, and how it stands there.
pub(crate) fn end(bytes: &[u8], from: usize) -> (usize, Body) {
    let mut body = Body::default();
    let rest = bytes.get(from..).unwrap_or_default();
    let taken = rest.iter().take_while(|b| body.take(**b)).count();
    (from + taken, body)
}

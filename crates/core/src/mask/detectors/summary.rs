//! One pass over the bytes that tells which detectors could find anything.
//!
//! Lives here: counting byte classes, in a shape that compilers turn into vector instructions. Never: positions.

/// What a piece of text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How long it is.
    pub bytes: usize,
    /// An `@`.
    pub at: bool,
    /// Decimal digits.
    pub digits: usize,
    /// Colons.
    pub colons: usize,
}

/// Counters are single bytes within a block, so that sixteen or more of them fit a register.
const BLOCK: usize = 128;

impl Summary {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut out = Self {
            bytes: bytes.len(),
            at: false,
            digits: 0,
            colons: 0,
        };
        for block in bytes.chunks(BLOCK) {
            let (mut at, mut digits, mut colons) = (0_u8, 0_u8, 0_u8);
            for b in block {
                at |= u8::from(*b == b'@');
                digits += u8::from(b.wrapping_sub(b'0') < 10);
                colons += u8::from(*b == b':');
            }
            out.at |= at != 0;
            out.digits += usize::from(digits);
            out.colons += usize::from(colons);
        }
        out
    }
}

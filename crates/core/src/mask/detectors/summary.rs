//! One pass over the bytes that tells which detectors could find anything.
//!
//! Lives here: counting byte classes, in a shape that compilers turn into vector instructions. Never: positions.

/// What a piece of text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    /// An `@`.
    pub at: bool,
    /// Decimal digits.
    pub digits: usize,
    /// Colons.
    pub colons: usize,
    /// It may hold a token: a word that is long enough.
    pub token: bool,
    /// It has the dashes around the opening words of a PEM block.
    pub fence: bool,
}

/// Counters are single bytes within a block, so that sixteen or more of them fit a register.
const BLOCK: usize = 128;
/// Beyond this, asking the pattern search costs less than looking for long words first.
const WORDS_BYTES_MAX: usize = 1024;
/// The shortest word that a token makes.
const WORD_BYTES_MIN: usize = 20;
/// The dashes around the opening words of a PEM block.
const DASHES_MIN: usize = 10;

impl Summary {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut out = Self {
            at: false,
            digits: 0,
            colons: 0,
            token: bytes.len() > WORDS_BYTES_MAX || long_word(bytes),
            fence: false,
        };
        let mut all_dashes = 0;
        for block in bytes.chunks(BLOCK) {
            let (mut at, mut digits, mut colons, mut dashes) = (0_u8, 0_u8, 0_u8, 0_u8);
            for b in block {
                at |= u8::from(*b == b'@');
                digits += u8::from(b.wrapping_sub(b'0') < 10);
                colons += u8::from(*b == b':');
                dashes += u8::from(*b == b'-');
            }
            out.at |= at != 0;
            out.digits += usize::from(digits);
            out.colons += usize::from(colons);
            all_dashes += usize::from(dashes);
        }
        out.fence = all_dashes >= DASHES_MIN;
        out
    }
}

/// What a byte is to a word: nothing, a digit of a number or hash, or something that only tokens and prose have.
const BREAK: u8 = 0;
const HEX: u8 = 1;
const LETTER: u8 = 2;

const CLASSES: [u8; 256] = {
    let mut table = [BREAK; 256];
    let mut b = 0;
    while b < 256 {
        #[expect(
            clippy::indexing_slicing,
            reason = "a constant loop over the table's own length"
        )]
        {
            table[b] = match b as u8 {
                b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b'-' => HEX,
                b'g'..=b'z' | b'G'..=b'Z' | b'_' | b'.' | b'+' | b'/' | b'=' => LETTER,
                _ => BREAK,
            };
        }
        b += 1;
    }
    table
};

fn class(b: &u8) -> u8 {
    CLASSES.get(usize::from(*b)).copied().unwrap_or(BREAK)
}

/// A word long enough for a token that is not a hash, a UUID or a number: it has a letter beyond `f`.
///
/// A word of that length covers the last byte of any stretch of that length that begins with it: where that byte is
/// none of a word's, the whole stretch is stepped over.
fn long_word(bytes: &[u8]) -> bool {
    let mut from = 0;
    while let Some(stretch) = bytes.get(from..from + WORD_BYTES_MIN) {
        if let Some(at) = stretch.iter().rposition(|b| class(b) == BREAK) {
            from += at + 1;
            continue;
        }
        let rest = bytes.get(from..).unwrap_or_default();
        let length = rest.iter().position(|b| class(b) == BREAK);
        let word = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        if word.iter().any(|b| class(b) == LETTER) {
            return true;
        }
        from += word.len() + 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_across_blocks_and_tells_words_from_tokens() {
        let text = format!(
            "{}1{}:@{}",
            "a ".repeat(100),
            "b ".repeat(100),
            "9k".repeat(10)
        );
        let summary = Summary::of(text.as_bytes());
        assert_eq!(
            (summary.at, summary.digits, summary.colons, summary.token),
            (true, 11, 1, true)
        );
        assert!(!Summary::of(b"nineteen-characters only words").token);
        assert!(
            !Summary::of(b"550e8400-e29b-41d4-a716-446655440000 2026-11-23T18:42:49.123456Z").token
        );
        assert!(Summary::of(b"-----BEGIN PRIVATE KEY-----").fence);
    }
}

//! CRC-32 (the polynomial of IEEE 802.3, reflected): finds torn and rotten bytes before anything is parsed.
//!
//! Lives here: the sum. Never: any claim against somebody who means harm; hashes and signatures do that.

/// One table for each of the eight bytes that are taken in a step.
static TABLES: [[u32; 256]; 8] = tables();

/// The sum of some bytes.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = Crc::new();
    sum.update(bytes);
    sum.finish()
}

/// A sum over several slices.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crc(u32);

impl Crc {
    /// The sum of nothing.
    pub(crate) fn new() -> Self {
        Self(!0)
    }

    /// Adds bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let mut sum = self.0;
        let (eights, rest) = bytes.as_chunks::<8>();
        for [a, b, c, d, e, f, g, h] in eights {
            let low = sum ^ u32::from_le_bytes([*a, *b, *c, *d]);
            let [a, b, c, d] = low.to_le_bytes();
            sum = pick(7, a)
                ^ pick(6, b)
                ^ pick(5, c)
                ^ pick(4, d)
                ^ pick(3, *e)
                ^ pick(2, *f)
                ^ pick(1, *g)
                ^ pick(0, *h);
        }
        for byte in rest {
            let [low, ..] = sum.to_le_bytes();
            sum = (sum >> 8) ^ pick(0, low ^ byte);
        }
        self.0 = sum;
    }

    /// The sum of what was added.
    pub(crate) fn finish(self) -> u32 {
        !self.0
    }
}

#[inline]
fn pick(table: usize, byte: u8) -> u32 {
    TABLES
        .get(table)
        .and_then(|t| t.get(usize::from(byte)))
        .copied()
        .unwrap_or(0)
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, where an index out of bounds is a build error"
)]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ 0xEDB8_8320
            } else {
                sum >> 1
            };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut byte = 0;
    while byte < 256 {
        let mut table = 1;
        while table < 8 {
            let before = tables[table - 1][byte];
            tables[table][byte] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
            table += 1;
        }
        byte += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_check_value() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn does_not_depend_on_how_the_bytes_were_split() {
        let bytes: Vec<u8> = (0..1000_u32).map(|n| (n * 7) as u8).collect();
        for cut in [0, 1, 7, 8, 9, 500, 999, 1000] {
            let mut sum = Crc::new();
            sum.update(&bytes[..cut]);
            sum.update(&bytes[cut..]);
            assert_eq!(sum.finish(), crc32(&bytes));
        }
    }
}

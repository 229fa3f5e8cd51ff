//! Text as hosts have it: lines of a log, every one different, with nothing in them that is masked.
//!
//! Here lives making it: the same for everybody, from a seed.

use super::super::error::{BenchError, During};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Each run moves the same bytes.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const BUFFER_BYTES: usize = 1 << 20;

const WORDS: [&str; 32] = [
    "account",
    "answer",
    "batch",
    "branch",
    "bucket",
    "cache",
    "carrier",
    "catalogue",
    "channel",
    "client",
    "cluster",
    "column",
    "delivery",
    "device",
    "engine",
    "folder",
    "gallery",
    "handler",
    "index",
    "invoice",
    "journal",
    "ledger",
    "machine",
    "message",
    "mirror",
    "order",
    "packet",
    "parcel",
    "queue",
    "region",
    "report",
    "session",
];
const DONE: [&str; 8] = [
    "accepted",
    "checked",
    "compared",
    "counted",
    "delivered",
    "opened",
    "replaced",
    "stored",
];
const LEVELS: [&str; 4] = ["info", "info", "warn", "debug"];

/// Writes so many bytes of it into a new file.
pub(super) fn write(path: &Path, bytes: u64) -> Result<(), BenchError> {
    let file = File::create(path).during("creating a file of text")?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
    let mut dice = SEED;
    let mut left = bytes;
    let mut number = 0_u64;
    while left > 0 {
        let line = line(&mut dice, number);
        let most = usize::try_from(left).map_or(line.len(), |left| line.len().min(left));
        let piece = line.as_bytes().get(..most).unwrap_or_default();
        out.write_all(piece).during("writing a file of text")?;
        left = left.saturating_sub(most as u64);
        number += 1;
    }
    out.flush().during("writing a file of text")
}

fn line(dice: &mut u64, number: u64) -> String {
    let (level, subject, object) = (
        one_of(&LEVELS, dice),
        one_of(&WORDS, dice),
        one_of(&WORDS, dice),
    );
    let (done, place) = (one_of(&DONE, dice), one_of(&WORDS, dice));
    let (many, took) = (thrown(dice) % 10_000, thrown(dice) % 900);
    format!(
        "line {number} {level} {subject}: {object} {done} in {place}, {many} items, {took} ms\n"
    )
}

fn one_of<'a>(words: &[&'a str], dice: &mut u64) -> &'a str {
    let count = words.len().max(1) as u64;
    let at = usize::try_from(thrown(dice) % count).unwrap_or(0);
    words.get(at).copied().unwrap_or_default()
}

/// Marsaglia's xorshift (Journal of Statistical Software 8(14), 2003), of 64 bits.
fn thrown(dice: &mut u64) -> u64 {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    *dice >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_as_long_as_it_is_wanted_and_the_same_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let made = |name: &str, bytes| {
            write(&dir.path().join(name), bytes).unwrap();
            std::fs::read_to_string(dir.path().join(name)).unwrap()
        };
        let (one, other) = (made("one", 100_001), made("other", 5_000));
        assert_eq!(one.len(), 100_001);
        assert!(one.starts_with(&other));
        let lines: std::collections::HashSet<&str> = one.lines().collect();
        assert_eq!(lines.len(), one.lines().count());
    }
}

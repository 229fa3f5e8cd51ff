//! One input made of others: bytes changed, lengths edited, parts repeated, dropped, spliced and words put in. Never here:
//! what an input is for.

use crate::Rng;

/// Bytes at which codecs change their mind.
const EDGES: [u8; 10] = [0, 1, 4, 0x1f, 0x20, 0x22, 0x27, 0x7f, 0x80, 0xff];
/// Lengths at which they do.
const LENGTHS: [u32; 12] = [
    0,
    1,
    3,
    4,
    5,
    8,
    0xff,
    0xffff,
    0x10_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
];

/// A mutant of one of the corpus, no longer than allowed.
pub fn mutated(corpus: &[Vec<u8>], words: &[Vec<u8>], bytes_max: usize, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = pick(corpus, rng).to_vec();
    // Mostly one change, so that what is honest around it is read; sometimes many.
    let changes = match rng.below(8) {
        0 => 8,
        1..=2 => 3,
        _ => 1,
    };
    for _ in 0..rng.below(changes).saturating_add(1) {
        change(&mut bytes, corpus, words, rng);
        bytes.truncate(bytes_max);
    }
    bytes
}

fn pick<'a>(from: &'a [Vec<u8>], rng: &mut Rng) -> &'a [u8] {
    from.get(rng.below(from.len())).map_or(&[], Vec::as_slice)
}

fn change(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[Vec<u8>], rng: &mut Rng) {
    let at = rng.below(bytes.len().saturating_add(1));
    match rng.below(11) {
        0 => {
            let bit = rng.below(8);
            set(bytes, at, |byte| byte ^ (1 << bit));
        }
        1 => {
            let with = rng.byte();
            set(bytes, at, |_| with);
        }
        2 => {
            let with = EDGES.get(rng.below(EDGES.len())).copied().unwrap_or(0);
            set(bytes, at, |_| with);
        }
        3 => bytes.truncate(at),
        4 => {
            let with = rng.byte();
            bytes.insert(at, with);
        }
        5 => length_edited(bytes, at, rng),
        6 => {
            let part = part(bytes, rng).to_vec();
            put(bytes, at, &part);
        }
        7 => {
            let end = at.saturating_add(rng.below(32)).min(bytes.len());
            bytes.drain(at..end);
        }
        8 => {
            let part = part(pick(corpus, rng), rng).to_vec();
            put(bytes, at, &part);
        }
        9 => {
            bytes.truncate(at);
            let other = pick(corpus, rng);
            let from = rng.below(other.len().saturating_add(1));
            bytes.extend_from_slice(other.get(from..).unwrap_or_default());
        }
        _ => put(bytes, at, pick(words, rng)),
    }
}

fn set(bytes: &mut [u8], at: usize, with: impl Fn(u8) -> u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = with(*byte);
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
    bytes.splice(at..at, what.iter().copied());
}

/// Some of the bytes, mostly little.
fn part<'a>(bytes: &'a [u8], rng: &mut Rng) -> &'a [u8] {
    let from = rng.below(bytes.len().saturating_add(1));
    let most = if rng.below(4) == 0 { bytes.len() } else { 48 };
    let to = from.saturating_add(rng.below(most.saturating_add(1)));
    bytes.get(from..to.min(bytes.len())).unwrap_or_default()
}

/// Edits two or four bytes as a number: to one of the edges, or a little up or down.
fn length_edited(bytes: &mut [u8], at: usize, rng: &mut Rng) {
    let wide = rng.below(2) == 0;
    let edge = LENGTHS.get(rng.below(LENGTHS.len())).copied();
    let step = u32::try_from(rng.below(9)).unwrap_or(0).wrapping_sub(4);
    let near = rng.below(2) == 0;
    let edited = |old: u32| {
        if near {
            old.wrapping_add(step)
        } else {
            edge.unwrap_or(0)
        }
    };
    let rest = bytes.get_mut(at..).unwrap_or_default();
    if wide {
        if let Some(slot) = rest.first_chunk_mut::<4>() {
            *slot = edited(u32::from_be_bytes(*slot)).to_be_bytes();
        }
    } else if let Some(slot) = rest.first_chunk_mut::<2>() {
        let [_, _, high, low] = edited(u32::from(u16::from_be_bytes(*slot))).to_be_bytes();
        *slot = [high, low];
    }
}

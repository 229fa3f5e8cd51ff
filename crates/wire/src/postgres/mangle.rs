//! Hostile bytes made from honest ones, the same on every run. For tests only.

use bytes::BytesMut;

use super::backend::{self, tests::replies};
use super::frontend;
use super::tests::{conversation, limits};
use super::{Backend, Frontend};
use crate::{Limits, PeerMisbehaved};

/// A fixed sequence of pseudo-random numbers: the same bytes on every run.
pub(super) struct Lcg(pub(super) u64);

impl Lcg {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next()).unwrap() % bound
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Flips, cuts and inserts bytes of a valid conversation.
pub(super) fn mangle(bytes: &[u8], lcg: &mut Lcg) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=lcg.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = lcg.below(bytes.len());
        match lcg.below(4) {
            0 => bytes[at] = lcg.byte(),
            1 => bytes.truncate(at),
            2 => bytes.insert(at, lcg.byte()),
            _ => bytes[at] = [0, 0x7f, 0x80, 0xff][lcg.below(4)],
        }
    }
    bytes
}

#[test]
fn mangled_bytes_never_panic_and_read_the_same_at_any_split() {
    let mut lcg = Lcg(20_261_122);
    let (client, _) = conversation();
    let (target, _) = replies();
    for _ in 0..4_000 {
        let hostile = mangle(&client, &mut lcg);
        let whole = drain(&hostile, hostile.len(), frontend::next);
        let split = drain(&hostile, lcg.below(hostile.len() + 1), frontend::next);
        assert_eq!(whole, split);
        let hostile = mangle(&target, &mut lcg);
        let whole = drain(&hostile, hostile.len(), backend::next);
        let split = drain(&hostile, lcg.below(hostile.len() + 1), backend::next);
        assert_eq!(whole, split);
    }
}

/// Everything that can be read before the first error, and that error.
fn drain<M>(
    bytes: &[u8],
    split: usize,
    next: impl Fn(&mut BytesMut, &Limits) -> Result<Option<M>, PeerMisbehaved>,
) -> (Vec<M>, Option<PeerMisbehaved>)
where
    M: PartialEq + Stops,
{
    let mut buf = BytesMut::new();
    let mut found = Vec::new();
    let (first, second) = bytes.split_at(split);
    for piece in [first, second] {
        buf.extend_from_slice(piece);
        loop {
            match next(&mut buf, &limits()) {
                Ok(Some(message)) => {
                    let stops = message.stops();
                    found.push(message);
                    if stops {
                        return (found, None);
                    }
                }
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

/// Whether nothing behind this message can be read.
trait Stops {
    fn stops(&self) -> bool;
}

impl Stops for Frontend {
    fn stops(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

impl Stops for Backend {
    fn stops(&self) -> bool {
        false
    }
}

//! Proofs that were used.
//!
//! Lives here: that one is good once, in bounded memory. Never: what one says.
//!
//! A full memory refuses: forgetting one would let it be used again. So that one sender cannot fill it, each place has a
//! part of it.

use brattice_core::elsewhere::Origin;
use brattice_core::ids::Digest;
use brattice_core::time::Timestamp;
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Most proofs remembered.
pub(super) const PROOFS_MAX: usize = 100_000;
/// Most of one place.
pub(super) const PROOFS_OF_ONE_MAX: usize = 10_000;

/// What came of using a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    First,
    Again,
    NoRoom,
}

/// The memory.
#[derive(Default)]
pub(super) struct Seen(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    ids: HashSet<Digest>,
    /// In the order of their coming; none is kept for longer than the longest that a proof can be good.
    kept: VecDeque<(Timestamp, Digest, Origin)>,
    by_source: HashMap<Origin, usize>,
}

impl Seen {
    /// Uses one up that is good until then.
    pub(super) fn use_up(
        &self,
        id: Digest,
        until: Timestamp,
        from: IpAddr,
        now: Timestamp,
    ) -> Used {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.forget(now);
        let from = Origin::of(from);
        if inner.ids.contains(&id) {
            return Used::Again;
        }
        let of_one = inner.by_source.get(&from).copied().unwrap_or(0);
        if inner.kept.len() >= PROOFS_MAX || of_one >= PROOFS_OF_ONE_MAX {
            return Used::NoRoom;
        }
        inner.ids.insert(id);
        inner.kept.push_back((until, id, from));
        inner.by_source.insert(from, of_one + 1);
        Used::First
    }
}

impl Inner {
    /// Forgets the first of them, as long as they are good no longer. One that is good for longer keeps those behind it.
    fn forget(&mut self, now: Timestamp) {
        while let Some((_, id, from)) = self.kept.pop_front_if(|(until, _, _)| *until <= now) {
            self.ids.remove(&id);
            if let Some(count) = self.by_source.get_mut(&from) {
                *count -= 1;
                if *count == 0 {
                    self.by_source.remove(&from);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn id(n: usize) -> Digest {
        Digest::of(&n.to_be_bytes())
    }

    #[test]
    fn addresses_that_a_sender_picks_freely_share_one_part() {
        let seen = Seen::default();
        let start = Timestamp::from_seconds(1000);
        let until = start.plus(Duration::from_secs(60));
        let from = |n: usize| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n as u16]);
        for n in 0..PROOFS_OF_ONE_MAX {
            assert_eq!(seen.use_up(id(n), until, from(n), start), Used::First);
        }
        let one_more = id(PROOFS_OF_ONE_MAX);
        assert_eq!(seen.use_up(one_more, until, from(1), start), Used::NoRoom);
        let elsewhere = IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, 1]);
        assert_eq!(seen.use_up(one_more, until, elsewhere, start), Used::First);
    }

    #[test]
    fn a_proof_is_good_once_and_memory_is_bounded() {
        let seen = Seen::default();
        let (one, other): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let start = Timestamp::from_seconds(1000);
        let until = start.plus(Duration::from_secs(60));
        assert_eq!(seen.use_up(id(0), until, one, start), Used::First);
        assert_eq!(seen.use_up(id(0), until, other, start), Used::Again);
        for n in 1..PROOFS_OF_ONE_MAX {
            assert_eq!(seen.use_up(id(n), until, one, start), Used::First);
        }
        assert_eq!(
            seen.use_up(id(PROOFS_OF_ONE_MAX), until, one, start),
            Used::NoRoom
        );
        assert_eq!(
            seen.use_up(id(PROOFS_OF_ONE_MAX), until, other, start),
            Used::First
        );
        assert_eq!(seen.use_up(id(1), until, other, until), Used::First);
        let inner = seen.0.lock().unwrap();
        assert_eq!(
            (inner.ids.len(), inner.kept.len(), inner.by_source.len()),
            (1, 1, 1)
        );
    }
}

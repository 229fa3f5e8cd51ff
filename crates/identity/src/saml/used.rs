//! Assertions that were used.
//!
//! Lives here: their digests, until they expire, in bounded memory. Never: assertions themselves; forgetting one that
//! could still be used.

use super::refusal::SamlRefused;
use brattice_core::ids::Digest;
use brattice_core::time::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Most assertions remembered at once, over all providers.
pub const ASSERTIONS_MAX: usize = 50_000;

/// Remembers them. One for all providers, kept when the bundle changes.
#[derive(Debug)]
pub struct UsedAssertions {
    max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    until: HashMap<Digest, Timestamp>,
    /// The latest time seen: a clock that steps back brings nothing back that was forgotten.
    latest: Timestamp,
}

impl Default for UsedAssertions {
    fn default() -> Self {
        Self::with_room_for(ASSERTIONS_MAX)
    }
}

impl UsedAssertions {
    /// Remembers at most so many.
    pub fn with_room_for(max: usize) -> Self {
        Self {
            max,
            inner: Mutex::new(Inner {
                until: HashMap::new(),
                latest: Timestamp(i64::MIN),
            }),
        }
    }

    /// Uses one up, which is accepted until `until`.
    pub(super) fn use_up(
        &self,
        assertion: Digest,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), SamlRefused> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.max(inner.latest);
        inner.latest = now;
        if until <= now {
            return Err(SamlRefused::Expired);
        }
        if inner
            .until
            .get(&assertion)
            .is_some_and(|until| *until > now)
        {
            return Err(SamlRefused::Replayed);
        }
        if inner.until.len() >= self.max {
            inner.until.retain(|_, until| *until > now);
        }
        if inner.until.len() >= self.max {
            return Err(SamlRefused::Busy);
        }
        inner.until.insert(assertion, until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn an_assertion_is_used_once() {
        let used = UsedAssertions::default();
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        assert_eq!(used.use_up(a, at(10), at(0)), Ok(()));
        assert_eq!(used.use_up(b, at(10), at(0)), Ok(()));
        assert_eq!(used.use_up(a, at(10), at(9)), Err(SamlRefused::Replayed));
        assert_eq!(used.use_up(a, at(10), at(10)), Err(SamlRefused::Expired));
    }

    #[test]
    fn when_it_is_full_nothing_is_accepted_until_something_expires() {
        let used = UsedAssertions::with_room_for(2);
        let id = |n: u8| Digest::of(&[n]);
        assert_eq!(used.use_up(id(1), at(10), at(0)), Ok(()));
        assert_eq!(used.use_up(id(2), at(20), at(0)), Ok(()));
        assert_eq!(used.use_up(id(3), at(20), at(9)), Err(SamlRefused::Busy));
        assert_eq!(used.use_up(id(3), at(20), at(10)), Ok(()));
        assert_eq!(
            used.use_up(id(2), at(20), at(10)),
            Err(SamlRefused::Replayed)
        );
    }

    #[test]
    fn a_clock_that_steps_back_brings_nothing_back() {
        let used = UsedAssertions::with_room_for(1);
        let id = |n: u8| Digest::of(&[n]);
        assert_eq!(used.use_up(id(1), at(10), at(0)), Ok(()));
        assert_eq!(used.use_up(id(2), at(20), at(11)), Ok(()));
        assert_eq!(used.use_up(id(1), at(10), at(0)), Err(SamlRefused::Expired));
    }
}

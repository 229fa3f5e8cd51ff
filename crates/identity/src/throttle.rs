//! Slows down sources whose proofs keep failing.
//!
//! Lives here: a leaky count of failures per source, in bounded memory. Never: who the source is, successful proofs.

use brattice_core::elsewhere::Origin;
use brattice_core::time::Timestamp;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many failures a source may have, and how fast they are forgiven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// Failures in a row before a source has to wait.
    pub failures_max: u32,
    /// One failure is forgiven in this time.
    pub forgiven_each: Duration,
    /// Sources remembered at once.
    pub sources_max: usize,
}

impl Default for ThrottleLimits {
    /// Twenty in a row, then one every three seconds.
    fn default() -> Self {
        Self {
            failures_max: 20,
            forgiven_each: Duration::from_secs(3),
            sources_max: 10_000,
        }
    }
}

/// Counts failed proofs by source.
///
/// A proof is infeasible to guess; the throttle protects the processor and the log, so forgetting a source when
/// memory is full is safe, while locking out everybody would not be.
#[derive(Debug)]
pub struct Throttle {
    limits: ThrottleLimits,
    /// For each source, when all its failures will have been forgiven.
    forgiven_at: Mutex<HashMap<String, Timestamp>>,
}

impl Throttle {
    /// Nobody has failed yet.
    pub fn new(limits: ThrottleLimits) -> Self {
        Self {
            limits,
            forgiven_at: Mutex::new(HashMap::new()),
        }
    }

    /// Whether this source may try now.
    pub fn may_try(&self, source: &str, now: Timestamp) -> bool {
        let map = self
            .forgiven_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // There must be room for one more failure; time passes between those in a row.
        map.get(&key_of(source))
            .is_none_or(|at| at.since(now).saturating_add(self.limits.forgiven_each) <= self.full())
    }

    /// Counts a failure.
    pub fn failed(&self, source: &str, now: Timestamp) {
        let mut map = self
            .forgiven_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let key = key_of(source);
        if map.len() >= self.limits.sources_max && !map.contains_key(&key) {
            self.make_room(&mut map, now);
        }
        let at = map.entry(key).or_insert(now);
        *at = (*at).max(now).plus(self.limits.forgiven_each);
        let ceiling = now.plus(self.full());
        *at = (*at).min(ceiling);
    }

    fn full(&self) -> Duration {
        self.limits
            .forgiven_each
            .saturating_mul(self.limits.failures_max.max(1))
    }

    fn make_room(&self, map: &mut HashMap<String, Timestamp>, now: Timestamp) {
        map.retain(|_, at| *at > now);
        if map.len() >= self.limits.sources_max {
            let half = now.plus(self.full() / 2);
            map.retain(|_, at| *at > half);
        }
        if map.len() >= self.limits.sources_max {
            map.clear();
        }
    }
}

/// One source per origin, whatever the port: a caller picks that freely.
pub(crate) fn key_of(source: &str) -> String {
    let ip = source
        .parse::<SocketAddr>()
        .map(|a| a.ip())
        .or_else(|_| source.parse::<IpAddr>());
    match ip {
        Ok(ip) => Origin::of(ip).to_string(),
        Err(_) => source.chars().take(64).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(failures_max: u32) -> ThrottleLimits {
        ThrottleLimits {
            failures_max,
            forgiven_each: Duration::from_secs(3),
            sources_max: 4,
        }
    }
    const NOW: Timestamp = Timestamp(1_000_000_000_000);

    #[test]
    fn a_source_waits_after_too_many_failures_and_is_forgiven_slowly() {
        let t = Throttle::new(limits(3));
        for _ in 0..3 {
            assert!(t.may_try("10.0.0.1:5000", NOW));
            t.failed("10.0.0.1:5000", NOW);
        }
        assert!(
            !t.may_try("10.0.0.1:5001", NOW),
            "another port is the same source"
        );
        assert!(t.may_try("10.0.0.2", NOW));
        assert!(!t.may_try(
            "10.0.0.1",
            NOW.plus(Duration::from_millis(100).saturating_mul(0))
        ));
        assert!(t.may_try("10.0.0.1", NOW.plus(Duration::from_secs(4))));
    }

    #[test]
    fn failures_that_follow_each_other_count_like_those_at_once() {
        let t = Throttle::new(limits(3));
        let tried = (0..100).filter(|n| {
            let now = NOW.plus(Duration::from_millis(*n));
            let may = t.may_try("10.0.0.1", now);
            if may {
                t.failed("10.0.0.1", now);
            }
            may
        });
        assert_eq!(tried.count(), 3);
    }

    #[test]
    fn hammering_does_not_lengthen_the_wait_without_end() {
        let t = Throttle::new(limits(3));
        for _ in 0..10_000 {
            t.failed("10.0.0.1", NOW);
        }
        assert!(t.may_try("10.0.0.1", NOW.plus(Duration::from_secs(10))));
    }

    #[test]
    fn an_ipv6_network_and_a_mapped_address_are_one_source() {
        assert_eq!(key_of("[2001:db8::1]:4"), key_of("2001:db8::ffff"));
        assert_ne!(key_of("2001:db8::1"), key_of("2001:db8:0:1::1"));
        assert_eq!(key_of("::ffff:10.0.0.1"), key_of("10.0.0.1"));
    }

    #[test]
    fn memory_is_bounded() {
        let t = Throttle::new(limits(3));
        for n in 0..1000 {
            t.failed(&format!("10.0.{}.{}", n / 250, n % 250), NOW);
        }
        assert!(t.forgiven_at.lock().unwrap().len() <= 4);
    }
}

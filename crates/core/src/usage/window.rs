//! A count over the time just past.
//!
//! Lives here: slots of time. Never: a clock read.

use serde::{Deserialize, Serialize};

/// Counts in slots of a fixed length. A sum reaches back over the whole window and at most one slot further, so that it
/// is never less than the truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Window<const SECONDS: i64, const SLOTS: usize> {
    /// The number of the slot that was counted in last.
    newest: i64,
    /// The slots by their number; one more than the window has.
    counts: Vec<i64>,
}

impl<const SECONDS: i64, const SLOTS: usize> Default for Window<SECONDS, SLOTS> {
    fn default() -> Self {
        Self {
            newest: 0,
            counts: vec![0; SLOTS + 1],
        }
    }
}

impl<const SECONDS: i64, const SLOTS: usize> Window<SECONDS, SLOTS> {
    /// The sum at this second.
    pub fn sum(&mut self, second: i64) -> i64 {
        self.turn(second);
        self.counts.iter().fold(0, |all, n| all.saturating_add(*n))
    }

    /// Counts.
    pub fn add(&mut self, second: i64, count: i64) {
        self.turn(second);
        let at = self.at(self.newest);
        if let Some(slot) = self.counts.get_mut(at) {
            *slot = slot.saturating_add(count);
        }
    }

    /// Whether all of it is past.
    pub fn is_over(&self, second: i64) -> bool {
        second.div_euclid(SECONDS) > self.newest.saturating_add(self.slots())
    }

    /// Empties the slots that time has passed over. A clock that goes back counts in the slot it was in.
    fn turn(&mut self, second: i64) {
        let slots = self.slots();
        if self.counts.len() != SLOTS + 1 {
            self.counts = vec![0; SLOTS + 1];
        }
        let now = second.div_euclid(SECONDS);
        if now.saturating_sub(self.newest) > slots {
            self.counts.fill(0);
            self.newest = now;
        }
        while self.newest < now {
            self.newest += 1;
            let at = self.at(self.newest);
            if let Some(slot) = self.counts.get_mut(at) {
                *slot = 0;
            }
        }
    }

    fn slots(&self) -> i64 {
        i64::try_from(SLOTS).unwrap_or(i64::MAX)
    }

    fn at(&self, slot: i64) -> usize {
        usize::try_from(slot.rem_euclid(self.slots().saturating_add(1))).unwrap_or(0)
    }
}

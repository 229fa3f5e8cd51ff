//! What a token with a budget, and all that descend from it, have used of it.
//!
//! Lives here: one total for each allowance. Never: who has which.

use crate::scope::{Allowance, Measure};
use crate::time::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// The total of one allowance.
#[derive(Debug, Default)]
pub struct Spent {
    amount: AtomicU64,
    changed: AtomicBool,
    touched: AtomicI64,
}

impl Spent {
    /// A total that was kept.
    pub(super) fn of(amount: u64, now: Timestamp) -> Self {
        Self {
            amount: AtomicU64::new(amount),
            changed: AtomicBool::new(false),
            touched: AtomicI64::new(now.0),
        }
    }

    /// How much is used.
    pub fn amount(&self) -> u64 {
        self.amount.load(Ordering::Acquire)
    }

    /// Takes this much if it is there: all of it or nothing, and nobody else gets the same.
    pub fn take(&self, amount: u64, most: u64, now: Timestamp) -> bool {
        let more = |used: u64| used.checked_add(amount).filter(|all| *all <= most);
        let taken = self
            .amount
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .is_ok();
        self.touch(now);
        taken
    }

    /// Gives back what was taken and not used.
    pub fn give_back(&self, amount: u64, now: Timestamp) {
        let less = |used: u64| Some(used.saturating_sub(amount));
        let _always = self
            .amount
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        self.touch(now);
    }

    /// Leaves nothing of it.
    pub fn use_up(&self, most: u64, now: Timestamp) {
        self.amount.fetch_max(most, Ordering::AcqRel);
        self.touch(now);
    }

    fn touch(&self, now: Timestamp) {
        self.touched.store(now.0, Ordering::Release);
        self.changed.store(true, Ordering::Release);
    }

    pub(super) fn touched(&self) -> Timestamp {
        Timestamp(self.touched.load(Ordering::Acquire))
    }

    /// What was taken was not kept.
    pub(super) fn take_again(&self) {
        self.changed.store(true, Ordering::Release);
    }

    pub(super) fn take_change(&self) -> Option<u64> {
        self.changed
            .swap(false, Ordering::AcqRel)
            .then(|| self.amount())
    }
}

/// What an allowance is counted as.
pub(super) fn total(allowance: &Allowance) -> String {
    format!("{} {}", allowance.by, allowance.of.as_str())
}

/// How much of a portion counts for this.
pub(super) fn of_portion(measure: Measure, portion: super::Portion) -> u64 {
    match measure {
        Measure::Commands => 0,
        Measure::Rows => portion.rows,
        Measure::Bytes => portion.bytes,
    }
}

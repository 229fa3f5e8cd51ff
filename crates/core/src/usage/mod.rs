//! What chains use up: commands, rows, bytes, changes, refusals.
//!
//! Lives here: counting, and the windows that are counted in. Never: what a rule makes of a figure, files.
//!
//! A chain is counted as one with the workers that it spawns: whoever could have a budget of its own by spawning another
//! would have none.

mod account;
mod meter;
mod spent;
mod window;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use account::Account;
pub use meter::{Kept, Meter, Portion};
pub use spent::Spent;

use crate::principal::{Chain, Identity};
use crate::scope::Allowance;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest life of a token that the gateway gives, and so of a budget.
pub const TOKEN_LIFETIME_MAX: Duration = Duration::from_secs(3600);

/// The meters of all chains, and the totals of all budgets, that were counted lately.
#[derive(Debug, Default)]
pub struct Meters {
    of: Mutex<HashMap<String, Arc<Meter>>>,
    spent: Mutex<HashMap<String, Arc<Spent>>>,
}

impl Meters {
    /// Where a session of this identity counts. Not for the hot path: the session keeps it.
    pub fn account(&self, who: &Identity) -> Arc<Account> {
        Arc::new(Account::new(self, who))
    }

    /// The meter of a chain; a fresh one for a chain that was not counted yet.
    pub fn of(&self, chain: &Chain) -> Arc<Meter> {
        held(&self.of).entry(key(chain)).or_default().clone()
    }

    /// The total of a budget.
    pub fn spent(&self, allowance: &Allowance) -> Arc<Spent> {
        let mut spent = held(&self.spent);
        spent.entry(spent::total(allowance)).or_default().clone()
    }

    /// Takes up what was kept by an earlier run.
    pub fn restore(&self, key: String, kept: Kept) {
        held(&self.of).insert(key, Arc::new(Meter::from(kept)));
    }

    /// Takes up a budget's total that was kept by an earlier run.
    pub fn restore_spent(&self, key: String, amount: u64, now: Timestamp) {
        held(&self.spent).insert(key, Arc::new(Spent::of(amount, now)));
    }

    /// What changed since it was last asked for, to be kept.
    pub fn changed(&self) -> Vec<(String, Kept)> {
        let of = held(&self.of);
        of.iter()
            .filter_map(|(key, meter)| Some((key.clone(), meter.take_change()?)))
            .collect()
    }

    /// The totals of budgets that changed since they were last asked for, to be kept.
    pub fn changed_spent(&self) -> Vec<(String, u64)> {
        let spent = held(&self.spent);
        spent
            .iter()
            .filter_map(|(key, total)| Some((key.clone(), total.take_change()?)))
            .collect()
    }

    /// Has these told again: they could not be kept.
    pub fn tell_again(&self, figures: &[(String, Kept)], totals: &[(String, u64)]) {
        let (of, spent) = (held(&self.of), held(&self.spent));
        for meter in figures.iter().filter_map(|(key, _)| of.get(key)) {
            meter.take_again();
        }
        for total in totals.iter().filter_map(|(key, _)| spent.get(key)) {
            total.take_again();
        }
    }

    /// Forgets chains that nobody holds and whose figures are all from windows that are over, and budgets of tokens that
    /// have ended.
    pub fn forget_idle(&self, now: Timestamp) {
        held(&self.of).retain(|_, meter| Arc::strong_count(meter) > 1 || !meter.is_over(now));
        held(&self.spent).retain(|_, total| {
            Arc::strong_count(total) > 1 || now.since(total.touched()) <= TOKEN_LIFETIME_MAX
        });
    }
}

fn held<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a chain is counted as.
fn key(chain: &Chain) -> String {
    chain.without_workers().to_string()
}

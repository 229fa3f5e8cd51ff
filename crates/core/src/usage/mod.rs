//! What chains use up: commands, rows, bytes, changes, refusals.
//!
//! Lives here: counting, and the windows that are counted in. Never: what a rule makes of a figure, files.
//!
//! A chain is counted as one with the workers that it spawns: whoever could have a budget of its own by spawning another
//! would have none.

mod meter;
mod window;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use meter::{Kept, Meter, Portion};

use crate::principal::{Chain, OWN_ISSUER};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The meters of all chains that were counted lately.
#[derive(Debug, Default)]
pub struct Meters {
    of: Mutex<HashMap<String, Arc<Meter>>>,
}

impl Meters {
    /// The meter of a chain; a fresh one for a chain that was not counted yet. Not for the hot path: a session keeps it.
    pub fn of(&self, chain: &Chain) -> Arc<Meter> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        of.entry(key(chain)).or_default().clone()
    }

    /// Takes up what was kept by an earlier run.
    pub fn restore(&self, key: String, kept: Kept) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        of.insert(key, Arc::new(Meter::from(kept)));
    }

    /// What changed since it was last asked for, to be kept.
    pub fn changed(&self) -> Vec<(String, Kept)> {
        let of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        of.iter()
            .filter_map(|(key, meter)| Some((key.clone(), meter.take_change()?)))
            .collect()
    }

    /// Forgets chains that nobody holds and whose figures are all from windows that are over.
    pub fn forget_idle(&self, now: crate::time::Timestamp) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        of.retain(|_, meter| Arc::strong_count(meter) > 1 || !meter.is_over(now));
    }
}

/// What a chain is counted as: its links, but for workers, which count as whoever spawned them.
fn key(chain: &Chain) -> String {
    let links: Vec<String> = chain
        .actors()
        .filter(|actor| actor.issuer != OWN_ISSUER)
        .map(ToString::to_string)
        .collect();
    links.join(" ")
}

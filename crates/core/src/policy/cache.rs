//! Answers kept for acts that were judged before.
//!
//! Lives here: a bounded map from (act, what its slice sees) to what the rules said. Never: approvals, which are
//! applied to every answer anew.

use super::moment::{Seen, hash_act, same_act};
use super::reads::Reads;
use super::weigh::Part;
use crate::action::Act;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

/// Answers in the younger half; when it is full, the older half is forgotten.
const YOUNG_MAX: usize = 512;

/// A bounded cache in two generations: what was not asked for during a whole generation is forgotten.
pub(super) struct Answers {
    hashing: RandomState,
    kept: RwLock<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<u64, Kept>,
    old: HashMap<u64, Kept>,
}

#[derive(Clone)]
struct Kept {
    act: Act,
    seen: Seen,
    part: Arc<Part>,
}

/// Where an answer belongs.
#[derive(Clone, Copy)]
pub(super) struct Slot(u64);

impl Answers {
    pub fn new() -> Self {
        Answers {
            hashing: RandomState::new(),
            kept: RwLock::default(),
        }
    }

    /// Where the answer to this act belongs.
    pub fn slot(&self, act: &Act, reads: Reads, seen: &Seen) -> Slot {
        let mut h = self.hashing.build_hasher();
        hash_act(act, reads, &mut h);
        seen.hash(&mut h);
        Slot(h.finish())
    }

    /// The answer, if it is kept: for an equal act that looks equal to every rule that can match.
    pub fn get(&self, slot: Slot, act: &Act, reads: Reads, seen: &Seen) -> Option<Arc<Part>> {
        let fits = |k: &&Kept| k.seen == *seen && same_act(&k.act, act, reads);
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(k) = kept.young.get(&slot.0).filter(fits) {
            return Some(Arc::clone(&k.part));
        }
        let again = kept.old.get(&slot.0).filter(fits).cloned()?;
        drop(kept);
        let part = Arc::clone(&again.part);
        self.put(slot, again);
        Some(part)
    }

    /// Keeps an answer.
    pub fn keep(&self, slot: Slot, act: &Act, seen: Seen, part: Arc<Part>) {
        self.put(
            slot,
            Kept {
                act: act.clone(),
                seen,
                part,
            },
        );
    }

    fn put(&self, slot: Slot, kept: Kept) {
        let mut all = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if all.young.len() >= YOUNG_MAX && !all.young.contains_key(&slot.0) {
            all.old = std::mem::take(&mut all.young);
        }
        all.young.insert(slot.0, kept);
    }
}

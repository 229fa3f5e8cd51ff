//! Policy sets as they are asked: by what a matching rule does, and cut down to the rules that can match.
//!
//! Lives here: splitting, slicing and sharing of slices. Never: a decision.

use super::annotations::Hold;
use super::bundle::Rules;
use super::reads::Reads;
use super::rule::{Around, Kind, Rule};
use super::vocabulary::Leaf;
use cedar_policy::{EntityTypeName, EntityUid, PolicySet};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Rules by what they do. A watching forbid would hide watching permits, so these are two sets.
#[derive(Debug, Default)]
pub(super) struct Sets {
    /// Enforced permits, and forbids that nothing lifts.
    pub rules: PolicySet,
    /// Enforced forbids that an approval lifts.
    pub holds: PolicySet,
    /// Observing forbids, holding ones too.
    pub watching_forbids: PolicySet,
    /// Observing permits.
    pub watching_permits: PolicySet,
    /// What of the context all these together can read.
    pub reads: Reads,
}

impl Sets {
    /// Sorts rules into sets. `None` when two have one id, which loading excludes.
    pub fn of<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> Option<Sets> {
        let mut sets = Sets::default();
        for r in rules {
            let set = match (&r.kind, r.observe) {
                (Kind::Permit, true) => &mut sets.watching_permits,
                (Kind::Forbid | Kind::Hold(Hold { .. }), true) => &mut sets.watching_forbids,
                (Kind::Permit | Kind::Forbid, false) => &mut sets.rules,
                (Kind::Hold(_), false) => &mut sets.holds,
            };
            set.add(r.policy.clone()).ok()?;
            sets.reads = sets.reads.with(r.reads);
        }
        Some(sets)
    }
}

/// Slices in use, by the rules they hold: two targets with the same rules share one.
#[derive(Debug, Default)]
pub(super) struct Interned(Mutex<HashMap<Box<[usize]>, Weak<Sets>>>);

/// Dead entries are swept when this many have gathered.
const SWEEP_AT: usize = 1024;

impl Interned {
    fn get(&self, rules: &Rules, which: Vec<usize>) -> Option<Arc<Sets>> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sets) = map.get(which.as_slice()).and_then(Weak::upgrade) {
            return Some(sets);
        }
        let sets = Arc::new(Sets::of(which.iter().filter_map(|i| rules.rule_at(*i)))?);
        if map.len() >= SWEEP_AT {
            map.retain(|_, sets| sets.strong_count() > 0);
        }
        map.insert(which.into_boxed_slice(), Arc::downgrade(&sets));
        Some(sets)
    }
}

impl Rules {
    /// The rules that can match a leaf action of such an actor there.
    pub(super) fn slice(
        &self,
        leaf: Leaf,
        principal: &EntityTypeName,
        ancestry: &HashSet<EntityUid>,
        around: Around<'_>,
    ) -> Option<Arc<Sets>> {
        let which = self
            .reaching(leaf)
            .iter()
            .copied()
            .filter(|i| {
                self.rule_at(*i).is_some_and(|r| {
                    r.head.means_principal(principal, ancestry) && r.head.means_resource(around)
                })
            })
            .collect();
        self.interned.get(self, which)
    }
}

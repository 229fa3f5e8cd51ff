//! One request against a set of rules, with the holes closed that Cedar alone leaves open.
//!
//! Lives here: what each of Cedar's answers means, and how answers add up. Never: building requests, caching.

use super::bundle::Rules;
use super::outcome::{Lifted, Outcome, Verdict, builtin};
use super::rule::Kind;
use super::slice::Sets;
use super::vocabulary::Leaf;
use crate::approval::Asked;
use cedar_policy::{
    AuthorizationError, Authorizer, Decision, Entities, EntityUid, PolicyId, Request, Response,
};
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ground {
    /// A rule matched.
    Rule(usize),
    /// A rule could not be evaluated.
    Broken(usize),
    /// Something that no rule decides.
    BuiltIn(&'static str),
}

/// What rules say of one act for the whole chain; approvals are not in it, so it can be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Part {
    grounds: BTreeSet<Ground>,
    held: BTreeSet<usize>,
    observed: BTreeSet<Ground>,
    permits: BTreeSet<usize>,
    /// Links of the chain that nothing permits it for.
    lacking: BTreeSet<usize>,
}

impl Part {
    /// A part that is refused by something built in.
    pub fn refused(ground: &'static str) -> Self {
        Part {
            grounds: BTreeSet::from([Ground::BuiltIn(ground)]),
            ..Part::default()
        }
    }
}

/// One actor's request.
pub(super) struct Asking<'a> {
    pub request: &'a Request,
    pub leaf: Leaf,
    pub entities: &'a Entities,
    /// The rules to ask: all, or a slice.
    pub sets: &'a Sets,
    /// Which link of the chain asks.
    pub link: usize,
}

impl Rules {
    /// Adds what the rules say of one actor's request.
    pub(super) fn weigh(&self, asking: &Asking<'_>, part: &mut Part) {
        if let Err(ground) = self.whole(asking) {
            part.grounds.insert(Ground::BuiltIn(ground));
            return;
        }
        let Asking {
            request,
            entities,
            sets,
            ..
        } = asking;
        let authorizer = Authorizer::new();

        let main = authorizer.is_authorized(request, &sets.rules, entities);
        let mut reasons = main.diagnostics().reason().peekable();
        match main.decision() {
            Decision::Allow => part
                .permits
                .extend(reasons.filter_map(|id| self.number(id))),
            // Cedar names the forbids that matched, or nobody where no permit did.
            Decision::Deny if reasons.peek().is_none() => {
                part.lacking.insert(asking.link);
            }
            Decision::Deny => part.grounds.extend(reasons.map(|id| self.ground(id))),
        }
        part.grounds.extend(
            self.broken(&main)
                .filter(|(forbids, _)| *forbids)
                .map(|(_, g)| g),
        );

        if !sets.holds.is_empty() {
            let held = authorizer.is_authorized(request, &sets.holds, entities);
            for id in held.diagnostics().reason() {
                match self.number(id) {
                    Some(rule) => {
                        part.held.insert(rule);
                    }
                    None => {
                        part.grounds.insert(Ground::BuiltIn(builtin::NOT_JUDGED));
                    }
                }
            }
            part.grounds.extend(self.broken(&held).map(|(_, g)| g));
        }
        for set in [&sets.watching_forbids, &sets.watching_permits] {
            if !set.is_empty() {
                let seen = authorizer.is_authorized(request, set, entities);
                part.observed
                    .extend(seen.diagnostics().reason().map(|id| self.ground(id)));
                part.observed.extend(self.broken(&seen).map(|(_, g)| g));
            }
        }
    }

    /// To Cedar an entity that is not in the store is in nothing: `resource in Label::"env=production"` and
    /// `action in Action::"destroy"` are then false, and every forbid that says so is silent. So look first.
    fn whole(&self, asking: &Asking<'_>) -> Result<(), &'static str> {
        let Asking {
            request,
            entities,
            leaf,
            ..
        } = asking;
        let (Some(principal), Some(action), Some(resource)) =
            (request.principal(), request.action(), request.resource())
        else {
            return Err(builtin::NOT_JUDGED);
        };
        let known = self.words.action(*leaf).ok_or(builtin::NOT_IN_SCHEMA)?;
        if known.uid != *action || !self.words.fits(principal, *leaf, resource) {
            return Err(builtin::NOT_IN_SCHEMA);
        }
        let here = |e: &EntityUid| entities.get(e).is_some();
        // No ancestor is told twice: as many as there should be, and none that should not, are all of them.
        let mut told = 0;
        let mut above = entities.ancestors(action).into_iter().flatten();
        let only = above.all(|a| {
            told += 1;
            known.groups.contains(a)
        });
        let grouped = only && told == known.groups.len();
        let placed = match resource.type_name().basename() {
            "Target" | "Label" | "Gateway" | "Bundle" | "Agent" | "User" => true,
            _ => entities
                .ancestors(resource)
                .into_iter()
                .flatten()
                .any(|e| *e.type_name() == self.words.types.target && here(e)),
        };
        match here(principal) && here(action) && here(resource) && grouped && placed {
            true => Ok(()),
            false => Err(builtin::ENTITIES_INCOMPLETE),
        }
    }

    /// Rules that Cedar skipped because they could not be evaluated, and whether each forbids. A forbid skipped
    /// would fail open: so it stands, and nothing lifts it.
    fn broken<'a>(&'a self, response: &'a Response) -> impl Iterator<Item = (bool, Ground)> + 'a {
        response
            .diagnostics()
            .errors()
            .map(
                |AuthorizationError::PolicyEvaluationError(e)| match self.number(e.policy_id()) {
                    Some(i) => {
                        let permits = self.rule_at(i).is_some_and(|r| r.kind == Kind::Permit);
                        (!permits, Ground::Broken(i))
                    }
                    None => (true, Ground::BuiltIn(builtin::NOT_JUDGED)),
                },
            )
    }

    fn number(&self, id: &PolicyId) -> Option<usize> {
        self.index_of(id.as_ref())
    }
    fn ground(&self, id: &PolicyId) -> Ground {
        self.number(id)
            .map_or(Ground::BuiltIn(builtin::NOT_JUDGED), Ground::Rule)
    }

    /// Adds the parts of one command up: all must pass, the strictest wins. `names` are the links' actors.
    pub(super) fn sum<P: Borrow<Part>>(
        &self,
        parts: &[P],
        lifted: &Lifted,
        names: &[String],
    ) -> Outcome {
        if parts.is_empty() {
            return Outcome::refused(builtin::NOTHING_TO_JUDGE);
        }
        let mut refusing: BTreeMap<String, Option<String>> = BTreeMap::new();
        let mut held: BTreeMap<&str, Asked> = BTreeMap::new();
        let (mut observed, mut permits) = (BTreeSet::new(), BTreeSet::new());
        let (mut unpermitted, mut lacking) = (Vec::new(), BTreeSet::<usize>::new());
        for (i, part) in parts.iter().enumerate() {
            let part = part.borrow();
            refusing.extend(part.grounds.iter().map(|g| self.say(*g)));
            observed.extend(part.observed.iter().map(|g| self.say(*g).0));
            permits.extend(
                part.permits
                    .iter()
                    .filter_map(|r| self.rule_at(*r))
                    .map(|r| r.id.as_str()),
            );
            if !part.lacking.is_empty() {
                unpermitted.push(i);
                lacking.extend(&part.lacking);
            }
            for rule in part.held.iter().filter_map(|r| self.rule_at(*r)) {
                if let Some(asked) = rule.asked().filter(|a| !lifted.covers(a)) {
                    held.insert(rule.id.as_str(), asked);
                }
            }
        }
        let verdict = if !refusing.is_empty() || !unpermitted.is_empty() {
            let messages = refusing.values().flatten().cloned().collect();
            Verdict::Deny {
                rules: refusing.into_keys().collect(),
                messages,
            }
        } else if !held.is_empty() {
            Verdict::Hold(held.into_values().collect())
        } else {
            Verdict::Allow
        };
        Outcome {
            verdict,
            observed: observed.into_iter().collect(),
            permits: permits.into_iter().map(str::to_owned).collect(),
            unpermitted,
            lacking: lacking
                .into_iter()
                .filter_map(|i| names.get(i))
                .cloned()
                .collect(),
        }
    }

    /// A ground by name, with what it tells whoever is refused.
    fn say(&self, ground: Ground) -> (String, Option<String>) {
        match ground {
            Ground::Rule(i) => self
                .rule_at(i)
                .map_or_else(unnamed, |r| (r.id.clone(), r.message.clone())),
            Ground::Broken(i) => self.rule_at(i).map_or_else(unnamed, |r| {
                (
                    format!("!{}", r.id),
                    Some(format!(
                        "Rule {} could not be evaluated, so it stands.",
                        r.id
                    )),
                )
            }),
            Ground::BuiltIn(name) => (name.to_owned(), Some(builtin::message(name).to_owned())),
        }
    }
}

fn unnamed() -> (String, Option<String>) {
    (
        builtin::NOT_JUDGED.to_owned(),
        Some(builtin::message(builtin::NOT_JUDGED).to_owned()),
    )
}

//! Judging commands: one chain, one target, under one bundle.
//!
//! Lives here: the judge of a session. Never: approvals' storage, clocks, the gate's order of steps.

use super::actors::{self, Actors, Link};
use super::bundle::Rules;
use super::cache::Answers;
use super::context::{Form, Ingredients};
use super::entities::{self, NotBuilt};
use super::moment::{Moment, Seen};
use super::outcome::{Lifted, Outcome, Verdict, builtin};
use super::reads::Reads;
use super::rule::Around;
use super::slice::Sets;
use super::vocabulary::Leaf;
use super::weigh::{Asking, Part};
use crate::action::{Act, Object, Verb, escape_part};
use crate::approval::Asked;
use crate::principal::Chain;
use crate::target::Target;
use cedar_policy::{Entities, EntityUid, Request};
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, OnceLock};

/// The forms that can be permitted, the most revealing first.
const FORMS: [(Verb, Reveal); 3] = [
    (Verb::RevealFull, Reveal::Full),
    (Verb::RevealLast4, Reveal::Last4),
    (Verb::RevealToken, Reveal::Token),
];

/// How much of a masked value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reveal {
    /// Nothing of it.
    Masked,
    /// A stable token in its place.
    Token,
    /// Its last four characters.
    Last4,
    /// All of it.
    Full,
}

/// Judges what one chain does on one target. Cheap to ask, safe to share; sessions of the same chain, target and
/// bundle can use one behind an `Arc`.
pub struct Judge {
    rules: Arc<Rules>,
    chain: Chain,
    target: Target,
    actors: Actors,
    /// The chain, the target and nothing else; `None` when they could not be put together.
    base: Option<Entities>,
    around: HashSet<EntityUid>,
    /// One view per verb, made when first asked for.
    views: Vec<OnceLock<Option<Arc<View>>>>,
    answers: Answers,
}

/// What judging one verb needs.
struct View {
    leaf: Leaf,
    form: Form,
    action: EntityUid,
    /// What any of the slices reads.
    reads: Reads,
    /// The slice of each link.
    slices: Vec<Arc<Sets>>,
    /// The judge's base and the action with its groups.
    entities: Entities,
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge")
            .field("chain", &self.actors.names)
            .field("target", &self.target.name)
            .finish_non_exhaustive()
    }
}

impl Rules {
    /// A judge of what this chain does on this target.
    pub fn judge_for(self: &Arc<Self>, chain: &Chain, target: &Target) -> Judge {
        let types = &self.words.types;
        let mut around = entities::labels(types, target);
        around.insert(entities::target_uid(types, target));
        Judge {
            actors: Actors::of(types, chain),
            base: self.base(chain, target).ok(),
            around,
            views: Verb::ALL.iter().map(|_| OnceLock::new()).collect(),
            answers: Answers::new(),
            chain: chain.clone(),
            target: target.clone(),
            rules: Arc::clone(self),
        }
    }

    fn base(&self, chain: &Chain, target: &Target) -> Result<Entities, NotBuilt> {
        let types = &self.words.types;
        let mut all = actors::chain_entities(types, chain, &self.known)?;
        all.push(entities::target(types, target)?);
        Entities::from_entities(all, None).map_err(|_| NotBuilt)
    }
}

impl Judge {
    /// The rules it judges by.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }
    /// Whom it judges.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }
    /// On what.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Judges one command: every act for every actor of the chain. All must pass; the strictest wins.
    pub fn judge(&self, acts: &[Act], moment: &Moment<'_>, lifted: &Lifted) -> Outcome {
        if moment.identity.chain != self.chain {
            return Outcome::refused(builtin::OTHER_CHAIN);
        }
        match acts {
            [only] => self
                .rules
                .sum(&[self.part(only, moment)], lifted, &self.actors.names),
            _ => {
                let parts: Vec<Arc<Part>> = acts.iter().map(|a| self.part(a, moment)).collect();
                self.rules.sum(&parts, lifted, &self.actors.names)
            }
        }
    }

    /// The most revealing form in which a field may be shown. A hold counts as no: `lifted` has what was granted
    /// ahead. Anything but a field is masked.
    pub fn reveal(&self, field: &Object, moment: &Moment<'_>, lifted: &Lifted) -> Reveal {
        self.reveal_noting(field, moment, lifted).0
    }

    /// The same, with what observing rules would have done to each form that was asked for.
    pub fn reveal_noting(
        &self,
        field: &Object,
        moment: &Moment<'_>,
        lifted: &Lifted,
    ) -> (Reveal, Vec<String>) {
        let mut observed = BTreeSet::new();
        if matches!(field, Object::Field { .. }) {
            for (verb, form) in FORMS {
                let outcome = self.judge(&[Act::new(verb, field.clone())], moment, lifted);
                observed.extend(outcome.observed);
                if outcome.verdict == Verdict::Allow {
                    return (form, observed.into_iter().collect());
                }
            }
        }
        (Reveal::Masked, observed.into_iter().collect())
    }

    /// The same, with the holds that stand before a more revealing form.
    pub fn reveal_or_holds(
        &self,
        field: &Object,
        moment: &Moment<'_>,
        lifted: &Lifted,
    ) -> (Reveal, Vec<Asked>) {
        let mut holds = Vec::new();
        if matches!(field, Object::Field { .. }) {
            for (verb, form) in FORMS {
                match self
                    .judge(&[Act::new(verb, field.clone())], moment, lifted)
                    .verdict
                {
                    Verdict::Allow => return (form, holds),
                    Verdict::Hold(asked) => holds.extend(asked),
                    Verdict::Deny { .. } => {}
                }
            }
        }
        (Reveal::Masked, holds)
    }

    /// The actors by name.
    pub(super) fn actors(&self) -> impl Iterator<Item = (&String, &Link)> {
        self.actors.names.iter().zip(&self.actors.links)
    }

    /// What the rules say of one act, kept or found anew.
    fn part(&self, act: &Act, moment: &Moment<'_>) -> Arc<Part> {
        let Some(view) = self.view(act.verb) else {
            return Arc::new(Part::refused(builtin::NOT_JUDGED));
        };
        let seen = Seen::of(moment, view.reads);
        let slot = self.answers.slot(act, view.reads, &seen);
        if let Some(part) = self.answers.get(slot, act, view.reads, &seen) {
            return part;
        }
        match self.fresh(view, act, &seen, None) {
            Some(part) => {
                let part = Arc::new(part);
                self.answers.keep(slot, act, seen, Arc::clone(&part));
                part
            }
            None => Arc::new(Part::refused(builtin::NOT_JUDGED)),
        }
    }

    /// Judges with every rule, every attribute and nothing kept: what slices and answers must never differ from.
    #[cfg(test)]
    pub(super) fn judge_whole(
        &self,
        acts: &[Act],
        moment: &Moment<'_>,
        lifted: &Lifted,
    ) -> Outcome {
        let mut all = Sets::of(self.rules.rules()).unwrap_or_default();
        all.reads = Reads::ALL;
        let seen = Seen::of(moment, Reads::ALL);
        let part = |a: &Act| {
            let part = self
                .view(a.verb)
                .and_then(|v| self.fresh(v, a, &seen, Some(&all)));
            part.unwrap_or_else(|| Part::refused(builtin::NOT_JUDGED))
        };
        self.rules.sum(
            &acts.iter().map(part).collect::<Vec<_>>(),
            lifted,
            &self.actors.names,
        )
    }

    /// Asks the rules about one act for every link, by its slices or by the sets given instead.
    fn fresh(&self, view: &View, act: &Act, seen: &Seen, instead: Option<&Sets>) -> Option<Part> {
        let types = &self.rules.words.types;
        let object = entities::object(types, &act.object, &self.target, &self.rules.known).ok()?;
        let entities = match object {
            Some(object) => &view.entities.clone().add_entities([object], None).ok()?,
            None => &view.entities,
        };
        let resource = entities::object_uid(types, &act.object, &self.target);
        let mut part = Part::default();
        for (link, (actor, slice)) in self.actors.links.iter().zip(&view.slices).enumerate() {
            let sets = instead.unwrap_or(slice);
            let ingredients = Ingredients {
                types,
                form: view.form,
                reads: sets.reads,
                seen,
                chain: &self.actors.facts,
                acting: link == 0,
                facts: &act.facts,
            };
            let context = ingredients.context().ok()?;
            let request = Request::new(
                actor.uid.clone(),
                view.action.clone(),
                resource.clone(),
                context,
                None,
            )
            .ok()?;
            self.rules.weigh(
                &Asking {
                    request: &request,
                    leaf: view.leaf,
                    entities,
                    sets,
                    link,
                },
                &mut part,
            );
        }
        Some(part)
    }

    fn view(&self, verb: Verb) -> Option<&View> {
        self.views
            .get(verb as usize)?
            .get_or_init(|| self.look(verb).map(Arc::new))
            .as_deref()
    }

    fn look(&self, verb: Verb) -> Option<View> {
        let leaf = self.rules.words.leaf_of_verb(verb)?;
        let action = self.rules.words.action(leaf)?;
        let name = escape_part(&self.target.name);
        let around = Around::Target {
            with_labels: &self.around,
            name: &name,
        };
        let slices = self
            .actors
            .links
            .iter()
            .map(|l| {
                self.rules
                    .slice(leaf, l.uid.type_name(), &l.ancestry, around)
            })
            .collect::<Option<Vec<Arc<Sets>>>>()?;
        Some(View {
            leaf,
            form: Form::of(verb),
            action: action.uid.clone(),
            reads: slices
                .iter()
                .fold(Reads::default(), |all, s| all.with(s.reads)),
            slices,
            entities: self
                .base
                .clone()?
                .add_entities([action.entity.clone()], None)
                .ok()?,
        })
    }
}

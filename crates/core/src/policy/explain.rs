//! Why a decision fell, in words.
//!
//! Lives here: an outcome told rule by rule, and which permits came near. Never: a decision of its own.

use super::bundle::Rules;
use super::entities;
use super::eval::Judge;
use super::moment::Moment;
use super::outcome::{Lifted, Outcome, Verdict, builtin};
use super::rule::{Kind, Rule};
use crate::action::Act;
use crate::approval::Asked;
use cedar_policy::{EntityUid, PrincipalConstraint, ResourceConstraint};
use std::collections::HashSet;
use std::fmt;

/// How many permits that came near are told for each act.
const NEAR_MAX: usize = 5;

/// One rule's part in a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because {
    /// Its id as in the outcome: `id`, `!id`, `brattice.…`.
    pub rule: String,
    /// `file:line`; empty for what is built in.
    pub place: String,
    /// What it did: `permits`, `forbids`, …
    pub what: String,
    /// Its `@message`, or what is built in says.
    pub message: Option<String>,
}

/// An act that nothing permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpermitted {
    /// The act: verb and object.
    pub act: String,
    /// Permits of such acts, nearest first, with what keeps each from applying.
    pub near: Vec<NearMiss>,
}

/// A permit that came near.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// Its id.
    pub rule: String,
    /// `file:line`.
    pub place: String,
    /// For whom it does not apply.
    pub actor: String,
    /// Why not.
    pub lacks: Vec<String>,
}

/// A decision, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// `allow`, `deny` or `hold`.
    pub verdict: &'static str,
    /// Each act that was judged: verb and object; filled by [`Judge::explain`].
    pub acts: Vec<String>,
    /// The rules that decided.
    pub because: Vec<Because>,
    /// Acts that nothing permits; filled by [`Judge::explain`].
    pub unpermitted: Vec<Unpermitted>,
    /// Who lacks a permit.
    pub lacking: Vec<String>,
    /// What observing rules would have done.
    pub observed: Vec<Because>,
}

/// Tells an outcome rule by rule.
pub fn explain(rules: &Rules, outcome: &Outcome) -> Explanation {
    let permits = outcome
        .permits
        .iter()
        .map(|id| because(rules, id, "permits"));
    let (verdict, because_of): (_, Vec<Because>) = match &outcome.verdict {
        Verdict::Allow => ("allow", permits.collect()),
        Verdict::Deny { rules: ids, .. } => (
            "deny",
            ids.iter().map(|id| because(rules, id, "forbids")).collect(),
        ),
        Verdict::Hold(asked) => (
            "hold",
            asked
                .iter()
                .map(|a| waits(rules, a))
                .chain(permits)
                .collect(),
        ),
    };
    Explanation {
        verdict,
        because: because_of,
        unpermitted: Vec::new(),
        acts: Vec::new(),
        lacking: outcome.lacking.clone(),
        observed: outcome
            .observed
            .iter()
            .map(|id| because(rules, id, "would forbid"))
            .collect(),
    }
}

fn because(rules: &Rules, id: &str, what: &str) -> Because {
    let (bare, broken) = id
        .strip_prefix('!')
        .map_or((id, false), |bare| (bare, true));
    match rules.rule(bare) {
        None => Because {
            rule: id.to_owned(),
            place: String::new(),
            what: what.to_owned(),
            message: Some(match bare {
                super::admin::OWN => "It is one's own.".to_owned(),
                other => builtin::message(other).to_owned(),
            }),
        },
        Some(r) => Because {
            rule: id.to_owned(),
            place: place(r),
            what: match (broken, r.observe, &r.kind) {
                (true, true, _) => "observes, and could not be evaluated".to_owned(),
                (true, false, _) => "could not be evaluated, so it stands".to_owned(),
                (false, true, Kind::Permit) => "would permit".to_owned(),
                (false, true, Kind::Hold(h)) => format!("would wait for {}", h.groups.join(" or ")),
                (false, true, Kind::Forbid) => "would forbid".to_owned(),
                (false, false, _) => what.to_owned(),
            },
            message: r.message.clone(),
        },
    }
}

fn waits(rules: &Rules, asked: &Asked) -> Because {
    let people = if asked.approvers == 1 {
        "a yes".to_owned()
    } else {
        format!("{} people", asked.approvers)
    };
    let what = format!("waits for {people} of {}", asked.groups.join(" or "));
    Because {
        what,
        ..because(rules, &asked.rule, "")
    }
}

fn place(rule: &Rule) -> String {
    format!("{}:{}", rule.file, rule.line)
}

impl Judge {
    /// Judges a command and tells why; for acts that nothing permits, which permits came near.
    pub fn explain(
        &self,
        acts: &[Act],
        moment: &Moment<'_>,
        lifted: &Lifted,
    ) -> (Outcome, Explanation) {
        let outcome = self.judge(acts, moment, lifted);
        let mut told = explain(self.rules(), &outcome);
        told.acts = acts.iter().map(|act| self.named(act)).collect();
        for act in outcome.unpermitted.iter().filter_map(|i| acts.get(*i)) {
            told.unpermitted.push(Unpermitted {
                act: self.named(act),
                near: self.near(act, &outcome.lacking),
            });
        }
        (outcome, told)
    }

    /// An act as verb and object.
    fn named(&self, act: &Act) -> String {
        let object = act.object.entity_id(self.target());
        let kind = act.object.entity_type();
        format!("{} {kind}::\"{object}\"", act.verb.as_str())
    }

    fn near(&self, act: &Act, lacking: &[String]) -> Vec<NearMiss> {
        let rules = self.rules();
        let types = &rules.words.types;
        let Some(leaf) = rules.words.leaf_of_verb(act.verb) else {
            return Vec::new();
        };
        let resource = entities::object_uid(types, &act.object, self.target());
        let mut ancestry =
            entities::object_ancestry(types, &act.object, self.target(), &rules.known);
        ancestry.insert(resource.clone());
        let mut near = Vec::new();
        for rule in rules
            .reaching(leaf)
            .iter()
            .filter_map(|i| rules.rule_at(*i))
        {
            if rule.kind != Kind::Permit || rule.observe {
                continue;
            }
            for (name, link) in self.actors().filter(|(name, _)| lacking.contains(*name)) {
                let lacks = lacks(rule, (&link.uid, &link.ancestry), (&resource, &ancestry));
                near.push(NearMiss {
                    rule: rule.id.clone(),
                    place: place(rule),
                    actor: name.clone(),
                    lacks,
                });
            }
        }
        near.sort_by_key(|n| (n.scope_lacks(), n.rule.clone()));
        near.truncate(NEAR_MAX);
        near
    }
}

const CONDITIONS: &str = "its conditions do not hold";

impl NearMiss {
    /// How far off it is: a permit whose scope fits and whose conditions fail is nearest.
    fn scope_lacks(&self) -> usize {
        self.lacks.iter().filter(|l| *l != CONDITIONS).count()
    }
}

/// What keeps a permit from applying: its head, or else its conditions.
fn lacks(
    rule: &Rule,
    (actor, groups): (&EntityUid, &HashSet<EntityUid>),
    (resource, above): (&EntityUid, &HashSet<EntityUid>),
) -> Vec<String> {
    let mut lacks = Vec::new();
    if !rule.head.means_principal(actor.type_name(), groups) {
        lacks.push(format!("it is for {}", principals(&rule.head.principal)));
    }
    if !rule.head.is_for_resource(resource.type_name(), above) {
        lacks.push(format!("it is for {}", resources(&rule.head.resource)));
    }
    if lacks.is_empty() {
        lacks.push(CONDITIONS.to_owned());
    }
    lacks
}

fn principals(of: &PrincipalConstraint) -> String {
    match of {
        PrincipalConstraint::Any => "everyone".to_owned(),
        PrincipalConstraint::In(e) => format!("principals in {e}"),
        PrincipalConstraint::Eq(e) => format!("{e} alone"),
        PrincipalConstraint::Is(t) => format!("principals of type {t}"),
        PrincipalConstraint::IsIn(t, e) => format!("principals of type {t} in {e}"),
    }
}

fn resources(of: &ResourceConstraint) -> String {
    match of {
        ResourceConstraint::Any => "everything".to_owned(),
        ResourceConstraint::In(e) => format!("what is in {e}"),
        ResourceConstraint::Eq(e) => format!("{e} alone"),
        ResourceConstraint::Is(t) => format!("things of type {t}"),
        ResourceConstraint::IsIn(t, e) => format!("things of type {t} in {e}"),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.verdict)?;
        self.because.iter().try_for_each(|b| writeln!(f, "  {b}"))?;
        if !self.lacking.is_empty() {
            writeln!(f, "  nothing permits it for {}", self.lacking.join(", "))?;
        }
        for u in &self.unpermitted {
            writeln!(f, "  {}", u.act)?;
            for n in &u.near {
                let NearMiss {
                    rule,
                    place,
                    actor,
                    lacks,
                } = n;
                writeln!(
                    f,
                    "    {rule} ({place}) does not apply to {actor}: {}",
                    lacks.join("; ")
                )?;
            }
        }
        self.observed
            .iter()
            .try_for_each(|b| writeln!(f, "  observed: {b}"))
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rule)?;
        if !self.place.is_empty() {
            write!(f, " ({})", self.place)?;
        }
        write!(f, " {}", self.what)?;
        match &self.message {
            Some(m) => write!(f, ": {m}"),
            None => Ok(()),
        }
    }
}

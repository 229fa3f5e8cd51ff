//! What a token was narrowed to: at most these targets, effects and classes, whatever the rules permit besides.
//!
//! Lives here: the narrowing, its spelling, and whether one lies within another. Never: who may narrow, tokens.
//!
//! A scope only takes away. It is written as OAuth 2.0 scope tokens (RFC 6749, section 3.3): `target:orders-db`, `read`,
//! `class:email`, `rows:1000`. A kind that is not named is not narrowed.

use crate::action::{Act, Effect, Object};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The effects a scope may name.
const EFFECTS: [Effect; 5] = [
    Effect::Read,
    Effect::Write,
    Effect::Destroy,
    Effect::Administer,
    Effect::Execute,
];
/// The most names of one kind.
const NAMES_MAX: usize = 100;
const TARGET: &str = "target:";
const CLASS: &str = "class:";

/// What is left of an identity's rights. `None` is all of a kind; an empty set is none of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Targets that may be opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<BTreeSet<String>>,
    /// Effects that commands may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<BTreeSet<Effect>>,
    /// Classes that may be seen other than masked, or used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<BTreeSet<String>>,
    /// What may be used up, in all. Every one of them holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<Allowance>,
}

/// Something that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Commands.
    Commands,
    /// Rows received.
    Rows,
    /// Bytes received.
    Bytes,
}

impl Measure {
    const ALL: [Measure; 3] = [Measure::Commands, Measure::Rows, Measure::Bytes];

    /// Its name in scopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Measure::Commands => "commands",
            Measure::Rows => "rows",
            Measure::Bytes => "bytes",
        }
    }
}

/// A bound on what one token, and all that come from it without a budget of their own, use up together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// Of what.
    pub of: Measure,
    /// How much of it.
    pub most: u64,
    /// The id of the token that it was given to; empty where it is only asked for.
    #[serde(default)]
    pub by: String,
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.of.as_str(), self.most)
    }
}

/// Why a text is no scope, or not one that may be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeRefused {
    /// Not a scope token that is known.
    #[error(
        "`{0}` is no scope: write target:NAME, class:NAME, an effect (read, write, destroy, administer, execute), or once each commands:N, rows:N, bytes:N"
    )]
    Unknown(String),
    /// Too many names.
    #[error("a scope has at most {NAMES_MAX} names of a kind")]
    TooMany,
    /// More than its parent has.
    #[error("`{0}` is not within the scope of the token it would come from")]
    Wider(String),
}

impl Scope {
    /// Nothing is taken away.
    pub fn whole() -> Self {
        Self::default()
    }

    /// Whether nothing is taken away.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// Whether this target may be opened.
    pub fn has_target(&self, name: &str) -> bool {
        self.targets.as_ref().is_none_or(|t| t.contains(name))
    }

    /// Whether data of this class may be seen other than masked, where rules permit that.
    pub fn has_class(&self, name: &str) -> bool {
        self.classes.as_ref().is_none_or(|c| c.contains(name))
    }

    /// Whether it may have this effect.
    pub fn has_effect(&self, effect: Effect) -> bool {
        self.effects.as_ref().is_none_or(|e| e.contains(&effect))
    }

    /// Whether nothing of this act was taken away: its effect, and the class of a masked column that it uses.
    pub fn has(&self, act: &Act) -> bool {
        let class = match &act.object {
            Object::Field { class, .. } => self.has_class(class),
            _ => true,
        };
        class && self.has_effect(act.effect())
    }

    /// Reads scope tokens, separated by spaces; no token is the whole.
    ///
    /// # Errors
    /// When one is not known: nothing is left out quietly, since that would widen.
    pub fn parse(text: &str) -> Result<Self, ScopeRefused> {
        let mut scope = Self::whole();
        for token in text.split(' ').filter(|t| !t.is_empty()) {
            let unknown = || ScopeRefused::Unknown(token.chars().take(100).collect());
            let named = |prefix: &str| token.strip_prefix(prefix).filter(|name| is_name(name));
            let full = if let Some(name) = named(TARGET) {
                insert(&mut scope.targets, name.to_owned())
            } else if let Some(name) = named(CLASS) {
                insert(&mut scope.classes, name.to_owned())
            } else if let Some(budget) = read_budget(token) {
                if scope.budgets.iter().any(|b| b.of == budget.of) {
                    return Err(unknown());
                }
                scope.budgets.push(budget);
                false
            } else {
                let effect = EFFECTS.into_iter().find(|e| e.as_str() == token);
                insert(&mut scope.effects, effect.ok_or_else(unknown)?)
            };
            if full {
                return Err(ScopeRefused::TooMany);
            }
        }
        Ok(scope)
    }

    /// This scope for somebody who has `parent`'s: what is not named is inherited, what is named lies within it.
    ///
    /// # Errors
    /// When it names something that the parent does not have.
    pub fn within(self, parent: &Scope) -> Result<Self, ScopeRefused> {
        let wider = |name: String| Err(ScopeRefused::Wider(name));
        if let Some(name) = beyond(&self.targets, &parent.targets) {
            return wider(format!("{TARGET}{name}"));
        }
        if let Some(effect) = beyond(&self.effects, &parent.effects) {
            return wider(effect.as_str().to_owned());
        }
        if let Some(name) = beyond(&self.classes, &parent.classes) {
            return wider(format!("{CLASS}{name}"));
        }
        let mut budgets = self.budgets;
        for of_parent in &parent.budgets {
            match budgets
                .iter()
                .find(|b| b.by.is_empty() && b.of == of_parent.of)
            {
                Some(asked) if asked.most > of_parent.most => return wider(asked.to_string()),
                // It has its own, out of the parent's.
                Some(_) => {}
                None => budgets.push(of_parent.clone()),
            }
        }
        Ok(Self {
            targets: self.targets.or_else(|| parent.targets.clone()),
            effects: self.effects.or_else(|| parent.effects.clone()),
            classes: self.classes.or_else(|| parent.classes.clone()),
            budgets,
        })
    }

    /// Gives the budgets that were asked for to the token of this id.
    pub fn given_to(mut self, token_id: &str) -> Self {
        for budget in self.budgets.iter_mut().filter(|b| b.by.is_empty()) {
            token_id.clone_into(&mut budget.by);
        }
        self
    }

    /// What both have. Where both have a budget, both hold.
    pub fn both(&self, other: &Scope) -> Self {
        let mut budgets = self.budgets.clone();
        budgets.extend(
            other
                .budgets
                .iter()
                .filter(|b| !self.budgets.contains(b))
                .cloned(),
        );
        Self {
            budgets,
            targets: common(&self.targets, &other.targets),
            effects: common(&self.effects, &other.effects),
            classes: common(&self.classes, &other.classes),
        }
    }
}

impl fmt::Display for Scope {
    /// As scope tokens. An empty set has no spelling: it shows as `none` of its kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = Vec::new();
        let mut names = |prefix: &str, set: &Option<BTreeSet<String>>| match set {
            Some(set) if set.is_empty() => words.push(format!("{prefix}(none)")),
            Some(set) => words.extend(set.iter().map(|name| format!("{prefix}{name}"))),
            None => {}
        };
        names(TARGET, &self.targets);
        names(CLASS, &self.classes);
        match &self.effects {
            Some(set) if set.is_empty() => words.push("(no effect)".to_owned()),
            Some(set) => words.extend(set.iter().map(|e| e.as_str().to_owned())),
            None => {}
        }
        words.extend(self.budgets.iter().map(ToString::to_string));
        f.write_str(&words.join(" "))
    }
}

/// `rows:1000`. A number is written one way.
fn read_budget(token: &str) -> Option<Allowance> {
    let (name, number) = token.split_once(':')?;
    let of = Measure::ALL.into_iter().find(|m| m.as_str() == name)?;
    let most: u64 = number.parse().ok()?;
    (most.to_string() == number && most > 0).then(|| Allowance {
        of,
        most,
        by: String::new(),
    })
}

/// Adds; whether the set is over its bound now.
fn insert<T: Ord>(set: &mut Option<BTreeSet<T>>, value: T) -> bool {
    let set = set.get_or_insert_default();
    set.insert(value);
    set.len() > NAMES_MAX
}

/// What of a set lies outside its bound.
fn beyond<'s, T: Ord>(
    set: &'s Option<BTreeSet<T>>,
    bound: &'s Option<BTreeSet<T>>,
) -> Option<&'s T> {
    let (set, bound) = (set.as_ref()?, bound.as_ref()?);
    set.difference(bound).next()
}

fn common<T: Ord + Clone>(a: &Option<BTreeSet<T>>, b: &Option<BTreeSet<T>>) -> Option<BTreeSet<T>> {
    match (a, b) {
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (Some(a), Some(b)) => Some(a.intersection(b).cloned().collect()),
    }
}

/// Names of targets and classes, as the bundle has them.
fn is_name(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 100 && name.chars().all(fine)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    #[test]
    fn a_scope_reads_and_prints_its_tokens() {
        let text = "target:a target:b class:email read write commands:5 rows:1000";
        assert_eq!(scope(text).to_string(), text);
        assert!(scope("").is_whole());
        for wrong in [
            "reed",
            "target:",
            "target:a/b",
            "class:x y:z",
            "unknown",
            "*",
            "READ",
            "rows:",
            "rows:0",
            "rows:007",
            "rows:+7",
            "rows:-7",
            "rows:99999999999999999999",
            "rows:7 rows:8",
            "changes:7",
        ] {
            assert!(Scope::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_budget_comes_out_of_its_parents_or_is_shared_with_them() {
        let parent = scope("rows:100 commands:9").given_to("p");
        let by = |s: &Scope| -> Vec<(String, String)> {
            let all = s.budgets.iter();
            all.map(|b| (b.to_string(), b.by.clone())).collect()
        };
        let shared = scope("read").within(&parent).unwrap().given_to("c");
        assert_eq!(shared.budgets, parent.budgets);
        let own = scope("rows:40").within(&parent).unwrap().given_to("c");
        let pair = |b: &str, by: &str| (b.to_owned(), by.to_owned());
        assert_eq!(by(&own), [pair("rows:40", "c"), pair("commands:9", "p")]);
        assert!(scope("rows:101").within(&parent).is_err());
        assert!(!scope("rows:1").is_whole());
        // Of two proofs each one's budget holds.
        let other = scope("rows:50").given_to("q");
        let both = parent.both(&other).both(&parent);
        assert_eq!(both.budgets.len(), 3);
        assert!(scope("rows:60").within(&both).is_err());
        assert_eq!(scope("").within(&both).unwrap().budgets.len(), 3);
    }

    #[test]
    fn what_is_not_named_is_inherited_and_nothing_is_widened() {
        let parent = scope("target:a target:b read");
        let child = scope("target:a class:email").within(&parent).unwrap();
        assert_eq!(child, scope("target:a class:email read"));
        for wider in ["target:c", "write", "read write", "target:a target:c"] {
            assert!(scope(wider).within(&parent).is_err(), "{wider}");
        }
        assert_eq!(
            scope("write").within(&Scope::whole()).unwrap(),
            scope("write")
        );
        assert_eq!(Scope::whole().within(&parent).unwrap(), parent);
    }

    #[test]
    fn two_scopes_have_in_common_what_both_have() {
        let both = scope("target:a target:b read").both(&scope("target:b target:c write"));
        assert!(both.has_target("b") && !both.has_target("a") && !both.has_target("c"));
        assert!(!both.has_effect(Effect::Read) && !both.has_effect(Effect::Write));
        assert!(both.has_class("email"));
        // Nothing in common is nothing, and stays so further down.
        assert!(scope("read").within(&both).is_err());
    }
}

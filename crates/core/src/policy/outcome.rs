//! What comes of judging: a verdict, and the rules it came from.
//!
//! Lives here: the outcome's types. Never: how it is reached.

use crate::approval::Asked;
use crate::ids::Digest;
use std::collections::HashSet;

/// Built-in grounds for refusing, which no rule can change.
pub mod builtin {
    /// A command that names nothing.
    pub const NOTHING_TO_JUDGE: &str = "brattice.nothing-to-judge";
    /// The schema knows no such request: an agent that approves, a select of a setting.
    pub const NOT_IN_SCHEMA: &str = "brattice.not-in-schema";
    /// An entity is missing, so that a forbid could be silent.
    pub const ENTITIES_INCOMPLETE: &str = "brattice.entities-incomplete";
    /// The identity is not the one this was made for.
    pub const OTHER_CHAIN: &str = "brattice.other-chain";
    /// A question of policy could not be put together.
    pub const NOT_JUDGED: &str = "brattice.not-judged";
    /// An approver who is in the delegation chain that asks.
    pub const OWN_REQUEST: &str = "brattice.own-request";
    /// An approver who is in none of the groups that are asked.
    pub const NOT_ASKED: &str = "brattice.not-asked";

    /// What a person is told of it.
    pub fn message(ground: &str) -> &'static str {
        match ground {
            NOTHING_TO_JUDGE => "The command does nothing that could be judged.",
            NOT_IN_SCHEMA => "This principal cannot do this to such a thing at all.",
            ENTITIES_INCOMPLETE => {
                "Something the rules look at is missing, so they cannot be relied on."
            }
            OTHER_CHAIN => "The identity changed; open a new session.",
            OWN_REQUEST => "Nobody approves a request that was made by them or for them.",
            NOT_ASKED => "None of your groups was asked.",
            _ => "The rules could not be asked.",
        }
    }
}

/// Rules that an approval or a grant covers, each by id and the digest of the text it was given for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lifted(HashSet<(String, Digest)>);

impl Lifted {
    /// Nothing is lifted.
    pub fn none() -> Self {
        Self::default()
    }
    /// Adds a rule, by its id and text.
    pub fn add(&mut self, rule: impl Into<String>, text: Digest) -> &mut Self {
        self.0.insert((rule.into(), text));
        self
    }
    /// Whether this rule, with this text, is lifted.
    pub fn covers(&self, asked: &Asked) -> bool {
        !self.0.is_empty() && self.0.contains(&(asked.rule.clone(), asked.rule_text))
    }
    /// Whether nothing is lifted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Digest)> for Lifted {
    fn from_iter<I: IntoIterator<Item = (String, Digest)>>(rules: I) -> Self {
        Self(rules.into_iter().collect())
    }
}

/// What may happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allow,
    /// It may not.
    Deny {
        /// The rules that say so, in order of their ids: `id`, `!id` for one that could not be evaluated and
        /// therefore stands, `brattice.…` for what is built in. Empty: nothing permits it.
        rules: Vec<String>,
        /// What these rules have to say to whoever is refused, in the same order.
        messages: Vec<String>,
    },
    /// Not before people said yes to each of these.
    Hold(Vec<Asked>),
}

/// A verdict and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What may happen.
    pub verdict: Verdict,
    /// What observing rules would have done: `id`, or `!id` for one that could not be evaluated. Never mixed into
    /// the verdict.
    pub observed: Vec<String>,
    /// The permits that matched.
    pub permits: Vec<String>,
    /// Which acts, counted from 0, nothing permits for someone in the chain.
    pub unpermitted: Vec<usize>,
    /// For whom: the actors that lack a permit.
    pub lacking: Vec<String>,
}

impl Outcome {
    /// Whether it may happen.
    pub fn allowed(&self) -> bool {
        self.verdict == Verdict::Allow
    }
    /// Allowed by something built in.
    pub(super) fn allowed_by(ground: &'static str) -> Self {
        Outcome {
            verdict: Verdict::Allow,
            observed: Vec::new(),
            permits: vec![ground.to_owned()],
            unpermitted: Vec::new(),
            lacking: Vec::new(),
        }
    }
    /// A refusal by something built in.
    pub(super) fn refused(ground: &'static str) -> Self {
        Outcome {
            verdict: Verdict::Deny {
                rules: vec![ground.to_owned()],
                messages: vec![builtin::message(ground).to_owned()],
            },
            observed: Vec::new(),
            permits: Vec::new(),
            unpermitted: Vec::new(),
            lacking: Vec::new(),
        }
    }
}

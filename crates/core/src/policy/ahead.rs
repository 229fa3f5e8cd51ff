//! What may stand in the way of something that is not done yet: the rules whose heads can mean it.
//!
//! Lives here: looking through the heads. Never: conditions (nobody knows yet what they will look at), a decision.

use super::actors::Actors;
use super::bundle::Rules;
use super::entities;
use super::rule::{Around, Kind, Rule};
use super::vocabulary::Leaf;
use crate::action::{Effect, Verb, escape_part};
use crate::approval::Asked;
use crate::principal::Chain;
use crate::target::Target;
use std::collections::{BTreeMap, BTreeSet};

/// What somebody wants to do later on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Commands with these effects.
    pub effects: BTreeSet<Effect>,
    /// Opening the target.
    pub connect: bool,
    /// Seeing or using what is masked.
    pub reveal: bool,
}

impl Wanted {
    /// The schema's words for it.
    pub fn words(&self) -> Vec<&'static str> {
        let connect = self.connect.then_some("connect");
        let reveal = self.reveal.then_some("reveal");
        let effects = self.effects.iter().map(|e| e.as_str());
        connect.into_iter().chain(effects).chain(reveal).collect()
    }
}

/// What may stand in the way of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ahead {
    /// Rules that a grant lifts.
    pub liftable: Vec<Asked>,
    /// Rules that ask people each time.
    pub each_time: Vec<String>,
    /// Rules that nothing lifts.
    pub forbidding: Vec<String>,
    /// Words of what is wanted that nothing permits somebody in the chain.
    pub unpermitted: Vec<String>,
}

impl Rules {
    /// The rules that may stand in the way of this chain on this target.
    pub fn ahead(&self, chain: &Chain, target: &Target, wanted: &Wanted) -> Ahead {
        let types = &self.words.types;
        let actors = Actors::of(types, chain);
        let mut with_labels = entities::labels(types, target);
        with_labels.insert(entities::target_uid(types, target));
        let name = escape_part(&target.name);
        let around = Around::Target {
            with_labels: &with_labels,
            name: &name,
        };
        let doable: BTreeSet<Leaf> = Verb::ALL
            .iter()
            .filter_map(|v| self.words.leaf_of_verb(*v))
            .collect();
        let mut liftable: BTreeMap<&str, Asked> = BTreeMap::new();
        let (mut each_time, mut forbidding) = (BTreeSet::new(), BTreeSet::new());
        let mut unpermitted = Vec::new();
        for word in wanted.words() {
            let below = self.words.below(word);
            for link in &actors.links {
                let mut permitted = false;
                let meant = below
                    .intersection(&doable)
                    .flat_map(|leaf| self.reaching(*leaf))
                    .filter_map(|i| self.rule_at(*i))
                    .filter(|rule| !rule.observe)
                    .filter(|rule| {
                        rule.head
                            .means_principal(link.uid.type_name(), &link.ancestry)
                            && rule.head.means_resource(around)
                    });
                for rule in meant {
                    match &rule.kind {
                        Kind::Permit => permitted = true,
                        Kind::Forbid => {
                            forbidding.insert(rule.id.clone());
                        }
                        Kind::Hold(_) => match grantable(rule) {
                            Some(asked) => {
                                liftable.insert(&rule.id, asked);
                            }
                            None => {
                                each_time.insert(rule.id.clone());
                            }
                        },
                    }
                }
                if !permitted && !unpermitted.iter().any(|w| w == word) {
                    unpermitted.push(word.to_owned());
                }
            }
        }
        Ahead {
            liftable: liftable.into_values().collect(),
            each_time: each_time.into_iter().collect(),
            forbidding: forbidding.into_iter().collect(),
            unpermitted,
        }
    }
}

fn grantable(rule: &Rule) -> Option<Asked> {
    rule.asked().filter(|asked| asked.grant_minutes.is_some())
}

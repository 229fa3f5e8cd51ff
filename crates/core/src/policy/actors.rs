//! A delegation chain as rules see it: every actor in its groups.
//!
//! Lives here: the chain's uids, ancestries and entities. Never: targets, requests.

use super::bundle::Known;
use super::context::ChainFacts;
use super::entities::{self, NotBuilt};
use super::vocabulary::{Types, uid};
use crate::principal::{Chain, Principal, PrincipalKind};
use cedar_policy::{Entity, EntityUid};
use std::collections::{BTreeSet, HashSet};

/// One actor of a chain.
pub(super) struct Link {
    pub uid: EntityUid,
    /// Itself and its groups.
    pub ancestry: HashSet<EntityUid>,
}

/// Everyone in a chain, the acting one first.
pub(super) struct Actors {
    /// As people read them.
    pub names: Vec<String>,
    pub links: Vec<Link>,
    pub facts: ChainFacts,
}

impl Actors {
    pub fn of(types: &Types, chain: &Chain) -> Self {
        let link = |a: &Principal| {
            let uid = entities::principal_uid(types, a);
            let groups = a
                .groups
                .iter()
                .map(|g| super::vocabulary::uid(&types.group, g));
            Link {
                ancestry: groups.chain([uid.clone()]).collect(),
                uid,
            }
        };
        // The person behind: the nearest one that is acted for, or the one who acts.
        let person = chain
            .on_behalf_of
            .iter()
            .chain([&chain.acting])
            .find(|a| a.kind == PrincipalKind::User);
        Actors {
            names: chain.actors().map(ToString::to_string).collect(),
            links: chain.actors().map(link).collect(),
            facts: ChainFacts {
                agents: agents(types, chain).collect(),
                on_behalf_of: person.map(|p| entities::principal_uid(types, p)),
            },
        }
    }
}

/// The agents of a chain.
pub(super) fn agents<'a>(
    types: &'a Types,
    chain: &'a Chain,
) -> impl Iterator<Item = EntityUid> + 'a {
    chain
        .actors()
        .filter(|a| a.kind == PrincipalKind::Agent)
        .map(|a| entities::principal_uid(types, a))
}

/// The people of a chain.
pub(super) fn users<'a>(
    types: &'a Types,
    chain: &'a Chain,
) -> impl Iterator<Item = EntityUid> + 'a {
    chain
        .actors()
        .filter(|a| a.kind == PrincipalKind::User)
        .map(|a| entities::principal_uid(types, a))
}

/// The ids of those who answer for the agents of a chain.
pub(super) fn owners<'a>(chain: &'a Chain, known: &'a Known) -> BTreeSet<&'a String> {
    chain
        .actors()
        .filter(|a| a.kind == PrincipalKind::Agent)
        .filter_map(|a| known.owners.get(&a.id()))
        .collect()
}

/// The entities of a chain, with those who answer for its agents.
pub(super) fn chain_entities(
    types: &Types,
    chain: &Chain,
    known: &Known,
) -> Result<Vec<Entity>, NotBuilt> {
    let mut all = Vec::new();
    let mut present: Vec<&Principal> = Vec::new();
    for a in chain.actors() {
        match present.iter().find(|p| p.is_same(a)) {
            None => {
                all.push(entities::principal(types, a, known)?);
                present.push(a);
            }
            // One principal in two sets of groups cannot be told apart: refuse.
            Some(twin) if twin.groups != a.groups => return Err(NotBuilt),
            Some(_) => {}
        }
    }
    for owner in owners(chain, known) {
        let owner_uid = uid(&types.user, owner);
        if !all.iter().any(|e| e.uid() == owner_uid) {
            all.push(entities::bystander(types, owner)?);
        }
    }
    Ok(all)
}

//! Acts on the gateway itself: who may approve, watch, read and govern.
//!
//! Lives here: what code decides before any rule, and asking the rules. Never: carrying an act out. These are for people: to the schema, an agent that oversees or governs does not exist.

use super::actors::{self, Actors};
use super::administration::{AdminMoment, AdminObject, AdminVerb};
use super::bundle::Rules;
use super::context::{Form, Ingredients};
use super::entities::{self, NotBuilt};
use super::moment::{Budget, Moment, Seen};
use super::outcome::{Lifted, Outcome, builtin};
use super::rule::Around;
use super::vocabulary::{Types, uid};
use super::weigh::{Asking, Part};
use crate::action::Facts;
use crate::approval::Question;
use crate::principal::{Chain, Identity};
use crate::target::Target;
use cedar_policy::{Entities, Entity, EntityUid, Request, RestrictedExpression};
use std::collections::{BTreeSet, HashMap, HashSet};

/// For which of the asking rules a person may answer.
#[derive(Debug, Clone)]
pub struct Answerable {
    /// For these: what the answer's `rules` must be.
    pub rules: Vec<String>,
    /// Not for these, each with why.
    pub refused: Vec<(String, Outcome)>,
}

/// What the outcome names as permit where a thing is one's own.
pub const OWN: &str = "brattice.own";

impl Rules {
    /// Whether someone may do this to the gateway. What is one's own needs no rule; nobody ever approves a request
    /// of a chain they are in; only who is asked approves; the rest is the rules'.
    pub fn may(
        &self,
        who: &Identity,
        verb: AdminVerb,
        object: &AdminObject<'_>,
        moment: &AdminMoment<'_>,
        lifted: &Lifted,
    ) -> Outcome {
        if is_own(who, verb, object) {
            return Outcome::allowed_by(OWN);
        }
        if let (AdminVerb::Approve, AdminObject::Approval { chain, asked, .. }) = (verb, object) {
            if who.chain.actors().any(|a| chain.includes(a)) {
                return Outcome::refused(builtin::OWN_REQUEST);
            }
            if !asked
                .iter()
                .flat_map(|a| &a.groups)
                .any(|g| who.chain.acting.groups.contains(g))
            {
                return Outcome::refused(builtin::NOT_ASKED);
            }
        }
        self.by_rules(who, verb, object, moment, lifted)
            .unwrap_or_else(|NotBuilt| Outcome::refused(builtin::NOT_JUDGED))
    }

    /// For which of a question's rules someone may answer: each is asked by itself, by its own groups.
    pub fn may_answer(
        &self,
        who: &Identity,
        question: &Question,
        target: &Target,
        moment: &AdminMoment<'_>,
    ) -> Answerable {
        let mut answerable = Answerable {
            rules: Vec::new(),
            refused: Vec::new(),
        };
        for asked in &question.asked {
            let object = AdminObject::Approval {
                id: &question.id,
                target,
                chain: &question.chain,
                asked: std::slice::from_ref(asked),
                effects: &question.effects,
            };
            let outcome = self.may(who, AdminVerb::Approve, &object, moment, &Lifted::none());
            match outcome.allowed() {
                true => answerable.rules.push(asked.rule.clone()),
                false => answerable.refused.push((asked.rule.clone(), outcome)),
            }
        }
        answerable
    }

    fn by_rules(
        &self,
        who: &Identity,
        verb: AdminVerb,
        object: &AdminObject<'_>,
        moment: &AdminMoment<'_>,
        lifted: &Lifted,
    ) -> Result<Outcome, NotBuilt> {
        let types = &self.words.types;
        let leaf = self.words.leaf(verb.as_str()).ok_or(NotBuilt)?;
        let action = self.words.action(leaf).ok_or(NotBuilt)?;
        let (resource, things) = self.things(object)?;

        let mut all = actors::chain_entities(types, &who.chain, &self.known)?;
        all.push(action.entity.clone());
        let actors = Actors::of(types, &who.chain);
        for thing in things {
            // Suspending oneself: the one who is proven now counts. Suspending the owner of an agent that asks: the
            // owner with groups counts.
            if !actors.links.iter().any(|l| l.uid == thing.uid()) {
                all.retain(|e| e.uid() != thing.uid());
                all.push(thing);
            }
        }
        let entities = Entities::from_entities(all, None).map_err(|_| NotBuilt)?;

        let circumstances = Moment {
            identity: who,
            now: moment.now,
            address: moment.address,
            budget: Budget::default(),
            zone: moment.zone,
            rows_so_far: 0,
        };
        let mut part = Part::default();
        for (link, actor) in actors.links.iter().enumerate() {
            let sets = self
                .slice(
                    leaf,
                    actor.uid.type_name(),
                    &actor.ancestry,
                    Around::Anywhere,
                )
                .ok_or(NotBuilt)?;
            let ingredients = Ingredients {
                types,
                form: Form::Admin,
                reads: sets.reads,
                seen: &Seen::of(&circumstances, sets.reads),
                chain: &actors.facts,
                acting: link == 0,
                facts: &Facts::None,
            };
            let context = ingredients.context().map_err(|_| NotBuilt)?;
            let request = Request::new(
                actor.uid.clone(),
                action.uid.clone(),
                resource.clone(),
                context,
                None,
            )
            .map_err(|_| NotBuilt)?;
            let asking = Asking {
                request: &request,
                leaf,
                entities: &entities,
                sets: &sets,
                link,
            };
            self.weigh(&asking, &mut part);
        }
        Ok(self.sum(&[part], lifted, &actors.names))
    }

    /// The object's uid, and it with what it hangs below.
    fn things(&self, object: &AdminObject<'_>) -> Result<(EntityUid, Vec<Entity>), NotBuilt> {
        let types = &self.words.types;
        let gateway = Entity::with_uid(uid(&types.gateway, GATEWAY));
        let below = |kind, id: &str, target: &Target, rules: &[&str], attributes| {
            let thing = Entity::new(uid(kind, id), attributes, above(types, target, rules))
                .map_err(|_| NotBuilt)?;
            Ok((
                thing.uid(),
                vec![entities::target(types, target)?, thing, gateway.clone()],
            ))
        };
        match object {
            AdminObject::Gateway => Ok((gateway.uid(), vec![gateway])),
            AdminObject::Bundle => {
                let parents = HashSet::from([gateway.uid()]);
                let bundle = Entity::new_no_attrs(uid(&types.bundle, BUNDLE), parents);
                Ok((bundle.uid(), vec![bundle, gateway]))
            }
            AdminObject::Target(target) => Ok((
                entities::target_uid(types, target),
                vec![entities::target(types, target)?],
            )),
            AdminObject::Label(label) => {
                let label = Entity::with_uid(uid(&types.label, label));
                Ok((label.uid(), vec![label]))
            }
            AdminObject::Identity(who) => {
                let identity = entities::principal(types, who, &self.known)?;
                Ok((identity.uid(), vec![identity]))
            }
            AdminObject::Session {
                id,
                target,
                chain,
                live,
            } => {
                let mut attributes = self.of_chain(chain);
                attributes.insert("live".to_owned(), RestrictedExpression::new_bool(*live));
                below(&types.session, id.as_str(), target, &[], attributes)
            }
            AdminObject::Credential { id, target, chain } => below(
                &types.credential,
                id.as_str(),
                target,
                &[],
                self.of_chain(chain),
            ),
            AdminObject::Approval {
                id,
                target,
                chain,
                asked,
                effects,
            } => {
                let groups: BTreeSet<&String> = asked.iter().flat_map(|a| &a.groups).collect();
                let mut attributes = self.of_chain(chain);
                attributes.insert(
                    "asked".to_owned(),
                    set(groups.into_iter().map(|g| uid(&types.group, g))),
                );
                attributes.insert(
                    "effects".to_owned(),
                    set(effects.iter().map(|e| uid(&types.effect, e.as_str()))),
                );
                let rules: Vec<&str> = asked.iter().map(|a| a.rule.as_str()).collect();
                below(&types.approval, id.as_str(), target, &rules, attributes)
            }
            AdminObject::Grant {
                id,
                target,
                chain,
                rule,
                approvers,
            } => {
                let mut attributes = self.of_chain(chain);
                attributes.remove("owners");
                let approvers = set(approvers.iter().map(|p| entities::principal_uid(types, p)));
                attributes.insert("approvers".to_owned(), approvers);
                below(&types.grant, id.as_str(), target, &[rule], attributes)
            }
        }
    }

    fn of_chain(&self, chain: &Chain) -> HashMap<String, RestrictedExpression> {
        let types = &self.words.types;
        let owners = actors::owners(chain, &self.known)
            .into_iter()
            .map(|o| uid(&types.user, o));
        HashMap::from([
            ("agents".to_owned(), set(actors::agents(types, chain))),
            ("users".to_owned(), set(actors::users(types, chain))),
            ("owners".to_owned(), set(owners)),
        ])
    }
}

const GATEWAY: &str = "this";
const BUNDLE: &str = "current";

/// Everything above something that hangs below a target and, it may be, rules.
fn above(types: &Types, target: &Target, rules: &[&str]) -> HashSet<EntityUid> {
    let mut all = entities::labels(types, target);
    all.insert(entities::target_uid(types, target));
    all.insert(uid(&types.gateway, GATEWAY));
    if !rules.is_empty() {
        all.insert(uid(&types.bundle, BUNDLE));
        all.extend(rules.iter().map(|r| uid(&types.rule, r)));
    }
    all
}

fn set(of: impl Iterator<Item = EntityUid>) -> RestrictedExpression {
    RestrictedExpression::new_set(of.map(RestrictedExpression::new_entity_uid))
}

/// Seeing and ending what one's own chain does. Everyone in the caller's chain must be in the other: an agent that
/// acts for one person does not see what it did for another.
fn is_own(who: &Identity, verb: AdminVerb, object: &AdminObject<'_>) -> bool {
    let chain = match (verb, object) {
        (AdminVerb::SessionRead | AdminVerb::SessionEnd, AdminObject::Session { chain, .. }) => {
            chain
        }
        (AdminVerb::ApprovalRead, AdminObject::Approval { chain, .. }) => chain,
        (AdminVerb::CredentialRevoke, AdminObject::Credential { chain, .. })
        | (AdminVerb::GrantEnd, AdminObject::Grant { chain, .. }) => chain,
        _ => return false,
    };
    who.chain.actors().all(|a| chain.includes(a))
}

//! Where Cedar alone would fail open: each hole by itself.

use super::basics::{TUESDAY, identity};
use super::table::{rules_of, spelled};
use super::world::{Case, file, short, table};
use crate::action::{Facts, Verb};
use crate::policy::context::{ChainFacts, Form, Ingredients};
use crate::policy::moment::{Moment, Seen};
use crate::policy::reads::Reads;
use crate::policy::slice::Sets;
use crate::policy::vocabulary::Vocabulary;
use crate::policy::weigh::{Asking, Part};
use crate::policy::{AdminVerb, Budget, Lifted, Rules, TimeZone};
use crate::principal::Chain;
use cedar_policy::{Context, Entities, Entity, Request};
use std::collections::HashSet;

fn case(name: &str) -> Case {
    table().case.into_iter().find(|c| c.name == name).unwrap()
}

/// What is decided about a truncate in production when this is done to the entities.
fn with_entities(change: impl Fn(Vec<Entity>) -> Vec<Entity>) -> String {
    let case = case("no truncate in production");
    let world = table().world;
    let words = Vocabulary::get().unwrap();
    let rules = rules_of(&case, &world);
    let (action, object) = &case.acts[0];
    let leaf = words.leaf(action).unwrap();
    let entities = Entities::from_entities(
        change(world.entities(&case, words).into_iter().collect()),
        None,
    )
    .unwrap();
    let request = Request::new(
        short(&case.who[0]),
        words.action(leaf).unwrap().uid.clone(),
        short(object),
        Context::from_json_value(
            super::contexts::context(action, &case.who, true, &case.with),
            None,
        )
        .unwrap(),
        None,
    )
    .unwrap();
    let sets = Sets::of(rules.rules()).unwrap();
    let mut part = Part::default();
    rules.weigh(
        &Asking {
            request: &request,
            leaf,
            entities: &entities,
            sets: &sets,
            link: 0,
        },
        &mut part,
    );
    spelled(&rules.sum(&[part], &Lifted::none(), &case.who))
}

#[test]
fn a_missing_entity_refuses_instead_of_silencing_a_forbid() {
    assert_eq!(with_entities(|all| all), "deny(no-destruction)");
    let without = |uid: &'static str| {
        move |all: Vec<Entity>| all.into_iter().filter(|e| e.uid() != short(uid)).collect()
    };
    for uid in [
        "Agent::okta/orders-1",
        "Action::sql.truncate",
        "Table::orders-db/app/public/customers",
        "Target::orders-db",
    ] {
        assert_eq!(
            with_entities(without(uid)),
            "deny(brattice.entities-incomplete)",
            "without {uid}"
        );
    }
}

#[test]
fn an_action_outside_its_groups_refuses() {
    let orphan = |all: Vec<Entity>| {
        let lone = Entity::new_no_attrs(
            short("Action::sql.truncate"),
            HashSet::from([short("Action::write")]),
        );
        all.into_iter()
            .filter(|e| e.uid() != lone.uid())
            .chain([lone.clone()])
            .collect()
    };
    assert_eq!(with_entities(orphan), "deny(brattice.entities-incomplete)");
    let adopted = |all: Vec<Entity>| {
        let groups =
            ["write", "destroy", "change", "command"].map(|g| short(&format!("Action::{g}")));
        let read = Entity::new_no_attrs(short("Action::sql.truncate"), HashSet::from(groups));
        all.into_iter()
            .filter(|e| e.uid() != read.uid())
            .chain([read.clone()])
            .collect()
    };
    assert_eq!(with_entities(adopted), "deny(brattice.entities-incomplete)");
}

#[test]
fn an_object_below_no_target_refuses() {
    let afloat = |all: Vec<Entity>| {
        all.into_iter()
            .map(
                |e| match e.uid() == short("Table::orders-db/app/public/customers") {
                    true => {
                        Entity::new_no_attrs(e.uid(), HashSet::from([short("Label::env=staging")]))
                    }
                    false => e,
                },
            )
            .collect()
    };
    assert_eq!(with_entities(afloat), "deny(brattice.entities-incomplete)");
}

#[test]
fn every_context_that_is_built_is_what_the_schema_wants() {
    let words = Vocabulary::get().unwrap();
    let world = table().world;
    let chain = world.chain(&[
        "Agent::okta/orders-1".to_owned(),
        "User::okta/sam".to_owned(),
    ]);
    let id = identity(chain.clone(), TUESDAY);
    let zone = TimeZone::UTC;
    let moment = Moment {
        identity: &id,
        now: TUESDAY,
        address: "2001:db8::1".parse().unwrap(),
        budget: Budget {
            cost_today: 12_345,
            ..Budget::UNKNOWN
        },
        zone: &zone,
        rows_so_far: 3,
    };
    let facts = ChainFacts {
        agents: vec![short("Agent::okta/orders-1")],
        on_behalf_of: Some(short("User::okta/sam")),
    };
    let forms = Verb::ALL.iter().map(|v| (v.as_str(), Form::of(*v)));
    let forms = forms.chain(AdminVerb::ALL.iter().map(|v| (v.as_str(), Form::Admin)));
    for (name, form) in forms {
        let ingredients = Ingredients {
            types: &words.types,
            form,
            reads: Reads::ALL,
            seen: &Seen::of(&moment, Reads::ALL),
            chain: &facts,
            acting: true,
            facts: &Facts::None,
        };
        let leaf = words
            .leaf(name)
            .unwrap_or_else(|| panic!("{name} is not in the schema"));
        let action = &words.action(leaf).unwrap().uid;
        let valid = ingredients
            .context()
            .unwrap()
            .validate(&words.schema, action);
        assert!(valid.is_ok(), "{name}: {valid:?}");
    }
}

#[test]
fn the_schema_gives_no_agent_a_place_in_the_gateway() {
    let words = Vocabulary::get().unwrap();
    for verb in AdminVerb::ALL {
        let leaf = words.leaf(verb.as_str()).unwrap();
        for resource in [
            "Gateway",
            "Bundle",
            "Target",
            "Session",
            "Approval",
            "Grant",
            "Credential",
            "User",
            "Agent",
        ] {
            assert!(
                !words.fits(
                    &short("Agent::okta/x"),
                    leaf,
                    &short(&format!("{resource}::x"))
                ),
                "{verb:?}"
            );
        }
    }
    for group in ["oversee", "govern"] {
        assert!(!words.below(group).is_empty());
    }
}

#[test]
fn one_actor_with_two_sets_of_groups_is_refused() {
    let world = table().world;
    let rules = rules_of(&case("analytics reads orders"), &world);
    let mut twin = world.who("Agent::okta/analyst-1");
    twin.groups.clear();
    let chain = Chain {
        on_behalf_of: vec![twin],
        ..world.chain(&["Agent::okta/analyst-1".to_owned()])
    };
    let id = identity(chain.clone(), TUESDAY);
    let zone = TimeZone::UTC;
    let moment = Moment {
        identity: &id,
        now: TUESDAY,
        address: "10.1.2.3".parse().unwrap(),
        budget: Budget::default(),
        zone: &zone,
        rows_so_far: 0,
    };
    let act = crate::action::Act::new(Verb::Connect, crate::action::Object::Target);
    let outcome =
        rules
            .judge_for(&chain, &world.target("orders-db"))
            .judge(&[act], &moment, &Lifted::none());
    assert_eq!(spelled(&outcome), "deny(brattice.not-judged)");
}

#[test]
fn every_problem_of_every_file_is_told_at_once_with_its_line() {
    let world = table().world;
    let files = [
        file(
            "a.cedar",
            "// reads\n@id(\"reads\")\npermit (principal, action, resource);\n\n@id(\"writes\")\nforbid (principal, action in Action::\"write\",\n  resource in Label::\"env=prodution\");\n",
        ),
        file(
            "b.cedar",
            "@id(\"reads\") permit (principal, action in Action::\"read\", resource);\npermit (principal, action == Action::\"sql.selct\", resource);\n",
        ),
        file("c.cedar", "@id(\"half\")\npermit (principal, action in\n"),
    ];
    let problems = Rules::load(&files, &world.known()).unwrap_err();
    let told: Vec<(&str, usize)> = problems.iter().map(|p| (p.file.as_str(), p.line)).collect();
    for expected in [
        ("a.cedar", 2),
        ("a.cedar", 7),
        ("b.cedar", 1),
        ("b.cedar", 2),
        ("c.cedar", 2),
    ] {
        assert!(
            told.contains(&expected),
            "{expected:?} is not in {problems:#?}"
        );
    }
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(
        text.iter()
            .any(|t| t.contains("did you mean \"env=production\"?")),
        "{text:#?}"
    );
    assert!(
        text.iter()
            .any(|t| t.contains("used twice") && t.contains("a.cedar:2")),
        "{text:#?}"
    );
}

#[test]
fn what_the_bundle_itself_lacks_is_told_with_the_rules() {
    let mut known = table().world.known();
    known
        .targets
        .get_mut("orders-db")
        .unwrap()
        .labels
        .remove("env");
    known
        .classes
        .insert("iban".to_owned(), vec!["payment_crad".to_owned()]);
    let problems = Rules::load(&[], &known).unwrap_err();
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(
        text.iter()
            .any(|t| t.contains("target orders-db has no label env")),
        "{text:#?}"
    );
    assert!(
        text.iter()
            .any(|t| t.contains("did you mean payment_card?")),
        "{text:#?}"
    );
}

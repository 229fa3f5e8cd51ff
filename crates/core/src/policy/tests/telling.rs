//! Explanations and comparisons.

use super::basics::{COMPANY, TUESDAY, identity};
use super::world::{file, table};
use crate::action::{Act, Object, RelationKind, SqlFacts, Verb};
use crate::policy::{Budget, Explanation, Lifted, Moment, Outcome, Rules, TimeZone, diff};
use std::sync::Arc;

fn load(text: &str) -> Arc<Rules> {
    Arc::new(Rules::load(&[file("company.cedar", text)], &table().world.known()).unwrap())
}

fn explained(who: &[&str], verb: Verb) -> (Outcome, Explanation) {
    let world = table().world;
    let chain = world.chain(&who.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
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
    let object = Object::Table {
        database: "app".to_owned(),
        schema: "public".to_owned(),
        table: "staff".to_owned(),
        kind: RelationKind::Table,
    };
    let facts = SqlFacts {
        estimated_rows: 10,
        ..SqlFacts::default()
    };
    let act = Act {
        facts: facts.into(),
        ..Act::new(verb, object)
    };
    load(COMPANY)
        .judge_for(&chain, &world.target("orders-db"))
        .explain(&[act], &moment, &Lifted::none())
}

#[test]
fn a_refusal_is_explained_by_the_rule_its_place_and_its_message() {
    let (_, told) = explained(&["Agent::okta/orders-1"], Verb::SqlTruncate);
    let line = COMPANY
        .lines()
        .position(|l| l.contains("@id(\"no-destruction\")"))
        .unwrap()
        + 1;
    assert_eq!(told.verdict, "deny");
    assert_eq!(told.because[0].place, format!("company.cedar:{line}"));
    assert!(
        told.to_string()
            .contains("Nothing is destroyed in production.")
    );
}

#[test]
fn what_nothing_permits_names_the_permits_that_came_near() {
    let (outcome, told) = explained(&["Agent::okta/helper-1"], Verb::SqlSelect);
    assert_eq!(outcome.lacking, ["agent:okta/helper-1"]);
    assert_eq!(
        told.unpermitted[0].act,
        "sql.select Table::\"orders-db/app/public/staff\""
    );
    let near = told.unpermitted[0]
        .near
        .iter()
        .find(|n| n.rule == "analytics-read")
        .unwrap();
    assert_eq!(
        near.lacks,
        ["it is for principals in Group::\"okta/analytics-agents\""]
    );
}

#[test]
fn a_permit_whose_conditions_fail_says_so() {
    // Support may be served, not act.
    let (_, told) = explained(&["User::okta/sam"], Verb::SqlSelect);
    let near = &told.unpermitted[0].near[0];
    assert_eq!(
        (near.rule.as_str(), near.lacks[0].as_str()),
        ("support-may-be-served", "its conditions do not hold")
    );
}

#[test]
fn a_hold_says_whom_it_waits_for() {
    let (_, told) = explained(&["Agent::okta/orders-1"], Verb::SqlUpdate);
    assert_eq!(told.verdict, "hold");
    assert_eq!(told.because[0].what, "waits for 2 people of okta/dba");
}

#[test]
fn a_bundle_that_is_written_otherwise_and_says_the_same_has_no_changes() {
    let respaced = COMPANY.replace("\npermit (", "\n// why\npermit  (");
    assert_eq!(diff(&load(COMPANY), &load(&respaced)), []);
}

#[test]
fn a_comparison_tells_what_may_let_more_through() {
    let change = |from: &str, to: &str| {
        assert!(COMPANY.contains(from));
        let changes = diff(&load(COMPANY), &load(&COMPANY.replace(from, to)));
        assert_eq!(changes.len(), 1, "{changes:?}");
        (changes[0].to_string(), changes[0].wider)
    };
    let approvable = change(
        "@id(\"office-hours\")",
        "@id(\"office-hours\") @approval(\"okta/dba\")",
    );
    assert!(
        approvable
            .0
            .contains("was hard and can now be approved by okta/dba")
            && approvable.1,
        "{approvable:?}"
    );
    let fewer = change("@approvers(\"2\")", "@approvers(\"1\")");
    assert!(
        fewer.0.contains("asks for 1 yes instead of 2") && fewer.1,
        "{fewer:?}"
    );
    let more = change("@approvers(\"2\")", "@approvers(\"3\")");
    assert!(!more.1, "{more:?}");
    let watching = change(
        "@id(\"no-destruction\")",
        "@id(\"no-destruction\") @mode(\"observe\")",
    );
    assert!(
        watching.0.contains("only observes now") && watching.1,
        "{watching:?}"
    );
    let reworded = change(
        "Nothing is destroyed in production.",
        "Nothing gets destroyed in production.",
    );
    assert!(
        reworded.0.contains("says something else") && !reworded.1,
        "{reworded:?}"
    );
}

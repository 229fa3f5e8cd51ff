//! The table of decisions again, through the types that the gate and the console use.

use super::basics::{TUESDAY, identity};
use super::table::{lifted, rules_of, spelled};
use super::world::{ADMINISTRATION, Case, Record, World, table};
use crate::action::{Act, Effect, Facts, Object, RelationKind, ShellFacts, SqlFacts, Verb};
use crate::approval::Asked;
use crate::ids::{ApprovalId, Digest, SessionId};
use crate::policy::{AdminMoment, AdminObject, AdminVerb, Budget, Moment, TimeZone};
use crate::principal::Chain;
use crate::time::Timestamp;

/// An act as production would have it; `None` for other protocols.
fn act_of(world: &World, action: &str, object: &str, case: &Case) -> Option<(String, Act)> {
    let verb = *Verb::ALL.iter().find(|v| v.as_str() == action)?;
    let (kind, id) = object.split_once("::").unwrap();
    let mut parts: Vec<String> = id.split('/').map(str::to_owned).collect();
    let target = parts.remove(0);
    let last = parts.pop().unwrap_or_default();
    let schema = parts.pop().unwrap_or_default();
    let database = parts.pop().unwrap_or_default();
    let object = match kind {
        "Target" => Object::Target,
        "Table" => Object::Table {
            database,
            schema,
            table: last,
            kind: RelationKind::Table,
        },
        "Function" => Object::Function {
            database,
            schema,
            signature: last,
            volatile: true,
            security_definer: false,
        },
        "Field" => {
            let field = &world.fields[id];
            let (table, schema, database) = (schema, database, parts.pop().unwrap_or_default());
            if !field.of.starts_with("Table::") {
                return None;
            }
            let class = field.class.clone();
            Object::Field {
                database,
                schema,
                table,
                kind: RelationKind::Table,
                column: last,
                class,
            }
        }
        "Program" => Object::Program {
            path: last.replace("%2F", "/"),
        },
        "File" => Object::File {
            path: id.strip_prefix(&target).unwrap().to_owned(),
        },
        _ => return None,
    };
    let number = |name: &str, otherwise: i64| {
        case.with
            .get(name)
            .map_or(otherwise, |v| v.as_i64().unwrap())
    };
    let facts = SqlFacts {
        columns: ["id".to_owned()].into(),
        has_where: true,
        estimated_rows: number("estimated_rows", 10),
        ..SqlFacts::default()
    };
    Some((
        target,
        Act {
            facts: match verb.as_str().strip_prefix("ssh.") {
                Some(_) => ssh_facts(case),
                None => facts.into(),
            },
            ..Act::new(verb, object)
        },
    ))
}

/// The figures of a command line, as the case has them.
fn ssh_facts(case: &Case) -> Facts {
    let text = |of: &serde_json::Value| of.as_str().unwrap().to_owned();
    let arguments = case.with.get("arguments");
    let at = |name: &str| arguments.and_then(|a| a.get(name)).map(text);
    let all = ["first", "second", "third", "fourth"];
    let environment = case.with.get("environment");
    Facts::Shell(ShellFacts {
        line: case.with.get("line").map(text).unwrap_or_default(),
        arguments: all.iter().filter_map(|name| at(name)).collect(),
        terminal: false,
        environment: environment
            .and_then(|e| e.as_array())
            .map(|all| all.iter().map(text).collect())
            .unwrap_or_default(),
    })
}

/// The instant at which the bundle's clock, an hour ahead of UTC, says what the case says.
fn instant(case: &Case) -> Timestamp {
    let clock = case.with.get("clock");
    let hour = clock
        .and_then(|c| c.get("hour"))
        .map_or(10, |h| h.as_i64().unwrap());
    let days = if clock.is_some_and(|c| c.get("weekday").is_some()) {
        4
    } else {
        0
    };
    Timestamp(TUESDAY.0 + ((hour - 10) * 3600 + days * 86_400) * 1_000_000)
}

#[test]
fn the_same_cases_through_the_judge_are_decided_the_same() {
    let table = table();
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    let mut tried = 0;
    for case in table.case.iter().filter(|c| !c.acts.is_empty()) {
        let acts: Option<Vec<(String, Act)>> = case
            .acts
            .iter()
            .map(|(a, o)| act_of(&table.world, a, o, case))
            .collect();
        let Some(acts) = acts else { continue };
        // A judge is for one target; a command over two is judged by two.
        let (target, acts): (Vec<String>, Vec<Act>) = acts.into_iter().unzip();
        if target.iter().any(|t| *t != target[0]) {
            continue;
        }
        let rules = rules_of(case, &table.world);
        let chain = table.world.chain(&case.who);
        let now = instant(case);
        let mut id = identity(chain.clone(), now);
        id.mfa = case
            .with
            .get("login")
            .and_then(|l| l.get("mfa"))
            .is_none_or(|m| m.as_bool().unwrap());
        let used = case
            .with
            .get("budget")
            .and_then(|b| b.get("rows_today"))
            .map_or(1000, |r| r.as_i64().unwrap());
        let moment = Moment {
            identity: &id,
            now,
            address: "10.1.2.3".parse().unwrap(),
            budget: Budget {
                rows_today: used,
                ..Budget::default()
            },
            zone: &zone,
            rows_so_far: 0,
        };
        let judge = rules.judge_for(&chain, &table.world.target(&target[0]));
        let lifted = lifted(case, &rules);
        let fresh = judge.judge(&acts, &moment, &lifted);
        let kept = judge.judge(&acts, &moment, &lifted);
        assert_eq!(spelled(&fresh), case.expect, "{}", case.name);
        assert_eq!(fresh.observed, case.observed, "{}", case.name);
        assert_eq!(fresh, kept, "{}: the kept answer differs", case.name);
        tried += 1;
    }
    assert!(tried >= 60, "only {tried} cases were of SQL");
}

fn asked_of(case: &Case) -> Vec<Asked> {
    let record = case.record.as_ref().unwrap();
    let rule = record
        .below
        .iter()
        .find_map(|b| b.strip_prefix("Rule::"))
        .unwrap_or("none")
        .to_owned();
    vec![Asked {
        rule,
        rule_text: Digest::of(b"any"),
        groups: record.asked.clone(),
        approvers: 1,
        grant_minutes: None,
        message: None,
    }]
}

#[test]
fn the_cases_of_administration_are_decided_the_same_for_people() {
    let table = table();
    let world = &table.world;
    let mut tried = 0;
    for case in &table.case {
        let Some((action, object)) = case
            .acts
            .first()
            .filter(|(a, _)| ADMINISTRATION.contains(&a.as_str()))
        else {
            continue;
        };
        let rules = rules_of(case, world);
        let verb = *AdminVerb::ALL
            .iter()
            .find(|v| v.as_str() == action)
            .unwrap();
        let mut id = identity(world.chain(&case.who), TUESDAY);
        if case.with.contains_key("login") {
            id.authenticated_at = Timestamp(TUESDAY.0 - 3_600_000_000);
        }
        let zone = TimeZone::UTC;
        let moment = AdminMoment {
            now: TUESDAY,
            address: "10.1.2.3".parse().unwrap(),
            zone: &zone,
        };
        let chain: Option<Chain> = case
            .record
            .as_ref()
            .map(|r| world.chain(&[format!("Agent::{}", r.agents[0])]));
        let below = |r: &Record| {
            let name = r
                .below
                .iter()
                .find_map(|b| b.strip_prefix("Target::"))
                .unwrap()
                .to_owned();
            world.target(&name)
        };
        let target = case.record.as_ref().map(below);
        let (session, approval) = (
            SessionId::from_bytes([1; 10]),
            ApprovalId::from_bytes([2; 10]),
        );
        let asked = if action == "approve" {
            asked_of(case)
        } else {
            Vec::new()
        };
        let object = match object.split_once("::").unwrap().0 {
            "Bundle" => AdminObject::Bundle,
            "Session" => AdminObject::Session {
                id: &session,
                target: target.as_ref().unwrap(),
                chain: chain.as_ref().unwrap(),
                live: false,
            },
            _ => AdminObject::Approval {
                id: &approval,
                target: target.as_ref().unwrap(),
                chain: chain.as_ref().unwrap(),
                asked: &asked,
                effects: &[Effect::Write],
            },
        };
        let outcome = rules.may(&id, verb, &object, &moment, &lifted(case, &rules));
        // What code decides first is a denial to the table as well, by another name.
        let said = spelled(&outcome).replace("(brattice.not-asked)", "");
        let expected = case.expect.replace("(brattice.not-in-schema)", "");
        assert_eq!(said, expected, "{}", case.name);
        tried += 1;
    }
    assert!(tried >= 10, "only {tried} cases were of administration");
}

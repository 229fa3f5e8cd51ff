//! The table of decisions: every case, sliced and not, and again through the types that production uses.

use super::basics::{COMPANY, TUESDAY, identity};
use super::world::{Case, World, context, file, short, table};
use crate::action::{Act, Effect, Object, RelationKind, SqlFacts, Verb};
use crate::approval::Asked;
use crate::ids::{ApprovalId, Digest, SessionId};
use crate::policy::admin::{AdminMoment, AdminObject, AdminVerb};
use crate::policy::rule::Around;
use crate::policy::slice::Sets;
use crate::policy::vocabulary::Vocabulary;
use crate::policy::weigh::{Asking, Part};
use crate::policy::{Budget, Lifted, Moment, Outcome, Rules, TimeZone, Verdict};
use crate::principal::Chain;
use crate::time::Timestamp;
use cedar_policy::{Context, EntityUid, Request};
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

pub const ADMINISTRATION: &[&str] = &[
    "approve",
    "watch",
    "replay",
    "audit.read",
    "policy.read",
    "policy.propose",
    "policy.apply",
    "session.end",
    "grant.end",
    "identity.suspend",
    "recording.delete",
];

/// What is expected, written as the table writes it.
fn spelled(outcome: &Outcome) -> String {
    match &outcome.verdict {
        Verdict::Allow => "allow".to_owned(),
        Verdict::Deny { rules, .. } if rules.is_empty() => "deny".to_owned(),
        Verdict::Deny { rules, .. } => format!("deny({})", rules.join(", ")),
        Verdict::Hold(asked) => {
            let each =
                |a: &Asked| format!("{}: {} of {}", a.rule, a.approvers, a.groups.join(" or "));
            format!(
                "hold({})",
                asked.iter().map(each).collect::<Vec<_>>().join("; ")
            )
        }
    }
}

/// The rules of a case; the company's are loaded once.
fn rules_of(case: &Case, world: &World) -> Arc<Rules> {
    static COMPANYS: OnceLock<Arc<Rules>> = OnceLock::new();
    let load = |text: &str| match Rules::load(&[file("rules.cedar", text)], &world.known()) {
        Ok(rules) => Arc::new(rules),
        Err(problems) => panic!("{}: {problems:#?}", case.name),
    };
    match &case.rules {
        Some(text) => load(text),
        None => Arc::clone(COMPANYS.get_or_init(|| load(COMPANY))),
    }
}

fn lifted(case: &Case, rules: &Rules) -> Lifted {
    case.approved
        .iter()
        .filter_map(|id| Some((id.clone(), rules.rule(id)?.digest)))
        .collect()
}

/// A case below the types: by action name and entity id.
fn from_names(
    case: &Case,
    world: &World,
    rules: &Rules,
    words: &Vocabulary,
    sliced: bool,
) -> Outcome {
    let entities = world.entities(case, words);
    let whole = Arc::new(Sets::of(rules.rules()).unwrap());
    let mut parts = Vec::new();
    for (action, object) in &case.acts {
        let leaf = words
            .leaf(action)
            .unwrap_or_else(|| panic!("{}: no action {action}", case.name));
        let action_uid = words.action(leaf).unwrap().uid.clone();
        let mut part = Part::default();
        for (link, who) in case.who.iter().enumerate() {
            let principal = short(who);
            let json = context(action, &case.who, link == 0, &case.with);
            let context = Context::from_json_value(json, Some((&words.schema, &action_uid)))
                .unwrap_or_else(|e| panic!("{}: {e}", case.name));
            let ask = |schema| {
                Request::new(
                    principal.clone(),
                    action_uid.clone(),
                    short(object),
                    context.clone(),
                    schema,
                )
            };
            let fits = words.fits(&principal, leaf, &short(object));
            assert_eq!(ask(Some(&words.schema)).is_ok(), fits, "{}", case.name);
            let request = ask(None).unwrap();
            let sets = match sliced {
                false => Arc::clone(&whole),
                true => slice(case, world, rules, words, leaf, who, object),
            };
            let asking = Asking {
                request: &request,
                leaf,
                entities: &entities,
                sets: &sets,
                link,
            };
            rules.weigh(&asking, &mut part);
        }
        parts.push(part);
    }
    rules.sum(&parts, &lifted(case, rules), &case.who)
}

fn slice(
    case: &Case,
    world: &World,
    rules: &Rules,
    words: &Vocabulary,
    leaf: usize,
    who: &str,
    object: &str,
) -> Arc<Sets> {
    let actor = world.who(who);
    let mut ancestry: HashSet<EntityUid> = actor
        .groups
        .iter()
        .map(|g| crate::policy::vocabulary::uid(&words.types.group, g))
        .collect();
    ancestry.insert(short(who));
    let kind = short(who).type_name().clone();
    if ADMINISTRATION.contains(&case.acts[0].0.as_str()) {
        return rules
            .slice(leaf, &kind, &ancestry, Around::Anywhere)
            .unwrap();
    }
    let name = object
        .split_once("::")
        .unwrap()
        .1
        .split('/')
        .next()
        .unwrap();
    let mut around = crate::policy::entities::labels(&words.types, &world.target(name));
    around.insert(short(&format!("Target::{name}")));
    rules
        .slice(
            leaf,
            &kind,
            &ancestry,
            Around::Target {
                with_labels: &around,
                name,
            },
        )
        .unwrap()
}

#[test]
fn every_case_of_the_table_is_decided_as_it_says() {
    let table = table();
    let words = Vocabulary::get().unwrap();
    let mut wrong = Vec::new();
    for case in &table.case {
        let rules = rules_of(case, &table.world);
        let whole = from_names(case, &table.world, &rules, words, false);
        let sliced = from_names(case, &table.world, &rules, words, true);
        assert_eq!(whole, sliced, "{}: a slice decides otherwise", case.name);
        if spelled(&whole) != case.expect || whole.observed != case.observed {
            wrong.push(format!(
                "{}: {} {:?}, not {}",
                case.name,
                spelled(&whole),
                whole.observed,
                case.expect
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(table.case.len() >= 100, "the table only grows");
}

/// An act as production would have it; `None` for other protocols.
pub fn act_of(world: &World, action: &str, object: &str, case: &Case) -> Option<(String, Act)> {
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
            facts,
            ..Act::new(verb, object)
        },
    ))
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
        let below = |r: &super::world::Record| {
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

#[test]
fn every_bad_bundle_is_refused_for_its_reason() {
    let table = table();
    let mut wrong = Vec::new();
    for bad in &table.bad {
        let problems = match Rules::load(&[file("bad.cedar", &bad.rules)], &table.world.known()) {
            Err(problems) => {
                assert!(
                    !bad.name.starts_with("warning: "),
                    "{}: {problems:?}",
                    bad.name
                );
                problems
            }
            Ok(rules) if bad.name.starts_with("warning: ") => rules.warnings().to_vec(),
            Ok(_) => Vec::new(),
        };
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        if !said.iter().any(|s| s.contains(&bad.error)) {
            wrong.push(format!("{}: {said:?} without {:?}", bad.name, bad.error));
        }
        assert!(
            problems.iter().all(|p| p.line == 1),
            "{}: {problems:?}",
            bad.name
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(table.bad.len() >= 26, "the table only grows");
}

//! The table of decisions: every case, sliced and not; and every bundle that must not load.

use super::basics::COMPANY;
use super::contexts::context;
use super::world::{ADMINISTRATION, Case, World, file, short, table};
use crate::approval::Asked;
use crate::policy::rule::Around;
use crate::policy::slice::Sets;
use crate::policy::vocabulary::Vocabulary;
use crate::policy::weigh::{Asking, Part};
use crate::policy::{Lifted, Outcome, Rules, Verdict};
use cedar_policy::{Context, EntityUid, Request};
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

/// What is expected, written as the table writes it.
pub fn spelled(outcome: &Outcome) -> String {
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
pub fn rules_of(case: &Case, world: &World) -> Arc<Rules> {
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

pub fn lifted(case: &Case, rules: &Rules) -> Lifted {
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

//! Shapes of rules that type-check and still do not say what they seem to.
//!
//! Lives here: checks of one rule at a time. Never: checks across rules, Cedar's own validation.

use super::annotations::{self, Annotations};
use super::bundle::Known;
use super::literals;
use super::vocabulary::{Leaf, Vocabulary};
use cedar_policy::{ActionConstraint, Effect, Policy};
use serde_json::Value;
use std::collections::BTreeSet;

/// Groups of actions that exist for forbids; a permit through them would reach `unknown`.
const FORBID_ONLY: [&str; 2] = ["command", "change"];

/// What was found in one rule.
#[derive(Default)]
pub(super) struct Findings {
    pub errors: Vec<Finding>,
    pub warnings: Vec<Finding>,
}

/// One finding; `near` is text of the rule that it is about, for its line.
pub(super) struct Finding {
    pub near: Option<String>,
    pub message: String,
    pub mend: Option<String>,
}

impl Findings {
    pub fn error(&mut self, message: impl Into<String>, mend: Option<String>) {
        self.errors.push(Finding {
            near: None,
            message: message.into(),
            mend,
        });
    }
    pub fn error_near(
        &mut self,
        near: impl Into<String>,
        message: impl Into<String>,
        mend: Option<String>,
    ) {
        self.errors.push(Finding {
            near: Some(near.into()),
            message: message.into(),
            mend,
        });
    }
    fn warn(&mut self, message: impl Into<String>, mend: impl Into<String>) {
        self.warnings.push(Finding {
            near: None,
            message: message.into(),
            mend: Some(mend.into()),
        });
    }
}

/// A rule as the checks read it.
pub(super) struct Checked {
    pub annotations: Annotations,
    pub leaves: BTreeSet<Leaf>,
}

/// Checks one rule, all of it.
pub(super) fn check(
    policy: &Policy,
    words: &Vocabulary,
    known: &Known,
    found: &mut Findings,
) -> Checked {
    let annotations = annotations::read(policy, found);
    let leaves = words.reached(&policy.action_constraint());
    if policy.effect() == Effect::Permit {
        permit_is_narrow(policy, found);
    }
    if let Some(hold) = &annotations.hold {
        hold_can_be_asked(&leaves, hold, words, found);
        for group in &hold.groups {
            if let Some(why) = literals::unknown_identity(group, known) {
                found.error_near(
                    group,
                    format!("@approval: \"{group}\" {why}"),
                    literals::issuers(known),
                );
            }
        }
    }
    for literal in policy.entity_literals() {
        literals::check(&literal, known, found);
    }
    conditions(policy, words, found);
    Checked {
        annotations,
        leaves,
    }
}

fn permit_is_narrow(policy: &Policy, found: &mut Findings) {
    match policy.action_constraint() {
        ActionConstraint::Any => found.error(
            "a permit must name its actions or effects",
            Some("e.g. action in [Action::\"read\", Action::\"write\"]".to_owned()),
        ),
        ActionConstraint::In(all)
            if all
                .iter()
                .any(|a| FORBID_ONLY.contains(&a.id().unescaped())) =>
        {
            found.error(
                "\"command\" and \"change\" are for forbids",
                Some("say which effects, e.g. [Action::\"write\", Action::\"destroy\"]".to_owned()),
            )
        }
        _ => {}
    }
}

fn hold_can_be_asked(
    leaves: &BTreeSet<Leaf>,
    hold: &annotations::Hold,
    words: &Vocabulary,
    found: &mut Findings,
) {
    let touches = |group: &str| !leaves.is_disjoint(&words.below(group));
    if touches("approve") {
        found.error(
            "approving cannot itself wait for approval",
            Some("name the actions that wait, or take @approval away".to_owned()),
        );
    }
    if touches("reveal") && hold.grant_minutes.is_none() {
        found.error(
            "a result cannot be held cell by cell",
            Some("@approval on reveal needs @grant, given ahead: e.g. @grant(\"30m\")".to_owned()),
        );
    }
    if hold.grant_minutes.is_some() && touches("destroy") {
        found.warn(
            "one approval will cover every destroy this rule holds, for the length of @grant",
            "take @grant away where destruction waits, so that each act is asked by itself",
        );
    }
}

fn conditions(policy: &Policy, words: &Vocabulary, found: &mut Findings) {
    let Ok(json) = policy.to_json() else {
        found.error("the conditions of this rule cannot be inspected", None);
        return;
    };
    let clauses = json.get("conditions").and_then(Value::as_array);
    let mut silent = false;
    for clause in clauses.into_iter().flatten() {
        let when = clause.get("kind").and_then(Value::as_str) == Some("when");
        let Some(body) = clause.get("body") else {
            continue;
        };
        walk(body, &mut |node| {
            if policy.effect() == Effect::Permit
                && node.get("like").is_some_and(|l| reads_line(l.get("left")))
            {
                found.error_near(
                    "like",
                    "`like` on a command line lets one star span arguments",
                    Some("use context.arguments, or == on the whole line".to_owned()),
                );
            }
            if let Some(name) = node
                .get("has")
                .and_then(|h| h.get("attr"))
                .and_then(Value::as_str)
                && !words.attributes.contains(name)
            {
                found.error_near(
                    format!("has {name}"),
                    format!("`has {name}`: nothing has an attribute of that name, so the test is always false"),
                    super::suggest::nearest(name, words.attributes.iter().map(String::as_str))
                        .map(|n| format!("did you mean {n}?")),
                );
            }
            silent |= when && (node.get("has").is_some() || node.get("hasTag").is_some());
        });
    }
    if silent && policy.effect() == Effect::Forbid {
        found.warn(
            "a forbid that applies only `when` something is there is silent when it is missing",
            "turn the test round and say `unless` instead",
        );
    }
}

fn reads_line(left: Option<&Value>) -> bool {
    let mut seen = false;
    if let Some(left) = left {
        walk(left, &mut |n| {
            seen |= n
                .get(".")
                .and_then(|d| d.get("attr"))
                .and_then(Value::as_str)
                == Some("line");
        });
    }
    seen
}

/// Visits every node of a policy in JSON, outside in.
pub(super) fn walk(node: &Value, visit: &mut impl FnMut(&Value)) {
    visit(node);
    match node {
        Value::Object(fields) => fields.values().for_each(|v| walk(v, visit)),
        Value::Array(items) => items.iter().for_each(|v| walk(v, visit)),
        _ => {}
    }
}

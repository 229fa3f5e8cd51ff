//! What changes from one bundle's rules to another's, and what of it may let more through.
//!
//! Lives here: a comparison rule by rule. Never: a proof; two changes that cancel out are both told.

use super::annotations::Hold;
use super::bundle::Rules;
use super::rule::{Kind, Rule};
use std::collections::BTreeSet;
use std::fmt;

/// One rule that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its `@id`.
    pub rule: String,
    /// Where it is now; where it was, when it is gone.
    pub place: String,
    /// What changed, each in one sentence.
    pub what: Vec<String>,
    /// Whether it may let more through than before.
    pub wider: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.wider {
            " [may let more through]"
        } else {
            ""
        };
        write!(
            f,
            "{} ({}): {}{mark}",
            self.rule,
            self.place,
            self.what.join("; ")
        )
    }
}

/// Every rule that differs, in order of their ids.
pub fn diff(before: &Rules, after: &Rules) -> Vec<Change> {
    let ids: BTreeSet<&str> = before
        .rules()
        .iter()
        .chain(after.rules())
        .map(|r| r.id.as_str())
        .collect();
    ids.into_iter()
        .filter_map(|id| compare(before.rule(id), after.rule(id)))
        .collect()
}

fn compare(before: Option<&Rule>, after: Option<&Rule>) -> Option<Change> {
    let (what, wider, at) = match (before, after) {
        (None, None) => return None,
        (None, Some(new)) => (vec![format!("is new: {}", does(new))], grants(new), new),
        (Some(old), None) => (vec![format!("is gone: {}", did(old))], restrains(old), old),
        (Some(old), Some(new)) if old.digest == new.digest => return None,
        (Some(old), Some(new)) => {
            let (what, wider) = changed(old, new);
            (what, wider, new)
        }
    };
    Some(Change {
        rule: at.id.clone(),
        place: format!("{}:{}", at.file, at.line),
        what,
        wider,
    })
}

fn changed(old: &Rule, new: &Rule) -> (Vec<String>, bool) {
    let mut what = Vec::new();
    let mut wider = false;
    if old.observe != new.observe {
        what.push(
            if new.observe {
                "only observes now"
            } else {
                "is enforced now"
            }
            .to_owned(),
        );
        wider |= if new.observe {
            restrains(old)
        } else {
            grants(new)
        };
    }
    match (&old.kind, &new.kind) {
        (Kind::Forbid, Kind::Hold(h)) => {
            what.push(format!(
                "was hard and can now be approved by {}",
                h.groups.join(" or ")
            ));
            wider = true;
        }
        (Kind::Hold(_), Kind::Forbid) => what.push("could be approved and is hard now".to_owned()),
        (Kind::Hold(a), Kind::Hold(b)) => wider |= holds(a, b, &mut what),
        (Kind::Permit, Kind::Permit) | (Kind::Forbid, Kind::Forbid) => {}
        _ => {
            what.push(format!("{}, and now {}", did(old), does(new)));
            wider |= restrains(old) || grants(new);
        }
    }
    if old.message != new.message {
        what.push("says something else".to_owned());
    }
    if body(old) != body(new) {
        what.push("applies to something else".to_owned());
        wider |= grants(new) || restrains(old);
    }
    (what, wider)
}

/// What changed between two holds, and whether less is asked now.
fn holds(old: &Hold, new: &Hold, what: &mut Vec<String>) -> bool {
    let mut wider = false;
    let (before, after): (BTreeSet<&String>, BTreeSet<&String>) =
        (old.groups.iter().collect(), new.groups.iter().collect());
    if before != after {
        what.push(format!(
            "asks {} instead of {}",
            new.groups.join(" or "),
            old.groups.join(" or ")
        ));
        wider |= !after.is_subset(&before);
    }
    if old.approvers != new.approvers {
        what.push(format!(
            "asks for {} yes instead of {}",
            new.approvers, old.approvers
        ));
        wider |= new.approvers < old.approvers;
    }
    if old.grant_minutes != new.grant_minutes {
        let say = |g: Option<u64>| {
            g.map_or("for one act only".to_owned(), |m| {
                format!("for {m} minutes")
            })
        };
        what.push(format!(
            "a yes stands {} instead of {}",
            say(new.grant_minutes),
            say(old.grant_minutes)
        ));
        wider |= new.grant_minutes > old.grant_minutes;
    }
    wider
}

/// Scope and conditions, without the annotations.
fn body(rule: &Rule) -> Option<serde_json::Value> {
    let mut json = rule.policy.to_json().ok()?;
    json.as_object_mut()?.remove("annotations");
    Some(json)
}

fn grants(rule: &Rule) -> bool {
    rule.kind == Kind::Permit && !rule.observe
}
fn restrains(rule: &Rule) -> bool {
    rule.kind != Kind::Permit && !rule.observe
}

fn does(rule: &Rule) -> String {
    let verb = match &rule.kind {
        Kind::Permit => "permits".to_owned(),
        Kind::Forbid => "forbids".to_owned(),
        Kind::Hold(h) => format!("holds for {}", h.groups.join(" or ")),
    };
    if rule.observe {
        format!("{verb}, observing only")
    } else {
        verb
    }
}
fn did(rule: &Rule) -> String {
    match &rule.kind {
        Kind::Permit => "it permitted",
        Kind::Forbid => "it forbade",
        Kind::Hold(_) => "it held",
    }
    .to_owned()
}

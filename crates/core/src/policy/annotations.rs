//! The annotations of a rule: what they may say, and what they mean.
//!
//! Lives here: `@approval`, `@approvers`, `@grant`, `@message`, `@mode` read into types. Never: Cedar's conditions.

use super::lint::Findings;
use super::suggest::nearest;
use cedar_policy::{Effect, Policy};

const KNOWN: [&str; 6] = ["id", "approval", "approvers", "grant", "message", "mode"];
const GRANT_MINUTES_MAX: u64 = 24 * 60;
const APPROVERS_MAX: u8 = 9;
/// A message travels in protocol errors; none of them likes long ones.
const MESSAGE_CHARS_MAX: usize = 500;

/// What a holding rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Any of these groups may answer.
    pub groups: Vec<String>,
    /// How many distinct people.
    pub approvers: u8,
    /// How long one yes stands, if it does.
    pub grant_minutes: Option<u64>,
}

/// A rule's annotations, read.
pub(super) struct Annotations {
    pub hold: Option<Hold>,
    pub observe: bool,
    pub message: Option<String>,
}

/// Reads and checks the annotations of one rule; `@id` is the caller's.
pub(super) fn read(policy: &Policy, found: &mut Findings) -> Annotations {
    let permit = policy.effect() == Effect::Permit;
    for (name, _) in policy.annotations() {
        if !KNOWN.contains(&name) {
            found.error(
                format!("unknown annotation @{name}"),
                nearest(name, KNOWN).map(|n| format!("did you mean @{n}?")),
            );
        }
    }
    let observe = match policy.annotation("mode") {
        None | Some("enforce") => false,
        Some("observe") => true,
        Some(other) => {
            found.error(
                format!("@mode(\"{other}\") is not a mode"),
                Some("enforce or observe".to_owned()),
            );
            false
        }
    };
    Annotations {
        hold: hold(policy, permit, found),
        observe,
        message: message(policy, permit, found),
    }
}

fn message(policy: &Policy, permit: bool, found: &mut Findings) -> Option<String> {
    let text = policy.annotation("message")?;
    if permit {
        found.error(
            "@message on a permit is never shown",
            Some("put it on the forbid that people will meet".to_owned()),
        );
    }
    if text.trim().is_empty() {
        found.error(
            "@message says nothing",
            Some("say what was refused and what to do instead".to_owned()),
        );
    }
    if text.chars().count() > MESSAGE_CHARS_MAX || text.chars().any(char::is_control) {
        found.error(
            format!("@message is one line of at most {MESSAGE_CHARS_MAX} characters"),
            Some("shorten it, and link to the rest".to_owned()),
        );
    }
    Some(text.to_owned())
}

fn hold(policy: &Policy, permit: bool, found: &mut Findings) -> Option<Hold> {
    let Some(asked) = policy.annotation("approval") else {
        for a in ["approvers", "grant"] {
            if policy.annotation(a).is_some() {
                found.error(
                    format!("@{a} means nothing without @approval"),
                    Some(format!("add @approval(\"issuer/group\") or take @{a} away")),
                );
            }
        }
        return None;
    };
    if permit {
        found.error(
            "@approval belongs on a forbid",
            Some("permit the act, and forbid it again with @approval".to_owned()),
        );
        return None;
    }
    let mut groups: Vec<String> = Vec::new();
    for g in asked.split(',').map(str::trim).filter(|g| !g.is_empty()) {
        if !groups.iter().any(|known| known == g) {
            groups.push(g.to_owned());
        }
    }
    if groups.is_empty() {
        found.error(
            "@approval names no group",
            Some("e.g. @approval(\"okta/dba\")".to_owned()),
        );
    }
    Some(Hold {
        groups,
        approvers: approvers(policy, found),
        grant_minutes: grant_minutes(policy, found),
    })
}

fn approvers(policy: &Policy, found: &mut Findings) -> u8 {
    let Some(text) = policy.annotation("approvers") else {
        return 1;
    };
    match text.parse::<u8>() {
        Ok(n) if (1..=APPROVERS_MAX).contains(&n) => n,
        _ => {
            found.error(
                format!("@approvers(\"{text}\") is not a number of people"),
                Some(format!("a number from 1 to {APPROVERS_MAX}")),
            );
            APPROVERS_MAX
        }
    }
}

fn grant_minutes(policy: &Policy, found: &mut Findings) -> Option<u64> {
    let text = policy.annotation("grant")?;
    let minutes = match (text.strip_suffix('m'), text.strip_suffix('h')) {
        (Some(n), _) => n.parse::<u64>().ok(),
        (None, Some(n)) => n.parse::<u64>().ok().and_then(|n| n.checked_mul(60)),
        (None, None) => None,
    };
    let minutes = minutes.filter(|m| (1..=GRANT_MINUTES_MAX).contains(m));
    if minutes.is_none() {
        found.error(
            format!("@grant(\"{text}\") is not a length of time a yes can stand for"),
            Some("minutes or hours up to 24h, e.g. \"30m\"".to_owned()),
        );
    }
    minutes
}

//! Freezes: targets that people stopped. Nobody uses them until somebody lets them go on.
//!
//! Lives here: what a freeze reaches, and what those are told whom it stops. Never: who may freeze, storage, cutting.

use crate::denial::{Code, Denial};
use crate::ids::FreezeId;
use crate::plain::visible;
use crate::principal::Principal;
use crate::target::Target;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The rule that refusals name.
pub const RULE: &str = "brattice.freeze";

/// What a freeze is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Every target, those of bundles to come as well.
    All,
    /// The target of this name.
    Target(String),
    /// Every target with this label, as `key=value`.
    Label(String),
}

impl Reach {
    /// Whether this target is meant, as it is labelled now.
    pub fn means(&self, target: &Target) -> bool {
        match self {
            Reach::All => true,
            Reach::Target(name) => *name == target.name,
            Reach::Label(label) => label
                .split_once('=')
                .is_some_and(|(key, value)| target.labels.get(key).is_some_and(|v| v == value)),
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reach::All => f.write_str("all"),
            Reach::Target(name) => write!(f, "target {name}"),
            Reach::Label(label) => write!(f, "label {label}"),
        }
    }
}

/// A stop that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Its id.
    pub id: FreezeId,
    /// What it is of.
    pub reach: Reach,
    /// The targets that it has reached so far: a bundle that takes a label away from one of them does not let it go on.
    pub targets: BTreeSet<String>,
    /// Why, in the words of whoever froze.
    pub reason: String,
    /// Who froze.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
}

impl Freeze {
    /// Whether it stops this target.
    pub fn stops(&self, target: &Target) -> bool {
        self.reach.means(target) || self.targets.contains(&target.name)
    }

    /// What those are told whom it stops.
    pub fn denial(&self) -> Denial {
        Denial::new(
            Code::Frozen,
            RULE,
            format!("this target is frozen: {}", visible(&self.reason)),
        )
        .hint(format!(
            "stop and wait: {} froze it at {} ({}); ask them, or the people who run the gateway",
            visible(&self.by.id()),
            self.at,
            self.id
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::PrincipalKind;
    use crate::target::Protocol;

    fn target(name: &str, env: &str) -> Target {
        Target {
            name: name.to_owned(),
            protocol: Protocol::Postgres,
            labels: [("env".to_owned(), env.to_owned())].into(),
            observe: false,
        }
    }

    fn freeze(reach: Reach, targets: &[&str]) -> Freeze {
        Freeze {
            id: FreezeId::from_bytes([1; 10]),
            reach,
            targets: targets.iter().map(|t| (*t).to_owned()).collect(),
            reason: "x\u{1b}[2J\ny".to_owned(),
            by: Principal {
                kind: PrincipalKind::User,
                issuer: "okta".to_owned(),
                name: "sasha".to_owned(),
                groups: BTreeSet::new(),
            },
            at: Timestamp(0),
        }
    }

    #[test]
    fn a_label_reaches_those_that_have_it_and_keeps_those_that_had_it() {
        let frozen = freeze(Reach::Label("env=production".to_owned()), &["a"]);
        assert!(frozen.stops(&target("b", "production")));
        assert!(frozen.stops(&target("a", "renamed")));
        assert!(!frozen.stops(&target("b", "test")));
        assert!(!freeze(Reach::Label("env".to_owned()), &[]).stops(&target("b", "")));
        assert!(freeze(Reach::All, &[]).stops(&target("later", "any")));
        assert!(!freeze(Reach::Target("a".to_owned()), &[]).stops(&target("ab", "any")));
    }

    #[test]
    fn a_reason_controls_nothing_where_it_is_shown() {
        let told = freeze(Reach::All, &[]).denial();
        assert_eq!(told.reason, "this target is frozen: x⟪U+001B⟫[2J⟪U+000A⟫y");
        assert!(told.hint.unwrap().contains("okta/sasha"));
        assert!(!told.code.retry());
    }
}

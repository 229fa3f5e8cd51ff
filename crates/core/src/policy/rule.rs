//! One rule of a bundle, read and checked.
//!
//! Lives here: what a rule is and which requests its scope can match. Never: loading, judging.

use super::annotations::Hold;
use super::reads::Reads;
use super::vocabulary::Leaf;
use crate::approval::Asked;
use crate::ids::{Digest, Hasher};
use cedar_policy::{EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

/// What a rule does when it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Permits.
    Permit,
    /// Forbids; nothing lifts it.
    Forbid,
    /// Forbids until the people it names say yes.
    Hold(Hold),
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its `@id`.
    pub id: String,
    /// The file it is in.
    pub file: String,
    /// The line it begins on.
    pub line: usize,
    /// What it does.
    pub kind: Kind,
    /// It only notes what it would have done.
    pub observe: bool,
    /// Its `@message`.
    pub message: Option<String>,
    /// Digest of its canonical text: spacing and comments do not count, everything else does.
    pub digest: Digest,
    /// Its text, as written.
    pub text: String,
    pub(super) policy: Policy,
    pub(super) head: Head,
    pub(super) reads: Reads,
}

impl Rule {
    /// What this rule asks of people, when it holds.
    pub fn asked(&self) -> Option<Asked> {
        match &self.kind {
            Kind::Hold(h) => Some(Asked {
                rule: self.id.clone(),
                rule_text: self.digest,
                groups: h.groups.clone(),
                approvers: h.approvers,
                grant_minutes: h.grant_minutes,
                message: self.message.clone(),
            }),
            Kind::Permit | Kind::Forbid => None,
        }
    }
}

/// The scope of a rule: a pure function of the hierarchy, so leaving out a rule whose head cannot match never changes
/// a decision.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub leaves: BTreeSet<Leaf>,
    pub principal: PrincipalConstraint,
    pub resource: ResourceConstraint,
}

/// Where a request's resource can be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Around<'a> {
    /// On or below a target: itself, its labels, and its name as ids begin with it.
    Target {
        with_labels: &'a HashSet<EntityUid>,
        name: &'a str,
    },
    /// Anywhere: the gateway's own objects.
    Anywhere,
}

impl Head {
    pub fn of(policy: &Policy, leaves: BTreeSet<Leaf>) -> Self {
        Head {
            leaves,
            principal: policy.principal_constraint(),
            resource: policy.resource_constraint(),
        }
    }

    /// Whether an actor with these ancestors (itself among them) can be meant.
    pub fn means_principal(&self, kind: &EntityTypeName, ancestry: &HashSet<EntityUid>) -> bool {
        match &self.principal {
            PrincipalConstraint::Any => true,
            PrincipalConstraint::Is(t) => t == kind,
            PrincipalConstraint::In(e) | PrincipalConstraint::Eq(e) => ancestry.contains(e),
            PrincipalConstraint::IsIn(t, e) => t == kind && ancestry.contains(e),
        }
    }

    /// Whether a resource with these ancestors (itself among them) is meant.
    pub fn is_for_resource(&self, kind: &EntityTypeName, ancestry: &HashSet<EntityUid>) -> bool {
        match &self.resource {
            ResourceConstraint::Any => true,
            ResourceConstraint::Is(t) => t == kind,
            ResourceConstraint::In(e) | ResourceConstraint::Eq(e) => ancestry.contains(e),
            ResourceConstraint::IsIn(t, e) => t == kind && ancestry.contains(e),
        }
    }

    /// Whether anything around there can be meant.
    pub fn means_resource(&self, around: Around<'_>) -> bool {
        let (ResourceConstraint::In(e)
        | ResourceConstraint::Eq(e)
        | ResourceConstraint::IsIn(_, e)) = &self.resource
        else {
            return true;
        };
        let Around::Target { with_labels, name } = around else {
            return true;
        };
        match e.type_name().basename() {
            "Label" | "Target" => with_labels.contains(e),
            // Things a target's objects are in without being below one another.
            "Class" | "Rule" | "Bundle" | "Gateway" => true,
            "Session" | "Approval" | "Grant" | "Credential" => true,
            _ => e.id().unescaped().split('/').next() == Some(name),
        }
    }
}

/// The digest of a rule's canonical text: its JSON form with sorted keys. `None` when it has no such form.
pub(super) fn digest(policy: &Policy) -> Option<Digest> {
    let mut h = Hasher::new();
    h.field(b"brattice rule 1");
    canonical(&policy.to_json().ok()?, &mut h);
    Some(h.finish())
}

fn canonical(node: &Value, h: &mut Hasher) {
    match node {
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            h.field(b"{").field(&(keys.len() as u64).to_be_bytes());
            for k in keys {
                h.field(k.as_bytes());
                canonical(fields.get(k).unwrap_or(&Value::Null), h);
            }
        }
        Value::Array(items) => {
            h.field(b"[").field(&(items.len() as u64).to_be_bytes());
            items.iter().for_each(|v| canonical(v, h));
        }
        Value::String(s) => {
            h.field(b"\"").field(s.as_bytes());
        }
        other => {
            h.field(b"=").field(other.to_string().as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest_of(text: &str) -> Digest {
        digest(&Policy::parse(None, text).unwrap()).unwrap()
    }

    #[test]
    fn the_digest_ignores_layout_and_nothing_else() {
        let a = digest_of(
            r#"@id("a") forbid (principal, action, resource) when { context.limit > 3 };"#,
        );
        let b = digest_of(
            "// why\n@id(\"a\")\nforbid (principal,\n action, resource)\nwhen { context.limit  > 3 };",
        );
        let c = digest_of(
            r#"@id("a") forbid (principal, action, resource) when { context.limit > 4 };"#,
        );
        let d = digest_of(
            r#"@id("a") @approval("x/y") forbid (principal, action, resource) when { context.limit > 3 };"#,
        );
        assert_eq!(a, b);
        assert_ne!(a, c);
        assert_ne!(a, d);
    }
}

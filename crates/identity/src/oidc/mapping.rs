//! How the operator says that claims become a principal.
//!
//! Lives here: where claims stand and which of them decide. Never: the deciding, the provider's other settings.

use brattice_core::principal::PrincipalKind;
use serde_json::{Map, Value};
use std::fmt;

/// Where in the claims a value stands: the name of a top-level claim, or, when it begins with `/`, a path through
/// objects as in RFC 6901 (`/realm_access/roles`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// Reads the written form; `None` when it names nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<String> = match text.strip_prefix('/') {
            Some(path) => path
                .split('/')
                .map(|p| p.replace("~1", "/").replace("~0", "~"))
                .collect(),
            None => vec![text.to_owned()],
        };
        (!parts.iter().any(String::is_empty)).then_some(Self(parts))
    }
    pub(super) fn of<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        rest.iter()
            .try_fold(claims.get(first)?, |v, part| v.as_object()?.get(part))
    }
    /// The top-level claim it begins at.
    pub(super) fn root(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => f.write_str(one),
            parts => parts
                .iter()
                .try_for_each(|p| write!(f, "/{}", p.replace('~', "~0").replace('/', "~1"))),
        }
    }
}

/// "This claim is exactly this text."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimIs {
    /// Which claim.
    pub claim: ClaimPath,
    /// Its whole value.
    pub equals: String,
}

impl ClaimIs {
    pub(super) fn holds(&self, claims: &Map<String, Value>) -> bool {
        self.claim.of(claims).and_then(Value::as_str) == Some(self.equals.as_str())
    }
}

/// How to tell workloads from people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KindRule {
    /// Any of these makes an agent.
    pub agent_when: Vec<ClaimIs>,
    /// Any of these makes a person.
    pub user_when: Vec<ClaimIs>,
    /// What it is when none of the above holds; `None` refuses the token.
    pub otherwise: Option<PrincipalKind>,
}

impl KindRule {
    /// Everybody at this provider is of one kind.
    pub fn always(kind: PrincipalKind) -> Self {
        Self {
            otherwise: Some(kind),
            ..Self::default()
        }
    }
}

/// How claims become a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimMap {
    /// The subject; `sub` unless said otherwise.
    pub subject: ClaimPath,
    /// The groups; `groups` unless said otherwise. A token without this claim is refused, because absent is not
    /// empty. `None` declares that this provider knows no groups.
    pub groups: Option<ClaimPath>,
    /// Agents and people.
    pub kind: KindRule,
    /// Values of `amr` that mean a second factor was used.
    pub mfa_when: Vec<String>,
}

impl ClaimMap {
    /// `sub`, `groups`, `mfa`, and this rule for kinds.
    pub fn new(kind: KindRule) -> Self {
        Self {
            subject: ClaimPath(vec!["sub".to_owned()]),
            groups: Some(ClaimPath(vec!["groups".to_owned()])),
            kind,
            mfa_when: vec!["mfa".to_owned()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_found_by_name_or_by_path() {
        let claims =
            serde_json::json!({"https://x/groups": 1, "realm_access": {"roles": 2, "a/b": 3}});
        let claims = claims.as_object().unwrap();
        let at = |t: &str| ClaimPath::parse(t).unwrap().of(claims).cloned();
        assert_eq!(at("https://x/groups"), Some(1.into()));
        assert_eq!(at("/realm_access/roles"), Some(2.into()));
        assert_eq!(at("/realm_access/a~1b"), Some(3.into()));
        assert_eq!(at("/realm_access/roles/x"), None);
        assert_eq!(
            ClaimPath::parse("/realm_access/a~1b").unwrap().to_string(),
            "/realm_access/a~1b"
        );
        assert!(ClaimPath::parse("").is_none() && ClaimPath::parse("/a//b").is_none());
    }
}

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

/// "This claim is like this": text in which each `*` stands for one or more characters of one part. Parts end at `/` and
/// `:`, so that `repo:acme/*` is not `repo:acme/shop/evil`, and `/a` never `/ab`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimLike {
    /// Which claim.
    pub claim: ClaimPath,
    /// What its whole value is like.
    pub pattern: String,
}

impl ClaimLike {
    pub(crate) fn holds(&self, claims: &Map<String, Value>) -> bool {
        let value = match self.claim.of(claims) {
            Some(Value::String(text)) => text.as_str(),
            Some(Value::Bool(true)) => "true",
            Some(Value::Bool(false)) => "false",
            _ => return false,
        };
        is_like(value, &self.pattern)
    }
}

/// Whether the whole text is like the pattern.
///
/// What follows a star is taken where it is found first. Nothing is missed by that: a star passes over no end of a part, so
/// that a text with one is found in one place alone, and where a text without one is found later, the next star can take
/// what lies between.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let head = parts.next().unwrap_or_default();
    let Some(mut left) = text.strip_prefix(head) else {
        return false;
    };
    let rest: Vec<&str> = parts.collect();
    let Some((last, between)) = rest.split_last() else {
        return left.is_empty();
    };
    for literal in between {
        let mut ends = star_ends(left);
        let found = ends.find_map(|end| left.get(end..)?.strip_prefix(*literal));
        match found {
            Some(after) => left = after,
            None => return false,
        }
    }
    // The last star takes all up to the end of the pattern.
    left.strip_suffix(last)
        .is_some_and(|taken| !taken.is_empty() && star_ends(taken).last() == Some(taken.len()))
}

/// Where a star may end that begins where this text does: after one character or more, none of which ends a part.
fn star_ends(text: &str) -> impl Iterator<Item = usize> {
    text.char_indices()
        .take_while(|(_, c)| !matches!(c, '/' | ':'))
        .map(|(at, c)| at + c.len_utf8())
}

/// A group whose members the operator tells by claims: those for whom all of these hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRule {
    /// The group, without the provider's name.
    pub group: String,
    /// What has to hold.
    pub when: Vec<ClaimLike>,
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
    /// Groups that claims other than those of groups tell, beside the ones that are listed.
    pub group_rules: Vec<GroupRule>,
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
            group_rules: Vec::new(),
            kind,
            mfa_when: vec!["mfa".to_owned()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_part_and_never_for_none() {
        for (text, pattern, like) in [
            ("repo:acme/shop", "repo:acme/shop", true),
            ("repo:acme/shop", "repo:acme/*", true),
            ("repo:acme/shop", "repo:*/shop", true),
            ("repo:acme/shop", "*:*/*", true),
            ("repo:acme/shop-api", "repo:acme/shop-*", true),
            ("ababab", "*ab", true),
            ("aXbXcXd", "*X*X*d", true),
            ("a:b:c", "*:*:*", true),
            ("a:b:c", "*:*", false),
            ("aa", "*a*", false),
            ("ab", "a*b", false),
            ("repo:acme/", "repo:acme/*", false),
            ("repo:acme/shop/evil", "repo:acme/*", false),
            ("repo:acme/shop:ref", "repo:acme/*", false),
            ("repo:acme-evil/shop", "repo:acme/*", false),
            ("xrepo:acme/shop", "repo:acme/*", false),
            ("repo:acme/shopx", "repo:*/shop", false),
            ("spiffe://prod/ns/a", "spiffe://prod/ns/ab", false),
            ("spiffe://prod/ns/ab", "spiffe://prod/ns/a", false),
            ("spiffe://prod.evil/ns/a", "spiffe://prod/ns/*", false),
            ("", "*", false),
        ] {
            assert_eq!(is_like(text, pattern), like, "{text} like {pattern}");
        }
    }

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

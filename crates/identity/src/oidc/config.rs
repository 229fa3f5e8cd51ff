//! What the operator says about a provider.
//!
//! Lives here: the settings, their defaults and their bounds. Never: how configuration is written or read, tokens.

use brattice_core::principal::PrincipalKind;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use url::{Host, Url};

/// Most providers a gateway knows at once.
pub const ISSUERS_MAX: usize = 64;
/// Most difference between the provider's clock and ours that may be configured.
pub const LEEWAY_MAX: Duration = Duration::from_secs(60);
/// Longest life of a token that may be configured.
pub const LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// Longest time that keys may be used without asking the provider again.
pub const JWKS_STALE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Most nested `act` claims that may be configured.
pub const DELEGATION_DEPTH_MAX: usize = 8;

/// Signature algorithms that may be pinned: public-key ones only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SigningAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl SigningAlgorithm {
    /// All of them.
    pub const ALL: [SigningAlgorithm; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];
    /// The name in RFC 7518, section 3.1, and RFC 8037.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }
    pub(super) fn library(self) -> Algorithm {
        match self {
            Self::RS256 => Algorithm::RS256,
            Self::RS384 => Algorithm::RS384,
            Self::RS512 => Algorithm::RS512,
            Self::PS256 => Algorithm::PS256,
            Self::PS384 => Algorithm::PS384,
            Self::PS512 => Algorithm::PS512,
            Self::ES256 => Algorithm::ES256,
            Self::ES384 => Algorithm::ES384,
            Self::EdDSA => Algorithm::EdDSA,
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is not a permitted signature algorithm; `none` and the HMAC family never are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a permitted signature algorithm: expected RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA"
)]
pub struct NotAnAlgorithm;

impl FromStr for SigningAlgorithm {
    type Err = NotAnAlgorithm;
    fn from_str(s: &str) -> Result<Self, NotAnAlgorithm> {
        Self::ALL
            .into_iter()
            .find(|a| a.as_str() == s)
            .ok_or(NotAnAlgorithm)
    }
}

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

/// One provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// Its short name in the bundle: lower-case letters, digits and hyphens.
    pub name: String,
    /// The exact `iss` of its tokens.
    pub issuer: String,
    /// The audiences that mean this gateway; a token names at least one.
    pub audience: Vec<String>,
    /// Other audiences that may stand beside ours. A token with any further one is refused: whoever else it was
    /// meant for could replay it here.
    pub audience_beside: Vec<String>,
    /// Where the keys are; found by discovery when not given.
    pub jwks_uri: Option<String>,
    /// The only algorithms accepted.
    pub algorithms: Vec<SigningAlgorithm>,
    /// How claims become a principal.
    pub claims: ClaimMap,
    /// Difference between the provider's clock and ours that is tolerated.
    pub leeway: Duration,
    /// Whether the header's `typ` must be `at+jwt` (RFC 9068).
    pub access_token_type_required: bool,
    /// The only clients whose tokens are accepted (`azp`, `client_id`, `cid`, `appid`); all when empty.
    pub clients: Vec<String>,
    /// Longest time between a token's `iat` and `exp`.
    pub lifetime_max: Duration,
    /// Most nested `act` claims; 0 refuses delegated tokens.
    pub delegation_depth_max: usize,
    /// PEM certificates of the only authorities that may vouch for the provider's server; the system's when `None`.
    pub ca: Option<Vec<u8>>,
    /// Allows plain HTTP to a loopback address. For development alone.
    pub allow_loopback_http: bool,
    /// Keys older than this are fetched again before they are used; a key that the provider removed is good no longer.
    pub jwks_refresh: Duration,
    /// When the provider does not answer, keys may be this old; then its tokens cannot be checked.
    pub jwks_stale_max: Duration,
    /// Least time between two fetches, whatever the reason.
    pub jwks_refetch_min: Duration,
}

impl IssuerConfig {
    /// A provider with every other setting at its default.
    pub fn new(name: &str, issuer: &str, audience: &str, kind: KindRule) -> Self {
        Self {
            name: name.to_owned(),
            issuer: issuer.to_owned(),
            audience: vec![audience.to_owned()],
            audience_beside: Vec::new(),
            jwks_uri: None,
            algorithms: vec![SigningAlgorithm::RS256, SigningAlgorithm::ES256],
            claims: ClaimMap::new(kind),
            leeway: Duration::from_secs(30),
            access_token_type_required: false,
            clients: Vec::new(),
            lifetime_max: Duration::from_secs(3600),
            delegation_depth_max: 4,
            ca: None,
            allow_loopback_http: false,
            jwks_refresh: Duration::from_secs(300),
            jwks_stale_max: Duration::from_secs(3600),
            jwks_refetch_min: Duration::from_secs(10),
        }
    }

    /// Everything that is wrong with these settings.
    pub fn problems(&self) -> Vec<ConfigProblem> {
        let mut out = Problems {
            issuer: &self.name,
            found: Vec::new(),
        };
        self.check_names(&mut out);
        self.check_addresses(&mut out);
        self.check_times(&mut out);
        out.found
    }

    fn check_names(&self, out: &mut Problems<'_>) {
        let name_ok = !self.name.is_empty()
            && self.name.len() <= 63
            && self
                .name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        out.unless(
            name_ok,
            "name",
            "use 1 to 63 lower-case letters, digits and hyphens",
        );
        let listed = |list: &[String]| list.iter().all(|s| !s.trim().is_empty());
        out.unless(
            !self.audience.is_empty() && listed(&self.audience),
            "audience",
            "name at least one audience, none of them empty",
        );
        out.unless(
            listed(&self.audience_beside),
            "audience_beside",
            "an audience is empty",
        );
        out.unless(listed(&self.clients), "clients", "a client is empty");
        out.unless(
            !self.algorithms.is_empty(),
            "algorithms",
            "name at least one signature algorithm",
        );
        let kind = &self.claims.kind;
        out.unless(
            kind.otherwise.is_some() || !kind.agent_when.is_empty() || !kind.user_when.is_empty(),
            "kind",
            "say how agents and people are told apart",
        );
        out.unless(
            self.delegation_depth_max <= DELEGATION_DEPTH_MAX,
            "delegation_depth_max",
            "at most 8",
        );
    }

    fn check_addresses(&self, out: &mut Problems<'_>) {
        match checked_url(&self.issuer, self.allow_loopback_http) {
            Ok(url) => out.unless(url.query().is_none(), "issuer", "must have no query"),
            Err(why) => out.unless(false, "issuer", why),
        }
        if let Some(uri) = &self.jwks_uri
            && let Err(why) = checked_url(uri, self.allow_loopback_http)
        {
            out.unless(false, "jwks_uri", why);
        }
        if let Some(pem) = &self.ca {
            let good = reqwest::Certificate::from_pem_bundle(pem).is_ok_and(|c| !c.is_empty());
            out.unless(good, "ca", "holds no PEM certificate");
        }
    }

    fn check_times(&self, out: &mut Problems<'_>) {
        let second = Duration::from_secs(1);
        out.unless(self.leeway <= LEEWAY_MAX, "leeway", "at most 60 seconds");
        out.unless(
            (second..=LIFETIME_MAX).contains(&self.lifetime_max),
            "lifetime_max",
            "between 1 second and 24 hours",
        );
        out.unless(
            self.jwks_refetch_min >= second,
            "jwks_refetch_min",
            "at least 1 second",
        );
        out.unless(
            self.jwks_stale_max >= self.jwks_refresh && self.jwks_stale_max <= JWKS_STALE_MAX,
            "jwks_stale_max",
            "at least jwks_refresh and at most 24 hours",
        );
    }
}

/// A setting that cannot be, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("identity provider `{issuer}`: {setting}: {why}")]
pub struct ConfigProblem {
    /// The provider's name.
    pub issuer: String,
    /// The setting.
    pub setting: &'static str,
    /// What is wrong and what would be right.
    pub why: &'static str,
}

struct Problems<'a> {
    issuer: &'a str,
    found: Vec<ConfigProblem>,
}

impl Problems<'_> {
    fn unless(&mut self, ok: bool, setting: &'static str, why: &'static str) {
        if !ok {
            self.found.push(ConfigProblem {
                issuer: self.issuer.to_owned(),
                setting,
                why,
            });
        }
    }
}

/// Problems of a whole list: each provider's own, and names or issuers given twice.
pub(super) fn problems_of(configs: &[IssuerConfig]) -> Vec<ConfigProblem> {
    let mut out: Vec<ConfigProblem> = configs.iter().flat_map(IssuerConfig::problems).collect();
    let problem = |c: &IssuerConfig, setting, why| ConfigProblem {
        issuer: c.name.clone(),
        setting,
        why,
    };
    for (i, c) in configs.iter().enumerate() {
        let before = configs.iter().take(i);
        if before.clone().any(|b| b.name == c.name) {
            out.push(problem(c, "name", "another provider has this name"));
        }
        if before.clone().any(|b| b.issuer == c.issuer) {
            out.push(problem(c, "issuer", "another provider has this issuer"));
        }
        if i == ISSUERS_MAX {
            out.push(problem(c, "name", "more than 64 providers"));
        }
    }
    out
}

/// An address that we may fetch: HTTPS, or HTTP to a loopback address where that is allowed; nothing hidden in it.
pub(super) fn checked_url(text: &str, allow_loopback_http: bool) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "not an absolute URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must hold no user name or password");
    }
    if url.fragment().is_some() {
        return Err("must have no fragment");
    }
    let loopback = match url.host() {
        None => return Err("names no host"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if allow_loopback_http && loopback => Ok(url),
        "http" if allow_loopback_http => Err("plain HTTP is for loopback addresses only"),
        _ => Err("must begin with https://"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> IssuerConfig {
        IssuerConfig::new(
            "okta",
            "https://idp.example",
            "brattice",
            KindRule::always(PrincipalKind::Agent),
        )
    }

    #[test]
    fn defaults_have_no_problems() {
        assert_eq!(good().problems(), Vec::new());
    }

    #[test]
    fn all_problems_are_told_together() {
        let mut c = good();
        c.name = "Okta/x".into();
        c.audience.clear();
        c.algorithms.clear();
        c.leeway = Duration::from_secs(61);
        c.issuer = "http://idp.example".into();
        c.jwks_uri = Some("https://user:secret@idp.example/keys".into());
        c.claims.kind = KindRule::default();
        c.ca = Some(b"not pem".to_vec());
        let settings: Vec<_> = c.problems().iter().map(|p| p.setting).collect();
        assert_eq!(
            settings,
            [
                "name",
                "audience",
                "algorithms",
                "kind",
                "issuer",
                "jwks_uri",
                "ca",
                "leeway"
            ]
        );
        assert!(
            !c.problems()
                .iter()
                .any(|p| p.to_string().contains("secret"))
        );
    }

    #[test]
    fn plain_http_is_for_loopback_in_development_only() {
        for (url, dev, ok) in [
            ("https://a.example", false, true),
            ("http://127.0.0.1:80", false, false),
            ("http://127.0.0.1:80", true, true),
            ("http://[::1]:80/x", true, true),
            ("http://localhost", true, true),
            ("http://localhost.evil.example", true, false),
            ("http://10.0.0.1", true, false),
            ("file:///etc/passwd", true, false),
            ("https://u@a.example", true, false),
            ("https://a.example/#f", true, false),
        ] {
            assert_eq!(checked_url(url, dev).is_ok(), ok, "{url} {dev}");
        }
    }

    #[test]
    fn the_hmac_family_and_none_have_no_name() {
        for name in [
            "none", "nOnE", "HS256", "HS512", "rs256", "ES256K", "ES512", "",
        ] {
            assert!(name.parse::<SigningAlgorithm>().is_err(), "{name}");
        }
        for a in SigningAlgorithm::ALL {
            assert_eq!(a.as_str().parse(), Ok(a));
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

    #[test]
    fn two_providers_cannot_share_a_name_or_an_issuer() {
        let mut other = good();
        other.name = "other".into();
        assert_eq!(problems_of(&[good(), other]).len(), 1);
        assert_eq!(problems_of(&[good(), good()]).len(), 2);
    }
}

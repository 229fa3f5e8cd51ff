//! What the operator says about a provider.
//!
//! Lives here: the settings, their defaults and their bounds. Never: how configuration is written or read, tokens.

use super::algorithm::SigningAlgorithm;
use super::mapping::{ClaimMap, KindRule};
use crate::lend::SecretFrom;
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
    /// Whether tokens for its people and workloads count in the hands alone that they are bound to.
    pub binding_required: bool,
    /// As what the gateway is known there, where people sign in by this provider.
    pub client: Option<ClientConfig>,
}

/// The gateway as a client of a provider (OpenID Connect Core, section 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// Its `client_id`.
    pub id: String,
    /// Where its secret is read from, each time; `None` for a public client.
    pub secret: Option<SecretFrom>,
    /// The scopes that are asked for, beside `openid`.
    pub scopes: Vec<String>,
    /// How long a sign-in may go on without the provider's word that it still knows the person as it did.
    pub recheck_max: Duration,
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
            binding_required: false,
            client: None,
        }
    }

    /// Everything that is wrong with these settings.
    pub fn problems(&self) -> Vec<ConfigProblem> {
        let mut out = Problems::of(&self.name);
        self.check_names(&mut out);
        self.check_addresses(&mut out);
        self.check_times(&mut out);
        out.found
    }

    fn check_names(&self, out: &mut Problems<'_>) {
        out.unless(
            is_short_name(&self.name),
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
        if let Some(client) = &self.client {
            out.unless(!client.id.trim().is_empty(), "client", "its id is empty");
            out.unless(
                client.secret != Some(SecretFrom::Sealed),
                "client",
                "its secret comes from env: or file:",
            );
        }
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
            self.claims.group_rules.iter().all(|r| !r.when.is_empty()),
            "group_when",
            "a group has no condition, so everybody would be in it",
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

/// Problems of one provider while they are gathered.
pub(crate) struct Problems<'a> {
    issuer: &'a str,
    pub(crate) found: Vec<ConfigProblem>,
}

impl<'a> Problems<'a> {
    /// None yet.
    pub(crate) fn of(issuer: &'a str) -> Self {
        Self {
            issuer,
            found: Vec::new(),
        }
    }

    /// Adds one, unless all is well.
    pub(crate) fn unless(&mut self, ok: bool, setting: &'static str, why: &'static str) {
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

/// A provider's name in the bundle.
pub(crate) fn is_short_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// An address that we may fetch: HTTPS, or HTTP to a loopback address where that is allowed; nothing hidden in it.
pub(crate) fn checked_url(text: &str, allow_loopback_http: bool) -> Result<Url, &'static str> {
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
    use brattice_core::principal::PrincipalKind;

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
    fn two_providers_cannot_share_a_name_or_an_issuer() {
        let mut other = good();
        other.name = "other".into();
        assert_eq!(problems_of(&[good(), other]).len(), 1);
        assert_eq!(problems_of(&[good(), good()]).len(), 2);
    }
}

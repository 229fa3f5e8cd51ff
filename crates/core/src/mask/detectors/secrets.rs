//! Values that are known by how they begin: tokens and provider keys.
//!
//! Lives here: their patterns, all beginning with literals so that one vectorised search finds candidates.
//! Never: digits, addresses, PEM blocks.

use crate::mask::classes::Finder;
use crate::mask::detect::compile;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regex_automata::meta::{BuildError, Regex};
use std::ops::Range;

/// None is shorter than a long word of the summary.
const PATTERNS: &[(Finder, &str)] = &[
    (
        Finder::Jwt,
        r"\beyJ[A-Za-z0-9_\-]{6}[A-Za-z0-9_\-]*(?:\.[A-Za-z0-9_\-]*){1,4}",
    ),
    // Amazon: access key ids.
    (Finder::CloudKey, r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
    // Google: API keys, OAuth tokens, client secrets.
    (Finder::CloudKey, r"\bAIza[A-Za-z0-9_\-]{35}"),
    (
        Finder::CloudKey,
        r"\bya29\.[A-Za-z0-9_\-]{20}[A-Za-z0-9_\-]*",
    ),
    (Finder::CloudKey, r"\bGOCSPX-[A-Za-z0-9_\-]{28}"),
    // GitHub, GitLab.
    (Finder::CloudKey, r"\bgh[pousr]_[A-Za-z0-9]{36}[A-Za-z0-9]*"),
    (
        Finder::CloudKey,
        r"\bgithub_pat_[A-Za-z0-9_]{22}[A-Za-z0-9_]*",
    ),
    (
        Finder::CloudKey,
        r"\bglpat-[A-Za-z0-9_\-]{20}[A-Za-z0-9_\-]*",
    ),
    // Slack.
    (
        Finder::CloudKey,
        r"\bxox[abeoprs]-[A-Za-z0-9\-]{10}[A-Za-z0-9\-]*",
    ),
    (
        Finder::CloudKey,
        r"\bxapp-[0-9]-[A-Za-z0-9\-]{10}[A-Za-z0-9\-]*",
    ),
    // Stripe, SendGrid, npm, PyPI, DigitalOcean, Hugging Face, Vault, Shopify, Databricks, Docker, Grafana.
    (
        Finder::CloudKey,
        r"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16}[A-Za-z0-9]*",
    ),
    (Finder::CloudKey, r"\bwhsec_[A-Za-z0-9+/]{24}[A-Za-z0-9+/]*"),
    (
        Finder::CloudKey,
        r"\bSG\.[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}",
    ),
    (Finder::CloudKey, r"\bnpm_[A-Za-z0-9]{36}\b"),
    (
        Finder::CloudKey,
        r"\bpypi-AgE[A-Za-z0-9_\-]{40}[A-Za-z0-9_\-]*",
    ),
    (Finder::CloudKey, r"\bdo[por]_v1_[a-f0-9]{64}\b"),
    (Finder::CloudKey, r"\bhf_[A-Za-z]{34}\b"),
    (
        Finder::CloudKey,
        r"\bhv[sbr]\.[A-Za-z0-9_\-]{24}[A-Za-z0-9_\-]*",
    ),
    (Finder::CloudKey, r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b"),
    (Finder::CloudKey, r"\bdapi[a-f0-9]{32}\b"),
    (
        Finder::CloudKey,
        r"\bdckr_pat_[A-Za-z0-9_\-]{20}[A-Za-z0-9_\-]*",
    ),
    (Finder::CloudKey, r"\bglsa_[A-Za-z0-9]{32}_[a-f0-9]{8}\b"),
    // Model providers.
    (
        Finder::CloudKey,
        r"\bsk-(?:ant|proj|svcacct|admin)-[A-Za-z0-9_\-]{20}[A-Za-z0-9_\-]*",
    ),
    // age.
    (Finder::PrivateKey, r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
    // Azure: storage account keys and shared access signatures in connection strings.
    (Finder::CloudKey, r"\bAccountKey=[A-Za-z0-9+/]{86}=="),
    (Finder::CloudKey, r"\bSharedAccessKey=[A-Za-z0-9+/]{43}="),
];

/// The patterns that a bundle uses, compiled together.
#[derive(Debug, Clone)]
pub(crate) struct Secrets {
    regex: Regex,
    finders: Vec<Finder>,
}

impl Secrets {
    /// Compiles those that are wanted; `None` when none is.
    pub(crate) fn new(wanted: impl Fn(Finder) -> bool) -> Result<Option<Self>, Box<BuildError>> {
        let used: Vec<_> = PATTERNS.iter().filter(|(f, _)| wanted(*f)).collect();
        if used.is_empty() {
            return Ok(None);
        }
        let patterns: Vec<&str> = used.iter().map(|(_, p)| *p).collect();
        let regex = compile(&patterns)?;
        Ok(Some(Self {
            regex,
            finders: used.iter().map(|(f, _)| *f).collect(),
        }))
    }

    /// Calls `hit` for every value.
    pub(crate) fn find(&self, bytes: &[u8], mut hit: impl FnMut(Finder, Range<usize>)) {
        for found in self.regex.find_iter(bytes) {
            let Some(finder) = self.finders.get(found.pattern().as_usize()) else {
                continue;
            };
            let value = bytes.get(found.range()).unwrap_or_default();
            if *finder != Finder::Jwt || is_jwt(value) {
                hit(*finder, found.range());
            }
        }
    }
}

/// The first part is base 64 of a JSON object that names an algorithm (RFC 7515 §4.1.1, RFC 7516 §4.1.1).
fn is_jwt(value: &[u8]) -> bool {
    let header = value.split(|b| *b == b'.').next().unwrap_or_default();
    URL_SAFE_NO_PAD
        .decode(header)
        .ok()
        .and_then(|json| serde_json::from_slice::<serde_json::Value>(&json).ok())
        .is_some_and(|json| json.get("alg").is_some_and(serde_json::Value::is_string))
}

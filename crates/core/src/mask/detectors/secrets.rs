//! Values that are known by how they begin: tokens, provider keys, private keys.
//!
//! Lives here: their patterns, all beginning with literals so that one vectorised search finds candidates.
//! Never: digits and addresses.

use super::pem;
use crate::mask::classes::Finder;
use crate::mask::detect::compile;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regex_automata::meta::{BuildError, Regex};
use std::ops::Range;

/// None is shorter than a long word of the summary, or it has the dashes of a PEM block.
const PATTERNS: &[(Finder, &str)] = &[
    (
        Finder::Jwt,
        r"\beyJ[A-Za-z0-9_\-]{6}[A-Za-z0-9_\-]*(?:\.[A-Za-z0-9_\-]*){1,4}",
    ),
    (Finder::PrivateKey, pem::OPENING),
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

    /// The state of a private key's block that has begun and whose end has not come.
    pub(crate) fn open_block(&self, bytes: &[u8]) -> Option<pem::Body> {
        let mut open = None;
        let mut floor = 0;
        for found in self.regex.find_iter(bytes) {
            let value = bytes.get(found.range()).unwrap_or_default();
            let is_key = self.finders.get(found.pattern().as_usize()) == Some(&Finder::PrivateKey);
            if is_key && found.start() >= floor && value.starts_with(b"-----") {
                let (end, body) = pem::end(bytes, found.end());
                floor = end;
                open = (end == bytes.len()).then_some(body);
            }
        }
        open
    }

    /// Calls `hit` for every value.
    pub(crate) fn find(&self, bytes: &[u8], mut hit: impl FnMut(Finder, Range<usize>)) {
        let mut floor = 0;
        for found in self.regex.find_iter(bytes) {
            let Some(finder) = self.finders.get(found.pattern().as_usize()) else {
                continue;
            };
            let range = found.range();
            // A block of a private key reaches further than its opening line.
            if range.start < floor {
                continue;
            }
            let value = bytes.get(range.clone()).unwrap_or_default();
            match finder {
                Finder::PrivateKey if value.starts_with(b"-----") => {
                    let (end, _) = pem::end(bytes, range.end);
                    floor = end;
                    hit(*finder, range.start..end);
                }
                Finder::Jwt if !is_jwt(value) => {}
                _ => hit(*finder, range),
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

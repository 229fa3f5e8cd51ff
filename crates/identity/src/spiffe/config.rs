//! What the operator says about a trust domain.
//!
//! Lives here: the settings and their bounds. Never: how configuration is written or read, certificates.

use super::id::is_trust_domain;
use crate::oidc::config::{Problems, is_short_name};
use crate::oidc::{ConfigProblem, GroupRule};
use std::path::PathBuf;
use std::time::Duration;

/// Longest life of a certificate that may be configured.
pub const SVID_LIFETIME_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// One trust domain. Whoever it names is a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpiffeConfig {
    /// Its short name in the bundle, by which policies call its workloads.
    pub name: String,
    /// Its name in SPIFFE IDs, without the scheme.
    pub trust_domain: String,
    /// The file with its authorities' certificates, in PEM. It is read again when it changes.
    pub bundle: PathBuf,
    /// Groups that its ids tell; conditions are about the claim `sub`, which is the SPIFFE ID.
    pub group_rules: Vec<GroupRule>,
    /// A certificate that is good for longer is refused.
    pub svid_lifetime_max: Duration,
}

impl SpiffeConfig {
    /// A trust domain with every other setting at its default.
    pub fn new(name: &str, trust_domain: &str, bundle: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            trust_domain: trust_domain.to_owned(),
            bundle: bundle.into(),
            group_rules: Vec::new(),
            svid_lifetime_max: Duration::from_secs(24 * 3600),
        }
    }

    /// Everything that is wrong with these settings.
    pub fn problems(&self) -> Vec<ConfigProblem> {
        let mut out = Problems::of(&self.name);
        out.unless(
            is_short_name(&self.name),
            "name",
            "use 1 to 63 lower-case letters, digits and hyphens",
        );
        out.unless(
            is_trust_domain(&self.trust_domain),
            "trust_domain",
            "use lower-case letters, digits, dots, hyphens and underscores, without spiffe://",
        );
        out.unless(
            self.group_rules.iter().all(|r| !r.when.is_empty()),
            "group_when",
            "a group has no condition, so everybody would be in it",
        );
        out.unless(
            (Duration::from_secs(1)..=SVID_LIFETIME_MAX).contains(&self.svid_lifetime_max),
            "svid_lifetime_max",
            "between 1 second and 7 days",
        );
        out.found
    }
}

//! SPIFFE trust domains, whose workloads show client certificates.

use super::{Checker, named};
use crate::config::checked::{Listen, Spiffe};
use crate::config::place::Place;
use crate::config::raw::RawSpiffe;
use brattice_core::principal::OWN_ISSUER;
use brattice_core::time::Timestamp;
use brattice_identity::spiffe::{self, SVID_LIFETIME_MAX, is_trust_domain};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(86400);

impl Checker<'_> {
    /// The trust domains. One may have the name of an issuer, whose JWT-SVIDs name the same workloads then.
    pub(super) fn spiffe(
        &mut self,
        raw: BTreeMap<String, RawSpiffe>,
        saml: &[&str],
    ) -> Vec<Spiffe> {
        let mut found: Vec<Spiffe> = Vec::new();
        for (name, at, raw) in named(self, "spiffe", raw, false) {
            if saml.contains(&name.as_str()) || name == OWN_ISSUER {
                self.wrong(
                    &at,
                    &name,
                    "is the name of another provider",
                    "name the trust domain otherwise",
                );
            }
            let Some(domain) = self.trust_domain(name, &at, raw) else {
                continue;
            };
            if found.iter().any(|d| d.trust_domain == domain.trust_domain) {
                self.wrong(
                    &at.key("trust_domain"),
                    &domain.trust_domain,
                    "is the trust domain of another entry",
                    "keep one of the two",
                );
            }
            found.push(domain);
        }
        found
    }

    fn trust_domain(&mut self, name: String, at: &Place, raw: RawSpiffe) -> Option<Spiffe> {
        let bundle = raw
            .bundle
            .and_then(|text| self.trust_bundle(&at.key("bundle"), &text));
        let trust_domain = raw.trust_domain?;
        if !is_trust_domain(&trust_domain) {
            self.wrong(
                &at.key("trust_domain"),
                &trust_domain,
                "is not the name of a trust domain",
                "give it as in prod.example.com, without spiffe:// and without a path",
            );
        }
        let at_rules = at.key("claims").key("group_when");
        let group_when = self.group_rules(&at_rules, &raw.claims.group_when);
        for (group, conditions) in &group_when {
            for (i, (claim, pattern)) in conditions.iter().enumerate() {
                let ours = format!("spiffe://{trust_domain}/");
                if claim != "sub" || !pattern.starts_with(&ours) {
                    self.wrong(
                        &at_rules.key(group).index(i),
                        &format!("{claim}={pattern}"),
                        "is not about the SPIFFE ID",
                        format!("write sub={ours}…"),
                    );
                }
            }
        }
        Some(Spiffe {
            name,
            trust_domain,
            bundle: bundle?,
            group_when,
            svid_lifetime_max: self.span(
                &at.key("svid_lifetime_max"),
                raw.svid_lifetime_max,
                DAY,
                SVID_LIFETIME_MAX,
            ),
        })
    }

    fn trust_bundle(&mut self, at: &Place, text: &str) -> Option<std::path::PathBuf> {
        let before = self.report.problems.len();
        let path = self.file(at, text)?;
        if self.options.files && self.report.problems.len() == before {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let seconds = since.map_or(0, |s| i64::try_from(s.as_secs()).unwrap_or(0));
            let now = Timestamp::from_seconds(seconds);
            let read = std::fs::read(&path).map_err(|e| e.to_string());
            if let Err(why) = read.and_then(|bytes| spiffe::check_bundle(&bytes, now)) {
                self.wrong(
                    at,
                    text,
                    why,
                    "give the PEM file with the trust domain's authorities, as SPIRE's `bundle show` writes it",
                );
            }
        }
        // It is read again while the gateway runs, whatever directory that is in then.
        Some(std::path::absolute(&path).unwrap_or(path))
    }

    /// Certificates are shown over TLS.
    pub(super) fn certificates(&mut self, listen: Option<&Listen>, spiffe: &[Spiffe]) {
        let Some(listen) = listen else { return };
        let postgres = listen.postgres.as_ref().is_some_and(|p| p.tls.is_some());
        if postgres || listen.admin.tls.is_some() {
            return;
        }
        let root = Place::root();
        let at = match spiffe.first() {
            Some(domain) => root.keys(&["spiffe", &domain.name]),
            None if listen.client_certificates => root.keys(&["listen", "client_certificates"]),
            None => return,
        };
        self.bad(
            &at,
            "needs a listener with TLS: nobody shows a certificate without",
            "give listen.postgres or listen.admin `tls`, or take it out",
        );
    }
}

//! Proof of identity by client certificates: X.509-SVIDs of SPIFFE trust domains.
//!
//! Lives here: from a certificate whose key the TLS handshake proved, to the workload that it names ("The X.509 SPIFFE
//! Verifiable Identity Document"). Never: TLS, sessions, policy; and no text of a certificate that was refused in a log.
//!
//! A certificate is checked against the authorities of the trust domain in its own id and no other's, so that one trust
//! domain cannot name another's workloads (section 5.2).

mod bundle;
mod config;
mod id;
mod leaf;
mod refusal;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

pub use config::{SVID_LIFETIME_MAX, SpiffeConfig};
pub use id::is_trust_domain;

use crate::oidc::ConfigProblem;
use crate::text::is_plain_name;
use arc_swap::ArcSwap;
use brattice_core::ports::AuthError;
use brattice_core::principal::{Chain, Identity, LoginBy, Principal, PrincipalKind};
use brattice_core::scope::Scope;
use brattice_core::sender::{Binding, Certificate};
use brattice_core::time::Timestamp;
use bundle::Bundle;
use leaf::{Leaf, span_of};
use refusal::Refusal;
use rustls::CertificateError;
use rustls_pki_types::{CertificateDer, UnixTime};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// Most certificates beside the leaf that are looked at.
const BESIDE_MAX: usize = 8;

/// The trust domains that are configured now.
#[derive(Default)]
pub struct Spiffe(ArcSwap<Vec<Arc<TrustDomain>>>);

struct TrustDomain {
    config: SpiffeConfig,
    bundle: Bundle,
}

/// Everything that is wrong with a list of trust domains.
pub fn problems_of(configs: &[SpiffeConfig]) -> Vec<ConfigProblem> {
    let mut out: Vec<ConfigProblem> = configs.iter().flat_map(SpiffeConfig::problems).collect();
    for (i, config) in configs.iter().enumerate() {
        let mut before = configs.iter().take(i);
        if before.any(|b| b.name == config.name || b.trust_domain == config.trust_domain) {
            out.push(ConfigProblem {
                issuer: config.name.clone(),
                setting: "trust_domain",
                why: "another entry has this name or trust domain",
            });
        }
    }
    out
}

impl Spiffe {
    /// Takes new settings, whole or not at all. A trust domain whose settings did not change keeps what it has read.
    ///
    /// # Errors
    /// With everything that is wrong with them.
    pub fn reconfigure(&self, configs: Vec<SpiffeConfig>) -> Result<(), Vec<ConfigProblem>> {
        let problems = problems_of(&configs);
        if !problems.is_empty() {
            return Err(problems);
        }
        let before = self.0.load();
        let domains = configs.into_iter().map(|config| {
            let same = before.iter().find(|d| d.config == config);
            same.cloned().unwrap_or_else(|| {
                Arc::new(TrustDomain {
                    bundle: Bundle::new(&config.bundle),
                    config,
                })
            })
        });
        self.0.store(Arc::new(domains.collect()));
        Ok(())
    }

    /// Whom a certificate names.
    ///
    /// # Errors
    /// When it names nobody, or that cannot be told now.
    pub async fn verify(
        &self,
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<Identity, AuthError> {
        let rejected = |why: Refusal| AuthError::Rejected(format!("client certificate: {why}"));
        let leaf = Leaf::read(certificate.leaf()).map_err(rejected)?;
        let domains = self.0.load_full();
        let domain = domains
            .iter()
            .find(|d| d.config.trust_domain == leaf.trust_domain)
            .ok_or_else(|| rejected(Refusal::TrustDomain))?;
        let named = |why: Refusal| {
            let name = &domain.config.name;
            AuthError::Rejected(format!("client certificate of `{name}`: {why}"))
        };
        let verifier = domain.bundle.verifier(now).await.map_err(|why| {
            tracing::error!(%why, trust_domain = domain.config.trust_domain, "the authorities of a trust domain cannot be read");
            let name = &domain.config.name;
            AuthError::Unavailable(format!("the authorities of `{name}` cannot be read"))
        })?;
        let beside: Vec<CertificateDer<'_>> = certificate
            .beside()
            .take(BESIDE_MAX)
            .map(CertificateDer::from)
            .collect();
        let seconds = u64::try_from(now.seconds()).unwrap_or(0);
        verifier
            .verify_client_cert(
                &CertificateDer::from(certificate.leaf()),
                &beside,
                UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            )
            .map_err(|why| named(reason(&why)))?;
        domain.identity(certificate, leaf, now).map_err(named)
    }
}

impl TrustDomain {
    /// The workload of a certificate that was verified.
    fn identity(
        &self,
        certificate: &Certificate,
        leaf: Leaf,
        now: Timestamp,
    ) -> Result<Identity, Refusal> {
        if leaf.ends_at.since(leaf.begins_at) > self.config.svid_lifetime_max {
            return Err(Refusal::LivesTooLong);
        }
        // What it leads over ends it, too.
        let spans = certificate.beside().take(BESIDE_MAX).filter_map(span_of);
        let expires_at = spans
            .map(|(_, ends)| ends)
            .fold(leaf.ends_at, Timestamp::min);
        if expires_at <= now {
            return Err(Refusal::Expired);
        }
        if !is_plain_name(&leaf.id) {
            return Err(Refusal::LongName);
        }
        let claims = Map::from_iter([("sub".to_owned(), Value::from(leaf.id.as_str()))]);
        let holds = |rule: &&crate::oidc::GroupRule| rule.when.iter().all(|w| w.holds(&claims));
        let rules = self.config.group_rules.iter().filter(holds);
        let groups = rules.map(|rule| format!("{}/{}", self.config.name, rule.group));
        Ok(Identity {
            chain: Chain::of(Principal {
                kind: PrincipalKind::Agent,
                issuer: self.config.name.clone(),
                groups: groups.collect(),
                name: leaf.id,
            }),
            by: LoginBy::Certificate,
            mfa: false,
            binding: Binding::certificate(certificate.digest()),
            // When somebody last vouched for it.
            authenticated_at: leaf.begins_at,
            expires_at,
            token_id: Some(leaf.signed.to_string()),
            credential: None,
            scope: Scope::whole(),
            lineage: Vec::new(),
            sign_in: None,
        })
    }
}

fn reason(why: &rustls::Error) -> Refusal {
    use CertificateError as E;
    match why {
        rustls::Error::InvalidCertificate(E::Expired | E::ExpiredContext { .. }) => {
            Refusal::Expired
        }
        rustls::Error::InvalidCertificate(E::NotValidYet | E::NotValidYetContext { .. }) => {
            Refusal::NotYet
        }
        _ => Refusal::Untrusted,
    }
}

/// Whether a file's bytes are a trust domain's bundle, with an authority that counts now.
///
/// # Errors
/// With the reason why not.
pub fn check_bundle(bytes: &[u8], now: Timestamp) -> Result<(), String> {
    bundle::check(bytes, now)
}

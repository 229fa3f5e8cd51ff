//! Putting another bundle in force: whole, on record, or not at all.
//!
//! Lives here: the order of it. Never: what is wrong with a bundle.

use super::bundle::{self, Connections};
use super::error::{StartError, boxed};
use super::{Gateway, certificates, credentials};
use crate::adapt::Routes;
use crate::config::Checked;
use crate::config::checked::SshListener;
use brattice_core::audit::{Entry, Event};
use brattice_core::gate::InForce;
use brattice_core::ids::{Digest, Revision};
use brattice_core::ports::AuditLog;
use brattice_identity::lend::{AwsConfig, VaultConfig};
use brattice_identity::oidc::IssuerConfig;
use brattice_identity::saml::SamlProvider;
use brattice_identity::spiffe::SpiffeConfig;
use brattice_proxy::endpoint::Endpoint;
use brattice_proxy::ssh::Host;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A bundle's parts, all of them made and none of them used.
struct Ready {
    issuers: Vec<IssuerConfig>,
    saml: Vec<SamlProvider>,
    spiffe: Vec<SpiffeConfig>,
    endpoints: HashMap<String, Arc<Endpoint>>,
    hosts: HashMap<String, Arc<Host>>,
    in_force: InForce,
    routes: Routes,
    vaults: Vec<VaultConfig>,
    aws: Vec<AwsConfig>,
    certificates: certificates::Read,
}

impl Gateway {
    /// Puts another bundle in force. Listeners' addresses and directories stay what they are until the next start.
    ///
    /// # Errors
    /// When anything in it is wrong, or it cannot be put on record: the one before stays in force then.
    pub async fn apply(&self, checked: Checked) -> Result<Revision, StartError> {
        let _turn = self.applying.lock().await;
        let revision = Revision(self.revision.load(Ordering::Acquire) + 1);
        let done = self.apply_as(checked, revision).await;
        match &done {
            Ok(_) => tracing::info!(%revision, "a bundle came into force"),
            Err(_) => self.note_refused(),
        }
        done
    }

    async fn apply_as(&self, checked: Checked, revision: Revision) -> Result<Revision, StartError> {
        let ready = self.make_ready(&checked, revision, &self.connections)?;
        self.note_bundle(revision, checked.digest).await?;
        self.oidc.reconfigure(ready.issuers)?;
        self.spiffe
            .reconfigure(ready.spiffe)
            .map_err(bundle::wrong)?;
        self.oidc.know_beside(bundle::beside(&checked));
        self.logins.set_saml(ready.saml);
        self.revocations.set_leeway(bundle::leeway(&checked));
        self.endpoints.apply(ready.endpoints);
        self.hosts.apply(ready.hosts);
        let by_target = credentials::by_target(&checked);
        self.lender.replace(by_target, ready.vaults, ready.aws);
        self.gate.apply(ready.in_force);
        self.routes.store(Arc::new(ready.routes));
        self.certificates.renew(ready.certificates);
        self.revision.store(revision.0, Ordering::Release);
        self.applied_at.store(self.clock.now().0, Ordering::Release);
        for what in kept_until_restart(&self.checked.load(), &checked) {
            tracing::warn!(what, "this change takes effect at the next start");
        }
        let limits = &checked.limits;
        self.logins
            .set_lifetimes(limits.sign_in_max, limits.own_token_lifetime_max);
        self.checked.store(Arc::new(checked));
        let _before = self.applied.send_replace(revision);
        Ok(revision)
    }

    /// Whether a bundle could be put in force.
    ///
    /// # Errors
    /// With the first thing that only its parts can tell.
    pub fn try_out(&self, checked: &Checked) -> Result<(), StartError> {
        self.make_ready(checked, self.revision(), &Connections::default())
            .map(drop)
    }

    /// Counts a bundle that was read and not applied.
    pub(crate) fn note_refused(&self) {
        self.refused_bundles.fetch_add(1, Ordering::Relaxed);
    }

    fn make_ready(
        &self,
        checked: &Checked,
        revision: Revision,
        connections: &Connections,
    ) -> Result<Ready, StartError> {
        let issuers = bundle::issuers(checked)?;
        brattice_identity::oidc::check(&issuers)?;
        let spiffe = bundle::spiffe(checked)?;
        match brattice_identity::spiffe::problems_of(&spiffe) {
            none if none.is_empty() => {}
            problems => return Err(bundle::wrong(problems)),
        }
        Ok(Ready {
            issuers,
            spiffe,
            saml: bundle::saml(checked, &self.used_assertions)?,
            endpoints: bundle::endpoints(checked, connections)?,
            hosts: bundle::hosts(checked, connections),
            in_force: bundle::in_force(checked, revision, self.tokens.clone(), &|t| {
                self.kept.of(t)
            })?,
            routes: Routes::of(checked, self.clock.clone(), self.randomness.clone())?,
            vaults: credentials::vaults(checked)?,
            aws: credentials::aws(checked)?,
            certificates: certificates::Read::of(checked, self.certificates.asked())?,
        })
    }

    /// Says on record that a bundle comes into force under this number, and waits until that lasts.
    pub(super) async fn note_bundle(
        &self,
        revision: Revision,
        digest: Digest,
    ) -> Result<(), StartError> {
        let event = Event::BundleApplied { digest };
        let entry = Entry {
            at: self.clock.now(),
            session: None,
            sequence: None,
            revision,
            event,
        };
        let at = self
            .tally
            .append(&entry)
            .map_err(|e| StartError::Audit(boxed(e)))?;
        self.tally
            .durable(at)
            .await
            .map_err(|e| StartError::Audit(boxed(e)))
    }
}

/// What of a new bundle waits for the next start. Certificates do not; whether there are any does.
fn kept_until_restart(before: &Checked, after: &Checked) -> Vec<&'static str> {
    let postgres = |c: &Checked| {
        let listener = c.listen.postgres.as_ref();
        listener.map(|p| (p.addr, p.tls.is_some(), p.allow_plaintext_loopback))
    };
    let ssh = |c: &Checked| {
        let listener = c.listen.ssh.as_ref();
        let keys = |s: &SshListener| {
            [&s.host_key, &s.host_ca, &s.user_ca, &s.target_ca].map(Option::clone)
        };
        listener.map(|s| (s.addr, keys(s)))
    };
    let admin = |c: &Checked| (c.listen.admin.addr, c.listen.admin.tls.is_some());
    let store = |c: &Checked| (c.data_dir.clone(), c.database.clone());
    let (old, new) = (&before.limits, &after.limits);
    let changes = [
        (postgres(before) != postgres(after), "listen.postgres"),
        (ssh(before) != ssh(after), "listen.ssh"),
        (admin(before) != admin(after), "listen.admin"),
        (
            before.listen.metrics != after.listen.metrics,
            "listen.metrics",
        ),
        (store(before) != store(after), "store"),
        (before.sealing_key != after.sealing_key, "store.sealing_key"),
        (
            before.recording.master_key != after.recording.master_key,
            "recording.master_key",
        ),
        (
            old.connections_max != new.connections_max,
            "limits.connections_max",
        ),
        (
            old.connections_of_one_max != new.connections_of_one_max,
            "limits.connections_of_one_max",
        ),
        (
            old.api_connections_max != new.api_connections_max,
            "limits.api_connections_max",
        ),
        (old.login_max != new.login_max, "limits.login_max"),
        (
            old.questions_per_minute_max != new.questions_per_minute_max,
            "limits.questions_per_minute_max",
        ),
    ];
    changes
        .into_iter()
        .filter(|(changed, _)| *changed)
        .map(|(_, what)| what)
        .collect()
}

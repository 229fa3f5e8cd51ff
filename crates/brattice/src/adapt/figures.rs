//! Health and figures: what is counted, gathered when somebody asks.
//!
//! Lives here: every metric there is. Never: names of principals, texts of commands.

use super::tally::TargetTally;
use crate::run::Gateway;
use brattice_admin::health::Health;
use brattice_admin::metrics::{Metric, MetricKind, Page};
use brattice_core::ports::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long the store may take to answer before it counts as away.
const ANSWER_MAX: Duration = Duration::from_secs(2);

macro_rules! metrics {
    ($($(#[$doc:meta])* $id:ident = $kind:ident $name:literal $labels:expr, $help:literal;)*) => {
        $($(#[$doc])* pub static $id: Metric = Metric {
            name: $name,
            kind: MetricKind::$kind,
            help: $help,
            labels: $labels,
        };)*
        /// Every metric.
        pub static ALL: &[&Metric] = &[$(&$id),*];
    };
}

metrics! {
    /// The program.
    BUILD = Gauge "brattice_build_info" &["version"], "The program's version; always 1.";
    /// Readiness.
    UP = Gauge "brattice_ready" &[], "1 when new sessions are taken.";
    /// The bundle.
    REVISION = Gauge "brattice_bundle_revision" &[], "The number of the bundle in force.";
    /// Its age.
    APPLIED_AT = Gauge "brattice_bundle_applied_timestamp_seconds" &[], "When the bundle came into force.";
    /// Reloads.
    APPLIED = Counter "brattice_bundles_applied_total" &[], "Bundles that came into force since the start.";
    /// Reloads that failed.
    NOT_APPLIED = Counter "brattice_bundles_refused_total" &[], "Bundles that were read and not applied, since the start.";
    /// Sessions now.
    SESSIONS = Gauge "brattice_sessions_live" &["target"], "Sessions that are open.";
    /// Sessions ever.
    SESSIONS_OPENED = Counter "brattice_sessions_opened_total" &[], "Sessions opened since the start.";
    /// Sessions over.
    SESSIONS_CLOSED = Counter "brattice_sessions_closed_total" &[], "Sessions closed since the start.";
    /// Logins.
    LOGINS_REFUSED = Counter "brattice_logins_refused_total" &["code"], "Callers refused at the door, by the reason's code.";
    /// Proofs seen elsewhere.
    SEEN_ELSEWHERE = Counter "brattice_proofs_seen_elsewhere_total" &[], "Tokens and credentials that were used from another address than before, which may mean that they were stolen.";
    /// Commands.
    COMMANDS = Counter "brattice_commands_total" &["target", "verdict"], "Commands decided: forwarded (allow) or refused (deny).";
    /// Questions.
    ASKED = Counter "brattice_approvals_asked_total" &["target"], "Questions put to people.";
    /// Answers.
    ANSWERED = Counter "brattice_approvals_answered_total" &["answer"], "Answers of people.";
    /// Questions now.
    PENDING = Gauge "brattice_approvals_pending" &[], "Questions that wait for people.";
    /// Administration.
    ADMINISTERED = Counter "brattice_administered_total" &["allowed"], "Acts on the gateway itself.";
    /// The log.
    ENTRIES = Gauge "brattice_audit_entries" &[], "Entries of this node's audit log.";
    /// Its lag behind the disk.
    NOT_DURABLE = Gauge "brattice_audit_entries_not_durable" &[], "Entries that the machine's death would take: reads and the like, which are not synced one by one.";
    /// Its lag behind the signature.
    NOT_SIGNED = Gauge "brattice_audit_entries_not_signed" &[], "Entries that no signed head covers yet.";
    /// The log's health.
    AUDIT_FAILED = Gauge "brattice_audit_failed" &[], "1 when the audit log cannot be written any more; nothing passes then.";
    /// The store's health.
    STORE_ANSWERS = Gauge "brattice_store_answers" &[], "1 when the database answers.";
}

/// A gateway's health.
pub struct Figures(pub Arc<Gateway>);

impl Figures {
    async fn store_answers(&self) -> bool {
        matches!(
            tokio::time::timeout(ANSWER_MAX, self.0.db.answers()).await,
            Ok(Ok(()))
        )
    }

    async fn failing(&self) -> Vec<&'static str> {
        let mut parts = Vec::new();
        if self.0.is_draining() {
            parts.push("draining");
        }
        if self.0.log.failure().is_some() {
            parts.push("audit");
        }
        if !self.store_answers().await {
            parts.push("store");
        }
        parts
    }

    async fn write(&self, page: &mut Page) {
        let gateway = &self.0;
        let failing = self.failing().await;
        page.metric(&BUILD, [(vec![env!("CARGO_PKG_VERSION")], 1.0)]);
        page.figure(&UP, flag(failing.is_empty()));
        page.figure(&AUDIT_FAILED, flag(failing.contains(&"audit")));
        page.figure(&STORE_ANSWERS, flag(!failing.contains(&"store")));
        page.figure(&REVISION, figure(gateway.revision().0));
        page.figure(
            &APPLIED_AT,
            figure(u64::try_from(gateway.applied_at().seconds()).unwrap_or(0)),
        );
        let totals = &gateway.tally.totals;
        page.figure(&APPLIED, of(&totals.bundles_applied));
        page.figure(&NOT_APPLIED, figure(gateway.refused_bundles()));
        page.figure(&SESSIONS_OPENED, of(&totals.sessions_opened));
        page.figure(&SESSIONS_CLOSED, of(&totals.sessions_closed));
        page.figure(&SEEN_ELSEWHERE, of(&totals.seen_elsewhere));
        page.metric(
            &ANSWERED,
            [
                (vec!["yes"], of(&totals.answers_yes)),
                (vec!["no"], of(&totals.answers_no)),
            ],
        );
        page.metric(
            &ADMINISTERED,
            [
                (vec!["true"], of(&totals.administered)),
                (vec!["false"], of(&totals.administration_refused)),
            ],
        );
        self.sessions(page);
        self.commands(page);
        self.audit(page);
        if let Ok(Ok(pending)) =
            tokio::time::timeout(ANSWER_MAX, gateway.db.approvals_pending()).await
        {
            page.figure(&PENDING, figure(pending));
        }
    }

    fn sessions(&self, page: &mut Page) {
        let mut live: BTreeMap<String, u64> = BTreeMap::new();
        for target in self.0.checked.load().targets.keys() {
            live.insert(target.clone(), 0);
        }
        for session in self.0.live.list() {
            *live.entry(session.target.clone()).or_default() += 1;
        }
        page.metric(
            &SESSIONS,
            live.iter()
                .map(|(target, n)| (vec![target.as_str()], figure(*n))),
        );
        let refused = self.0.tally.logins_refused();
        page.metric(
            &LOGINS_REFUSED,
            refused
                .iter()
                .map(|(code, n)| (vec![code.as_str()], figure(*n))),
        );
    }

    fn commands(&self, page: &mut Page) {
        let targets = self.0.tally.targets();
        let by = |(name, t): &'_ (String, Arc<TargetTally>)| {
            [
                (name.clone(), "allow", of(&t.allowed)),
                (name.clone(), "deny", of(&t.refused)),
            ]
        };
        let samples: Vec<(String, &'static str, f64)> = targets.iter().flat_map(by).collect();
        page.metric(
            &COMMANDS,
            samples
                .iter()
                .map(|(name, verdict, n)| (vec![name.as_str(), verdict], *n)),
        );
        page.metric(
            &ASKED,
            targets
                .iter()
                .map(|(name, t)| (vec![name.as_str()], of(&t.asked))),
        );
    }

    fn audit(&self, page: &mut Page) {
        let log = &self.0.log;
        let Ok(entries) = log.entries() else { return };
        let signed = log.newest_head().map_or(0, |head| head.entries);
        page.figure(&ENTRIES, figure(entries));
        page.figure(
            &NOT_DURABLE,
            figure(entries.saturating_sub(log.durable_entries())),
        );
        page.figure(&NOT_SIGNED, figure(entries.saturating_sub(signed)));
    }
}

impl Health for Figures {
    fn not_ready<'a>(&'a self) -> BoxFuture<'a, Vec<&'static str>> {
        Box::pin(self.failing())
    }

    fn figures<'a>(&'a self, page: &'a mut Page) -> BoxFuture<'a, ()> {
        Box::pin(self.write(page))
    }
}

fn flag(yes: bool) -> f64 {
    if yes { 1.0 } else { 0.0 }
}

fn of(counter: &AtomicU64) -> f64 {
    figure(counter.load(Ordering::Relaxed))
}

/// Prometheus' figures are floating-point numbers; beyond 2^53 the last digits are lost, which no counter here reaches.
#[allow(
    clippy::cast_precision_loss,
    reason = "no counter here comes near 2^53"
)]
fn figure(n: u64) -> f64 {
    n as f64
}

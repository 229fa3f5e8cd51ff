//! Store, recording, classes, holds, routes and limits.

use super::{Checker, Pem, named};
use crate::config::checked::{
    ClassConfig, ColumnName, Limits, Match, RecordingConfig, Route, SecretSource, TargetConfig,
    TargetCredential,
};
use crate::config::names;
use crate::config::place::Place;
use crate::config::raw::{
    RawClass, RawEffect, RawHolds, RawLimits, RawMatch, RawRecording, RawRoute, RawStore,
};
use brattice_core::action::Effect;
use brattice_core::approval::HoldTimes;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// What `[store]` says.
pub(super) struct Store {
    pub(super) directory: PathBuf,
    pub(super) database: PathBuf,
    pub(super) sealing_key: Option<SecretSource>,
}

impl Checker<'_> {
    pub(super) fn store(&mut self, raw: RawStore) -> Option<Store> {
        let at = Place::root().key("store");
        let text = raw.directory?;
        let dir_at = at.key("directory");
        if text.is_empty() {
            self.wrong(
                &dir_at,
                &text,
                "is not a path",
                "give a directory, e.g. /var/lib/brattice",
            );
            return None;
        }
        let directory = self.root.join(&text);
        if self.options.files {
            if directory.exists() && !directory.is_dir() {
                self.wrong(
                    &dir_at,
                    &text,
                    "is not a directory",
                    "give the path of a directory",
                );
            } else if !raw.allow_volatile
                && let Some(why) = super::volume::volatile(&directory)
            {
                self.wrong(
                        &dir_at,
                        &text,
                        format!("does not last: {why}"),
                        "use a directory on a durable volume; for trying out, say allow_volatile = true",
                    );
            }
        }
        let database = match raw.url {
            None => directory.join("brattice.db"),
            Some(url) => match url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
                Some(path) => self.root.join(path.trim_start_matches("//")),
                None => {
                    self.wrong(
                        &at.key("url"),
                        &url,
                        "is not a database of this version",
                        "write sqlite:PATH, or take it out",
                    );
                    return None;
                }
            },
        };
        let sealing_key = raw
            .sealing_key
            .and_then(|text| self.secret(&at.key("sealing_key"), &text, false));
        Some(Store {
            directory,
            database,
            sealing_key,
        })
    }

    /// What is sealed has to be opened.
    pub(super) fn sealing(
        &mut self,
        targets: &BTreeMap<String, TargetConfig>,
        store: Option<&Store>,
    ) {
        let sealed = targets.values().find(|t| {
            matches!(
                t.credential,
                TargetCredential::Password(SecretSource::Sealed)
                    | TargetCredential::Both(SecretSource::Sealed, _)
            )
        });
        let at = Place::root().keys(&["store", "sealing_key"]);
        let told = self
            .report
            .problems
            .iter()
            .any(|p| p.path == at.to_string());
        if let (
            Some(target),
            Some(Store {
                sealing_key: None, ..
            }),
            false,
        ) = (sealed, store, told)
        {
            self.bad(
                &at,
                format!(
                    "is missing, and the credential of `{}` is sealed",
                    target.target.name
                ),
                "give sealing_key = \"env:NAME\" or \"file:PATH\"",
            );
        }
    }

    pub(super) fn recording(&mut self, raw: RawRecording) -> Option<RecordingConfig> {
        let at = Place::root().keys(&["recording", "master_key"]);
        let master_key = self.secret(&at, &raw.master_key?, false)?;
        Some(RecordingConfig { master_key })
    }

    pub(super) fn classes(
        &mut self,
        raw: BTreeMap<String, RawClass>,
        targets: &[String],
    ) -> Vec<ClassConfig> {
        let mut classes = Vec::new();
        let mut owner: BTreeMap<ColumnName, String> = BTreeMap::new();
        for (name, at, raw) in named(self, "classes", raw, true) {
            let mut columns = Vec::new();
            for (i, text) in raw.columns.iter().enumerate() {
                let column_at = at.key("columns").index(i);
                let Some(column) = self.column(&column_at, text, targets) else {
                    continue;
                };
                match owner.get(&column) {
                    Some(other) => {
                        let what = if *other == name {
                            "is listed twice".to_owned()
                        } else {
                            format!("is a column of class `{other}` already")
                        };
                        self.wrong(&column_at, text, what, "list each column once");
                    }
                    None => {
                        owner.insert(column.clone(), name.clone());
                        columns.push(column);
                    }
                }
            }
            classes.push(ClassConfig {
                name,
                parents: raw.parents,
                columns,
                detect: raw.detect.unwrap_or(true),
            });
        }
        classes
    }

    fn column(&mut self, at: &Place, text: &str, targets: &[String]) -> Option<ColumnName> {
        let mut path = text.splitn(3, '/');
        let (target, database, rest) = (path.next(), path.next(), path.next());
        let parts = rest.and_then(names::parts);
        let (Some(target), Some(database), Some([schema, table, column])) =
            (target, database, parts.as_deref())
        else {
            self.wrong(
                at,
                text,
                "is not a column of a target",
                "write target/database/schema.table.column, e.g. orders-db/app/public.customers.email",
            );
            return None;
        };
        if !targets.iter().any(|t| t == target) {
            self.no_such(at, target, "target", targets.iter().map(String::as_str));
            return None;
        }
        if column == "*" {
            self.wrong(
                at,
                text,
                "names no column",
                "name it; only the database, the schema and the table may be *",
            );
            return None;
        }
        if database.is_empty() {
            self.wrong(
                at,
                text,
                "names no database",
                "name one, or write * for every database of the target",
            );
            return None;
        }
        Some(ColumnName {
            target: target.to_owned(),
            database: (database != "*").then(|| database.to_owned()),
            schema: schema.clone(),
            table: table.clone(),
            column: column.clone(),
        })
    }

    pub(super) fn holds(&mut self, raw: RawHolds, at: &Place, default: HoldTimes) -> HoldTimes {
        let most = Duration::from_secs(30 * 86400);
        let times = HoldTimes {
            hold_wait_max: self.span(
                &at.key("wait_max"),
                raw.wait_max,
                default.hold_wait_max,
                minutes(60),
            ),
            ticket_lifetime: self.span(
                &at.key("ticket_lifetime"),
                raw.ticket_lifetime,
                default.ticket_lifetime,
                most,
            ),
            notice_every: self.span(
                &at.key("notice_every"),
                raw.notice_every,
                default.notice_every,
                minutes(5),
            ),
        };
        if times.ticket_lifetime < times.hold_wait_max {
            self.bad(
                &at.key("ticket_lifetime"),
                "is shorter than `wait_max`, so a question would end while its connection still waits",
                "make it at least as long",
            );
        }
        times
    }

    pub(super) fn routes(
        &mut self,
        raw: BTreeMap<String, RawRoute>,
        targets: &[String],
        labels: &BTreeSet<String>,
    ) -> Vec<Route> {
        let mut routes = Vec::new();
        for (name, at, raw) in named(self, "routes", raw, false) {
            if let Some(url) = &raw.url {
                self.url(&at.key("url"), url);
            }
            let secret = raw
                .secret
                .and_then(|s| self.secret(&at.key("secret"), &s, false));
            let ca = raw
                .ca
                .and_then(|ca| self.pem(&at.key("ca"), &ca, Pem::Certificates));
            let matching = self.matching(&at.key("match"), raw.matching, targets, labels);
            if let (Some(url), Some(secret)) = (raw.url, secret) {
                routes.push(Route {
                    name,
                    url,
                    secret,
                    ca,
                    matching,
                    decisions: raw.decisions,
                });
            }
        }
        routes
    }

    fn matching(
        &mut self,
        at: &Place,
        raw: RawMatch,
        targets: &[String],
        labels: &BTreeSet<String>,
    ) -> Match {
        for (i, target) in raw.targets.iter().enumerate() {
            if !targets.contains(target) {
                self.no_such(
                    &at.key("targets").index(i),
                    target,
                    "target",
                    targets.iter().map(String::as_str),
                );
            }
        }
        for (i, label) in raw.labels.iter().enumerate() {
            if !labels.contains(label) {
                self.no_such(
                    &at.key("labels").index(i),
                    label,
                    "label",
                    labels.iter().map(String::as_str),
                );
            }
        }
        Match {
            rules: raw.rules,
            targets: raw.targets,
            labels: raw.labels,
            effects: raw.effects.into_iter().map(effect_of).collect(),
        }
    }

    pub(super) fn limits(&mut self, raw: RawLimits) -> Option<Limits> {
        let at = Place::root().key("limits");
        let seconds = Duration::from_secs;
        let connections_max = raw.connections_max.unwrap_or(1000);
        Some(Limits {
            connections_max,
            connections_of_one_max: raw
                .connections_of_one_max
                .unwrap_or(connections_max.div_ceil(2)),
            api_connections_max: raw.api_connections_max.unwrap_or(256),
            watchers_max: raw.watchers_max.unwrap_or(64),
            session_watchers_max: raw.session_watchers_max.unwrap_or(8),
            statement_bytes_max: raw.statement_bytes_max.unwrap_or(1024 * 1024),
            login_max: self.span(&at.key("login_max"), raw.login_max, seconds(10), minutes(2)),
            expiry_grace: self.span(
                &at.key("expiry_grace"),
                raw.expiry_grace,
                seconds(60),
                minutes(60),
            ),
            catalogue_age_max: self.span(
                &at.key("catalogue_age_max"),
                raw.catalogue_age_max,
                seconds(1),
                minutes(1),
            ),
            drain_max: self.span(
                &at.key("drain_max"),
                raw.drain_max,
                seconds(30),
                minutes(60),
            ),
            questions_per_minute_max: raw.questions_per_minute_max.unwrap_or(10),
            credential_lifetime_max: self.span(
                &at.key("credential_lifetime_max"),
                raw.credential_lifetime_max,
                minutes(60),
                minutes(24 * 60),
            ),
            own_token_lifetime_max: self.span(
                &at.key("own_token_lifetime_max"),
                raw.own_token_lifetime_max,
                minutes(15),
                brattice_core::usage::TOKEN_LIFETIME_MAX,
            ),
            sign_in_max: self.span(
                &at.key("sign_in_max"),
                raw.sign_in_max,
                minutes(12 * 60),
                minutes(7 * 24 * 60),
            ),
            delegation_lifetime_max: self.span(
                &at.key("delegation_lifetime_max"),
                raw.delegation_lifetime_max,
                minutes(24 * 60),
                minutes(31 * 24 * 60),
            ),
            delegation_proof_age_max: self.span(
                &at.key("delegation_proof_age_max"),
                raw.delegation_proof_age_max,
                minutes(24 * 60),
                minutes(7 * 24 * 60),
            ),
        })
    }
}

fn effect_of(raw: RawEffect) -> Effect {
    match raw {
        RawEffect::Read => Effect::Read,
        RawEffect::Write => Effect::Write,
        RawEffect::Administer => Effect::Administer,
        RawEffect::Destroy => Effect::Destroy,
        RawEffect::Execute => Effect::Execute,
        RawEffect::Unknown => Effect::Unknown,
    }
}

//! Targets: where they are, how they are reached, and what policy knows of them.

use super::{Checker, Pem, is_loopback_host, named};
use crate::config::checked::{AllowedFunction, TargetConfig, TargetTls, TlsMode};
use crate::config::place::Place;
use crate::config::raw::{RawProtocol, RawTarget, RawTargetTls, RawTlsMode};
use brattice_core::approval::HoldTimes;
use brattice_core::target::{Protocol, Target};
use std::collections::BTreeMap;

/// The longest identifier that PostgreSQL keeps.
const IDENTIFIER_BYTES_MAX: usize = 63;

impl Checker<'_> {
    pub(super) fn targets(
        &mut self,
        raw: BTreeMap<String, RawTarget>,
        holds: HoldTimes,
    ) -> BTreeMap<String, TargetConfig> {
        named(self, "targets", raw, false)
            .into_iter()
            .filter_map(|(name, at, raw)| Some((name.clone(), self.target(name, &at, raw, holds)?)))
            .collect()
    }

    fn target(
        &mut self,
        name: String,
        at: &Place,
        raw: RawTarget,
        holds: HoldTimes,
    ) -> Option<TargetConfig> {
        match raw.protocol {
            Some(RawProtocol::Ssh) => return self.host_target(name, at, raw, holds),
            Some(RawProtocol::Postgres) => self.not_of_a_database(at, &raw),
            // That is wrong by itself; what else is wrong shall be told with it, as of the protocol that most have.
            None => {}
        }
        let labels = raw
            .labels
            .map(|labels| self.labels(&at.key("labels"), labels));
        let host = raw.host.and_then(|host| self.host(&at.key("host"), host));
        let tls = self.target_tls(&at.key("tls"), raw.tls, host.as_deref());
        let has_user = raw.user.is_some();
        let credential = self.credential(at, raw.password, raw.client_certificate, has_user);
        self.rds_is_verified(&at.key("tls").key("mode"), credential.as_ref(), tls.mode);
        let user = self.user(&at.key("user"), raw.user, credential.as_ref());
        let template = raw.ephemeral.map(|e| {
            self.template(
                &at.key("ephemeral").key("template"),
                e.template,
                user.as_deref(),
                credential.as_ref(),
            )
        });
        let database = raw
            .database
            .and_then(|name| self.identifier(&at.key("database"), name));
        let databases = self.databases(at, database.as_deref(), raw.databases);
        let search_path = self.identifiers(
            &at.key("search_path"),
            raw.search_path.unwrap_or_else(|| vec!["public".to_owned()]),
        );
        let functions = self.functions(&at.key("functions"), raw.functions);
        let holds = self.holds(raw.holds, &at.key("holds"), holds);
        Some(TargetConfig {
            target: Target {
                name,
                protocol: Protocol::Postgres,
                labels: labels?,
                observe: raw.observe,
            },
            host: host?,
            port: raw.port.unwrap_or(5432),
            tls,
            database,
            databases,
            user: user?,
            credential: credential?,
            template: match template {
                Some(given) => Some(given?),
                None => None,
            },
            connections_max: raw.connections_max.unwrap_or(50),
            holds,
            search_path,
            functions,
            ssh: None,
        })
    }

    pub(super) fn labels(
        &mut self,
        at: &Place,
        labels: BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        for (key, value) in &labels {
            let fine = |text: &str| {
                !text.is_empty()
                    && text.len() <= 63
                    && text
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
            };
            if !fine(key) || !fine(value) {
                self.wrong(
                    &at.key(key),
                    value,
                    "is not a label",
                    "use letters, digits, and - _ . / in key and value, at most 63 of them",
                );
            }
        }
        if !labels.contains_key("env") {
            self.bad(
                &at.key("env"),
                "is required and missing",
                "say where this target belongs, e.g. env = \"production\"",
            );
        }
        labels
    }

    pub(super) fn host(&mut self, at: &Place, host: String) -> Option<String> {
        match url::Host::parse(&host) {
            Ok(_) => Some(host),
            Err(_) if host.parse::<std::net::Ipv6Addr>().is_ok() => Some(host),
            Err(_) => {
                self.wrong(
                    at,
                    &host,
                    "is not a host name or an address",
                    "write e.g. db.example.com, without a port",
                );
                None
            }
        }
    }

    fn target_tls(&mut self, at: &Place, raw: RawTargetTls, host: Option<&str>) -> TargetTls {
        let mode = match raw.mode.unwrap_or(RawTlsMode::VerifyFull) {
            RawTlsMode::Disable => TlsMode::Disable,
            RawTlsMode::Require => TlsMode::Require,
            RawTlsMode::VerifyCa => TlsMode::VerifyCa,
            RawTlsMode::VerifyFull => TlsMode::VerifyFull,
        };
        let remote = host.is_some_and(|h| !is_loopback_host(h));
        if mode == TlsMode::Disable && remote && !raw.allow_plaintext {
            self.wrong(
                &at.key("mode"),
                "disable",
                "data and credentials would cross the network in clear",
                "use verify-full with `ca`; or, on a network that you trust wholly, say allow_plaintext = true",
            );
        }
        if matches!(mode, TlsMode::Disable | TlsMode::Require)
            && let Some(ca) = &raw.ca
        {
            self.wrong(
                &at.key("ca"),
                ca,
                "is not looked at in this mode",
                "use mode = \"verify-full\", or take it out",
            );
        }
        if matches!(mode, TlsMode::VerifyCa | TlsMode::VerifyFull) && raw.ca.is_none() {
            self.bad(
                &at.key("ca"),
                "is missing, so nothing could verify the target's certificate",
                "give the PEM file of the authority that signed it; on this machine alone, mode = \"disable\" does",
            );
        }
        let ca = raw
            .ca
            .and_then(|ca| self.pem(&at.key("ca"), &ca, Pem::Certificates));
        TargetTls { mode, ca }
    }

    fn databases(&mut self, at: &Place, default: Option<&str>, listed: Vec<String>) -> Vec<String> {
        let mut databases = self.identifiers(&at.key("databases"), listed);
        if let Some(default) = default {
            if databases.is_empty() {
                databases.push(default.to_owned());
            } else if !databases.iter().any(|d| d == default) {
                self.wrong(
                    &at.key("database"),
                    default,
                    "is not among `databases`",
                    "add it there",
                );
            }
        }
        databases
    }

    fn identifiers(&mut self, at: &Place, names: Vec<String>) -> Vec<String> {
        names
            .into_iter()
            .enumerate()
            .filter_map(|(i, name)| self.identifier(&at.index(i), name))
            .collect()
    }

    pub(super) fn identifier(&mut self, at: &Place, name: String) -> Option<String> {
        if name.is_empty()
            || name.len() > IDENTIFIER_BYTES_MAX
            || name.chars().any(char::is_control)
        {
            self.wrong(
                at,
                &name,
                "is not a name that the target can have",
                format!("give 1 to {IDENTIFIER_BYTES_MAX} bytes without control characters"),
            );
            return None;
        }
        Some(name)
    }

    fn functions(&mut self, at: &Place, listed: Vec<String>) -> Vec<AllowedFunction> {
        let mut functions = Vec::new();
        for (i, text) in listed.iter().enumerate() {
            match function_of(text) {
                Some(function) if function.schema == "pg_catalog" => self.wrong(
                    &at.index(i),
                    text,
                    "is the server's own function, which the catalogue decides about",
                    "take it out; permit `sql.call` on it in a rule if it is needed",
                ),
                Some(function) => functions.push(function),
                None => self.wrong(
                    &at.index(i),
                    text,
                    "is not a function with its arguments",
                    "write e.g. public.slugify(text), public.refund(uuid,numeric), or public.slugify(*) for every overload",
                ),
            }
        }
        functions
    }
}

/// Reads `schema.name(types)`.
fn function_of(text: &str) -> Option<AllowedFunction> {
    let (path, arguments) = text.strip_suffix(')')?.split_once('(')?;
    let parts = super::super::names::parts(path.trim())?;
    let [schema, name] = parts.as_slice() else {
        return None;
    };
    let arguments = match arguments.trim() {
        "*" => None,
        "" => Some(Vec::new()),
        list => {
            let types: Vec<String> = list.split(',').map(|t| t.trim().to_owned()).collect();
            if types
                .iter()
                .any(|t| t.is_empty() || t.contains(['(', '*', ';']))
            {
                return None;
            }
            Some(types)
        }
    };
    Some(AllowedFunction {
        schema: schema.clone(),
        name: name.clone(),
        arguments,
    })
}

//! Targets: where they are, how they are reached, with which credential, and what policy knows of them.

use super::{Checker, Pem, is_loopback_host, named};
use crate::config::checked::{
    AllowedFunction, SecretSource, TargetConfig, TargetCredential, TargetTls, TlsMode,
};
use crate::config::place::Place;
use crate::config::raw::{RawProtocol, RawTarget, RawTargetTls, RawTlsFiles, RawTlsMode};
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
        let labels = raw
            .labels
            .map(|labels| self.labels(&at.key("labels"), labels));
        let host = raw.host.and_then(|host| self.host(&at.key("host"), host));
        let tls = self.target_tls(&at.key("tls"), raw.tls, host.as_deref());
        let credential = self.credential(at, raw.password, raw.client_certificate);
        let user = self.user(&at.key("user"), raw.user, credential.as_ref());
        let template = raw.ephemeral.map(|e| {
            self.template(
                &at.key("ephemeral").key("template"),
                e.template,
                user.as_deref(),
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
        let protocol = match raw.protocol? {
            RawProtocol::Postgres => Protocol::Postgres,
        };
        Some(TargetConfig {
            target: Target {
                name,
                protocol,
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
        })
    }

    fn labels(&mut self, at: &Place, labels: BTreeMap<String, String>) -> BTreeMap<String, String> {
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

    fn host(&mut self, at: &Place, host: String) -> Option<String> {
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

    fn credential(
        &mut self,
        at: &Place,
        password: Option<String>,
        certificate: Option<RawTlsFiles>,
    ) -> Option<TargetCredential> {
        let password_at = at.key("password");
        let given = (password.is_some(), certificate.is_some());
        let password = password.and_then(|text| self.secret(&password_at, &text, true));
        let files = certificate.and_then(|f| self.tls_files(&at.key("client_certificate"), f));
        match given {
            (true, true) => match password? {
                SecretSource::Vault(path) if path.field.is_none() => {
                    self.bad(
                        &password_at,
                        "has a user made for each session, to whom no certificate belongs",
                        "take client_certificate out, or name a value that the vault keeps: vault:NAME/MOUNT/PATH#FIELD",
                    );
                    None
                }
                kept => Some(TargetCredential::Both(kept, files?)),
            },
            (true, false) => password.map(|source| match source {
                SecretSource::Vault(path) if path.field.is_none() => TargetCredential::Issued(path),
                kept => TargetCredential::Password(kept),
            }),
            (false, true) => files.map(TargetCredential::Certificate),
            (false, false) => {
                if !self
                    .report
                    .problems
                    .iter()
                    .any(|p| p.path.starts_with(&password_at.to_string()))
                {
                    self.bad(
                        &password_at,
                        "is missing, and there is no client certificate either",
                        "give password = \"env:NAME\", \"file:PATH\" or \"sealed\", or client_certificate = { cert, key }",
                    );
                }
                None
            }
        }
    }

    /// The role to log in with; none where a vault makes it.
    fn user(
        &mut self,
        at: &Place,
        user: Option<String>,
        credential: Option<&TargetCredential>,
    ) -> Option<String> {
        match (user, credential) {
            (None, Some(TargetCredential::Issued(_))) => Some(String::new()),
            (Some(user), Some(TargetCredential::Issued(_))) => {
                self.wrong(
                    at,
                    &user,
                    "is not who logs in, since a vault makes a user for each session",
                    "take it out",
                );
                None
            }
            (Some(user), _) => self.identifier(at, user),
            (None, _) => {
                self.bad(
                    at,
                    "is required and missing",
                    "name the role that the gateway logs in with",
                );
                None
            }
        }
    }

    fn template(
        &mut self,
        at: &Place,
        template: Option<String>,
        user: Option<&str>,
    ) -> Option<String> {
        let template = self.identifier(at, template?)?;
        if user == Some("") {
            self.wrong(
                at,
                &template,
                "makes a role for each session, and so does the vault that the password comes from",
                "take one of the two out",
            );
            return None;
        }
        if Some(template.as_str()) == user {
            self.wrong(
                at,
                &template,
                "is the role that makes the sessions' roles, so they would have its rights",
                "name the role whose rights agents should have, and let `user` be a member of it WITH ADMIN OPTION",
            );
            return None;
        }
        Some(template)
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

    fn identifier(&mut self, at: &Place, name: String) -> Option<String> {
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

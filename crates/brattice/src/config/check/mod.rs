//! From what is written to what is meant: every rule about values, each misfit reported and none hiding another.
//!
//! Lives here: the checker with its helpers, and the assembly of [`Checked`]. Never: reading documents, kinds of values
//! (`shape` has seen to those).

mod aws;
mod credentials;
mod hosts;
mod issuers;
mod listen;
mod rest;
mod saml;
mod spiffe;
mod targets;
mod vaults;
mod volume;

use super::checked::{Checked, SecretSource, TlsFiles};
use super::place::{Place, Places};
use super::raw::{RawConfig, RawTlsFiles};
use super::report::{Problem, Report};
use super::shape::shorten;
use super::{Options, rules, suggest};
use brattice_core::ids::Digest;
use brattice_core::mask::Classes;
use brattice_core::policy::{Rules, SourceFile};
use brattice_identity::lend::{AwsSecret, VaultPath};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// What the bundle is besides `brattice.toml`.
pub(super) struct Bundle {
    pub(super) root: PathBuf,
    pub(super) digest: Digest,
    pub(super) policies: Vec<SourceFile>,
    /// Whether the provider of `brattice dev` stands in for a real one.
    pub(super) stand_in: bool,
}

/// Checks everything; a [`Checked`] comes out only when nothing at all was reported.
pub(super) fn run(
    raw: RawConfig,
    bundle: Bundle,
    file: &str,
    places: &Places,
    options: Options,
    mut report: Report,
) -> Result<Checked, Report> {
    let data_classes = rules::classes(&raw).unwrap_or_else(|problems| {
        report.problems.extend(problems);
        Classes::builtin()
    });
    let known = rules::known(&raw, &data_classes);
    let rules = match Rules::load(&bundle.policies, &known) {
        Ok(rules) => Some(Arc::new(rules)),
        Err(problems) => {
            report.problems.extend(problems.iter().map(rules::problem));
            None
        }
    };
    let mut c = Checker {
        file,
        root: &bundle.root,
        places,
        options,
        stand_in: bundle.stand_in,
        report,
    };
    let time_zone = c.time_zone(raw.time_zone);
    let certificates_given = raw.listen.as_ref().and_then(|l| l.client_certificates);
    let mut listen = raw.listen.and_then(|l| c.listen(l));
    let store = raw.store.and_then(|s| c.store(s));
    let recording = raw.recording.and_then(|r| c.recording(r));
    let issuers = c.issuers(raw.issuers.unwrap_or_default());
    c.development(&issuers, listen.as_ref());
    let holds = c.holds(raw.holds, &Place::root().key("holds"), Default::default());
    let saml = c.saml(raw.saml, &issuers);
    let saml_names: Vec<&str> = saml.iter().map(|s| s.name.as_str()).collect();
    let spiffe = c.spiffe(raw.spiffe, &saml_names);
    if let Some(listen) = &mut listen {
        listen.client_certificates = certificates_given.unwrap_or(!spiffe.is_empty());
    }
    if certificates_given == Some(false) && !spiffe.is_empty() {
        c.bad(
            &Place::root().keys(&["listen", "client_certificates"]),
            "contradicts `spiffe`: workloads show their certificates when they are asked",
            "take one of the two out",
        );
    }
    c.certificates(listen.as_ref(), &spiffe);
    let providers: Vec<&str> = issuers
        .iter()
        .map(|i| i.name.as_str())
        .chain(saml.iter().map(|s| s.name.as_str()))
        .chain(spiffe.iter().map(|s| s.name.as_str()))
        .collect();
    let owners = c.owners(raw.owners, &providers);
    let names: Vec<String> = raw.targets.keys().cloned().collect();
    let vault_names: Vec<String> = raw.vaults.keys().cloned().collect();
    let vaults = c.vaults(raw.vaults);
    let aws_names: Vec<String> = raw.aws.keys().cloned().collect();
    let aws = c.aws(raw.aws);
    let targets = c.targets(raw.targets, holds);
    c.vaults_of(&targets, &vault_names);
    c.aws_of(&targets, &aws, &aws_names);
    c.sealing(&targets, store.as_ref());
    let classes = c.classes(raw.classes, &names);
    let labels = targets
        .values()
        .flat_map(|t| t.target.labels.iter().map(|(k, v)| format!("{k}={v}")))
        .collect();
    let routes = c.routes(raw.routes, &names, &labels);
    let limits = c.limits(raw.limits);
    let mut report = c.report;
    let (Some(listen), Some(store), Some(recording), Some(limits), Some(rules), true) =
        (listen, store, recording, limits, rules, report.is_empty())
    else {
        report.sort();
        return Err(report);
    };
    Ok(Checked {
        root: bundle.root,
        digest: bundle.digest,
        time_zone,
        listen,
        data_dir: store.directory,
        database: store.database,
        sealing_key: store.sealing_key,
        recording,
        issuers,
        saml,
        spiffe,
        owners,
        vaults,
        aws,
        targets,
        classes,
        data_classes: Arc::new(data_classes),
        holds,
        routes,
        policies: bundle.policies,
        rules,
        limits,
    })
}

/// Collects problems while values are turned into what they mean.
pub(super) struct Checker<'a> {
    file: &'a str,
    root: &'a Path,
    places: &'a Places,
    options: Options,
    stand_in: bool,
    report: Report,
}

impl Checker<'_> {
    /// Reports a value that is wrong.
    fn wrong(&mut self, at: &Place, value: &str, what: impl Into<String>, mend: impl Into<String>) {
        self.push(
            at,
            Some(format!("\"{}\"", shorten(value))),
            what.into(),
            mend.into(),
        );
    }

    /// Reports something that is wrong about a place as such.
    fn bad(&mut self, at: &Place, what: impl Into<String>, mend: impl Into<String>) {
        self.push(at, None, what.into(), mend.into());
    }

    fn push(&mut self, at: &Place, value: Option<String>, what: String, mend: String) {
        self.report.problems.push(Problem {
            file: self.file.to_owned(),
            line: self.places.line(at),
            path: at.to_string(),
            value,
            what,
            mend,
        });
    }

    /// A name: lower-case letters, digits and hyphens (and underscores where `underscores`), beginning with a letter.
    fn name(&mut self, at: &Place, name: &str, underscores: bool) -> bool {
        let ok = name.len() <= 63
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| {
                c.is_ascii_lowercase()
                    || c.is_ascii_digit()
                    || c == '-'
                    || (underscores && c == '_')
            });
        if !ok {
            let also = if underscores {
                ", hyphens and underscores"
            } else {
                " and hyphens"
            };
            self.bad(
                at,
                "is not a name",
                format!("use at most 63 lower-case letters, digits{also}, beginning with a letter"),
            );
        }
        ok
    }

    /// A span of time such as `90s`, `2m`, `1h`, `30d`, within bounds.
    fn span(
        &mut self,
        at: &Place,
        text: Option<String>,
        default: Duration,
        most: Duration,
    ) -> Duration {
        let Some(text) = text else { return default };
        match span_of(&text) {
            Some(span) if span > Duration::ZERO && span <= most => span,
            Some(_) => {
                self.wrong(
                    at,
                    &text,
                    "is out of range",
                    format!("give more than 0s and at most {}", print_span(most)),
                );
                default
            }
            None => {
                self.wrong(
                    at,
                    &text,
                    "is not a span of time",
                    "write a number and a unit: 500ms, 15s, 2m, 1h, 30d",
                );
                default
            }
        }
    }

    /// An address with its port.
    fn address(&mut self, at: &Place, text: &str) -> Option<SocketAddr> {
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                self.wrong(
                    at,
                    text,
                    "is not an IP address with a port",
                    "write e.g. 127.0.0.1:5432, 0.0.0.0:5432 or [::]:5432",
                );
                None
            }
        }
    }

    /// A file of the bundle; must be there unless files are not looked at.
    fn file(&mut self, at: &Place, text: &str) -> Option<PathBuf> {
        if text.is_empty() {
            self.wrong(
                at,
                text,
                "is not a path",
                "give the path of a file, relative to the bundle's directory",
            );
            return None;
        }
        let path = self.root.join(text);
        if self.options.files
            && let Err(why) = std::fs::File::open(&path)
                .and_then(|f| f.metadata())
                .and_then(|m| {
                    if m.is_file() {
                        Ok(())
                    } else {
                        Err(std::io::Error::other("it is not a file"))
                    }
                })
        {
            self.wrong(
                at,
                text,
                format!("cannot be read: {why}"),
                format!("put the file at {}", path.display()),
            );
        }
        Some(path)
    }

    /// A PEM file that holds at least one block of one of these kinds.
    fn pem(&mut self, at: &Place, text: &str, kind: Pem) -> Option<PathBuf> {
        let before = self.report.problems.len();
        let path = self.file(at, text)?;
        if self.options.files
            && self.report.problems.len() == before
            && let Err(why) = kind.read(&path)
        {
            self.wrong(at, text, why, format!("give {}", kind.wanted()));
        }
        Some(path)
    }

    /// A certificate and its key.
    fn tls_files(&mut self, at: &Place, raw: RawTlsFiles) -> Option<TlsFiles> {
        let cert = raw
            .cert
            .and_then(|c| self.pem(&at.key("cert"), &c, Pem::Certificates));
        let key = raw.key.and_then(|k| self.pem(&at.key("key"), &k, Pem::Key));
        Some(TlsFiles {
            cert: cert?,
            key: key?,
        })
    }

    /// Where a secret comes from. The text is never repeated: it may be the secret itself.
    fn secret(&mut self, at: &Place, text: &str, sealed: bool) -> Option<SecretSource> {
        match text.split_once(':') {
            Some(("env", name)) if is_variable(name) => Some(SecretSource::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => self
                .file(at, path)
                .map(|p| SecretSource::File(std::path::absolute(&p).unwrap_or(p))),
            None if sealed && text == "sealed" => Some(SecretSource::Sealed),
            Some(("vault", _)) if sealed => match text.parse::<VaultPath>() {
                Ok(path) => Some(SecretSource::Vault(path)),
                Err(_) => {
                    self.bad(
                        at,
                        "does not say where in a vault the secret is",
                        "write vault:NAME/MOUNT/PATH#FIELD for a value that is kept (KV version 2), or \
                         vault:NAME/MOUNT/creds/ROLE for a user of each session's own; a step of a path has letters, \
                         digits and - _ .",
                    );
                    None
                }
            },
            Some(("aws", _)) if sealed => match text.parse::<AwsSecret>() {
                Ok(secret) => Some(SecretSource::Aws(secret)),
                Err(_) => {
                    self.bad(
                        at,
                        "does not say which secret of AWS it is",
                        "write aws:NAME/SECRET#KEY with the secret's name or its whole ARN, aws:NAME/SECRET#KEY,KEY for \
                         user and password, or aws:NAME/SECRET for a secret that is the password itself; a key has \
                         letters, digits and - _ .",
                    );
                    None
                }
            },
            _ => {
                let also = if sealed {
                    ", sealed for the sealed store, vault:NAME/MOUNT/PATH#FIELD for a vault, aws:NAME/SECRET#KEY for AWS \
                     Secrets Manager, or rds-iam:NAME for a signed login at RDS"
                } else {
                    ""
                };
                self.bad(
                    at,
                    "does not say where the secret comes from (if it is the secret itself, replace that secret now)",
                    format!("write env:NAME for an environment variable, file:PATH for a file{also}"),
                );
                None
            }
        }
    }

    /// An address that is `https`, or `http` on this machine.
    fn url(&mut self, at: &Place, text: &str) -> Option<Url> {
        let Ok(url) = Url::parse(text) else {
            self.wrong(
                at,
                text,
                "is not a URL",
                "write e.g. https://id.example.com",
            );
            return None;
        };
        if !url.username().is_empty() || url.password().is_some() {
            self.bad(
                at,
                "holds a user name or a password",
                "take them out of the URL",
            );
            return None;
        }
        let local = match url.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        match (url.scheme(), url.host().is_some()) {
            ("https", true) => Some(url),
            ("http", true) if local => Some(url),
            ("http", true) => {
                self.wrong(
                    at,
                    text,
                    "is not protected",
                    "use https; http is taken for addresses of this machine only",
                );
                None
            }
            _ => {
                self.wrong(
                    at,
                    text,
                    "is not a web address",
                    "begin it with https:// and a host",
                );
                None
            }
        }
    }

    fn time_zone(&mut self, name: Option<String>) -> String {
        let name = name.unwrap_or_else(|| "UTC".to_owned());
        if jiff::tz::TimeZone::get(&name).is_err() {
            let at = Place::root().key("time_zone");
            self.wrong(
                &at,
                &name,
                "is not a known time zone",
                "give an IANA name such as UTC or Europe/Paris",
            );
        }
        name
    }

    /// Reports a name that nothing in the bundle has.
    fn no_such<'k>(
        &mut self,
        at: &Place,
        name: &str,
        kind: &str,
        known: impl Iterator<Item = &'k str> + Clone,
    ) {
        let mend = match suggest::nearest(name, known.clone()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => {
                let all: Vec<&str> = known.collect();
                if all.is_empty() {
                    format!("this bundle has no {kind} yet")
                } else {
                    format!("known: {}", all.join(", "))
                }
            }
        };
        self.wrong(at, name, format!("is not a {kind} of this bundle"), mend);
    }
}

/// What a PEM file is to hold.
#[derive(Clone, Copy)]
pub(super) enum Pem {
    Certificates,
    Key,
}

impl Pem {
    fn read(self, path: &Path) -> Result<(), String> {
        use rustls_pki_types::pem::PemObject;
        use rustls_pki_types::{CertificateDer, PrivateKeyDer};
        match self {
            Pem::Certificates => {
                let found = CertificateDer::pem_file_iter(path)
                    .map_err(|e| format!("cannot be read: {e}"))?;
                let good = found
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|e| format!("is not valid PEM: {e}"))?;
                if good.is_empty() {
                    Err("holds no certificate".to_owned())
                } else {
                    Ok(())
                }
            }
            Pem::Key => PrivateKeyDer::from_pem_file(path)
                .map(|_| ())
                .map_err(|_| "holds no private key that can be read".to_owned()),
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Pem::Certificates => "a PEM file with `BEGIN CERTIFICATE` blocks",
            Pem::Key => "a PEM file with an unencrypted `BEGIN PRIVATE KEY` block",
        }
    }
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a host, as written, is this machine.
pub(super) fn is_loopback_host(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Reads `500ms`, `15s`, `2m`, `1h`, `30d`.
pub(crate) fn span_of(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3600),
        "d" => seconds(86400),
        _ => None,
    }
}

/// Prints a span in the largest unit that is exact.
pub(crate) fn print_span(span: Duration) -> String {
    let (ms, s) = (span.subsec_millis(), span.as_secs());
    match s {
        _ if ms > 0 => format!("{}ms", span.as_millis()),
        s if s > 0 && s % 86400 == 0 => format!("{}d", s / 86400),
        s if s > 0 && s % 3600 == 0 => format!("{}h", s / 3600),
        s if s > 0 && s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// Keys of a table that came through a name check.
fn named<T>(
    c: &mut Checker<'_>,
    table: &str,
    raw: BTreeMap<String, T>,
    underscores: bool,
) -> Vec<(String, Place, T)> {
    raw.into_iter()
        .map(|(name, value)| {
            let at = Place::root().key(table).key(&name);
            c.name(&at, &name, underscores);
            (name, at, value)
        })
        .collect()
}

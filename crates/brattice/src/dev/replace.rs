//! What stands in for parts of a bundle while it is tried: listeners on loopback, state in the state directory, and one
//! provider whose people are made up. Targets, classes, rules and bounds are the bundle's own.
//!
//! Lives here: those tables. Never: a change of the bundle's files.

use super::DevError;
use super::parties::AUDIENCE;
use super::state::State;
use crate::dev_issuer::CLIENT;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The provider's name where the bundle names none.
const ISSUER: &str = "dev";
const POSTGRES_PORT: u16 = 6432;
const ADMIN_PORT: u16 = 8443;

/// What of a bundle's own tables stays in those that stand in for them.
#[derive(Debug)]
pub(super) struct Stage {
    issuer: String,
    postgres: SocketAddr,
    admin: SocketAddr,
    ssh: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    sealing_key: Option<String>,
    limits: Table,
}

impl Stage {
    /// Looks at a bundle. What is wrong with it otherwise is told when it is checked.
    pub(super) fn of(bundle: &Path) -> Result<Self, DevError> {
        let path = if bundle.is_dir() {
            bundle.join(crate::config::FILE_NAME)
        } else {
            bundle.to_owned()
        };
        let text = std::fs::read_to_string(&path).map_err(|why| failed(&path, why.to_string()))?;
        let own: Table =
            toml::from_str(&text).map_err(|why| failed(&path, why.message().to_owned()))?;
        let issuers: Vec<String> = own
            .get("issuers")
            .and_then(Value::as_table)
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect();
        let issuer = match issuers.as_slice() {
            [] => ISSUER.to_owned(),
            [only] => only.clone(),
            _ => {
                let why = format!(
                    "it has {} identity providers, and `brattice dev` stands in for one",
                    issuers.len()
                );
                return Err(failed(&path, why));
            }
        };
        let text_at =
            |table: &str, key: &str| own.get(table)?.get(key)?.as_str().map(str::to_owned);
        let address = |listener: &str| -> Option<SocketAddr> {
            own.get("listen")?
                .get(listener)?
                .get("address")?
                .as_str()?
                .parse()
                .ok()
        };
        Ok(Self {
            issuer,
            postgres: here(address("postgres"), POSTGRES_PORT),
            admin: here(address("admin"), ADMIN_PORT),
            ssh: address("ssh").map(|a| here(Some(a), a.port())),
            metrics: address("metrics").map(|a| here(Some(a), a.port())),
            sealing_key: text_at("store", "sealing_key"),
            limits: own
                .get("limits")
                .and_then(Value::as_table)
                .cloned()
                .unwrap_or_default(),
        })
    }

    /// The same on other ports, where they are given. A free one is found here, since addresses are told before anything
    /// listens.
    pub(super) fn at(mut self, port: Option<u16>, api_port: Option<u16>) -> Result<Self, DevError> {
        for (listener, port) in [(&mut self.postgres, port), (&mut self.admin, api_port)] {
            match port {
                Some(0) => *listener = free(*listener)?,
                Some(port) => listener.set_port(port),
                None => {}
            }
        }
        // Whoever takes any port for one takes any for the other.
        if let (Some(0), Some(ssh)) = (port, self.ssh) {
            self.ssh = Some(free(ssh)?);
        }
        Ok(self)
    }

    /// The tables.
    pub(super) fn instead(&self, state: &State, issuer_url: &str) -> Table {
        let text = |path: PathBuf| Value::from(path.display().to_string());
        let plain = ("allow_plaintext_loopback", Value::Boolean(true));
        let tls = table([
            ("cert", text(state.certificate())),
            ("key", text(state.certificate_key())),
        ]);
        let address = |a: SocketAddr| ("address", Value::from(a.to_string()));
        let mut listen = Table::new();
        listen.insert(
            "postgres".to_owned(),
            table([address(self.postgres), ("tls", tls), plain.clone()]),
        );
        listen.insert("admin".to_owned(), table([address(self.admin), plain]));
        if let Some(ssh) = self.ssh {
            listen.insert("ssh".to_owned(), table([address(ssh)]));
        }
        if let Some(metrics) = self.metrics {
            listen.insert("metrics".to_owned(), table([address(metrics)]));
        }
        let mut store = Table::from_iter([
            ("directory".to_owned(), text(state.data())),
            ("allow_volatile".to_owned(), Value::Boolean(true)),
        ]);
        if let Some(key) = &self.sealing_key {
            store.insert("sealing_key".to_owned(), Value::from(key.clone()));
        }
        let key = format!("file:{}", state.recording_key_file().display());
        let claims = table([
            ("agent_when", Value::Array(vec![Value::from("kind=agent")])),
            ("user_when", Value::Array(vec![Value::from("kind=user")])),
        ]);
        let issuer = table([
            ("url", Value::from(issuer_url)),
            ("development", Value::Boolean(true)),
            ("audiences", Value::Array(vec![Value::from(AUDIENCE)])),
            ("access_token_type_required", Value::Boolean(true)),
            // One machine, one clock.
            ("leeway", Value::from("1s")),
            ("claims", claims),
            (
                "sign_in",
                table([
                    ("client_id", Value::from(CLIENT)),
                    ("scopes", Value::Array(Vec::new())),
                ]),
            ),
        ]);
        // Whoever tries something out does not wait for it to end.
        let mut limits = self.limits.clone();
        limits.insert("drain_max".to_owned(), Value::from("1s"));
        Table::from_iter([
            ("listen".to_owned(), Value::Table(listen)),
            ("store".to_owned(), Value::Table(store)),
            ("limits".to_owned(), Value::Table(limits)),
            (
                "recording".to_owned(),
                table([("master_key", Value::from(key))]),
            ),
            (
                "issuers".to_owned(),
                Value::Table(Table::from_iter([(self.issuer.clone(), issuer)])),
            ),
        ])
    }
}

/// A listener's address on this machine alone.
fn here(wanted: Option<SocketAddr>, port: u16) -> SocketAddr {
    match wanted {
        Some(address) if address.ip().is_loopback() => address,
        other => SocketAddr::from((Ipv4Addr::LOCALHOST, other.map_or(port, |a| a.port()))),
    }
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Table(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

/// A port of this address that is free now.
fn free(address: SocketAddr) -> Result<SocketAddr, DevError> {
    let found = std::net::TcpListener::bind(SocketAddr::new(address.ip(), 0))
        .and_then(|listener| listener.local_addr());
    found.map_err(|why| DevError::Port(why.to_string()))
}

fn failed(path: &Path, why: String) -> DevError {
    DevError::Bundle {
        path: path.to_owned(),
        why,
    }
}

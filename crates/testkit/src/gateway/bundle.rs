//! The bundle of a test's gateway, as the files that people write.

use super::Ports;
use crate::postgres::tls::{SERVER_CERTIFICATE, SERVER_KEY};
use std::fmt::Write as _;
use std::path::PathBuf;

/// The directory of its state, in the bundle's.
pub(super) const DATA: &str = "data";

/// What kind of gateway to start.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// The program: `env!("CARGO_BIN_EXE_brattice")`.
    pub binary: PathBuf,
    /// Whether the PostgreSQL listener has a certificate. It takes plain connections from loopback all the same.
    pub tls: bool,
    /// Whether the REST API's listener has one. It is asked by clients of others then: what is here speaks plain HTTP.
    pub admin_tls: bool,
    /// Identity providers: a short name and the exact issuer. Their tokens say in `kind` whether they are an `agent`'s or
    /// a `user`'s, and have `brattice` for an audience.
    pub issuers: Vec<(String, String)>,
    /// What is reached.
    pub targets: Vec<TargetOptions>,
    /// Hosts that are reached. With one, there is a listener for SSH.
    pub hosts: Vec<HostOptions>,
    /// Further tables of `brattice.toml`: classes, holds, limits, owners.
    pub more: String,
    /// Files with rules, by name: `policies/agents.cedar`.
    pub policies: Vec<(String, String)>,
    /// Further variables of the gateway's environment.
    pub environment: Vec<(String, String)>,
}

/// A PostgreSQL server behind the gateway.
#[derive(Debug, Clone)]
pub struct TargetOptions {
    /// Its name.
    pub name: String,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The role the gateway logs in with; empty where a vault makes it or a secret names it.
    pub user: String,
    /// That role's password, or where it comes from: `file:PATH`, `vault:PLACE`, `aws:PLACE` or `rds-iam:NAME`.
    pub password: String,
    /// The database when the caller names only the target.
    pub database: String,
    /// Labels, as `key = value`.
    pub labels: Vec<(String, String)>,
    /// How the connection to it is protected: the keys of its `tls` table.
    pub tls: String,
    /// Further keys of its table.
    pub more: String,
}

/// A host behind the gateway.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Its name.
    pub name: String,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The account the gateway logs in to.
    pub user: String,
    /// Where its proof comes from: `private_key = "file:…"` or `password = "env:…"`.
    pub proof: String,
    /// Its keys, as `ssh-ed25519 AAAA…`.
    pub keys: Vec<String>,
    /// Its shell.
    pub shell: String,
    /// Labels, as `key = value`.
    pub labels: Vec<(String, String)>,
    /// Further keys of its table.
    pub more: String,
}

impl HostOptions {
    /// Its table, as it stands in `brattice.toml`.
    pub fn toml(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|(k, v)| format!("{k} = \"{v}\""))
            .collect();
        let keys: Vec<String> = self.keys.iter().map(|k| format!("\"{k}\"")).collect();
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[targets.{}]\nprotocol = \"ssh\"\nhost = \"127.0.0.1\"\nport = {}\nlabels = {{ {} }}\n\
             user = \"{}\"\n{}\nhost_keys = [{}]\nshell = \"{}\"\n{}\n\n",
            self.name,
            self.port,
            labels.join(", "),
            self.user,
            self.proof,
            keys.join(", "),
            self.shell,
            self.more,
        );
    }
}

impl GatewayOptions {
    /// The text of `brattice.toml`.
    pub(super) fn toml(&self, ports: Ports) -> String {
        let mut text = String::new();
        let mut listener = |name: &str, port: u16, more: &str| {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "[listen.{name}]\naddress = \"127.0.0.1:{port}\"\n{more}\n"
            );
        };
        let plain = "allow_plaintext_loopback = true\n";
        let tls =
            format!("{plain}tls = {{ cert = \"{SERVER_CERTIFICATE}\", key = \"{SERVER_KEY}\" }}\n");
        listener(
            "postgres",
            ports.postgres,
            if self.tls { &tls } else { plain },
        );
        listener(
            "admin",
            ports.admin,
            if self.admin_tls { &tls } else { plain },
        );
        listener("metrics", ports.metrics, "");
        if !self.hosts.is_empty() {
            listener("ssh", ports.ssh, "");
        }
        let _ = write!(
            text,
            "[store]\ndirectory = \"{DATA}\"\nallow_volatile = true\n\n\
             [recording]\nmaster_key = \"env:{}\"\n\n",
            super::RECORDING_KEY
        );
        for (name, url) in &self.issuers {
            let _ = write!(
                text,
                "[issuers.{name}]\nurl = \"{url}\"\ndevelopment = true\naudiences = [\"brattice\"]\n\
                 claims = {{ agent_when = [\"kind=agent\"], user_when = [\"kind=user\"] }}\n\n"
            );
        }
        for target in &self.targets {
            target.write(&mut text);
        }
        for host in &self.hosts {
            host.write(&mut text);
        }
        text.push_str(&self.more);
        text
    }

    /// The passwords, by the variables that the bundle names.
    pub(super) fn secrets(&self) -> Vec<(String, String)> {
        let secret = |t: &TargetOptions| (t.variable(), t.password.clone());
        let given = self.targets.iter().filter(|t| !t.is_source());
        given.map(secret).collect()
    }
}

impl TargetOptions {
    fn variable(&self) -> String {
        format!(
            "TARGET_{}_PASSWORD",
            self.name.to_uppercase().replace('-', "_")
        )
    }

    fn is_source(&self) -> bool {
        ["file:", "vault:", "aws:", "rds-iam:"]
            .iter()
            .any(|source| self.password.starts_with(source))
    }

    fn write(&self, text: &mut String) {
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|(k, v)| format!("{k} = \"{v}\""))
            .collect();
        let password = if self.is_source() {
            self.password.clone()
        } else {
            format!("env:{}", self.variable())
        };
        let user = match self.user.as_str() {
            "" => String::new(),
            user => format!("user = \"{user}\"\n"),
        };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[targets.{}]\nprotocol = \"postgres\"\nhost = \"127.0.0.1\"\nport = {}\n\
             tls = {{ {} }}\nlabels = {{ {} }}\ndatabase = \"{}\"\n{user}\
             password = \"{password}\"\n{}\n\n",
            self.name,
            self.port,
            self.tls,
            labels.join(", "),
            self.database,
            self.more,
        );
    }
}

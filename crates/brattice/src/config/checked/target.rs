//! Targets: where they are, and how the gateway proves itself there.
//!
//! Lives here: what one target needs. Never: who may reach it.

use super::{SecretSource, TlsFiles};
use brattice_core::approval::HoldTimes;
use brattice_core::classify::shell::Shell;
use brattice_core::target::Target;
use brattice_identity::lend::{AwsSecret, VaultPath};
use brattice_proxy::ssh::PublicKey;
use std::path::PathBuf;

/// A target with everything the gateway needs to reach it.
#[derive(Debug, Clone)]
pub struct TargetConfig {
    /// As policy sees it.
    pub target: Target,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: TargetTls,
    /// The database when the caller names none.
    pub database: Option<String>,
    /// Databases that may be reached; empty for any.
    pub databases: Vec<String>,
    /// The role the gateway logs in with; empty where a vault makes one for each session, or a secret names it.
    pub user: String,
    /// How it proves to be that role.
    pub credential: TargetCredential,
    /// The role whose rights sessions have, where each gets a role of its own.
    pub template: Option<String>,
    /// Connections at once.
    pub connections_max: u32,
    /// How long holds wait here.
    pub holds: HoldTimes,
    /// Schemas that a `search_path` may name.
    pub search_path: Vec<String>,
    /// Functions outside `pg_catalog` that are harmless.
    pub functions: Vec<AllowedFunction>,
    /// What else there is to a host; none for a database.
    pub ssh: Option<SshTarget>,
}

/// What a host has and a database has not.
#[derive(Debug, Clone)]
pub struct SshTarget {
    /// Its keys.
    pub keys: Vec<PublicKey>,
    /// Who may certify keys for it, instead.
    pub authorities: Vec<PublicKey>,
    /// The accounts that may be asked for; the first where none is named.
    pub accounts: Vec<String>,
    /// Their login shell.
    pub shell: Shell,
    /// Contents of its files are masked for whoever may not see them as they are.
    pub masks_files: bool,
}

impl TargetConfig {
    /// Whether the bundle lets anyone reach this database of the target.
    pub fn reaches(&self, database: &str) -> bool {
        self.databases.is_empty() || self.databases.iter().any(|d| d == database)
    }
}

/// How the connection to a target is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetTls {
    /// What is checked.
    pub mode: TlsMode,
    /// Certificates that the target's own must lead to; there in the modes that verify.
    pub ca: Option<PathBuf>,
}

/// What is checked of a target's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// No TLS.
    Disable,
    /// Any certificate.
    Require,
    /// One that leads to the authority.
    VerifyCa,
    /// The same, and it names the host.
    VerifyFull,
}

/// How the gateway proves itself to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetCredential {
    /// With a password.
    Password(SecretSource),
    /// With a certificate.
    Certificate(TlsFiles),
    /// With a certificate in TLS and a password within.
    Both(SecretSource, TlsFiles),
    /// As a user that a vault makes for each session.
    Issued(VaultPath),
    /// As the user that a secret of AWS names beside the password.
    AwsSecret(AwsSecret),
    /// With a login for RDS, signed by the one of this name.
    RdsIam(String),
    /// With a private key, over SSH.
    PrivateKey(SecretSource),
    /// With a key that is made for each session, and a certificate of the gateway's own for each login.
    Gateway,
    /// With such a key, and certificates that a vault signs.
    Signed(VaultPath),
}

impl TargetCredential {
    /// The key of the configuration that says where it comes from.
    pub fn key(&self) -> &'static str {
        match self {
            Self::PrivateKey(_) => "private_key",
            Self::Gateway | Self::Signed(_) => "certificate",
            _ => "password",
        }
    }
}

/// A function that the bundle calls harmless.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AllowedFunction {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Argument types as written, or `None` for every overload.
    pub arguments: Option<Vec<String>>,
}

impl AllowedFunction {
    /// `name(types)` or `name(*)`, as objects of policy have it.
    pub fn signature(&self) -> String {
        match &self.arguments {
            Some(types) => format!("{}({})", self.name, types.join(",")),
            None => format!("{}(*)", self.name),
        }
    }
}

//! Where the gateway listens, and with which certificates.
//!
//! Lives here: listeners. Never: what stands behind them.

use std::net::SocketAddr;
use std::path::PathBuf;

/// The listeners.
#[derive(Debug, Clone)]
pub struct Listen {
    /// PostgreSQL.
    pub postgres: Option<PostgresListener>,
    /// SSH.
    pub ssh: Option<SshListener>,
    /// REST.
    pub admin: AdminListener,
    /// Metrics and health.
    pub metrics: Option<SocketAddr>,
    /// Whether clients are asked for a certificate.
    pub client_certificates: bool,
}

impl Listen {
    /// Every address that is listened on.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        let postgres = self.postgres.as_ref().map(|p| p.addr);
        let ssh = self.ssh.as_ref().map(|s| s.addr);
        std::iter::once(self.admin.addr)
            .chain(postgres)
            .chain(ssh)
            .chain(self.metrics)
    }
}

/// The PostgreSQL listener. Without TLS it is on loopback, and `allow_plaintext_loopback` is set.
#[derive(Debug, Clone)]
pub struct PostgresListener {
    /// Where.
    pub addr: SocketAddr,
    /// Certificate and key.
    pub tls: Option<TlsFiles>,
    /// Connections without TLS are taken; the address is a loopback one.
    pub allow_plaintext_loopback: bool,
    /// The host that callers are told to connect to.
    pub public_host: String,
}

/// The SSH listener.
#[derive(Debug, Clone)]
pub struct SshListener {
    /// Where.
    pub addr: SocketAddr,
    /// The gateway's own key; one is made and kept where there is none.
    pub host_key: Option<PathBuf>,
    /// What signs the listener's certificate; as above.
    pub host_ca: Option<PathBuf>,
    /// What signs callers' certificates; as above.
    pub user_ca: Option<PathBuf>,
    /// What signs the gateway's logins at hosts; as above.
    pub target_ca: Option<PathBuf>,
    /// The host that callers are told to connect to.
    pub public_host: String,
}

/// The REST listener. Without TLS it is on loopback.
#[derive(Debug, Clone)]
pub struct AdminListener {
    /// Where.
    pub addr: SocketAddr,
    /// Certificate and key.
    pub tls: Option<TlsFiles>,
    /// The address that people use, without a slash at its end.
    pub public_url: String,
}

/// A certificate chain and its private key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
}

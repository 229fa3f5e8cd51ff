//! The listeners: secrets in clear are taken on loopback alone.

use super::Checker;
use crate::config::checked::{AdminListener, Listen, PostgresListener, SshListener};
use crate::config::place::Place;
use crate::config::raw::{RawAdminListener, RawListen, RawListener, RawSshListener};
use std::net::SocketAddr;

impl Checker<'_> {
    pub(super) fn listen(&mut self, raw: RawListen) -> Option<Listen> {
        let at = Place::root().key("listen");
        let postgres_given = raw.postgres.is_some();
        let postgres = raw
            .postgres
            .and_then(|l| self.postgres(&at.key("postgres"), l));
        let ssh_given = raw.ssh.is_some();
        let ssh = raw.ssh.and_then(|l| self.ssh(&at.key("ssh"), l));
        let admin = raw.admin.and_then(|l| self.admin(&at.key("admin"), l));
        let metrics = raw.metrics.and_then(|l| {
            let address = l.address?;
            self.address(&at.keys(&["metrics", "address"]), &address)
        });
        let addresses = [
            postgres.as_ref().map(|p| p.addr),
            ssh.as_ref().map(|s| s.addr),
            admin.as_ref().map(|a| a.addr),
            metrics,
        ];
        self.distinct(&at, &addresses);
        if (postgres_given && postgres.is_none()) || (ssh_given && ssh.is_none()) {
            return None;
        }
        Some(Listen {
            postgres,
            ssh,
            admin: admin?,
            metrics,
            client_certificates: raw.client_certificates.unwrap_or(false),
        })
    }

    fn postgres(&mut self, at: &Place, raw: RawListener) -> Option<PostgresListener> {
        let tls_given = raw.tls.is_some();
        let tls = raw.tls.and_then(|t| self.tls_files(&at.key("tls"), t));
        let addr = self.address(&at.key("address"), &raw.address?)?;
        self.plaintext(at, addr, tls_given, raw.allow_plaintext_loopback);
        let public_host = raw.public_host.unwrap_or_else(|| host_of(addr));
        Some(PostgresListener {
            addr,
            tls,
            allow_plaintext_loopback: raw.allow_plaintext_loopback,
            public_host,
        })
    }

    /// SSH encrypts by itself: what is sent over it is never in clear.
    fn ssh(&mut self, at: &Place, raw: RawSshListener) -> Option<SshListener> {
        let addr = self.address(&at.key("address"), &raw.address?)?;
        let mut key = |name: &str, path: Option<String>| match path {
            Some(path) => self.file(&at.key(name), &path).map(Some),
            None => Some(None),
        };
        let host_key = key("host_key", raw.host_key);
        let host_ca = key("host_ca", raw.host_ca);
        let user_ca = key("user_ca", raw.user_ca);
        let target_ca = key("target_ca", raw.target_ca);
        Some(SshListener {
            addr,
            host_key: host_key?,
            host_ca: host_ca?,
            user_ca: user_ca?,
            target_ca: target_ca?,
            public_host: raw.public_host.unwrap_or_else(|| host_of(addr)),
        })
    }

    fn admin(&mut self, at: &Place, raw: RawAdminListener) -> Option<AdminListener> {
        let tls_given = raw.tls.is_some();
        let tls = raw.tls.and_then(|t| self.tls_files(&at.key("tls"), t));
        let addr = self.address(&at.key("address"), &raw.address?)?;
        self.plaintext(at, addr, tls_given, raw.allow_plaintext_loopback);
        let public_url = match raw.public_url {
            Some(text) => self.url(&at.key("public_url"), &text)?.to_string(),
            None => {
                let scheme = if tls_given { "https" } else { "http" };
                format!(
                    "{scheme}://{}",
                    SocketAddr::new(reachable(addr).ip(), addr.port())
                )
            }
        };
        Some(AdminListener {
            addr,
            tls,
            public_url: public_url.trim_end_matches('/').to_owned(),
        })
    }

    /// Without a certificate: a loopback address, and the wish said out loud.
    fn plaintext(&mut self, at: &Place, addr: SocketAddr, tls: bool, allowed: bool) {
        if allowed && !addr.ip().is_loopback() {
            self.wrong(
                &at.key("allow_plaintext_loopback"),
                "true",
                format!(
                    "tokens would cross the network in clear: {addr} is not a loopback address"
                ),
                "take it out and give `tls`, or listen on 127.0.0.1",
            );
        } else if !tls && !addr.ip().is_loopback() {
            self.bad(
                &at.key("tls"),
                format!("is missing, and {addr} is not a loopback address: tokens would cross the network in clear"),
                "give tls = { cert = \"…\", key = \"…\" }, or listen on 127.0.0.1",
            );
        } else if !tls && !allowed {
            self.bad(
                &at.key("tls"),
                "is missing",
                "give tls = { cert = \"…\", key = \"…\" }, or say allow_plaintext_loopback = true for this machine alone",
            );
        }
    }

    fn distinct(&mut self, at: &Place, addresses: &[Option<SocketAddr>]) {
        let mut seen: Vec<SocketAddr> = Vec::new();
        for (address, name) in addresses
            .iter()
            .zip(["postgres", "ssh", "admin", "metrics"])
        {
            let Some(address) = address else { continue };
            if address.port() != 0 && seen.contains(address) {
                self.wrong(
                    &at.keys(&[name, "address"]),
                    &address.to_string(),
                    "is taken by another listener",
                    "give each listener a port of its own",
                );
            }
            seen.push(*address);
        }
    }
}

/// Where this machine itself reaches a listener that listens everywhere.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        ip if !ip.is_unspecified() => ip,
        std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, addr.port())
}

fn host_of(addr: SocketAddr) -> String {
    reachable(addr).ip().to_string()
}

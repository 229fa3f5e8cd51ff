//! The ways to the same target. Nothing here goes any of them.

use super::client::Trust;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// How a target is reached: a database with TLS on the client's side, always; a host by SSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Straight: at the database with SCRAM, at the host with a key.
    Direct,
    /// Through a proxy that understands the protocol and judges nothing.
    Pgbouncer,
    /// Through another host's sshd, which passes the client's own connection on (`ssh -J`).
    Jump,
    /// Through the gateway: to the database with a token of the identity provider, to the host with a credential that the
    /// gateway minted.
    Gateway,
    /// Through the gateway to the database, with a credential that it minted.
    Minted,
}

impl Way {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Way::Direct => "direct",
            Way::Pgbouncer => "pgbouncer",
            Way::Jump => "jump",
            Way::Gateway => "gateway",
            Way::Minted => "gateway, minted credential",
        }
    }
}

/// One way, with what it takes to go it now.
#[derive(Clone)]
pub(super) struct Route {
    pub way: Way,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: String,
    /// Whom to trust, as a file for libpq.
    pub ca: PathBuf,
    /// The same for our own client.
    pub trust: Arc<Trust>,
    /// The process in between.
    pub pid: Option<u32>,
}

impl Route {
    /// Has libpq go this way.
    pub fn libpq(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command
            .env("PGHOST", "localhost")
            .env("PGHOSTADDR", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", &self.user)
            .env("PGPASSWORD", &self.password)
            .env("PGDATABASE", &self.database)
            .env("PGSSLMODE", "verify-full")
            .env("PGSSLROOTCERT", &self.ca)
            .env("PGGSSENCMODE", "disable")
            .env("PGCONNECT_TIMEOUT", "30")
            .env("LC_ALL", "C");
    }
}

/// Each round begins with another way, so that none always has the machine as another left it.
pub(super) fn rotated<Route>(mut routes: Vec<Route>, round: u32) -> Vec<Route> {
    let by = usize::try_from(round).unwrap_or(0) % routes.len().max(1);
    routes.rotate_left(by);
    routes
}

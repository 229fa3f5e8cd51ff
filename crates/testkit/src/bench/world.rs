//! Everything that is measured: a PostgreSQL server, pgbouncer, an identity provider and the gateway, all on loopback.
//!
//! Here live starting them alike, and the routes. Files are on disk, not in memory: what a commit or a durable intent
//! costs is part of the figure.

use super::client::Trust;
use super::error::{BenchError, During};
use super::pgbouncer::{Behind, Pgbouncer};
use super::provider::{self, Minted, Provider};
use super::way::{Route, Way};
use super::{Plan, machine};
use crate::gateway::{Gateway, GatewayOptions, TargetOptions};
use crate::postgres::{Postgres, PostgresOptions, random_hex};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// The role, the database and the target are all called this.
pub(super) const NAME: &str = "bench";
/// pgbench's scale: a million accounts.
const SCALE: &str = "10";
/// Connections that the server takes: the idle ones among them.
const CONNECTIONS_MAX: u32 = 1200;
/// What an exchange of tokens is called (RFC 8693, sections 2.1 and 3).
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// All of it. Dropped in this order: clients of a server before the server.
pub(super) struct World {
    pub gateway: Gateway,
    pub pgbouncer: Pgbouncer,
    pub postgres: Postgres,
    provider: Provider,
    dir: TempDir,
    password: String,
    trusts: [Arc<Trust>; 3],
}

impl World {
    pub fn start(binary: &Path) -> Result<World, BenchError> {
        let home = std::env::temp_dir();
        let dir = tempfile::Builder::new()
            .prefix("brattice-bench-")
            .tempdir_in(&home)
            .during("creating a directory")?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))
            .during("opening the directory to the server")?;
        let provider = Provider::start()?;
        let postgres = postgres(dir.path(), &home)?;
        let password = random_hex()?;
        fill(&postgres, &password)?;
        let pgbouncer = Pgbouncer::start(
            &Behind {
                port: postgres.port(),
                database: NAME,
                user: NAME,
                password: &password,
            },
            &home,
        )?;
        let gateway = gateway(binary, &provider, &postgres, &password, &home)?;
        let direct = postgres.ca_certificate().ok_or_else(no_authority)?;
        let trusts = [
            Arc::new(Trust::in_authority(&direct)?),
            Arc::new(Trust::in_authority(&pgbouncer.ca_certificate())?),
            Arc::new(Trust::in_authority(&gateway.ca_certificate())?),
        ];
        Ok(World {
            gateway,
            pgbouncer,
            postgres,
            provider,
            dir,
            password,
            trusts,
        })
    }

    /// Direct, pgbouncer, gateway; the last with a fresh token.
    pub fn routes(&self) -> Result<Vec<Route>, BenchError> {
        let [direct, pgbouncer, _] = self.trusts.clone();
        let route = |way, port, ca: PathBuf, trust, pid| Route {
            way,
            port,
            user: NAME.to_owned(),
            password: self.password.clone(),
            database: NAME.to_owned(),
            ca,
            trust,
            pid,
        };
        let own = self.postgres.ca_certificate().ok_or_else(no_authority)?;
        Ok(vec![
            route(Way::Direct, self.postgres.port(), own, direct, None),
            route(
                Way::Pgbouncer,
                self.pgbouncer.port(),
                self.pgbouncer.ca_certificate(),
                pgbouncer,
                Some(self.pgbouncer.pid()),
            ),
            self.with_token(self.token()?),
        ])
    }

    /// Through the gateway, with this token.
    pub fn with_token(&self, token: String) -> Route {
        let [.., trust] = &self.trusts;
        Route {
            way: Way::Gateway,
            port: self.gateway.port(),
            user: NAME.to_owned(),
            password: token,
            database: format!("{NAME}/{NAME}"),
            ca: self.gateway.ca_certificate(),
            trust: trust.clone(),
            pid: self.gateway.pid(),
        }
    }

    /// Through the gateway, with a credential that it mints now.
    pub fn minted(&self, gateway: &Route) -> Result<Route, BenchError> {
        let Minted { user, password } = provider::mint(&self.gateway, &self.token()?, NAME)?;
        Ok(Route {
            way: Way::Minted,
            user,
            password,
            ..gateway.clone()
        })
    }

    /// The measured agent's token.
    pub fn token(&self) -> Result<String, BenchError> {
        self.proof("bench-1", "agent", &[NAME])
    }

    /// A token of the provider for somebody, good for the hour that a bundle's default allows.
    pub fn proof(&self, subject: &str, kind: &str, groups: &[&str]) -> Result<String, BenchError> {
        self.provider.proof(subject, kind, groups)
    }

    /// Trades a token for one of the gateway's own (RFC 8693).
    pub fn traded(&self, token: &str, more: &[(&str, &str)]) -> Result<String, BenchError> {
        let mut fields = vec![
            ("grant_type", EXCHANGE),
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
        ];
        fields.extend(more);
        let reply = self.gateway.form("/oauth/token", &fields)?;
        let given = reply.json();
        match given.get("access_token").and_then(Value::as_str) {
            Some(token) if reply.status == 200 => Ok(token.to_owned()),
            _ => Err(BenchError::Wrong(format!(
                "no token was given for another: status {}, {}",
                reply.status,
                reply.text()
            ))),
        }
    }

    /// What this is, in words.
    pub fn setting(&self, plan: &Plan) -> Result<Vec<(&'static str, String)>, BenchError> {
        let version = self.postgres.psql("postgres", "SHOW server_version")?;
        let rounds = format!("{} of {} s, in turns; medians", plan.rounds, plan.seconds);
        Ok(vec![
            ("cores", machine::cores()),
            // It holds the data directory and the gateway's records.
            ("file system", machine::file_system(self.dir())),
            (
                "PostgreSQL",
                format!("{version}, fsync on, 512 MB of shared buffers"),
            ),
            (
                "client side",
                "TLS everywhere, also straight at PostgreSQL".to_owned(),
            ),
            (
                "server side",
                "plain loopback, from pgbouncer and from the gateway".to_owned(),
            ),
            ("rounds", rounds),
        ])
    }

    /// For scripts and logs of the load.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

/// Durable, with memory enough for the data, and without the log of every statement that tests want. It takes plain
/// connections too: pgbouncer and the gateway are on the same machine, and both talk to it without TLS.
fn postgres(dir: &Path, home: &Path) -> Result<Postgres, BenchError> {
    let access = dir.join("pg_hba.conf");
    let rules = "local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    fs::write(&access, rules).during("writing the server's access rules")?;
    let settings = [
        ("hba_file", access.to_string_lossy().into_owned()),
        ("fsync", "on".to_owned()),
        ("full_page_writes", "on".to_owned()),
        ("synchronous_commit", "on".to_owned()),
        ("shared_buffers", "512MB".to_owned()),
        ("max_wal_size", "2GB".to_owned()),
        ("max_connections", CONNECTIONS_MAX.to_string()),
        ("log_statement", "none".to_owned()),
        ("log_connections", "off".to_owned()),
        ("log_disconnections", "off".to_owned()),
    ];
    let options = PostgresOptions {
        tls: true,
        extra_conf: settings.map(|(n, v)| (n.to_owned(), v)).into(),
        ..PostgresOptions::default()
    };
    Ok(Postgres::start_in(options, home)?)
}

fn fill(postgres: &Postgres, password: &str) -> Result<(), BenchError> {
    postgres.psql(
        "postgres",
        &format!(
            "CREATE ROLE {NAME} LOGIN PASSWORD '{password}'; CREATE DATABASE {NAME} OWNER {NAME};"
        ),
    )?;
    let seed = include_str!("../../../../benches/seed.sql");
    postgres.psql(NAME, &format!("SET ROLE {NAME};\n{seed}"))?;
    let output = Command::new(postgres.bin("pgbench"))
        .args(["--initialize", "--quiet", "--scale", SCALE, NAME])
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", postgres.port().to_string())
        .env("PGUSER", NAME)
        .env("PGPASSWORD", password)
        .env("PGSSLMODE", "disable")
        .output()
        .during("running pgbench")?;
    if output.status.success() {
        postgres.psql(NAME, "CHECKPOINT;")?;
        return Ok(());
    }
    Err(BenchError::Program {
        what: "pgbench --initialize".to_owned(),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn gateway(
    binary: &Path,
    provider: &Provider,
    postgres: &Postgres,
    password: &str,
    home: &Path,
) -> Result<Gateway, BenchError> {
    let options = GatewayOptions {
        binary: binary.to_owned(),
        admin_tls: false,
        tls: true,
        issuers: vec![provider.issuer()],
        targets: vec![TargetOptions {
            name: NAME.to_owned(),
            port: postgres.port(),
            user: NAME.to_owned(),
            password: password.to_owned(),
            database: NAME.to_owned(),
            tls: "mode = \"disable\"".to_owned(),
            labels: vec![
                ("env".to_owned(), "bench".to_owned()),
                ("team".to_owned(), NAME.to_owned()),
            ],
            more: format!("connections_max = {CONNECTIONS_MAX}"),
        }],
        more: format!(
            "[classes.email]\ncolumns = [\"{NAME}/{NAME}/public.customers.email\"]\n\n\
             [limits]\nconnections_max = 5000\n"
        ),
        hosts: Vec::new(),
        policies: vec![(
            "policies/bench.cedar".to_owned(),
            include_str!("../../../../benches/rules.cedar").to_owned(),
        )],
        environment: Vec::new(),
    };
    Ok(Gateway::start_in(options, home)?)
}

fn no_authority() -> BenchError {
    BenchError::Wrong("the server was started without TLS".to_owned())
}

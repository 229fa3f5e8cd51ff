//! What the demonstration plays on: a PostgreSQL with orders and customers, the gateway in front of it, the people.
//!
//! Here live setting it up and asking PostgreSQL, past the gateway, what is really so. Nothing here checks a claim.

mod bundle;
mod gateway;
mod host;

use super::failure::{During, Failure};
use super::shell::Shell;
use super::transcript::Transcript;
use crate::postgres::{Postgres, PostgresOptions, random_hex};
use gateway::Running;
use host::Host;
pub use host::LOG;
use std::fs;
use std::path::{Path, PathBuf};

/// The agent.
const AGENT: &str = "etl-7";
/// The people: two DBAs, an auditor, one of security.
const PEOPLE: [&str; 4] = ["dana", "omar", "avery", "sasha"];

/// Everything that runs, and where it is.
#[derive(Debug)]
pub struct Stage {
    /// Where everything is left.
    pub dir: PathBuf,
    /// The server.
    pub postgres: Postgres,
    /// The host.
    pub host: Host,
    /// The password that the server accepts from the gateway.
    pub password: String,
    /// The agent's shell.
    pub agent: Shell,
    people: Vec<Shell>,
    gateway: Running,
    anyone: Shell,
}

impl Stage {
    /// Empties the directory and sets everything up.
    pub fn set(dir: &Path, brattice: &Path, shown: &mut Transcript) -> Result<Stage, Failure> {
        if dir.exists() {
            fs::remove_dir_all(dir).during("emptying the demonstration's directory")?;
        }
        fs::create_dir_all(dir).during("making the demonstration's directory")?;
        let dir = fs::canonicalize(dir).during("finding the demonstration's directory")?;

        shown.chapter("A database, and a gateway in front of it");
        let postgres = Postgres::start(PostgresOptions::default())?;
        let password = random_hex()?;
        fill(&postgres, &password)?;
        let version = postgres.psql("app", "SHOW server_version")?;
        shown.tell(&format!(
            "A PostgreSQL {version} now runs on this machine, with customers and orders. Only the gateway gets its password."
        ));
        let everything = "SELECT id, name, email, card FROM customers ORDER BY id;";
        shown.typed("app=#", everything);
        shown.said(&postgres.psql("app", everything)?);

        let host = Host::start()?;
        shown.tell("A host runs here, too, with a small service and its log. Its sshd lets in one key, the gateway's.");
        let key = fs::read_to_string(host.sshd.key().private()).during("reading the host's key")?;

        let programs = programs(&postgres, brattice);
        let programs: Vec<&Path> = programs.iter().map(PathBuf::as_path).collect();
        let ports = bundle::copy(&dir.join("orders"), postgres.port(), &host)?;
        let anyone = Shell::new("you", &dir, &programs);
        let operator = anyone
            .clone()
            .with("ORDERS_DB_PASSWORD", &password)
            .with("ORDERS_HOST_KEY", &key);
        let gateway = Running::start(&operator, &dir, &ports, shown)?;

        let knows = anyone.clone().with("BRATTICE_URL", &gateway.url());
        let its_own = token(&anyone, AGENT)?;
        let agent = knows
            .of(AGENT)
            .with("PGPASSWORD", &its_own)
            .with("BRATTICE_TOKEN", &its_own);
        let mut people = Vec::new();
        for who in PEOPLE {
            people.push(knows.of(who).with("BRATTICE_TOKEN", &token(&anyone, who)?));
        }
        keep_public_key(&dir)?;
        Ok(Stage {
            dir,
            postgres,
            host,
            password,
            agent,
            people,
            gateway,
            anyone,
        })
    }

    /// Somebody's shell.
    pub fn person(&self, who: &str) -> Shell {
        let found = self.people.iter().find(|p| p.who == who);
        found.unwrap_or(&self.anyone).clone()
    }

    /// A shell that knows neither the gateway nor any token, under this name.
    pub fn anyone(&self, who: &str) -> Shell {
        self.anyone.of(who)
    }

    /// How the agent starts psql.
    pub fn psql_line(&self) -> String {
        let port = self.gateway.postgres_port();
        format!(
            "psql \"host=127.0.0.1 port={port} user={AGENT} dbname=orders-db/app \\\n  \
             sslmode=verify-full sslrootcert=state/ca.crt\""
        )
    }

    /// Every token that was handed out.
    pub fn tokens(&self) -> Vec<String> {
        let people = self.people.iter().map(|p| p.variable("BRATTICE_TOKEN"));
        std::iter::once(self.agent.variable("PGPASSWORD"))
            .chain(people)
            .map(str::to_owned)
            .collect()
    }

    /// The connections that PostgreSQL has for sessions through the gateway: process, role and application.
    pub fn backends(&self) -> Result<Vec<String>, Failure> {
        let rows = self.postgres.psql(
            "app",
            "SELECT pid, usename, application_name FROM pg_stat_activity \
             WHERE usename = 'brattice' AND application_name <> 'brattice catalogue'",
        )?;
        Ok(rows.lines().map(str::to_owned).collect())
    }

    /// Every value that must not be seen in clear.
    pub fn sensitive(&self) -> Result<Vec<String>, Failure> {
        let rows = self.postgres.psql(
            "app",
            "SELECT email FROM customers UNION ALL SELECT card FROM customers",
        )?;
        Ok(rows.lines().map(str::to_owned).collect())
    }

    /// The status of the order that the agent wants to change.
    pub fn status_of_order_3(&self) -> Result<String, Failure> {
        Ok(self
            .postgres
            .psql("app", "SELECT status FROM orders WHERE id = 3")?)
    }

    /// The files among those that the gateway keeps, or that were left to look at, which hold these bytes.
    pub fn files_with(&self, needle: &[u8]) -> Result<Vec<PathBuf>, Failure> {
        let mut found = Vec::new();
        let mut left = vec![self.dir.clone()];
        while let Some(dir) = left.pop() {
            for entry in fs::read_dir(&dir)
                .during("searching the gateway's files")?
                .flatten()
            {
                let path = entry.path();
                if path.is_dir() {
                    left.push(path);
                } else if fs::read(&path)
                    .is_ok_and(|bytes| bytes.windows(needle.len()).any(|w| w == needle))
                {
                    found.push(path);
                }
            }
        }
        Ok(found)
    }

    /// Stops the gateway. PostgreSQL goes when this is dropped.
    pub fn stop(&mut self) {
        self.gateway.stop();
    }
}

/// The directories of psql and of the gateway's program.
fn programs(postgres: &Postgres, brattice: &Path) -> Vec<PathBuf> {
    [brattice, &postgres.bin("psql")]
        .iter()
        .filter_map(|program| program.parent())
        .filter(|dir| dir.is_absolute())
        .map(Path::to_path_buf)
        .collect()
}

/// The gateway's role owns the tables: the gateway, and not the server's permissions, is what is shown to refuse.
fn fill(postgres: &Postgres, password: &str) -> Result<(), Failure> {
    postgres.psql(
        "postgres",
        &format!(
            "SET log_statement = 'none'; SET log_min_error_statement = 'panic';\n\
             CREATE ROLE brattice LOGIN PASSWORD '{password}'; CREATE DATABASE app OWNER brattice;"
        ),
    )?;
    postgres.psql("app", DATA)?;
    Ok(())
}

/// Numbers of cards are those that card networks publish for tests.
const DATA: &str = "
SET ROLE brattice;
CREATE SCHEMA IF NOT EXISTS public;
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL, card text NOT NULL);
CREATE TABLE orders (
  id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, item text NOT NULL,
  total numeric(10,2) NOT NULL, status text NOT NULL, archived_at timestamptz
);
INSERT INTO customers VALUES
  (1, 'Ada Okafor', 'ada.okafor@example.com', '4111111111111111'),
  (2, 'Bruno Silva', 'bruno@example.org', '5555555555554444'),
  (3, 'Chen Wei', 'wei.chen@example.net', '378282246310005');
INSERT INTO orders VALUES
  (1, 1, 'lamp', 49.00, 'shipped'), (2, 2, 'desk', 310.50, 'paid'),
  (3, 3, 'chair', 120.00, 'paid'), (4, 1, 'shelf', 89.90, 'new');
";

/// A token, as the identity provider hands it to whoever has its client's secret.
fn token(shell: &Shell, who: &str) -> Result<String, Failure> {
    shell.answer(&token_line(who))
}

/// How one gets a token.
pub fn token_line(who: &str) -> String {
    format!("brattice dev token {who} --state state")
}

/// Whoever verifies the log later has the key from the beginning, not from where the log lies.
fn keep_public_key(dir: &Path) -> Result<(), Failure> {
    let kept = dir.join("kept");
    fs::create_dir_all(&kept).during("making a place for the public key")?;
    fs::copy(
        dir.join("state/data/audit/signing.pub"),
        kept.join("signing.pub"),
    )
    .during("keeping the public key")?;
    Ok(())
}

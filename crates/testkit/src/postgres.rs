//! Real PostgreSQL servers, one per test that asks: started on a free loopback port, thrown away afterwards.
//!
//! Here live starting, stopping and asking the server itself, which is the tests' oracle: its rows and its own log, never
//! what the gateway says. Nothing here speaks the gateway's code, and no server outlives the test that started it.

mod error;
pub(crate) mod files;
mod install;
mod log;
mod options;
pub(crate) mod process;
mod template;
pub(crate) mod tls;
pub(crate) mod user;
pub(crate) mod watchdog;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub use error::PostgresError;
pub use install::{majors, tools_dir};
pub use log::Mark;
pub use options::{Auth, PostgresOptions};
pub use tls::ClientCertificate;

use error::During;
use install::Install;
use process::Server;
use tls::Authority;
use user::User;
use watchdog::Watchdog;

/// The name under which this module's own questions appear in the server's log.
const ORACLE: &str = "testkit";
/// The role that owns everything.
const SUPERUSER: &str = "postgres";
/// A running server. Dropping it stops it and removes its files.
#[derive(Debug)]
pub struct Postgres {
    // Dropped first: the server must be gone before its files go.
    server: Server,
    base: TempDir,
    install: Install,
    options: PostgresOptions,
    password: String,
    authority: Option<Authority>,
}

impl Postgres {
    /// Starts a server and waits until it accepts connections.
    pub fn start(options: PostgresOptions) -> Result<Postgres, PostgresError> {
        Postgres::start_in(options, &files::quick_dir())
    }

    /// The same with its files below this directory, which the server's user must be able to reach.
    pub fn start_in(options: PostgresOptions, home: &Path) -> Result<Postgres, PostgresError> {
        options.check()?;
        let user = User::for_servers()?;
        let install = Install::find(options.major)?;
        let within_reach = install.is_within_reach(user.as_ref());
        // Programs cannot always be run from where files are quickest.
        let home = if within_reach {
            home.to_owned()
        } else {
            std::env::temp_dir()
        };
        let base = tempfile::Builder::new()
            .prefix("brattice-postgres-")
            .tempdir_in(home)
            .during("creating the server's directory")?;
        let watchdog = Watchdog::over(base.path())?;
        files::hand_over(base.path(), user.as_ref())?;
        let install = if within_reach {
            install
        } else {
            install.copied_into(base.path(), user.as_ref())?
        };
        let data = base.path().join("data");
        template::copy_to(&install, user.as_ref(), &data)?;
        let authority = options
            .tls
            .then(|| Authority::create(base.path(), user.as_ref()))
            .transpose()?;
        append(
            &data.join("postgresql.conf"),
            &options.configuration(base.path()),
        )?;
        files::write(
            &data.join("pg_hba.conf"),
            &options.host_based_authentication(),
            user.as_ref(),
        )?;

        let server = Server::start(&install, user.as_ref(), base.path(), watchdog)?;
        let postgres = Postgres {
            server,
            base,
            install,
            options,
            password: random_hex()?,
            authority,
        };
        postgres.set_password()?;
        Ok(postgres)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The superuser's name.
    pub fn superuser(&self) -> &'static str {
        SUPERUSER
    }

    /// The superuser's password: random, so that finding it somewhere proves a leak. The server's log never has it.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The major version.
    pub fn major(&self) -> u8 {
        self.options.major
    }

    /// The directory of the server's Unix socket, where the superuser needs no password.
    pub fn socket_dir(&self) -> &Path {
        self.base.path()
    }

    /// The certificate authority that signed the server's certificate, in PEM; nothing when started without TLS.
    pub fn ca_certificate(&self) -> Option<PathBuf> {
        self.authority.as_ref().map(Authority::certificate)
    }

    /// The server's own certificate and key, for what stands in front of it; nothing when started without TLS.
    pub fn server_certificate(&self) -> Option<ClientCertificate> {
        self.authority.as_ref().map(|_| ClientCertificate {
            certificate: self.base.path().join(tls::SERVER_CERTIFICATE),
            key: self.base.path().join(tls::SERVER_KEY),
        })
    }

    /// A client certificate with this common name, signed by the authority that the server trusts.
    pub fn client_certificate(
        &self,
        common_name: &str,
    ) -> Result<ClientCertificate, PostgresError> {
        let authority = self.authority.as_ref().ok_or(PostgresError::Options {
            reason: "client certificates need a server with tls",
        })?;
        authority.client(self.base.path(), common_name)
    }

    /// The server's whole log: every connection and every statement.
    pub fn log(&self) -> String {
        self.log_since(Mark::start())
    }

    /// Where the log ends now, for `log_since` and `statements_since`.
    pub fn mark(&self) -> Mark {
        log::end(&self.log_file())
    }

    /// What the server wrote to its log after the mark.
    pub fn log_since(&self, mark: Mark) -> String {
        log::since(&self.log_file(), mark)
    }

    /// The statements that the server was asked to run after the mark, in order, without this module's own.
    pub fn statements_since(&self, mark: Mark) -> Vec<String> {
        log::statements(&self.log_since(mark))
    }

    /// Runs SQL as the superuser, straight at the server: one statement after the other, stopping at the first error.
    /// Rows come back unaligned, a line each, fields separated by `|`.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String, PostgresError> {
        process::feed(
            &mut self.psql_command(database),
            &format!("psql on PostgreSQL {}", self.options.major),
            sql,
        )
    }

    /// One of PostgreSQL's programs: this server's own, else the machine's newest.
    pub fn bin(&self, name: &str) -> PathBuf {
        self.install.program(name)
    }

    fn psql_command(&self, database: &str) -> std::process::Command {
        let mut command = std::process::Command::new(self.bin("psql"));
        command
            .args([
                "--no-psqlrc",
                "--quiet",
                "--no-align",
                "--tuples-only",
                "--set=ON_ERROR_STOP=1",
            ])
            .args(["--username", SUPERUSER, "--dbname", database, "--file=-"])
            .arg("--host")
            .arg(self.socket_dir())
            .arg("--port")
            .arg(self.port().to_string());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.env("PGAPPNAME", ORACLE);
        command
    }

    /// Kept out of the log: a password that the log holds could not be used to look for leaks.
    fn set_password(&self) -> Result<(), PostgresError> {
        let sql = format!(
            "SET log_statement = 'none'; ALTER ROLE {SUPERUSER} PASSWORD '{}';",
            self.password
        );
        self.psql("postgres", &sql).map(drop)
    }

    fn log_file(&self) -> PathBuf {
        self.base.path().join(process::LOG)
    }
}

fn append(path: &Path, text: &str) -> Result<(), PostgresError> {
    let mut content = fs::read_to_string(path).during("reading the server's configuration")?;
    content.push_str(text);
    fs::write(path, content).during("writing the server's configuration")
}

pub(crate) fn random_hex() -> Result<String, PostgresError> {
    use std::io::Read;
    let mut bytes = [0u8; 16];
    fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .during("reading random bytes")?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

//! pgbouncer, as a plain proxy to compare with: session mode, TLS towards the client, nothing judged or recorded.
//!
//! Here live its configuration and its process, on a port and files of its own; the machine's own pgbouncer, if there is
//! one, is left alone.

use super::error::{BenchError, During};
use crate::postgres::files;
use crate::postgres::process::free_port;
use crate::postgres::tls::{Authority, CA_CERTIFICATE, SERVER_CERTIFICATE, SERVER_KEY};
use crate::postgres::user::User;
use crate::postgres::watchdog::Watchdog;
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const START_MAX: Duration = Duration::from_secs(10);
const POLL_EVERY: Duration = Duration::from_millis(10);
const CONFIGURATION: &str = "pgbouncer.ini";
const LOG: &str = "pgbouncer.log";

/// The database behind it.
pub(super) struct Behind<'a> {
    pub port: u16,
    pub database: &'a str,
    pub user: &'a str,
    pub password: &'a str,
}

/// A running one. Dropping it stops it and removes its files.
pub(super) struct Pgbouncer {
    process: Child,
    // Dropped after the process is gone.
    _watchdog: Watchdog,
    dir: TempDir,
    port: u16,
}

impl Pgbouncer {
    /// Starts one before this database, and waits until it listens.
    pub fn start(behind: &Behind<'_>, home: &Path) -> Result<Pgbouncer, BenchError> {
        let user = User::for_servers()?;
        let dir = tempfile::Builder::new()
            .prefix("brattice-pgbouncer-")
            .tempdir_in(home)
            .during("creating pgbouncer's directory")?;
        files::hand_over(dir.path(), user.as_ref())?;
        Authority::create(dir.path(), user.as_ref())?;
        let port = free_port()?;
        let write =
            |file: &str, text: &str| files::write(&dir.path().join(file), text, user.as_ref());
        write(
            "users.txt",
            &format!("\"{}\" \"{}\"\n", behind.user, behind.password),
        )?;
        write(CONFIGURATION, &configuration(behind, dir.path(), port))?;

        let mut watchdog = Watchdog::over(dir.path())?;
        let log = File::create(dir.path().join(LOG)).during("creating pgbouncer's log")?;
        let mut command = Command::new(program());
        command
            .arg("--quiet")
            .arg(dir.path().join(CONFIGURATION))
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        User::run(user.as_ref(), &mut command);
        let process = command.spawn().during("starting pgbouncer")?;
        watchdog.guard(Some(process.id()))?;
        let mut pgbouncer = Pgbouncer {
            process,
            _watchdog: watchdog,
            dir,
            port,
        };
        pgbouncer.wait_until_it_listens()?;
        Ok(pgbouncer)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn ca_certificate(&self) -> PathBuf {
        self.dir.path().join(CA_CERTIFICATE)
    }

    fn wait_until_it_listens(&mut self) -> Result<(), BenchError> {
        let deadline = Instant::now() + START_MAX;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.process.try_wait().during("watching pgbouncer start")?;
            if ended.is_some() || Instant::now() >= deadline {
                return Err(BenchError::Program {
                    what: "pgbouncer".to_owned(),
                    said: fs::read_to_string(self.dir.path().join(LOG)).unwrap_or_default(),
                });
            }
            thread::sleep(POLL_EVERY);
        }
        Ok(())
    }
}

impl Drop for Pgbouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What differs from its defaults (pgbouncer's config.md): a session each, TLS towards clients, room for all of them.
fn configuration(behind: &Behind<'_>, dir: &Path, port: u16) -> String {
    let dir = dir.display();
    format!(
        "[databases]\n{database} = host=127.0.0.1 port={server} dbname={database}\n\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\npool_mode = session\n\
         auth_type = scram-sha-256\nauth_file = {dir}/users.txt\nmax_client_conn = 5000\ndefault_pool_size = 200\n\
         client_tls_sslmode = require\nclient_tls_cert_file = {dir}/{SERVER_CERTIFICATE}\n\
         client_tls_key_file = {dir}/{SERVER_KEY}\nserver_tls_sslmode = disable\n\
         ignore_startup_parameters = extra_float_digits\nlog_connections = 0\nlog_disconnections = 0\n",
        database = behind.database,
        server = behind.port,
    )
}

/// Debian puts it where only administrators look.
fn program() -> PathBuf {
    let debian = PathBuf::from("/usr/sbin/pgbouncer");
    if debian.is_file() {
        debian
    } else {
        PathBuf::from("pgbouncer")
    }
}

//! The gateway itself, as its users run it: the real program, with a real bundle, as a process of its own.
//!
//! Here live starting, stopping and asking it from outside: its ports, its REST API, its command line, its files. Nothing
//! here links the gateway's code, and nothing here believes what the gateway says of the target: the target is the oracle.

mod bundle;
mod http;

#[cfg(test)]
mod tests;

pub use bundle::{GatewayOptions, HostOptions, TargetOptions};
pub use http::Reply;

use crate::postgres::files::quick_dir;
use crate::postgres::process::free_port;
use crate::postgres::tls::{Authority, CA_CERTIFICATE};
use crate::postgres::watchdog::Watchdog;
use crate::postgres::{PostgresError, random_hex};
use crate::wire::Login;
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long it may take until it is ready.
const START_MAX: Duration = Duration::from_secs(30);
/// How long it may take to stop when asked to.
const STOP_MAX: Duration = Duration::from_secs(20);
const POLL_EVERY: Duration = Duration::from_millis(10);
/// A port that was free may be taken before the gateway gets to it; then others are tried.
const ATTEMPTS_MAX: u32 = 5;
/// The environment variable with the key of the recordings.
const RECORDING_KEY: &str = "BRATTICE_RECORDING_KEY";

/// Why there is no gateway, or no answer from it.
#[derive(thiserror::Error)]
pub enum GatewayError {
    /// The operating system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// Something that the servers of the test kit share with it failed.
    #[error("{0}")]
    Kit(#[from] PostgresError),
    /// It did not become ready, or ended.
    #[error("the gateway is not there ({why}); it said:\n{log}")]
    NotReady {
        /// What was seen.
        why: String,
        /// What it wrote.
        log: String,
    },
    /// Its API answered something that is not an answer.
    #[error("the gateway's API: {0}")]
    Api(String),
}

impl std::fmt::Debug for GatewayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

trait During<T> {
    fn during(self, doing: &str) -> Result<T, GatewayError>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, doing: &str) -> Result<T, GatewayError> {
        self.map_err(|source| GatewayError::Io {
            doing: doing.to_owned(),
            source,
        })
    }
}

/// The ports of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub postgres: u16,
    pub ssh: u16,
    pub admin: u16,
    pub metrics: u16,
}

impl Ports {
    fn free() -> Result<Ports, GatewayError> {
        loop {
            let all = [free_port()?, free_port()?, free_port()?, free_port()?];
            let [postgres, ssh, admin, metrics] = all;
            let mut distinct = all.to_vec();
            distinct.sort_unstable();
            distinct.dedup();
            // Each was free when it was asked for, and may be given out again.
            if distinct.len() == all.len() {
                return Ok(Ports {
                    postgres,
                    ssh,
                    admin,
                    metrics,
                });
            }
        }
    }
}

/// A gateway, running unless it was stopped. Dropping it kills it and removes its files.
#[derive(Debug)]
pub struct Gateway {
    process: Option<Child>,
    watchdog: Watchdog,
    dir: TempDir,
    options: GatewayOptions,
    ports: Ports,
    recording_key: String,
}

impl Gateway {
    /// Writes the bundle, starts the program on it, and waits until it says that it is ready.
    pub fn start(options: GatewayOptions) -> Result<Gateway, GatewayError> {
        Gateway::start_in(options, &quick_dir())
    }

    /// The same with the bundle and all state below this directory.
    pub fn start_in(options: GatewayOptions, home: &Path) -> Result<Gateway, GatewayError> {
        let dir = tempfile::Builder::new()
            .prefix("brattice-gateway-")
            .tempdir_in(home)
            .during("creating the bundle's directory")?;
        if options.tls || options.admin_tls {
            Authority::create(dir.path(), None)?;
        }
        let watchdog = Watchdog::over(dir.path())?;
        let mut gateway = Gateway {
            process: None,
            watchdog,
            dir,
            options,
            ports: Ports::free()?,
            recording_key: format!("{}{}", random_hex()?, random_hex()?),
        };
        let mut attempt = 1;
        loop {
            gateway.write_bundle()?;
            match gateway.run() {
                Err(GatewayError::NotReady { log, .. })
                    if log.contains("in use") && attempt < ATTEMPTS_MAX =>
                {
                    gateway.ports = Ports::free()?;
                    attempt += 1;
                }
                Ok(()) => return Ok(gateway),
                Err(error) => return Err(error),
            }
        }
    }

    /// What it was started with.
    pub fn options(&self) -> &GatewayOptions {
        &self.options
    }

    /// Where agents connect.
    pub fn port(&self) -> u16 {
        self.ports.postgres
    }

    /// Where agents connect with SSH, where there are hosts.
    pub fn ssh_port(&self) -> u16 {
        self.ports.ssh
    }

    /// What a client's `known_hosts` has of its SSH listener.
    pub fn known_hosts(&self) -> Result<String, GatewayError> {
        let key = self.data_dir().join("ssh_host_ed25519_key");
        let public = Command::new("ssh-keygen")
            .arg("-yf")
            .arg(&key)
            .output()
            .during("reading the gateway's host key")?;
        let public = String::from_utf8_lossy(&public.stdout).into_owned();
        Ok(crate::sshd::known_hosts_line(self.ports.ssh, public.trim()))
    }

    /// Where the REST API answers.
    pub fn admin_port(&self) -> u16 {
        self.ports.admin
    }

    /// Where metrics and health answer.
    pub fn metrics_port(&self) -> u16 {
        self.ports.metrics
    }

    /// The process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// The bundle's directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where it keeps its state.
    pub fn data_dir(&self) -> PathBuf {
        self.dir().join(bundle::DATA)
    }

    /// The certificate authority of its listeners, when it was started with TLS.
    pub fn ca_certificate(&self) -> PathBuf {
        self.dir().join(CA_CERTIFICATE)
    }

    /// The secret that recordings are encrypted by, to look for where it must not be.
    pub fn recording_key(&self) -> &str {
        &self.recording_key
    }

    /// A login with a token for a password. `database` names the target: `orders-db/app`.
    pub fn login(&self, token: &str, database: &str) -> Login {
        Login::new(self.port(), "agent", token, database)
    }

    /// Everything that it wrote to its standard output and error.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Writes a file of the bundle anew. Nothing changes until it is reloaded.
    pub fn write(&self, file: &str, text: &str) -> Result<(), GatewayError> {
        let path = self.dir().join(file);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).during("creating a directory of the bundle")?;
        }
        fs::write(path, text).during("writing a file of the bundle")
    }

    /// The text of a file of the bundle.
    pub fn read(&self, file: &str) -> Result<String, GatewayError> {
        fs::read_to_string(self.dir().join(file)).during("reading a file of the bundle")
    }

    /// Has it read the bundle anew, as someone who may.
    pub fn reload(&self, token: &str) -> Result<Reply, GatewayError> {
        self.api("POST", "/api/v1/bundle/reload", token, None)
    }

    /// A request to the REST API. An empty token sends none.
    pub fn api(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<Reply, GatewayError> {
        let body = body.map_or(http::Body::Nothing, http::Body::Json);
        http::ask(self.ports.admin, method, path, token, body)
    }

    /// A form sent to the API, without a token of its own.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> Result<Reply, GatewayError> {
        http::ask(self.ports.admin, "POST", path, "", http::Body::Form(fields))
    }

    /// A page of the metrics listener.
    pub fn page(&self, path: &str) -> Result<Reply, GatewayError> {
        http::ask(self.ports.metrics, "GET", path, "", http::Body::Nothing)
    }

    /// The program with these arguments, set up to talk to this gateway with this token.
    pub fn command(&self, arguments: &[&str], token: &str) -> Command {
        let mut command = Command::new(&self.options.binary);
        command
            .args(arguments)
            .env(
                "BRATTICE_URL",
                format!("http://127.0.0.1:{}", self.ports.admin),
            )
            .env("BRATTICE_TOKEN", token)
            .env("BRATTICE_CONFIG", self.dir())
            .env("NO_COLOR", "1")
            .current_dir(self.dir())
            .stdin(Stdio::null());
        self.environment(&mut command);
        command
    }

    /// Runs the program with these arguments and waits for its end.
    pub fn cli(&self, arguments: &[&str], token: &str) -> Result<Output, GatewayError> {
        self.command(arguments, token)
            .output()
            .during("running the program")
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(&mut self) -> Result<Option<ExitStatus>, GatewayError> {
        let Some(mut process) = self.process.take() else {
            return Ok(None);
        };
        Command::new("kill")
            .args(["-TERM", &process.id().to_string()])
            .status()
            .during("asking the gateway to stop")?;
        let deadline = Instant::now() + STOP_MAX;
        loop {
            if let Some(status) = process.try_wait().during("watching the gateway stop")? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                let _ = process.kill();
                let _ = process.wait();
                return Ok(None);
            }
            thread::sleep(POLL_EVERY);
        }
    }

    /// Starts it again on the same files and ports.
    pub fn start_again(&mut self) -> Result<(), GatewayError> {
        self.kill();
        self.run()
    }

    fn write_bundle(&self) -> Result<(), GatewayError> {
        self.write("brattice.toml", &self.options.toml(self.ports))?;
        for (file, text) in &self.options.policies {
            self.write(file, text)?;
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), GatewayError> {
        let log = || {
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(self.log_file())
                .during("opening the gateway's log")
        };
        let (out, err): (File, File) = (log()?, log()?);
        let mut command = Command::new(&self.options.binary);
        command
            .args(["serve", "--config"])
            .arg(self.dir())
            .current_dir(self.dir())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
        self.environment(&mut command);
        let process = command.spawn().during("starting the gateway")?;
        self.watchdog.guard(Some(process.id()))?;
        self.process = Some(process);
        let why = self.wait_until_ready();
        match why {
            None => Ok(()),
            Some(why) => {
                self.kill();
                Err(GatewayError::NotReady {
                    why,
                    log: self.log(),
                })
            }
        }
    }

    /// Why it is not ready, if it is not.
    fn wait_until_ready(&mut self) -> Option<String> {
        let deadline = Instant::now() + START_MAX;
        loop {
            if self.page("/readyz").is_ok_and(|page| page.status == 200) {
                return None;
            }
            if let Some(process) = &mut self.process {
                match process.try_wait() {
                    Ok(Some(status)) => return Some(format!("it ended: {status}")),
                    Ok(None) => {}
                    Err(error) => return Some(error.to_string()),
                }
            }
            if Instant::now() >= deadline {
                return Some("it took too long".to_owned());
            }
            thread::sleep(POLL_EVERY);
        }
    }

    fn environment(&self, command: &mut Command) {
        for name in [
            "SSL_CERT_FILE",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "http_proxy",
            "https_proxy",
        ] {
            command.env_remove(name);
        }
        command.env(RECORDING_KEY, &self.recording_key);
        command.envs(self.options.secrets());
        command.envs(self.options.environment.iter().map(|(n, v)| (n, v)));
    }

    fn log_file(&self) -> PathBuf {
        self.dir().join("gateway.log")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
    }
}

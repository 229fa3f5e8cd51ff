//! Real OpenSSH servers, one per test that asks: started on a free loopback port, thrown away afterwards.
//!
//! Each runs as an unprivileged user (this process's own, or when that is root the one that PostgreSQL runs as too), lets in
//! one account that only it knows (`account.rs`), and permits whatever an attack could use: it is the control that shows
//! what happens without the gateway. It notes what its sessions ran, which is the tests' oracle.
//!
//! Lives here: starting one, its keys, and reading its notes. Never: the gateway's code, or a change to the machine; no
//! server outlives the test that started it, nor a session of it. (A process that a session left behind, as with `nohup`, does.)

mod account;
mod error;
mod keys;
mod log;
mod options;
mod process;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub use error::SshdError;
pub use keys::{KeyKind, SshKey, Terms};
pub use log::{Mark, Ran};
pub use options::SshdOptions;

use account::Account;
use error::During;
use process::Server;

use crate::postgres::files;
use crate::postgres::random_hex;
use crate::postgres::user::User;
use crate::postgres::watchdog::Watchdog;

/// A running server. Dropping it kills it, with its sessions, and removes its files.
#[derive(Debug)]
pub struct Sshd {
    // Dropped first: the server must be gone before its files go.
    server: Server,
    base: TempDir,
    account: Account,
    keys: Keys,
    password: Option<String>,
}

#[derive(Debug)]
struct Keys {
    host: SshKey,
    host_ca: Option<SshKey>,
    welcome: SshKey,
    stranger: SshKey,
}

impl Sshd {
    /// Starts a server and waits until it accepts connections. Needs tokio's runtime.
    pub async fn start(options: SshdOptions) -> Result<Sshd, SshdError> {
        tokio::task::spawn_blocking(move || Sshd::start_now(&options))
            .await
            .map_err(std::io::Error::other)
            .during("waiting for sshd to start")?
    }

    /// The same for who has no runtime: the thread waits.
    pub fn start_now(options: &SshdOptions) -> Result<Sshd, SshdError> {
        let user = User::for_servers()?;
        // Not where files are quickest: programs cannot always be run from there, and the account's shell is one.
        let base = tempfile::Builder::new()
            .prefix("brattice-sshd-")
            .tempdir()
            .during("creating the server's directory")?;
        let dir = base.path();
        let watchdog = Watchdog::over_tree(dir)?;
        files::hand_over(dir, user.as_ref())?;
        let configuration = options.configuration(dir)?;
        let password = options.password.then(random_hex).transpose()?;
        let account = Account::create(dir, user.as_ref(), password.as_deref())?;
        let keys = make_keys(dir, options)?;
        let give = |name: &str, content: &str| {
            files::write(&dir.join(name), content, user.as_ref()).map_err(SshdError::from)
        };
        give(options::SFTP_LOG, "")?;
        give(options::AUTHORIZED, &format!("{}\n", keys.welcome.public()))?;
        give(options::USER_CA, options.user_ca.as_deref().unwrap_or(""))?;
        give(options::PRINCIPALS, &options.principals.join("\n"))?;
        give(process::CONFIGURATION, &configuration)?;
        let private = fs::read_to_string(keys.host.private()).during("reading the host key")?;
        give(options::HOST_KEY, &private)?;

        let server = Server::start(dir, user.as_ref(), &account, watchdog)?;
        Ok(Sshd {
            server,
            base,
            account,
            keys,
            password,
        })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The name of the one account that may log in.
    pub fn user(&self) -> &'static str {
        account::NAME
    }

    /// Where its sessions begin; the test may put files there and look at them.
    pub fn home(&self) -> PathBuf {
        self.account.home()
    }

    /// The server's host key.
    pub fn host_key(&self) -> &SshKey {
        &self.keys.host
    }

    /// The authority that certified the host key, if one did.
    pub fn host_ca(&self) -> Option<&SshKey> {
        self.keys.host_ca.as_ref()
    }

    /// The key that may log in.
    pub fn key(&self) -> &SshKey {
        &self.keys.welcome
    }

    /// A key that may not.
    pub fn stranger(&self) -> &SshKey {
        &self.keys.stranger
    }

    /// The password that may log in: random, so that finding it somewhere proves a leak.
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// A line by which clients know this server: its authority if it has one, else its key.
    pub fn known_hosts(&self) -> String {
        match &self.keys.host_ca {
            Some(ca) => format!(
                "@cert-authority {}",
                known_hosts_line(self.port(), ca.public())
            ),
            None => known_hosts_line(self.port(), self.keys.host.public()),
        }
    }

    /// The server's whole log.
    pub fn log(&self) -> String {
        self.log_since(Mark::start())
    }

    /// Where all its notes end now.
    pub fn mark(&self) -> Mark {
        Mark {
            log: log::length(&self.log_file()),
            sftp: log::length(&self.sftp_log_file()),
            commands: log::length(&self.account.commands()),
        }
    }

    /// What sshd logged after the mark, at DEBUG1: logins, channels, forwards, subsystems.
    pub fn log_since(&self, mark: Mark) -> String {
        log::since(&self.log_file(), mark.log)
    }

    /// What the sftp subsystem logged after the mark: each file opened, closed (with bytes), removed, renamed.
    pub fn sftp_log_since(&self, mark: Mark) -> String {
        log::since(&self.sftp_log_file(), mark.sftp)
    }

    /// What sessions ran after the mark, in the order of their beginning. A command is noted before it does anything.
    pub fn ran_since(&self, mark: Mark) -> Vec<Ran> {
        let sftp = options::sftp_command(&self.base.path().to_string_lossy());
        log::ran(&log::since(&self.account.commands(), mark.commands), &sftp)
    }

    fn log_file(&self) -> PathBuf {
        self.base.path().join(process::LOG)
    }

    fn sftp_log_file(&self) -> PathBuf {
        self.base.path().join(options::SFTP_LOG)
    }
}

/// A line of `known_hosts` for a port on 127.0.0.1.
pub fn known_hosts_line(port: u16, public: &str) -> String {
    format!("[127.0.0.1]:{port} {public}")
}

/// The clients' keys stay this process's own; the server gets a copy of its host key.
fn make_keys(dir: &Path, options: &SshdOptions) -> Result<Keys, SshdError> {
    let ours = dir.join("keys");
    fs::create_dir(&ours).during("making a directory for keys")?;
    let key = |name: &str| SshKey::create(&ours.join(name), KeyKind::Ed25519);
    let host = SshKey::create(&ours.join("host"), options.host_key)?;
    let host_ca = options
        .host_certificate
        .then(|| key("host-ca"))
        .transpose()?;
    if let Some(ca) = &host_ca {
        let terms = Terms {
            host: true,
            id: "testkit",
            principals: &["127.0.0.1", "localhost"],
            valid: "-5m:+1d",
            options: &[],
        };
        ca.certify(&host, &terms, &dir.join(options::HOST_CERTIFICATE))?;
    }
    Ok(Keys {
        host,
        host_ca,
        welcome: key("welcome")?,
        stranger: key("stranger")?,
    })
}

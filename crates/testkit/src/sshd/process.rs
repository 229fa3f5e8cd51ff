//! The server's process: starting it, knowing when it listens, stopping it with all its sessions.
//!
//! Lives here: the child, its port and its watchdog. Never: what it is configured to do.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::account::Account;
use super::error::{During, SshdError};
use crate::postgres::process::free_port;
use crate::postgres::user::User;
use crate::postgres::watchdog::Watchdog;

pub(super) const LOG: &str = "sshd.log";
pub(super) const CONFIGURATION: &str = "sshd_config";

/// By its whole path, without which it refuses to start itself anew for each connection.
const PROGRAM: &str = "/usr/sbin/sshd";
/// A port that was free may be taken before the server gets to it; then another is tried.
const PORT_ATTEMPTS_MAX: u32 = 8;
const START_WAIT_MAX: Duration = Duration::from_secs(30);
const STOP_WAIT_MAX: Duration = Duration::from_secs(10);
const POLL_EVERY: Duration = Duration::from_millis(5);

/// A listening sshd and its watchdog.
#[derive(Debug)]
pub(super) struct Server {
    listener: Child,
    watchdog: Watchdog,
    port: u16,
}

impl Server {
    /// Starts the server that is configured in `dir`, and waits until it listens.
    pub fn start(
        dir: &Path,
        user: Option<&User>,
        account: &Account,
        mut watchdog: Watchdog,
    ) -> Result<Server, SshdError> {
        let mut attempt = 1;
        loop {
            let port = free_port()?;
            let mut listener = spawn(dir, user, account, port)?;
            watchdog.guard(Some(listener.id()))?;
            match wait_until_it_listens(&mut listener, dir, port) {
                Ok(()) => {
                    return Ok(Server {
                        listener,
                        watchdog,
                        port,
                    });
                }
                Err(error) => {
                    end(&mut listener);
                    watchdog.guard(None)?;
                    let taken = matches!(error, SshdError::PortTaken { .. });
                    if !taken || attempt == PORT_ATTEMPTS_MAX {
                        return Err(error);
                    }
                    attempt += 1;
                }
            }
        }
    }

    /// The port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Sessions outlive the listener; the watchdog kills them all, and the listener last.
        self.watchdog.wake();
        let deadline = Instant::now() + STOP_WAIT_MAX;
        while matches!(self.listener.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(POLL_EVERY);
        }
        end(&mut self.listener);
    }
}

fn spawn(
    dir: &Path,
    user: Option<&User>,
    account: &Account,
    port: u16,
) -> Result<Child, SshdError> {
    let log = File::create(dir.join(LOG)).during("creating sshd's log")?;
    let mut command = Command::new(PROGRAM);
    command
        .args(["-D", "-e", "-p", &port.to_string(), "-f"])
        .arg(dir.join(CONFIGURATION))
        .current_dir(dir)
        // Its own group: the terminal's Ctrl-C is for the test, and the watchdog follows.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    account.show(&mut command);
    User::run(user, &mut command);
    command
        .spawn()
        .during("starting sshd (`cargo xtask setup test` installs it)")
}

fn wait_until_it_listens(listener: &mut Child, dir: &Path, port: u16) -> Result<(), SshdError> {
    let deadline = Instant::now() + START_WAIT_MAX;
    let listening = format!("Server listening on 127.0.0.1 port {port}.");
    loop {
        let ended = listener.try_wait().during("watching sshd start")?;
        let output = fs::read_to_string(dir.join(LOG)).unwrap_or_default();
        if output.contains(&listening) {
            return Ok(());
        }
        if ended.is_none() && Instant::now() < deadline {
            thread::sleep(POLL_EVERY);
            continue;
        }
        if output.contains("Address already in use") {
            return Err(SshdError::PortTaken { port });
        }
        let what = match ended {
            Some(status) => format!("starting sshd ({status})"),
            None => format!("starting sshd within {} s", START_WAIT_MAX.as_secs()),
        };
        return Err(SshdError::Failed { what, output });
    }
}

/// Kills and reaps; a process that is gone already is as good.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

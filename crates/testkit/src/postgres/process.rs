//! The server's process: starting it, knowing when it is ready, stopping it.

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::error::{During, PostgresError};
use super::install::Install;
use super::user::User;
use super::watchdog::Watchdog;

/// The log's name in the server's directory.
pub(super) const LOG: &str = "postgres.log";

/// A port that was free may be taken before the server gets to it; then another is tried.
const PORT_ATTEMPTS_MAX: u32 = 8;
const START_WAIT_MAX: Duration = Duration::from_secs(120);
const STOP_WAIT_MAX: Duration = Duration::from_secs(10);
const POLL_EVERY: Duration = Duration::from_millis(10);

/// A postmaster and its watchdog.
#[derive(Debug)]
pub(super) struct Server {
    postmaster: Child,
    watchdog: Watchdog,
    port: u16,
}

impl Server {
    /// Starts the server on the data directory in `dir`, and waits until it is ready.
    pub fn start(
        install: &Install,
        user: Option<&User>,
        dir: &Path,
        mut watchdog: Watchdog,
    ) -> Result<Server, PostgresError> {
        let mut attempt = 1;
        loop {
            let port = free_port()?;
            let mut postmaster = spawn(install, user, dir, port)?;
            let ready = watchdog
                .guard(Some(postmaster.id()))
                .and_then(|()| wait_until_ready(&mut postmaster, dir, port));
            match ready {
                Ok(()) => {
                    return Ok(Server {
                        postmaster,
                        watchdog,
                        port,
                    });
                }
                Err(error) => {
                    end(&mut postmaster);
                    if !matches!(error, PostgresError::PortTaken { .. })
                        || attempt == PORT_ATTEMPTS_MAX
                    {
                        return Err(error);
                    }
                    watchdog.guard(None)?;
                    attempt += 1;
                }
            }
        }
    }

    /// The port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets the watchdog believe that this process was killed, and waits until it has tidied up.
    #[cfg(test)]
    pub fn abandon(&mut self) {
        self.watchdog.wake();
        // As the system's first process would.
        self.postmaster.wait().unwrap();
        self.watchdog.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It asks for a fast shutdown.
        self.watchdog.wake();
        let deadline = Instant::now() + STOP_WAIT_MAX;
        while matches!(self.postmaster.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(POLL_EVERY);
        }
        // Its children see that the postmaster is gone, and go too.
        end(&mut self.postmaster);
    }
}

fn spawn(
    install: &Install,
    user: Option<&User>,
    dir: &Path,
    port: u16,
) -> Result<Child, PostgresError> {
    let log = File::create(dir.join(LOG)).during("creating the server's log")?;
    let mut command = Command::new(install.program("postgres"));
    command
        .arg("-D")
        .arg(dir.join("data"))
        .args(["-p", &port.to_string()])
        .env("LD_LIBRARY_PATH", install.root.join("lib"))
        .env_remove("PGDATA")
        .current_dir(dir)
        // Its own group: the terminal's Ctrl-C is for the test, and the watchdog follows.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    User::run(user, &mut command);
    command.spawn().during("starting postgres")
}

fn wait_until_ready(postmaster: &mut Child, dir: &Path, port: u16) -> Result<(), PostgresError> {
    let deadline = Instant::now() + START_WAIT_MAX;
    loop {
        if says_ready(&dir.join("data/postmaster.pid"), postmaster.id()) {
            return Ok(());
        }
        let ended = postmaster.try_wait().during("watching postgres start")?;
        if ended.is_none() && Instant::now() < deadline {
            thread::sleep(POLL_EVERY);
            continue;
        }
        let output = std::fs::read_to_string(dir.join(LOG)).unwrap_or_default();
        if ended.is_some() && output.contains("Address already in use") {
            return Err(PostgresError::PortTaken { port });
        }
        let what = match ended {
            Some(status) => format!("starting postgres ({status})"),
            None => format!("starting postgres within {} s", START_WAIT_MAX.as_secs()),
        };
        return Err(PostgresError::Failed { what, output });
    }
}

/// Runs a program with this standard input, and gives its standard output without the last line's end.
pub(crate) fn feed(
    command: &mut Command,
    what: &str,
    input: &str,
) -> Result<String, PostgresError> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .during(format!("running {what}"))?;
    let stdin = child.stdin.take();
    let output = thread::scope(|scope| {
        scope.spawn(move || {
            // A program that stops reading early says why on its standard error.
            stdin.map(|mut stdin| stdin.write_all(input.as_bytes()))
        });
        child.wait_with_output()
    })
    .during(format!("waiting for {what}"))?;
    if !output.status.success() {
        return Err(PostgresError::Failed {
            what: what.to_owned(),
            output: String::from_utf8_lossy(&output.stderr)
                .trim_end()
                .to_owned(),
        });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// Kills and reaps; a process that is gone already is as good.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// PostgreSQL writes its state to the eighth line of `postmaster.pid`, and its process id to the first.
fn says_ready(file: &Path, pid: u32) -> bool {
    let Ok(text) = std::fs::read_to_string(file) else {
        return false;
    };
    let mut lines = text.lines();
    lines
        .next()
        .is_some_and(|first| first.trim() == pid.to_string())
        && lines.nth(6).is_some_and(|state| state.trim() == "ready")
}

pub(crate) fn free_port() -> Result<u16, PostgresError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).during("looking for a free port")?;
    Ok(listener
        .local_addr()
        .during("looking for a free port")?
        .port())
}

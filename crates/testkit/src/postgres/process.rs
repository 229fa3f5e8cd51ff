//! The server's process: starting it, knowing when it is ready, and making sure that it goes.
//!
//! A test may be killed before anything is dropped. So a watchdog, a small shell, holds a pipe from this process: when the
//! pipe closes, for whatever reason, it stops the server and removes its files.

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::error::{During, PostgresError};
use super::install::Install;
use super::user::User;

/// The log's name in the server's directory.
pub(super) const LOG: &str = "postgres.log";

const START_WAIT_MAX: Duration = Duration::from_secs(120);
const STOP_WAIT_MAX: Duration = Duration::from_secs(10);
const POLL_EVERY: Duration = Duration::from_millis(10);

/// `$1` is the server, `$2` its directory. SIGINT is PostgreSQL's fast shutdown.
const WATCHDOG: &str = r#"
read -r _
kill -INT "$1" 2>/dev/null
n=0
while kill -0 "$1" 2>/dev/null && [ "$n" -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
kill -KILL "$1" 2>/dev/null
rm -rf -- "$2"
"#;

/// A postmaster and its watchdog.
#[derive(Debug)]
pub(super) struct Server {
    postmaster: Child,
    watchdog: Child,
    port: u16,
}

impl Server {
    /// Starts the server on the data directory in `dir`, and waits until it is ready.
    pub fn start(
        install: &Install,
        user: Option<&User>,
        dir: &Path,
    ) -> Result<Server, PostgresError> {
        let port = free_port()?;
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
        let mut postmaster = command.spawn().during("starting postgres")?;
        let watchdog = match watch(&postmaster, dir) {
            Ok(watchdog) => watchdog,
            Err(error) => {
                end(&mut postmaster);
                return Err(error);
            }
        };
        let mut server = Server {
            postmaster,
            watchdog,
            port,
        };
        server.wait_until_ready(dir)?;
        Ok(server)
    }

    /// The port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What happens to the pipe when this process is killed.
    #[cfg(test)]
    pub fn close_watchdog_pipe(&mut self) {
        drop(self.watchdog.stdin.take());
    }

    /// Reaps the server as the system's first process would, then waits for the watchdog to have tidied up.
    #[cfg(test)]
    pub fn wait_for_watchdog(&mut self) {
        self.postmaster.wait().unwrap();
        self.watchdog.wait().unwrap();
    }

    fn wait_until_ready(&mut self, dir: &Path) -> Result<(), PostgresError> {
        let deadline = Instant::now() + START_WAIT_MAX;
        loop {
            if says_ready(&dir.join("data/postmaster.pid"), self.postmaster.id()) {
                return Ok(());
            }
            let ended = self
                .postmaster
                .try_wait()
                .during("watching postgres start")?;
            if ended.is_none() && Instant::now() < deadline {
                thread::sleep(POLL_EVERY);
                continue;
            }
            // The watchdog must not take the directory away: another attempt may follow in it.
            end(&mut self.watchdog);
            let output = std::fs::read_to_string(dir.join(LOG)).unwrap_or_default();
            if ended.is_some() && output.contains("Address already in use") {
                return Err(PostgresError::PortTaken { port: self.port });
            }
            let what = match ended {
                Some(status) => format!("starting postgres ({status})"),
                None => format!("starting postgres within {} s", START_WAIT_MAX.as_secs()),
            };
            return Err(PostgresError::Failed { what, output });
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Closing its pipe makes the watchdog ask for a fast shutdown.
        drop(self.watchdog.stdin.take());
        let deadline = Instant::now() + STOP_WAIT_MAX;
        while matches!(self.postmaster.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(POLL_EVERY);
        }
        // Its children see that the postmaster is gone, and go too.
        end(&mut self.postmaster);
        end(&mut self.watchdog);
    }
}

/// Runs a program with this standard input, and gives its standard output without the last line's end.
pub(super) fn feed(
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

fn watch(postmaster: &Child, dir: &Path) -> Result<Child, PostgresError> {
    Command::new("sh")
        .args(["-c", WATCHDOG, "watchdog", &postmaster.id().to_string()])
        .arg(dir)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .during("starting the server's watchdog")
}

/// Kills and reaps; a process that is gone already is as good.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// PostgreSQL writes its state to the eighth line of `postmaster.pid`, and its process id to the first.
fn says_ready(file: &PathBuf, pid: u32) -> bool {
    let Ok(text) = std::fs::read_to_string(file) else {
        return false;
    };
    let mut lines = text.lines();
    lines
        .next()
        .is_some_and(|first| first.trim() == pid.to_string())
        && lines.nth(6).is_some_and(|state| state.trim() == "ready")
}

fn free_port() -> Result<u16, PostgresError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).during("looking for a free port")?;
    Ok(listener
        .local_addr()
        .during("looking for a free port")?
        .port())
}

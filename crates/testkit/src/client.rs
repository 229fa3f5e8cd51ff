//! The clients that people use: psql, Python's psycopg, PostgreSQL's tools, each as a process of its own.
//!
//! Here live running them against a port, with a password that no argument shows, and hearing what they say while they
//! run. Nothing here knows whether a server or the gateway answers.

use crate::postgres::tools_dir;
use crate::wire::Login;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const POLL_EVERY: Duration = Duration::from_millis(10);

/// What a program said until it ended.
#[derive(Debug, Clone)]
pub struct Said {
    /// How it ended; nothing when it had to be killed because it did not.
    pub status: Option<ExitStatus>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Said {
    /// Whether it ended well.
    pub fn is_good(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// The environment by which libpq finds a server, and nothing else of libpq's.
pub fn libpq(command: &mut Command, login: &Login) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", login.port.to_string())
        .env("PGUSER", &login.user)
        .env("PGPASSWORD", &login.password)
        .env("PGDATABASE", &login.database)
        .env("PGSSLMODE", "disable")
        .env("PGGSSENCMODE", "disable")
        .env("PGCONNECT_TIMEOUT", "20")
        .env("LC_ALL", "C");
}

/// psql in its plainest form, reading commands from its standard input.
pub fn psql(program: &Path, login: &Login) -> Command {
    let mut command = Command::new(program);
    command.args([
        "--no-psqlrc",
        "--quiet",
        "--no-align",
        "--tuples-only",
        "--file=-",
    ]);
    libpq(&mut command, login);
    command
}

/// The Python with psycopg in it, running a script from its standard input.
pub fn python(login: &Login) -> Command {
    let mut command = Command::new(python_program());
    command.arg("-");
    libpq(&mut command, login);
    command
}

/// Where `cargo xtask setup` puts it.
pub fn python_program() -> PathBuf {
    tools_dir().join("python/bin/python3")
}

/// Runs a program with this input, at most so long.
pub fn run(command: Command, input: &str, within: Duration) -> io::Result<Said> {
    let mut running = Running::start(command)?;
    running.write(input)?;
    running.close();
    Ok(running.wait(within))
}

/// A program that is running, heard while it does.
#[derive(Debug)]
pub struct Running {
    child: Child,
    out: Heard,
    err: Heard,
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> io::Result<Running> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let out = Heard::from(child.stdout.take());
        let err = Heard::from(child.stderr.take());
        Ok(Running { child, out, err })
    }

    /// Writes to its standard input.
    pub fn write(&mut self, input: &str) -> io::Result<()> {
        match &mut self.child.stdin {
            Some(stdin) => match stdin
                .write_all(input.as_bytes())
                .and_then(|()| stdin.flush())
            {
                // One that ended early says why on its standard error.
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                other => other,
            },
            None => Ok(()),
        }
    }

    /// Ends its standard input.
    pub fn close(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits until a line of its standard error holds this text, and gives the line.
    pub fn hears(&self, text: &str, within: Duration) -> Option<String> {
        self.err.wait_for(text, within)
    }

    /// Waits until a line of its standard output holds this text, and gives the line.
    pub fn reads(&self, text: &str, within: Duration) -> Option<String> {
        self.out.wait_for(text, within)
    }

    /// Waits until its standard output stands at this text, with no line end behind it: it asks, and listens.
    pub fn asks(&self, text: &str, within: Duration) -> bool {
        let ends = |heard: &Lines| heard.begun.ends_with(text).then(String::new);
        self.out.wait(within, ends).is_some()
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) -> io::Result<()> {
        Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status()
            .map(drop)
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Kills it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end, at most so long; then it is killed.
    pub fn wait(mut self, within: Duration) -> Said {
        let deadline = Instant::now() + within;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(POLL_EVERY),
                _ => break None,
            }
        };
        self.kill();
        Said {
            status,
            out: self.out.all(),
            err: self.err.all(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    /// What came behind the last line end.
    begun: String,
    over: bool,
}

/// The lines of a pipe, read as they come by a thread of its own.
#[derive(Debug, Clone)]
struct Heard(Arc<(Mutex<Lines>, Condvar)>);

impl Heard {
    fn from(pipe: Option<impl io::Read + Send + 'static>) -> Heard {
        let heard = Heard(Arc::default());
        let theirs = heard.clone();
        thread::spawn(move || {
            if let Some(pipe) = pipe {
                let mut pipe = BufReader::new(pipe);
                let mut line = Vec::new();
                while let Ok(more @ [_, ..]) = pipe.fill_buf() {
                    let ends = |byte: &u8| *byte == b'\n';
                    let part = more.split_inclusive(ends).next().unwrap_or(more);
                    line.extend_from_slice(part);
                    let (taken, end) = (part.len(), part.last().filter(|b| ends(b)).copied());
                    pipe.consume(taken);
                    let text = String::from_utf8_lossy(&line).into_owned();
                    let mut heard = theirs.lines();
                    match end {
                        Some(_) => {
                            heard.lines.push(text);
                            heard.begun.clear();
                            line.clear();
                        }
                        None => heard.begun = text,
                    }
                    drop(heard);
                    theirs.0.1.notify_all();
                }
                let rest = std::mem::take(&mut theirs.lines().begun);
                if !rest.is_empty() {
                    theirs.lines().lines.push(rest);
                }
            }
            theirs.lines().over = true;
            theirs.0.1.notify_all();
        });
        heard
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for(&self, text: &str, within: Duration) -> Option<String> {
        self.wait(within, |heard| {
            heard.lines.iter().find(|l| l.contains(text)).cloned()
        })
    }

    fn wait(&self, within: Duration, find: impl Fn(&Lines) -> Option<String>) -> Option<String> {
        let deadline = Instant::now() + within;
        let mut lines = self.lines();
        loop {
            if let Some(found) = find(&lines) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.over || left.is_zero() {
                return None;
            }
            lines = match self.0.1.wait_timeout(lines, left) {
                Ok((lines, _)) => lines,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// All of it; waits a moment for the rest of a pipe whose program has ended.
    fn all(&self) -> String {
        let _ = self.wait_for("\0", Duration::from_secs(2));
        self.lines().lines.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn is_heard_while_it_runs_and_when_it_ended() {
        let mut running =
            Running::start(shell("echo ready >&2; read line; echo \"got $line\"")).unwrap();
        assert!(running.hears("ready", Duration::from_secs(5)).is_some());
        running.write("this\n").unwrap();
        let said = running.wait(Duration::from_secs(5));
        assert!(said.is_good());
        assert_eq!(
            (said.out.as_str(), said.err.as_str()),
            ("got this\n", "ready\n")
        );
    }

    #[test]
    fn one_that_does_not_end_is_killed() {
        let said = run(shell("sleep 60"), "", Duration::from_millis(100)).unwrap();
        assert!(said.status.is_none());
    }
}

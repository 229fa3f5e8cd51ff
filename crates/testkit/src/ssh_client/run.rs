//! Running a program to its end, or to the end of its time.
//!
//! Lives here: its input, its output to the byte, and killing it with all that it started. Never: which program it is.

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

const POLL_EVERY: Duration = Duration::from_millis(5);
/// How long a pipe may stay open after its program ended, in the hands of what that left behind.
const PIPES_WAIT_MAX: Duration = Duration::from_secs(2);

/// What a client said until it ended.
#[derive(Debug, Clone)]
pub struct SshSaid {
    /// How it ended; nothing when it had to be killed because it did not.
    pub status: Option<ExitStatus>,
    /// Its standard output.
    pub out: Vec<u8>,
    /// Its standard error.
    pub err: String,
}

impl SshSaid {
    /// Whether it ended well.
    pub fn is_good(&self) -> bool {
        self.code() == Some(0)
    }

    /// Its exit code; nothing when a signal ended it, or its time.
    pub fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }

    /// The signal that ended it, if one did before its time was up.
    pub fn signal(&self) -> Option<i32> {
        self.status.and_then(|status| status.signal())
    }

    /// Its standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

/// Runs a program with this input, at most so long.
pub(super) fn run(mut command: Command, input: &[u8], within: Duration) -> io::Result<SshSaid> {
    let mut child = command
        // Its own group: scp, rsync, git and Ansible start ssh, which must end with them.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let out = hear(child.stdout.take());
    let err = hear(child.stderr.take());
    let stdin = child.stdin.take();
    let status = thread::scope(|scope| {
        scope.spawn(move || {
            // A program that stops reading early says why on its standard error.
            stdin.map(|mut stdin| stdin.write_all(input))
        });
        wait(&mut child, within)
    });
    let out = out.recv_timeout(PIPES_WAIT_MAX).unwrap_or_default();
    let err = err.recv_timeout(PIPES_WAIT_MAX).unwrap_or_default();
    Ok(SshSaid {
        status,
        out,
        err: String::from_utf8_lossy(&err).into_owned(),
    })
}

fn hear(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (tell, heard) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = tell.send(bytes);
    });
    heard
}

/// In either case nobody of its group is left, so that no pipe of ours stays open.
fn wait(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + within;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(POLL_EVERY),
            _ => break None,
        }
    };
    let _ = Command::new("kill")
        .args(["-KILL", "--", &format!("-{}", child.id())])
        .stderr(Stdio::null())
        .status();
    let _ = child.wait();
    status
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
    fn bytes_go_through_unchanged_and_errors_apart() {
        let input: Vec<u8> = (0..=255u8).cycle().take(1 << 20).collect();
        let said = run(
            shell("cat; echo so >&2; exit 3"),
            &input,
            Duration::from_secs(20),
        )
        .unwrap();
        assert!(said.out == input);
        assert_eq!((said.code(), said.err.as_str()), (Some(3), "so\n"));
    }

    #[test]
    fn one_that_does_not_end_is_killed_with_what_it_started() {
        let started = Instant::now();
        let said = run(shell("sleep 60 & sleep 60"), b"", Duration::from_millis(50)).unwrap();
        assert!(said.status.is_none());
        assert!(started.elapsed() < PIPES_WAIT_MAX, "a pipe stayed open");
    }
}

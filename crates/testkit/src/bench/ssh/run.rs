//! Running stock clients without adding to what they take: nothing here polls.
//!
//! Here live a client's end, the end of its time, and talking with one that runs. What it says is the measurements'.

use super::super::error::{BenchError, During};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// No client may take longer.
const CLIENT_MAX: Duration = Duration::from_secs(600);
/// What a command on the host says before anything is measured.
pub(super) const READY: &str = "ready";

/// Runs a client to its good end.
pub(super) fn finish(mut command: Command) -> Result<Output, BenchError> {
    let child = spawn(command.stdin(Stdio::null()))?;
    let guard = Guard::over(&child)?;
    let output = child.wait_with_output().during("waiting for a client")?;
    drop(guard);
    good(&command, output)
}

/// A client that runs, and the command on the host with it.
pub(super) struct Talk {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    command: Command,
    _guard: Guard,
}

impl Talk {
    /// Starts a client, and waits for its first line: that the command on the host is ready.
    pub fn start(mut command: Command) -> Result<Talk, BenchError> {
        let mut child = spawn(command.stdin(Stdio::piped()))?;
        let guard = Guard::over(&child)?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| gone("no output"))?;
        let mut talk = Talk {
            child,
            input,
            output,
            command,
            _guard: guard,
        };
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut byte = [0];
            if let Err(error) = talk.output.read_exact(&mut byte) {
                return Err(talk.failed(&error.to_string()));
            }
            line.extend(byte);
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        match line.trim() == READY {
            true => Ok(talk),
            false => Err(talk.failed(&line)),
        }
    }

    /// Both directions.
    pub fn both(&mut self) -> Result<(&mut ChildStdin, &mut ChildStdout), BenchError> {
        let input = self.input.as_mut().ok_or_else(|| gone("no input"))?;
        Ok((input, &mut self.output))
    }

    /// Ends the input.
    pub fn hang_up(&mut self) {
        self.input = None;
    }

    /// Reads to the end of the output, and sees that the client ends well.
    pub fn end(mut self) -> Result<String, BenchError> {
        let mut rest = String::new();
        self.output
            .read_to_string(&mut rest)
            .during("reading from a client")?;
        self.hang_up();
        let status = self.child.wait().during("waiting for a client")?;
        match status.success() {
            true => Ok(rest),
            false => Err(self.failed(&format!("{status}: {rest}"))),
        }
    }

    fn failed(&mut self, what: &str) -> BenchError {
        let _ = self.child.kill();
        let mut said = String::new();
        if let Some(errors) = &mut self.child.stderr {
            let _ = errors.read_to_string(&mut said);
        }
        BenchError::Program {
            what: format!("{:?}", self.command),
            said: format!("{what}\n{said}"),
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives a client a whole file for its input. The kernel moves the bytes: that is what the standard library has it do between
/// a file and a pipe, so that the load costs this process next to nothing.
pub(super) fn feed(mut from: File, to: &mut ChildStdin) -> Result<(), BenchError> {
    io::copy(&mut from, to)
        .map(drop)
        .during("writing to a client")
}

/// In a group of its own: with a jump, `ssh` starts another.
fn spawn(command: &mut Command) -> Result<Child, BenchError> {
    command
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .during("starting a client")
}

fn good(command: &Command, output: Output) -> Result<Output, BenchError> {
    if output.status.success() {
        return Ok(output);
    }
    Err(BenchError::Program {
        what: format!("{command:?} ({})", output.status),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn gone(what: &str) -> BenchError {
    BenchError::Wrong(format!("a client has {what}"))
}

/// Kills a client and what it started when its time is up, unless dropped before.
struct Guard {
    _alive: Sender<()>,
}

impl Guard {
    fn over(child: &Child) -> Result<Guard, BenchError> {
        let group = format!("-{}", child.id());
        let (alive, over) = mpsc::channel::<()>();
        thread::Builder::new()
            .spawn(move || {
                if over.recv_timeout(CLIENT_MAX) == Err(RecvTimeoutError::Timeout) {
                    let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
                }
            })
            .during("watching over a client")?;
        Ok(Guard { _alive: alive })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_client_that_ends_badly_is_an_error_with_its_words() {
        assert_eq!(finish(shell("echo fine")).unwrap().stdout, b"fine\n");
        let error = finish(shell("echo why >&2; exit 3")).unwrap_err();
        assert!(error.to_string().contains("why"), "{error}");
    }

    #[test]
    fn talks_with_one_that_is_ready_and_with_no_other() {
        let mut talk = Talk::start(shell("echo ready; wc -c")).unwrap();
        talk.both().unwrap().0.write_all(b"12345").unwrap();
        talk.hang_up();
        assert_eq!(talk.end().unwrap().trim(), "5");
        let error = Talk::start(shell("echo no >&2; exit 1")).err().unwrap();
        assert!(error.to_string().contains("no\n"), "{error}");
    }
}

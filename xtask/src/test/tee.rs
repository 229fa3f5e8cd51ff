//! Running a command whose output is shown as it comes and kept to be read. What it means is not known here.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use crate::failure::{Failure, Outcome};

/// How it ended, and what it said on both streams.
pub struct Ran {
    pub success: bool,
    pub lines: Vec<String>,
}

/// Runs the command to its end.
pub fn run(mut command: Command) -> Outcome<Ran> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| Failure::io(format!("running {:?}", command.get_program()), &e))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut lines = thread::scope(|scope| {
        let errors = scope.spawn(|| {
            stderr
                .map(|stream| show(stream, std::io::stderr()))
                .unwrap_or_default()
        });
        let mut lines = stdout
            .map(|stream| show(stream, std::io::stdout()))
            .unwrap_or_default();
        lines.extend(errors.join().unwrap_or_default());
        lines
    });
    lines.iter_mut().for_each(|line| *line = plain(line));
    let status = child
        .wait()
        .map_err(|e| Failure::io("waiting for the tests", &e))?;
    Ok(Ran {
        success: status.success(),
        lines,
    })
}

fn show(from: impl Read, mut to: impl Write) -> Vec<String> {
    let mut reader = BufReader::new(from);
    let mut lines = Vec::new();
    let mut bytes = Vec::new();
    while reader
        .read_until(b'\n', &mut bytes)
        .is_ok_and(|count| count > 0)
    {
        // Nobody may be reading any more; the tests go on all the same.
        let _ = to.write_all(&bytes);
        lines.push(String::from_utf8_lossy(&bytes).trim_end().to_owned());
        bytes.clear();
    }
    lines
}

/// Without colours: `ESC [ … letter`.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().skip(1).find(char::is_ascii_alphabetic);
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_streams_are_kept() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let ran = run(command).unwrap();
        assert!(!ran.success);
        assert_eq!(ran.lines, ["out", "err"]);
    }

    #[test]
    fn colours_are_taken_out() {
        assert_eq!(
            plain("\u{1b}[32;1m     Summary\u{1b}[0m [ 1s]"),
            "     Summary [ 1s]"
        );
    }
}

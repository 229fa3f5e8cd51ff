//! What a server noted, as the tests' oracle: what reached the target, whatever the gateway says about it.
//!
//! Lives here: reading the three files it notes things in. Never: a guess; what cannot be read as a record is no record.

use std::fs;
use std::path::Path;

/// A place in all that a server notes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    pub(super) log: usize,
    pub(super) sftp: usize,
    pub(super) commands: usize,
}

impl Mark {
    /// The beginning.
    pub fn start() -> Mark {
        Mark::default()
    }
}

/// What the account's shell was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran {
    /// To run a command: exactly this text.
    Command(String),
    /// To be a shell.
    Shell,
    /// To run the sftp subsystem.
    Sftp,
}

pub(super) fn length(file: &Path) -> usize {
    fs::read(file).map(|bytes| bytes.len()).unwrap_or_default()
}

pub(super) fn since(file: &Path, at: usize) -> String {
    let bytes = fs::read(file).unwrap_or_default();
    String::from_utf8_lossy(bytes.get(at..).unwrap_or_default()).into_owned()
}

/// Reads what the shell noted; `sftp` is the command of that subsystem.
pub(super) fn ran(notes: &str, sftp: &str) -> Vec<Ran> {
    let mut words = notes.split('\0');
    let mut found = Vec::new();
    while let Some(count) = words.next().and_then(|word| word.parse::<usize>().ok()) {
        let arguments: Vec<&str> = words.by_ref().take(count).collect();
        found.push(match arguments.as_slice() {
            [] => Ran::Shell,
            ["-c", command] if *command == sftp => Ran::Sftp,
            ["-c", command] => Ran::Command((*command).to_owned()),
            other => Ran::Command(other.join("\0")),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_whole_and_told_from_shells_and_the_subsystem() {
        let notes = "2\0-c\0echo '3'\nls\x002\0-c\0sftp-server\x000\x002\0-c\x007\0";
        assert_eq!(
            ran(notes, "sftp-server"),
            [
                Ran::Command("echo '3'\nls".to_owned()),
                Ran::Sftp,
                Ran::Shell,
                Ran::Command("7".to_owned()),
            ]
        );
        assert!(ran("", "sftp-server").is_empty());
    }
}

//! Somebody's shell: what they type is run exactly as it is shown, with their own environment and nothing of the
//! demonstration's.
//!
//! Here live whose environment it is, and what a command answered. Nothing here shows or checks anything.

use super::failure::{During, Failure};
use crate::client::{self, Said};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a command of the command line may take.
const COMMAND_MAX: Duration = Duration::from_secs(60);

/// A person's or an agent's shell.
#[derive(Debug, Clone)]
pub struct Shell {
    /// Who types; also the prompt.
    pub who: String,
    dir: PathBuf,
    environment: Vec<(String, String)>,
}

impl Shell {
    /// A shell in this directory with these programs on its path, and an otherwise bare environment.
    pub fn new(who: &str, dir: &Path, programs: &[&Path]) -> Shell {
        let mut path: Vec<String> = programs.iter().map(|p| p.display().to_string()).collect();
        path.extend(["/usr/local/bin", "/usr/bin", "/bin"].map(str::to_owned));
        let environment = [
            ("PATH", path.join(":")),
            // Nothing of this machine's owner: no ~/.pgpass, no ~/.psqlrc.
            ("HOME", dir.display().to_string()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("NO_COLOR", "1".to_owned()),
            ("PAGER", "cat".to_owned()),
        ];
        Shell {
            who: who.to_owned(),
            dir: dir.to_owned(),
            environment: environment.map(|(n, v)| (n.to_owned(), v)).into(),
        }
    }

    /// The same, but somebody else's.
    pub fn of(&self, who: &str) -> Shell {
        Shell {
            who: who.to_owned(),
            ..self.clone()
        }
    }

    /// The same with one variable more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Shell {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The prompt that is shown.
    pub fn prompt(&self) -> String {
        format!("{}$", self.who)
    }

    /// The value of one of its variables.
    pub fn variable(&self, name: &str) -> &str {
        let found = self.environment.iter().rev().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// A line, ready to run.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(&self.dir)
            .env_clear()
            .envs(self.environment.iter().map(|(n, v)| (n, v)));
        command
    }

    /// Runs a line to its end.
    pub fn run(&self, line: &str) -> Result<Said, Failure> {
        client::run(self.command(line), "", COMMAND_MAX).during(&format!("running `{line}`"))
    }

    /// Runs a line that must succeed, and gives what it said.
    pub fn answer(&self, line: &str) -> Result<String, Failure> {
        let said = self.run(line)?;
        if said.is_good() {
            Ok(said.out.trim_end().to_owned())
        } else {
            Err(Failure::Command {
                line: line.to_owned(),
                said: format!("{}{}", said.out, said.err),
            })
        }
    }
}

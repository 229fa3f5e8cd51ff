//! A test may be killed before anything is dropped. So a watchdog, a small shell, holds a pipe from this process: when the
//! pipe closes, for whatever reason, it stops the server and removes its files.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::error::{During, PostgresError};

/// Each line is the process to stop (an empty one: none), `$1` the directory to remove, `$2` how to stop it.
const SCRIPT: &str = r#"
server=
while read -r line; do server=$line; done
if [ -n "$server" ]; then eval "$2"; fi
rm -rf -- "$1"
"#;

/// SIGINT is PostgreSQL's fast shutdown; others end at it too.
const STOP: &str = r#"
kill -INT "$server" 2>/dev/null
n=0
while kill -0 "$server" 2>/dev/null && [ "$n" -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
kill -KILL "$server" 2>/dev/null
"#;

/// A server whose children are process groups of their own, and go on when it ends. It is killed last.
const STOP_TREE: &str = r#"
tree() { for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do tree "$child"; done; echo "$1"; }
kill -STOP "$server" 2>/dev/null && kill -KILL $(tree "$server") 2>/dev/null
"#;

/// Guards one server's directory, and the server once there is one.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// A watchdog for this directory.
    pub fn over(dir: &Path) -> Result<Watchdog, PostgresError> {
        Watchdog::start(dir, STOP)
    }

    /// The same for a server that must be killed with all that it started.
    pub fn over_tree(dir: &Path) -> Result<Watchdog, PostgresError> {
        Watchdog::start(dir, STOP_TREE)
    }

    fn start(dir: &Path, stop: &str) -> Result<Watchdog, PostgresError> {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(dir)
            .arg(stop)
            .current_dir("/")
            // Its own group: what kills the test's group must not kill the watchdog.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .during("starting the server's watchdog")?;
        Ok(Watchdog { shell })
    }

    /// Tells it which process to stop.
    pub fn guard(&mut self, server: Option<u32>) -> Result<(), PostgresError> {
        let line = server.map(|pid| pid.to_string()).unwrap_or_default();
        match &mut self.shell.stdin {
            Some(pipe) => writeln!(pipe, "{line}").during("telling the watchdog about the server"),
            None => Ok(()),
        }
    }

    /// Closes the pipe, as the end of this process would.
    pub fn wake(&mut self) {
        drop(self.shell.stdin.take());
    }

    /// Waits until it has tidied up.
    #[cfg(test)]
    pub fn wait(&mut self) {
        self.shell.wait().unwrap();
    }
}

/// Whoever drops it has stopped the server, and removes the files.
impl Drop for Watchdog {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

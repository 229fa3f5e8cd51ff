//! An agent that holds keys, for clients that prove themselves by it or forward it.
//!
//! Lives here: starting one with keys in it. Never: the machine's own agent.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const START_WAIT_MAX: Duration = Duration::from_secs(10);
const POLL_EVERY: Duration = Duration::from_millis(5);

/// A running agent. Dropping it ends it, and its keys are gone.
#[derive(Debug)]
pub struct SshAgent {
    agent: Child,
    dir: TempDir,
}

impl SshAgent {
    /// Starts one that holds these private keys.
    pub fn start(keys: &[&Path]) -> io::Result<SshAgent> {
        let dir = tempfile::Builder::new()
            .prefix("brattice-agent-")
            .tempdir()?;
        let agent = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(dir.path().join("agent"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let agent = SshAgent { agent, dir };
        let deadline = Instant::now() + START_WAIT_MAX;
        while !agent.socket().exists() {
            if Instant::now() > deadline {
                return Err(io::Error::other("ssh-agent does not start"));
            }
            thread::sleep(POLL_EVERY);
        }
        let added = Command::new("ssh-add")
            .arg("-q")
            .args(keys)
            .env("SSH_AUTH_SOCK", agent.socket())
            .stdin(Stdio::null())
            .output()?;
        if added.status.success() {
            Ok(agent)
        } else {
            let said = String::from_utf8_lossy(&added.stderr).into_owned();
            Err(io::Error::other(format!("ssh-add: {said}")))
        }
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("agent")
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

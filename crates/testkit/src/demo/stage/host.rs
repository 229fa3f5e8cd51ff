//! A host with a small service on it, and what is really so there.

use super::super::failure::{During, Failure};
use crate::ssh_client::{SshClient, SshLogin, SshProof};
use crate::sshd::{Mark, Ran, Sshd, SshdOptions};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// How long the service may take to start, or to take notice.
const SERVICE_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Begins anew when it is told to, and ends with the account's home directory.
const SERVICE: &str = "#!/bin/sh
trap 'echo \"worker began anew\" >> worker.log' HUP
echo \"worker began\" >> worker.log
echo $$ > worker.pid
while [ -e worker.sh ]; do sleep 0.1; done
";

/// What the service has written about its customers.
pub const LOG: &str = "order 1 shipped, told ada.okafor@example.com
order 2 paid by card 5555555555554444
order 3 paid, told wei.chen@example.net
";

/// A host.
#[derive(Debug)]
pub struct Host {
    pub sshd: Sshd,
    /// The service's process.
    pub worker: u32,
}

impl Host {
    /// Starts it, and its service.
    pub fn start() -> Result<Host, Failure> {
        let sshd = Sshd::start_now(&SshdOptions::default())?;
        let account = SshClient::new(SshLogin {
            port: sshd.port(),
            user: sshd.user().to_owned(),
            proof: SshProof::Key(sshd.key().private().to_owned()),
            known_hosts: sshd.known_hosts(),
        })
        .during("logging in to the host")?;
        let lines: [(&str, &str); 3] = [
            ("cat > orders.log", LOG),
            ("cat > worker.sh", SERVICE),
            (
                "setsid sh worker.sh > /dev/null 2>&1 < /dev/null & exit 0",
                "",
            ),
        ];
        for (line, input) in lines {
            let said = account
                .ssh(&[], line, input.as_bytes())
                .during("setting up the host")?;
            if !said.is_good() {
                return Err(Failure::Command {
                    line: line.to_owned(),
                    said: said.err,
                });
            }
        }
        let mut host = Host { sshd, worker: 0 };
        let pid = host.comes("worker.pid", |text| text.ends_with('\n'));
        host.worker = pid.trim().parse().unwrap_or_default();
        Ok(host)
    }

    /// A file of the account's.
    pub fn file(&self, name: &str) -> String {
        fs::read_to_string(self.sshd.home().join(name)).unwrap_or_default()
    }

    /// The file, once it is so, or as it is when that takes too long.
    pub fn comes(&self, name: &str, so: impl Fn(&str) -> bool) -> String {
        let by = Instant::now() + SERVICE_MAX;
        loop {
            let text = self.file(name);
            if so(&text) || Instant::now() >= by {
                return text;
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// The command lines that the account's shell was given since then.
    pub fn ran_since(&self, mark: Mark) -> Vec<String> {
        let ran = self.sshd.ran_since(mark).into_iter();
        ran.filter_map(|r| match r {
            Ran::Command(line) => Some(line),
            _ => None,
        })
        .collect()
    }
}

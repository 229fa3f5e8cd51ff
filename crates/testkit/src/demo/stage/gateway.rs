//! The gateway with its built-in identity provider, as `brattice dev` runs them.
//!
//! Here live starting it, waiting until it is ready, asking for tokens, and stopping it.

use super::super::failure::{During, Failure};
use super::super::shell::Shell;
use super::super::transcript::Transcript;
use super::bundle::Ports;
use crate::postgres::watchdog::Watchdog;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const START_MAX: Duration = Duration::from_secs(30);
const STOP_MAX: Duration = Duration::from_secs(15);
const POLL_EVERY: Duration = Duration::from_millis(20);
/// How it is started.
const COMMAND: &str = "brattice dev --config orders --state state";

/// A running gateway. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    process: Option<Child>,
    // Stops it when this process is killed before anything is dropped. The directory is its own, and empty.
    _watchdog: (Watchdog, TempDir),
    postgres: u16,
    admin: u16,
}

impl Running {
    /// Checks the bundle, starts the program on it, and waits until it says that it is ready.
    pub fn start(
        operator: &Shell,
        dir: &Path,
        ports: &Ports,
        shown: &mut Transcript,
    ) -> Result<Running, Failure> {
        shown.tell("The rules and the configuration are those of examples/orders. They are checked as a whole:");
        for line in ["brattice check orders", "brattice policy test orders"] {
            shown.typed(&operator.prompt(), line);
            shown.said(&operator.answer(line)?);
        }
        shown.tell(
            "The gateway starts, with a small identity provider for trying out that signs tokens for the people and the \
             agents of this story:",
        );
        shown.typed(&operator.prompt(), &format!("{COMMAND} &"));
        let log = dir.join("gateway.log");
        let mut command = operator.command(&format!("exec {COMMAND}"));
        let out = File::create(&log).during("making the gateway's log")?;
        let err = out.try_clone().during("making the gateway's log")?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let home = tempfile::tempdir().during("making the watchdog's directory")?;
        let mut watchdog = Watchdog::over(home.path())?;
        let process = command.spawn().during("starting the gateway")?;
        watchdog.guard(Some(process.id()))?;
        let mut running = Running {
            process: Some(process),
            _watchdog: (watchdog, home),
            postgres: ports.postgres,
            admin: ports.admin,
        };
        running.wait_until_ready(ports.metrics, &log)?;
        Ok(running)
    }

    /// Where agents connect.
    pub fn postgres_port(&self) -> u16 {
        self.postgres
    }

    /// Where the REST API answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.admin)
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let asked = Command::new("kill")
            .args(["-TERM", &process.id().to_string()])
            .status();
        let deadline = Instant::now() + STOP_MAX;
        while asked.is_ok() && Instant::now() < deadline {
            match process.try_wait() {
                Ok(None) => thread::sleep(POLL_EVERY),
                _ => return,
            }
        }
        let _ = process.kill();
        let _ = process.wait();
    }

    fn wait_until_ready(&mut self, metrics: u16, log: &PathBuf) -> Result<(), Failure> {
        let deadline = Instant::now() + START_MAX;
        let why = loop {
            if is_ready(metrics) {
                return Ok(());
            }
            match self.process.as_mut().map(Child::try_wait) {
                Some(Ok(None)) => {}
                Some(Ok(Some(status))) => break format!("it ended: {status}"),
                Some(Err(error)) => break error.to_string(),
                None => break "it was stopped".to_owned(),
            }
            if Instant::now() >= deadline {
                break format!("it took longer than {} s", START_MAX.as_secs());
            }
            thread::sleep(POLL_EVERY);
        };
        Err(Failure::NoGateway {
            why,
            log: fs::read_to_string(log).unwrap_or_default(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn is_ready(metrics: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, metrics))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(
            stream,
            "GET /readyz HTTP/1.1\r\nhost: 127.0.0.1:{metrics}\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

//! One way to the host, with what it takes to go it now, and what stands between.
//!
//! Here lives reading what that has used. Nothing here starts a client.

use super::super::error::BenchError;
use super::super::process;
use super::super::way::Way;
use crate::ssh_client::SshClient;
use std::thread;
use std::time::{Duration, Instant};

/// What ended connections leave behind is tidied away in this time.
const REST_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Who spends no more between two looks is at rest: the kernel counts in hundredths.
const REST_CPU: Duration = Duration::from_millis(10);

/// One way.
pub(super) struct Route {
    pub way: Way,
    pub client: SshClient,
    pub between: Option<Between>,
}

/// The gateway's process, which stands between. Of a jump nothing is read: the process that serves a connection there can end
/// without being waited for, and what it used is then counted nowhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between {
    pub pid: u32,
    /// Where clients connect.
    pub port: u16,
}

impl Between {
    /// Its CPU time so far.
    pub fn cpu(&self) -> Result<Duration, BenchError> {
        process::cpu(self.pid)
    }

    /// The same, when all connections have ended and nothing is done about them any more: a recording is sealed after the
    /// client has gone.
    pub fn cpu_at_rest(&self) -> Result<Duration, BenchError> {
        let began = Instant::now();
        let mut last = self.cpu()?;
        loop {
            thread::sleep(LOOK_EVERY);
            let now = self.cpu()?;
            let is_idle = now.saturating_sub(last) <= REST_CPU;
            if is_idle && process::peers(self.port)?.is_empty() {
                return Ok(now);
            }
            if began.elapsed() > REST_MAX {
                let why = format!("port {} does not come to rest", self.port);
                return Err(BenchError::Wrong(why));
            }
            last = now;
        }
    }
}

impl Route {
    /// What stands between has used so much CPU time meanwhile, all that follows from it included.
    pub fn spent<T>(
        &self,
        work: impl FnOnce() -> Result<T, BenchError>,
    ) -> Result<(T, Option<Duration>), BenchError> {
        let at_rest = || {
            self.between
                .map(|between| between.cpu_at_rest())
                .transpose()
        };
        let before = at_rest()?;
        let done = work()?;
        let spent = before.zip(at_rest()?).map(|(b, a)| a.saturating_sub(b));
        Ok((done, spent))
    }
}

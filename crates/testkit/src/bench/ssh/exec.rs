//! Commands on a connection that stands: OpenSSH's own sharing of one, as Ansible and git use it.

use super::super::error::{BenchError, During};
use super::super::ledger::{Ledger, Unit};
use super::super::way::rotated;
use super::super::{Plan, say};
use super::route::Route;
use super::run;
use super::world::World;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const NAME: &str = "command on an open connection";
/// In the client's home, since the path of a socket may not be long.
const SOCKET: &str = "m";
const START_MAX: Duration = Duration::from_secs(20);
const POLL_EVERY: Duration = Duration::from_millis(10);

pub(super) fn measure(world: &World, plan: &Plan, ledger: &mut Ledger) -> Result<(), BenchError> {
    say(NAME);
    for round in 0..plan.rounds {
        for route in rotated(world.routes()?, round) {
            let master = Master::start(&route)?;
            once(&route)?;
            let cpu = || route.between.map(|b| b.cpu()).transpose();
            let before = cpu()?;
            let began = Instant::now();
            let waits: Result<Vec<Duration>, BenchError> =
                (0..plan.commands).map(|_| once(&route)).collect();
            let took = began.elapsed();
            let after = cpu()?;
            drop(master);
            let many = f64::from(plan.commands);
            let rate = many / took.as_secs_f64();
            ledger.note(NAME, Unit::PerSecond, route.way, rate);
            ledger.note_waits(NAME, route.way, &waits?);
            if let Some((before, after)) = before.zip(after) {
                let each = after.saturating_sub(before).as_secs_f64() * 1e6 / many;
                ledger.note(NAME, Unit::CpuMicroseconds, route.way, each);
            }
        }
    }
    Ok(())
}

fn once(route: &Route) -> Result<Duration, BenchError> {
    let socket = socket(route);
    let command = route.client.ssh_command(&["-S", &socket], "true");
    let began = Instant::now();
    run::finish(command)?;
    Ok(began.elapsed())
}

fn socket(route: &Route) -> String {
    route.client.home().join(SOCKET).display().to_string()
}

/// The client whose connection the others use. Dropping it ends it.
struct Master(Child);

impl Master {
    fn start(route: &Route) -> Result<Master, BenchError> {
        let socket = socket(route);
        let child = route
            .client
            .ssh_command(&["-M", "-N", "-S", &socket], "")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .during("starting a client")?;
        let master = Master(child);
        let began = Instant::now();
        loop {
            let check = (route.client).ssh_command(&["-S", &socket, "-O", "check"], "");
            match run::finish(check) {
                Ok(_) => return Ok(master),
                Err(error) if began.elapsed() > START_MAX => return Err(error),
                Err(_) => thread::sleep(POLL_EVERY),
            }
        }
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

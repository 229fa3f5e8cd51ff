//! Memory of the gateway's process: with nothing to do, and of each connection that is open and idle.

use super::super::error::{BenchError, During};
use super::super::ledger::{Ledger, Unit};
use super::super::way::Way;
use super::super::{Plan, process, say};
use super::route::Route;
use super::run;
use super::world::World;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Let what a login leaves behind be tidied away.
const SETTLE: Duration = Duration::from_secs(2);
/// How long all of them may take to log in.
const OPEN_MAX: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) fn measure(world: &World, plan: &Plan, ledger: &mut Ledger) -> Result<(), BenchError> {
    let count = process::connections_max(plan.ssh_idle);
    say(&format!("memory of {count} idle SSH connections"));
    let (way, pid) = (Way::Gateway, world.gateway_pid()?);
    let note = |ledger: &mut Ledger, name: &str, kib: f64| ledger.note(name, Unit::Kib, way, kib);
    let fresh = process::resident_kib(pid)?;
    note(ledger, "memory, nothing connected yet", fresh as f64);
    let route = world.gateway_route()?;
    // What the first session brings is not what the next one costs.
    run::finish(route.client.ssh_command(&[], "true"))?;
    thread::sleep(SETTLE);
    let before = process::resident_kib(pid)?;
    let idle = open(world, &route, count)?;
    thread::sleep(SETTLE);
    let after = process::resident_kib(pid)?;
    drop(idle);
    let each = after.saturating_sub(before) as f64 / count as f64;
    ledger.note("idle connections", Unit::Count, way, count as f64);
    note(ledger, "memory with them", after as f64);
    note(ledger, "memory of an idle connection", each);
    Ok(())
}

/// Clients that are logged in and ask for nothing. Dropping them ends them.
struct Idle(Vec<Child>);

impl Drop for Idle {
    fn drop(&mut self) {
        for client in &mut self.0 {
            let _ = client.kill();
            let _ = client.wait();
        }
    }
}

/// Each is in when the gateway has a connection to the host for it.
fn open(world: &World, route: &Route, count: u64) -> Result<Idle, BenchError> {
    let mut idle = Idle(Vec::new());
    let began = Instant::now();
    for wanted in 1..=count {
        let client = route
            .client
            .ssh_command(&["-N"], "")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .during("starting a client")?;
        idle.0.push(client);
        // One after the other: a crowd at the door is not what is measured.
        while (process::peers(world.host.port())?.len() as u64) < wanted {
            if began.elapsed() > OPEN_MAX {
                let why = format!("of {count} connections not all were opened");
                return Err(BenchError::Wrong(why));
            }
            thread::sleep(LOOK_EVERY);
        }
    }
    Ok(idle)
}

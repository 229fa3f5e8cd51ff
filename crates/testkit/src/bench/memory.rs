//! Memory: of the process with nothing to do, and of each idle connection.

use super::client::Client;
use super::error::BenchError;
use super::ledger::{Ledger, Unit};
use super::way::Way;
use super::world::World;
use super::{Plan, process, say};
use std::thread;
use std::time::Duration;

/// Idle connections, where the limit of open files allows.
const CONNECTIONS_MAX: u64 = 1000;
/// Let what a login leaves behind be tidied away.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) fn measure(world: &World, _: &Plan, ledger: &mut Ledger) -> Result<(), BenchError> {
    let count = process::connections_max(CONNECTIONS_MAX);
    say(&format!("memory of {count} idle connections"));
    for route in world.routes()?.into_iter().filter(|r| r.way != Way::Direct) {
        let Some(pid) = route.pid else { continue };
        let fresh = process::resident_kib(pid)?;
        ledger.note(
            "memory, nothing connected yet",
            Unit::Kib,
            route.way,
            fresh as f64,
        );
        // What the first session brings (a catalogue, a judge's caches) is not what the next one costs.
        drop(Client::connect(&route)?);
        thread::sleep(SETTLE);
        let before = process::resident_kib(pid)?;
        let mut idle = Vec::new();
        for _ in 0..count {
            idle.push(Client::connect(&route)?.rest());
        }
        thread::sleep(SETTLE);
        let after = process::resident_kib(pid)?;
        drop(idle);
        let each = after.saturating_sub(before) as f64 / count as f64;
        ledger.note("idle connections", Unit::Count, route.way, count as f64);
        ledger.note("memory of an idle connection", Unit::Kib, route.way, each);
    }
    Ok(())
}

//! Connecting: TCP, key exchange, proof, one command, gone again; one client after the other, and several at once.

use super::super::error::{BenchError, During};
use super::super::ledger::{Ledger, Unit};
use super::super::way::rotated;
use super::super::{Plan, say};
use super::route::Route;
use super::run;
use super::world::World;
use std::thread;
use std::time::{Duration, Instant};

const AT_ONCE: u32 = 8;

/// How long each client took, and all of them.
struct Ran {
    waits: Vec<Duration>,
    took: Duration,
}

pub(super) fn measure(world: &World, plan: &Plan, ledger: &mut Ledger) -> Result<(), BenchError> {
    for (name, at_once) in [("connect, 1 client", 1), ("connect, 8 clients", AT_ONCE)] {
        say(name);
        for round in 0..plan.rounds {
            for route in rotated(world.routes()?, round) {
                // What the first brings (files read, code loaded) is not what the next one costs.
                once(&route)?;
                let (ran, cpu) = route.spent(|| all(&route, plan.logins, at_once))?;
                let many = ran.waits.len() as f64;
                let rate = many / ran.took.as_secs_f64();
                ledger.note(name, Unit::PerSecond, route.way, rate);
                ledger.note_waits(name, route.way, &ran.waits);
                if let Some(cpu) = cpu {
                    let each = cpu.as_secs_f64() * 1e6 / many;
                    ledger.note(name, Unit::CpuMicroseconds, route.way, each);
                }
            }
        }
    }
    Ok(())
}

fn all(route: &Route, times: u32, at_once: u32) -> Result<Ran, BenchError> {
    let each = (times / at_once).max(1);
    let one_after_the_other = || {
        (0..each)
            .map(|_| once(route))
            .collect::<Result<Vec<_>, _>>()
    };
    let began = Instant::now();
    let waits = thread::scope(|scope| {
        let mut running = Vec::new();
        for _ in 0..at_once {
            let clients = thread::Builder::new()
                .spawn_scoped(scope, one_after_the_other)
                .during("starting clients")?;
            running.push(clients);
        }
        let mut waits = Vec::new();
        for clients in running {
            let gone = |_| BenchError::Wrong("a part of the measurement panicked".to_owned());
            waits.extend(clients.join().map_err(gone)??);
        }
        Ok::<_, BenchError>(waits)
    })?;
    Ok(Ran {
        waits,
        took: began.elapsed(),
    })
}

/// From the client's start to its end.
fn once(route: &Route) -> Result<Duration, BenchError> {
    let command = route.client.ssh_command(&[], "true");
    let began = Instant::now();
    run::finish(command)?;
    Ok(began.elapsed())
}

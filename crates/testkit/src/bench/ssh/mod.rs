//! What the gateway costs in front of a host: stock `ssh` and `scp` straight at a real sshd, through another sshd as a hop
//! (`ssh -J`), and through the gateway, in turns within one run.
//!
//! Here live the order of the measurements and what they have in common. Nothing here changes what is measured: sessions
//! are recorded, streams are masked, commands are judged by a policy and put into the audit log, as always.

mod bulk;
mod connect;
mod echo;
mod exec;
mod memory;
mod route;
mod run;
mod text;
mod world;

use super::error::BenchError;
use super::ledger::Ledger;
use super::report::Part;
use super::{Plan, family, say};
use std::path::Path;
use world::World;

/// The measurements, by the names that `--only` takes: all of them are `bench ssh`.
pub const NAMES: [&str; 5] = [
    "ssh-memory",
    "ssh-connect",
    "ssh-exec",
    "ssh-echo",
    "ssh-bulk",
];

type Measurement = fn(&World, &Plan, &mut Ledger) -> Result<(), BenchError>;

pub(super) fn run(plan: &Plan, binary: &Path) -> Result<Part, BenchError> {
    say("starting two sshd and the gateway");
    let world = World::start(binary)?;
    let mut ledger = Ledger::default();
    let measurements: [Measurement; 5] = [
        memory::measure,
        connect::measure,
        exec::measure,
        echo::measure,
        bulk::measure,
    ];
    for (name, measure) in NAMES.into_iter().zip(measurements) {
        if plan.wants(name) {
            measure(&world, plan, &mut ledger)?;
        }
    }
    Ok(Part {
        family: &family::SSH,
        setting: world.setting(plan),
        ledger,
    })
}

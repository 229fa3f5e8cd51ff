//! What the gateway costs: the same load straight at PostgreSQL, through pgbouncer, and through the gateway, in turns
//! within one run, so that what else the machine does falls on all of them alike.
//!
//! Here live the plan of a run and the measurements, one a file. Nothing here changes what is measured: the gateway is
//! the program as its users run it, with TLS, policy, masking, recording and the audit log.

mod agents;
mod burst;
mod client;
mod connect;
mod error;
mod ledger;
mod load;
mod memory;
mod pgbouncer;
mod plot;
mod process;
mod report;
mod results;
mod revoke;
mod way;
mod world;

pub use error::BenchError;
pub use report::Report;

use error::During;
use ledger::Ledger;
use std::fs;
use std::path::Path;
use world::World;

/// The measurements, by the names that `--only` takes.
pub const NAMES: [&str; 9] = [
    "select", "tpcb", "connect", "rows", "copy", "burst", "memory", "agents", "revoke",
];

/// What of these is about who comes and who goes: `bench identity`.
pub const IDENTITY: [&str; 2] = ["agents", "revoke"];

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How often each thing is measured; the median counts.
    rounds: u32,
    /// How long one load runs.
    seconds: u32,
    /// How long new agents keep coming.
    agents_seconds: u32,
    /// How many sessions are open when their principal is revoked.
    sessions: u64,
    only: Vec<String>,
    /// Of a measurement's loads, those whose names hold this.
    like: String,
}

impl Plan {
    /// What published figures are made with.
    pub fn full() -> Plan {
        Plan {
            rounds: 3,
            seconds: 5,
            agents_seconds: 60,
            sessions: 1000,
            only: Vec::new(),
            like: String::new(),
        }
    }

    /// For a first look.
    pub fn quick() -> Plan {
        Plan {
            rounds: 2,
            seconds: 2,
            agents_seconds: 20,
            sessions: 100,
            only: Vec::new(),
            like: String::new(),
        }
    }

    /// Only these measurements; all if there are none.
    #[must_use]
    pub fn only(self, only: Vec<String>) -> Plan {
        Plan { only, ..self }
    }

    /// Of these, only the loads whose names hold this text: `simple, 8`.
    #[must_use]
    pub fn like(self, like: String) -> Plan {
        Plan { like, ..self }
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

/// Measures, and writes `last.json` and `last.svg` to this directory.
pub fn run(plan: &Plan, binary: &Path, out: &Path) -> Result<Report, BenchError> {
    say("starting PostgreSQL, pgbouncer and the gateway");
    let world = World::start(binary)?;
    let mut ledger = Ledger::default();
    let measurements: [(&str, Measurement); 9] = [
        ("memory", memory::measure),
        ("select", load::select),
        ("tpcb", load::tpcb),
        ("connect", connect::measure),
        ("rows", results::rows),
        ("copy", results::copy),
        ("burst", burst::measure),
        ("agents", agents::measure),
        ("revoke", revoke::measure),
    ];
    for (name, measure) in measurements {
        if plan.wants(name) {
            measure(&world, plan, &mut ledger)?;
        }
    }
    let report = Report::new(&world, plan, ledger)?;
    report.write(out)?;
    Ok(report)
}

/// The picture of figures that an earlier run left in `last.json`.
pub fn draw(figures: &Path) -> Result<String, BenchError> {
    let text = fs::read_to_string(figures).during("reading the figures")?;
    let kept: Kept = serde_json::from_str(&text).map_err(|e| BenchError::Wrong(e.to_string()))?;
    Ok(plot::svg(&kept.measured))
}

/// What of `last.json` a picture needs.
#[derive(serde::Deserialize)]
struct Kept {
    measured: Ledger,
}

type Measurement = fn(&World, &Plan, &mut Ledger) -> Result<(), BenchError>;

/// What is going on, for whoever waits.
fn say(what: &str) {
    eprintln!("bench: {what}");
}

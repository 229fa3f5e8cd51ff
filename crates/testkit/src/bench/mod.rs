//! What the gateway costs: the same load straight at a target, through a plain proxy, and through the gateway, in turns
//! within one run, so that what else the machine does falls on all of them alike.
//!
//! Here live the plan of a run and the measurements, one a file: of PostgreSQL here, of hosts in `ssh`. Nothing here changes
//! what is measured: the gateway is the program as its users run it, with TLS, policy, masking, recording and the audit log.

mod agents;
mod aims;
mod burst;
mod client;
mod connect;
mod error;
mod family;
mod ledger;
mod load;
mod machine;
mod memory;
mod pgbouncer;
mod plot;
mod process;
mod provider;
mod report;
mod results;
mod revoke;
mod ssh;
mod way;
mod world;

pub use error::BenchError;
pub use report::Report;
pub use ssh::NAMES as SSH;

use error::During;
use ledger::Ledger;
use report::Part;
use serde_json::Value;
use std::fs;
use std::path::Path;
use world::World;

/// The measurements of PostgreSQL, by the names that `--only` takes.
pub const SQL: [&str; 9] = [
    "select", "tpcb", "connect", "rows", "copy", "burst", "memory", "agents", "revoke",
];

/// What of these is about who comes and who goes: `bench identity`.
pub const IDENTITY: [&str; 2] = ["agents", "revoke"];

/// Every measurement's name.
pub fn names() -> Vec<&'static str> {
    SQL.into_iter().chain(SSH).collect()
}

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
    /// Bytes that one bulk transfer over SSH moves.
    bulk_bytes: u64,
    /// How often SSH clients connect in one round.
    logins: u32,
    /// How many commands run on an open SSH connection in one round.
    commands: u32,
    /// How many keys are typed in one round.
    keys: u32,
    /// How many SSH connections are idle while memory is looked at.
    ssh_idle: u64,
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
            bulk_bytes: 1 << 30,
            logins: 64,
            commands: 400,
            keys: 1500,
            ssh_idle: 100,
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
            bulk_bytes: 64 << 20,
            logins: 16,
            commands: 40,
            keys: 200,
            ssh_idle: 20,
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

    fn wants_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.wants(name))
    }
}

/// Measures, and writes `last.json` and the pictures to this directory.
pub fn run(plan: &Plan, binary: &Path, out: &Path) -> Result<Report, BenchError> {
    let mut report = Report::default();
    if plan.wants_any(&SQL) {
        report.add(sql(plan, binary)?);
    }
    if plan.wants_any(&SSH) {
        report.add(ssh::run(plan, binary)?);
    }
    report.write(out)?;
    Ok(report)
}

fn sql(plan: &Plan, binary: &Path) -> Result<Part, BenchError> {
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
    Ok(Part {
        family: &family::SQL,
        setting: world.setting(plan)?,
        ledger,
    })
}

/// The picture of figures that an earlier run left in `last.json`: of the first kind of target that it has.
pub fn draw(figures: &Path) -> Result<String, BenchError> {
    let text = fs::read_to_string(figures).during("reading the figures")?;
    let wrong = |e: serde_json::Error| BenchError::Wrong(e.to_string());
    let mut all: Value = serde_json::from_str(&text).map_err(wrong)?;
    for family in [&family::SQL, &family::SSH] {
        if let Some(part) = all.get_mut(family.key).map(Value::take) {
            let kept: Kept = serde_json::from_value(part).map_err(wrong)?;
            return Ok(plot::svg(&kept.measured, family.plain));
        }
    }
    let why = format!("{} has no figures", figures.display());
    Err(BenchError::Wrong(why))
}

/// What of a kind of target a picture needs.
#[derive(serde::Deserialize)]
struct Kept {
    measured: Ledger,
}

type Measurement = fn(&World, &Plan, &mut Ledger) -> Result<(), BenchError>;

/// What is going on, for whoever waits.
fn say(what: &str) {
    eprintln!("bench: {what}");
}

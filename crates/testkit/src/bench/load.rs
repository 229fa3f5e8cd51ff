//! pgbench's own loads: its read (`-S`) by each form of the protocol, and its TPC-B.
//!
//! Here live running pgbench and reading what it says. Nothing here knows which way it goes.

use super::error::{BenchError, During};
use super::ledger::{Ledger, Unit};
use super::process;
use super::way::{Route, rotated};
use super::world::World;
use super::{Plan, say};
use std::fs;
use std::path::Path;
use std::process::Command;

/// How pgbench sends a statement.
const PROTOCOLS: [&str; 3] = ["simple", "extended", "prepared"];
/// How many do so at once. One alone shows what is added to a wait, many what a full machine can do.
const CLIENTS: [u32; 3] = [1, 8, 32];
/// TPC-B waits for the disk.
const CLIENTS_TPCB: [u32; 2] = [1, 8];

/// `-S` by each form of the protocol.
pub(super) fn select(world: &World, plan: &Plan, ledger: &mut Ledger) -> Result<(), BenchError> {
    for protocol in PROTOCOLS {
        for clients in CLIENTS {
            let name = format!("select, {protocol}, {clients} {}", noun(clients));
            let load = Load {
                what: &["--select-only"],
                protocol,
                clients,
                length: Length::Seconds(plan.seconds),
            };
            compare(world, plan, &name, &load, ledger)?;
        }
    }
    Ok(())
}

/// The default transaction: BEGIN, five statements, END.
pub(super) fn tpcb(world: &World, plan: &Plan, ledger: &mut Ledger) -> Result<(), BenchError> {
    for clients in CLIENTS_TPCB {
        let load = Load {
            what: &["--builtin=tpcb-like"],
            protocol: "simple",
            clients,
            length: Length::Seconds(plan.seconds),
        };
        let name = format!("TPC-B, {clients} {}", noun(clients));
        compare(world, plan, &name, &load, ledger)?;
    }
    Ok(())
}

/// The same load each way, round by round.
pub(super) fn compare(
    world: &World,
    plan: &Plan,
    name: &str,
    load: &Load<'_>,
    ledger: &mut Ledger,
) -> Result<(), BenchError> {
    if !name.contains(&plan.like) {
        return Ok(());
    }
    say(name);
    for round in 0..plan.rounds {
        for route in rotated(world.routes()?, round) {
            note(&load.run(world, &route)?, name, &route, ledger);
        }
    }
    Ok(())
}

/// Puts down what one run showed.
pub(super) fn note(ran: &Ran, name: &str, route: &Route, ledger: &mut Ledger) {
    ledger.note(name, Unit::PerSecond, route.way, ran.per_second);
    if let Some(waits) = &ran.waits {
        ledger.note(name, Unit::Microseconds, route.way, waits.median);
        let name = format!("{name}, 99th percentile");
        ledger.note(&name, Unit::Microseconds, route.way, waits.high);
    }
    if let Some(cpu) = ran.cpu_us {
        ledger.note(name, Unit::CpuMicroseconds, route.way, cpu);
    }
}

pub(super) fn noun(clients: u32) -> &'static str {
    if clients == 1 { "client" } else { "clients" }
}

/// How long a load runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Length {
    Seconds(u32),
    /// Transactions of each client.
    Transactions(u32),
}

/// One run of pgbench.
pub(super) struct Load<'a> {
    /// The arguments that say what it does.
    pub what: &'a [&'a str],
    pub protocol: &'a str,
    pub clients: u32,
    pub length: Length,
}

/// What it showed.
#[derive(Debug)]
pub(super) struct Ran {
    pub transactions: u64,
    pub per_second: f64,
    /// Of a single client alone.
    pub waits: Option<Waits>,
    /// CPU time of the process in between, for each transaction.
    pub cpu_us: Option<f64>,
}

/// How long a transaction took, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Waits {
    pub median: f64,
    pub high: f64,
}

impl Load<'_> {
    pub fn run(&self, world: &World, route: &Route) -> Result<Ran, BenchError> {
        let logs = tempfile::Builder::new()
            .prefix("load-")
            .tempdir_in(world.dir())
            .during("creating a directory for pgbench's log")?;
        let mut command = Command::new(world.postgres.bin("pgbench"));
        command
            .args(self.what)
            .args(["--no-vacuum", "--protocol", self.protocol])
            .args(["--client", &self.clients.to_string()])
            .args(["--jobs", &self.clients.min(2).to_string()])
            .current_dir(logs.path());
        match self.length {
            Length::Seconds(s) => command.args(["--time", &s.to_string()]),
            Length::Transactions(n) => command.args(["--transactions", &n.to_string()]),
        };
        let alone = self.clients == 1;
        if alone {
            command.args(["--log", "--log-prefix=waits"]);
        }
        route.libpq(&mut command);
        let before = route.pid.map(process::cpu).transpose()?;
        let output = command.output().during("running pgbench")?;
        let after = route.pid.map(process::cpu).transpose()?;
        let out = String::from_utf8_lossy(&output.stdout);
        let (transactions, per_second) = match (output.status.success(), figures(&out)) {
            (true, Some(figures)) => figures,
            _ => {
                return Err(BenchError::Program {
                    what: format!("pgbench {} {}", self.what.join(" "), route.way.name()),
                    said: format!("{out}{}", String::from_utf8_lossy(&output.stderr)),
                });
            }
        };
        let cpu = before.zip(after).map(|(b, a)| a.saturating_sub(b));
        Ok(Ran {
            transactions,
            per_second,
            waits: if alone { waits_in(logs.path())? } else { None },
            cpu_us: cpu.map(|c| c.as_secs_f64() * 1e6 / (transactions.max(1) as f64)),
        })
    }
}

/// Transactions, and how many in a second, as pgbench says; nothing when any failed.
fn figures(out: &str) -> Option<(u64, f64)> {
    let after = |what: &str| out.lines().find_map(|line| line.strip_prefix(what));
    if let Some(failed) = after("number of failed transactions: ")
        && !failed.starts_with("0 ")
    {
        return None;
    }
    let processed = after("number of transactions actually processed: ")?;
    let transactions = processed.split('/').next()?.trim().parse().ok()?;
    let per_second = after("tps = ")?.split_whitespace().next()?.parse().ok()?;
    Some((transactions, per_second))
}

fn waits_in(dir: &Path) -> Result<Option<Waits>, BenchError> {
    let mut waits: Vec<f64> = Vec::new();
    for entry in fs::read_dir(dir).during("reading pgbench's log")? {
        let path = entry.during("reading pgbench's log")?.path();
        let text = fs::read_to_string(path).during("reading pgbench's log")?;
        waits.extend(text.lines().filter_map(wait));
    }
    waits.sort_by(f64::total_cmp);
    let at = |hundredths: usize| {
        waits.get((waits.len() * hundredths / 100).min(waits.len().saturating_sub(1)))
    };
    Ok(at(50).zip(at(99)).map(|(median, high)| Waits {
        median: *median,
        high: *high,
    }))
}

/// The third field of a line: client, transaction, microseconds, script, time.
fn wait(line: &str) -> Option<f64> {
    line.split(' ').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_pgbench_says() {
        let out = "number of transactions actually processed: 81234\n\
                   number of failed transactions: 0 (0.000%)\n\
                   tps = 16246.8 (without initial connection time)\n";
        assert_eq!(figures(out), Some((81234, 16246.8)));
        let counted = "number of transactions actually processed: 300/300\ntps = 5.5 (x)\n";
        assert_eq!(figures(counted), Some((300, 5.5)));
        let failed = out.replace(": 0 (0.000%)", ": 3 (0.004%)");
        assert_eq!(figures(&failed), None);
    }

    #[test]
    fn waits_are_the_third_field() {
        assert_eq!(wait("0 199 2241 0 1175850568 995598"), Some(2241.0));
        assert_eq!(wait(""), None);
    }
}

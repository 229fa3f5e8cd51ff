//! `cargo xtask bench` runs this: what the gateway costs on this machine, beside a direct connection and a plain proxy.
//!
//! Lives here: the command line. Never: a measurement.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use brattice_testkit::bench::{self, Plan};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
bench [identity] [ssh] [--quick] [--only NAME]... [--like TEXT] [--format text|json]

  identity     only the measurements of who comes and who goes: agents and revoke
  ssh          only those of hosts: all whose names begin with ssh
  --quick      fewer and shorter rounds
  --only NAME  only this measurement; may be repeated
  --draw FILE  no measuring: the picture of a last.json, as SVG on standard output
  --like TEXT  of pgbench's loads only those whose names hold this, e.g. `simple, 8`
  --format F   how the figures are shown; text unless told otherwise

BRATTICE_BIN is the gateway's program, BRATTICE_BENCH the directory for last.json (default: target/bench).";

/// What is to be done.
enum Order {
    Help,
    Draw(PathBuf),
    Measure { plan: Plan, json: bool },
}

fn main() -> ExitCode {
    match order(std::env::args().skip(1)) {
        Ok(Order::Help) => {
            println!("{HELP}\n\nMeasurements: {}", bench::names().join(", "));
            ExitCode::SUCCESS
        }
        Ok(Order::Draw(figures)) => match bench::draw(&figures) {
            Ok(svg) => {
                println!("{svg}");
                ExitCode::SUCCESS
            }
            Err(error) => usage(&error.to_string()),
        },
        Ok(Order::Measure { plan, json }) => match std::env::var_os("BRATTICE_BIN") {
            Some(binary) => measure(&plan, json, &PathBuf::from(binary)),
            None => usage("BRATTICE_BIN is not set"),
        },
        Err(why) => usage(&why),
    }
}

fn order(mut args: impl Iterator<Item = String>) -> Result<Order, String> {
    let mut plan = Plan::full();
    let (mut groups, mut only) = (Vec::new(), Vec::new());
    let (mut like, mut json) = (String::new(), false);
    while let Some(arg) = args.next() {
        let mut value = |what: &str| args.next().ok_or_else(|| format!("{arg} takes {what}"));
        match arg.as_str() {
            "--quick" => plan = Plan::quick(),
            "--only" => {
                let name = value("a measurement's name")?;
                if !bench::names().contains(&name.as_str()) {
                    let names = bench::names().join(", ");
                    return Err(format!("--only takes one of: {names}"));
                }
                only.push(name);
            }
            "--like" => like = value("a text")?,
            "--format" => {
                json = match value("text or json")?.as_str() {
                    "text" => false,
                    "json" => true,
                    other => return Err(format!("--format does not take {other:?}")),
                };
            }
            "--draw" => return Ok(Order::Draw(value("the path of a last.json")?.into())),
            "identity" => groups.extend(bench::IDENTITY.map(str::to_owned)),
            "ssh" => groups.extend(bench::SSH.map(str::to_owned)),
            "--help" | "-h" => return Ok(Order::Help),
            other => return Err(format!("{other:?} is not understood")),
        }
    }
    // Whoever names measurements wants these and no others of the group.
    let chosen = if only.is_empty() { groups } else { only };
    let plan = plan.only(chosen).like(like);
    Ok(Order::Measure { plan, json })
}

fn measure(plan: &Plan, json: bool, binary: &Path) -> ExitCode {
    let out = std::env::var_os("BRATTICE_BENCH")
        .map_or_else(|| PathBuf::from("target/bench"), PathBuf::from);
    match bench::run(plan, binary, &out) {
        Ok(report) if json => println!("{:#}", report.json()),
        Ok(report) => println!("{report}"),
        Err(error) => {
            eprintln!("bench: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn usage(why: &str) -> ExitCode {
    eprintln!("bench: {why}\n\n{HELP}");
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(line: &str) -> Result<Order, String> {
        order(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_measured_is_named_and_nothing_else_is_understood() {
        for line in [
            "",
            "ssh --quick",
            "identity ssh",
            "--only ssh-echo --format json",
        ] {
            assert!(
                matches!(understood(line), Ok(Order::Measure { .. })),
                "{line}"
            );
        }
        assert!(matches!(understood("--draw x"), Ok(Order::Draw(_))));
        for line in ["--only scp", "--only", "--format xml", "sftp"] {
            assert!(understood(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_name_narrows_its_group() {
        let plan = |line: &str| match understood(line) {
            Ok(Order::Measure { plan, .. }) => format!("{plan:?}"),
            _ => String::new(),
        };
        assert!(plan("ssh").contains("ssh-bulk"));
        let narrowed = plan("ssh --only ssh-echo");
        assert!(
            narrowed.contains("ssh-echo") && !narrowed.contains("ssh-bulk"),
            "{narrowed}"
        );
    }
}

//! `cargo xtask bench` runs this: what the gateway costs on this machine, beside a direct connection and a plain proxy.
//!
//! Lives here: the command line. Never: a measurement.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use brattice_testkit::bench::{self, Plan};
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
bench [identity] [--quick] [--only NAME]... [--like TEXT]

  identity     only the measurements of who comes and who goes: agents and revoke
  --quick      fewer and shorter rounds
  --only NAME  only this measurement; may be repeated
  --draw FILE  no measuring: the picture of a last.json, as SVG on standard output
  --like TEXT  of pgbench's loads only those whose names hold this, e.g. `simple, 8`

BRATTICE_BIN is the gateway's program, BRATTICE_BENCH the directory for last.json (default: target/bench).";

fn main() -> ExitCode {
    let mut plan = Plan::full();
    let mut only = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => plan = Plan::quick(),
            "--only" => match args.next() {
                Some(name) if bench::NAMES.contains(&name.as_str()) => only.push(name),
                _ => return usage(&format!("--only takes one of: {}", bench::NAMES.join(", "))),
            },
            "--like" => match args.next() {
                Some(like) => plan = plan.like(like),
                None => return usage("--like takes a text"),
            },
            "identity" => only.extend(bench::IDENTITY.map(str::to_owned)),
            "--draw" => {
                let drawn = args.next().map(|file| bench::draw(&PathBuf::from(file)));
                return match drawn {
                    Some(Ok(svg)) => {
                        println!("{svg}");
                        ExitCode::SUCCESS
                    }
                    Some(Err(error)) => usage(&error.to_string()),
                    None => usage("--draw takes the path of a last.json"),
                };
            }
            "--help" | "-h" => {
                println!("{HELP}\n\nMeasurements: {}", bench::NAMES.join(", "));
                return ExitCode::SUCCESS;
            }
            other => return usage(&format!("{other:?} is not understood")),
        }
    }
    let Some(binary) = std::env::var_os("BRATTICE_BIN") else {
        return usage("BRATTICE_BIN is not set");
    };
    let out = std::env::var_os("BRATTICE_BENCH")
        .map_or_else(|| PathBuf::from("target/bench"), PathBuf::from);
    match bench::run(&plan.only(only), &PathBuf::from(binary), &out) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage(why: &str) -> ExitCode {
    eprintln!("bench: {why}\n\n{HELP}");
    ExitCode::from(2)
}

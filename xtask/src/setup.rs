//! `cargo xtask setup`: what the machine must have before cargo starts on the workspace.
//!
//! The lists are `packages.txt` (from the distribution) and `tools.txt` (pinned, into the tools directory); no package
//! is named in code. When nothing is missing this takes milliseconds, since every other command runs it first.

mod apt;
mod packages;

use crate::failure::{Failure, Outcome};
use crate::tools;
use crate::workspace::Workspace;

pub const HELP: &str = "\
cargo xtask setup [test|demo|bench]... [--full]

Checks what packages.txt lists against this machine and installs what is missing with apt-get, as root or through
passwordless sudo; otherwise it prints the command to run and exits with 3. Then fetches the tools that tools.txt pins
(PostgreSQL servers, a Python environment) into target/tools, or $BRATTICE_TOOLS. --full fetches PostgreSQL 13 to 18.";

/// What somebody is about to do, which decides what is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `cargo xtask test`
    Test,
    /// `cargo xtask demo`
    Demo,
    /// `cargo xtask bench`
    Bench,
}

impl Purpose {
    /// The purpose of that name.
    pub fn parse(name: &str) -> Option<Purpose> {
        Some(match name {
            "test" => Purpose::Test,
            "demo" => Purpose::Demo,
            "bench" => Purpose::Bench,
            _ => return None,
        })
    }
}

/// Makes the machine ready for these purposes, or says what is missing.
pub fn run(workspace: &Workspace, purposes: &[Purpose], full: bool) -> Outcome {
    let list = workspace.root.join("packages.txt");
    let text = std::fs::read_to_string(&list)
        .map_err(|e| Failure::io(format!("reading {}", list.display()), &e))?;
    let needs = packages::parse(&text)?;
    let missing = packages::missing(&needs, purposes);
    if !missing.is_empty() {
        for need in &missing {
            println!(
                "setup: missing {} (package {}): {}",
                need.probe, need.package, need.why
            );
        }
        let names: Vec<&str> = missing.iter().map(|need| need.package.as_str()).collect();
        apt::install(&names)?;
        let still = packages::missing(&needs, purposes);
        if let Some(need) = still.first() {
            return Err(Failure::missing(format!(
                "{} is still not to be found after installing {}",
                need.probe, need.package
            )));
        }
    }
    tools::run(workspace, purposes, full)
}

//! `cargo xtask bench`: builds for release and runs the test kit's measurements.

use crate::demo::{Profile, build_and_run};
use crate::failure::Outcome;
use crate::setup::{self, Purpose};
use crate::workspace::Workspace;

pub const HELP: &str = "\
cargo xtask bench [identity] [ssh] [--quick] [--only NAME]... [--like TEXT] [--format text|json]

Measures the gateway on this machine beside a direct connection and a plain proxy, with release builds, and writes the
figures to target/bench/last.json. NAME is one of select, tpcb, connect, rows, copy, burst, memory, agents, revoke,
ssh-memory, ssh-connect, ssh-exec, ssh-echo, ssh-bulk; `identity` stands for agents and revoke, `ssh` for all that begin
with it.";

/// Makes ready, builds, measures.
pub fn run(workspace: &Workspace, args: &[&str]) -> Outcome {
    setup::run(workspace, &[Purpose::Bench], false)?;
    build_and_run(workspace, Profile::Release, "bench", args)
}

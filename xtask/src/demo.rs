//! `cargo xtask demo`: builds the gateway and the test kit, and runs the test kit's demonstration.

use std::process::Command;

use crate::failure::Outcome;
use crate::run;
use crate::setup::{self, Purpose};
use crate::workspace::Workspace;

pub const HELP: &str = "\
cargo xtask demo

Starts a real PostgreSQL, an identity provider and the gateway on loopback ports, and shows an agent at work: what is
allowed, masked, held for approval and refused. Needs no configuration; nothing stays behind.";

/// Makes ready, builds, runs.
pub fn run(workspace: &Workspace) -> Outcome {
    setup::run(workspace, &[Purpose::Demo], false)?;
    build_and_run(workspace, Profile::Debug, "demo", &[])
}

/// How the binaries are built.
#[derive(Clone, Copy)]
pub enum Profile {
    /// Quick to build.
    Debug,
    /// What is measured.
    Release,
}

/// Builds the gateway and the test kit's binaries, and runs one of these with the gateway's place in `BRATTICE_BIN`.
pub fn build_and_run(
    workspace: &Workspace,
    profile: Profile,
    name: &str,
    args: &[&str],
) -> Outcome {
    let mut build = Command::new("cargo");
    build.current_dir(&workspace.root).args([
        "build",
        "--package",
        "brattice",
        "--package",
        "brattice-testkit",
        "--bins",
    ]);
    let directory = match profile {
        Profile::Debug => "debug",
        Profile::Release => {
            build.arg("--release");
            "release"
        }
    };
    run::shown(&mut build)?;
    run::shown(
        Command::new(workspace.binary(directory, name))
            .args(args)
            .current_dir(&workspace.root)
            .env("BRATTICE_TOOLS", &workspace.tools)
            .env("BRATTICE_BENCH", workspace.target.join("bench"))
            .env("BRATTICE_BIN", workspace.binary(directory, "brattice")),
    )
}

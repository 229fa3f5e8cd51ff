//! `cargo xtask docs`: the reference documents, which the product writes about itself.

use std::process::Command;

use crate::failure::Outcome;
use crate::run;
use crate::workspace::Workspace;

pub const HELP: &str = "\
cargo xtask docs [--check]

Writes the reference documents in docs/reference (command line, configuration, schema, metrics, error codes), as
`brattice docs` generates them; with --check, fails if those in the repository differ.";

/// Write the documents, or compare them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Replace what is there.
    Write,
    /// Fail if what is there differs.
    Check,
}

/// Lets the product write or check them, from the repository's root.
pub fn run(workspace: &Workspace, mode: Mode) -> Outcome {
    let mut command = Command::new("cargo");
    command.current_dir(&workspace.root).args([
        "run",
        "--quiet",
        "--package",
        "brattice",
        "--",
        "docs",
    ]);
    if mode == Mode::Check {
        command.arg("--check");
    }
    run::shown(&mut command)
}

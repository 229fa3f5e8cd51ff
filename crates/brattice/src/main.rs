//! The `brattice` program.
//!
//! Lives here: the modules. Never: logic.

mod cli;
pub mod config;
pub mod dev_issuer;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}

//! The `brattice` program.
//!
//! Lives here: the modules. Never: logic.

pub mod adapt;
mod cli;
pub mod config;
pub mod dev;
pub mod dev_issuer;
pub mod run;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}

//! The `brattice` program.
//!
//! Lives here: the modules. Never: logic.

pub mod adapt;
mod cli;
pub mod config;
pub mod dev;
pub mod dev_issuer;
pub mod run;

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Many small, short-lived buffers on several threads.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::run()
}

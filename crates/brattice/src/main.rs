//! The `brattice` program.
//!
//! Lives here: the modules. Never: logic.

pub mod config;

fn main() {}

//! The `brattice` program.
//!
//! Lives here: the modules. Never: logic.

pub mod config;
pub mod dev_issuer;

fn main() {}

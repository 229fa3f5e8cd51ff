//! The gateway as its users run it, in front of real PostgreSQL servers, with real clients and real signed tokens.
//!
//! One binary for all of it. Each module is a family of cases that share a server; the oracle is always the server
//! itself, its rows and its own log, and never what the gateway says of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "tests say what went wrong by panicking"
)]

mod api;
mod attacks;
mod bound;
mod budgets;
mod clients;
mod crash;
mod delegations;
mod ends;
mod freezes;
mod holds;
mod leases;
mod lent;
mod masks;
mod records;
mod replay;
mod revoke;
mod saml;
mod secrets;
mod seen;
mod sign_in;
mod ssh;
mod tamper;
mod tokens;
mod transparent;
mod watch;
#[allow(dead_code, reason = "families of cases use different parts of it")]
mod world;

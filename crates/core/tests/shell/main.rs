//! What command lines do, told by lists of examples, and held against real shells.
//!
//! A line of a corpus is an effect, a blank and a command line, in which `⏎` stands for a new line. Lines that begin with
//! `#` say why the next are there.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

mod clients;
mod corpus;
mod details;
mod fuzz;
mod oracle;

//! What statements do, told by a table of examples: each file of `corpus/` is a list of statements and their acts.
//!
//! A case is a block: lines that begin with `#` say why it is there, lines that begin with `@` set the scene
//! (`@path public,app`, `@major 13`, `@in_transaction`), lines that begin with `=>` are what is expected, the rest is the
//! message. Expected: `nothing`; `verb object` with, if it matters, `(columns)`, `where`, `limit=N`, `rows=N`;
//! `unknown rule`; `refused rule`; `error rule`; `leaves what`; `redacted text`. All acts are listed, in any order.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

mod corpus;
mod depends;
mod evasion;
mod fuzz;
mod server;
mod world;

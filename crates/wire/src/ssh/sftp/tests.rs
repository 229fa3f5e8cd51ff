//! The machine between a scripted client, a judge with one rule, and a small server over a tree in memory.
//!
//! Here live transcripts: what the client sends, what the gate is asked, what the target does, what the client sees. The
//! same machine plays against OpenSSH's own server in the integration test.

mod bench;
mod fuzz;
mod gate;
mod liars;
mod links;
mod masks;
mod names;
mod opening;
mod requests;
mod target;
mod transfers;

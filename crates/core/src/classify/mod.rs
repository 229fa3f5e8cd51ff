//! Bytes to effects on objects; unsure is `unknown`.
//!
//! Lives here: a folder for each language. Never: policy, sockets.

pub mod shell;
pub mod sql;

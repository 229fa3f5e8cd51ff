//! Where approvals, credentials, the audit log and recordings are kept.
//!
//! Lives here: files and SQL behind the ports of `brattice_core::ports`. Never: policy, sockets, protocols,
//! a clock read or a random byte that was not passed in.
//!
//! - [`audit`]: the hash-chained, signed log of a node, and its offline check.
//! - [`recording`]: one encrypted file a session.
//! - [`db`]: what is looked up rather than appended, in SQLite.

pub mod audit;
mod crc;
pub mod db;
mod disk;
pub mod recording;

#[cfg(test)]
mod testing;

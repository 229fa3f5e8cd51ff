//! The gate: admit, judge, close. The only ordering of checks, and the only maker of proofs.
//!
//! Lives here: the order and the proof types. Never: sockets, Cedar, SQL.

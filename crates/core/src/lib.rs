//! The domain of Brattice: who acts, on what, by which right, and what is kept of it.
//!
//! Lives here: pure types and decisions. Never: tokio, sockets, SQL storage, environment, clock reads.
//! Time, randomness and everything that waits come in through [`ports`].

pub mod action;
pub mod approval;
pub mod audit;
pub mod classify;
pub mod delegation;
pub mod denial;
pub mod elsewhere;
pub mod freeze;
pub mod gate;
pub mod ids;
pub mod mask;
pub mod plain;
pub mod policy;
pub mod ports;
pub mod principal;
pub mod record;
pub mod scope;
pub mod secret;
pub mod sender;
pub mod target;
pub mod time;
pub mod usage;

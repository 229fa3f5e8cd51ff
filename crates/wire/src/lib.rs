//! Protocol codecs and state machines, without I/O.
//!
//! Here lives what is pure of each protocol: framing, decoding into types, encoding from types, and
//! state machines that are fed bytes and give bytes. Never here: sockets, tasks, clocks, randomness
//! of our own, policy or storage. Time, nonces and limits arrive as arguments.

pub mod error;
pub mod limits;
#[cfg(test)]
mod nobody;
pub mod postgres;
mod reader;
pub mod side;
pub mod ssh;

pub use error::{PeerMisbehaved, Unencodable};
pub use limits::Limits;
pub use side::Side;

//! The data path: listeners, TLS, pumps and upstream connections.
//!
//! Lives here: sockets, tasks, timers. Never: policy, SQL, storage. What may pass is the gate's word
//! (`brattice_core::gate`); how a protocol is spelled is `brattice_wire`'s.

pub mod endpoint;
pub mod listen;
pub mod live;
pub mod postgres;
pub mod room;
pub mod ssh;
pub mod stream;
pub mod tls;
pub mod workers;

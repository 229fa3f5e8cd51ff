//! Recordings: one file a session, compressed, encrypted, chained, readable up to where a crash cut it.
//!
//! Lives here: the shelf they stand on, and their errors. Never: a way to change or replace one.
//!
//! `recordings/YYYY/MM/DD/<session>.brec`, by the day (UTC) the session began; `recordings/open/` names those that are
//! being written. A file is a header (JSON in clear: who, where, the wrapped data key), blocks (frames, zstd, then
//! AES-256-GCM under the session's own key) and an end (totals and digest, authenticated).

mod format;
mod key;
mod open;
mod parts;
mod read;
mod shelf;
mod write;

#[cfg(test)]
mod tests;

pub use format::Footer;
pub use key::{BadKey, MasterKeys};
pub use parts::digest_of;
pub use read::{End, ReadError, ReadFrame, Reader};
pub use shelf::{FollowError, Recovered, Shelf, ShelfError};
pub use write::BLOCK_BYTES_MAX;

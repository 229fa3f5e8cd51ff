//! The detectors: each finds one kind of value and proves it before it says so.
//!
//! Lives here: shapes and checksums. Never: what becomes of a hit.

pub(crate) mod cards;
pub(crate) mod digits;
pub(crate) mod email;
pub(crate) mod iban;
pub(crate) mod network;
pub(crate) mod pem;
pub(crate) mod secrets;
pub(crate) mod summary;
pub(crate) mod url;

//! Brattice's own access tokens: narrower ones, traded for others (RFC 8693).
//!
//! Lives here: the keys (`signer`, `ring`), what a token says (`token`), what may be had for what (`exchange`), and who
//! tells them from the providers' (`tokens`). Never: HTTP, storage, rules: a token never permits, it only narrows.

mod exchange;
mod ring;
mod signer;
mod token;
mod tokens;

pub use exchange::{Asked, Refused, exchange};
pub use ring::{KEY_LIFETIME, Ring, RingError, RingStore};
pub use signer::{NoKey, Signer};
pub use token::{Issued, OwnTokens};
pub use tokens::Tokens;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

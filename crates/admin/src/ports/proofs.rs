//! Proofs that a request's sender holds a key (RFC 9449), as the API needs them.
//!
//! Lives here: the trait, what it takes and returns. Never: an implementation, HTTP.

use brattice_core::sender::{KeyProof, ProofWanted};
use std::net::IpAddr;

/// The algorithms that proofs are taken with, as documents and challenges list them.
pub const PROOF_ALGORITHMS: [&str; 5] = ["ES256", "ES384", "EdDSA", "PS256", "RS256"];

/// Why a proof was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofRefused {
    /// It proves nothing; the text may be told.
    Wrong(String),
    /// It cannot be remembered now; the same request with a fresh one may succeed later.
    Busy,
}

/// The check of proofs.
pub trait ProofsApi: Send + Sync {
    /// Checks everything but whether it was used before.
    fn check(&self, proof: &str, wanted: ProofWanted<'_>) -> Result<KeyProof, ProofRefused>;
    /// Uses it up: good for exactly one request, ever.
    fn use_up(&self, proof: &KeyProof, from: IpAddr) -> Result<(), ProofRefused>;
}

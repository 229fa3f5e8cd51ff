//! Proofs that a request's sender holds a key (RFC 9449), as the API needs them.
//!
//! Lives here: the trait, what it takes and returns. Never: an implementation, HTTP.

use brattice_core::ids::Digest;
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use std::net::IpAddr;

/// The algorithms that proofs are taken with, as documents and challenges list them.
pub const PROOF_ALGORITHMS: [&str; 5] = ["ES256", "ES384", "EdDSA", "PS256", "RS256"];

/// What a proof has to be for.
#[derive(Debug, Clone, Copy)]
pub struct ProofWanted<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The addresses that lead to where it went; one of them is meant.
    pub urls: &'a [String],
    /// The token that is sent with it, where one is.
    pub token: Option<&'a Secret>,
}

/// A proof that holds, and was not used up yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyProof {
    /// The thumbprint of the key that made it.
    pub key: Digest,
    /// What tells it from others.
    pub id: Digest,
    /// When it is good no longer.
    pub until: Timestamp,
}

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

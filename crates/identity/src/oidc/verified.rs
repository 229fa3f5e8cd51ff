//! Tokens that were verified a moment ago.
//!
//! Lives here: what was proven, by the token's digest, in bounded memory. Never: tokens themselves, revocation.

use super::algorithm::SigningAlgorithm;
use brattice_core::ids::Digest;
use brattice_core::principal::Identity;
use brattice_core::time::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Most tokens remembered.
const TOKENS_MAX: usize = 20_000;

/// A verified token: the identity, and the key it hangs on, which must still be the provider's.
pub(super) struct Proof {
    pub identity: Identity,
    /// Which of the configured providers.
    pub issuer: usize,
    pub kid: String,
    pub algorithm: SigningAlgorithm,
    pub key_print: Digest,
}

/// Proofs by the digest of their token.
#[derive(Default)]
pub(super) struct Verified(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    proofs: HashMap<Digest, Arc<Proof>>,
    oldest_first: VecDeque<Digest>,
}

impl Verified {
    /// What is known about a token that still holds.
    pub(super) fn get(&self, token: &Digest, now: Timestamp) -> Option<Arc<Proof>> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .proofs
            .get(token)
            .filter(|p| now < p.identity.expires_at)
            .cloned()
    }

    /// Remembers a token; the oldest is forgotten when there are too many.
    pub(super) fn put(&self, token: Digest, proof: Arc<Proof>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.proofs.insert(token, proof).is_none() {
            inner.oldest_first.push_back(token);
        }
        while inner.oldest_first.len() > TOKENS_MAX {
            if let Some(oldest) = inner.oldest_first.pop_front() {
                inner.proofs.remove(&oldest);
            }
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *inner = Inner::default();
    }
}

//! Decisions that a webhook's receiver brings: signed, fresh, and each once.
//!
//! Lives here: the check of a receiver's signature and the memory of nonces. Never: what the decision means.

use crate::call::Admin;
use crate::problem::Problem;
use crate::signature::{self, Signed};
use axum::http::{HeaderMap, StatusCode};
use brattice_core::time::Timestamp;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// How old a signature may be, and how far in the future.
pub const SIGNATURE_AGE_MAX: Duration = Duration::from_secs(300);
/// Most nonces remembered; beyond them decisions are refused until old ones lapse.
const NONCES_MAX: usize = 10_000;

/// Checks the headers of a decision for an approval, and returns the route that signed it.
pub(crate) fn receiver(
    admin: &Admin,
    headers: &HeaderMap,
    approval: &str,
    body: &[u8],
) -> Result<String, Problem> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let refused = || {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "The signature is not good.",
        )
        .hint(
            "Sign with the route's secret as the reference says, with a fresh timestamp and nonce.",
        )
    };
    let route = text(signature::ROUTE_HEADER).ok_or_else(refused)?;
    let secret = admin
        .settings
        .decision_secrets
        .get(route)
        .ok_or_else(refused)?;
    let signed = Signed {
        timestamp: text(signature::TIMESTAMP_HEADER)
            .and_then(|t| t.parse().ok())
            .ok_or_else(refused)?,
        nonce: text(signature::NONCE_HEADER).ok_or_else(refused)?,
        purpose: &format!("decision:{approval}"),
        body,
    };
    let given = text(signature::SIGNATURE_HEADER).ok_or_else(refused)?;
    if !signed.is_signed(secret, given) {
        return Err(refused());
    }
    let now = admin.ports.clock.now();
    let at = Timestamp::from_seconds(signed.timestamp);
    if now.since(at) > SIGNATURE_AGE_MAX || at.since(now) > SIGNATURE_AGE_MAX {
        return Err(refused());
    }
    if !admin
        .nonces
        .is_new(&format!("{route}:{}", signed.nonce), now)
    {
        return Err(refused());
    }
    Ok(route.to_owned())
}

/// Nonces that were used, for as long as a signature can be fresh.
#[derive(Default)]
pub(crate) struct Nonces(Mutex<HashMap<String, Timestamp>>);

impl Nonces {
    /// Whether this one was never seen; it has been from now on.
    fn is_new(&self, nonce: &str, now: Timestamp) -> bool {
        let Ok(mut seen) = self.0.lock() else {
            return false;
        };
        if seen.len() >= NONCES_MAX {
            seen.retain(|_, until| *until > now);
        }
        if seen.len() >= NONCES_MAX || seen.get(nonce).is_some_and(|until| *until > now) {
            return false;
        }
        seen.insert(nonce.to_owned(), now.plus(SIGNATURE_AGE_MAX * 2));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_once_until_it_lapses() {
        let nonces = Nonces::default();
        let start = Timestamp::from_seconds(1000);
        assert!(nonces.is_new("a", start));
        assert!(!nonces.is_new("a", start.plus(SIGNATURE_AGE_MAX)));
        assert!(nonces.is_new("b", start));
    }

    #[test]
    fn a_full_memory_refuses_until_old_ones_lapse() {
        let nonces = Nonces::default();
        let start = Timestamp::from_seconds(1000);
        for i in 0..NONCES_MAX {
            assert!(nonces.is_new(&i.to_string(), start));
        }
        assert!(!nonces.is_new("one more", start));
        assert!(nonces.is_new("one more", start.plus(SIGNATURE_AGE_MAX * 2)));
    }
}

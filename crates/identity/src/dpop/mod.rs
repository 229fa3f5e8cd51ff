//! Demonstrating proof of possession: that who sends a request holds a key (RFC 9449).
//!
//! Lives here: the check of a proof, that each is good once, and the making of proofs for our own command line. Never: HTTP,
//! tokens beyond their digest, whom a key belongs to.

mod holder;
mod key;
mod seen;
mod url;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

pub use holder::Holder;

use crate::oidc::SigningAlgorithm;
use crate::oidc::confirmation::spelled;
use crate::oidc::json;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_core::ids::{Digest, Hasher};
use brattice_core::sender::{KeyProof, ProofWanted};
use brattice_core::time::{Latest, Timestamp};
use key::ProofKey;
use seen::{Seen, Used};
use serde_json::{Map, Value};
use std::net::IpAddr;
use std::time::Duration;

/// The only algorithms that proofs are taken with.
pub const ALGORITHMS: [SigningAlgorithm; 5] = [
    SigningAlgorithm::ES256,
    SigningAlgorithm::ES384,
    SigningAlgorithm::EdDSA,
    SigningAlgorithm::PS256,
    SigningAlgorithm::RS256,
];
/// How old a proof may be.
pub const AGE_MAX: Duration = Duration::from_secs(60);
/// How far its maker's clock may be ahead of ours.
pub const AHEAD_MAX: Duration = Duration::from_secs(30);
/// The longest proof; one with an RSA key of 8192 bits has its room.
const PROOF_BYTES_MAX: usize = 8 * 1024;
/// The longest `jti`.
const ID_BYTES_MAX: usize = 256;
/// The header's only members (section 4.2). What is not understood might change what is signed, or by whom.
const HEADER: [&str; 3] = ["typ", "alg", "jwk"];

/// Why a proof was not taken. Nothing here quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofRefused {
    /// It is not three parts of which two are JSON objects.
    #[error("it is not a signed proof")]
    NotAProof,
    /// Its header has something else, or lacks something.
    #[error("its header is not that of a proof")]
    Header,
    /// Its algorithm is not one that is taken.
    #[error("its algorithm is not one that is taken")]
    Algorithm,
    /// Its key is private, or too weak, or for something else, or not one at all.
    #[error("its key is not a public one for its algorithm")]
    Key,
    /// The key did not sign it.
    #[error("its signature is wrong")]
    Signature,
    /// A claim is missing, or is not of its kind.
    #[error("a claim is missing or malformed")]
    Claims,
    /// It is for another method.
    #[error("it is for another method")]
    Method,
    /// It is for another address.
    #[error("it is for another address")]
    Url,
    /// It is for another token.
    #[error("it is for another token")]
    Token,
    /// It was made too long ago, or is from the future.
    #[error("it was not made just now")]
    Time,
    /// It was made before this gateway could remember what was used.
    #[error("it was made before the gateway started")]
    BeforeStart,
    /// It was used before.
    #[error("it was used before")]
    Again,
    /// It cannot be remembered now.
    #[error("too many proofs were used at once")]
    NoRoom,
}

/// Checks proofs, and remembers which were used.
pub struct Proofs {
    seen: Seen,
    started_at: Timestamp,
    latest: Latest,
}

impl Proofs {
    /// Nothing was used yet; what was made before now might have been, by a gateway that ran before.
    pub fn new(now: Timestamp) -> Self {
        Self {
            seen: Seen::default(),
            // Proofs speak of whole seconds.
            started_at: Timestamp::from_seconds(now.seconds()),
            latest: Latest::new(now),
        }
    }

    /// Checks a proof (section 4.3), but for whether it was used before.
    ///
    /// # Errors
    /// With the reason why it proves nothing.
    pub fn check(
        &self,
        proof: &str,
        wanted: ProofWanted<'_>,
        now: Timestamp,
    ) -> Result<KeyProof, ProofRefused> {
        let now = self.latest.of(now);
        let (key, claims) = signed(proof)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let id = text("jti").filter(|id| (1..=ID_BYTES_MAX).contains(&id.len()));
        let id = id.ok_or(ProofRefused::Claims)?;
        if text("htm").ok_or(ProofRefused::Claims)? != wanted.method {
            return Err(ProofRefused::Method);
        }
        let claimed = text("htu").ok_or(ProofRefused::Claims)?;
        if !wanted.urls.iter().any(|meant| url::same(claimed, meant)) {
            return Err(ProofRefused::Url);
        }
        let made = claims.get("iat").and_then(Value::as_i64);
        let made = made.filter(|s| *s >= 0).ok_or(ProofRefused::Claims)?;
        let made = Timestamp::from_seconds(made);
        if now.since(made) > AGE_MAX || made.since(now) > AHEAD_MAX {
            return Err(ProofRefused::Time);
        }
        if made < self.started_at {
            return Err(ProofRefused::BeforeStart);
        }
        if let Some(token) = wanted.token {
            let digest = spelled(&Digest::of(token.expose()));
            if text("ath").ok_or(ProofRefused::Claims)? != digest {
                return Err(ProofRefused::Token);
            }
        }
        let mut name = Hasher::new();
        name.field(&key.0).field(id.as_bytes());
        Ok(KeyProof {
            key,
            id: name.finish(),
            // A second more than it is good.
            until: made.plus(AGE_MAX + Duration::from_secs(1)),
        })
    }

    /// Uses a proof up. Asked last, when everything else about a request was found good: what strangers send is not
    /// remembered.
    ///
    /// # Errors
    /// When it was used before, or that could not be remembered.
    pub fn use_up(
        &self,
        proof: &KeyProof,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<(), ProofRefused> {
        match self
            .seen
            .use_up(proof.id, proof.until, from, self.latest.of(now))
        {
            Used::First => Ok(()),
            Used::Again => Err(ProofRefused::Again),
            Used::NoRoom => Err(ProofRefused::NoRoom),
        }
    }
}

/// The key that signed this, by its thumbprint, and what it signed.
fn signed(proof: &str) -> Result<(Digest, Map<String, Value>), ProofRefused> {
    if proof.len() > PROOF_BYTES_MAX {
        return Err(ProofRefused::NotAProof);
    }
    let (signed, signature) = proof.rsplit_once('.').ok_or(ProofRefused::NotAProof)?;
    let (header, payload) = signed.split_once('.').ok_or(ProofRefused::NotAProof)?;
    if payload.contains('.') || signature.is_empty() {
        return Err(ProofRefused::NotAProof);
    }
    let object = |part: &str| json::object(&URL_SAFE_NO_PAD.decode(part).ok()?);
    let header = object(header).ok_or(ProofRefused::NotAProof)?;
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let is_proof = text("typ").is_some_and(|t| t.eq_ignore_ascii_case("dpop+jwt"));
    if !is_proof || !header.keys().all(|name| HEADER.contains(&name.as_str())) {
        return Err(ProofRefused::Header);
    }
    let algorithm: Option<SigningAlgorithm> = text("alg").and_then(|a| a.parse().ok());
    let algorithm = algorithm
        .filter(|a| ALGORITHMS.contains(a))
        .ok_or(ProofRefused::Algorithm)?;
    let jwk = header.get("jwk").and_then(Value::as_object);
    let key = jwk
        .and_then(ProofKey::read)
        .filter(|k| k.key.is_for(algorithm))
        .ok_or(ProofRefused::Key)?;
    if !key.key.verifies(algorithm, signed, signature) {
        return Err(ProofRefused::Signature);
    }
    let claims = object(payload).ok_or(ProofRefused::NotAProof)?;
    Ok((key.thumbprint, claims))
}

//! The key of one run, and what its tokens say.
//!
//! Lives here: claims and signatures. Never: who may have which token.

use super::{Desk, DevIssuerError, Party};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_core::principal::PrincipalKind;
use brattice_core::secret::Secret;
use serde_json::{Value, json};

/// A P-256 key that lives as long as the process.
pub(super) struct Signer {
    pair: EcdsaKeyPair,
    kid: String,
}

impl Signer {
    /// A fresh key.
    pub(super) fn generate() -> Result<Self, DevIssuerError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| DevIssuerError::Crypto("a key"))?;
        let print = digest(&SHA256, pair.public_key().as_ref());
        let kid = URL_SAFE_NO_PAD.encode(print.as_ref().get(..12).unwrap_or_default());
        Ok(Self { pair, kid })
    }

    /// The public part, as a key set (RFC 7517).
    pub(super) fn key_set(&self) -> Value {
        // SEC 1, section 2.3.3: 0x04, then both coordinates.
        let point = self.pair.public_key().as_ref().get(1..).unwrap_or_default();
        let (x, y) = point.split_at(point.len() / 2);
        json!({"keys": [{
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "alg": "ES256",
            "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(x),
            "y": URL_SAFE_NO_PAD.encode(y),
        }]})
    }

    /// An access token (RFC 9068) with these claims.
    pub(super) fn sign(&self, claims: &Value) -> Result<Secret, DevIssuerError> {
        let header = json!({"alg": "ES256", "kid": self.kid, "typ": "at+jwt"});
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self
            .pair
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| DevIssuerError::Crypto("a signature"))?;
        Ok(Secret::new(format!(
            "{signed}.{}",
            URL_SAFE_NO_PAD.encode(signature)
        )))
    }
}

/// The claims of a token for a chain, the acting party first (RFC 8693, section 4.1): its subject is whom all act
/// for in the end, the outermost `act` is who acts now.
pub(super) fn claims(desk: &Desk, chain: &[(&str, &Party)]) -> Result<Value, DevIssuerError> {
    let (subject, actors) = chain
        .split_last()
        .ok_or(DevIssuerError::Crypto("a token about nobody"))?;
    let acting = chain.first().unwrap_or(subject);
    let mut id = [0; 16];
    desk.randomness
        .fill(&mut id)
        .map_err(|_| DevIssuerError::Crypto("a token id"))?;
    let now = desk.clock.now();
    let mut claims = party_claims(subject);
    let common = json!({
        "iss": desk.issuer_url,
        "aud": desk.audience,
        "client_id": acting.0,
        "iat": now.seconds(),
        "exp": now.plus(desk.lifetime).seconds(),
        "jti": hex::encode(id),
    });
    merge(&mut claims, common);
    if subject.1.kind == PrincipalKind::User {
        merge(&mut claims, json!({"amr": ["pwd", "mfa"]}));
    }
    // Nested from the inside: whoever acted first stands deepest.
    let act = actors.iter().rev().fold(None, |inner, actor| {
        let mut act = party_claims(actor);
        if let Some(inner) = inner {
            merge(&mut act, json!({ "act": inner }));
        }
        Some(act)
    });
    if let Some(act) = act {
        merge(&mut claims, json!({ "act": act }));
    }
    Ok(claims)
}

fn party_claims((name, party): &(&str, &Party)) -> Value {
    let kind = match party.kind {
        PrincipalKind::Agent => "agent",
        PrincipalKind::User => "user",
    };
    json!({"sub": name, "kind": kind, "groups": party.groups})
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

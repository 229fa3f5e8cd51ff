//! A key that signs tokens.
//!
//! Lives here: ES256 (RFC 7518, section 3.4) with one P-256 key, and its public part as a JWK. Never: what is signed, how
//! long a key is used.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_core::secret::Secret;
use serde_json::{Value, json};

/// Bytes of a key's print that name it.
const KID_BYTES: usize = 12;

/// Why there is no key, or no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoKey {
    /// None could be made.
    #[error("a signing key could not be made")]
    Generate,
    /// What was kept is none.
    #[error("the signing key that was kept cannot be read")]
    Kept,
    /// The token would be longer than one may be.
    #[error("the token would be too long: name fewer targets or classes, or be in fewer groups")]
    TooLong,
    /// It did not sign.
    #[error("a token could not be signed")]
    Sign,
}

/// A P-256 key.
pub struct Signer {
    pair: EcdsaKeyPair,
    kid: String,
}

impl Signer {
    /// A fresh key.
    pub fn generate() -> Result<Self, NoKey> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Ok(Self::of(pair.map_err(|_| NoKey::Generate)?))
    }

    /// A key that was kept (PKCS #8).
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, NoKey> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
        Ok(Self::of(pair.map_err(|_| NoKey::Kept)?))
    }

    /// The key, for keeping.
    pub fn to_pkcs8(&self) -> Result<Secret, NoKey> {
        let der = self.pair.to_pkcs8v1().map_err(|_| NoKey::Generate)?;
        Ok(Secret::new(der.as_ref()))
    }

    fn of(pair: EcdsaKeyPair) -> Self {
        let print = digest(&SHA256, pair.public_key().as_ref());
        let kid = URL_SAFE_NO_PAD.encode(print.as_ref().get(..KID_BYTES).unwrap_or_default());
        Self { pair, kid }
    }

    /// What names it in tokens.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public part (RFC 7517, RFC 7518, section 6.2.1).
    pub fn jwk(&self) -> Value {
        // SEC 1, section 2.3.3: 0x04, then both coordinates.
        let point = self.pair.public_key().as_ref().get(1..).unwrap_or_default();
        let (x, y) = point.split_at(point.len() / 2);
        json!({
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "alg": "ES256",
            "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(x),
            "y": URL_SAFE_NO_PAD.encode(y),
        })
    }

    /// An access token (RFC 9068) with these claims.
    pub fn sign(&self, claims: &Value) -> Result<Secret, NoKey> {
        self.sign_as("at+jwt", claims)
    }

    /// A token of this type (RFC 7515, section 4.1.9) with these claims.
    pub fn sign_as(&self, typ: &str, claims: &Value) -> Result<Secret, NoKey> {
        self.sign_under(
            &json!({"alg": "ES256", "kid": self.kid, "typ": typ}),
            claims,
        )
    }

    /// A token with this header and these claims.
    pub(crate) fn sign_under(&self, header: &Value, claims: &Value) -> Result<Secret, NoKey> {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.map_err(|_| NoKey::Sign)?;
        Ok(Secret::new(format!(
            "{signed}.{}",
            URL_SAFE_NO_PAD.encode(signature)
        )))
    }

    /// Whether this key made this signature, both as a token has them.
    pub fn signed(&self, signed: &str, signature: &str) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key().as_ref());
        URL_SAFE_NO_PAD
            .decode(signature)
            .is_ok_and(|signature| key.verify(signed.as_bytes(), &signature).is_ok())
    }
}

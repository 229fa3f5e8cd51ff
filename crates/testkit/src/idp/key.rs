//! Keys that the provider signs with.
//!
//! Here live making a key and its public form. Nothing here is kept beyond the test.

use super::IdpError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
};
use serde_json::{Value, json};

/// A key pair with its id.
#[derive(Clone)]
pub struct SigningKey {
    pub(super) encoding: EncodingKey,
    pub(super) algorithm: Algorithm,
    kid: String,
    public: Value,
    pem: String,
}

impl SigningKey {
    /// A P-256 key.
    pub fn es256(kid: &str) -> Result<Self, IdpError> {
        Self::elliptic(kid, Algorithm::ES256)
    }
    /// A P-384 key.
    pub fn es384(kid: &str) -> Result<Self, IdpError> {
        Self::elliptic(kid, Algorithm::ES384)
    }
    /// An Ed25519 key.
    pub fn eddsa(kid: &str) -> Result<Self, IdpError> {
        let pair = KeyPair::generate_for(&PKCS_ED25519).map_err(key_error)?;
        let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
        Ok(Self {
            encoding: EncodingKey::from_ed_der(pair.serialized_der()),
            algorithm: Algorithm::EdDSA,
            kid: kid.to_owned(),
            public: json!({"kty": "OKP", "crv": "Ed25519", "x": x}),
            pem: pair.public_key_pem(),
        })
    }
    /// An RSA key of 2048 bits. Slow to make: share it.
    pub fn rsa(kid: &str) -> Result<Self, IdpError> {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(key_error)?;
        let encoding =
            EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).map_err(key_error)?;
        let jwk = Jwk::from_encoding_key(&encoding, Algorithm::RS256).map_err(key_error)?;
        let mut public = serde_json::to_value(jwk).map_err(key_error)?;
        if let Some(object) = public.as_object_mut() {
            object.remove("alg");
        }
        Ok(Self {
            encoding,
            algorithm: Algorithm::RS256,
            kid: kid.to_owned(),
            public,
            pem: pair.public_key_pem(),
        })
    }
    /// A shared secret, which no public key set may hold.
    pub fn hs256(kid: &str, secret: &[u8]) -> Self {
        Self {
            encoding: EncodingKey::from_secret(secret),
            algorithm: Algorithm::HS256,
            kid: kid.to_owned(),
            public: json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(secret)}),
            pem: String::new(),
        }
    }

    /// The same key signing by another algorithm of its family.
    #[must_use]
    pub fn signing_by(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }
    /// The same key under another id.
    #[must_use]
    pub fn named(mut self, kid: &str) -> Self {
        self.kid = kid.to_owned();
        self
    }
    /// Its id.
    pub fn kid(&self) -> &str {
        &self.kid
    }
    /// Its public part in PEM, as an attacker would take it for a shared secret.
    pub fn public_pem(&self) -> &str {
        &self.pem
    }
    /// Its public part as a JSON Web Key.
    pub fn jwk(&self) -> Value {
        let mut jwk = self.public.clone();
        if let Some(object) = jwk.as_object_mut() {
            object.insert("kid".into(), json!(self.kid));
            object.insert("use".into(), json!("sig"));
        }
        jwk
    }

    fn elliptic(kid: &str, algorithm: Algorithm) -> Result<Self, IdpError> {
        let (sort, curve) = match algorithm {
            Algorithm::ES384 => (&PKCS_ECDSA_P384_SHA384, "P-384"),
            _ => (&PKCS_ECDSA_P256_SHA256, "P-256"),
        };
        let pair = KeyPair::generate_for(sort).map_err(key_error)?;
        // SEC 1, section 2.3.3: 0x04, then both coordinates.
        let point = pair.public_key_raw().get(1..).unwrap_or_default();
        let (x, y) = point.split_at(point.len() / 2);
        Ok(Self {
            encoding: EncodingKey::from_ec_der(pair.serialized_der()),
            algorithm,
            kid: kid.to_owned(),
            public: json!({
                "kty": "EC",
                "crv": curve,
                "x": URL_SAFE_NO_PAD.encode(x),
                "y": URL_SAFE_NO_PAD.encode(y),
            }),
            pem: pair.public_key_pem(),
        })
    }
}

fn key_error(error: impl std::error::Error + Send + Sync + 'static) -> IdpError {
    IdpError::Key(Box::new(error))
}

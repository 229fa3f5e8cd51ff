//! Tokens with any header, claims and signature.
//!
//! Here live the writing and signing of a compact token. Nothing here checks that it makes sense: that is its use.

use super::{IdpError, SigningKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// A token in the making. Starts as its key would have it; everything may be changed before it is signed.
#[derive(Clone)]
pub struct TokenMaker {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    raw_header: Option<String>,
    raw_claims: Option<String>,
    signed: Option<String>,
    key: SigningKey,
}

impl TokenMaker {
    /// An empty token with the key's `alg` and `kid` and the `typ` of access tokens.
    pub fn new(key: &SigningKey) -> Self {
        Self {
            header: Map::new(),
            claims: Map::new(),
            raw_header: None,
            raw_claims: None,
            signed: None,
            key: key.clone(),
        }
        .header("typ", "at+jwt")
        .signed_by(key)
    }
    /// Signs with this key and says so.
    #[must_use]
    pub fn signed_by(mut self, key: &SigningKey) -> Self {
        self.key = key.clone();
        self.header("alg", format!("{:?}", key.algorithm))
            .header("kid", key.kid())
    }
    /// Signs with this key and says nothing of it.
    #[must_use]
    pub fn secretly_signed_by(mut self, key: &SigningKey) -> Self {
        self.key = key.clone();
        self
    }
    /// Sets a header parameter.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }
    /// Takes a header parameter out.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }
    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }
    /// Takes a claim out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }
    /// Writes the header so, whatever was set.
    #[must_use]
    pub fn raw_header(mut self, json: &str) -> Self {
        self.raw_header = Some(json.to_owned());
        self
    }
    /// Writes the claims so, whatever was set.
    #[must_use]
    pub fn raw_claims(mut self, json: &str) -> Self {
        self.raw_claims = Some(json.to_owned());
        self
    }
    /// The claims as they would be written.
    pub fn claims_text(&self) -> String {
        self.raw_claims
            .clone()
            .unwrap_or_else(|| Value::Object(self.claims.clone()).to_string())
    }

    /// Header and claims, encoded and joined: what a signature covers.
    pub fn unsigned(&self) -> String {
        let header = self
            .raw_header
            .clone()
            .unwrap_or_else(|| Value::Object(self.header.clone()).to_string());
        format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(self.claims_text())
        )
    }
    /// Signs now: from here on the same text each time, where signing anew would give another.
    pub fn kept(mut self) -> Result<Self, IdpError> {
        self.signed = Some(self.sign()?);
        Ok(self)
    }
    /// The signed token.
    pub fn sign(&self) -> Result<String, IdpError> {
        if let Some(signed) = &self.signed {
            return Ok(signed.clone());
        }
        let unsigned = self.unsigned();
        let signature =
            jsonwebtoken::crypto::sign(unsigned.as_bytes(), &self.key.encoding, self.key.algorithm)
                .map_err(IdpError::Sign)?;
        Ok(format!("{unsigned}.{signature}"))
    }
}

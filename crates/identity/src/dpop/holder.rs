//! Who holds a key and proves it: the command line.
//!
//! Lives here: making proofs (RFC 9449, section 4.2). Never: where the key is kept.

use super::key::thumbprint;
use crate::oidc::confirmation::spelled;
use crate::sts::{NoKey, Signer};
use brattice_core::ids::Digest;
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use serde_json::{Value, json};

/// A P-256 key, and proofs of holding it.
pub struct Holder(Signer);

impl Holder {
    /// With a fresh key.
    pub fn generate() -> Result<Self, NoKey> {
        Signer::generate().map(Self)
    }

    /// With a key that was kept (PKCS #8).
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, NoKey> {
        Signer::from_pkcs8(der).map(Self)
    }

    /// The key, for keeping.
    pub fn to_pkcs8(&self) -> Result<Secret, NoKey> {
        self.0.to_pkcs8()
    }

    /// What its tokens are bound to (`jkt`), as JOSE spells it.
    pub fn thumbprint(&self) -> String {
        let jwk = self.public();
        let digest = jwk.as_object().and_then(thumbprint);
        digest.as_ref().map(spelled).unwrap_or_default()
    }

    /// A proof for one request. `id` is random.
    pub fn prove(
        &self,
        method: &str,
        url: &str,
        token: Option<&Secret>,
        id: &str,
        now: Timestamp,
    ) -> Result<Secret, NoKey> {
        let mut claims = json!({
            "jti": id,
            "htm": method,
            // Without query and fragment.
            "htu": url.split(['?', '#']).next().unwrap_or_default(),
            "iat": now.seconds(),
        });
        if let (Some(token), Some(claims)) = (token, claims.as_object_mut()) {
            let digest = spelled(&Digest::of(token.expose()));
            claims.insert("ath".to_owned(), digest.into());
        }
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.public()});
        self.0.sign_under(&header, &claims)
    }

    fn public(&self) -> Value {
        let mut jwk = self.0.jwk();
        if let Some(members) = jwk.as_object_mut() {
            members.retain(|name, _| matches!(name.as_str(), "kty" | "crv" | "x" | "y"));
        }
        jwk
    }
}

//! The key that a sign-in's tokens are bound to (RFC 9449).
//!
//! Lives here: making proofs with it, and finding it for a token. Never: where it is kept; that is the sign-in's file.

use super::exit::Failure;
use crate::run::SystemRandomness;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use brattice_core::ports::Randomness;
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use brattice_identity::dpop::Holder;
use brattice_identity::sts::NoKey;
use reqwest::RequestBuilder;
use url::Url;

/// A key.
pub struct Key(Holder);

impl Key {
    /// A fresh one.
    pub fn generate() -> Result<Self, Failure> {
        Holder::generate().map(Self).map_err(unusable)
    }

    /// One that was kept.
    pub fn kept(text: &str) -> Result<Self, Failure> {
        let der = STANDARD.decode(text).map(Secret::new);
        let der = der.map_err(|_| unusable(NoKey::Kept))?;
        Holder::from_pkcs8(der.expose()).map(Self).map_err(unusable)
    }

    /// What is kept of it: all.
    pub fn to_keep(&self) -> Result<String, Failure> {
        let der = self.0.to_pkcs8().map_err(unusable)?;
        Ok(STANDARD.encode(der.expose()))
    }

    /// What tokens that are bound to it say.
    pub fn thumbprint(&self) -> String {
        self.0.thumbprint()
    }

    /// Adds a proof to a request that goes there, with this token where one is sent in its header.
    pub fn proving(
        &self,
        request: RequestBuilder,
        method: &str,
        url: &Url,
        token: Option<&Secret>,
    ) -> Result<RequestBuilder, Failure> {
        let now = i64::try_from(super::saved::now()).unwrap_or(i64::MAX);
        let now = Timestamp::from_seconds(now);
        let proof = self.0.prove(method, url.as_str(), token, &fresh()?, now);
        let proof = proof.map_err(unusable)?;
        Ok(request.header("DPoP", proof.expose_str().unwrap_or_default()))
    }
}

/// The thumbprint of the key that a token is bound to, as it says itself.
pub fn bound_to(token: &str) -> Option<String> {
    let claims = claims(token)?;
    Some(claims.get("cnf")?.get("jkt")?.as_str()?.to_owned())
}

/// What a token says. Nothing is verified: it is this program's own, or its user's.
pub fn claims(token: &str) -> Option<serde_json::Value> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// Random text (RFC 7636, section 4.1; RFC 9449, section 4.2).
pub fn fresh() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    SystemRandomness
        .fill(&mut bytes)
        .map_err(|why| Failure::failed(why.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn unusable(why: NoKey) -> Failure {
    Failure::failed(format!("the key of this sign-in cannot be used: {why}"))
        .hint("sign in again with `brattice login`")
}

//! Public keys as proofs carry them.
//!
//! Lives here: which are taken, and their thumbprints (RFC 7638). Never: signatures of anything.

use crate::oidc::jwks::{VerifyKey, key_of};
use brattice_core::ids::Digest;
use serde_json::{Map, Value};

/// A key with the digest that names it.
pub(super) struct ProofKey {
    pub key: VerifyKey,
    pub thumbprint: Digest,
}

impl ProofKey {
    /// The key of a JWK, unless that is no public one for signatures.
    pub(super) fn read(jwk: &Map<String, Value>) -> Option<Self> {
        Some(Self {
            key: key_of(jwk)?,
            thumbprint: thumbprint(jwk)?,
        })
    }
}

/// The members that make a key, in the order of their names, and nothing else (RFC 7638, section 3; RFC 8037, section 2).
pub(super) fn thumbprint(jwk: &Map<String, Value>) -> Option<Digest> {
    let names: &[&str] = match jwk.get("kty")?.as_str()? {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        _ => return None,
    };
    let members: Option<Vec<String>> = names
        .iter()
        .map(|name| {
            let value = jwk.get(*name)?.as_str()?;
            Some(format!("{}:{}", Value::from(*name), Value::from(value)))
        })
        .collect();
    Some(Digest::of(format!("{{{}}}", members?.join(",")).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::confirmation::spelled;
    use serde_json::json;

    /// The example of RFC 7638, section 3.1.
    #[test]
    fn a_thumbprint_is_as_the_standard_has_it() {
        let jwk = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29"
        });
        let found = ProofKey::read(jwk.as_object().unwrap()).unwrap();
        assert_eq!(
            spelled(&found.thumbprint),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }
}

//! A provider's set of public keys (RFC 7517).
//!
//! Lives here: reading a set and finding the key for a token. Never: fetching, when a set is too old.

use super::algorithm::SigningAlgorithm;
use super::json;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_core::ids::{Digest, Hasher};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// Most keys in one set.
const KEYS_MAX: usize = 100;

/// A public key with what it may be used for.
pub(crate) struct VerifyKey {
    sort: KeySort,
    /// What the set says it is for; any algorithm of its sort when it does not say.
    algorithm: Option<SigningAlgorithm>,
    /// The key, for the library.
    pub key: DecodingKey,
    /// Tells this key from another that took over its id.
    pub print: Digest,
}

impl VerifyKey {
    /// Whether signatures of this algorithm may be checked with this key.
    pub(crate) fn is_for(&self, algorithm: SigningAlgorithm) -> bool {
        self.sort == KeySort::of(algorithm) && self.algorithm.is_none_or(|a| a == algorithm)
    }
    /// Whether this key made this signature, both as a token has them.
    pub(crate) fn verifies(
        &self,
        algorithm: SigningAlgorithm,
        signed: &str,
        signature: &str,
    ) -> bool {
        let library = algorithm.library();
        let said = jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &self.key, library);
        matches!(said, Ok(true))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeySort {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl KeySort {
    fn of(algorithm: SigningAlgorithm) -> Self {
        use SigningAlgorithm as A;
        match algorithm {
            A::RS256 | A::RS384 | A::RS512 | A::PS256 | A::PS384 | A::PS512 => Self::Rsa,
            A::ES256 => Self::P256,
            A::ES384 => Self::P384,
            A::EdDSA => Self::Ed25519,
        }
    }
}

/// What a set knows about a key id.
pub(super) enum Found {
    /// The key, right for the algorithm.
    Key(Arc<VerifyKey>),
    /// There is such a key, but not for this algorithm.
    NotForAlgorithm,
    /// There is none.
    Unknown,
}

/// The keys of one provider at one time. Keys without an id, for encryption, of unknown sorts or malformed are left
/// out, as RFC 7517, section 5, asks; an id that two keys share names neither.
pub(super) struct KeySet(HashMap<String, Option<Arc<VerifyKey>>>);

impl KeySet {
    /// Reads a set; `None` when it is not one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let set = json::object(bytes)?;
        let list = set.get("keys")?.as_array()?;
        if list.len() > KEYS_MAX {
            return None;
        }
        let mut keys: HashMap<String, Option<Arc<VerifyKey>>> = HashMap::new();
        for jwk in list {
            let Some((kid, key)) = jwk.as_object().and_then(read_key) else {
                continue;
            };
            keys.entry(kid)
                .and_modify(|taken| *taken = None)
                .or_insert_with(|| Some(Arc::new(key)));
        }
        Some(Self(keys))
    }

    /// Finds the key for a token.
    pub(super) fn find(&self, kid: &str, algorithm: SigningAlgorithm) -> Found {
        match self.0.get(kid) {
            Some(Some(key)) if key.is_for(algorithm) => Found::Key(Arc::clone(key)),
            Some(_) => Found::NotForAlgorithm,
            None => Found::Unknown,
        }
    }

    /// How many keys are usable.
    pub(super) fn len(&self) -> usize {
        self.0.values().flatten().count()
    }
}

fn read_key(jwk: &Map<String, Value>) -> Option<(String, VerifyKey)> {
    let kid = jwk.get("kid").and_then(Value::as_str);
    let kid = kid.filter(|k| !k.is_empty())?;
    Some((kid.to_owned(), key_of(jwk)?))
}

/// Members of a key that are private, or shared (RFC 7518, section 6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public key that may verify signatures, whatever it is called.
pub(crate) fn key_of(jwk: &Map<String, Value>) -> Option<VerifyKey> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let part = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    if jwk.contains_key("use") && text("use") != Some("sig") {
        return None;
    }
    if let Some(ops) = jwk.get("key_ops")
        && !ops.as_array()?.iter().any(|o| o.as_str() == Some("verify"))
    {
        return None;
    }
    // A private or shared key in a public set is nobody's proof of anything.
    if PRIVATE.iter().any(|name| jwk.contains_key(*name)) {
        return None;
    }
    let algorithm = match jwk.get("alg") {
        None => None,
        Some(alg) => Some(alg.as_str()?.parse().ok()?),
    };
    let (sort, key, material) = match (text("kty")?, text("crv")) {
        ("RSA", _) => {
            let (n, e) = (part("n")?, part("e")?);
            if n.len() < 256 || n.len() > 1024 {
                return None;
            }
            let key = DecodingKey::from_rsa_raw_components(&n, &e);
            (KeySort::Rsa, key, [n, e])
        }
        ("EC", Some(crv @ ("P-256" | "P-384"))) => {
            let (sort, size) = if crv == "P-256" {
                (KeySort::P256, 32)
            } else {
                (KeySort::P384, 48)
            };
            let (x, y) = (part("x")?, part("y")?);
            if x.len() != size || y.len() != size {
                return None;
            }
            let key = DecodingKey::from_ec_components(text("x")?, text("y")?).ok()?;
            (sort, key, [x, y])
        }
        ("OKP", Some("Ed25519")) => {
            let x = part("x")?;
            if x.len() != 32 {
                return None;
            }
            (
                KeySort::Ed25519,
                DecodingKey::from_ed_der(&x),
                [x, Vec::new()],
            )
        }
        _ => return None,
    };
    let mut print = Hasher::new();
    print.field(text("kty")?.as_bytes());
    material.iter().for_each(|m| {
        print.field(m);
    });
    Some(VerifyKey {
        sort,
        algorithm,
        key,
        print: print.finish(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ec(kid: &str, fill: u8) -> Value {
        let part = URL_SAFE_NO_PAD.encode([fill; 32]);
        json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": part, "y": part})
    }
    fn set(keys: Vec<Value>) -> KeySet {
        KeySet::read(json!({"keys": keys}).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn keys_that_cannot_verify_are_left_out() {
        let mut encryption = ec("a", 1);
        encryption["use"] = "enc".into();
        let mut operations = ec("b", 1);
        operations["key_ops"] = json!(["encrypt"]);
        let mut private = ec("c", 1);
        private["d"] = "AQ".into();
        let mut short = ec("d", 1);
        short["x"] = "AQ".into();
        let mut curve = ec("e", 1);
        curve["crv"] = "secp256k1".into();
        let mut hmac = ec("f", 1);
        hmac["alg"] = "HS256".into();
        let shared = json!({"kty": "oct", "kid": "g", "k": "c2VjcmV0"});
        let small =
            json!({"kty": "RSA", "kid": "h", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode([255; 128])});
        let nameless =
            json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode([1; 32])});
        let all = vec![
            encryption,
            operations,
            private,
            short,
            curve,
            hmac,
            shared,
            small,
            nameless,
            json!(7),
        ];
        assert_eq!(set(all).len(), 0);
    }

    #[test]
    fn an_id_shared_by_two_keys_names_neither() {
        let s = set(vec![ec("a", 1), ec("a", 2), ec("b", 3)]);
        assert!(matches!(
            s.find("a", SigningAlgorithm::ES256),
            Found::NotForAlgorithm
        ));
        assert!(matches!(
            s.find("b", SigningAlgorithm::ES256),
            Found::Key(_)
        ));
    }

    #[test]
    fn a_key_is_for_its_own_sort_of_algorithm_only() {
        let mut pinned = ec("b", 1);
        pinned["alg"] = "ES256".into();
        let s = set(vec![ec("a", 1), pinned]);
        for kid in ["a", "b"] {
            assert!(matches!(
                s.find(kid, SigningAlgorithm::ES256),
                Found::Key(_)
            ));
            for other in [
                SigningAlgorithm::ES384,
                SigningAlgorithm::RS256,
                SigningAlgorithm::EdDSA,
            ] {
                assert!(matches!(s.find(kid, other), Found::NotForAlgorithm));
            }
        }
        assert!(matches!(
            s.find("../../dev/null", SigningAlgorithm::ES256),
            Found::Unknown
        ));
    }

    #[test]
    fn what_is_not_a_set_is_refused() {
        let many = json!({"keys": vec![ec("a", 1); KEYS_MAX + 1]}).to_string();
        for text in [
            "",
            "[]",
            "{}",
            "{\"keys\":{}}",
            "{\"keys\":[],\"keys\":[]}",
            &many,
        ] {
            assert!(KeySet::read(text.as_bytes()).is_none());
        }
    }
}

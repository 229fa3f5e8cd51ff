//! The confirmation claim: what a token's sender must show to hold.
//!
//! Lives here: `cnf` to a binding and back (RFC 7800, RFC 8705, section 3.1, RFC 9449, section 6.1). Never: whether a sender
//! holds it.

use super::refusal::Refusal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_core::ids::Digest;
use brattice_core::sender::Binding;
use serde_json::{Map, Value};

/// The claim.
pub(crate) const CLAIM: &str = "cnf";
/// A client certificate.
const CERTIFICATE: &str = "x5t#S256";
/// A key that makes DPoP proofs.
const KEY: &str = "jkt";

/// What these claims bind their token to. A way of binding that is not known here binds it to something that nobody could
/// ask for: it is refused.
pub(crate) fn binding_of(claims: &Map<String, Value>) -> Result<Binding, Refusal> {
    let Some(cnf) = claims.get(CLAIM) else {
        return Ok(Binding::default());
    };
    let members = cnf.as_object().ok_or(Refusal::Bound)?;
    let mut binding = Binding::default();
    for (name, value) in members {
        let digest = value.as_str().and_then(digest_of).ok_or(Refusal::Bound)?;
        match name.as_str() {
            CERTIFICATE => binding.certificate = Some(digest),
            KEY => binding.key = Some(digest),
            _ => return Err(Refusal::Bound),
        }
    }
    binding.is_any().then_some(binding).ok_or(Refusal::Bound)
}

/// The claim for a binding; `None` for none.
pub(crate) fn claim_of(binding: &Binding) -> Option<Value> {
    let members = [(CERTIFICATE, binding.certificate), (KEY, binding.key)];
    let members: Map<String, Value> = members
        .into_iter()
        .filter_map(|(name, digest)| Some((name.to_owned(), spelled(&digest?).into())))
        .collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

/// A digest as JOSE spells it.
pub(crate) fn spelled(digest: &Digest) -> String {
    URL_SAFE_NO_PAD.encode(digest.0)
}

/// A digest that JOSE spelled.
pub(crate) fn digest_of(text: &str) -> Option<Digest> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(Digest(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(claims: Value) -> Option<Binding> {
        binding_of(claims.as_object().unwrap()).ok()
    }

    #[test]
    fn a_confirmation_is_read_as_it_is_written() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        for binding in [
            Binding::certificate(a),
            Binding::key(b),
            Binding {
                certificate: Some(a),
                key: Some(b),
            },
        ] {
            let claims = json!({ CLAIM: claim_of(&binding) });
            assert_eq!(read(claims), Some(binding));
        }
        assert_eq!(claim_of(&Binding::default()), None);
        assert_eq!(read(json!({})), Some(Binding::default()));
    }

    #[test]
    fn what_is_bound_in_another_way_is_refused() {
        let good = spelled(&Digest::of(b"a"));
        for cnf in [
            json!(null),
            json!({}),
            json!("x"),
            json!({"jwk": {}}),
            json!({"kid": "a"}),
            json!({"x5t#S256": good, "kid": "a"}),
            json!({"jkt": good, "osc": {}}),
            json!({"JKT": good}),
            json!({"x5t": good}),
            json!({"jkt": 7}),
            json!({"jkt": null}),
            json!({"jkt": "AQ"}),
            json!({"jkt": format!("{good}=")}),
            json!({"jkt": format!("{good}AA")}),
        ] {
            assert_eq!(read(json!({ CLAIM: cnf })), None, "{cnf}");
        }
    }
}

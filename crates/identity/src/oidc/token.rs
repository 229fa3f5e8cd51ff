//! The compact form of a signed token, taken apart.
//!
//! Lives here: splitting, strict decoding, the header's rules. Never: claims' meaning, keys, trust: everything this
//! returns is what the sender says.

use super::algorithm::SigningAlgorithm;
use super::json;
use super::refusal::Refusal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// Longest token that is looked at.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Longest key id.
const KID_BYTES_MAX: usize = 256;
/// Header parameters that name keys, change what is signed or make it something other than a plain signed token
/// (RFC 7515, section 4.1; RFC 7797; RFC 7516). A sender never chooses the key it is checked with.
const HEADER_REFUSED: [&str; 10] = [
    "crit", "jku", "jwk", "x5u", "x5c", "b64", "enc", "zip", "cty", "epk",
];

/// A token as its sender wrote it. Nothing in it is verified.
pub(crate) struct Unverified<'a> {
    /// What the signature covers.
    pub signed: &'a str,
    /// The signature, still encoded.
    pub signature: &'a str,
    /// The algorithm it says was used.
    pub algorithm: SigningAlgorithm,
    /// The key it says was used.
    pub kid: String,
    /// The header's `typ`, in lower case.
    pub typ: Option<String>,
    /// What it claims.
    pub claims: Map<String, Value>,
}

/// Takes a token apart, where nobody is told why it cannot be.
pub(crate) fn parts(token: &str) -> Option<Unverified<'_>> {
    split(token).ok()
}

/// Takes a token apart.
pub(super) fn split(token: &str) -> Result<Unverified<'_>, Refusal> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Refusal::TooLong);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::NotAToken)?;
    let (header, payload) = signed.split_once('.').ok_or(Refusal::NotAToken)?;
    if payload.contains('.') || signature.is_empty() {
        return Err(Refusal::NotAToken);
    }
    let header = decode_object(header).ok_or(Refusal::Header("is not one JSON object"))?;
    if header.keys().any(|k| HEADER_REFUSED.contains(&k.as_str())) {
        return Err(Refusal::Header("has a parameter that is never accepted"));
    }
    let algorithm = header
        .get("alg")
        .and_then(Value::as_str)
        .and_then(|a| a.parse().ok())
        .ok_or(Refusal::Algorithm)?;
    let kid = header
        .get("kid")
        .and_then(Value::as_str)
        .filter(|k| !k.is_empty() && k.len() <= KID_BYTES_MAX)
        .ok_or(Refusal::Header("names no key"))?
        .to_owned();
    let typ = match header.get("typ") {
        None => None,
        Some(Value::String(t)) => Some(t.to_ascii_lowercase()),
        Some(_) => return Err(Refusal::Header("has a typ that is no text")),
    };
    let claims = decode_object(payload).ok_or(Refusal::Claims("are not one JSON object"))?;
    Ok(Unverified {
        signed,
        signature,
        algorithm,
        kid,
        typ,
        claims,
    })
}

fn decode_object(part: &str) -> Option<Map<String, Value>> {
    json::object(&URL_SAFE_NO_PAD.decode(part).ok()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use brattice_fuzz::{Fuzz, digest};

    /// A token has one spelling: what is read, written anew, is what came.
    #[test]
    fn fuzz_token() {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let header = part(r#"{"alg":"RS256","kid":"k1","typ":"JWT"}"#);
        let claims = part(r#"{"iss":"https://a","sub":"s","aud":["b"],"exp":1,"act":{"sub":"t"}}"#);
        Fuzz::new("token", env!("CARGO_MANIFEST_DIR"))
            .seed(format!("{header}.{claims}.c2ln"))
            .seed(format!("{}.{claims}.c2ln", part(r#"{"alg":"none"}"#)))
            .words(&[
                ".",
                "=",
                "e30",
                "eyJ",
                "bnVsbA",
                "LCJhbGciOiJub25lIn0",
                "\0",
                "+",
                "/",
            ])
            .run(|input, _| {
                let Ok(text) = std::str::from_utf8(input) else {
                    return Ok(0);
                };
                let Ok(token) = split(text) else {
                    return Ok(1);
                };
                if format!("{}.{}", token.signed, token.signature) != text {
                    return Err("the parts are not the whole".to_owned());
                }
                let (first, second) = token.signed.split_once('.').unwrap();
                let spelled = [first, second]
                    .map(|p| URL_SAFE_NO_PAD.encode(URL_SAFE_NO_PAD.decode(p).unwrap()));
                if spelled != [first, second] {
                    return Err("one token, two spellings".to_owned());
                }
                Ok(digest((token.claims.len(), token.typ)))
            });
    }
}

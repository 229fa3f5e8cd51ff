//! What its tokens say.
//!
//! Lives here: claims. Never: who may have which token, signatures.

use super::{Desk, DevIssuerError, Party};
use brattice_core::principal::PrincipalKind;
use serde_json::{Value, json};

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

/// The claims of an ID token about a person who signs in now.
pub(super) fn id_claims(
    desk: &Desk,
    name: &str,
    nonce: Option<&str>,
) -> Result<Value, DevIssuerError> {
    let party = desk.parties.get(name);
    let party = party.ok_or_else(|| DevIssuerError::Unknown(name.to_owned()))?;
    let now = desk.clock.now();
    let mut claims = party_claims(&(name, party));
    let common = json!({
        "iss": desk.issuer_url,
        "aud": super::CLIENT,
        "iat": now.seconds(),
        "auth_time": now.seconds(),
        "exp": now.plus(desk.lifetime).seconds(),
        "amr": ["pwd", "mfa"],
    });
    merge(&mut claims, common);
    if let Some(nonce) = nonce {
        merge(&mut claims, json!({ "nonce": nonce }));
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

//! The registered claims: for whom a token is, of what sort, from when and until when.
//!
//! Lives here: the rules of RFC 7519, section 4.1, RFC 9068 and OpenID Connect Core, section 3.1.3.7, on verified
//! claims. Never: signatures, principals.

use super::config::IssuerConfig;
use super::refusal::Refusal;
use brattice_core::time::Timestamp;
use serde_json::{Map, Value};
use std::time::Duration;

/// The last second of the year 9999: no date beyond it is meant seriously.
const SECONDS_MAX: i64 = 253_402_300_799;
/// Claims by which providers name the client.
const CLIENT_CLAIMS: [&str; 4] = ["azp", "client_id", "cid", "appid"];
/// Claims that stand in ID tokens only, or in logout tokens (OpenID Connect Core, sections 2 and 3.3.2.11;
/// Back-Channel Logout, section 2.4).
const NOT_ACCESS_CLAIMS: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];

/// From when and until when a token holds.
pub(super) struct Span {
    /// When its subject authenticated, or else when it was issued.
    pub authenticated_at: Timestamp,
    /// The first instant at which it is not accepted any more: `exp` and the leeway.
    pub ends_at: Timestamp,
}

/// Checks everything but the principal.
pub(super) fn check(
    config: &IssuerConfig,
    typ: Option<&str>,
    claims: &Map<String, Value>,
    now: Timestamp,
) -> Result<Span, Refusal> {
    if claims.get("iss").and_then(Value::as_str) != Some(config.issuer.as_str()) {
        return Err(Refusal::Issuer);
    }
    check_audience(config, claims)?;
    check_sort(config, typ, claims)?;
    check_client(config, claims)?;
    check_span(config, claims, now)
}

/// How old an ID token may be that was just asked for.
const ID_TOKEN_AGE_MAX: Duration = Duration::from_secs(600);

/// Checks an ID token that this client was just given (OpenID Connect Core, sections 3.1.3.7 and 12.2). `nonce` is what
/// was sent with the request; a refreshed token has none.
pub(super) fn check_id_token(
    config: &IssuerConfig,
    client: &str,
    nonce: Option<&str>,
    claims: &Map<String, Value>,
    now: Timestamp,
) -> Result<Timestamp, Refusal> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(config.issuer.as_str()) {
        return Err(Refusal::Issuer);
    }
    let ours = match claims.get("aud") {
        Some(Value::String(one)) => one == client,
        Some(Value::Array(all)) => matches!(all.as_slice(), [one] if one == client),
        _ => false,
    };
    if !ours {
        return Err(Refusal::Audience);
    }
    if claims.contains_key("azp") && text("azp") != Some(client) {
        return Err(Refusal::Client);
    }
    if nonce.is_some() && text("nonce") != nonce {
        return Err(Refusal::claim("nonce", "is not what was asked with"));
    }
    if claims.contains_key("events") {
        return Err(Refusal::claim("events", "is of a logout token"));
    }
    let required = |name| date(claims, name)?.ok_or(Refusal::claim(name, "is missing"));
    let (expires, issued) = (required("exp")?, required("iat")?);
    if now >= expires.plus(config.leeway) || now.since(issued) > ID_TOKEN_AGE_MAX {
        return Err(Refusal::Expired);
    }
    if issued > now.plus(config.leeway) {
        return Err(Refusal::NotYet);
    }
    let authenticated_at = date(claims, "auth_time")?.unwrap_or(issued);
    if authenticated_at > now.plus(config.leeway) {
        return Err(Refusal::claim("auth_time", "is in the future"));
    }
    Ok(authenticated_at.min(now))
}

fn check_audience(config: &IssuerConfig, claims: &Map<String, Value>) -> Result<(), Refusal> {
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many
            .iter()
            .map(|a| a.as_str().ok_or(Refusal::Audience))
            .collect::<Result<_, _>>()?,
        _ => return Err(Refusal::Audience),
    };
    let in_list = |list: &[String], a: &str| list.iter().any(|l| l == a);
    if !audiences.iter().any(|a| in_list(&config.audience, a)) {
        return Err(Refusal::Audience);
    }
    let known = |a: &&str| in_list(&config.audience, a) || in_list(&config.audience_beside, a);
    if !audiences.iter().all(known) {
        return Err(Refusal::AudienceBeside);
    }
    Ok(())
}

fn check_sort(
    config: &IssuerConfig,
    typ: Option<&str>,
    claims: &Map<String, Value>,
) -> Result<(), Refusal> {
    match typ {
        Some("at+jwt" | "application/at+jwt") => {}
        // `JOSE` is what the JWT-SVID specification has beside `JWT` (section 2.2 there).
        None | Some("jwt" | "application/jwt" | "jose") if !config.access_token_type_required => {}
        None | Some("jwt" | "application/jwt" | "jose") => {
            return Err(Refusal::NotAnAccessToken("its typ is not at+jwt"));
        }
        Some(_) => return Err(Refusal::NotAnAccessToken("its typ is another")),
    }
    if NOT_ACCESS_CLAIMS.iter().any(|c| claims.contains_key(*c)) {
        return Err(Refusal::NotAnAccessToken(
            "it has claims of an ID or logout token",
        ));
    }
    let says = |claim: &str, good: &[&str]| match claims.get(claim) {
        None => true,
        Some(v) => v
            .as_str()
            .is_some_and(|s| good.iter().any(|g| s.eq_ignore_ascii_case(g))),
    };
    if !says("typ", &["Bearer", "at+jwt", "JWT"]) || !says("token_use", &["access"]) {
        return Err(Refusal::NotAnAccessToken(
            "its claims call it something else",
        ));
    }
    Ok(())
}

fn check_client(config: &IssuerConfig, claims: &Map<String, Value>) -> Result<(), Refusal> {
    if config.clients.is_empty() {
        return Ok(());
    }
    let mut named = CLIENT_CLAIMS
        .iter()
        .filter_map(|c| claims.get(*c))
        .peekable();
    let listed = |v: &Value| {
        v.as_str()
            .is_some_and(|client| config.clients.iter().any(|c| c == client))
    };
    if named.peek().is_some() && named.all(listed) {
        Ok(())
    } else {
        Err(Refusal::Client)
    }
}

fn check_span(
    config: &IssuerConfig,
    claims: &Map<String, Value>,
    now: Timestamp,
) -> Result<Span, Refusal> {
    let required = |name| date(claims, name)?.ok_or(Refusal::claim(name, "is missing"));
    let expires = required("exp")?;
    let issued = required("iat")?;
    let latest_start = now.plus(config.leeway);
    let ends_at = expires.plus(config.leeway);
    if now >= ends_at {
        return Err(Refusal::Expired);
    }
    if issued > latest_start || date(claims, "nbf")?.is_some_and(|nbf| nbf > latest_start) {
        return Err(Refusal::NotYet);
    }
    if issued >= expires {
        return Err(Refusal::claim("exp", "is not after iat"));
    }
    if expires.since(issued) > config.lifetime_max {
        return Err(Refusal::LivesTooLong);
    }
    let authenticated_at = date(claims, "auth_time")?.unwrap_or(issued);
    if authenticated_at > latest_start {
        return Err(Refusal::claim("auth_time", "is in the future"));
    }
    Ok(Span {
        authenticated_at,
        ends_at,
    })
}

/// A NumericDate (RFC 7519, section 2): a JSON number of seconds, perhaps with a fraction, never a text.
fn date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let wrong = || Refusal::claim(name, "is not a number of seconds since 1970");
    let number = value.as_number().ok_or_else(wrong)?;
    if let Some(seconds) = number.as_i64() {
        let good = (0..=SECONDS_MAX).contains(&seconds);
        return if good {
            Ok(Some(Timestamp::from_seconds(seconds)))
        } else {
            Err(wrong())
        };
    }
    let seconds = number.as_f64().ok_or_else(wrong)?;
    if !(0.0..=SECONDS_MAX as f64).contains(&seconds) {
        return Err(wrong());
    }
    Ok(Some(Timestamp(0).plus(Duration::from_secs_f64(seconds))))
}

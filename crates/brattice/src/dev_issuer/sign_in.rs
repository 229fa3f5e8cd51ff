//! Signing in as one of its people, without a password: they are made up.
//!
//! Lives here: the choice of a person, codes, and ID tokens (OpenID Connect Core, section 3.1). Never: agents, who have
//! secrets and no browser.

use super::{Desk, DevIssuerError, page, sign};
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_core::principal::PrincipalKind;
use brattice_core::time::Timestamp;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use url::{Host, Url};

/// The gateway, as its client here.
pub const CLIENT: &str = "brattice";
/// How long a code is good.
const CODE_LIFETIME: Duration = Duration::from_secs(60);
/// Codes that wait at once.
const CODES_MAX: usize = 100;

/// Codes that were given and not traded yet.
#[derive(Default)]
pub(super) struct Codes(Mutex<HashMap<String, Waiting>>);

struct Waiting {
    person: String,
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
    until: Timestamp,
}

/// The parameters of a request, the first of each name.
fn parameters(text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        found
            .entry(name.into_owned())
            .or_insert_with(|| value.into_owned());
    }
    found
}

/// Shows the people, or goes back with a code for the one that was chosen.
pub(super) async fn authorize(
    State(desk): State<Arc<Desk>>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let asked = parameters(&query);
    let text = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
    let good = text("response_type") == "code"
        && text("client_id") == CLIENT
        && text("code_challenge_method") == "S256"
        && !text("code_challenge").is_empty();
    let Some(mut back) = callback(text("redirect_uri")).filter(|_| good) else {
        let why = "This is where the gateway of `brattice dev` sends people; it asks otherwise.";
        return (StatusCode::BAD_REQUEST, why).into_response();
    };
    let Some(name) = asked.get("as") else {
        return Html(page::choice(&desk, &query)).into_response();
    };
    if !desk.is_person(name) {
        return (StatusCode::BAD_REQUEST, "There is no such person.").into_response();
    }
    let waiting = Waiting {
        person: name.clone(),
        redirect_uri: text("redirect_uri").to_owned(),
        challenge: text("code_challenge").to_owned(),
        nonce: asked.get("nonce").cloned(),
        until: desk.clock.now().plus(CODE_LIFETIME),
    };
    let Some(code) = desk.keep(waiting) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "Too many sign-ins wait.").into_response();
    };
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", text("state"));
    (
        StatusCode::SEE_OTHER,
        [(header::LOCATION, back.to_string())],
    )
        .into_response()
}

/// Trades a code for an ID token; the error of RFC 6749, section 5.2, and a sentence.
pub(super) fn trade(desk: &Desk, form: &[u8]) -> Result<Value, (&'static str, &'static str)> {
    let form = String::from_utf8_lossy(form);
    let asked = parameters(&form);
    let text = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
    let waiting = desk.codes.take(text("code"));
    let verifier = URL_SAFE_NO_PAD.encode(digest(&SHA256, text("code_verifier").as_bytes()));
    let waiting = waiting.filter(|w| {
        desk.clock.now() < w.until
            && text("client_id") == CLIENT
            && w.redirect_uri == text("redirect_uri")
            && w.challenge == verifier
    });
    let no = ("invalid_grant", "no such code, or no longer");
    let waiting = waiting.ok_or(no)?;
    let failed = |error: DevIssuerError| {
        tracing::error!(%error, "no token");
        ("server_error", "no token could be made")
    };
    let claims =
        sign::id_claims(desk, &waiting.person, waiting.nonce.as_deref()).map_err(failed)?;
    let id_token = desk
        .signer
        .sign_as("JWT", &claims)
        .map_err(|e| failed(e.into()))?;
    let access = desk.issue(&[waiting.person.as_str()]).map_err(failed)?;
    Ok(json!({
        "id_token": id_token.expose_str(),
        "access_token": access.expose_str(),
        "token_type": "Bearer",
        "expires_in": desk.lifetime.as_secs(),
    }))
}

/// A gateway's address on this machine.
fn callback(uri: &str) -> Option<Url> {
    let url = Url::parse(uri).ok()?;
    let here = match url.host()? {
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
        Host::Domain(name) => name == "localhost",
    };
    (here && url.path().starts_with("/oauth/callback/") && url.query().is_none()).then_some(url)
}

impl Desk {
    fn is_person(&self, name: &str) -> bool {
        let party = self.parties.get(name);
        party.is_some_and(|p| p.kind == PrincipalKind::User)
    }

    fn keep(&self, waiting: Waiting) -> Option<String> {
        let mut bytes = [0; 32];
        self.randomness.fill(&mut bytes).ok()?;
        let code = URL_SAFE_NO_PAD.encode(bytes);
        let mut codes = self.codes.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        codes.retain(|_, w| now < w.until);
        if codes.len() >= CODES_MAX {
            return None;
        }
        codes.insert(code.clone(), waiting);
        Some(code)
    }
}

impl Codes {
    fn take(&self, code: &str) -> Option<Waiting> {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.remove(code)
    }
}

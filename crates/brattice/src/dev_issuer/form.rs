//! What a client sends to the token endpoint.
//!
//! Lives here: reading the form and the client's name and secret (RFC 6749, sections 2.3.1 and 4.4). Never: whether
//! they are right.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brattice_core::secret::Secret;

/// Most parties that one request may act for.
const ON_BEHALF_OF_MAX: usize = 3;

/// A request for a token.
pub(super) struct TokenRequest {
    pub client: String,
    pub secret: Secret,
    /// For whom, nearest first.
    pub on_behalf_of: Vec<String>,
    /// The audience or resource that was asked for, if any.
    pub audience: Option<String>,
}

/// Why a form is not a request: the error code of RFC 6749, section 5.2, and a sentence.
pub(super) struct BadForm(pub &'static str, pub &'static str);

/// Reads a form.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<TokenRequest, BadForm> {
    let form_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| {
            v.split(';').next().map(str::trim) == Some("application/x-www-form-urlencoded")
        });
    if !form_type {
        return Err(BadForm(
            "invalid_request",
            "send application/x-www-form-urlencoded",
        ));
    }
    let mut form = Form::default();
    for (name, value) in url::form_urlencoded::parse(body) {
        form.take(&name, value.into_owned())?;
    }
    if form.grant_type.as_deref() != Some("client_credentials") {
        return Err(BadForm(
            "unsupported_grant_type",
            "the only grant_type here is client_credentials",
        ));
    }
    let in_form = form.client_id.zip(form.client_secret.map(Secret::new));
    let (client, secret) = match (basic(headers)?, in_form) {
        (Some(_), Some(_)) => {
            return Err(BadForm(
                "invalid_request",
                "authenticate in one way, not in two",
            ));
        }
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => {
            return Err(BadForm(
                "invalid_client",
                "name a client and give its secret",
            ));
        }
    };
    if form.actor.as_ref().is_some_and(|actor| *actor != client) {
        return Err(BadForm("invalid_request", "the actor is the client itself"));
    }
    Ok(TokenRequest {
        client,
        secret,
        on_behalf_of: form.on_behalf_of,
        audience: form.audience,
    })
}

#[derive(Default)]
struct Form {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    audience: Option<String>,
    actor: Option<String>,
    on_behalf_of: Vec<String>,
}

impl Form {
    fn take(&mut self, name: &str, value: String) -> Result<(), BadForm> {
        let slot = match name {
            "grant_type" => &mut self.grant_type,
            "client_id" => &mut self.client_id,
            "client_secret" => &mut self.client_secret,
            "audience" | "resource" => &mut self.audience,
            "actor" => &mut self.actor,
            "on_behalf_of" if self.on_behalf_of.len() < ON_BEHALF_OF_MAX => {
                self.on_behalf_of.push(value);
                return Ok(());
            }
            "on_behalf_of" => return Err(BadForm("invalid_request", "that chain is too long")),
            _ => return Ok(()),
        };
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(BadForm("invalid_request", "a parameter is repeated")),
        }
    }
}

/// The Basic scheme. Names and secrets here hold nothing that form encoding would change.
fn basic(headers: &HeaderMap) -> Result<Option<(String, Secret)>, BadForm> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let bad = || {
        BadForm(
            "invalid_client",
            "that Authorization header is not understood",
        )
    };
    let text = value.to_str().map_err(|_| bad())?;
    let (scheme, coded) = text.split_once(' ').ok_or_else(bad)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(bad());
    }
    let pair = Secret::new(STANDARD.decode(coded.trim()).map_err(|_| bad())?);
    let (name, secret) = pair
        .expose_str()
        .and_then(|p| p.split_once(':'))
        .ok_or_else(bad)?;
    Ok(Some((name.to_owned(), Secret::new(secret))))
}

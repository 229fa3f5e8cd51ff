//! The authorization server's own endpoints: trading a token for a narrower one, signing people in, and the documents about
//! it.
//!
//! Lives here: which endpoint does what, the metadata of RFC 8414 and RFC 9728, the key set. Never: what may be had for
//! what, keys, rules; the requests need no `Authorization`, since what they bring is the proof.

mod exchange;
mod form;
mod grants;
mod page;
mod sign_in;

use crate::call::{Admin, Reply};
use crate::guard;
use crate::ports::proofs::PROOF_ALGORITHMS;
use crate::problem::Problem;
use crate::proof::{self, Shown};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use form::{No, one};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Where tokens are traded, and given to those who signed in.
pub const TOKEN_PATH: &str = "/oauth/token";
/// Where a client sends a person's browser (RFC 6749, section 3.1).
pub const AUTHORIZE_PATH: &str = "/oauth/authorize";
/// Where a device gets its codes (RFC 8628, section 3.1).
pub const DEVICE_PATH: &str = "/oauth/device_authorization";
/// Where a person types a device's code.
pub const DEVICE_PAGE_PATH: &str = "/oauth/device";
/// Where a sign-in is ended (RFC 7009).
pub const REVOKE_PATH: &str = "/oauth/revoke";
const KEYS_PATH: &str = "/oauth/jwks";
const SERVER_PATH: &str = "/.well-known/oauth-authorization-server";
const OPENID_PATH: &str = "/.well-known/openid-configuration";
const RESOURCE_PATH: &str = "/.well-known/oauth-protected-resource";

/// The grant of RFC 8693, section 2.1.
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The grant of RFC 8628, section 3.4.
pub const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The type of tokens that are taken and given (RFC 8693, section 3).
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// The type of a delegation's id, as the subject of an exchange.
pub const DELEGATION: &str = "urn:brattice:params:oauth:token-type:delegation";
/// The type of a client certificate, as the subject or the actor of an exchange; the token is the SPIFFE ID in it.
pub const X509_SVID: &str = "urn:brattice:params:oauth:token-type:x509-svid";
/// How long a token lives that is asked for without a life.
const LIFETIME: Duration = Duration::from_secs(900);

/// The endpoints.
pub(crate) fn routes() -> Router<Arc<Admin>> {
    let document = |what: fn(&Admin) -> Value| {
        on(
            MethodFilter::GET,
            move |State(admin): State<Arc<Admin>>, headers: HeaderMap| async move {
                let body = guard::is_for_us(&admin, &headers).map(|()| what(&admin));
                published(&admin, body)
            },
        )
    };
    Router::new()
        .route(TOKEN_PATH, on(MethodFilter::POST, token))
        .route(DEVICE_PATH, on(MethodFilter::POST, device))
        .route(REVOKE_PATH, on(MethodFilter::POST, revoke))
        .route(KEYS_PATH, document(|admin| admin.ports.tokens.key_set()))
        .route(SERVER_PATH, document(server))
        .route(OPENID_PATH, document(server))
        .route(RESOURCE_PATH, document(resource))
        .merge(sign_in::routes())
}

/// RFC 8414, section 2.
fn server(admin: &Admin) -> Value {
    let issuer = &admin.settings.public_url;
    let at = |path: &str| format!("{issuer}{path}");
    json!({
        "issuer": issuer,
        "authorization_endpoint": at(AUTHORIZE_PATH),
        "device_authorization_endpoint": at(DEVICE_PATH),
        "token_endpoint": at(TOKEN_PATH),
        "revocation_endpoint": at(REVOKE_PATH),
        "jwks_uri": at(KEYS_PATH),
        "grant_types_supported": ["authorization_code", "refresh_token", DEVICE_GRANT, GRANT],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        // RFC 8705, section 3.3.
        "tls_client_certificate_bound_access_tokens": admin.settings.client_certificates,
        // Our own: what `provider` of an authorization request can be.
        "brattice_sign_in_providers": admin.ports.login.providers(),
        // RFC 9449, section 5.1.
        "dpop_signing_alg_values_supported": PROOF_ALGORITHMS,
    })
}

/// RFC 9728, section 2.
fn resource(admin: &Admin) -> Value {
    let issuer = &admin.settings.public_url;
    let mut servers = admin.ports.tokens.trusted_issuers();
    servers.push(issuer.clone());
    json!({
        "resource": issuer,
        "authorization_servers": servers,
        "dpop_signing_alg_values_supported": PROOF_ALGORITHMS,
        "bearer_methods_supported": ["header"],
        "tls_client_certificate_bound_access_tokens": admin.settings.client_certificates,
        // RFC 9449, section 5.1.
        "dpop_signing_alg_values_supported": PROOF_ALGORITHMS,
    })
}

fn published(admin: &Admin, body: Result<Value, Problem>) -> Response {
    let id = admin.request_id();
    let reply = body.and_then(|body| Reply::published(&body));
    guard::finish(admin, &id, reply)
}

async fn token(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    answer(&admin, request, async |admin, parts, body| {
        let form = form::form(&parts.headers, body).await?;
        let asker = asker(admin, parts)?;
        match one(&form, "grant_type")? {
            Some(GRANT) => exchange::trade(admin, &form, &asker).await,
            Some("authorization_code") => grants::code(admin, &form, &asker).await,
            Some("refresh_token") => grants::refresh(admin, &form, &asker).await,
            Some(DEVICE_GRANT) => grants::poll(admin, &form, &asker).await,
            _ => Err(No::new(
                "unsupported_grant_type",
                "The discovery document lists what is given.",
            )),
        }
    })
    .await
}

async fn device(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    answer(&admin, request, async |admin, parts, body| {
        let form = form::form(&parts.headers, body).await?;
        grants::device(admin, &form, proof::from(parts)).await
    })
    .await
}

async fn revoke(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    answer(&admin, request, async |admin, parts, body| {
        let form = form::form(&parts.headers, body).await?;
        grants::revoke(admin, &form, &asker(admin, parts)?).await
    })
    .await
}

/// Who asks, as far as the request itself shows. The tokens are in its form.
fn asker(admin: &Admin, parts: &Parts) -> Result<Shown, No> {
    Ok(Shown::with_proof(admin, parts, None)?)
}

/// Answers a request of a program, which brings its own proof.
async fn answer(
    admin: &Admin,
    request: Request,
    what: impl AsyncFnOnce(&Admin, &Parts, Body) -> Result<Value, No>,
) -> Response {
    let id = admin.request_id();
    let (parts, body) = request.into_parts();
    if let Err(problem) = guard::is_for_us(admin, &parts.headers) {
        return guard::finish(admin, &id, Err(problem));
    }
    let (status, answer) = match what(admin, &parts, body).await {
        Ok(answer) => (StatusCode::OK, answer),
        Err(no) => (no.status, no.body()),
    };
    let reply = Reply::published(&answer).map(|mut reply| {
        *reply.0.status_mut() = status;
        // RFC 6749, section 5.1.
        let pragma = HeaderValue::from_static("no-cache");
        reply.0.headers_mut().insert(header::PRAGMA, pragma);
        reply
    });
    guard::finish(admin, &id, reply)
}

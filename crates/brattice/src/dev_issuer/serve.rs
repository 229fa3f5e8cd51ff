//! The provider over HTTP.
//!
//! Lives here: routes, and who may talk to them at all (this machine, by a loopback name, no foreign web page).
//! Never: what a token says.

use super::form::{self, BadForm};
use super::{Desk, DevIssuerError, PATH, page, sign_in};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use std::sync::Arc;
use tokio::net::TcpListener;

const FORM_BYTES_MAX: usize = 8 * 1024;

type Shared = State<Arc<Desk>>;

pub(super) async fn run(listener: TcpListener, desk: Arc<Desk>) {
    let issuer = Router::new()
        .route("/", get(show_page))
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/.well-known/oauth-authorization-server", get(discovery))
        .route("/jwks", get(key_set))
        .route("/authorize", get(sign_in::authorize))
        .route("/token", post(token));
    let router = Router::new()
        .nest(PATH, issuer)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&desk),
            only_this_machine,
        ))
        .with_state(desk);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the dev identity provider stopped");
    }
}

/// A page elsewhere may make a browser talk to loopback, by a name of its own or across origins: neither passes.
async fn only_this_machine(State(desk): Shared, request: Request, next: Next) -> Response {
    let port = desk.address.port();
    let ours = [desk.address.to_string(), format!("localhost:{port}")];
    let headers = request.headers();
    let mut hosts = headers.get_all(header::HOST).iter();
    let host_is_ours = match (hosts.next(), hosts.next()) {
        (Some(host), None) => ours.iter().any(|o| host.as_bytes() == o.as_bytes()),
        _ => false,
    };
    if !host_is_ours || request.uri().authority().is_some() {
        return plain(
            StatusCode::MISDIRECTED_REQUEST,
            "this is not the host you asked for",
        );
    }
    if headers.contains_key(header::ORIGIN) {
        return plain(StatusCode::FORBIDDEN, "not for web pages");
    }
    let mut response = next.run(request).await;
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    out.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    out.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
    );
    response
}

async fn show_page(State(desk): Shared) -> Html<String> {
    Html(page::render(&desk))
}

/// OpenID Connect Discovery, section 3: what this provider can do, which is little.
async fn discovery(State(desk): Shared) -> impl IntoResponse {
    let url = &desk.issuer_url;
    Json(json!({
        "issuer": url,
        "jwks_uri": format!("{url}/jwks"),
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }))
}

async fn key_set(State(desk): Shared) -> impl IntoResponse {
    Json(json!({ "keys": [desk.signer.jwk()] }))
}

async fn token(State(desk): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let grant = url::form_urlencoded::parse(&body).find(|(name, _)| name == "grant_type");
    if grant.is_some_and(|(_, grant)| grant == "authorization_code") {
        return match sign_in::trade(&desk, &body) {
            Ok(tokens) => Json(tokens).into_response(),
            Err((code, why)) => oauth_error(code, why),
        };
    }
    let request = match form::read(&headers, &body) {
        Ok(request) => request,
        Err(BadForm(code, why)) => return oauth_error(code, why),
    };
    // An unknown name takes the same comparison as a known one.
    let nobody = brattice_core::secret::Secret::new(Vec::new());
    let party = desk.parties.get(&request.client);
    let secret = party.map_or(&nobody, |p| &p.secret);
    if !secret.equals(request.secret.expose()) || party.is_none() {
        return oauth_error("invalid_client", "no such client, or not its secret");
    }
    if request.audience.is_some_and(|a| a != desk.audience) {
        return oauth_error(
            "invalid_target",
            "tokens from here are for another audience",
        );
    }
    let mut chain = vec![request.client.as_str()];
    chain.extend(request.on_behalf_of.iter().map(String::as_str));
    match desk.issue(&chain) {
        Ok(token) => Json(json!({
            "access_token": token.expose_str(),
            "token_type": "Bearer",
            "expires_in": desk.lifetime.as_secs(),
        }))
        .into_response(),
        Err(DevIssuerError::Delegation { .. } | DevIssuerError::Unknown(_)) => {
            oauth_error("unauthorized_client", "this client may not act for them")
        }
        Err(error) => {
            tracing::error!(%error, "no token");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "no token could be made")
        }
    }
}

fn oauth_error(code: &str, why: &str) -> Response {
    let body = Json(json!({"error": code, "error_description": why}));
    if code == "invalid_client" {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"brattice dev\"")];
        return (StatusCode::UNAUTHORIZED, challenge, body).into_response();
    }
    (StatusCode::BAD_REQUEST, body).into_response()
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, text).into_response()
}

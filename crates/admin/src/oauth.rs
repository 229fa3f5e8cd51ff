//! The authorization server's own endpoints: trading a token for a narrower one, and the documents about it.
//!
//! Lives here: RFC 8693 over RFC 6749's form and errors, the metadata of RFC 8414 and RFC 9728, the key set. Never: what may
//! be had for what, keys, rules; the requests need no `Authorization`, since the token that is traded is the proof.

use crate::call::{Admin, Reply};
use crate::guard::{self, Peer};
use crate::ports::{Exchange, ExchangeRefused};
use crate::problem::Problem;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use brattice_core::audit::Event;
use brattice_core::ports::AuthError;
use brattice_core::principal::Identity;
use brattice_core::scope::Scope;
use brattice_core::secret::Secret;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Where tokens are traded.
pub const TOKEN_PATH: &str = "/oauth/token";
const KEYS_PATH: &str = "/oauth/jwks";
const SERVER_PATH: &str = "/.well-known/oauth-authorization-server";
const OPENID_PATH: &str = "/.well-known/openid-configuration";
const RESOURCE_PATH: &str = "/.well-known/oauth-protected-resource";

/// The grant (RFC 8693, section 2.1).
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The type of tokens that are taken and given (RFC 8693, section 3).
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const FORM: &str = "application/x-www-form-urlencoded";
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
        .route(KEYS_PATH, document(|admin| admin.ports.tokens.key_set()))
        .route(SERVER_PATH, document(server))
        .route(OPENID_PATH, document(server))
        .route(RESOURCE_PATH, document(resource))
}

/// RFC 8414, section 2.
fn server(admin: &Admin) -> Value {
    let issuer = &admin.settings.public_url;
    json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}{TOKEN_PATH}"),
        "jwks_uri": format!("{issuer}{KEYS_PATH}"),
        "grant_types_supported": [GRANT],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
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
        "bearer_methods_supported": ["header"],
    })
}

fn published(admin: &Admin, body: Result<Value, Problem>) -> Response {
    let id = admin.request_id();
    let reply = body.and_then(|body| Reply::published(&body));
    guard::finish(admin, &id, reply)
}

async fn token(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    let id = admin.request_id();
    let (parts, body) = request.into_parts();
    if let Err(problem) = guard::is_for_us(&admin, &parts.headers) {
        return guard::finish(&admin, &id, Err(problem));
    }
    let from = parts
        .extensions
        .get::<Peer>()
        .map_or(IpAddr::from([0, 0, 0, 0]), |p| p.0.ip());
    let answer = trade(&admin, &parts.headers, body, from).await;
    let (status, answer) = match answer {
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
    guard::finish(&admin, &id, reply)
}

/// A refusal in OAuth's form (RFC 6749, section 5.2).
struct No {
    status: StatusCode,
    error: &'static str,
    why: String,
}

impl No {
    fn new(error: &'static str, why: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            why: why.into(),
        }
    }
    fn unavailable() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            ..Self::new(
                "temporarily_unavailable",
                "It cannot be done now; try again.",
            )
        }
    }
    fn body(&self) -> Value {
        json!({ "error": self.error, "error_description": self.why })
    }
}

async fn trade(admin: &Admin, headers: &HeaderMap, body: Body, from: IpAddr) -> Result<Value, No> {
    let form = form(headers, body).await?;
    let asked = Form::read(&form)?;
    let subject = prove(admin, &asked.subject, from).await?;
    let actor = match &asked.actor {
        Some(token) => Some(prove(admin, token, from).await?),
        None => None,
    };
    let most = admin.settings.token_lifetime_max;
    let exchange = Exchange {
        scope: asked.scope,
        worker: asked.worker,
        lifetime: asked.lifetime.unwrap_or(LIFETIME).min(most),
    };
    let by = actor.as_ref().unwrap_or(&subject);
    let tokens = &admin.ports.tokens;
    let issued = match tokens.exchange(&subject, actor.as_ref(), exchange) {
        Ok(issued) => issued,
        Err(why) => {
            let no = match why {
                ExchangeRefused::Scope(why) => No::new("invalid_scope", why),
                ExchangeRefused::Request(why) => No::new("invalid_request", why),
                ExchangeRefused::Grant(why) => No::new("invalid_grant", why),
                ExchangeRefused::Failed(why) => {
                    tracing::error!(%why, "a token could not be issued");
                    No::unavailable()
                }
            };
            // Who asks for more than it has is on record, as every refusal of somebody known is.
            record(admin, by, None, format!("{}: {}", no.error, no.why)).await?;
            return Err(no);
        }
    };
    let now = admin.ports.clock.now();
    let identity = &issued.identity;
    let details = format!(
        "for {}; scope `{}`; until {}; from {}",
        identity.chain,
        identity.scope,
        identity.expires_at,
        identity.lineage.join(" ")
    );
    record(admin, by, Some(identity), details).await?;
    Ok(json!({
        "access_token": issued.token.expose_str().unwrap_or_default(),
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": identity.expires_at.since(now).as_secs(),
        "scope": identity.scope.to_string(),
    }))
}

/// Puts on record who got which token, or none. What cannot be recorded is not given.
async fn record(
    admin: &Admin,
    by: &Identity,
    issued: Option<&Identity>,
    details: String,
) -> Result<(), No> {
    let event = Event::Administered {
        by: by.chain.to_string(),
        act: "token.exchange".to_owned(),
        object: issued.and_then(|i| i.token_id.clone()).unwrap_or_default(),
        allowed: issued.is_some(),
        details,
    };
    admin.ports.recorder.write(event).await.map_err(|why| {
        tracing::error!(%why, "the exchange of a token could not be recorded, and none was given");
        No::unavailable()
    })
}

async fn prove(admin: &Admin, token: &Secret, from: IpAddr) -> Result<Identity, No> {
    let (authenticator, source) = (&admin.ports.authenticator, from.to_string());
    let proven = authenticator.verify_token(token, &source).await;
    proven.map_err(|why| match why {
        AuthError::Rejected(why) => {
            tracing::info!(%why, "a token was not traded");
            No::new("invalid_grant", "The token is not good here, or no longer.")
        }
        AuthError::Throttled => No {
            status: StatusCode::TOO_MANY_REQUESTS,
            ..No::new("invalid_grant", "Too many attempts from this address.")
        },
        AuthError::Unavailable(why) => {
            tracing::warn!(%why, "a token could not be checked");
            No::unavailable()
        }
    })
}

/// The parameters of a form, each with its values.
type Parameters = BTreeMap<String, Vec<String>>;

async fn form(headers: &HeaderMap, body: Body) -> Result<Parameters, No> {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split(';').next());
    if !media.is_some_and(|m| m.trim().eq_ignore_ascii_case(FORM)) {
        return Err(No::new(
            "invalid_request",
            format!("The body must be {FORM}."),
        ));
    }
    let reading = axum::body::to_bytes(body, guard::BODY_BYTES_MAX);
    let limit = Duration::from_secs(guard::BODY_SECONDS_MAX);
    let bytes = match tokio::time::timeout(limit, reading).await {
        Ok(Ok(bytes)) => bytes,
        _ => {
            return Err(No::new(
                "invalid_request",
                "The body is too large or too slow.",
            ));
        }
    };
    let mut form = Parameters::new();
    for (name, value) in url::form_urlencoded::parse(&bytes) {
        // RFC 6749, section 3.2: a parameter without a value is as if it were not there.
        if !value.is_empty() {
            form.entry(name.into_owned())
                .or_default()
                .push(value.into_owned());
        }
    }
    Ok(form)
}

/// What a form asks for.
struct Form {
    subject: Secret,
    actor: Option<Secret>,
    scope: Scope,
    worker: Option<String>,
    lifetime: Option<Duration>,
}

impl Form {
    fn read(form: &Parameters) -> Result<Self, No> {
        const KNOWN: [&str; 10] = [
            "grant_type",
            "subject_token",
            "subject_token_type",
            "actor_token",
            "actor_token_type",
            "requested_token_type",
            "audience",
            "scope",
            "worker",
            "lifetime",
        ];
        // What is not understood might have been meant to narrow.
        if let Some(name) = form.keys().find(|n| !KNOWN.contains(&n.as_str())) {
            let shown: String = name.chars().take(40).collect();
            return Err(No::new(
                "invalid_request",
                format!("`{shown}` is not a parameter here."),
            ));
        }
        match one(form, "grant_type")? {
            Some(GRANT) => {}
            _ => {
                return Err(No::new(
                    "unsupported_grant_type",
                    format!("Only {GRANT} is given."),
                ));
            }
        }
        let subject = typed(form, "subject_token", "subject_token_type")?
            .ok_or_else(|| No::new("invalid_request", "`subject_token` is missing."))?;
        if !matches!(
            one(form, "requested_token_type")?,
            None | Some(ACCESS_TOKEN | JWT)
        ) {
            return Err(No::new("invalid_request", "Only access tokens are given."));
        }
        let mut scope = one(form, "scope")?.unwrap_or_default().to_owned();
        // A target is named as an audience too (RFC 8693, section 2.1).
        for target in form.get("audience").into_iter().flatten() {
            if target.contains(' ') {
                return Err(No::new(
                    "invalid_target",
                    "`audience` is the name of one target.",
                ));
            }
            scope.push_str(&format!(" target:{target}"));
        }
        let scope =
            Scope::parse(&scope).map_err(|why| No::new("invalid_scope", why.to_string()))?;
        let lifetime = one(form, "lifetime")?
            .map(|text| {
                text.parse()
                    .ok()
                    .filter(|s| *s > 0)
                    .map(Duration::from_secs)
            })
            .map(|life| {
                life.ok_or_else(|| No::new("invalid_request", "`lifetime` is a number of seconds."))
            })
            .transpose()?;
        Ok(Self {
            subject,
            actor: typed(form, "actor_token", "actor_token_type")?,
            scope,
            worker: one(form, "worker")?.map(str::to_owned),
            lifetime,
        })
    }
}

/// A parameter that may be there once (RFC 6749, section 3.2).
fn one<'f>(form: &'f Parameters, name: &str) -> Result<Option<&'f str>, No> {
    match form.get(name).map(Vec::as_slice) {
        None => Ok(None),
        Some([one]) => Ok(Some(one)),
        Some(_) => Err(No::new(
            "invalid_request",
            format!("`{name}` is given twice."),
        )),
    }
}

/// A token beside its type; one is not there without the other.
fn typed(form: &Parameters, token: &str, kind: &str) -> Result<Option<Secret>, No> {
    match (one(form, token)?, one(form, kind)?) {
        (None, None) => Ok(None),
        // A file that holds a token ends in a line feed.
        (Some(token), Some(ACCESS_TOKEN | JWT)) => Ok(Some(Secret::new(token.trim().as_bytes()))),
        (Some(_), Some(_)) => Err(No::new(
            "invalid_request",
            format!("`{kind}` must be {ACCESS_TOKEN} or {JWT}."),
        )),
        _ => Err(No::new(
            "invalid_request",
            format!("`{token}` and `{kind}` are given together."),
        )),
    }
}

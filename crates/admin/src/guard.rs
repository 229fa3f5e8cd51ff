//! What stands before every handler: the request's form, its origin, and who sends it.
//!
//! Lives here: the order of checks and the headers of every answer. Never: rights to a particular thing.

use crate::call::{Admin, Call, Caller, Reply};
use crate::decision;
use crate::line::Line;
use crate::problem::Problem;
use crate::proof::{self, Evidence};
use crate::table::{Body as Wants, Right, Route};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The largest body of a request.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long the body may take to come.
pub const BODY_SECONDS_MAX: u64 = 10;
/// Answers one request to one route.
pub(crate) async fn answer(
    admin: Arc<Admin>,
    route: &'static Route,
    path: BTreeMap<String, String>,
    request: Request,
) -> Response {
    let id = admin.request_id();
    let outcome = handle(&admin, route, path, request).await;
    finish(&admin, &id, outcome)
}

/// Gives an outcome its request id and the headers that every answer has.
pub(crate) fn finish(admin: &Admin, id: &str, outcome: Result<Reply, Problem>) -> Response {
    let mut response = match outcome {
        Ok(reply) => reply.0,
        Err(mut problem) => {
            problem.request_id = Some(id.to_owned());
            problem.into_response()
        }
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        // A page says itself what it may load.
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if admin.settings.public_url.starts_with("https://") {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}

async fn handle(
    admin: &Arc<Admin>,
    route: &'static Route,
    path: BTreeMap<String, String>,
    request: Request,
) -> Result<Reply, Problem> {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    is_for_us(admin, headers)?;
    let query = query_of(parts.uri.query().unwrap_or_default(), route)?;
    let body = body_of(route, headers, body).await?;
    let (caller, evidence) = match route.right {
        Right::Receiver => {
            let approval = path.get("id").map(String::as_str).unwrap_or_default();
            let receiver = decision::receiver(admin, headers, approval, &body)?;
            (Caller::Receiver(receiver), Evidence::default())
        }
        _ => {
            let (who, evidence) = proof::who(admin, &parts).await?;
            (Caller::Proven(Box::new(who)), evidence)
        }
    };
    let call = Call {
        admin: Arc::clone(admin),
        caller,
        evidence,
        from: proof::from(&parts),
        line: parts.extensions.get::<Line>().cloned().unwrap_or_default(),
        path,
        query,
        body,
    };
    (route.handle)(&call).await
}

/// The name that is asked for is ours, and no page of another origin asks (DNS rebinding, cross-site requests).
pub(crate) fn is_for_us(admin: &Admin, headers: &HeaderMap) -> Result<(), Problem> {
    is_our_host(admin, headers)?;
    let foreign = || {
        Problem::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            "Pages of another origin may not use this API.",
        )
    };
    // Fetch Metadata, section 2.3: what a browser says of itself where it sends no origin.
    if let Some(site) = headers.get("sec-fetch-site")
        && !matches!(site.as_bytes(), b"same-origin" | b"none")
    {
        return Err(foreign());
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let ours = url::Url::parse(&admin.settings.public_url)
            .map(|u| u.origin().ascii_serialization())
            .unwrap_or_default();
        if origin.to_str().ok() != Some(ours.as_str()) {
            return Err(foreign());
        }
    }
    Ok(())
}

/// The name that is asked for is ours (DNS rebinding).
pub(crate) fn is_our_host(admin: &Admin, headers: &HeaderMap) -> Result<(), Problem> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts
        .next()
        .and_then(|h| h.to_str().ok())
        .map(str::to_ascii_lowercase);
    let known = host.is_some_and(|h| admin.settings.hosts.contains(&h));
    if !known || hosts.next().is_some() {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "unknown_host",
            "The request is not for this host.",
        )
        .hint("Use the address in `listen.admin.public_url`."));
    }
    Ok(())
}

/// Only parameters that the route has, each once. A token never travels in a URL.
fn query_of(query: &str, route: &Route) -> Result<BTreeMap<String, String>, Problem> {
    let mut found = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if !route.query.iter().any(|p| p.name == name) {
            let known: Vec<&str> = route.query.iter().map(|p| p.name).collect();
            let hint = if known.is_empty() {
                "This takes no parameters.".to_owned()
            } else {
                format!("Known here: {}.", known.join(", "))
            };
            return Err(Problem::invalid("A query parameter is not known.").hint(hint));
        }
        if found
            .insert(name.into_owned(), value.into_owned())
            .is_some()
        {
            return Err(Problem::invalid("A query parameter is given twice."));
        }
    }
    Ok(found)
}

async fn body_of(route: &Route, headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let reading = axum::body::to_bytes(body, BODY_BYTES_MAX);
    let bytes = tokio::time::timeout(Duration::from_secs(BODY_SECONDS_MAX), reading)
        .await
        .map_err(|_| {
            Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                "The body took too long to come.",
            )
        })?
        .map_err(|_| {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                format!("The body is larger than {BODY_BYTES_MAX} bytes, or broke off."),
            )
        })?;
    let media = headers
        .get(header::CONTENT_TYPE)
        .map(|v| v.to_str().unwrap_or_default());
    match route.body {
        None if bytes.is_empty() => Ok(bytes),
        None => Err(Problem::invalid("This takes no body.")),
        Some(Wants { optional: true, .. }) if bytes.is_empty() => Ok(bytes),
        Some(_) if media.is_some_and(is_json) => Ok(bytes),
        Some(_) => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body must be application/json.",
        )),
    }
}

fn is_json(media: &str) -> bool {
    let mut parts = media.split(';').map(str::trim);
    parts
        .next()
        .is_some_and(|m| m.eq_ignore_ascii_case("application/json"))
        && parts.all(|p| p.eq_ignore_ascii_case("charset=utf-8"))
}

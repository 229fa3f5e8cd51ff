//! What machines watch: whether the gateway lives, whether it is ready, and its figures. No authentication, nothing
//! secret, on a listener of its own.
//!
//! Lives here: three routes. Never: names of principals, texts of commands.

use crate::metrics::Page;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use brattice_core::ports::BoxFuture;
use std::sync::Arc;

/// What the binary knows about itself.
pub trait Health: Send + Sync {
    /// What keeps new sessions from being taken: short names of parts, e.g. `store`. Empty when ready.
    fn not_ready<'a>(&'a self) -> BoxFuture<'a, Vec<&'static str>>;
    /// Writes every figure.
    fn figures<'a>(&'a self, page: &'a mut Page) -> BoxFuture<'a, ()>;
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn router(health: Arc<dyn Health>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn ready(State(health): State<Arc<dyn Health>>) -> Response {
    let failing = health.not_ready().await;
    if failing.is_empty() {
        return "ready\n".into_response();
    }
    let text = format!("not ready: {}\n", failing.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn metrics(State(health): State<Arc<dyn Health>>) -> Response {
    let mut page = Page::default();
    health.figures(&mut page).await;
    let mut response = page.text().into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}

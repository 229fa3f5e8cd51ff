//! From the table to a router.
//!
//! Lives here: dispatch, and answers for what is not in the table. Never: checks, handlers.

use crate::call::Admin;
use crate::guard;
use crate::problem::Problem;
use crate::table::{Method, ROUTES, Route};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{Method as Verb, StatusCode};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The API's router.
pub fn router(admin: Arc<Admin>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let filter = match route.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
        };
        let handler =
            move |state: State<Arc<Admin>>,
                  path: Path<BTreeMap<String, String>>,
                  request: Request| { dispatch(route, state.0, path.0, request) };
        router = router.route(route.path, on(filter, handler));
    }
    router
        .fallback(nowhere)
        .method_not_allowed_fallback(another_method)
        .with_state(admin)
}

async fn dispatch(
    route: &'static Route,
    admin: Arc<Admin>,
    path: BTreeMap<String, String>,
    request: Request,
) -> Response {
    // Axum serves HEAD by GET's handler; the API has no use for it.
    if request.method() == Verb::HEAD {
        return another_method(State(admin)).await;
    }
    guard::answer(admin, route, path, request).await
}

async fn nowhere(State(admin): State<Arc<Admin>>) -> Response {
    let id = admin.request_id();
    guard::finish(&admin, &id, Err(Problem::not_found("resource")))
}

async fn another_method(State(admin): State<Arc<Admin>>) -> Response {
    let id = admin.request_id();
    let problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "The resource has no such method.",
    );
    guard::finish(&admin, &id, Err(problem))
}

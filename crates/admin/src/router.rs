//! From the table to a router.
//!
//! Lives here: dispatch, and answers for what is not in the table. Never: checks, handlers.

use crate::call::{Admin, Reply};
use crate::guard;
use crate::oauth;
use crate::problem::Problem;
use crate::table::{Method, ROUTES, Route};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{Method as Verb, StatusCode};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use brattice_core::ids::ApprovalId;
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
        .merge(oauth::routes())
        .route("/approvals/{id}", on(MethodFilter::GET, how_to_decide))
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

/// Where the links lead that callers are given with a held command: how a person decides it. Tells nothing about it, not
/// even whether it exists, and so asks nobody who they are.
async fn how_to_decide(State(admin): State<Arc<Admin>>, Path(id): Path<String>) -> Response {
    let name = admin.request_id();
    let Ok(id) = id.parse::<ApprovalId>() else {
        return guard::finish(&admin, &name, Err(Problem::not_found("resource")));
    };
    let url = &admin.settings.public_url;
    let text = format!(
        "This command waits for a person.\n\n\
         See it, complete, with the hash of what it would do:\n\n    \
         brattice approvals show {id} --url {url}\n\n\
         Then say yes or no to exactly that:\n\n    \
         brattice approvals approve {id} --action HASH --url {url}\n    \
         brattice approvals deny {id} --action HASH --url {url}\n"
    );
    guard::finish(&admin, &name, Ok(Reply::instructions(text)))
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

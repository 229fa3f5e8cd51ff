//! The REST API: people and agents looking at the gateway and acting on it.
//!
//! Lives here: HTTP, its guards, the table of routes, the OpenAPI document, signed webhooks, and the listener for
//! machines that watch the gateway. Never: SQL, wire protocols, a decision (the policy decides, through
//! [`ports::Authorizer`]), a cookie.
//!
//! One list of [`table::Route`]s drives the router, the document and the tests. Every request is authenticated before
//! its handler runs, and a handler can only answer with a [`call::Permit`], which comes from the authoriser alone.

#![allow(
    clippy::result_large_err,
    reason = "a refusal carries all that its caller can act on, and is made at most once a request"
)]

pub mod announce;
pub mod body;
pub mod call;
mod crowd;
mod decision;
mod guard;
mod handle;
pub mod health;
mod line;
pub mod metrics;
pub mod oauth;
pub mod openapi;
pub mod ports;
pub mod problem;
mod proof;
mod router;
pub mod serve;
pub mod signature;
pub mod table;

pub use call::{Admin, Ports, Settings};
pub use router::router;

#[cfg(test)]
mod tests;

//! Who the caller is, and what the API is.

use crate::body::WhoamiBody;
use crate::call::{Call, Reply};
use crate::openapi;
use crate::problem::Problem;
use axum::http::StatusCode;
use brattice_core::ports::BoxFuture;

pub(crate) fn get(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let permit = call.anyone()?;
        Reply::json(&permit, StatusCode::OK, &WhoamiBody::from(call.who()?))
    })
}

pub(crate) fn openapi(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let permit = call.anyone()?;
        let document = openapi::document(&call.admin.settings.public_url);
        Reply::json(&permit, StatusCode::OK, &document)
    })
}

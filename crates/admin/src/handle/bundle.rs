//! The bundle: what is in force, what is wrong with the next one, and putting it in force.

use crate::body::{BundleBody, BundleProblemBody, CheckBody};
use crate::call::{Call, Reply};
use crate::ports::Act;
use crate::problem::Problem;
use axum::http::StatusCode;
use brattice_core::ports::BoxFuture;

pub(crate) fn get(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let permit = call.may(&Act::ReadBundle)?;
        let bundle = call.admin.ports.bundle.current().await?;
        Reply::json(&permit, StatusCode::OK, &BundleBody::from(&bundle))
    })
}

pub(crate) fn check(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let permit = call.may(&Act::ReadBundle)?;
        let found = call.admin.ports.bundle.check().await?;
        let body = CheckBody {
            valid: found.is_empty(),
            problems: found.iter().map(BundleProblemBody::from).collect(),
        };
        Reply::json(&permit, StatusCode::OK, &body)
    })
}

pub(crate) fn reload(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let permit = call.must(&Act::ApplyBundle, "reload").await?;
        match call.admin.ports.bundle.reload().await? {
            Ok(bundle) => Reply::json(&permit, StatusCode::OK, &BundleBody::from(&bundle)),
            Err(problems) => {
                let mut problem = Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "invalid_bundle",
                    "The bundle is not valid; the one in force stays.",
                )
                .hint("Mend what `problems` lists, and reload again.");
                problem.problems = problems.iter().map(BundleProblemBody::from).collect();
                Err(problem)
            }
        }
    })
}

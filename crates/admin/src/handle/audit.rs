//! The audit log: following it, and taking its files away for offline verification.

use super::LIMIT_MAX;
use crate::body::{AuditFileBody, AuditFilesBody, AuditLineBody};
use crate::call::{Call, Permit, Reply};
use crate::ports::Act;
use crate::problem::Problem;
use axum::http::StatusCode;
use brattice_core::ports::BoxFuture;
use std::time::Duration;

/// Most bytes of one piece of a file.
const PIECE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most seconds to wait for an entry.
const WAIT_SECONDS_MAX: u64 = 30;

pub(crate) fn tail(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let limit = call.number("limit", 100, LIMIT_MAX)?;
        let wait = call.number("wait", 0, WAIT_SECONDS_MAX)?;
        let audit = &call.admin.ports.audit;
        let from = match call.query.get("from") {
            Some(_) => call.number("from", 0, u64::MAX)?,
            None => audit.entries()?.saturating_sub(limit),
        };
        let permit = looking(call, "tail", wait == 0).await?;
        let limit = usize::try_from(limit).unwrap_or(0);
        let lines = audit.read(from, limit, Duration::from_secs(wait)).await?;
        let next = lines
            .last()
            .map_or(from, |line| line.position.saturating_add(1));
        let bodies = lines.into_iter().map(|line| AuditLineBody {
            position: line.position,
            entry: line.entry,
        });
        Reply::lines(&permit, bodies, Some(next))
    })
}

pub(crate) fn files(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let permit = looking(call, "files", true).await?;
        let audit = &call.admin.ports.audit;
        // Whoever takes the log away takes a head along that vouches for all of it up to now.
        audit.vouch().await?;
        let found = audit.files().await?;
        let files = found
            .into_iter()
            .map(|f| AuditFileBody {
                name: f.name,
                bytes: f.bytes,
            })
            .collect();
        Reply::json(&permit, StatusCode::OK, &AuditFilesBody { files })
    })
}

pub(crate) fn export(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let offset = call.number("offset", 0, u64::MAX)?;
        let name: String = call.path("name", "file")?;
        let permit = looking(call, &format!("export {name}"), offset == 0).await?;
        // Only names that the port itself lists are ever opened.
        let audit = &call.admin.ports.audit;
        if !audit.files().await?.iter().any(|f| f.name == name) {
            return Err(Problem::not_found("file"));
        }
        let bytes = audit
            .file(&name, offset, PIECE_BYTES_MAX)
            .await?
            .ok_or_else(|| Problem::not_found("file"))?;
        Ok(Reply::octets(&permit, bytes))
    })
}

/// A first look is on the record; going on with it (the next page, waiting for more) is not a new one. A refusal always
/// is on the record.
async fn looking(call: &Call, details: &str, first: bool) -> Result<Permit, Problem> {
    if !first && let Ok(permit) = call.may(&Act::ReadAudit) {
        return Ok(permit);
    }
    call.must(&Act::ReadAudit, details).await
}

//! Principals: ending everything of one, and letting it in again.

use super::reason_of;
use crate::body::{DoneBody, PrincipalRequest, SuspendedBody};
use crate::call::{Call, Reply};
use crate::ports::Act;
use crate::problem::Problem;
use axum::http::StatusCode;
use brattice_core::ports::BoxFuture;
use brattice_core::principal::{Principal, PrincipalKind};
use std::collections::BTreeSet;

pub(crate) fn revoke(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let (who, reason) = principal(call)?;
        let permit = call
            .must(&Act::Suspend(&who), &format!("revoke: {reason}"))
            .await?;
        let identities = &call.admin.ports.identities;
        let ended = identities.suspend(who.kind, &who.id(), &reason).await?;
        let body = SuspendedBody {
            id: who.id(),
            sessions: ended.sessions,
            credentials: ended.credentials,
        };
        Reply::json(&permit, StatusCode::OK, &body)
    })
}

pub(crate) fn restore(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let (who, reason) = principal(call)?;
        let permit = call
            .must(&Act::Suspend(&who), &format!("restore: {reason}"))
            .await?;
        if !call
            .admin
            .ports
            .identities
            .restore(who.kind, &who.id())
            .await?
        {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "not_revoked",
                "This principal is not revoked.",
            ));
        }
        Reply::json(&permit, StatusCode::OK, &DoneBody { done: true })
    })
}

fn principal(call: &Call) -> Result<(Principal, String), Problem> {
    let request: PrincipalRequest = call.json()?;
    let kind = match request.kind.as_deref() {
        None | Some("agent") => PrincipalKind::Agent,
        Some("user") => PrincipalKind::User,
        Some(_) => {
            return Err(Problem::invalid(
                "`kind` is neither \"agent\" nor \"user\".",
            ));
        }
    };
    let named = request
        .id
        .split_once('/')
        .filter(|(issuer, name)| !issuer.is_empty() && !name.is_empty());
    let Some((issuer, name)) = named else {
        return Err(Problem::invalid("`id` is not of the form issuer/name."));
    };
    let who = Principal {
        kind,
        issuer: issuer.to_owned(),
        name: name.to_owned(),
        groups: BTreeSet::new(),
    };
    Ok((who, reason_of(request.reason)?.unwrap_or_default()))
}

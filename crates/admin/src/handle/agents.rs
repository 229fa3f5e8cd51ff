//! Principals: voiding everything that one has proved.

use super::reason_of;
use crate::body::{PrincipalRequest, SuspendedBody};
use crate::call::{Call, Reply};
use crate::ports::Act;
use crate::problem::Problem;
use axum::http::StatusCode;
use brattice_core::ports::BoxFuture;
use brattice_core::principal::{Principal, PrincipalKind};
use std::collections::BTreeSet;

pub(crate) fn revoke(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
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
        let reason = reason_of(request.reason)?.unwrap_or_default();
        let identities = &call.admin.ports.identities;
        let seen = identities.seen(kind, issuer, name).await?;
        let known = seen.is_some();
        // What nobody has proved yet can be voided, too: a token may be on its way.
        let who = seen.unwrap_or_else(|| Principal {
            kind,
            issuer: issuer.to_owned(),
            name: name.to_owned(),
            groups: BTreeSet::new(),
        });
        let permit = call.must(&Act::Suspend(&who), &reason).await?;
        let ended = identities.suspend(&who, &reason).await?;
        let body = SuspendedBody {
            id: who.id(),
            known,
            sessions: ended.sessions,
            credentials: ended.credentials,
        };
        Reply::json(&permit, StatusCode::OK, &body)
    })
}

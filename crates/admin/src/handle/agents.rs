//! Principals: voiding everything that one has proved.

use super::reason_of;
use crate::body::{PrincipalRequest, SuspendedBody};
use crate::call::{Call, Reply};
use crate::ports::Act;
use crate::problem::Problem;
use axum::http::StatusCode;
use brattice_core::ports::BoxFuture;
use brattice_core::principal::OWN_ISSUER;
use brattice_core::principal::{Principal, PrincipalKind};
use std::collections::BTreeSet;

pub(crate) fn revoke(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let request: PrincipalRequest = call.json()?;
        let reason = reason_of(request.reason)?.unwrap_or_default();
        let identities = &call.admin.ports.identities;
        let (mut known, mut all, mut permit) = (false, Vec::new(), None);
        for who in revoked(request.kind.as_deref(), &request.id)? {
            let seen = identities.seen(who.kind, &who.issuer, &who.name).await?;
            known |= seen.is_some();
            // What nobody has proved yet can be voided, too: a token may be on its way.
            let who = seen.unwrap_or(who);
            permit = Some(call.must(&Act::Suspend(&who), &reason).await?);
            all.push(who);
        }
        // Nothing is done before all of it is permitted.
        let (mut sessions, mut credentials) = (0, 0);
        for who in &all {
            let ended = identities.suspend(who, &reason).await?;
            known |= ended.found;
            sessions += ended.sessions;
            credentials += ended.credentials;
        }
        let permit = permit.ok_or_else(Problem::unavailable)?;
        let body = SuspendedBody {
            id: request.id,
            known,
            sessions,
            credentials,
        };
        Reply::json(&permit, StatusCode::OK, &body)
    })
}

/// The principals that a request names. Everybody of an issuer is `*`, of both kinds; a token is one of the gateway's own.
fn revoked(kind: Option<&str>, id: &str) -> Result<Vec<Principal>, Problem> {
    let principal = |kind, issuer: &str, name: &str| Principal {
        kind,
        issuer: issuer.to_owned(),
        name: name.to_owned(),
        groups: BTreeSet::new(),
    };
    let named = |kind| {
        let parts = id.split_once('/');
        let whole =
            parts.filter(|(issuer, name)| !issuer.is_empty() && !name.is_empty() && *name != "*");
        whole
            .map(|(issuer, name)| vec![principal(kind, issuer, name)])
            .ok_or_else(|| Problem::invalid("`id` is not of the form issuer/name."))
    };
    let plain = !id.is_empty();
    match kind {
        None | Some("agent") => named(PrincipalKind::Agent),
        Some("user") => named(PrincipalKind::User),
        Some("issuer") if plain && !id.contains('/') => {
            Ok([PrincipalKind::Agent, PrincipalKind::User]
                .map(|kind| principal(kind, id, "*"))
                .into())
        }
        Some("token") if plain => {
            let name = format!("token:{id}");
            Ok(vec![principal(PrincipalKind::Agent, OWN_ISSUER, &name)])
        }
        Some("issuer" | "token") => Err(Problem::invalid("`id` is not a name.")),
        Some(_) => Err(Problem::invalid(
            "`kind` is none of \"agent\", \"user\", \"issuer\" and \"token\".",
        )),
    }
}

//! Short-lived credentials: minting one for oneself, and ending one.

use crate::body::{
    CredentialBody, CredentialLineBody, CredentialRequest, CredentialsBody, DoneBody,
};
use crate::call::{Call, Reply};
use crate::ports::{Act, CreateError};
use crate::problem::Problem;
use axum::http::StatusCode;
use brattice_core::ids::CredentialId;
use brattice_core::ports::{Bounds, BoxFuture};
use ipnet::IpNet;
use std::net::IpAddr;
use std::time::Duration;

/// Most networks that one credential is bound to.
const NETWORKS_MAX: usize = 20;

pub(crate) fn create(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let request: CredentialRequest = call.json()?;
        let lifetime = lifetime_of(call, request.ttl_seconds)?;
        let (bounds, bound) = bounds_of(request.single_use, &request.from)?;
        let details = format!("credential for {} s{bound}", request.ttl_seconds);
        let permit = call.must(&Act::Connect(&request.target), &details).await?;
        let credentials = &call.admin.ports.credentials;
        let minted = credentials
            .create(call.who()?, &request.target, lifetime, bounds)
            .await
            .map_err(not_minted)?;
        let body = CredentialBody::of(&minted).ok_or_else(Problem::unavailable)?;
        Reply::json(&permit, StatusCode::CREATED, &body)
    })
}

pub(crate) fn list(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let permit = call.anyone()?;
        let credentials = &call.admin.ports.credentials;
        let own = credentials.list(Some(&call.who()?.chain.acting)).await?;
        // Those of others are many, and their list ends somewhere: one's own are asked for by themselves.
        let mut found = credentials.list(None).await?;
        found.retain(|c| !own.iter().any(|o| o.id == c.id));
        found.extend(own);
        found.retain(|c| call.may(&Act::RevokeCredential(c)).is_ok());
        found.sort_by(|a, b| (b.issued_at, &b.id).cmp(&(a.issued_at, &a.id)));
        let body = CredentialsBody {
            credentials: found.iter().map(CredentialLineBody::from).collect(),
        };
        Reply::json(&permit, StatusCode::OK, &body)
    })
}

pub(crate) fn revoke(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let id: CredentialId = call.path("id", "credential")?;
        let credentials = &call.admin.ports.credentials;
        let credential = credentials.get(&id).await?.ok_or_else(no_such)?;
        let permit = call
            .must(&Act::RevokeCredential(&credential), "")
            .await
            .map_err(|problem| {
                if problem.status == StatusCode::FORBIDDEN.as_u16() {
                    no_such()
                } else {
                    problem
                }
            })?;
        if !credentials.revoke(&id).await? {
            return Err(no_such());
        }
        Reply::json(&permit, StatusCode::OK, &DoneBody { done: true })
    })
}

/// How long something shall live that was minted.
pub(super) fn lifetime_of(call: &Call, seconds: u64) -> Result<Duration, Problem> {
    let most = call.admin.settings.credential_lifetime_max;
    let lifetime = Duration::from_secs(seconds);
    if lifetime.is_zero() || lifetime > most {
        return Err(Problem::invalid(format!(
            "A credential lives for {} seconds at most, and for one at least.",
            most.as_secs()
        ))
        .hint("`limits.credential_lifetime_max` says how long."));
    }
    Ok(lifetime)
}

/// What it is bound to, and the same in words for the record.
pub(super) fn bounds_of(single_use: bool, from: &[String]) -> Result<(Bounds, String), Problem> {
    let bounds = Bounds {
        single_use,
        from: networks(from)?,
    };
    let mut words = String::new();
    if bounds.single_use {
        words.push_str(", one login");
    }
    for net in &bounds.from {
        words.push_str(&format!(", from {net}"));
    }
    Ok((bounds, words))
}

pub(super) fn not_minted(why: CreateError) -> Problem {
    match why {
        CreateError::Refused(why) => Problem::new(StatusCode::CONFLICT, "not_minted", why),
        CreateError::Failed(failed) => failed.into(),
    }
}

/// Addresses and networks as they are written; an address is a network of one.
fn networks(texts: &[String]) -> Result<Vec<IpNet>, Problem> {
    if texts.len() > NETWORKS_MAX {
        return Err(Problem::invalid(format!(
            "`from` names at most {NETWORKS_MAX} networks."
        )));
    }
    let network = |text: &String| {
        let one = text.parse::<IpAddr>().map(IpNet::from);
        one.or_else(|_| text.parse::<IpNet>()).map_err(|_| {
            Problem::invalid("`from` names addresses or networks, as in 10.0.0.7 or 10.0.0.0/24.")
        })
    };
    texts.iter().map(network).collect()
}

fn no_such() -> Problem {
    Problem::not_found("credential")
}

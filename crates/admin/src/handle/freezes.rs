//! Freezes: stopping targets, seeing what is stopped, and letting it go on.
//!
//! Whoever stops or lets go on several targets must be permitted it for all of them: the label, and each target that has
//! it; the gateway, and each target.

use super::reason_of;
use crate::body::{DoneBody, FreezeBody, FreezeRequest, FreezesBody, FrozenBody, ReasonRequest};
use crate::call::{Call, Permit, Reply};
use crate::ports::{Act, Stopped};
use crate::problem::Problem;
use axum::http::StatusCode;
use brattice_core::freeze::{Freeze, Reach};
use brattice_core::ids::FreezeId;
use brattice_core::ports::BoxFuture;
use brattice_core::target::Target;

/// The longest label that is taken.
const LABEL_BYTES_MAX: usize = 200;

pub(crate) fn list(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let permit = call.anyone()?;
        let found = call.admin.ports.freezes.list().await?;
        let freezes = found
            .iter()
            .filter(|f| may_see(call, f))
            .map(FreezeBody::from)
            .collect();
        Reply::json(&permit, StatusCode::OK, &FreezesBody { freezes })
    })
}

pub(crate) fn create(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let request: FreezeRequest = call.json()?;
        let reason = reason_of(Some(request.reason.clone()))?.ok_or_else(|| {
            Problem::invalid("`reason` says nothing: those who are stopped read it.")
        })?;
        let reach = reach(&request)?;
        let freezes = &call.admin.ports.freezes;
        let targets = freezes.reached(&reach);
        let permit = all(call, &reach, &targets, Act::Freeze, &reason).await?;
        // Told to those alone who may freeze it: a stop that reaches nothing is not what anybody wants.
        if targets.is_empty() && matches!(reach, Reach::Target(_)) {
            return Err(Problem::not_found("target"));
        }
        let by = &call.who()?.chain.acting;
        let frozen = freezes.freeze(reach, &reason, by).await?;
        let frozen = frozen.ok_or_else(|| {
            Problem::new(
                StatusCode::CONFLICT,
                "too_many_freezes",
                "Too many freezes of yours stand; nothing was frozen.",
            )
            .hint("Freeze everything, or end freezes that are not needed any more.")
        })?;
        let body = FrozenBody {
            freeze: FreezeBody::from(&frozen.freeze),
            sessions: frozen.sessions,
        };
        Reply::json(&permit, StatusCode::CREATED, &body)
    })
}

pub(crate) fn thaw(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let id: FreezeId = call.path("id", "freeze")?;
        let request: ReasonRequest = call.json()?;
        let reason = reason_of(request.reason)?.unwrap_or_default();
        let freezes = &call.admin.ports.freezes;
        let found = freezes.list().await?.into_iter().find(|f| f.id == id);
        let Some(freeze) = found else {
            return Err(Problem::not_found("freeze"));
        };
        let targets = stopped(call, &freeze);
        let details = format!("{id}: {reason}");
        let permit = all(call, &freeze.reach, &targets, Act::Thaw, &details)
            .await
            .map_err(|problem| match may_see(call, &freeze) {
                true => problem,
                false => Problem::not_found("freeze"),
            })?;
        if !freezes.thaw(&id, &call.who()?.chain.acting).await? {
            return Err(Problem::not_found("freeze"));
        }
        Reply::json(&permit, StatusCode::OK, &DoneBody { done: true })
    })
}

fn reach(request: &FreezeRequest) -> Result<Reach, Problem> {
    match (&request.target, &request.label, request.all) {
        (Some(name), None, false) => Ok(Reach::Target(name.clone())),
        (None, Some(label), false) => match label.split_once('=') {
            Some((key, value))
                if !key.is_empty() && !value.contains('=') && label.len() <= LABEL_BYTES_MAX =>
            {
                Ok(Reach::Label(label.clone()))
            }
            _ => Err(Problem::invalid("`label` is not of the form key=value.")),
        },
        (None, None, true) => Ok(Reach::All),
        _ => Err(Problem::invalid(
            "Name one of `target`, `label` and `all: true`.",
        )),
    }
}

/// The targets of the bundle in force that a freeze stops, those among them that it reached by labels they had.
fn stopped(call: &Call, freeze: &Freeze) -> Vec<Target> {
    let all = call.admin.ports.freezes.reached(&Reach::All);
    all.into_iter().filter(|t| freeze.stops(t)).collect()
}

/// What has to be permitted, the widest first.
fn parts<'a>(reach: &'a Reach, targets: &'a [Target]) -> Vec<Stopped<'a>> {
    let each = targets.iter().map(Stopped::Target);
    match reach {
        Reach::All => std::iter::once(Stopped::Everything).chain(each).collect(),
        Reach::Label(label) => std::iter::once(Stopped::Label(label)).chain(each).collect(),
        // Of a target that is not in the bundle no label is known that a rule could speak of.
        Reach::Target(_) if targets.is_empty() => vec![Stopped::Everything],
        Reach::Target(_) => each.collect(),
    }
}

/// Asks for every part, and puts it on record once, allowed or not.
async fn all<'a>(
    call: &Call,
    reach: &'a Reach,
    targets: &'a [Target],
    act: fn(Stopped<'a>) -> Act<'a>,
    details: &str,
) -> Result<Permit, Problem> {
    let acts: Vec<Act<'a>> = parts(reach, targets).into_iter().map(act).collect();
    call.must_all(&acts, &reach.to_string(), details).await
}

/// Whoever may stop or let go on anything of it sees it.
fn may_see(call: &Call, freeze: &Freeze) -> bool {
    let targets = stopped(call, freeze);
    parts(&freeze.reach, &targets)
        .into_iter()
        .any(|part| call.may(&Act::Freeze(part)).is_ok() || call.may(&Act::Thaw(part)).is_ok())
}

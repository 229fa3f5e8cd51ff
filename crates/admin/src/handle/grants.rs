//! Grants: asking for them ahead of time, seeing them, and ending them before their time.

use super::reason_of;
use crate::body::{
    ApprovalBody, DoneBody, GrantBody, GrantRequest, GrantsBody, ReasonRequest, RequestedBody,
};
use crate::call::{Call, Reply};
use crate::ports::{Act, Asking, Requested};
use crate::problem::Problem;
use axum::http::StatusCode;
use brattice_core::action::Effect;
use brattice_core::ids::GrantId;
use brattice_core::policy::{Ahead, Wanted};
use brattice_core::ports::BoxFuture;

const EFFECTS: [Effect; 5] = [
    Effect::Read,
    Effect::Write,
    Effect::Destroy,
    Effect::Administer,
    Effect::Execute,
];

pub(crate) fn request(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let request: GrantRequest = call.json()?;
        let reason = reason_of(Some(request.reason.clone()))?
            .ok_or_else(|| Problem::invalid("`reason` says nothing: people decide by it."))?;
        let wanted = wanted(&request)?;
        let who = call.who()?;
        let permit = call.may(&Act::Request(&request.target))?;
        let asking = Asking {
            who,
            target: &request.target,
            wanted: wanted.clone(),
            minutes: request.minutes,
            reason: &reason,
            from: call.from,
        };
        let outcome = call.admin.ports.grants.request(asking).await;
        let details = format!(
            "{} for {} minutes: {reason}",
            wanted.words().join(" "),
            request.minutes
        );
        let record = async |allowed| {
            call.record(
                &who.chain,
                "grant.request",
                &request.target,
                allowed,
                &details,
            )
            .await
        };
        let (approval, besides) = match outcome {
            Ok(Requested::Asked(approval, besides)) => (Some(*approval), besides),
            Ok(Requested::Nothing(besides)) if is_free(&besides) => (None, besides),
            Ok(Requested::Nothing(besides)) => {
                record(false).await?;
                return Err(nothing_to_ask(&besides));
            }
            Ok(Requested::Refused(denial)) => {
                record(false).await?;
                return Err(denial.into());
            }
            Err(failed) => return Err(failed.into()),
        };
        record(true).await?;
        let status = match approval {
            Some(_) => StatusCode::CREATED,
            None => StatusCode::OK,
        };
        let body = RequestedBody {
            approval: approval.as_ref().map(ApprovalBody::from),
            asks_each_time: besides.each_time,
            forbidding: besides.forbidding,
            unpermitted: besides.unpermitted,
        };
        Reply::json(&permit, status, &body)
    })
}

pub(crate) fn list(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let permit = call.anyone()?;
        let found = call.admin.ports.grants.list().await?;
        let grants = found
            .iter()
            .filter(|g| call.may(&Act::EndGrant(g)).is_ok())
            .map(GrantBody::from)
            .collect();
        Reply::json(&permit, StatusCode::OK, &GrantsBody { grants })
    })
}

pub(crate) fn end(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let id: GrantId = call.path("id", "grant")?;
        let request: ReasonRequest = call.json()?;
        let reason = reason_of(request.reason)?.unwrap_or_default();
        let no_such = || Problem::not_found("grant");
        let grants = &call.admin.ports.grants;
        let found = grants.list().await?.into_iter().find(|g| g.id == id);
        let grant = found.ok_or_else(no_such)?;
        let decided = call.must(&Act::EndGrant(&grant), &reason).await;
        // Whoever may not end a grant is not told that there is one.
        let permit = decided.map_err(|problem| match problem.status == 403 {
            true => no_such(),
            false => problem,
        })?;
        if !grants.end(&id).await? {
            return Err(no_such());
        }
        Reply::json(&permit, StatusCode::OK, &DoneBody { done: true })
    })
}

fn wanted(request: &GrantRequest) -> Result<Wanted, Problem> {
    let most = brattice_core::gate::MINUTES_MAX;
    if request.minutes == 0 || request.minutes > most {
        return Err(Problem::invalid(format!(
            "A grant is asked for from 1 to {most} minutes."
        )));
    }
    let mut wanted = Wanted {
        connect: request.connect,
        reveal: request.reveal,
        ..Wanted::default()
    };
    for name in &request.effects {
        let effect = EFFECTS.into_iter().find(|e| e.as_str() == name);
        wanted.effects.insert(effect.ok_or_else(|| {
            Problem::invalid("`effects` are of read, write, destroy, administer and execute.")
        })?);
    }
    if wanted == Wanted::default() {
        return Err(Problem::invalid(
            "Nothing is asked for: name `effects`, `connect` or `reveal`.",
        ));
    }
    Ok(wanted)
}

/// Whether nothing at all stands in the way.
fn is_free(besides: &Ahead) -> bool {
    besides.each_time.is_empty() && besides.forbidding.is_empty() && besides.unpermitted.is_empty()
}

fn nothing_to_ask(besides: &Ahead) -> Problem {
    let mut why = Vec::new();
    if !besides.unpermitted.is_empty() {
        why.push(format!(
            "nothing permits {}",
            besides.unpermitted.join(", ")
        ));
    }
    if !besides.forbidding.is_empty() {
        why.push("rules may forbid it that nothing lifts".to_owned());
    }
    if !besides.each_time.is_empty() {
        why.push("rules ask people for each command, and grant nothing".to_owned());
    }
    let mut problem = Problem::new(
        StatusCode::CONFLICT,
        "nothing_to_ask",
        format!("No grant would help: {}.", why.join("; ")),
    )
    .hint("Send the command: what is held asks people then. For what is forbidden, ask the people who write the policy.");
    let rules = besides.forbidding.iter().chain(&besides.each_time);
    problem.rules = rules.cloned().collect();
    problem
}

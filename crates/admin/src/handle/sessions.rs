//! Sessions: seeing, replaying and cutting them.

use super::{LIMIT_MAX, reason_of};
use crate::body::{
    DoneBody, FrameBody, ReasonRequest, SessionBody, SessionsBody, session_state_named,
};
use crate::call::{Call, Permit, Reply};
use crate::ports::{Act, SessionFilter, SessionView};
use crate::problem::Problem;
use axum::http::StatusCode;
use brattice_core::ids::SessionId;
use brattice_core::ports::BoxFuture;

/// Most bytes of one page of a replay.
const REPLAY_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(crate) fn list(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let permit = call.anyone()?;
        let state = match call.query.get("state") {
            None => None,
            Some(name) => Some(session_state_named(name).ok_or_else(|| {
                Problem::invalid("`state` is none of: live, closed, interrupted, all.")
            })?),
        };
        let limit = call.number("limit", 100, LIMIT_MAX)?;
        let filter = SessionFilter {
            state,
            target: call.query.get("target").cloned(),
            limit: usize::try_from(limit).unwrap_or(0),
        };
        let found = call.admin.ports.sessions.list(&filter).await?;
        let sessions = found
            .iter()
            .filter(|s| may_see(call, s).is_some())
            .map(SessionBody::from)
            .collect();
        Reply::json(&permit, StatusCode::OK, &SessionsBody { sessions })
    })
}

pub(crate) fn get(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let session = find(call).await?;
        let permit = may_see(call, &session).ok_or_else(no_such)?;
        Reply::json(&permit, StatusCode::OK, &SessionBody::from(&session))
    })
}

pub(crate) fn replay(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let session = find(call).await?;
        let from = call.number("from", 0, u64::MAX)?;
        let limit = call.number("limit", 100, LIMIT_MAX)?;
        // The first page stands in the record for the whole replay; what follows is the same looking.
        let permit = if from == 0 {
            hidden(call, &session, call.must(&Act::Replay(&session), "").await)?
        } else {
            hidden(
                call,
                &session,
                call.may(&Act::Replay(&session)).map_err(Problem::from),
            )?
        };
        let limit = usize::try_from(limit).unwrap_or(0);
        let page = call
            .admin
            .ports
            .sessions
            .replay(&session.id, from, limit, REPLAY_BYTES_MAX)
            .await?
            .ok_or_else(|| Problem::not_found("recording"))?;
        Reply::lines(&permit, page.frames.iter().map(FrameBody::from), page.next)
    })
}

pub(crate) fn kill(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let request: ReasonRequest = call.json()?;
        let reason = reason_of(request.reason)?.unwrap_or_default();
        let session = find(call).await?;
        let decided = call.must(&Act::EndSession(&session), &reason).await;
        let permit = hidden(call, &session, decided)?;
        let told = format!("ended by {}", call.who()?.chain.acting);
        if !call.admin.ports.sessions.end(&session.id, &told).await? {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "session_closed",
                "The session is not open.",
            ));
        }
        Reply::json(&permit, StatusCode::OK, &DoneBody { done: true })
    })
}

fn may_see(call: &Call, session: &SessionView) -> Option<Permit> {
    call.may(&Act::ReadSession(session)).ok()
}

/// Whoever may not even see a session is not told that there is one.
pub(super) fn hidden(
    call: &Call,
    session: &SessionView,
    decided: Result<Permit, Problem>,
) -> Result<Permit, Problem> {
    decided.map_err(|problem| {
        let refused = problem.status == StatusCode::FORBIDDEN.as_u16();
        if refused && may_see(call, session).is_none() {
            no_such()
        } else {
            problem
        }
    })
}

pub(super) async fn find(call: &Call) -> Result<SessionView, Problem> {
    let id: SessionId = call.path("id", "session")?;
    call.admin
        .ports
        .sessions
        .get(&id)
        .await?
        .ok_or_else(no_such)
}

fn no_such() -> Problem {
    Problem::not_found("session")
}

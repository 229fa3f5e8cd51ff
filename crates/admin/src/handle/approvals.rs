//! Questions to people: seeing them, and answering them.
//!
//! Whoever is anywhere in the asking chain never answers, whatever policy says; an answer counts only for rules that
//! asked one of the person's groups, and only for the action whose hash it names.

use super::{LIMIT_MAX, reason_of};
use crate::body::{AnswerRequest, ApprovalBody, ApprovalsBody, DecisionRequest, state_named};
use crate::call::{Call, Caller, Permit, Reply};
use crate::ports::{Act, Answered, ApprovalFilter};
use crate::problem::Problem;
use axum::http::StatusCode;
use brattice_core::approval::{Answer, Approval, ApprovalState};
use brattice_core::audit::Event;
use brattice_core::ids::ApprovalId;
use brattice_core::ports::BoxFuture;
use brattice_core::principal::Identity;

pub(crate) fn list(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let permit = call.anyone()?;
        let who = call.who()?;
        let state = match call.query.get("state") {
            None => None,
            Some(name) => Some(
                state_named(name)
                    .ok_or_else(|| Problem::invalid("`state` is none of: pending, approved, denied, consumed, expired, not_run, all."))?,
            ),
        };
        let limit = call.number("limit", 100, LIMIT_MAX)?;
        let filter = ApprovalFilter {
            state,
            target: call.query.get("target").cloned(),
            limit: usize::try_from(limit).unwrap_or(0),
        };
        let found = call.admin.ports.approvals.list(&filter).await?;
        let approvals = found
            .iter()
            .filter(|a| may_see(call, who, a).is_some())
            .map(ApprovalBody::from)
            .collect();
        Reply::json(&permit, StatusCode::OK, &ApprovalsBody { approvals })
    })
}

pub(crate) fn get(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let approval = find(call).await?;
        let permit = may_see(call, call.who()?, &approval).ok_or_else(no_such)?;
        Reply::json(&permit, StatusCode::OK, &ApprovalBody::from(&approval))
    })
}

pub(crate) fn approve(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(answer_by_caller(call, true))
}

pub(crate) fn deny(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(answer_by_caller(call, false))
}

pub(crate) fn decision(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let Caller::Receiver(route) = &call.caller else {
            return Err(Problem::unauthenticated());
        };
        let request: DecisionRequest = call.json()?;
        let yes = match request.decision.as_str() {
            "approve" => true,
            "deny" => false,
            _ => {
                return Err(Problem::invalid(
                    "`decision` is neither \"approve\" nor \"deny\".",
                ));
            }
        };
        let person = call.admin.ports.identities.person(&request.person).await?;
        let Some(person) = person else {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "unknown_person",
                "This person has not signed in at the gateway lately, so their groups are not known.",
            )
            .hint("Have them sign in once, e.g. with `brattice whoami`, and decide again."));
        };
        let approval = find(call).await?;
        let wanted = Wanted {
            yes,
            action: request.action,
            reason: reason_of(request.reason)?,
            via: format!("webhook:{route}"),
        };
        answer(call, &person, approval, wanted).await
    })
}

async fn answer_by_caller(call: &Call, yes: bool) -> Result<Reply, Problem> {
    let who = call.who()?;
    let request: AnswerRequest = call.json()?;
    let approval = find(call).await?;
    let wanted = Wanted {
        yes,
        action: request.action,
        reason: reason_of(request.reason)?,
        via: "api".to_owned(),
    };
    answer(call, who, approval, wanted).await
}

/// An answer as it came in.
struct Wanted {
    yes: bool,
    action: String,
    reason: Option<String>,
    via: String,
}

async fn answer(
    call: &Call,
    who: &Identity,
    approval: Approval,
    wanted: Wanted,
) -> Result<Reply, Problem> {
    let id = approval.question.id.clone();
    let (permit, rules) = match call.decide_answer(who, &approval) {
        Ok(found) => found,
        Err(denial) => {
            call.record(&who.chain, "approve", id.as_str(), false, &wanted.via)
                .await?;
            return Err(if may_see(call, who, &approval).is_some() {
                denial.into()
            } else {
                no_such()
            });
        }
    };
    if wanted.action != approval.question.action.to_string() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "another_action",
            "The hash is not that of the action that is asked about; nothing was answered.",
        )
        .hint("Look at the question again, and name the hash that it shows."));
    }
    if approval.state != ApprovalState::Pending {
        return Err(closed(&approval));
    }
    call.write(Event::ApprovalAnswered {
        approval: id.clone(),
        by: who.chain.acting.to_string(),
        yes: wanted.yes,
        reason: wanted.reason.clone(),
        via: wanted.via.clone(),
    })
    .await?;
    let answer = Answer {
        by: who.chain.acting.clone(),
        yes: wanted.yes,
        rules,
        reason: wanted.reason,
        at: call.admin.ports.clock.now(),
        via: wanted.via,
        from: Some(call.from),
    };
    match call.admin.ports.approvals.answer(&id, answer).await? {
        Some(Answered::Counted(now)) => {
            Reply::json(&permit, StatusCode::OK, &ApprovalBody::from(&now))
        }
        Some(Answered::Closed(now)) => Err(closed(&now)),
        Some(Answered::Twice(_)) => Err(Problem::new(
            StatusCode::CONFLICT,
            "answered_before",
            "You have answered this question before.",
        )),
        None => Err(no_such()),
    }
}

fn may_see(call: &Call, who: &Identity, approval: &Approval) -> Option<Permit> {
    call.decide(who, &Act::ReadApproval(approval))
        .or_else(|_| call.decide_answer(who, approval).map(|(permit, _)| permit))
        .ok()
}

async fn find(call: &Call) -> Result<Approval, Problem> {
    let id: ApprovalId = call.path("id", "question")?;
    call.admin
        .ports
        .approvals
        .get(&id)
        .await?
        .ok_or_else(no_such)
}

fn no_such() -> Problem {
    Problem::not_found("question")
}

fn closed(approval: &Approval) -> Problem {
    let state = crate::body::state_name(approval.state);
    Problem::new(
        StatusCode::CONFLICT,
        "question_closed",
        format!("The question is no longer open: it is {state}."),
    )
}

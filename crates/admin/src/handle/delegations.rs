//! Delegations: a person lets an agent act for them, sees what stands, and ends it.

use super::reason_of;
use crate::body::{
    DelegatedBody, DelegationBody, DelegationRequest, DelegationsBody, DoneBody, ReasonRequest,
};
use crate::call::{Call, Reply};
use crate::ports::{Act, Delegate, Delegated};
use crate::problem::Problem;
use axum::http::StatusCode;
use brattice_core::delegation::Delegation;
use brattice_core::ids::DelegationId;
use brattice_core::ports::BoxFuture;
use brattice_core::principal::{Principal, PrincipalKind};
use brattice_core::scope::Scope;
use std::collections::BTreeSet;
use std::time::Duration;

pub(crate) fn create(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let request: DelegationRequest = call.json()?;
        let reason = reason_of(Some(request.reason.clone()))?
            .ok_or_else(|| Problem::invalid("`reason` says nothing."))?;
        let agent = agent(&request.to)?;
        let scope = scope(&request)?;
        let most = call.admin.settings.delegation_lifetime_max;
        let lifetime = Duration::from_secs(request.seconds);
        if lifetime.is_zero() || lifetime > most {
            return Err(Problem::invalid(format!(
                "A delegation lasts for {} seconds at most, and for one at least.",
                most.as_secs()
            ))
            .hint("`limits.delegation_lifetime_max` says how long."));
        }
        let details = format!("{scope} for {} s: {reason}", request.seconds);
        let permit = call.must(&Act::Delegate(&agent), &details).await?;
        let identities = &call.admin.ports.identities;
        let seen = identities
            .seen(agent.kind, &agent.issuer, &agent.name)
            .await?;
        let wish = Delegate {
            who: call.who()?,
            agent,
            scope,
            lifetime,
            reason: &reason,
        };
        let given = match call.admin.ports.delegations.delegate(wish).await? {
            Delegated::Given(given) => given,
            Delegated::Refused(why) => {
                return Err(Problem::new(
                    StatusCode::CONFLICT,
                    "not_delegated",
                    format!("Nothing was delegated: {why}."),
                ));
            }
        };
        let body = DelegatedBody {
            delegation: DelegationBody::from(&given),
            agent_known: seen.is_some(),
        };
        Reply::json(&permit, StatusCode::CREATED, &body)
    })
}

pub(crate) fn list(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let permit = call.anyone()?;
        let mut delegations = Vec::new();
        for d in call.admin.ports.delegations.list().await? {
            if may_see(call, &d)? {
                delegations.push(DelegationBody::from(&d));
            }
        }
        Reply::json(&permit, StatusCode::OK, &DelegationsBody { delegations })
    })
}

pub(crate) fn end(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let id: DelegationId = call.path("id", "delegation")?;
        let request: ReasonRequest = call.json()?;
        let reason = reason_of(request.reason)?.unwrap_or_default();
        let no_such = || Problem::not_found("delegation");
        let delegations = &call.admin.ports.delegations;
        let found = delegations.list().await?.into_iter().find(|d| d.id == id);
        let given = found.ok_or_else(no_such)?;
        let decided = call.must(&Act::EndDelegation(&given), &reason).await;
        // Whoever may not end one is not told that there is one.
        let permit = decided.map_err(|problem| match problem.status == 403 {
            true => no_such(),
            false => problem,
        })?;
        if !delegations.end(&id).await? {
            return Err(no_such());
        }
        Reply::json(&permit, StatusCode::OK, &DoneBody { done: true })
    })
}

/// Whose it is, whom it is for, and whoever may end it.
fn may_see(call: &Call, given: &Delegation) -> Result<bool, Problem> {
    let who = call.who()?;
    let alone = who.chain.on_behalf_of.is_empty() && who.lineage.is_empty();
    let own = alone && who.chain.acting.is_same(&given.agent);
    Ok(own || call.may(&Act::EndDelegation(given)).is_ok())
}

fn agent(id: &str) -> Result<Principal, Problem> {
    let parts = id.split_once('/');
    let (issuer, name) = parts
        .filter(|(issuer, name)| !issuer.is_empty() && !name.is_empty() && *name != "*")
        .ok_or_else(|| Problem::invalid("`to` is not of the form issuer/name."))?;
    Ok(Principal {
        kind: PrincipalKind::Agent,
        issuer: issuer.to_owned(),
        name: name.to_owned(),
        groups: BTreeSet::new(),
    })
}

/// What is delegated is said: no target and no effect is meant by leaving them out, and no class is seen unmasked.
fn scope(request: &DelegationRequest) -> Result<Scope, Problem> {
    if request.targets.is_empty() || request.effects.is_empty() {
        return Err(Problem::invalid(
            "Name at least one of `targets` and one of `effects`.",
        ));
    }
    let named = |prefix: &str, names: &[String]| -> Vec<String> {
        names.iter().map(|n| format!("{prefix}{n}")).collect()
    };
    let words = [
        named("target:", &request.targets),
        named("class:", &request.classes),
        request.effects.clone(),
    ]
    .concat();
    if words.iter().any(|w| w.contains(' ')) {
        return Err(Problem::invalid("A name has a blank in it."));
    }
    let scope = Scope::parse(&words.join(" ")).map_err(|why| Problem::invalid(why.to_string()))?;
    if !scope.budgets.is_empty() {
        return Err(Problem::invalid(
            "A delegation has no budget; the tokens that come of it may have one.",
        ));
    }
    let classes = scope.classes.unwrap_or_default();
    if scope.targets.is_none() || scope.effects.is_none() {
        return Err(Problem::invalid(
            "Name at least one of `targets` and one of `effects`.",
        ));
    }
    Ok(Scope {
        classes: Some(classes),
        ..scope
    })
}

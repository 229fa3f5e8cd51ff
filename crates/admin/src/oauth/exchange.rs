//! Trading a token for a narrower one (RFC 8693).
//!
//! Lives here: the form of the request and of the answer. Never: what may be had for what; the token that is traded is the
//! proof.

use super::form::{No, Parameters, one, only};
use super::{ACCESS_TOKEN, DELEGATION, LIFETIME};
use crate::call::Admin;
use crate::ports::{Exchange, ExchangeRefused};
use axum::http::StatusCode;
use brattice_core::audit::Event;
use brattice_core::ids::DelegationId;
use brattice_core::ports::AuthError;
use brattice_core::principal::Identity;
use brattice_core::scope::Scope;
use brattice_core::secret::Secret;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;

const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Trades.
pub(super) async fn trade(admin: &Admin, form: &Parameters, from: IpAddr) -> Result<Value, No> {
    let asked = Form::read(form)?;
    let actor = match &asked.actor {
        Some(token) => Some(prove(admin, token, from).await?),
        None => None,
    };
    let subject = match &asked.subject {
        Subject::Token(token) => prove(admin, token, from).await?,
        Subject::Delegation(id) => delegated(admin, id, actor.as_ref()).await?,
    };
    let most = admin.settings.own_token_lifetime_max;
    let exchange = Exchange {
        scope: asked.scope,
        worker: asked.worker,
        lifetime: asked.lifetime.unwrap_or(LIFETIME).min(most),
    };
    let by = actor.as_ref().unwrap_or(&subject);
    let tokens = &admin.ports.tokens;
    let issued = match tokens.exchange(&subject, actor.as_ref(), exchange) {
        Ok(issued) => issued,
        Err(why) => {
            let no = match why {
                ExchangeRefused::Scope(why) => No::new("invalid_scope", why),
                ExchangeRefused::Request(why) => No::new("invalid_request", why),
                ExchangeRefused::Grant(why) => No::new("invalid_grant", why),
                ExchangeRefused::Failed(why) => {
                    tracing::error!(%why, "a token could not be issued");
                    No::unavailable()
                }
            };
            // Who asks for more than it has is on record, as every refusal of somebody known is.
            record(admin, by, None, format!("{}: {}", no.error, no.why)).await?;
            return Err(no);
        }
    };
    let now = admin.ports.clock.now();
    let identity = &issued.identity;
    let details = format!(
        "for {}; scope `{}`; until {}; from {}",
        identity.chain,
        identity.scope,
        identity.expires_at,
        identity.lineage.join(" ")
    );
    record(admin, by, Some(identity), details).await?;
    Ok(json!({
        "access_token": issued.token.expose_str().unwrap_or_default(),
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": identity.expires_at.since(now).as_secs(),
        "scope": identity.scope.to_string(),
    }))
}

/// The person behind a delegation, as the agent that proved itself may act for them.
async fn delegated(
    admin: &Admin,
    id: &DelegationId,
    actor: Option<&Identity>,
) -> Result<Identity, No> {
    let Some(actor) = actor else {
        let why = "A delegation is traded together with the agent's own token, as `actor_token`.";
        return Err(No::new("invalid_request", why));
    };
    let subject = admin.ports.delegations.subject(id, actor).await;
    let subject = subject.map_err(|why| {
        tracing::error!(%why, "a delegation could not be looked at");
        No::unavailable()
    })?;
    match subject {
        Some(subject) => Ok(subject),
        None => {
            // The same words for another's, an ended one, and none.
            let no = No::new(
                "invalid_grant",
                "The delegation is not good for this agent, or no longer; perhaps the person has to sign in again.",
            );
            record(admin, actor, None, format!("{}: delegation {id}", no.error)).await?;
            Err(no)
        }
    }
}

/// Puts on record who got which token, or none. What cannot be recorded is not given.
async fn record(
    admin: &Admin,
    by: &Identity,
    issued: Option<&Identity>,
    details: String,
) -> Result<(), No> {
    let event = Event::Administered {
        by: by.chain.to_string(),
        act: "token.exchange".to_owned(),
        object: issued.and_then(|i| i.token_id.clone()).unwrap_or_default(),
        allowed: issued.is_some(),
        details,
    };
    admin.ports.recorder.write(event).await.map_err(|why| {
        tracing::error!(%why, "the exchange of a token could not be recorded, and none was given");
        No::unavailable()
    })
}

/// Who the holder of a token is.
pub(super) async fn prove(admin: &Admin, token: &Secret, from: IpAddr) -> Result<Identity, No> {
    let (authenticator, source) = (&admin.ports.authenticator, from.to_string());
    let proven = authenticator.verify_token(token, &source).await;
    proven.map_err(|why| match why {
        AuthError::Rejected(why) => {
            tracing::info!(%why, "a token was not traded");
            No::new("invalid_grant", "The token is not good here, or no longer.")
        }
        AuthError::Throttled => No {
            status: StatusCode::TOO_MANY_REQUESTS,
            ..No::new("invalid_grant", "Too many attempts from this address.")
        },
        AuthError::Unavailable(why) => {
            tracing::warn!(%why, "a token could not be checked");
            No::unavailable()
        }
    })
}

/// Whom the new token would speak for.
enum Subject {
    Token(Secret),
    Delegation(DelegationId),
}

/// What a form asks for.
struct Form {
    subject: Subject,
    actor: Option<Secret>,
    scope: Scope,
    worker: Option<String>,
    lifetime: Option<Duration>,
}

impl Form {
    fn read(form: &Parameters) -> Result<Self, No> {
        const KNOWN: [&str; 10] = [
            "grant_type",
            "subject_token",
            "subject_token_type",
            "actor_token",
            "actor_token_type",
            "requested_token_type",
            "audience",
            "scope",
            "worker",
            "lifetime",
        ];
        only(form, &KNOWN)?;
        let missing = || No::new("invalid_request", "`subject_token` is missing.");
        let subject = if one(form, "subject_token_type")? == Some(DELEGATION) {
            let id = one(form, "subject_token")?.ok_or_else(missing)?;
            let id = id.trim().parse();
            Subject::Delegation(id.map_err(|_| {
                No::new(
                    "invalid_request",
                    "`subject_token` is not the id of a delegation.",
                )
            })?)
        } else {
            let token = typed(form, "subject_token", "subject_token_type")?;
            Subject::Token(token.ok_or_else(missing)?)
        };
        if !matches!(
            one(form, "requested_token_type")?,
            None | Some(ACCESS_TOKEN | JWT)
        ) {
            return Err(No::new("invalid_request", "Only access tokens are given."));
        }
        let mut scope = one(form, "scope")?.unwrap_or_default().to_owned();
        // A target is named as an audience too (RFC 8693, section 2.1).
        for target in form.get("audience").into_iter().flatten() {
            if target.contains(' ') {
                return Err(No::new(
                    "invalid_target",
                    "`audience` is the name of one target.",
                ));
            }
            scope.push_str(&format!(" target:{target}"));
        }
        let scope =
            Scope::parse(&scope).map_err(|why| No::new("invalid_scope", why.to_string()))?;
        let lifetime = one(form, "lifetime")?
            .map(|text| {
                text.parse()
                    .ok()
                    .filter(|s| *s > 0)
                    .map(Duration::from_secs)
            })
            .map(|life| {
                life.ok_or_else(|| No::new("invalid_request", "`lifetime` is a number of seconds."))
            })
            .transpose()?;
        Ok(Self {
            subject,
            actor: typed(form, "actor_token", "actor_token_type")?,
            scope,
            worker: one(form, "worker")?.map(str::to_owned),
            lifetime,
        })
    }
}

/// A token beside its type; one is not there without the other.
fn typed(form: &Parameters, token: &str, kind: &str) -> Result<Option<Secret>, No> {
    match (one(form, token)?, one(form, kind)?) {
        (None, None) => Ok(None),
        // A file that holds a token ends in a line feed.
        (Some(token), Some(ACCESS_TOKEN | JWT)) => Ok(Some(Secret::new(token.trim().as_bytes()))),
        (Some(_), Some(_)) => Err(No::new(
            "invalid_request",
            format!("`{kind}` must be {ACCESS_TOKEN} or {JWT}."),
        )),
        _ => Err(No::new(
            "invalid_request",
            format!("`{token}` and `{kind}` are given together."),
        )),
    }
}

//! Trading a token for a narrower one (RFC 8693).
//!
//! Lives here: the form of the request and of the answer. Never: what may be had for what; the token that is traded is the
//! proof.

use super::form::{No, Parameters, one, only};
use super::{ACCESS_TOKEN, DELEGATION, LIFETIME, X509_SVID};
use crate::call::Admin;
use crate::ports::{Exchange, ExchangeRefused};
use crate::proof::{Shown, notice};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_core::audit::Event;
use brattice_core::ids::{DelegationId, Digest};
use brattice_core::ports::AuthError;
use brattice_core::principal::Identity;
use brattice_core::scope::Scope;
use brattice_core::secret::Secret;
use brattice_core::sender::{Binding, Missing};
use serde_json::{Value, json};
use std::time::Duration;

const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Trades.
pub(super) async fn trade(admin: &Admin, form: &Parameters, asker: &Shown) -> Result<Value, No> {
    let asked = Form::read(form)?;
    let actor = match &asked.actor {
        Some(actor) => Some(actor.prove(admin, asker).await?),
        None => None,
    };
    let subject = match &asked.subject {
        Subject::Proof(subject) => subject.prove(admin, asker).await?,
        Subject::Delegation(id) => delegated(admin, id, actor.as_ref()).await?,
    };
    let most = admin.settings.own_token_lifetime_max;
    let exchange = Exchange {
        scope: asked.scope,
        worker: asked.worker,
        lifetime: asked.lifetime.unwrap_or(LIFETIME).min(most),
        binding: asked.binding.unwrap_or_else(|| asker.sender.binding()),
    };
    let by = actor.as_ref().unwrap_or(&subject);
    if let Err(why) = asker.use_up(admin) {
        let no = No::from(why);
        record(admin, by, None, format!("{}: {}", no.error, no.why)).await?;
        return Err(no);
    }
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
        "token_type": token_type(identity),
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
pub(super) async fn prove(admin: &Admin, token: &Secret, asker: &Shown) -> Result<Identity, No> {
    let (authenticator, source) = (&admin.ports.authenticator, asker.from.to_string());
    let proven = authenticator.verify_token(token, &asker.sender, &source);
    let identity = proven.await.map_err(not_proven)?;
    notice(admin, &identity, asker.from)
        .await
        .map_err(|_| No::unavailable())?;
    Ok(identity)
}

fn not_proven(why: AuthError) -> No {
    match why {
        AuthError::Rejected(why) => {
            tracing::info!(%why, "a token was not traded");
            No::new("invalid_grant", "The token is not good here, or no longer.")
        }
        AuthError::Unheld(missing) => {
            tracing::warn!(%missing, "a bound token came to be traded without what it is bound to");
            let why = match missing {
                Missing::Certificate => {
                    "The token is bound to a client certificate, and the connection does not show it."
                }
                Missing::Key => {
                    "The token is bound to a key, and the request has no DPoP proof by it."
                }
            };
            No::new("invalid_grant", why)
        }
        AuthError::Throttled => No {
            status: StatusCode::TOO_MANY_REQUESTS,
            ..No::new("invalid_grant", "Too many attempts from this address.")
        },
        AuthError::Unavailable(why) => {
            tracing::warn!(%why, "a token could not be checked");
            No::unavailable()
        }
    }
}

/// How a token is sent (RFC 6750, RFC 9449, section 5).
pub(super) fn token_type(identity: &Identity) -> &'static str {
    match identity.binding.key {
        Some(_) => "DPoP",
        None => "Bearer",
    }
}

/// What proves somebody.
enum Proof {
    Token(Secret),
    /// The connection's certificate, which must name this workload.
    Certificate(String),
}

impl Proof {
    async fn prove(&self, admin: &Admin, asker: &Shown) -> Result<Identity, No> {
        let id = match self {
            Self::Token(token) => return prove(admin, token, asker).await,
            Self::Certificate(id) => id,
        };
        let Some(certificate) = &asker.sender.certificate else {
            let why = "The connection shows no client certificate.";
            return Err(No::new("invalid_grant", why));
        };
        let source = asker.from.to_string();
        let authenticator = &admin.ports.authenticator;
        let proven = authenticator.verify_certificate(certificate, &source).await;
        let proven = proven.map_err(not_proven)?;
        if proven.chain.acting.name == *id {
            Ok(proven)
        } else {
            let why = "The connection's certificate is another workload's.";
            Err(No::new("invalid_grant", why))
        }
    }
}

/// Whom the new token would speak for.
enum Subject {
    Proof(Proof),
    Delegation(DelegationId),
}

/// What a form asks for.
struct Form {
    subject: Subject,
    actor: Option<Proof>,
    scope: Scope,
    worker: Option<String>,
    lifetime: Option<Duration>,
    /// What the new token is bound to, where its sender says so.
    binding: Option<Binding>,
}

impl Form {
    fn read(form: &Parameters) -> Result<Self, No> {
        const KNOWN: [&str; 11] = [
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
            "bind_to",
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
            Subject::Proof(token.ok_or_else(missing)?)
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
            binding: one(form, "bind_to")?.map(binding_of).transpose()?,
        })
    }
}

/// A token beside its type; one is not there without the other.
fn typed(form: &Parameters, token: &str, kind: &str) -> Result<Option<Proof>, No> {
    match (one(form, token)?, one(form, kind)?) {
        (None, None) => Ok(None),
        // A file that holds a token ends in a line feed.
        (Some(token), Some(ACCESS_TOKEN | JWT)) => {
            Ok(Some(Proof::Token(Secret::new(token.trim().as_bytes()))))
        }
        (Some(id), Some(X509_SVID)) => Ok(Some(Proof::Certificate(id.to_owned()))),
        (Some(_), Some(_)) => Err(No::new(
            "invalid_request",
            format!("`{kind}` must be {ACCESS_TOKEN}, {JWT} or {X509_SVID}."),
        )),
        _ => Err(No::new(
            "invalid_request",
            format!("`{token}` and `{kind}` are given together."),
        )),
    }
}

/// What a token is to be bound to: `jkt:` or `x5t#S256:`, and the digest as JOSE spells it. Whoever may trade a token may
/// give it to another's hands, and to those alone.
fn binding_of(text: &str) -> Result<Binding, No> {
    let digest = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Digest(bytes.try_into().ok()?))
    };
    let binding = match text.split_once(':') {
        Some(("jkt", thumbprint)) => digest(thumbprint).map(Binding::key),
        Some(("x5t#S256", thumbprint)) => digest(thumbprint).map(Binding::certificate),
        _ => None,
    };
    binding.ok_or_else(|| {
        let why = "`bind_to` is jkt:THUMBPRINT or x5t#S256:THUMBPRINT.";
        No::new("invalid_request", why)
    })
}

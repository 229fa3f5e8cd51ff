//! What may be had for a token: the same chain or a longer one, with at most the same scope, for at most the same time.
//!
//! Lives here: the rules of the exchange (RFC 8693, sections 2.1 and 2.2). Never: tokens' form, who asks by what protocol.
//!
//! Nothing is permitted here. Every link of a chain is judged by the rules at every command, so that a longer chain can do
//! less and never more; and whoever holds a token could use it itself.

use super::token::worker;
use crate::text::is_plain_name;
use brattice_core::ports::{Randomness, RecordFailed};
use brattice_core::principal::{Chain, Identity, LoginBy, OWN_ISSUER, PrincipalKind};
use brattice_core::scope::{Scope, ScopeRefused};
use brattice_core::sender::Binding;
use brattice_core::time::Timestamp;
use std::time::Duration;

/// The longest chain.
const ACTORS_MAX: usize = 8;
/// The longest name of a worker.
const WORKER_BYTES_MAX: usize = 64;
/// Random bytes of a token's id.
const ID_BYTES: usize = 16;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// At most this.
    pub scope: Scope,
    /// For a worker of whoever acts, by this name.
    pub worker: Option<String>,
    /// For at most so long. A fraction of a second is cut off.
    pub lifetime: Duration,
    /// Bound to this.
    pub binding: Binding,
}

/// Why it is not given. The names are those of RFC 6749, section 5.2, and RFC 8693, section 2.2.2.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// `invalid_scope`.
    #[error(transparent)]
    Scope(#[from] ScopeRefused),
    /// `invalid_request`.
    #[error("{0}")]
    Request(&'static str),
    /// `invalid_grant`.
    #[error("{0}")]
    Grant(&'static str),
    /// No token id could be made.
    #[error("no token id could be made")]
    Randomness(#[source] RecordFailed),
}

/// The identity that a new token would prove. `actor` acts for `subject` from now on, where it is given.
pub fn exchange(
    subject: &Identity,
    actor: Option<&Identity>,
    asked: Asked,
    now: Timestamp,
    randomness: &dyn Randomness,
) -> Result<Identity, Refused> {
    let proofs = || std::iter::once(subject).chain(actor);
    if proofs().any(|p| p.by == LoginBy::Minted || p.credential.is_some()) {
        return Err(Refused::Grant(
            "a minted credential is not traded for a token",
        ));
    }
    if proofs().any(|p| p.expires_at <= now) {
        return Err(Refused::Grant("the token has ended"));
    }
    // What was bound never becomes what counts in any hands.
    if !asked.binding.is_any() && proofs().any(|p| p.binding.is_any()) {
        return Err(Refused::Request(
            "a bound token is traded for a bound one alone",
        ));
    }
    let mut chain = match actor {
        None => subject.chain.clone(),
        Some(actor) => joined(&actor.chain, &subject.chain)?,
    };
    if let Some(name) = &asked.worker {
        chain = with_worker(chain, name)?;
    }
    if chain.actors().count() > ACTORS_MAX {
        return Err(Refused::Grant(
            "the chain of those who act for each other is too long",
        ));
    }
    let most = actor.map_or_else(|| subject.scope.clone(), |a| a.scope.both(&subject.scope));
    let scope = asked.scope.within(&most)?;
    let last = proofs().map(|p| p.expires_at).min().unwrap_or(now);
    let expires_at = now.plus(asked.lifetime).min(last);
    // Tokens speak of whole seconds.
    let expires_at = Timestamp::from_seconds(expires_at.seconds());
    if expires_at <= now {
        return Err(Refused::Request(
            "it would end before it begins; ask for a longer life",
        ));
    }
    let mut id = [0; ID_BYTES];
    randomness.fill(&mut id).map_err(Refused::Randomness)?;
    let id = hex::encode(id);
    // An older proof is a weaker one.
    let oldest = proofs()
        .min_by_key(|p| p.authenticated_at)
        .unwrap_or(subject);
    Ok(Identity {
        chain,
        by: oldest.by,
        mfa: proofs().all(|p| p.mfa),
        binding: asked.binding,
        authenticated_at: Timestamp::from_seconds(oldest.authenticated_at.seconds()),
        expires_at,
        scope: scope.given_to(&id),
        token_id: Some(id),
        credential: None,
        lineage: proofs().flat_map(Identity::roots).cloned().collect(),
        sign_in: None,
    })
}

/// Those of the first act for those of the second.
fn joined(actor: &Chain, subject: &Chain) -> Result<Chain, Refused> {
    if actor.acting.kind != PrincipalKind::Agent {
        return Err(Refused::Grant("only an agent acts for somebody"));
    }
    if actor.actors().any(|a| subject.includes(a)) {
        return Err(Refused::Grant("nobody acts for themselves"));
    }
    Ok(Chain {
        acting: actor.acting.clone(),
        on_behalf_of: actor
            .on_behalf_of
            .iter()
            .chain(subject.actors())
            .cloned()
            .collect(),
    })
}

fn with_worker(chain: Chain, name: &str) -> Result<Chain, Refused> {
    let plain = is_plain_name(name) && name.len() <= WORKER_BYTES_MAX && !name.contains('/');
    if !plain {
        return Err(Refused::Request(
            "a worker's name is plain text of at most 64 bytes without a slash",
        ));
    }
    if chain.acting.kind != PrincipalKind::Agent {
        return Err(Refused::Grant(
            "only an agent has workers; a person gives an agent its token",
        ));
    }
    let acting = worker(&chain.acting, name);
    let on_behalf_of = chain.actors().cloned().collect();
    debug_assert_eq!(acting.issuer, OWN_ISSUER);
    Ok(Chain {
        acting,
        on_behalf_of,
    })
}

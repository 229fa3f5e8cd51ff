//! What Brattice's own tokens say.
//!
//! Lives here: identity to claims and back (RFC 9068; RFC 8693, section 4.1), signed and checked with the ring's keys.
//! Never: what may be had for what.

use super::ring::Ring;
use super::signer::NoKey;
use crate::oidc::TOKEN_BYTES_MAX;
use crate::oidc::{confirmation, token};
use arc_swap::ArcSwap;
use brattice_core::principal::{Chain, Identity, LoginBy, OWN_ISSUER, Principal, PrincipalKind};
use brattice_core::scope::Scope;
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The claim that holds the identity, whole; the standard ones beside it say the same to others.
const CLAIM: &str = "brattice";

/// A token at the moment of its making.
#[derive(Debug)]
pub struct Issued {
    /// The token, for its holder alone.
    pub token: Secret,
    /// What it proves.
    pub identity: Identity,
}

/// The makers and readers of tokens of one issuer.
pub struct OwnTokens {
    /// The issuer: the gateway's public address.
    issuer: String,
    ring: ArcSwap<Ring>,
}

impl OwnTokens {
    /// Tokens of this issuer, by these keys.
    pub fn new(issuer: String, ring: Ring) -> Self {
        Self {
            issuer,
            ring: ArcSwap::from_pointee(ring),
        }
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The keys in use.
    pub fn ring(&self) -> Arc<Ring> {
        self.ring.load_full()
    }

    /// Takes other keys into use.
    pub fn turn(&self, ring: Ring) {
        self.ring.store(Arc::new(ring));
    }

    /// Signs a token that proves this identity.
    ///
    /// # Errors
    /// When it cannot be signed, or would be longer than a token may be.
    pub fn issue(&self, identity: Identity, now: Timestamp) -> Result<Issued, NoKey> {
        let token = self
            .ring
            .load()
            .signer()?
            .sign(&self.claims(&identity, now))?;
        if token.expose().len() > TOKEN_BYTES_MAX {
            return Err(NoKey::TooLong);
        }
        Ok(Issued { token, identity })
    }

    fn claims(&self, identity: &Identity, now: Timestamp) -> Value {
        let chain = &identity.chain;
        let subject = chain.on_behalf_of.last().unwrap_or(&chain.acting);
        let mut claims = json!({
            "iss": self.issuer,
            "aud": [self.issuer],
            "sub": subject.id(),
            "client_id": chain.acting.id(),
            "iat": now.seconds(),
            "exp": identity.expires_at.seconds(),
            "auth_time": identity.authenticated_at.seconds(),
            "jti": identity.token_id,
            "scope": identity.scope.to_string(),
            CLAIM: Whole::of(identity),
        });
        // Nested from the inside: whoever acted first stands deepest.
        let actors = chain
            .actors()
            .take(chain.on_behalf_of.len())
            .collect::<Vec<_>>();
        let act = actors
            .iter()
            .rev()
            .fold(None, |inner: Option<Value>, actor| {
                let mut act = json!({ "sub": actor.id() });
                if let (Some(inner), Some(object)) = (inner, act.as_object_mut()) {
                    object.insert("act".to_owned(), inner);
                }
                Some(act)
            });
        let cnf = confirmation::claim_of(&identity.binding);
        if let Some(object) = claims.as_object_mut() {
            object.extend(act.map(|act| ("act".to_owned(), act)));
            object.extend(cnf.map(|cnf| (confirmation::CLAIM.to_owned(), cnf)));
        }
        claims
    }

    /// Whether somebody says that this is a token of ours. Nothing is checked.
    pub fn claims_to_be(&self, token: &Secret) -> bool {
        let said = token.expose_str().and_then(token::parts);
        said.is_some_and(|t| t.claims.get("iss").and_then(Value::as_str) == Some(&self.issuer))
    }

    /// What a token of ours proves now; `None` when it is none, or was changed, or has ended.
    pub fn read(&self, token: &Secret, now: Timestamp) -> Option<Identity> {
        let unverified = token::parts(token.expose_str()?)?;
        let ring = self.ring.load();
        let key = ring.find(&unverified.kid)?;
        if unverified.algorithm.to_string() != "ES256"
            || unverified.typ.as_deref() != Some("at+jwt")
            || !key.signed(unverified.signed, unverified.signature)
        {
            return None;
        }
        self.identity(unverified.claims)
            .filter(|i| now < i.expires_at)
    }

    fn identity(&self, mut claims: Map<String, Value>) -> Option<Identity> {
        let seconds = |name: &str| claims.get(name)?.as_i64().map(Timestamp::from_seconds);
        let ours = claims.get("iss")?.as_str()? == self.issuer
            && claims.get("aud")?.as_array()? == &[Value::from(self.issuer.as_str())];
        let (authenticated_at, expires_at) = (seconds("auth_time")?, seconds("exp")?);
        let token_id = claims.get("jti")?.as_str()?.to_owned();
        let whole: Whole = serde_json::from_value(claims.remove(CLAIM)?).ok()?;
        let mut chain = whole.chain.into_iter();
        let identity = Identity {
            chain: Chain {
                acting: chain.next()?,
                on_behalf_of: chain.collect(),
            },
            by: whole.by,
            mfa: whole.mfa,
            binding: confirmation::binding_of(&claims).ok()?,
            authenticated_at,
            expires_at,
            token_id: Some(token_id),
            credential: None,
            scope: whole.scope,
            lineage: whole.lineage,
            sign_in: whole.sign_in,
        };
        ours.then_some(identity)
    }
}

/// An identity within a token.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    /// Who acts, then those it acts for, nearest first.
    chain: Vec<Principal>,
    by: LoginBy,
    mfa: bool,
    scope: Scope,
    lineage: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sign_in: Option<String>,
}

impl Whole {
    fn of(identity: &Identity) -> Self {
        Self {
            chain: identity.chain.actors().cloned().collect(),
            by: identity.by,
            mfa: identity.mfa,
            scope: identity.scope.clone(),
            lineage: identity.lineage.clone(),
            sign_in: identity.sign_in.clone(),
        }
    }
}

/// A worker of somebody: an agent that exists by delegation alone.
pub(super) fn worker(parent: &Principal, name: &str) -> Principal {
    Principal {
        kind: PrincipalKind::Agent,
        issuer: OWN_ISSUER.to_owned(),
        // A slash in a provider's subject is no step of a chain.
        name: if parent.issuer == OWN_ISSUER {
            format!("{}/{name}", parent.name)
        } else {
            let subject = parent.name.replace('%', "%25").replace('/', "%2F");
            format!("{}/{subject}/{name}", parent.issuer)
        },
        groups: parent.groups.clone(),
    }
}

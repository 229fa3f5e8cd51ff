//! Proof of identity by OpenID Connect access tokens.
//!
//! Lives here: the order in which a token is checked, the providers that are configured now. Never: sessions,
//! policy, storage; and no token, nor any part of one, in an error or a log.

mod algorithm;
mod claims;
pub(crate) mod config;
pub(crate) mod confirmation;
mod fetch;
pub(crate) mod json;
pub(crate) mod jwks;
mod keys;
mod mapping;
mod party;
mod people;
mod refusal;
pub(crate) mod token;
mod verified;

pub use algorithm::{NotAnAlgorithm, SigningAlgorithm};
pub use config::{ClientConfig, ConfigProblem, IssuerConfig};
pub use mapping::{ClaimIs, ClaimLike, ClaimMap, ClaimPath, GroupRule, KindRule};
pub use party::{SignInFailed, SignInRequest, SignedIn};
pub use token::TOKEN_BYTES_MAX;

use crate::throttle::{Throttle, ThrottleLimits};
use arc_swap::ArcSwap;
use brattice_core::ids::{CredentialId, Digest};
use brattice_core::ports::{AuthError, Authenticator, BoxFuture, MintedCredential, StoreError};
use brattice_core::principal::OWN_ISSUER;
use brattice_core::principal::{Chain, Identity, LoginBy};
use brattice_core::scope::Scope;
use brattice_core::secret::Secret;
use brattice_core::sender::Sender;
use brattice_core::time::{Clock, Latest, Timestamp};
use jwks::VerifyKey;
use keys::{Keys, Lookup};
use party::Party;
use refusal::Refusal;
use std::sync::Arc;
use std::time::Duration;
use verified::{Proof, Verified};

/// The clock went back by more than this: say so.
const CLOCK_BACK_TOLERATED: Duration = Duration::from_secs(1);

/// Where minted credentials are kept.
pub trait MintedLookup: Send + Sync {
    /// The credential of this id that was neither revoked nor expired; `None` if there is none.
    fn minted<'a>(
        &'a self,
        id: &'a CredentialId,
    ) -> BoxFuture<'a, Result<Option<MintedCredential>, StoreError>>;
    /// Marks one as used: true for exactly one caller, ever.
    fn spend<'a>(&'a self, id: &'a CredentialId) -> BoxFuture<'a, Result<bool, StoreError>>;
}

/// A provider whose proofs are checked elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Its short name in the bundle.
    pub name: String,
    /// Whether tokens given on its word count in the hands alone that they are bound to.
    pub binding_required: bool,
}

/// Why an [`Oidc`] could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// Settings that cannot be; all of them.
    #[error("identity providers: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Settings(Vec<ConfigProblem>),
    /// The HTTP client of a provider could not be made.
    #[error("cannot prepare to ask identity provider `{issuer}`")]
    Client {
        /// The provider's name.
        issuer: String,
        /// The cause.
        #[source]
        cause: reqwest::Error,
    },
}

/// Verifies access tokens of any number of providers.
pub struct Oidc {
    providers: ArcSwap<Providers>,
    /// Providers whose people and workloads prove themselves otherwise.
    beside: ArcSwap<Vec<Beside>>,
    minted: Arc<dyn MintedLookup>,
    clock: Arc<dyn Clock>,
    /// The latest time seen: a clock that steps back brings no expired token back.
    latest: Latest,
    throttle: Throttle,
}

struct Providers {
    list: Vec<Provider>,
    verified: Verified,
}

#[derive(Clone)]
struct Provider {
    config: Arc<IssuerConfig>,
    keys: Arc<Keys>,
    /// Where people sign in by it.
    party: Option<Arc<Party>>,
}

impl Oidc {
    /// Checks the settings, all of them before saying what is wrong. Nothing is fetched until a token comes.
    pub fn new(
        configs: Vec<IssuerConfig>,
        minted: Arc<dyn MintedLookup>,
        clock: Arc<dyn Clock>,
        limits: ThrottleLimits,
    ) -> Result<Self, OidcError> {
        let list = providers(configs, &[])?;
        Ok(Self {
            providers: ArcSwap::from_pointee(Providers {
                list,
                verified: Verified::default(),
            }),
            beside: ArcSwap::default(),
            minted,
            clock,
            latest: Latest::new(Timestamp(i64::MIN)),
            throttle: Throttle::new(limits),
        })
    }

    /// Takes new settings, whole or not at all. Every token is verified anew; a provider whose settings did not
    /// change keeps its keys.
    pub fn reconfigure(&self, configs: Vec<IssuerConfig>) -> Result<(), OidcError> {
        let list = providers(configs, &self.providers.load().list)?;
        self.providers.store(Arc::new(Providers {
            list,
            verified: Verified::default(),
        }));
        Ok(())
    }

    /// Takes the providers whose proofs are checked elsewhere: what was given on their word counts, too.
    pub fn know_beside(&self, providers: Vec<Beside>) {
        self.beside.store(Arc::new(providers));
    }

    /// Forgets which tokens were verified, as after a revocation.
    pub fn forget_verified(&self) {
        self.providers.load().verified.clear();
    }

    /// The count of failures by source, for proofs that others check (SCRAM with a minted credential).
    pub fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// Whether everybody in a chain is of a provider of the bundle, or exists by delegation from one.
    pub fn knows_all_of(&self, chain: &Chain) -> bool {
        let (providers, beside) = (self.providers.load(), self.beside.load());
        let known = |issuer: &str| {
            issuer == OWN_ISSUER
                || providers.list.iter().any(|p| p.config.name == issuer)
                || beside.iter().any(|b| b.name == issuer)
        };
        chain.actors().all(|a| known(&a.issuer))
    }

    /// Whether tokens for a chain count only where they are bound to something: a provider of somebody in it wants that.
    pub fn wants_bound(&self, chain: &Chain) -> bool {
        chain.actors().any(|a| self.binds(&a.issuer))
    }

    /// Whether tokens for this provider's people and workloads count only where they are bound to something.
    pub fn binds(&self, issuer: &str) -> bool {
        let (providers, beside) = (self.providers.load(), self.beside.load());
        let here = providers.list.iter().map(|p| &p.config);
        here.filter(|c| c.name == issuer)
            .any(|c| c.binding_required)
            || beside
                .iter()
                .any(|b| b.name == issuer && b.binding_required)
    }

    /// Whether a token that was verified is in the hands that it is for.
    pub(crate) fn in_hands(
        &self,
        identity: Identity,
        sender: &Sender,
        source: &str,
    ) -> Result<Identity, AuthError> {
        let refused = match identity.binding.missing_of(sender) {
            Some(missing) => AuthError::Unheld(missing),
            None if !identity.binding.is_any() && self.wants_bound(&identity.chain) => {
                AuthError::Rejected(
                    "token: it is bound to nothing, and its provider is taken with bound ones alone"
                        .to_owned(),
                )
            }
            None => return Ok(identity),
        };
        self.throttle.failed(source, self.now());
        Err(refused)
    }

    /// The present, never earlier than any present seen before.
    pub(crate) fn now(&self) -> Timestamp {
        let read = self.clock.now();
        let latest = self.latest.of(read);
        if latest.since(read) > CLOCK_BACK_TOLERATED {
            tracing::warn!(
                seconds = latest.since(read).as_secs(),
                "the clock went back"
            );
        }
        latest
    }

    async fn proven(&self, token: &Secret, source: &str) -> Result<Identity, AuthError> {
        let providers = self.providers.load_full();
        let digest = Digest::of(token.expose());
        if let Some(identity) = self.known(&providers, &digest).await? {
            return Ok(identity);
        }
        // A good token is not refused for its neighbours' bad ones. Those are answered shortly, and not logged.
        let crowded = !self.throttle.may_try(source, self.now());
        match self.prove(&providers, token).await {
            Ok(proof) => {
                let identity = proof.identity.clone();
                providers.verified.put(digest, Arc::new(proof));
                Ok(identity)
            }
            Err(AuthError::Rejected(_)) if crowded => Err(AuthError::Throttled),
            Err(error) => {
                if matches!(error, AuthError::Rejected(_)) {
                    self.throttle.failed(source, self.now());
                }
                Err(error)
            }
        }
    }

    /// A token that was verified before, if its key is still the provider's.
    async fn known(
        &self,
        providers: &Providers,
        token: &Digest,
    ) -> Result<Option<Identity>, AuthError> {
        let Some(proof) = providers.verified.get(token, self.now()) else {
            return Ok(None);
        };
        let Some(provider) = providers.list.get(proof.issuer) else {
            return Ok(None);
        };
        match provider
            .keys
            .find(&proof.kid, proof.algorithm, self.now())
            .await
        {
            Lookup::Key(key) if key.print == proof.key_print => {}
            Lookup::Unavailable => return Err(provider.unavailable()),
            _ => return Ok(None),
        }
        // Time may have passed while the provider was asked.
        Ok((self.now() < proof.identity.expires_at).then(|| proof.identity.clone()))
    }

    /// The whole check: form, provider, algorithm, key, signature, and only then what is claimed.
    async fn prove(&self, providers: &Providers, token: &Secret) -> Result<Proof, AuthError> {
        let token = token
            .expose_str()
            .ok_or(Refusal::NotAToken)
            .map_err(rejected)?;
        let unverified = token::split(token).map_err(rejected)?;
        let claimed = unverified.claims.get("iss").and_then(|i| i.as_str());
        let (issuer, provider) = providers
            .list
            .iter()
            .enumerate()
            .find(|(_, p)| claimed == Some(p.config.issuer.as_str()))
            .ok_or_else(|| rejected(Refusal::Issuer))?;
        let config = &provider.config;
        let reject = |refusal| provider.rejected(&refusal);
        let key = provider.signed(&unverified, self.now()).await?;
        let claims = &unverified.claims;
        let typ = unverified.typ.as_deref();
        let span = claims::check(config, typ, claims, self.now()).map_err(reject)?;
        let identity = Identity {
            chain: people::chain(config, claims).map_err(reject)?,
            by: LoginBy::Oidc,
            mfa: people::used_second_factor(config, claims).map_err(reject)?,
            binding: confirmation::binding_of(claims).map_err(reject)?,
            authenticated_at: span.authenticated_at,
            expires_at: span.ends_at,
            token_id: Some(match people::token_id(claims).map_err(reject)? {
                Some(id) => id,
                // Every token has a name by which it, and what comes of it, can be revoked. The signature is no part of
                // it: whoever holds a token can spell one of ECDSA in two ways.
                None => {
                    let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
                    Digest::of(signed.as_bytes()).to_string()
                }
            }),
            credential: None,
            scope: Scope::whole(),
            lineage: Vec::new(),
            sign_in: None,
        };
        Ok(Proof {
            identity,
            issuer,
            kid: unverified.kid,
            algorithm: unverified.algorithm,
            key_print: key.print,
        })
    }

    async fn look_up_minted(
        &self,
        id: &CredentialId,
    ) -> Result<Option<MintedCredential>, AuthError> {
        let found = self.minted.minted(id).await.map_err(|error| {
            let cause = error.cause.to_string();
            tracing::warn!(%error, cause, "cannot look up a minted credential");
            AuthError::Unavailable(error.to_string())
        })?;
        let now = self.now();
        Ok(found.filter(|m| {
            // A provider that was taken out of the bundle takes with it what was minted on its word.
            m.id == *id && now < m.identity.expires_at && self.knows_all_of(&m.identity.chain)
        }))
    }
}

impl Authenticator for Oidc {
    fn verify_token<'a>(
        &'a self,
        token: &'a Secret,
        sender: &'a Sender,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        Box::pin(async move {
            let identity = self.proven(token, source).await?;
            self.in_hands(identity, sender, source)
        })
    }

    fn minted<'a>(
        &'a self,
        id: &'a CredentialId,
    ) -> BoxFuture<'a, Result<Option<MintedCredential>, AuthError>> {
        Box::pin(self.look_up_minted(id))
    }

    fn spend<'a>(&'a self, id: &'a CredentialId) -> BoxFuture<'a, Result<bool, AuthError>> {
        Box::pin(async move {
            self.minted.spend(id).await.map_err(|error| {
                let cause = error.cause.to_string();
                tracing::warn!(%error, cause, "a minted credential cannot be used up");
                AuthError::Unavailable(error.to_string())
            })
        })
    }
}

impl Provider {
    /// The key that signed this, which is the provider's, current, and right for the algorithm.
    async fn signed(
        &self,
        unverified: &token::Unverified<'_>,
        now: Timestamp,
    ) -> Result<Arc<VerifyKey>, AuthError> {
        let reject = |refusal| self.rejected(&refusal);
        let algorithm = unverified.algorithm;
        if !self.config.algorithms.contains(&algorithm) {
            return Err(reject(Refusal::Algorithm));
        }
        let key = match self.keys.find(&unverified.kid, algorithm, now).await {
            Lookup::Key(key) => key,
            Lookup::NotForAlgorithm => return Err(reject(Refusal::KeyAlgorithm)),
            Lookup::Unknown => return Err(reject(Refusal::UnknownKey)),
            Lookup::Unavailable => return Err(self.unavailable()),
        };
        if key.verifies(algorithm, unverified.signed, unverified.signature) {
            Ok(key)
        } else {
            Err(reject(Refusal::Signature))
        }
    }
    fn rejected(&self, refusal: &Refusal) -> AuthError {
        AuthError::Rejected(format!("token of `{}`: {refusal}", self.config.name))
    }
    fn unavailable(&self) -> AuthError {
        AuthError::Unavailable(format!(
            "the keys of `{}` could not be fetched",
            self.config.name
        ))
    }
}

fn rejected(refusal: Refusal) -> AuthError {
    AuthError::Rejected(format!("token: {refusal}"))
}

/// Whether these settings could be taken.
///
/// # Errors
/// With everything that is wrong with them.
pub fn check(configs: &[IssuerConfig]) -> Result<(), OidcError> {
    providers(configs.to_vec(), &[]).map(drop)
}

/// Checked providers; those whose settings are as before stay as they are.
fn providers(configs: Vec<IssuerConfig>, before: &[Provider]) -> Result<Vec<Provider>, OidcError> {
    let problems = config::problems_of(&configs);
    if !problems.is_empty() {
        return Err(OidcError::Settings(problems));
    }
    configs
        .into_iter()
        .map(|config| {
            if let Some(same) = before.iter().find(|p| *p.config == config) {
                return Ok(same.clone());
            }
            let client = |cause| OidcError::Client {
                issuer: config.name.clone(),
                cause,
            };
            let keys = Keys::new(&config).map_err(client)?;
            let party = Party::new(&config).map_err(client)?.map(Arc::new);
            Ok(Provider {
                config: Arc::new(config),
                keys: Arc::new(keys),
                party,
            })
        })
        .collect()
}

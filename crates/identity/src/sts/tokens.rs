//! Tokens of the providers and our own, told apart.
//!
//! Lives here: who proves which. Never: the proving.

use super::OwnTokens;
use crate::oidc::Oidc;
use brattice_core::ids::CredentialId;
use brattice_core::ports::{AuthError, Authenticator, BoxFuture, MintedCredential};
use brattice_core::principal::Identity;
use brattice_core::secret::Secret;
use std::sync::Arc;

/// Proves tokens of either sort.
pub struct Tokens {
    oidc: Arc<Oidc>,
    own: Arc<OwnTokens>,
}

impl Tokens {
    /// Of these.
    pub fn new(oidc: Arc<Oidc>, own: Arc<OwnTokens>) -> Self {
        Self { oidc, own }
    }

    fn own(&self, token: &Secret, source: &str) -> Result<Identity, AuthError> {
        let now = self.oidc.now();
        // A provider that was taken out of the bundle takes with it what was given on its word.
        match self.own.read(token, now) {
            Some(identity) if self.oidc.knows_all_of(&identity.chain) => Ok(identity),
            _ if !self.oidc.throttle().may_try(source, now) => Err(AuthError::Throttled),
            _ => {
                self.oidc.throttle().failed(source, now);
                Err(AuthError::Rejected(
                    "not a token of ours that counts now".to_owned(),
                ))
            }
        }
    }
}

impl Authenticator for Tokens {
    fn verify_token<'a>(
        &'a self,
        token: &'a Secret,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        if self.own.claims_to_be(token) {
            Box::pin(std::future::ready(self.own(token, source)))
        } else {
            self.oidc.verify_token(token, source)
        }
    }

    fn minted<'a>(
        &'a self,
        id: &'a CredentialId,
    ) -> BoxFuture<'a, Result<Option<MintedCredential>, AuthError>> {
        self.oidc.minted(id)
    }

    fn spend<'a>(&'a self, id: &'a CredentialId) -> BoxFuture<'a, Result<bool, AuthError>> {
        self.oidc.spend(id)
    }
}

//! Tokens of the providers and our own, told apart, and client certificates beside them.
//!
//! Lives here: who proves which. Never: the proving.

use super::OwnTokens;
use crate::oidc::Oidc;
use crate::spiffe::Spiffe;
use brattice_core::ids::CredentialId;
use brattice_core::ports::{AuthError, Authenticator, BoxFuture, MintedCredential};
use brattice_core::principal::Identity;
use brattice_core::secret::Secret;
use brattice_core::sender::{Certificate, Sender};
use std::sync::Arc;

/// Proves tokens of either sort, and client certificates.
pub struct Tokens {
    oidc: Arc<Oidc>,
    own: Arc<OwnTokens>,
    spiffe: Arc<Spiffe>,
}

impl Tokens {
    /// Of these.
    pub fn new(oidc: Arc<Oidc>, own: Arc<OwnTokens>, spiffe: Arc<Spiffe>) -> Self {
        Self { oidc, own, spiffe }
    }

    fn own(&self, token: &Secret, sender: &Sender, source: &str) -> Result<Identity, AuthError> {
        let now = self.oidc.now();
        // A provider that was taken out of the bundle takes with it what was given on its word.
        match self.own.read(token, now) {
            Some(identity) if self.oidc.knows_all_of(&identity.chain) => {
                self.oidc.in_hands(identity, sender, source)
            }
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

impl Tokens {
    async fn certified(
        &self,
        certificate: &Certificate,
        source: &str,
    ) -> Result<Identity, AuthError> {
        let now = self.oidc.now();
        let crowded = !self.oidc.throttle().may_try(source, now);
        let found = self.spiffe.verify(certificate, now).await;
        if matches!(found, Err(AuthError::Rejected(_))) {
            if crowded {
                return Err(AuthError::Throttled);
            }
            self.oidc.throttle().failed(source, now);
        }
        found
    }
}

impl Authenticator for Tokens {
    fn verify_token<'a>(
        &'a self,
        token: &'a Secret,
        sender: &'a Sender,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        if self.own.claims_to_be(token) {
            Box::pin(std::future::ready(self.own(token, sender, source)))
        } else {
            self.oidc.verify_token(token, sender, source)
        }
    }

    fn verify_certificate<'a>(
        &'a self,
        certificate: &'a Certificate,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        Box::pin(self.certified(certificate, source))
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

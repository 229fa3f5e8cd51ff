//! The gateway's authenticator: proven by a provider, and not void since.
//!
//! Lives here: the check of every actor of a chain against the revocations, at every proof. Never: how a token is
//! checked, who may revoke.

use super::{Revocations, Seen};
use brattice_core::ids::CredentialId;
use brattice_core::ports::{AuthError, Authenticator, BoxFuture, MintedCredential};
use brattice_core::principal::Identity;
use brattice_core::secret::Secret;
use brattice_core::sender::{Certificate, Sender};
use std::sync::Arc;

/// Lets in whom another authenticator proves, unless someone in the chain was revoked since.
pub struct Unrevoked {
    proven: Arc<dyn Authenticator>,
    revocations: Arc<Revocations>,
    /// None where who is proven is not noted.
    seen: Option<Arc<Seen>>,
}

impl Unrevoked {
    /// On top of this authenticator.
    pub fn new(
        proven: Arc<dyn Authenticator>,
        revocations: Arc<Revocations>,
        seen: Arc<Seen>,
    ) -> Self {
        Self {
            proven,
            revocations,
            seen: Some(seen),
        }
    }

    /// The same for asking again: that somebody's old proof still holds is no news of them.
    pub fn again(&self) -> Self {
        Self {
            proven: self.proven.clone(),
            revocations: self.revocations.clone(),
            seen: None,
        }
    }

    fn note(&self, identity: &Identity) {
        if let Some(seen) = &self.seen {
            seen.note(identity);
        }
    }

    async fn check(&self, identity: &Identity) -> Result<(), AuthError> {
        let held = self.revocations.current().await.map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "revocations cannot be read, so nobody is let in"
            );
            AuthError::Unavailable("the revocations cannot be read".to_owned())
        })?;
        match held.voids(identity) {
            None => Ok(()),
            Some(who) => Err(AuthError::Rejected(format!(
                "{who} was revoked after this was proven"
            ))),
        }
    }
}

impl Authenticator for Unrevoked {
    fn verify_token<'a>(
        &'a self,
        token: &'a Secret,
        sender: &'a Sender,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        Box::pin(async move {
            let identity = self.proven.verify_token(token, sender, source).await?;
            self.check(&identity).await?;
            self.note(&identity);
            Ok(identity)
        })
    }

    fn verify_certificate<'a>(
        &'a self,
        certificate: &'a Certificate,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        Box::pin(async move {
            let proven = self.proven.verify_certificate(certificate, source);
            let identity = proven.await?;
            self.check(&identity).await?;
            self.note(&identity);
            Ok(identity)
        })
    }

    fn minted<'a>(
        &'a self,
        id: &'a CredentialId,
    ) -> BoxFuture<'a, Result<Option<MintedCredential>, AuthError>> {
        Box::pin(async move {
            let Some(found) = self.proven.minted(id).await? else {
                return Ok(None);
            };
            match self.check(&found.identity).await {
                Ok(()) => Ok(Some(found)),
                // To its holder it is as if there were none.
                Err(AuthError::Rejected(why)) => {
                    tracing::info!(%why, credential = %id, "a credential was not taken");
                    Ok(None)
                }
                Err(other) => Err(other),
            }
        })
    }

    fn spend<'a>(&'a self, id: &'a CredentialId) -> BoxFuture<'a, Result<bool, AuthError>> {
        self.proven.spend(id)
    }
}

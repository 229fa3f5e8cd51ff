//! The targets' credentials, lent for one session at a time.
//!
//! Lives here: which source each target's credential comes from, and the reading of it anew at every lend. Never:
//! who may have it (the gate decides before asking), sessions, the targets' protocols.

mod file;
mod sealed;
mod source;

pub use sealed::{SealError, SealedStore, SealingKey, SealingKeys, open, seal};
pub use source::{Environment, NotASource, ProcessEnvironment, SecretFrom};

use brattice_core::ports::{BoxFuture, CredentialSource, Lease, LendError};
use brattice_core::secret::Secret;
use source::Sources;
pub(crate) use source::read_plain;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What one target is entered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetCredential {
    /// The role on the target.
    pub user: String,
    /// How the role proves itself there.
    pub proof: UpstreamProof,
}

/// How the gateway proves itself to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamProof {
    /// By a password.
    Password(SecretFrom),
    /// By a certificate; the chain and the key in PEM.
    Certificate {
        /// Its chain, leaf first.
        chain: SecretFrom,
        /// Its private key.
        key: SecretFrom,
    },
    /// By both: a certificate for TLS and a password within.
    Both {
        /// The password.
        password: SecretFrom,
        /// The certificate's chain, leaf first.
        chain: SecretFrom,
        /// Its private key.
        key: SecretFrom,
    },
}

/// Lends by target from the sources that the bundle names.
pub struct Lender {
    by_target: arc_swap::ArcSwap<BTreeMap<String, TargetCredential>>,
    sources: Sources,
}

impl Lender {
    /// A lender over these targets. Nothing is read before it is lent.
    pub fn new(
        by_target: BTreeMap<String, TargetCredential>,
        environment: Arc<dyn Environment>,
        sealed: Option<(Arc<dyn SealedStore>, SealingKeys)>,
    ) -> Self {
        Self {
            by_target: arc_swap::ArcSwap::from_pointee(by_target),
            sources: Sources {
                environment,
                sealed,
            },
        }
    }

    /// Takes the targets of a new bundle.
    pub fn replace(&self, by_target: BTreeMap<String, TargetCredential>) {
        self.by_target.store(Arc::new(by_target));
    }

    async fn lend_now(&self, target: &str) -> Result<Lease, LendError> {
        let fail = |why: String| LendError {
            target: target.to_owned(),
            why,
        };
        let credential = self
            .by_target
            .load()
            .get(target)
            .cloned()
            .ok_or_else(|| fail("none is configured".to_owned()))?;
        let (password, certificate) = match &credential.proof {
            UpstreamProof::Password(p) => (Some(p), None),
            UpstreamProof::Certificate { chain, key } => (None, Some((chain, key))),
            UpstreamProof::Both {
                password,
                chain,
                key,
            } => (Some(password), Some((chain, key))),
        };
        let password = match password {
            Some(from) => self.sources.password(target, from).await.map_err(&fail)?,
            None => Secret::new(Vec::new()),
        };
        let client_certificate = match certificate {
            Some((chain, key)) => {
                let chain = self
                    .sources
                    .pem(target, "chain", chain)
                    .await
                    .map_err(&fail)?;
                let key = self.sources.pem(target, "key", key).await.map_err(&fail)?;
                Some((chain.expose().to_vec(), key))
            }
            None => None,
        };
        Ok(Lease {
            user: credential.user,
            password,
            client_certificate,
        })
    }
}

impl CredentialSource for Lender {
    fn lend<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Lease, LendError>> {
        Box::pin(self.lend_now(target))
    }
}

#[cfg(test)]
mod tests;

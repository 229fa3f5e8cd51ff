//! The targets' credentials, lent for one session at a time.
//!
//! Lives here: which source each target's credential comes from, the reading of it anew at every lend, and giving back
//! what was taken for one session alone. Never: who may have it (the gate decides before asking), the targets' protocols.

mod aws;
mod ephemeral;
mod file;
mod returns;
mod sealed;
mod server;
mod source;
mod ssh;
mod vault;
mod web;

pub use aws::{
    AwsConfig, AwsKeys, AwsPart, AwsSecret, NotAnAwsSecret, RdsLogin, is_metadata_address,
    is_region,
};
pub use sealed::{SealError, SealedStore, SealingKey, SealingKeys, open, seal};
pub use server::{Rows, Server, ServerError, Servers};
pub use source::{Environment, NotASource, ProcessEnvironment, SecretFrom};
pub use vault::{NotAVaultPath, VaultAuth, VaultConfig, VaultPath};

use crate::ssh::Authority;
use aws::Accounts;
use brattice_core::ports::{
    Borrower, BoxFuture, CredentialSource, Lease, LendError, Purpose, Randomness,
};
use brattice_core::time::Clock;
use ephemeral::{Roles, Site};
use returns::Returns;
pub(crate) use source::read_plain;
use source::{Plain, Sources};
use ssh::Signer;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use vault::Vaults;
use vault::book::Book;

/// What one target is entered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetCredential {
    /// The role on the target.
    pub user: String,
    /// How the role proves itself there.
    pub proof: UpstreamProof,
    /// The role whose rights sessions have, where each of them gets a role of its own. Without it they log in as `user`
    /// themselves.
    pub template: Option<String>,
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
    /// By a user and a password that a vault makes at each lend; the target's own `user` is not looked at.
    Issued(VaultPath),
    /// By a user and a password that one secret of AWS names; the target's own `user` is not looked at.
    AwsSecret(AwsSecret),
    /// By a login at RDS that is signed anew each time.
    RdsIam(RdsLogin),
    /// By a private key, over SSH; in the form that `ssh-keygen` writes.
    PrivateKey(SecretFrom),
    /// By a key that is made for each session, certified by the gateway itself for each login over SSH.
    Gateway,
    /// By such a key, certified by the SSH engine of a vault.
    Signed(VaultPath),
}

/// Lends by target from the sources that the bundle names.
pub struct Lender {
    by_target: arc_swap::ArcSwap<BTreeMap<String, TargetCredential>>,
    sources: Arc<Sources>,
    servers: Arc<dyn Servers>,
    returns: Arc<Returns>,
    roles: Roles,
    signer: Arc<Signer>,
}

/// What a lender works with.
pub struct Parts {
    /// The gateway's environment.
    pub environment: Arc<dyn Environment>,
    /// The sealed store and what opens it.
    pub sealed: Option<(Arc<dyn SealedStore>, SealingKeys)>,
    /// The way to the targets' servers.
    pub servers: Arc<dyn Servers>,
    /// Random bytes.
    pub randomness: Arc<dyn Randomness>,
    /// The present, for what is signed with its date.
    pub clock: Arc<dyn Clock>,
    /// This gateway's own name in what it leaves on targets: no two gateways have the same.
    pub node: String,
    /// The directory in which leases of vaults are noted while they are out.
    pub leases: PathBuf,
    /// What signs the gateway's own logins at hosts, where there is such a key.
    pub ssh: Option<Arc<Authority>>,
}

impl Lender {
    /// A lender without targets yet. Nothing is read before it is lent. What is given back is given back on the runtime of
    /// whoever calls this.
    pub fn new(parts: Parts) -> Self {
        let returns = Arc::new(Returns::start());
        let plain = Plain(parts.environment);
        let book = Book::new(parts.leases);
        let sources = Arc::new(Sources {
            vaults: Vaults::new(plain.clone(), returns.clone(), book),
            aws: Accounts::new(plain.clone(), parts.clock.clone(), &parts.node),
            plain,
            sealed: parts.sealed,
        });
        let signer = Arc::new(Signer {
            authority: parts.ssh,
            sources: sources.clone(),
            clock: parts.clock,
            randomness: parts.randomness.clone(),
        });
        Self {
            by_target: arc_swap::ArcSwap::default(),
            roles: Roles {
                sources: sources.clone(),
                randomness: parts.randomness,
                returns: returns.clone(),
                node: parts.node,
                live: Arc::default(),
            },
            servers: parts.servers,
            sources,
            returns,
            signer,
        }
    }

    /// Takes the targets of a new bundle, and where their secrets come from.
    pub fn replace(
        &self,
        by_target: BTreeMap<String, TargetCredential>,
        vaults: Vec<VaultConfig>,
        aws: Vec<AwsConfig>,
    ) {
        self.sources.vaults.replace(vaults);
        self.sources.aws.replace(aws);
        self.by_target.store(Arc::new(by_target));
    }

    /// Waits until everything that sessions had is given back; false when that takes too long.
    pub async fn all_returned(&self, most: Duration) -> bool {
        self.returns.all_paid(most).await
    }

    /// Looks on the targets for what was left behind by a process that was killed, and takes it away.
    pub async fn sweep(&self) {
        tokio::join!(self.sources.vaults.sweep(), self.sweep_roles());
    }

    async fn sweep_roles(&self) {
        let by_target = self.by_target.load_full();
        for (target, credential) in by_target.iter() {
            let Some(template) = &credential.template else {
                continue;
            };
            let (Some(server), Some(place)) =
                (self.servers.of(target), self.servers.any_place(target))
            else {
                continue;
            };
            let site = Site {
                target,
                place: &place,
                template,
                maker: credential,
            };
            if let Err(why) = self.roles.sweep(server, site).await {
                tracing::warn!(
                    target,
                    why,
                    "roles that were left behind cannot be looked for"
                );
            }
        }
    }

    async fn lend_now(&self, to: Borrower<'_>) -> Result<Lease, LendError> {
        let fail = |why: String| LendError {
            target: to.target.to_owned(),
            why,
        };
        let credential = self
            .by_target
            .load()
            .get(to.target)
            .cloned()
            .ok_or_else(|| fail("none is configured".to_owned()))?;
        match &credential.proof {
            UpstreamProof::Gateway => return self.signer.lend(to).map_err(fail),
            UpstreamProof::Signed(by) => return self.signer.lend_by(by, to).await.map_err(fail),
            _ => {}
        }
        let (Some(template), Purpose::Session { id, agent }) = (&credential.template, to.purpose)
        else {
            return self
                .sources
                .login(to.target, &credential)
                .await
                .map_err(fail);
        };
        let server = self
            .servers
            .of(to.target)
            .ok_or_else(|| fail("the target is gone from the bundle".to_owned()))?;
        let site = Site {
            target: to.target,
            place: to.place,
            template,
            maker: &credential,
        };
        self.roles.lend(server, site, id, agent).await.map_err(fail)
    }
}

impl CredentialSource for Lender {
    fn lend<'a>(&'a self, to: Borrower<'a>) -> BoxFuture<'a, Result<Lease, LendError>> {
        Box::pin(self.lend_now(to))
    }
}

#[cfg(test)]
mod tests;

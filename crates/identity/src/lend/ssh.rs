//! Logins at hosts with certificates: a key for each session, certified by the gateway itself or by a vault.
//!
//! Lives here: what such a certificate says, and how long one is used. Never: the key that signs it, hosts.

use super::source::Sources;
use super::vault::{ToSign, VaultPath};
use crate::ssh::{Authority, For, Terms, new_key, private_text};
use brattice_core::ports::{Borrower, BoxFuture, KeyCertifier, Lease, Purpose, Randomness};
use brattice_core::secret::Secret;
use brattice_core::time::{Clock, Timestamp};
use ssh_key::PublicKey;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long after it was signed a certificate of the gateway's own opens a host. A login follows at once.
const LOGIN_MAX: Duration = Duration::from_secs(120);
/// How long one is asked for of a vault: for the logins of a session's next minutes too, so that each channel is not a
/// request.
const VAULT_LIVES: Duration = Duration::from_secs(300);
/// How far a host's clock, or a vault's, may be from ours.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(120);
/// The most that a certificate says of the agent, for the host's own log.
const NAME_CHARS_MAX: usize = 128;

/// What certifies keys.
pub(super) struct Signer {
    pub authority: Option<Arc<Authority>>,
    pub sources: Arc<Sources>,
    pub clock: Arc<dyn Clock>,
    pub randomness: Arc<dyn Randomness>,
}

/// A key that nobody had before, for one session on one account.
struct Fresh {
    private: Secret,
    public: PublicKey,
    key_id: String,
    account: String,
}

impl Signer {
    /// A login by the gateway's own authority.
    pub(super) fn lend(self: &Arc<Self>, to: Borrower<'_>) -> Result<Lease, String> {
        if self.authority.is_none() {
            return Err("the gateway has no `listen.ssh`, and so no key that signs".to_owned());
        }
        let fresh = self.fresh(to)?;
        let certifier = Box::new(Certifier {
            signer: self.clone(),
            key: fresh.public.clone(),
            key_id: fresh.key_id.clone(),
            account: fresh.account.clone(),
        });
        Ok(fresh.lease(certifier))
    }

    /// A login by a vault's authority. Whether it signs is known before the host hears of anything.
    pub(super) async fn lend_by(
        self: &Arc<Self>,
        vault: &VaultPath,
        to: Borrower<'_>,
    ) -> Result<Lease, String> {
        let fresh = self.fresh(to)?;
        let certifier = Box::new(VaultCertifier {
            signer: self.clone(),
            from: vault.clone(),
            wanted: ToSign {
                key: fresh.public.clone(),
                account: fresh.account.clone(),
                key_id: fresh.key_id.clone(),
                lives: VAULT_LIVES,
                clocks_apart_max: CLOCKS_APART_MAX,
            },
            last: Mutex::default(),
        });
        certifier.certify().await?;
        Ok(fresh.lease(certifier))
    }

    fn fresh(&self, to: Borrower<'_>) -> Result<Fresh, String> {
        let Purpose::Session { id, agent } = to.purpose else {
            return Err("the gateway does not log in to hosts for itself".to_owned());
        };
        let key = new_key(self.randomness.as_ref()).map_err(|why| why.to_string())?;
        let agent: String = agent.chars().filter(|c| !c.is_control()).collect();
        let agent: String = agent.chars().take(NAME_CHARS_MAX).collect();
        Ok(Fresh {
            private: private_text(&key).map_err(|why| why.to_string())?,
            public: key.public_key().clone(),
            key_id: format!("brattice session={id} agent={agent}"),
            account: to.place.to_owned(),
        })
    }
}

impl Fresh {
    fn lease(self, certifier: Box<dyn KeyCertifier>) -> Lease {
        Lease {
            user: self.account.clone(),
            rights: self.account,
            password: Secret::new(Vec::new()),
            private_key: Some(self.private),
            certifier: Some(certifier),
            client_certificate: None,
            held: None,
        }
    }
}

/// The gateway's own: another certificate for each login.
struct Certifier {
    signer: Arc<Signer>,
    key: PublicKey,
    key_id: String,
    account: String,
}

impl fmt::Debug for Certifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certifier")
            .field("key_id", &self.key_id)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl KeyCertifier for Certifier {
    fn certify(&self) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(std::future::ready(self.certified()))
    }
}

impl Certifier {
    fn certified(&self) -> Result<String, String> {
        let authority = self.signer.authority.as_ref();
        let authority = authority.ok_or("there is no key that signs")?;
        let now = self.signer.clock.now();
        let terms = Terms {
            holder: For::Login,
            key_id: &self.key_id,
            principals: std::slice::from_ref(&self.account),
            after: now.minus(CLOCKS_APART_MAX),
            before: now.plus(LOGIN_MAX),
        };
        let made = authority.certify(&self.key, &terms, self.signer.randomness.as_ref());
        let text = made.map_err(|why| why.to_string())?.to_openssh();
        text.map_err(|why| why.to_string())
    }
}

/// A vault's: one certificate for as long as it can be good at a host whose clock is not ours.
struct VaultCertifier {
    signer: Arc<Signer>,
    from: VaultPath,
    wanted: ToSign,
    last: Mutex<Last>,
}

/// What a vault answered last.
#[derive(Default)]
struct Last {
    /// The certificate, and until when it is used.
    certificate: Option<(String, Timestamp)>,
    /// Why there was none, and since when.
    failed: Option<(Instant, String)>,
}

impl fmt::Debug for VaultCertifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultCertifier")
            .field("from", &self.from)
            .field("key_id", &self.wanted.key_id)
            .field("account", &self.wanted.account)
            .finish_non_exhaustive()
    }
}

impl KeyCertifier for VaultCertifier {
    fn certify(&self) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(self.certified())
    }
}

impl VaultCertifier {
    /// Channels that begin together share one request, and its failure.
    async fn certified(&self) -> Result<String, String> {
        let asked_at = Instant::now();
        let mut last = self.last.lock().await;
        let clock = &self.signer.clock;
        if let Some((text, until)) = &last.certificate
            && clock.now() < *until
        {
            return Ok(text.clone());
        }
        if let Some((at, why)) = &last.failed
            && *at >= asked_at
        {
            return Err(why.clone());
        }
        let vaults = &self.signer.sources.vaults;
        let signed = vaults
            .sign(&self.from, self.wanted.clone(), clock.clone())
            .await;
        let signed = signed.and_then(|certificate| {
            let before = i64::try_from(certificate.valid_before()).unwrap_or(i64::MAX);
            let until = Timestamp::from_seconds(before).minus(CLOCKS_APART_MAX);
            let text = certificate.to_openssh();
            text.map(|text| (text, until))
                .map_err(|why| why.to_string())
        });
        match signed {
            Ok((text, until)) => {
                *last = Last {
                    certificate: Some((text.clone(), until)),
                    failed: None,
                };
                Ok(text)
            }
            Err(why) => {
                *last = Last {
                    certificate: None,
                    failed: Some((Instant::now(), why.clone())),
                };
                Err(why)
            }
        }
    }
}

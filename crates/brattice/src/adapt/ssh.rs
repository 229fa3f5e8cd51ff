//! Certificates of callers' keys for SSH, and what the listener is known by.
//!
//! Lives here: what a certificate says of the credential that it belongs to. Never: who may have one (the API asks policy
//! whether the caller may connect, before this is asked), what one is worth that is shown.

use super::credentials::{not_minted, refused, target_for};
use super::failed;
use crate::config::checked::{SshTarget, TargetCredential};
use crate::run::{Gateway, with_causes};
use brattice_admin::ports::{Certified, Certify, CreateError, Failed, SshApi, SshFront, SshHost};
use brattice_core::ids::CredentialId;
use brattice_core::ports::BoxFuture;
use brattice_core::principal::{Chain, Identity};
use brattice_identity::mint::mint_for_key;
use brattice_identity::ssh::{For, SshError, Terms, key_sha256, line, subject};
use std::sync::Arc;
use std::time::Duration;

/// How far behind the clock of a client may be that looks whether its certificate is good yet.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(30);
/// The most that a certificate says of who acts, for people who read logs.
const NAMES_CHARS_MAX: usize = 200;

/// SSH at a gateway.
pub struct Ssh(pub Arc<Gateway>);

impl Ssh {
    async fn certified(&self, who: &Identity, asked: Certify) -> Result<Certified, CreateError> {
        let gateway = &self.0;
        let checked = gateway.checked.load_full();
        let config = target_for(who, &asked.target, &checked)?;
        let Some(host) = &config.ssh else {
            return Err(refused("This target is not reached with SSH."));
        };
        let (Some((address, port)), Some(keys)) = (gateway.ssh_address(), &gateway.ssh_keys) else {
            return Err(refused("This gateway has no listener for SSH."));
        };
        let key = subject(&asked.public_key).map_err(|why| refused(&why.to_string()))?;
        let digest =
            key_sha256(&key).ok_or_else(|| refused("The key cannot be told from others."))?;
        let lifetime = asked.lifetime.min(checked.limits.credential_lifetime_max);
        let (now, randomness) = (gateway.clock.now(), gateway.randomness.as_ref());
        let bounds = asked.bounds;
        let minted = mint_for_key(
            digest,
            &asked.target,
            who,
            lifetime,
            bounds,
            now,
            randomness,
        );
        let minted = minted.map_err(not_minted)?;
        let users = users(host, &asked.target);
        let expires_at = minted.identity.expires_at;
        let terms = Terms {
            holder: For::User(&minted.bounds.from),
            key_id: &key_id(&minted.id, &who.chain),
            principals: &users,
            after: now.minus(CLOCKS_APART_MAX),
            before: expires_at,
        };
        let certificate = keys.user_ca.certify(&key, &terms, randomness);
        let text = certificate.and_then(|c| c.to_openssh().map_err(SshError::Form));
        let certificate = text.map_err(|why| Failed::new("sign a certificate", why))?;
        // Known before it is told: a certificate without its credential is good for nothing.
        let kept = gateway.db.insert_credential(&minted, None).await;
        kept.map_err(failed)?;
        Ok(Certified {
            id: minted.id,
            certificate,
            users,
            target: asked.target,
            host: address,
            port,
            expires_at,
        })
    }

    fn listener(&self) -> Option<SshFront> {
        let gateway = &self.0;
        let (host, port) = gateway.ssh_address()?;
        let keys = gateway.ssh_keys.as_ref()?;
        let text = |key| line(key).ok();
        let checked = gateway.checked.load();
        let hosts = checked.targets.iter().filter_map(|(name, t)| {
            Some(SshHost {
                name: name.clone(),
                accounts: t.ssh.as_ref()?.accounts.clone(),
                is_certified: t.credential == TargetCredential::Gateway,
            })
        });
        Some(SshFront {
            host,
            port,
            host_ca: text(keys.host_ca.public_key())?,
            host_key: text(keys.host.public_key())?,
            user_ca: text(keys.user_ca.public_key())?,
            target_ca: text(keys.target_ca.public_key())?,
            targets: hosts.collect(),
        })
    }
}

/// The user names that open a target: each of its accounts, and the target alone for the usual one.
fn users(host: &SshTarget, target: &str) -> Vec<String> {
    let accounts = host.accounts.iter().map(|a| format!("{a}@{target}"));
    accounts.chain([target.to_owned()]).collect()
}

/// The credential's id, by which it is found again, and who acts, in words that nothing is decided by.
fn key_id(id: &CredentialId, chain: &Chain) -> String {
    let names = chain.to_string();
    let names = names.chars().filter(|c| !c.is_control());
    let names: String = names.take(NAMES_CHARS_MAX).collect();
    format!("{id} {names}")
}

impl SshApi for Ssh {
    fn fingerprint(&self, public_key: &str) -> Result<String, String> {
        let key = subject(public_key).map_err(|why| with_causes(&why))?;
        Ok(key.fingerprint(Default::default()).to_string())
    }

    fn certify<'a>(
        &'a self,
        who: &'a Identity,
        asked: Certify,
    ) -> BoxFuture<'a, Result<Certified, CreateError>> {
        Box::pin(self.certified(who, asked))
    }

    fn front(&self) -> Option<SshFront> {
        self.listener()
    }
}

//! Certificates for SSH, from the vault's SSH secrets engine (`POST /v1/MOUNT/sign/ROLE`).
//!
//! Lives here: what is asked, and what is taken of the answer. Never: the private key, which the vault does not see; a host.

use super::client::VaultError;
use super::{Vault, VaultPath, Vaults};
use crate::ssh::answer::{self, EXTENSIONS, Wanted};
use crate::ssh::{Certificate, PublicKey, line};
use brattice_core::time::Clock;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What a vault answers to what its role does not allow, and to a role that it does not have.
const NOT_ALLOWED: u16 = 400;

/// What shall be signed.
#[derive(Debug, Clone)]
pub(in crate::lend) struct ToSign {
    /// The key, which is ours.
    pub key: PublicKey,
    /// The one account.
    pub account: String,
    /// What the host's log shall call the login.
    pub key_id: String,
    /// How long it shall be good.
    pub lives: Duration,
    /// How far the vault's clock, or a host's, may be from ours.
    pub clocks_apart_max: Duration,
}

#[derive(Deserialize)]
struct Signed {
    data: SignedKey,
}

#[derive(Deserialize)]
struct SignedKey {
    signed_key: String,
}

impl Vaults {
    /// Has a key certified.
    pub(in crate::lend) async fn sign(
        &self,
        from: &VaultPath,
        wanted: ToSign,
        clock: Arc<dyn Clock>,
    ) -> Result<Certificate, String> {
        let vault = self.of(from)?;
        let path = from.clone();
        let work = async move { vault.sign(&path, &wanted, clock.as_ref()).await };
        self.aside(from, work).await
    }
}

impl Vault {
    async fn sign(
        &self,
        from: &VaultPath,
        wanted: &ToSign,
        clock: &dyn Clock,
    ) -> Result<Certificate, VaultError> {
        let signed = match self.ask_to_sign(from, wanted, true).await {
            // Most roles do not let the name be chosen, and a vault that minds says no more than that it does.
            Err(VaultError::Status(NOT_ALLOWED)) => {
                let signed = self.ask_to_sign(from, wanted, false).await;
                if signed.is_ok() {
                    tracing::info!(
                        %from,
                        "the hosts' logs do not name sessions: the role lacks allow_user_key_ids=true"
                    );
                }
                signed
            }
            signed => signed,
        };
        let signed = signed.map_err(|why| match why {
            VaultError::Status(NOT_ALLOWED) => VaultError::NotSigned(wanted.account.clone()),
            why => why,
        })?;
        let wanted = Wanted {
            key: &wanted.key,
            account: &wanted.account,
            now: clock.now(),
            lives: wanted.lives,
            clocks_apart_max: wanted.clocks_apart_max,
        };
        answer::accept(&signed, &wanted).map_err(VaultError::Unexpected)
    }

    async fn ask_to_sign(
        &self,
        from: &VaultPath,
        wanted: &ToSign,
        named: bool,
    ) -> Result<String, VaultError> {
        let key = line(&wanted.key).map_err(|why| VaultError::Credential(why.to_string()))?;
        let extensions = EXTENSIONS.map(|name| (name.to_owned(), Value::from("")));
        let mut body = json!({
            "public_key": key,
            "valid_principals": wanted.account,
            "cert_type": "user",
            "ttl": format!("{}s", wanted.lives.as_secs()),
            "extensions": Map::from_iter(extensions),
        });
        if let (true, Some(body)) = (named, body.as_object_mut()) {
            body.insert("key_id".to_owned(), Value::from(wanted.key_id.as_str()));
        }
        let path = format!("{}/{}", from.mount, from.path);
        let (answer, _) = self.send(Method::POST, &path, Some(&body)).await?;
        let signed: Signed = answer.read()?;
        Ok(signed.data.signed_key)
    }
}

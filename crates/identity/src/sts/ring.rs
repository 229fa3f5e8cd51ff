//! The keys that sign now, and those before them whose tokens still count.
//!
//! Lives here: rotation by age, and keeping the ring sealed. Never: tokens.

use super::signer::{NoKey, Signer};
use crate::lend::{SealError, SealingKeys, open, seal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brattice_core::ports::{BoxFuture, Randomness, StoreError};
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a key signs.
pub const KEY_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Keys that no longer sign and still prove. A token lives less than the shortest time in which so many are made.
const PREVIOUS_MAX: usize = 2;
/// The name that the ring is sealed under; no target can have it.
const NAME: &str = "brattice:token-keys";

/// Where the sealed ring is kept.
pub trait RingStore: Send + Sync {
    /// What was kept last.
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>>;
    /// Keeps it in place of what was there.
    fn keep<'a>(&'a self, name: &'a str, blob: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// Why there is no ring of keys.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// No key.
    #[error(transparent)]
    Key(#[from] NoKey),
    /// The store does not answer.
    #[error("the keys of access tokens cannot be read or kept")]
    Store(#[source] StoreError),
    /// Sealed otherwise, or damaged.
    #[error("the keys of access tokens do not open")]
    Sealed(#[source] SealError),
    /// What was sealed is something else.
    #[error("the keys of access tokens cannot be understood")]
    Form,
}

/// Keys, the signing one first.
#[derive(Clone)]
pub struct Ring(Vec<(Timestamp, Arc<Signer>)>);

impl Ring {
    /// The ring that was kept; a fresh one where there is none.
    pub async fn open(
        store: &dyn RingStore,
        sealing: &SealingKeys,
        randomness: &dyn Randomness,
        now: Timestamp,
    ) -> Result<Self, RingError> {
        match store.load(NAME).await.map_err(RingError::Store)? {
            Some(blob) => match open(sealing, &blob, NAME) {
                Ok(plain) => {
                    let ring = Self::read(&plain)?;
                    let turned = ring.turned(store, sealing, randomness, now).await?;
                    Ok(turned.unwrap_or(ring))
                }
                // Tokens live for minutes: fresh keys cost less than a gateway that does not start.
                Err(error) => {
                    tracing::warn!(%error, "the keys of access tokens do not open and are made anew");
                    Self::fresh(store, sealing, randomness, now).await
                }
            },
            None => Self::fresh(store, sealing, randomness, now).await,
        }
    }

    async fn fresh(
        store: &dyn RingStore,
        sealing: &SealingKeys,
        randomness: &dyn Randomness,
        now: Timestamp,
    ) -> Result<Self, RingError> {
        let ring = Self(vec![(now, Arc::new(Signer::generate()?))]);
        ring.keep(store, sealing, randomness).await?;
        Ok(ring)
    }

    /// The ring with a fresh key in front, once the one that signs is old enough.
    pub async fn turned(
        &self,
        store: &dyn RingStore,
        sealing: &SealingKeys,
        randomness: &dyn Randomness,
        now: Timestamp,
    ) -> Result<Option<Self>, RingError> {
        let young = |(since, _): &(Timestamp, _)| now.since(*since) < KEY_LIFETIME;
        if self.0.first().is_some_and(young) {
            return Ok(None);
        }
        let mut keys = vec![(now, Arc::new(Signer::generate()?))];
        keys.extend(self.0.iter().take(PREVIOUS_MAX).cloned());
        let ring = Self(keys);
        ring.keep(store, sealing, randomness).await?;
        Ok(Some(ring))
    }

    /// The key that signs.
    pub fn signer(&self) -> Result<&Signer, NoKey> {
        self.0
            .first()
            .map(|(_, key)| key.as_ref())
            .ok_or(NoKey::Kept)
    }

    /// The key of this name, whose tokens count.
    pub fn find(&self, kid: &str) -> Option<&Signer> {
        let named = |(_, key): &&(Timestamp, Arc<Signer>)| key.kid() == kid;
        self.0.iter().find(named).map(|(_, key)| key.as_ref())
    }

    /// The public parts (RFC 7517).
    pub fn key_set(&self) -> Value {
        let keys: Vec<Value> = self.0.iter().map(|(_, key)| key.jwk()).collect();
        json!({ "keys": keys })
    }

    async fn keep(
        &self,
        store: &dyn RingStore,
        sealing: &SealingKeys,
        randomness: &dyn Randomness,
    ) -> Result<(), RingError> {
        let blob = seal(sealing, &self.written()?, NAME, randomness).map_err(RingError::Sealed)?;
        store.keep(NAME, &blob).await.map_err(RingError::Store)
    }

    fn written(&self) -> Result<Secret, RingError> {
        let rows: Result<Vec<Row>, NoKey> = self
            .0
            .iter()
            .map(|(since, key)| {
                let key = Zeroizing::new(STANDARD.encode(key.to_pkcs8()?.expose()));
                Ok(Row {
                    since: since.0,
                    key,
                })
            })
            .collect();
        let text = serde_json::to_vec(&rows?).map_err(|_| RingError::Form)?;
        Ok(Secret::new(text))
    }

    fn read(plain: &Secret) -> Result<Self, RingError> {
        let rows: Vec<Row> = serde_json::from_slice(plain.expose()).map_err(|_| RingError::Form)?;
        let keys: Result<Vec<_>, RingError> = rows
            .iter()
            .map(|row| {
                let der = STANDARD
                    .decode(row.key.as_bytes())
                    .map_err(|_| RingError::Form)?;
                let key = Signer::from_pkcs8(&Zeroizing::new(der))?;
                Ok((Timestamp(row.since), Arc::new(key)))
            })
            .collect();
        match keys? {
            keys if keys.is_empty() => Err(RingError::Form),
            keys => Ok(Self(keys)),
        }
    }
}

/// A key as it is sealed.
#[derive(Serialize, Deserialize)]
struct Row {
    since: i64,
    key: Zeroizing<String>,
}

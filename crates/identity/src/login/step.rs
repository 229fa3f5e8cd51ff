//! One step of a sign-in that waits for the next.
//!
//! Lives here: handles, and keeping a step sealed under its handle's digest. Never: what the steps are.

use super::{Logins, No, SIGN_IN_WAIT_MAX};
use crate::lend::{open, seal};
use crate::throttle::key_of as key_of_source;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_core::ids::{Digest, Hasher};
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Random bytes of a handle.
const HANDLE_BYTES: usize = 32;
/// The longest handle that is looked at.
const HANDLE_CHARS_MAX: usize = 100;

/// A kind of step. One kind's handle opens no other.
pub(super) trait Step: Serialize + DeserializeOwned {
    /// Its name.
    const KIND: &'static str;
    /// How long it waits.
    const WAIT_MAX: Duration = SIGN_IN_WAIT_MAX;
}

/// Under what a step is kept.
pub(super) fn key_of<S: Step>(handle: &str) -> Digest {
    let mut h = Hasher::new();
    h.field(b"brattice login step")
        .field(S::KIND.as_bytes())
        .field(handle.as_bytes());
    h.finish()
}

/// Under what a step is sealed that is not kept.
fn handed_out_key<S: Step>() -> Digest {
    key_of::<S>("handed out")
}

/// The digest of a secret that somebody will bring again: a cookie, a refresh token.
pub(super) fn print_of(secret: &str) -> Digest {
    Digest::of(secret.as_bytes())
}

/// The challenge of a verifier (RFC 7636, section 4.2).
pub(super) fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

impl Logins {
    /// Fresh random text: a handle, a nonce, a verifier.
    pub(super) fn fresh(&self) -> Result<String, No> {
        let mut bytes = [0; HANDLE_BYTES];
        self.parts.randomness.fill(&mut bytes)?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Keeps a step under this handle.
    pub(super) async fn keep<S: Step>(
        &self,
        handle: &str,
        step: &S,
        source: &str,
    ) -> Result<(), No> {
        let key = key_of::<S>(handle);
        let body = self.sealed(key, step)?;
        let until = self.now().plus(S::WAIT_MAX);
        // Each kind is counted apart: what anybody may begin pushes out nothing of those whom a provider vouched for.
        let source = format!("{} {}", S::KIND, key_of_source(source));
        Ok(self
            .parts
            .store
            .keep_step(key, body, &source, until)
            .await?)
    }

    /// A step as a text that its holder keeps instead of us: for what anybody may begin, and what may be gone on with more
    /// than once.
    pub(super) fn handed_out<S: Step>(&self, step: &S) -> Result<String, No> {
        let until = self.now().plus(S::WAIT_MAX);
        let body = self.sealed(handed_out_key::<S>(), &(until, step))?;
        Ok(URL_SAFE_NO_PAD.encode(body))
    }

    /// A step that was handed out; `None` when it is none of ours, or has ended.
    pub(super) fn handed_back<S: Step>(&self, text: &str) -> Option<S> {
        let body = URL_SAFE_NO_PAD.decode(text).ok()?;
        let opened = self.opened::<(Timestamp, S)>(handed_out_key::<S>(), &body);
        let (until, step) = opened.ok()?;
        (self.now() < until).then_some(step)
    }

    /// Reads a step and leaves it there.
    pub(super) async fn look<S: Step>(&self, handle: &str) -> Result<Option<(S, Vec<u8>)>, No> {
        if handle.len() > HANDLE_CHARS_MAX {
            return Ok(None);
        }
        let key = key_of::<S>(handle);
        let Some(body) = self.parts.store.step(key).await? else {
            return Ok(None);
        };
        Ok(Some((self.opened(key, &body)?, body)))
    }

    /// Takes a step: nobody else gets it.
    pub(super) async fn take<S: Step>(&self, handle: &str) -> Result<Option<S>, No> {
        if handle.len() > HANDLE_CHARS_MAX {
            return Ok(None);
        }
        let key = key_of::<S>(handle);
        let Some(body) = self.parts.store.take_step(key).await? else {
            return Ok(None);
        };
        self.opened(key, &body).map(Some)
    }

    /// Puts a step in place of one that was read; false when it changed since.
    pub(super) async fn change<S: Step>(
        &self,
        handle: &str,
        from: Vec<u8>,
        to: &S,
    ) -> Result<bool, No> {
        let key = key_of::<S>(handle);
        let to = self.sealed(key, to)?;
        Ok(self.parts.store.change_step(key, from, to).await?)
    }

    fn sealed<S: Serialize>(&self, key: Digest, step: &S) -> Result<Vec<u8>, No> {
        let plain = serde_json::to_vec(step).map_err(|_| unreadable())?;
        let (keys, randomness) = (&self.parts.sealing, self.parts.randomness.as_ref());
        Ok(seal(
            keys,
            &Secret::new(plain),
            &key.to_string(),
            randomness,
        )?)
    }

    fn opened<S: DeserializeOwned>(&self, key: Digest, body: &[u8]) -> Result<S, No> {
        let plain = open(&self.parts.sealing, body, &key.to_string())?;
        serde_json::from_slice(plain.expose()).map_err(|_| unreadable())
    }
}

fn unreadable() -> No {
    No::Unavailable("a step of a sign-in cannot be written or read".to_owned())
}

//! Keys of recordings: a random one for each session, wrapped by a master key.
//!
//! Lives here: wrapping, sealing, opening. Never: where the master key comes from; a key in a log or an error.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use brattice_core::ids::{Hasher, SessionId};
use brattice_core::ports::{Randomness, RecordFailed};
use brattice_core::secret::Secret;

/// Bytes of every key here.
const KEY_BYTES: usize = 32;
/// Bytes that encryption adds.
pub(crate) const TAG_BYTES: usize = 16;

/// Bytes that are no master key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a master key is exactly 32 random bytes")]
pub struct BadKey;

/// The master keys: one wraps, older ones still open what they wrapped.
pub struct MasterKeys(Vec<Master>);

struct Master {
    id: String,
    key: LessSafeKey,
}

impl MasterKeys {
    /// The key for new recordings.
    pub fn new(current: &Secret) -> Result<Self, BadKey> {
        Ok(Self(vec![Master::new(current)?]))
    }
    /// Adds a key that older recordings were wrapped with.
    pub fn with_older(mut self, older: &Secret) -> Result<Self, BadKey> {
        self.0.push(Master::new(older)?);
        Ok(self)
    }

    /// Makes a data key for a session: the key, its wrapped form, and the name of the master key.
    pub(crate) fn make_data_key(
        &self,
        session: &SessionId,
        random: &dyn Randomness,
    ) -> Result<(DataKey, Vec<u8>, &str), RecordFailed> {
        let refused = |_| RecordFailed("the recording's key could not be wrapped".to_owned());
        let master = self
            .0
            .first()
            .ok_or_else(|| RecordFailed("no master key".to_owned()))?;
        let mut plain = vec![0; KEY_BYTES];
        let filled = random.fill(&mut plain);
        let plain = Secret::new(plain);
        filled?;
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce)?;
        // What is wrapped is overwritten in place by its wrapped form.
        let mut body = plain.expose().to_vec();
        let tag = master
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(wrap_aad(session)),
                &mut body,
            )
            .map_err(refused)?;
        let wrapped = [nonce.as_slice(), &body, tag.as_ref()].concat();
        let key = DataKey::new(&plain)
            .map_err(|_| RecordFailed("the library refused the recording's key".to_owned()))?;
        Ok((key, wrapped, &master.id))
    }

    /// Unwraps a session's data key; `None` if no key here opens it.
    pub(crate) fn open_data_key(
        &self,
        id: &str,
        session: &SessionId,
        wrapped: &[u8],
    ) -> Option<DataKey> {
        let master = self.0.iter().find(|m| m.id == id)?;
        let (nonce, body) = wrapped.split_first_chunk::<NONCE_LEN>()?;
        let mut body = body.to_vec();
        let plain = master
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(wrap_aad(session)),
                &mut body,
            )
            .ok()?
            .len();
        body.truncate(plain);
        DataKey::new(&Secret::new(body)).ok()
    }
}

impl Master {
    fn new(secret: &Secret) -> Result<Self, BadKey> {
        let mut h = Hasher::new();
        h.field(b"brattice master key id").field(secret.expose());
        let id = h.finish().to_string().chars().take(16).collect();
        Ok(Self {
            id,
            key: aes(secret)?,
        })
    }
}

/// One session's key.
pub(crate) struct DataKey(LessSafeKey);

/// What a nonce is for. Together with the number it is unique for the key, a crash and its mending included.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use {
    Block = 0,
    Sealed = 1,
    Interrupted = 2,
}

impl DataKey {
    fn new(plain: &Secret) -> Result<Self, BadKey> {
        aes(plain).map(Self)
    }

    /// Encrypts in place and adds the tag.
    pub(crate) fn seal(&self, what: Use, number: u64, aad: &[u8], body: &mut Vec<u8>) -> bool {
        self.0
            .seal_in_place_append_tag(nonce(what, number), Aad::from(aad), body)
            .is_ok()
    }

    /// Decrypts in place; `None` if it was not sealed so with this key.
    pub(crate) fn open<'b>(
        &self,
        what: Use,
        number: u64,
        aad: &[u8],
        body: &'b mut [u8],
    ) -> Option<&'b [u8]> {
        self.0
            .open_in_place(nonce(what, number), Aad::from(aad), body)
            .ok()
            .map(|plain| &*plain)
    }
}

fn aes(secret: &Secret) -> Result<LessSafeKey, BadKey> {
    UnboundKey::new(&AES_256_GCM, secret.expose())
        .map(LessSafeKey::new)
        .map_err(|_| BadKey)
}

fn nonce(what: Use, number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let (kind, rest) = bytes.split_at_mut(4);
    kind.copy_from_slice(&(what as u32).to_be_bytes());
    rest.copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

fn wrap_aad(session: &SessionId) -> Vec<u8> {
    [b"brattice recording key 1 ", session.as_str().as_bytes()].concat()
}

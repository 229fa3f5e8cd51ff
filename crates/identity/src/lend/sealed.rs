//! Secrets sealed at rest.
//!
//! Lives here: AES-256-GCM over one secret, bound to the name it is kept under, and the port of the store that keeps
//! the blobs. Never: storage, where the key is kept.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brattice_core::ids::{Digest, Hasher};
use brattice_core::ports::{BoxFuture, Randomness, RecordFailed, StoreError};
use brattice_core::secret::Secret;
use std::fmt;
use zeroize::Zeroizing;

/// The form of the blob: this byte, the key's print, the nonce, the sealed text and its tag.
const FORM: u8 = 1;
const PRINT_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
const KEY_BYTES: usize = 32;
/// Largest secret that is sealed.
const PLAIN_BYTES_MAX: usize = 64 * 1024;

/// Where sealed secrets are kept.
pub trait SealedStore: Send + Sync {
    /// The blob kept under this name.
    fn sealed<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>>;
}

/// A key for sealing. Knows its own print, so that a blob sealed with another key is told from a damaged one.
pub struct SealingKey {
    key: LessSafeKey,
    print: [u8; PRINT_BYTES],
}

impl SealingKey {
    /// Takes 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        if bytes.len() != KEY_BYTES {
            return Err(SealError::NotAKey);
        }
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| SealError::NotAKey)?;
        let mut print = Hasher::new();
        print.field(b"brattice sealing key").field(bytes);
        let Digest(digest) = print.finish();
        let print = digest.first_chunk().copied().ok_or(SealError::NotAKey)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            print,
        })
    }

    /// Reads the written form: 32 bytes in base 64 or in hexadecimal, as found in a file or a variable.
    pub fn from_text(text: &Secret) -> Result<Self, SealError> {
        let text = text.expose_str().ok_or(SealError::NotAKey)?.trim();
        let bytes = if text.len() == KEY_BYTES * 2 {
            hex::decode(text).map_err(|_| SealError::NotAKey)?
        } else {
            STANDARD.decode(text).map_err(|_| SealError::NotAKey)?
        };
        Self::from_bytes(&Zeroizing::new(bytes))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", hex::encode(self.print))
    }
}

/// The key that seals, and those before it that still open.
#[derive(Debug)]
pub struct SealingKeys {
    /// Seals and opens.
    pub current: SealingKey,
    /// Open only.
    pub previous: Vec<SealingKey>,
}

impl SealingKeys {
    /// One key and no earlier ones.
    pub fn of(current: SealingKey) -> Self {
        Self {
            current,
            previous: Vec::new(),
        }
    }
    fn find(&self, print: &[u8]) -> Option<&SealingKey> {
        std::iter::once(&self.current)
            .chain(&self.previous)
            .find(|k| k.print == print)
    }
}

/// Why something could not be sealed or opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SealError {
    /// Not 32 bytes in base 64 or hexadecimal.
    #[error("the sealing key is not 32 bytes in base 64 or hexadecimal")]
    NotAKey,
    /// Nothing, or too much.
    #[error("a secret to seal has between 1 and 65536 bytes")]
    Size,
    /// No randomness.
    #[error("cannot make a nonce")]
    Randomness(#[source] RecordFailed),
    /// Sealed with a key that was not given.
    #[error("`{0}` is sealed with another key")]
    OtherKey(String),
    /// Damaged, or moved here from another name.
    #[error("`{0}` does not open: it is damaged or was sealed for another name")]
    DoesNotOpen(String),
}

/// Seals a secret for one name; it opens under that name only.
pub fn seal(
    keys: &SealingKeys,
    plain: &Secret,
    name: &str,
    randomness: &dyn Randomness,
) -> Result<Vec<u8>, SealError> {
    if plain.expose().is_empty() || plain.expose().len() > PLAIN_BYTES_MAX {
        return Err(SealError::Size);
    }
    let key = &keys.current;
    let mut nonce = [0; NONCE_BYTES];
    randomness.fill(&mut nonce).map_err(SealError::Randomness)?;
    let mut text = Zeroizing::new(plain.expose().to_vec());
    let tag = key
        .key
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound_to(&key.print, name)),
            text.as_mut_slice(),
        )
        .map_err(|_| SealError::Size)?;
    let mut blob = vec![FORM];
    blob.extend_from_slice(&key.print);
    blob.extend_from_slice(&nonce);
    blob.extend_from_slice(&text);
    blob.extend_from_slice(tag.as_ref());
    Ok(blob)
}

/// Opens what was sealed for this name.
pub fn open(keys: &SealingKeys, blob: &[u8], name: &str) -> Result<Secret, SealError> {
    let damaged = || SealError::DoesNotOpen(name.to_owned());
    let rest = blob.strip_prefix(&[FORM]).ok_or_else(damaged)?;
    let (print, rest) = rest
        .split_first_chunk::<PRINT_BYTES>()
        .ok_or_else(damaged)?;
    let (nonce, sealed) = rest
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or_else(damaged)?;
    let key = keys
        .find(print)
        .ok_or_else(|| SealError::OtherKey(name.to_owned()))?;
    let mut text = Zeroizing::new(sealed.to_vec());
    let plain = key
        .key
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(bound_to(print, name)),
            text.as_mut_slice(),
        )
        .map_err(|_| damaged())?;
    Ok(Secret::new(&*plain))
}

/// The name under which a part of a target's credential is sealed: the target's own for its password.
pub(super) fn name_of(target: &str, part: &str) -> String {
    match part {
        "password" => target.to_owned(),
        part => format!("{target}/{part}"),
    }
}

fn bound_to(print: &[u8; PRINT_BYTES], name: &str) -> [u8; 32] {
    let mut h = Hasher::new();
    h.field(b"brattice sealed credential")
        .field(&[FORM])
        .field(print)
        .field(name.as_bytes());
    h.finish().0
}

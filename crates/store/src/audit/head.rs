//! Signed heads: "this node's chain was at least so long, and its last link was this".
//!
//! Lives here: the keys, a head's content and signature, the file of heads. Never: when to sign.

use super::OpenError;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brattice_core::ids::{Digest, Hasher};
use brattice_core::ports::Randomness;
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Name of the file that heads are added to, one JSON object a line.
pub(crate) const HEADS: &str = "heads";
/// Name of the private key's file.
pub(crate) const SIGNING_KEY: &str = "signing.key";
/// Name of the public key's file: all that an offline check needs beside the log.
pub(crate) const SIGNING_PUB: &str = "signing.pub";
/// What precedes the 32 bytes of an Ed25519 public key in a SubjectPublicKeyInfo (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// No head's line is longer.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// A statement about the chain, signed by its node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Whose chain.
    pub node: String,
    /// How many entries it covers: those at positions below this.
    pub entries: u64,
    /// The chain after the last of them.
    pub chain: Digest,
    /// When it was signed.
    pub at: Timestamp,
    /// Ed25519 over the rest, base64.
    pub signature: String,
}

impl Head {
    fn digest(node: &str, entries: u64, chain: &Digest, at: Timestamp) -> Digest {
        let mut h = Hasher::new();
        h.field(b"brattice audit head 1")
            .field(node.as_bytes())
            .field(&entries.to_be_bytes())
            .field(&chain.0)
            .field(&at.0.to_be_bytes());
        h.finish()
    }

    /// Whether it was signed with the key's other half.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let Ok(signature) = STANDARD.decode(&self.signature) else {
            return false;
        };
        let digest = Self::digest(&self.node, self.entries, &self.chain, self.at);
        UnparsedPublicKey::new(&ED25519, &key.0)
            .verify(&digest.0, &signature)
            .is_ok()
    }
}

/// The half of the signing key that checks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// Text that is not an Ed25519 public key in PEM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key in PEM (SubjectPublicKeyInfo)")]
pub struct NotAKey;

impl PublicKey {
    /// Reads the PEM that [`PublicKey::to_pem`] writes.
    pub fn from_pem(pem: &str) -> Result<Self, NotAKey> {
        let der = pem_body(pem, "PUBLIC KEY").ok_or(NotAKey)?;
        let key = der.strip_prefix(&SPKI_PREFIX).ok_or(NotAKey)?;
        key.try_into().map(Self).map_err(|_| NotAKey)
    }
    /// The key as PEM, which `openssl pkey -pubin` reads too.
    pub fn to_pem(&self) -> String {
        let der: Vec<u8> = SPKI_PREFIX.iter().chain(&self.0).copied().collect();
        pem("PUBLIC KEY", &der)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", hex::encode(self.0))
    }
}

/// The half that signs.
pub(crate) struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// Reads the key of a log, or makes one for a log that is new.
    pub(crate) fn load_or_make(
        dir: &Path,
        is_new: bool,
        random: &dyn Randomness,
    ) -> Result<Self, OpenError> {
        let path = dir.join(SIGNING_KEY);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::load(dir, &Secret::new(text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound && is_new => Self::make(dir, random),
            Err(e) => Err(OpenError::io("read the signing key", &path, e)),
        }
    }

    fn load(dir: &Path, pem: &Secret) -> Result<Self, OpenError> {
        let bad = || OpenError::Key("signing.key does not hold an Ed25519 key in PEM".to_owned());
        let text = pem.expose_str().ok_or_else(bad)?;
        let der = Secret::new(pem_body(text, "PRIVATE KEY").ok_or_else(bad)?);
        let pair = Ed25519KeyPair::from_pkcs8(der.expose()).map_err(|_| bad())?;
        let key = Self::of(pair)?;
        let path = dir.join(SIGNING_PUB);
        match std::fs::read_to_string(&path) {
            Ok(text) if PublicKey::from_pem(&text) == Ok(key.public) => {}
            Ok(_) => {
                return Err(OpenError::Key(
                    "signing.pub does not belong to signing.key".to_owned(),
                ));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => key.write_public(dir)?,
            Err(e) => return Err(OpenError::io("read the public key", &path, e)),
        }
        Ok(key)
    }

    fn make(dir: &Path, random: &dyn Randomness) -> Result<Self, OpenError> {
        let mut seed = vec![0; 32];
        let filled = random.fill(&mut seed);
        let seed = Secret::new(seed);
        filled.map_err(|e| OpenError::Key(e.to_string()))?;
        let refused = |_| OpenError::Key("the library refused to make a key".to_owned());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(refused)?;
        let document = pair
            .to_pkcs8v1()
            .map_err(|_| OpenError::Key("the library refused to write the key".to_owned()))?;
        let text = Secret::new(pem("PRIVATE KEY", document.as_ref()));
        let key = Self::of(pair)?;
        key.write_public(dir)?;
        write_whole(dir, SIGNING_KEY, 0o600, text.expose())?;
        Ok(key)
    }

    fn of(pair: Ed25519KeyPair) -> Result<Self, OpenError> {
        let public = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| OpenError::Key("the public key has the wrong length".to_owned()))?;
        Ok(Self {
            pair,
            public: PublicKey(public),
        })
    }

    fn write_public(&self, dir: &Path) -> Result<(), OpenError> {
        write_whole(dir, SIGNING_PUB, 0o644, self.public.to_pem().as_bytes())
    }

    pub(crate) fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a statement about the chain.
    pub(crate) fn sign(&self, node: &str, entries: u64, chain: Digest, at: Timestamp) -> Head {
        let digest = Head::digest(node, entries, &chain, at);
        Head {
            node: node.to_owned(),
            entries,
            chain,
            at,
            signature: STANDARD.encode(self.pair.sign(&digest.0)),
        }
    }
}

/// Writes a file beside its place and moves it there, so that it is never seen half.
fn write_whole(dir: &Path, name: &str, mode: u32, bytes: &[u8]) -> Result<(), OpenError> {
    let place = dir.join(name);
    let beside = dir.join(format!("{name}.new"));
    let write = || -> io::Result<()> {
        match std::fs::remove_file(&beside) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, &place)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|e| OpenError::io("write the key", &place, e))
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while let Some((line, more)) = rest.split_at_checked(64) {
        out.push_str(line);
        out.push('\n');
        rest = more;
    }
    if !rest.is_empty() {
        out.push_str(rest);
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

fn pem_body(pem: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(body).ok()
}

/// Reads all heads. A last line without its end is a write that never finished, and is left out.
pub(crate) fn read_heads(path: &Path) -> io::Result<Vec<Result<Head, usize>>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    Ok(text
        .split_inclusive(|b| *b == b'\n')
        .filter_map(|line| line.strip_suffix(b"\n"))
        .enumerate()
        .map(|(n, line)| serde_json::from_slice(line).map_err(|_| n + 1))
        .collect())
}

/// Cuts a half-written last line off, and tells the newest head.
pub(crate) fn newest(path: &Path) -> Result<Option<Head>, OpenError> {
    let fail = |e| OpenError::io("read the signed heads", path, e);
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fail(e)),
    };
    let length = file.metadata().map_err(fail)?.len();
    let from = length.saturating_sub(2 * LINE_BYTES_MAX);
    file.seek(SeekFrom::Start(from)).map_err(fail)?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).map_err(fail)?;
    let Some(end) = tail.iter().rposition(|b| *b == b'\n') else {
        if from > 0 {
            return Err(OpenError::Heads("its last line is not possible".to_owned()));
        }
        file.set_len(0).map_err(fail)?;
        return Ok(None);
    };
    if end + 1 < tail.len() {
        file.set_len(from + end as u64 + 1).map_err(fail)?;
    }
    let whole = tail.get(..end).unwrap_or_default();
    let line = whole.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    serde_json::from_slice(line)
        .map(Some)
        .map_err(|_| OpenError::Heads("its last line is not a head".to_owned()))
}

/// The line that a head is kept as.
pub(crate) fn line(head: &Head) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(head)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_reads_back_from_its_pem() {
        let key = PublicKey([9; 32]);
        assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
        assert_eq!(PublicKey::from_pem("no key"), Err(NotAKey));
    }
}

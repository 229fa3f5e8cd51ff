//! SSH certificates (OpenSSH's PROTOCOL.certkeys) that the gateway signs.
//!
//! Lives here: which keys may be certified, what a certificate says, and signing it. Never: who may have one, what one
//! that is shown is worth, where keys are kept.

mod agent;
pub(crate) mod answer;
#[cfg(test)]
mod tests;

pub use agent::to_agent;

use brattice_core::ids::Digest;
use brattice_core::ports::{Randomness, RecordFailed};
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use ipnet::IpNet;
use ssh_key::certificate::{Builder, CertType};
use ssh_key::private::Ed25519Keypair;
use ssh_key::{Algorithm, HashAlg, LineEnding};
use zeroize::Zeroizing;

pub use ssh_key::{Certificate, PrivateKey, PublicKey};

/// Random bytes in a certificate, ahead of what it says: what is signed cannot be foreseen.
const NONCE_BYTES: usize = 32;
/// The longest public key that is read, as text.
const KEY_BYTES_MAX: usize = 4096;
/// The option that binds a certificate to addresses.
pub const SOURCE_ADDRESS: &str = "source-address";
/// The extension that lets its holder ask for a terminal.
pub const PERMIT_PTY: &str = "permit-pty";
/// The extension that lets its holder forward ports.
pub const PERMIT_PORTS: &str = "permit-port-forwarding";

/// Why there is no key or certificate.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// Not the text of a public key.
    #[error("it is not a public key as in a .pub file: ssh-ed25519 AAAA…")]
    NotAKey,
    /// Of a kind whose logins could not be checked here as they should be.
    #[error("a key of the kind {0} is not taken: make one with `ssh-keygen -t ed25519`")]
    Kind(String),
    /// A certificate without principals is good for anybody, so none is made.
    #[error("it would name nobody, which OpenSSH reads as anybody")]
    Nobody,
    /// No randomness.
    #[error("there are no random bytes")]
    Randomness(#[source] RecordFailed),
    /// What is written or signed cannot be.
    #[error("it cannot be written or signed")]
    Form(#[from] ssh_key::Error),
}

/// Whom a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For<'a> {
    /// A user: may ask for a terminal and nothing else, from these addresses, or from anywhere when there are none.
    User(&'a [IpNet]),
    /// The gateway itself at a host: for what it may have been told to let pass, which are terminals and forwarded ports.
    Login,
    /// A host.
    Host,
}

/// What a certificate says.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Whom it is for.
    pub holder: For<'a>,
    /// Its name in logs.
    pub key_id: &'a str,
    /// The user or host names it speaks for; never none.
    pub principals: &'a [String],
    /// From when it is good; whole seconds count.
    pub after: Timestamp,
    /// Until when.
    pub before: Timestamp,
}

/// A key that signs certificates.
#[derive(Debug)]
pub struct Authority(PrivateKey);

impl Authority {
    /// Signs with this key.
    ///
    /// # Errors
    /// When it is neither Ed25519 nor ECDSA.
    pub fn new(key: PrivateKey) -> Result<Self, SshError> {
        is_taken(key.public_key())?;
        Ok(Self(key))
    }

    /// Its public half.
    pub fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    /// The same as a line has it, `ssh-ed25519 AAAA…`, without a comment.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn line(&self) -> Result<String, SshError> {
        line(self.0.public_key())
    }

    /// Certifies a key.
    ///
    /// # Errors
    /// When the terms name nobody or make no sense, or without randomness.
    pub fn certify(
        &self,
        subject: &PublicKey,
        terms: &Terms<'_>,
        randomness: &dyn Randomness,
    ) -> Result<Certificate, SshError> {
        if terms.principals.is_empty() {
            return Err(SshError::Nobody);
        }
        let (mut nonce, mut serial) = ([0; NONCE_BYTES], [0; 8]);
        for buf in [nonce.as_mut_slice(), serial.as_mut_slice()] {
            randomness.fill(buf).map_err(SshError::Randomness)?;
        }
        let (after, before) = (seconds(terms.after), seconds(terms.before));
        let mut builder = Builder::new(nonce, subject.key_data().clone(), after, before)?;
        builder.serial(u64::from_be_bytes(serial))?;
        builder.key_id(terms.key_id)?;
        for principal in terms.principals {
            builder.valid_principal(principal)?;
        }
        match terms.holder {
            For::Host => {
                builder.cert_type(CertType::Host)?;
            }
            For::Login => {
                builder.cert_type(CertType::User)?;
                for extension in answer::EXTENSIONS {
                    builder.extension(extension, "")?;
                }
            }
            For::User(from) => {
                builder.cert_type(CertType::User)?;
                builder.extension(PERMIT_PTY, "")?;
                if !from.is_empty() {
                    let list: Vec<String> = from.iter().map(ToString::to_string).collect();
                    builder.critical_option(SOURCE_ADDRESS, list.join(","))?;
                }
            }
        }
        Ok(builder.sign(&self.0)?)
    }
}

/// Reads a public key that may be certified: Ed25519 or ECDSA. One of a security key (`sk-…`) is not taken: whether it was
/// touched stands in the signature of each login, which is not seen where certificates are checked.
///
/// # Errors
/// When it is none.
pub fn subject(text: &str) -> Result<PublicKey, SshError> {
    let text = text.trim();
    if text.len() > KEY_BYTES_MAX || text.contains('\n') {
        return Err(SshError::NotAKey);
    }
    let key = PublicKey::from_openssh(text).map_err(|_| SshError::NotAKey)?;
    is_taken(&key)?;
    Ok(key)
}

fn is_taken(key: &PublicKey) -> Result<(), SshError> {
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } => Ok(()),
        other => Err(SshError::Kind(other.as_str().to_owned())),
    }
}

/// The SHA-256 of a public key, as its fingerprint shows it.
pub fn key_sha256(key: &PublicKey) -> Option<Digest> {
    key.fingerprint(HashAlg::Sha256).sha256().map(Digest)
}

/// A fresh Ed25519 key.
///
/// # Errors
/// Without randomness.
pub fn new_key(randomness: &dyn Randomness) -> Result<PrivateKey, SshError> {
    let mut seed = Zeroizing::new([0; 32]);
    randomness
        .fill(seed.as_mut_slice())
        .map_err(SshError::Randomness)?;
    Ok(PrivateKey::from(Ed25519Keypair::from_seed(&seed)))
}

/// A private key as `ssh-keygen` writes it, without a passphrase.
///
/// # Errors
/// When it cannot be written.
pub fn private_text(key: &PrivateKey) -> Result<Secret, SshError> {
    let text = key.to_openssh(LineEnding::LF)?;
    Ok(Secret::new(text.as_bytes().to_vec()))
}

/// A public key as a line has it, without a comment.
///
/// # Errors
/// When it cannot be written.
pub fn line(key: &PublicKey) -> Result<String, SshError> {
    Ok(PublicKey::from(key.key_data().clone()).to_openssh()?)
}

/// Before 1970 is 1970.
fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.seconds()).unwrap_or(0)
}

//! The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677; PostgreSQL
//! documentation, "SASL Authentication"). Sans-io: the nonce is an argument, every state is consumed
//! by its one step, so an exchange is one attempt. A user who does not exist is answered with a
//! verifier derived from a secret of ours and refused at the end like a wrong password. Never here:
//! where verifiers are kept.

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::num::NonZeroU32;
use subtle::{Choice, ConstantTimeEq};

/// The mechanism without channel binding.
pub const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
/// The mechanism with channel binding.
pub const SCRAM_SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";
/// The work factor PostgreSQL gives new passwords.
pub const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4_095);

/// The random bytes of a server nonce, as many as PostgreSQL's.
pub const NONCE_BYTES: usize = 18;
/// Real messages have less than 300 bytes.
const MESSAGE_BYTES_MAX: usize = 2_048;
/// PostgreSQL's salts have 16 bytes.
const SALT_BYTES_MAX: usize = 64;
const KEY_BYTES: usize = 32;
const VERIFIER_SCHEME: &str = "SCRAM-SHA-256";
const BINDING_TYPE: &str = "p=tls-server-end-point";

/// Why an exchange ends without proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramRefused {
    /// A message that does not follow the grammar.
    #[error("a SCRAM message is malformed")]
    Malformed,
    /// A mechanism that was not offered.
    #[error("the SASL mechanism was not offered")]
    Mechanism,
    /// The binding to the TLS channel is missing, wrong, or was stripped on the way.
    #[error("the SCRAM channel binding does not match this connection")]
    Binding,
    /// The nonce is not the one of this exchange.
    #[error("the SCRAM nonce is not the one of this exchange")]
    Nonce,
    /// The password is wrong or the user unknown; nobody is told which.
    #[error("password authentication failed")]
    Proof,
}

impl ScramRefused {
    /// The SQLSTATE to refuse with.
    #[must_use]
    pub const fn sqlstate(self) -> &'static str {
        match self {
            Self::Malformed | Self::Mechanism | Self::Nonce => "08P01",
            Self::Binding => "28000",
            Self::Proof => "28P01",
        }
    }
}

/// A password that SCRAM cannot be given here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a password must be printable ASCII and not empty")]
pub struct UnfitPassword;

/// What is kept of a password: enough to check a proof, not enough to make one.
#[derive(Clone)]
pub struct Verifier {
    salt: Vec<u8>,
    iterations: NonZeroU32,
    stored_key: [u8; KEY_BYTES],
    server_key: [u8; KEY_BYTES],
    /// Stands for nobody: the exchange runs to its end and fails.
    mock: bool,
}

impl Verifier {
    /// Derives a verifier. Our passwords are minted by us: printable ASCII, which SASLprep (RFC 4013)
    /// leaves as it is; others are refused rather than prepared.
    ///
    /// # Errors
    /// When the password has other characters or none.
    pub fn derive(
        password: &[u8],
        salt: &[u8],
        iterations: NonZeroU32,
    ) -> Result<Self, UnfitPassword> {
        let printable = |byte: &u8| (0x20..0x7f).contains(byte);
        if password.is_empty() || !password.iter().all(printable) {
            return Err(UnfitPassword);
        }
        let mut salted = zeroize::Zeroizing::new([0_u8; KEY_BYTES]);
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            salt,
            password,
            salted.as_mut_slice(),
        );
        let client_key = mac(salted.as_slice(), &[b"Client Key"]);
        Ok(Self {
            salt: salt.to_vec(),
            iterations,
            stored_key: sha256(&client_key),
            server_key: mac(salted.as_slice(), &[b"Server Key"]),
            mock: false,
        })
    }

    /// Whether this is the password, where it is given in clear over a connection that is encrypted.
    #[must_use]
    pub fn is_of(&self, password: &[u8]) -> bool {
        let Ok(given) = Self::derive(password, &self.salt, self.iterations) else {
            return false;
        };
        let same = aws_lc_rs::constant_time::verify_slices_are_equal;
        !self.mock && same(&given.stored_key, &self.stored_key).is_ok()
    }

    /// A verifier for a user who does not exist: the same salt each time it is asked for, and no
    /// password that fits.
    #[must_use]
    pub fn mock(server_secret: &[u8; KEY_BYTES], user: &str, iterations: NonZeroU32) -> Self {
        let salt = mac(server_secret, &[b"salt\0", user.as_bytes()]);
        Self {
            salt: salt.iter().copied().take(16).collect(),
            iterations,
            stored_key: mac(server_secret, &[b"stored\0", user.as_bytes()]),
            server_key: mac(server_secret, &[b"server\0", user.as_bytes()]),
            mock: true,
        }
    }

    /// Reads the form PostgreSQL keeps in `pg_authid`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('$');
        let (scheme, work, keys) = (parts.next()?, parts.next()?, parts.next()?);
        if scheme != VERIFIER_SCHEME || parts.next().is_some() {
            return None;
        }
        let (iterations, salt) = work.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let salt = STANDARD.decode(salt).ok()?;
        if salt.is_empty() || salt.len() > SALT_BYTES_MAX {
            return None;
        }
        Some(Self {
            salt,
            iterations: iterations.parse().ok()?,
            stored_key: STANDARD.decode(stored_key).ok()?.try_into().ok()?,
            server_key: STANDARD.decode(server_key).ok()?.try_into().ok()?,
            mock: false,
        })
    }

    /// Writes the form PostgreSQL keeps in `pg_authid`; nothing for a mock.
    #[must_use]
    pub fn format(&self) -> Option<String> {
        let text = format!(
            "{VERIFIER_SCHEME}${}:{}${}:{}",
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.stored_key),
            STANDARD.encode(self.server_key)
        );
        (!self.mock).then_some(text)
    }
}

/// Shows nothing: a verifier is enough to guess passwords against.
impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}

/// The mechanism a client chose, checked against what was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Without channel binding.
    Plain,
    /// With channel binding.
    Plus,
}

impl Mechanism {
    /// The mechanism of this name.
    ///
    /// # Errors
    /// When it is none of ours, or needs the channel binding data of a TLS connection there is not.
    pub fn choose(name: &[u8], end_point: Option<&[u8]>) -> Result<Self, ScramRefused> {
        match (name, end_point) {
            (name, _) if name == SCRAM_SHA_256.as_bytes() => Ok(Self::Plain),
            (name, Some(_)) if name == SCRAM_SHA_256_PLUS.as_bytes() => Ok(Self::Plus),
            _ => Err(ScramRefused::Mechanism),
        }
    }
}

/// An exchange that awaits the client's first message.
#[derive(Debug)]
pub struct Exchange {
    verifier: Verifier,
    mechanism: Mechanism,
    end_point: Option<Vec<u8>>,
    server_nonce: String,
}

impl Exchange {
    /// Begins an exchange. `end_point` is the connection's `tls-server-end-point` data (RFC 5929), if
    /// the mechanism with channel binding was offered; `nonce` is fresh randomness.
    #[must_use]
    pub fn new(
        verifier: Verifier,
        mechanism: Mechanism,
        end_point: Option<&[u8]>,
        nonce: &[u8; NONCE_BYTES],
    ) -> Self {
        Self {
            verifier,
            mechanism,
            end_point: end_point.map(<[u8]>::to_vec),
            server_nonce: STANDARD.encode(nonce),
        }
    }

    /// Reads the client's first message; gives the server's first and the state that awaits the proof.
    ///
    /// # Errors
    /// When the message is malformed or its channel binding does not go with the mechanism.
    pub fn client_first(self, message: &[u8]) -> Result<(String, AwaitsProof), ScramRefused> {
        let message = text(message)?;
        let (flag, rest) = message.split_once(',').ok_or(ScramRefused::Malformed)?;
        let (authzid, bare) = rest.split_once(',').ok_or(ScramRefused::Malformed)?;
        if !authzid.is_empty() {
            return Err(ScramRefused::Malformed);
        }
        let binding = match (self.mechanism, flag, self.end_point) {
            (Mechanism::Plain, "n", _) | (Mechanism::Plain, "y", None) => Vec::new(),
            // "y" says that the server offered no binding, and it did: somebody removed the offer.
            (Mechanism::Plain, "y", Some(_)) => return Err(ScramRefused::Binding),
            (Mechanism::Plus, BINDING_TYPE, Some(end_point)) => end_point,
            _ => return Err(ScramRefused::Binding),
        };
        let client_nonce = first_nonce(bare)?;
        let nonce = format!("{client_nonce}{}", self.server_nonce);
        let server_first = format!(
            "r={nonce},s={},i={}",
            STANDARD.encode(&self.verifier.salt),
            self.verifier.iterations
        );
        let mut expected_binding = format!("{flag},,").into_bytes();
        expected_binding.extend_from_slice(&binding);
        let awaits = AwaitsProof {
            auth_message: format!("{bare},{server_first},"),
            nonce,
            binding: STANDARD.encode(expected_binding),
            verifier: self.verifier,
        };
        Ok((server_first, awaits))
    }
}

/// An exchange that awaits the client's proof.
pub struct AwaitsProof {
    verifier: Verifier,
    nonce: String,
    /// The `c=` attribute, as it must be.
    binding: String,
    /// The first two parts of AuthMessage, each with its comma.
    auth_message: String,
}

impl AwaitsProof {
    /// Checks the client's proof; gives the server's last message, which proves the server.
    ///
    /// # Errors
    /// When the message is malformed, belongs to another exchange or channel, or proves nothing.
    pub fn client_final(self, message: &[u8]) -> Result<String, ScramRefused> {
        let message = text(message)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(ScramRefused::Malformed)?;
        let mut attributes = without_proof.split(',');
        let mut attribute = |name: &str| {
            let found = attributes.next().and_then(|text| text.strip_prefix(name));
            found.ok_or(ScramRefused::Malformed)
        };
        let (binding, nonce) = (attribute("c=")?, attribute("r=")?);
        if !bool::from(binding.as_bytes().ct_eq(self.binding.as_bytes())) {
            return Err(ScramRefused::Binding);
        }
        if !bool::from(nonce.as_bytes().ct_eq(self.nonce.as_bytes())) {
            return Err(ScramRefused::Nonce);
        }
        let proof: [u8; KEY_BYTES] = STANDARD
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok())
            .ok_or(ScramRefused::Malformed)?;

        let auth_message = [self.auth_message.as_bytes(), without_proof.as_bytes()];
        let mut client_key = mac(&self.verifier.stored_key, &auth_message);
        for (byte, proof) in client_key.iter_mut().zip(proof) {
            *byte ^= proof;
        }
        let signature = mac(&self.verifier.server_key, &auth_message);
        let fits = sha256(&client_key).ct_eq(&self.verifier.stored_key);
        let real = !Choice::from(u8::from(self.verifier.mock));
        if bool::from(fits & real) {
            Ok(format!("v={}", STANDARD.encode(signature)))
        } else {
            Err(ScramRefused::Proof)
        }
    }
}

/// Shows nothing of the exchange.
impl std::fmt::Debug for AwaitsProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AwaitsProof")
    }
}

fn text(message: &[u8]) -> Result<&str, ScramRefused> {
    if message.len() > MESSAGE_BYTES_MAX || message.contains(&0) {
        return Err(ScramRefused::Malformed);
    }
    std::str::from_utf8(message).map_err(|_| ScramRefused::Malformed)
}

/// The nonce of `client-first-message-bare`. The name in it is ignored, as PostgreSQL does: the user
/// is the one of the start-up message. A mandatory extension (`m=`) is refused; optional ones behind
/// the nonce are covered by the signatures and otherwise ignored (RFC 5802, section 5.1).
fn first_nonce(bare: &str) -> Result<&str, ScramRefused> {
    let mut attributes = bare.split(',');
    let _name = attributes
        .next()
        .and_then(|name| name.strip_prefix("n="))
        .ok_or(ScramRefused::Malformed)?;
    attributes
        .next()
        .and_then(|nonce| nonce.strip_prefix("r="))
        .filter(|nonce| !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or(ScramRefused::Malformed)
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; KEY_BYTES] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    fixed(context.sign().as_ref())
}

fn sha256(bytes: &[u8]) -> [u8; KEY_BYTES] {
    fixed(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// SHA-256 gives exactly as many bytes as fit.
fn fixed(bytes: &[u8]) -> [u8; KEY_BYTES] {
    let mut fixed = [0; KEY_BYTES];
    for (to, from) in fixed.iter_mut().zip(bytes) {
        *to = *from;
    }
    fixed
}

#[cfg(test)]
#[path = "scram_tests.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests;

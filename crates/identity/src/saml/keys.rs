//! Our own keys: those that assertions are encrypted to, and the one that signs requests.
//!
//! Lives here: reading them as the operator gives them, and signing. Never: keys of providers, decrypting.

use super::certificate::PublicKey;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::PrivateDecryptingKey;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use brattice_core::secret::Secret;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::fmt;
use zeroize::Zeroizing;

/// What is wrong with a key of another kind.
pub(super) const NOT_RSA: &str = "the key is not an RSA key of 2048 bits or more";

/// A key of ours, as the operator gives it.
#[derive(Debug, Clone)]
pub struct KeyConfig {
    /// The private key, RSA in PKCS #8, as PEM.
    pub key: Secret,
    /// Its certificate as PEM, which our metadata shows to the provider. Only its key counts.
    pub certificate: Vec<u8>,
}

/// A private key and the certificate of the same key, both in DER.
pub(super) struct Pair {
    pub pkcs8: Zeroizing<Vec<u8>>,
    pub certificate: Vec<u8>,
}

impl Pair {
    pub(super) fn read(config: &KeyConfig) -> Result<Self, &'static str> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(config.key.expose())
            .map_err(|_| "the key is no PKCS #8 private key in PEM")?;
        let pkcs8 = Zeroizing::new(der.secret_pkcs8_der().to_vec());
        let key = PrivateDecryptingKey::from_pkcs8(&pkcs8).map_err(|_| NOT_RSA)?;
        let certificate = CertificateDer::from_pem_slice(&config.certificate)
            .map_err(|_| "the certificate is not one in PEM")?
            .to_vec();
        let ours = key.public_key().as_der().map_err(|_| NOT_RSA)?;
        match PublicKey::of_certificate(&certificate) {
            Some(theirs) if theirs.spki == ours.as_ref() => Ok(Self { pkcs8, certificate }),
            _ => Err("the certificate is not that of the key"),
        }
    }
}

/// The key that signs requests, by RSA and SHA-256.
pub(super) struct SigningKey {
    key: RsaKeyPair,
    /// In DER.
    pub certificate: Vec<u8>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl SigningKey {
    pub(super) fn new(config: &KeyConfig) -> Result<Self, &'static str> {
        let pair = Pair::read(config)?;
        Ok(Self {
            key: RsaKeyPair::from_pkcs8(&pair.pkcs8).map_err(|_| NOT_RSA)?,
            certificate: pair.certificate,
        })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message,
                &mut signature,
            )
            .ok()?;
        Some(signature)
    }
}

//! X.509 certificates, as far as SAML uses them: as a wrapping around a public key.
//!
//! Lives here: taking the key out. Never: trust. Metadata's keys are trusted because the operator gave the file; a
//! certificate's dates, issuer and signature say nothing more about them (SAML 2.0 Metadata Interoperability Profile,
//! section 2.5.1).

use crate::der::{EXPLICIT_0 as VERSION, INTEGER, OID, SEQUENCE, Tlv};
use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

/// What a key can verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Rsa,
    P256,
    P384,
}

/// A public key that may verify signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    pub kind: KeyKind,
    /// `SubjectPublicKeyInfo`, in DER.
    pub spki: Vec<u8>,
}

impl PublicKey {
    /// The key of a certificate in DER; `None` if there is none, or none that is accepted (RSA of 2048 bits or more,
    /// P-256, P-384).
    pub(super) fn of_certificate(der: &[u8]) -> Option<Self> {
        let spki = spki_of(der)?;
        let kind = kind_of(spki)?;
        if kind == KeyKind::Rsa {
            PublicEncryptingKey::from_der(spki).ok()?;
        }
        Some(Self {
            kind,
            spki: spki.to_vec(),
        })
    }

    /// Whether this is its signature.
    pub(super) fn verifies(
        &self,
        algorithm: &'static dyn VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        UnparsedPublicKey::new(algorithm, &self.spki)
            .verify(message, signature)
            .is_ok()
    }
}

/// What a signature's algorithm is, by its kind of key and its identifier.
pub(super) fn algorithm(uri: &str) -> Option<(KeyKind, &'static dyn VerificationAlgorithm)> {
    use super::names as n;
    Some(match uri {
        n::RSA_SHA256 => (KeyKind::Rsa, &signature::RSA_PKCS1_2048_8192_SHA256),
        n::RSA_SHA384 => (KeyKind::Rsa, &signature::RSA_PKCS1_2048_8192_SHA384),
        n::RSA_SHA512 => (KeyKind::Rsa, &signature::RSA_PKCS1_2048_8192_SHA512),
        n::ECDSA_SHA256 => (KeyKind::P256, &signature::ECDSA_P256_SHA256_FIXED),
        n::ECDSA_SHA384 => (KeyKind::P384, &signature::ECDSA_P384_SHA384_FIXED),
        _ => return None,
    })
}

/// The `SubjectPublicKeyInfo` of a certificate (RFC 5280, section 4.1).
fn spki_of(certificate: &[u8]) -> Option<&[u8]> {
    let (outer, rest) = Tlv::read(certificate)?;
    let (tbs, _) = Tlv::read(outer.value(SEQUENCE).filter(|_| rest.is_empty())?)?;
    let mut fields = tbs.value(SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = Tlv::read(fields)?.1;
    }
    // Serial number, signature, issuer, validity, subject.
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        let (field, rest) = Tlv::read(fields)?;
        field.value(tag)?;
        fields = rest;
    }
    let (spki, _) = Tlv::read(fields)?;
    spki.value(SEQUENCE)?;
    Some(spki.whole)
}

fn kind_of(spki: &[u8]) -> Option<KeyKind> {
    let (outer, _) = Tlv::read(spki)?;
    let (algorithm, _) = Tlv::read(outer.value(SEQUENCE)?)?;
    let (name, parameters) = Tlv::read(algorithm.value(SEQUENCE)?)?;
    match name.value(OID)? {
        RSA => Some(KeyKind::Rsa),
        EC => match Tlv::read(parameters)?.0.value(OID)? {
            P256 => Some(KeyKind::P256),
            P384 => Some(KeyKind::P384),
            _ => None,
        },
        _ => None,
    }
}

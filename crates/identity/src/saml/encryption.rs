//! Encrypted assertions (XML Encryption 1.1).
//!
//! Lives here: taking the text out of an `EncryptedAssertion` with our keys. Never: trust in what comes out of it;
//! encryption says nothing about its sender.
//!
//! Only AES-GCM under RSA-OAEP is accepted. AES-CBC has no integrity of its own, so that whoever can send us texts and
//! watch us refuse them could decrypt with our key (Jager and Somorovsky, 2011), and RSA PKCS #1 v1.5 likewise.

use super::keys::{KeyConfig, NOT_RSA, Pair};
use super::names::{
    AES128_GCM, AES256_GCM, DS, MGF1_SHA256, RSA_OAEP, RSA_OAEP_MGF1P, SHA1, SHA256, XENC,
    XENC_ELEMENT, XENC11,
};
use super::refusal::SamlRefused;
use super::signature::base64_of;
use super::xml::{Children, Element};
use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    PrivateDecryptingKey,
};
use std::fmt;
use zeroize::Zeroizing;

/// A key that assertions may be encrypted to.
pub(super) struct DecryptionKey {
    key: OaepPrivateDecryptingKey,
    /// In DER.
    pub certificate: Vec<u8>,
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecryptionKey(…)")
    }
}

impl DecryptionKey {
    /// Reads key and certificate.
    pub(super) fn new(config: &KeyConfig) -> Result<Self, &'static str> {
        let pair = Pair::read(config)?;
        let key = PrivateDecryptingKey::from_pkcs8(&pair.pkcs8).map_err(|_| NOT_RSA)?;
        Ok(Self {
            key: OaepPrivateDecryptingKey::new(key).map_err(|_| NOT_RSA)?,
            certificate: pair.certificate,
        })
    }

    fn unwrap(&self, wrapped: &Wrapped) -> Option<Zeroizing<Vec<u8>>> {
        let mut buffer = Zeroizing::new(vec![0; self.key.min_output_size()]);
        let key = self
            .key
            .decrypt(wrapped.algorithm, &wrapped.key, &mut buffer, None)
            .ok()?;
        Some(Zeroizing::new(key.to_vec()))
    }
}

/// The text within an `EncryptedAssertion`. All that can go wrong here is one refusal.
pub(super) fn decrypted(
    encrypted: &Element,
    keys: &[DecryptionKey],
) -> Result<Zeroizing<Vec<u8>>, SamlRefused> {
    let parts = Parts::read(encrypted).map_err(|_| SamlRefused::Encryption)?;
    keys.iter()
        .filter_map(|key| parts.opened(&key.unwrap(&parts.wrapped)?))
        .next()
        .ok_or(SamlRefused::Encryption)
}

struct Parts {
    algorithm: &'static Algorithm,
    /// Nonce, ciphertext, tag.
    text: Vec<u8>,
    wrapped: Wrapped,
}

struct Wrapped {
    algorithm: &'static OaepAlgorithm,
    key: Vec<u8>,
}

impl Parts {
    fn read(encrypted: &Element) -> Result<Self, SamlRefused> {
        let mut outer = encrypted.only(&[])?.children()?;
        let data = outer.need(XENC, "EncryptedData")?;
        let beside = outer.take(XENC, "EncryptedKey");
        outer.end()?;

        if data
            .only(&["Id", "Type", "MimeType", "Encoding"])?
            .attribute("Type")
            != Some(XENC_ELEMENT)
        {
            return Err(SamlRefused::Encryption);
        }
        let mut parts = data.children()?;
        let method = parts.need(XENC, "EncryptionMethod")?.only(&["Algorithm"])?;
        let algorithm = match method.empty()?.needs("Algorithm")? {
            AES128_GCM => &AES_128_GCM,
            AES256_GCM => &AES_256_GCM,
            _ => return Err(SamlRefused::Encryption),
        };
        let within = match parts.take(DS, "KeyInfo") {
            Some(info) => the_key_in(info)?,
            None => None,
        };
        let text = cipher_value(&mut parts)?;
        parts.end()?;
        let (Some(key), None) = (within.or(beside), within.and(beside)) else {
            return Err(SamlRefused::Encryption);
        };
        Ok(Self {
            algorithm,
            text,
            wrapped: Wrapped::read(key)?,
        })
    }

    fn opened(&self, key: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let key = LessSafeKey::new(UnboundKey::new(self.algorithm, key).ok()?);
        let (nonce, sealed) = self.text.split_first_chunk::<NONCE_LEN>()?;
        let mut text = Zeroizing::new(sealed.to_vec());
        let length = key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::empty(),
                &mut text,
            )
            .ok()?
            .len();
        text.truncate(length);
        Some(text)
    }
}

/// The one `EncryptedKey` of a `KeyInfo`; what else stands there are hints.
fn the_key_in(info: &Element) -> Result<Option<&Element>, SamlRefused> {
    let mut found = None;
    let mut children = info.only(&["Id"])?.children()?;
    while let Some(child) = children.any() {
        if child.is(XENC, "EncryptedKey") && found.replace(child).is_some() {
            return Err(SamlRefused::Encryption);
        }
    }
    Ok(found)
}

impl Wrapped {
    fn read(key: &Element) -> Result<Self, SamlRefused> {
        let mut parts = key.only(&["Id", "Recipient"])?.children()?;
        let algorithm = wrapping(parts.need(XENC, "EncryptionMethod")?.only(&["Algorithm"])?)?;
        parts.take(DS, "KeyInfo");
        let key = cipher_value(&mut parts)?;
        parts.take(XENC, "ReferenceList");
        parts.take(XENC, "CarriedKeyName");
        parts.end()?;
        Ok(Self { algorithm, key })
    }
}

/// RSA-OAEP with one hash for both of its uses; SHA-1 does no harm here, and is what everybody sends.
fn wrapping(method: &Element) -> Result<&'static OaepAlgorithm, SamlRefused> {
    let name = method.needs("Algorithm")?;
    let mut parts = method.children()?;
    let digest = match parts.take(DS, "DigestMethod") {
        Some(digest) => digest.only(&["Algorithm"])?.empty()?.needs("Algorithm")?,
        None => SHA1,
    };
    let mask = match parts.take(XENC11, "MGF") {
        Some(mask) => Some(mask.only(&["Algorithm"])?.empty()?.needs("Algorithm")?),
        None => None,
    };
    parts.end()?;
    match (name, digest, mask) {
        (RSA_OAEP_MGF1P, SHA1, None) => Ok(&OAEP_SHA1_MGF1SHA1),
        (RSA_OAEP, SHA256, Some(MGF1_SHA256)) => Ok(&OAEP_SHA256_MGF1SHA256),
        _ => Err(SamlRefused::Encryption),
    }
}

fn cipher_value(parts: &mut Children<'_>) -> Result<Vec<u8>, SamlRefused> {
    let mut data = parts.need(XENC, "CipherData")?.only(&[])?.children()?;
    let value = base64_of(data.need(XENC, "CipherValue")?.only(&[])?)?;
    data.end()?;
    Ok(value)
}

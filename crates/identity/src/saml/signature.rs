//! XML signatures, as SAML allows them: enveloped, over the element they stand in.
//!
//! Lives here: whether an element was signed by one of the provider's keys, and the type that says so. Never: a key or
//! a certificate out of the message (`KeyInfo` is not read), reading what was signed.
//!
//! The shape is fixed (SAML Core, section 5.4; XML Signature, section 4): one reference, to the identifier of the parent;
//! the two transforms in their order; exclusive canonicalisation; SHA-2; nothing else.

use super::certificate::{PublicKey, algorithm};
use super::names::{DS, ENVELOPED, EXC_C14N, SHA256, SHA384, SHA512};
use super::refusal::SamlRefused;
use super::xml::{Children, Element, canonical};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Most prefixes that a signer may have treated as inclusive.
const PREFIXES_MAX: usize = 16;

/// An element that a key of the provider signed. Only [`signed`] makes one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed<'a>(&'a Element);

impl<'a> Signed<'a> {
    /// The very element that was verified.
    pub(super) fn element(self) -> &'a Element {
        self.0
    }
}

/// Verifies the signature `signature`, a child of `element`, over `element`.
pub(super) fn signed<'a>(
    element: &'a Element,
    signature: &'a Element,
    keys: &[PublicKey],
) -> Result<Signed<'a>, SamlRefused> {
    let mut parts = signature.only(&["Id"])?.children()?;
    let info = parts.need(DS, "SignedInfo")?;
    let value = parts.need(DS, "SignatureValue")?;
    let value = base64_of(value.only(&["Id"])?)?;
    if let Some(key_info) = parts.take(DS, "KeyInfo") {
        ignorable(key_info)?;
    }
    parts.end()?;

    let mut parts = info.only(&["Id"])?.children()?;
    let info_prefixes = canonicalisation(parts.need(DS, "CanonicalizationMethod")?)?;
    let method = parts.need(DS, "SignatureMethod")?.only(&["Algorithm"])?;
    let (kind, verifier) =
        algorithm(method.empty()?.needs("Algorithm")?).ok_or(SamlRefused::Algorithm("a method"))?;
    let reference = Reference::read(parts.need(DS, "Reference")?)?;
    parts.end()?;

    if reference.uri.strip_prefix('#') != Some(element.needs("ID")?) {
        return Err(SamlRefused::Covers);
    }
    let covered = canonical(element, &reference.prefixes, Some(signature));
    let found = digest::digest(reference.digest, covered.as_bytes());
    if found.as_ref() != reference.value {
        return Err(SamlRefused::Signature);
    }
    let info = canonical(info, &info_prefixes, None);
    let good = keys
        .iter()
        .filter(|key| key.kind == kind)
        .any(|key| key.verifies(verifier, info.as_bytes(), &value));
    match good {
        true => Ok(Signed(element)),
        false => Err(SamlRefused::Signature),
    }
}

struct Reference<'a> {
    uri: &'a str,
    prefixes: Vec<&'a str>,
    digest: &'static digest::Algorithm,
    value: Vec<u8>,
}

impl<'a> Reference<'a> {
    fn read(reference: &'a Element) -> Result<Self, SamlRefused> {
        let mut parts = reference.only(&["Id", "URI"])?.children()?;
        let mut transforms = parts.need(DS, "Transforms")?.only(&[])?.children()?;
        let enveloped = transforms.need(DS, "Transform")?.only(&["Algorithm"])?;
        if enveloped.empty()?.needs("Algorithm")? != ENVELOPED {
            return Err(SamlRefused::Algorithm("a transform"));
        }
        let prefixes = canonicalisation(transforms.need(DS, "Transform")?)?;
        if transforms.any().is_some() {
            return Err(SamlRefused::Algorithm("a transform"));
        }
        let method = parts.need(DS, "DigestMethod")?.only(&["Algorithm"])?;
        let digest = match method.empty()?.needs("Algorithm")? {
            SHA256 => &digest::SHA256,
            SHA384 => &digest::SHA384,
            SHA512 => &digest::SHA512,
            _ => return Err(SamlRefused::Algorithm("a digest")),
        };
        let value = base64_of(parts.need(DS, "DigestValue")?.only(&[])?)?;
        parts.end()?;
        Ok(Self {
            uri: reference.needs("URI")?,
            prefixes,
            digest,
            value,
        })
    }
}

/// The prefixes of a canonicalisation, which must be the exclusive one without comments.
fn canonicalisation(method: &Element) -> Result<Vec<&str>, SamlRefused> {
    if method.only(&["Algorithm"])?.needs("Algorithm")? != EXC_C14N {
        return Err(SamlRefused::Algorithm("a canonicalisation or transform"));
    }
    let mut parts = method.children()?;
    let mut prefixes = Vec::new();
    if let Some(list) = parts.take(EXC_C14N, "InclusiveNamespaces") {
        let list = list.only(&["PrefixList"])?.empty()?.needs("PrefixList")?;
        prefixes = list
            .split_ascii_whitespace()
            .map(|p| if p == "#default" { "" } else { p })
            .collect();
    }
    parts.end()?;
    match prefixes.len() <= PREFIXES_MAX {
        true => Ok(prefixes),
        false => Err(SamlRefused::Shape("PrefixList")),
    }
}

/// `KeyInfo` is a hint, and ours is the choice of keys; but nothing may be hidden in it either.
fn ignorable(key_info: &Element) -> Result<(), SamlRefused> {
    let mut of_signature = true;
    key_info.each(&mut |e| of_signature &= e.namespace() == DS);
    match of_signature {
        true => Ok(()),
        false => Err(SamlRefused::Shape("KeyInfo")),
    }
}

/// The children that come before a signature's place and the signature itself, if there is one (SAML Core, sections
/// 2.3.3 and 3.2.2: right after the issuer).
pub(super) fn signature_of<'a>(children: &mut Children<'a>) -> Option<&'a Element> {
    children.take(DS, "Signature")
}

/// Bytes in base64, in lines or not.
pub(super) fn base64_of(element: &Element) -> Result<Vec<u8>, SamlRefused> {
    let text: String = element
        .text()?
        .chars()
        .filter(|c| !matches!(c, ' ' | '\t' | '\n' | '\r'))
        .collect();
    STANDARD.decode(text).map_err(|_| SamlRefused::NotBase64)
}

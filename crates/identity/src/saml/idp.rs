//! The provider, as its metadata describes it.
//!
//! Lives here: reading the operator's file (SAML 2.0 Metadata). Never: fetching it; trusting a message about it.
//!
//! The file's own signature is not looked at: the operator vouches for the file. What is not needed is passed over.

use super::certificate::PublicKey;
use super::names::{DS, HTTP_REDIRECT, MD, SAMLP};
use super::refusal::SamlRefused;
use super::signature::base64_of;
use super::time::instant;
use super::xml::{Element, Limits, Scope, parse};
use brattice_core::time::Timestamp;

/// Most keys of one provider that are tried.
pub const SIGNING_KEYS_MAX: usize = 8;
const ENTITY_ID_BYTES_MAX: usize = 1024;

const LIMITS: Limits = Limits {
    bytes_max: 1 << 20,
    depth_max: 32,
    elements_max: 20_000,
    attributes_max: 64,
    comments: true,
};

/// What is known of a provider.
#[derive(Debug, Clone)]
pub(super) struct Idp {
    pub entity_id: String,
    /// Where people are sent with a request.
    pub sso_url: String,
    /// Each may have signed: while keys are rolled over there are two.
    pub keys: Vec<PublicKey>,
    pub valid_until: Option<Timestamp>,
}

impl Idp {
    /// Reads its metadata; or what is wrong with it.
    pub(super) fn read(metadata: &[u8]) -> Result<Self, &'static str> {
        let metadata = metadata.strip_prefix(b"\xef\xbb\xbf").unwrap_or(metadata);
        let root = parse(metadata, &Scope::default(), &LIMITS).map_err(|e| match e {
            SamlRefused::TooLong => "is longer than 1 MiB",
            SamlRefused::Xml(why) => why,
            _ => "is not XML that can be read",
        })?;
        Self::of(&root)
    }

    fn of(root: &Element) -> Result<Self, &'static str> {
        let entity = the_only(all(root, MD, "EntityDescriptor"))
            .ok_or("must describe one entity, and only one")?;
        let role = the_only(
            children_of(entity)
                .filter(|e| e.is(MD, "IDPSSODescriptor") && speaks_saml2(e))
                .collect(),
        )
        .ok_or("must have one IDPSSODescriptor for SAML 2.0")?;
        let entity_id = entity.attribute("entityID").unwrap_or_default();
        if entity_id.is_empty() || entity_id.len() > ENTITY_ID_BYTES_MAX {
            return Err("must have an entityID of at most 1024 bytes");
        }
        let sso_url = children_of(role)
            .filter(|e| e.is(MD, "SingleSignOnService"))
            .find(|e| e.attribute("Binding") == Some(HTTP_REDIRECT))
            .and_then(|e| e.attribute("Location"))
            .ok_or("must have a SingleSignOnService with the binding HTTP-Redirect")?;
        Ok(Self {
            entity_id: entity_id.to_owned(),
            sso_url: sso_url.to_owned(),
            keys: signing_keys(role)?,
            valid_until: valid_until(&[root, entity, role])?,
        })
    }
}

/// The earliest end that is given.
fn valid_until(of: &[&Element]) -> Result<Option<Timestamp>, &'static str> {
    let mut earliest = None;
    for text in of.iter().filter_map(|e| e.attribute("validUntil")) {
        let at = instant(text).map_err(|_| "has a validUntil that is no time in UTC")?;
        earliest = Some(earliest.map_or(at, |e: Timestamp| e.min(at)));
    }
    Ok(earliest)
}

fn signing_keys(role: &Element) -> Result<Vec<PublicKey>, &'static str> {
    let descriptors = children_of(role)
        .filter(|e| e.is(MD, "KeyDescriptor"))
        .filter(|e| e.attribute("use").is_none_or(|u| u == "signing"));
    let mut keys = Vec::new();
    for certificate in descriptors.flat_map(|d| all(d, DS, "X509Certificate")) {
        let der = base64_of(certificate).map_err(|_| "has a certificate that is not base64")?;
        let key = PublicKey::of_certificate(&der).ok_or(
            "has a signing certificate whose key is not RSA of 2048 bits or more, P-256 or P-384",
        )?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    match keys.len() {
        1..=SIGNING_KEYS_MAX => Ok(keys),
        0 => Err("must have a KeyDescriptor for signing with a certificate"),
        _ => Err("has more than 8 keys for signing"),
    }
}

fn speaks_saml2(role: &Element) -> bool {
    role.attribute("protocolSupportEnumeration")
        .is_some_and(|list| list.split_ascii_whitespace().any(|p| p == SAMLP))
}

/// Children, text passed over.
fn children_of(element: &Element) -> impl Iterator<Item = &Element> {
    let mut children = element.children().ok();
    std::iter::from_fn(move || children.as_mut()?.any())
}

fn all<'a>(root: &'a Element, namespace: &str, local: &str) -> Vec<&'a Element> {
    let mut found = Vec::new();
    root.each(&mut |e| {
        if e.is(namespace, local) {
            found.push(e);
        }
    });
    found
}

fn the_only<T>(list: Vec<T>) -> Option<T> {
    let mut list = list.into_iter();
    list.next().filter(|_| list.next().is_none())
}

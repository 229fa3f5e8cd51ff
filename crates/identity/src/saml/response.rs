//! A `Response` as the provider sends it, of which nothing is trusted.
//!
//! Lives here: its shape, whether it is meant for us, where its one assertion stands. Never: who somebody is; that is
//! read from a signed assertion alone.

use super::names::{ENTITY, SAML, SAMLP, SUCCESS};
use super::refusal::SamlRefused;
use super::signature::signature_of;
use super::time::instant;
use super::xml::Element;
use brattice_core::time::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// What an answer must be an answer to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    /// The provider's entity id.
    pub issuer: &'a str,
    /// Ours.
    pub audience: &'a str,
    /// Where it was sent.
    pub acs_url: &'a str,
    /// The request it answers.
    pub request: &'a str,
    pub now: Timestamp,
    pub skew: Duration,
}

/// A response that says of itself that somebody was authenticated.
pub(super) struct Response<'a> {
    /// Its own signature, if it has one.
    pub signature: Option<&'a Element>,
    /// The one child that holds the assertion: an `Assertion` or an `EncryptedAssertion`.
    pub holder: &'a Element,
}

/// Reads it. What can be told wrong without a signature is refused before any is computed.
pub(super) fn read<'a>(
    root: &'a Element,
    expected: &Expected<'_>,
) -> Result<Response<'a>, SamlRefused> {
    if !root.is(SAMLP, "Response") {
        return Err(SamlRefused::Shape("Response"));
    }
    let known = [
        "ID",
        "Version",
        "IssueInstant",
        "Destination",
        "Consent",
        "InResponseTo",
    ];
    root.only(&known)?;
    check_message(root, expected)?;
    let mut parts = root.children()?;
    if let Some(issuer) = parts.take(SAML, "Issuer") {
        check_issuer(issuer, expected)?;
    }
    let signature = signature_of(&mut parts);
    check_status(parts.need(SAMLP, "Status")?)?;
    if root
        .attribute("Destination")
        .is_some_and(|d| d != expected.acs_url)
    {
        return Err(SamlRefused::Destination);
    }
    match root.attribute("InResponseTo") {
        Some(answered) if answered == expected.request => {}
        Some(_) => return Err(SamlRefused::InResponseTo),
        None => return Err(SamlRefused::Unasked),
    }
    let holder = parts
        .take(SAML, "Assertion")
        .or_else(|| parts.take(SAML, "EncryptedAssertion"))
        .ok_or(SamlRefused::Shape("Assertion"))?;
    parts.end()?;
    Ok(Response { signature, holder })
}

/// What responses and assertions have in common: version, identifier, time.
pub(super) fn check_message(
    element: &Element,
    expected: &Expected<'_>,
) -> Result<Timestamp, SamlRefused> {
    if element.needs("Version")? != "2.0" {
        return Err(SamlRefused::Shape("Version"));
    }
    if !is_id(element.needs("ID")?) {
        return Err(SamlRefused::Shape("ID"));
    }
    let issued = instant(element.needs("IssueInstant")?)?;
    match issued > expected.now.plus(expected.skew) {
        true => Err(SamlRefused::NotYet),
        false => Ok(issued),
    }
}

/// An `xs:ID` of ASCII.
pub(super) fn is_id(id: &str) -> bool {
    let first = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    (1..=256).contains(&id.len())
        && id.bytes().next().is_some_and(first)
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

pub(super) fn check_issuer(issuer: &Element, expected: &Expected<'_>) -> Result<(), SamlRefused> {
    let format = issuer.only(&["Format"])?.attribute("Format");
    match format.is_none_or(|f| f == ENTITY) && issuer.token()? == expected.issuer {
        true => Ok(()),
        false => Err(SamlRefused::Issuer),
    }
}

fn check_status(status: &Element) -> Result<(), SamlRefused> {
    let mut parts = status.only(&[])?.children()?;
    let code = parts.need(SAMLP, "StatusCode")?.only(&["Value"])?;
    if code.needs("Value")? == SUCCESS {
        return code.empty().map(|_| ());
    }
    let second = code
        .children()?
        .take(SAMLP, "StatusCode")
        .and_then(|c| c.attribute("Value"))
        .and_then(|v| v.strip_prefix("urn:oasis:names:tc:SAML:2.0:status:"));
    Err(SamlRefused::Status(match second {
        Some("AuthnFailed") => "it could not authenticate the person",
        Some("RequestDenied") => "it does not answer this request",
        Some("NoAuthnContext") => "it cannot authenticate in the way asked for",
        Some("InvalidNameIDPolicy") => "it has no name of the format asked for",
        Some("UnknownPrincipal") => "it does not know the person",
        Some("NoPassive") => "it has to ask the person",
        _ => "it gives no reason that is known",
    }))
}

/// Refuses what attacks on XML signatures are made of, wherever it stands: a second assertion, response or signature,
/// whatever its namespace, and two elements that a reference could mean. `parts` are the message, and what was
/// encrypted in it.
pub(super) fn check_no_wrapping(parts: &[&Element], signatures: usize) -> Result<(), SamlRefused> {
    let mut ids = BTreeSet::new();
    let mut doubled = false;
    let (mut assertions, mut responses, mut signed) = (0_usize, 0_usize, 0_usize);
    for part in parts {
        part.each(&mut |e| {
            let count = match e.local() {
                "Assertion" => Some(&mut assertions),
                "Response" => Some(&mut responses),
                "Signature" => Some(&mut signed),
                _ => None,
            };
            if let Some(count) = count {
                *count = count.saturating_add(1);
            }
            for (_, name, value) in e.attributes() {
                doubled |= name.eq_ignore_ascii_case("id") && !ids.insert(value);
            }
        });
    }
    if doubled {
        return Err(SamlRefused::Shape("an identifier stands twice"));
    }
    match (assertions, responses) == (1, 1) && signed == signatures {
        true => Ok(()),
        false => Err(SamlRefused::Shape(
            "a second assertion, response or signature",
        )),
    }
}

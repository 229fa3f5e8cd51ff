//! A signed assertion: for whom it is, until when, and what it says.
//!
//! Lives here: the rules of SAML Core, section 2, and of the Web Browser SSO profile, section 4.1.4, on the very element
//! whose signature was verified. Never: elements that were not, principals.

use super::names::{BEARER, SAML};
use super::refusal::SamlRefused;
use super::response::{Expected, check_issuer, check_message};
use super::signature::{Signed, signature_of};
use super::time::instant;
use super::xml::{Children, Element};
use brattice_core::time::Timestamp;
use std::time::Duration;

/// An assertion is presented at once after it was issued; later than this it is refused, whatever it says itself.
pub const ASSERTION_AGE_MAX: Duration = Duration::from_secs(600);

/// What an assertion says.
pub(super) struct Assertion<'a> {
    pub id: &'a str,
    pub name_id: Option<&'a Element>,
    pub authenticated_at: Timestamp,
    pub session_ends: Option<Timestamp>,
    /// `AuthnContextClassRef`.
    pub context: Option<&'a str>,
    /// Every `Attribute`, in the order written.
    pub attributes: Vec<&'a Element>,
    /// The first instant at which it is not accepted any more, the skew included.
    pub valid_until: Timestamp,
}

/// The signature of an assertion, which must have one of its own.
pub(super) fn signature_in(assertion: &Element) -> Result<&Element, SamlRefused> {
    if !assertion.is(SAML, "Assertion") {
        return Err(SamlRefused::Shape("Assertion"));
    }
    let mut parts = assertion.children()?;
    parts.need(SAML, "Issuer")?;
    signature_of(&mut parts).ok_or(SamlRefused::Unsigned)
}

/// Reads and checks it.
pub(super) fn read<'a>(
    signed: Signed<'a>,
    expected: &Expected<'_>,
) -> Result<Assertion<'a>, SamlRefused> {
    let assertion = signed.element();
    assertion.only(&["ID", "Version", "IssueInstant"])?;
    let issued = check_message(assertion, expected)?;
    let mut parts = assertion.children()?;
    check_issuer(parts.need(SAML, "Issuer")?, expected)?;
    signature_of(&mut parts);
    let subject = Subject::read(parts.need(SAML, "Subject")?, expected)?;
    let condition_ends = conditions(parts.need(SAML, "Conditions")?, expected)?;
    let statements = Statements::read(parts, expected)?;

    let ends = [condition_ends, subject.ends, issued.plus(ASSERTION_AGE_MAX)];
    let valid_until = ends
        .into_iter()
        .fold(Timestamp(i64::MAX), Timestamp::min)
        .plus(expected.skew);
    if expected.now >= valid_until {
        return Err(SamlRefused::Expired);
    }
    Ok(Assertion {
        id: assertion.needs("ID")?,
        name_id: subject.name_id,
        authenticated_at: statements.authenticated_at,
        session_ends: statements.session_ends,
        context: statements.context,
        attributes: statements.attributes,
        valid_until,
    })
}

struct Subject<'a> {
    name_id: Option<&'a Element>,
    ends: Timestamp,
}

impl<'a> Subject<'a> {
    fn read(subject: &'a Element, expected: &Expected<'_>) -> Result<Self, SamlRefused> {
        let mut parts = subject.only(&[])?.children()?;
        let name_id = parts.take(SAML, "NameID");
        let confirmation = parts.need(SAML, "SubjectConfirmation")?;
        parts.end()?;
        if confirmation.only(&["Method"])?.needs("Method")? != BEARER {
            return Err(SamlRefused::Shape("SubjectConfirmation"));
        }
        let mut parts = confirmation.children()?;
        let data = parts.need(SAML, "SubjectConfirmationData")?;
        parts.end()?;
        // A bearer's has no NotBefore (profile, section 4.1.4.2), and so it is not among these.
        data.only(&["Recipient", "NotOnOrAfter", "InResponseTo", "Address"])?
            .empty()?;
        if data.needs("Recipient")? != expected.acs_url {
            return Err(SamlRefused::Recipient);
        }
        if data.attribute("InResponseTo") != Some(expected.request) {
            return Err(SamlRefused::InResponseTo);
        }
        let ends = instant(data.needs("NotOnOrAfter")?)?;
        Ok(Self { name_id, ends })
    }
}

/// Checks the conditions; until when they hold. One that is not known is not met (Core, section 2.5.1.1).
fn conditions(conditions: &Element, expected: &Expected<'_>) -> Result<Timestamp, SamlRefused> {
    conditions.only(&["NotBefore", "NotOnOrAfter"])?;
    if let Some(begin) = conditions.attribute("NotBefore")
        && instant(begin)? > expected.now.plus(expected.skew)
    {
        return Err(SamlRefused::NotYet);
    }
    let mut restricted = false;
    let mut parts = conditions.children()?;
    while let Some(condition) = parts.any() {
        if condition.is(SAML, "AudienceRestriction") {
            check_audience(condition, expected)?;
            restricted = true;
        } else if !condition.is(SAML, "OneTimeUse") && !condition.is(SAML, "ProxyRestriction") {
            return Err(SamlRefused::Shape("a condition that is not known"));
        }
    }
    match restricted {
        true => instant(conditions.needs("NotOnOrAfter")?),
        false => Err(SamlRefused::Audience),
    }
}

/// Ours is the only audience: any other could replay the assertion here.
fn check_audience(restriction: &Element, expected: &Expected<'_>) -> Result<(), SamlRefused> {
    let mut parts = restriction.only(&[])?.children()?;
    let (mut ours, mut others) = (false, false);
    while let Some(audience) = parts.any() {
        if !audience.is(SAML, "Audience") {
            return Err(SamlRefused::Shape("Audience"));
        }
        match audience.only(&[])?.token()? == expected.audience {
            true => ours = true,
            false => others = true,
        }
    }
    match (ours, others) {
        (true, false) => Ok(()),
        (true, true) => Err(SamlRefused::AudienceBeside),
        (false, _) => Err(SamlRefused::Audience),
    }
}

struct Statements<'a> {
    authenticated_at: Timestamp,
    session_ends: Option<Timestamp>,
    context: Option<&'a str>,
    attributes: Vec<&'a Element>,
}

impl<'a> Statements<'a> {
    /// Exactly one statement of an authentication, and any number of attributes'.
    fn read(mut parts: Children<'a>, expected: &Expected<'_>) -> Result<Self, SamlRefused> {
        let mut authentication = None;
        let mut attributes = Vec::new();
        while let Some(statement) = parts.any() {
            if statement.is(SAML, "AttributeStatement") {
                let mut list = statement.only(&[])?.children()?;
                while let Some(attribute) = list.take(SAML, "Attribute") {
                    attributes.push(attribute);
                }
                list.end()?;
            } else if !statement.is(SAML, "AuthnStatement")
                || authentication.replace(statement).is_some()
            {
                return Err(SamlRefused::Shape("a statement that is not expected"));
            }
        }
        let statement = authentication.ok_or(SamlRefused::Shape("AuthnStatement"))?;
        statement.only(&["AuthnInstant", "SessionIndex", "SessionNotOnOrAfter"])?;
        let authenticated_at = instant(statement.needs("AuthnInstant")?)?;
        if authenticated_at > expected.now.plus(expected.skew) {
            return Err(SamlRefused::NotYet);
        }
        Ok(Self {
            authenticated_at,
            session_ends: statement
                .attribute("SessionNotOnOrAfter")
                .map(instant)
                .transpose()?,
            context: context_of(statement)?,
            attributes,
        })
    }
}

fn context_of(statement: &Element) -> Result<Option<&str>, SamlRefused> {
    let mut parts = statement.children()?;
    parts.take(SAML, "SubjectLocality");
    let mut context = parts.need(SAML, "AuthnContext")?.only(&[])?.children()?;
    parts.end()?;
    let class = context.take(SAML, "AuthnContextClassRef");
    class.map(|c| c.only(&[])?.token()).transpose()
}

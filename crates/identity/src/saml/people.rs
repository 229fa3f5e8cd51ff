//! From a checked assertion to a principal.
//!
//! Lives here: subject, groups, second factor. Never: whether the assertion may be believed.
//!
//! Attributes that no setting names are not looked at; those that one names must be there once, and read as what they are.

use super::assertion::Assertion;
use super::config::{SamlConfig, SubjectFrom};
use super::names::{GROUPS_LINK, SAML, UNSPECIFIED, XSI};
use super::refusal::SamlRefused;
use super::response::Expected;
use super::xml::Element;
use crate::text::is_plain_name;
use brattice_core::principal::{Principal, PrincipalKind};
use std::collections::BTreeSet;

/// Most groups of one person.
const GROUPS_MAX: usize = 1000;

/// Who it is.
pub(super) fn principal(
    config: &SamlConfig,
    assertion: &Assertion<'_>,
    expected: &Expected<'_>,
) -> Result<Principal, SamlRefused> {
    Ok(Principal {
        kind: PrincipalKind::User,
        issuer: config.name.clone(),
        name: subject(config, assertion, expected)?,
        groups: groups(config, assertion)?,
    })
}

/// Whether a second factor was used.
pub(super) fn has_second_factor(config: &SamlConfig, assertion: &Assertion<'_>) -> bool {
    assertion
        .context
        .is_some_and(|class| config.mfa_when.iter().any(|c| c == class))
}

fn subject(
    config: &SamlConfig,
    assertion: &Assertion<'_>,
    expected: &Expected<'_>,
) -> Result<String, SamlRefused> {
    let name = match &config.subject {
        SubjectFrom::NameId(format) => {
            let id = assertion
                .name_id
                .ok_or(SamlRefused::Subject("has no NameID"))?;
            name_in(id, format.uri(), expected)?
        }
        SubjectFrom::Attribute(attribute) => {
            let wrong = SamlRefused::Subject("is not the one value of the attribute that is set");
            let values = values(assertion, attribute)
                .map_err(|_| wrong)?
                .ok_or(wrong)?;
            let [one] = *values.as_slice() else {
                return Err(wrong);
            };
            one
        }
    };
    // `*` means everybody where principals are revoked.
    match is_plain_name(name) && name != "*" {
        true => Ok(name.to_owned()),
        false => Err(SamlRefused::Subject("is not a plain name")),
    }
}

/// The name, where it is of this format and of this provider's namespace (SAML Core, sections 2.2.2 and 8.3.7).
fn name_in<'a>(
    id: &'a Element,
    format: &str,
    expected: &Expected<'_>,
) -> Result<&'a str, SamlRefused> {
    id.only(&["Format", "NameQualifier", "SPNameQualifier", "SPProvidedID"])?;
    if id.attribute("Format").unwrap_or(UNSPECIFIED) != format {
        return Err(SamlRefused::Subject(
            "is a NameID of another format than is set",
        ));
    }
    let qualified = |name, by| id.attribute(name).is_none_or(|q| q.is_empty() || q == by);
    if !qualified("NameQualifier", expected.issuer)
        || !qualified("SPNameQualifier", expected.audience)
    {
        return Err(SamlRefused::Subject("is named in another's namespace"));
    }
    id.text()
}

fn groups(config: &SamlConfig, assertion: &Assertion<'_>) -> Result<BTreeSet<String>, SamlRefused> {
    let Some(attribute) = &config.groups else {
        return Ok(BTreeSet::new());
    };
    if all_named(assertion, GROUPS_LINK).next().is_some() {
        return Err(SamlRefused::Groups(
            "are not listed: the provider found them too many",
        ));
    }
    let list = values(assertion, attribute)
        .map_err(|_| SamlRefused::Groups("are not a list of texts, given once"))?
        .ok_or(SamlRefused::Groups(
            "are absent, which is not the same as none",
        ))?;
    if list.len() > GROUPS_MAX {
        return Err(SamlRefused::Groups("are too many"));
    }
    list.into_iter()
        .map(|group| match is_plain_name(group) {
            true => Ok(format!("{}/{group}", config.name)),
            false => Err(SamlRefused::Groups("have one that is not a plain name")),
        })
        .collect()
}

fn all_named<'a>(assertion: &'a Assertion<'_>, name: &'a str) -> impl Iterator<Item = &'a Element> {
    assertion
        .attributes
        .iter()
        .copied()
        .filter(move |a| a.attribute("Name") == Some(name))
}

/// The texts of the attribute of this name; `None` when it is not there.
fn values<'a>(
    assertion: &'a Assertion<'_>,
    name: &'a str,
) -> Result<Option<Vec<&'a str>>, SamlRefused> {
    let mut found = all_named(assertion, name);
    let Some(attribute) = found.next() else {
        return Ok(None);
    };
    if found.next().is_some() {
        return Err(SamlRefused::Shape("Attribute"));
    }
    let mut list = Vec::new();
    let mut parts = attribute.children()?;
    while let Some(value) = parts.take(SAML, "AttributeValue") {
        let typed = |(namespace, name, _): (&str, &str, &str)| namespace == XSI && name == "type";
        if !value.attributes().all(typed) {
            return Err(SamlRefused::Shape("AttributeValue"));
        }
        list.push(value.text()?);
    }
    parts.end()?;
    Ok(Some(list))
}

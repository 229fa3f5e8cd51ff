//! Providers that speak SAML.

use super::{Checker, named};
use crate::config::checked::{Issuer, Saml, SamlSubject};
use crate::config::place::Place;
use crate::config::raw::{RawNameId, RawSaml};
use brattice_core::principal::OWN_ISSUER;
use std::collections::BTreeMap;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

impl Checker<'_> {
    pub(super) fn saml(&mut self, raw: BTreeMap<String, RawSaml>, issuers: &[Issuer]) -> Vec<Saml> {
        let providers: Vec<Saml> = named(self, "saml", raw, false)
            .into_iter()
            .filter_map(|(name, at, raw)| self.saml_provider(name, &at, raw))
            .collect();
        for provider in &providers {
            let taken = issuers.iter().any(|i| i.name == provider.name);
            if taken || provider.name == OWN_ISSUER {
                let at = Place::root().keys(&["saml", &provider.name]);
                self.wrong(
                    &at,
                    &provider.name,
                    "is the name of another provider",
                    "name the provider otherwise",
                );
            }
        }
        providers
    }

    fn saml_provider(&mut self, name: String, at: &Place, raw: RawSaml) -> Option<Saml> {
        let metadata = self.file(&at.key("metadata"), &raw.metadata?);
        if raw.no_groups && raw.groups.is_some() {
            self.bad(
                &at.key("no_groups"),
                "contradicts `groups`",
                "keep one of the two",
            );
        }
        if raw.subject_attribute.is_some() && raw.name_id.is_some() {
            self.bad(
                &at.key("subject_attribute"),
                "contradicts `name_id`",
                "keep one of the two",
            );
        }
        let subject = match (raw.subject_attribute, raw.name_id) {
            (Some(attribute), _) => SamlSubject::Attribute(attribute),
            (None, None | Some(RawNameId::Persistent)) => SamlSubject::NameId("persistent"),
            (None, Some(RawNameId::Email)) => SamlSubject::NameId("email"),
            (None, Some(RawNameId::Unspecified)) => SamlSubject::NameId("unspecified"),
        };
        let groups = raw.groups.unwrap_or_else(|| "groups".to_owned());
        let age = raw.authentication_age_max;
        let authentication_age_max = age.map(|text| {
            self.span(
                &at.key("authentication_age_max"),
                Some(text),
                HOUR,
                HOUR * 24 * 30,
            )
        });
        let mut keys = |name: &str, files| -> Option<Option<_>> {
            match files {
                Some(files) => self.tls_files(&at.key(name), files).map(Some),
                None => Some(None),
            }
        };
        let encryption = keys("encryption", raw.encryption);
        let signing = keys("signing", raw.signing);
        Some(Saml {
            name,
            metadata: metadata?,
            subject,
            groups: (!raw.no_groups).then_some(groups),
            mfa_when: raw.mfa_when,
            leeway: self.span(&at.key("leeway"), raw.leeway, MINUTE / 2, MINUTE),
            authentication_age_max,
            sign_in_max: self.span(&at.key("sign_in_max"), raw.sign_in_max, HOUR * 8, HOUR * 24),
            encryption: encryption?,
            signing: signing?,
            binding_required: raw.binding_required,
        })
    }
}

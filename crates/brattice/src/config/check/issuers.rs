//! Identity providers: exact issuers, exact audiences, asymmetric algorithms, short lives.

use super::{Checker, Pem, named};
use crate::config::checked::{AgentRule, Claims, Issuer};
use crate::config::place::Place;
use crate::config::raw::{RawAlgorithm, RawClaims, RawIssuer, RawPrincipals};
use std::collections::BTreeMap;
use std::time::Duration;

impl Checker<'_> {
    pub(super) fn issuers(&mut self, raw: BTreeMap<String, RawIssuer>) -> Vec<Issuer> {
        let none = raw.is_empty();
        let issuers: Vec<Issuer> = named(self, "issuers", raw, false)
            .into_iter()
            .filter_map(|(name, at, raw)| self.issuer(name, &at, raw))
            .collect();
        if none && !self.report.problems.iter().any(|p| p.path == "issuers") {
            self.bad(
                &Place::root().key("issuers"),
                "is empty, so nobody could prove who they are",
                "add a provider: [issuers.okta] with url and audiences",
            );
        }
        for (i, issuer) in issuers.iter().enumerate() {
            if issuers
                .iter()
                .take(i)
                .any(|other| other.url == issuer.url && other.audiences == issuer.audiences)
            {
                let at = Place::root().keys(&["issuers", &issuer.name, "url"]);
                self.wrong(
                    &at,
                    &issuer.url,
                    "is the issuer of another entry, with the same audiences",
                    "keep one of the two",
                );
            }
        }
        issuers
    }

    fn issuer(&mut self, name: String, at: &Place, raw: RawIssuer) -> Option<Issuer> {
        if let Some(url) = &raw.url {
            self.url(&at.key("url"), url);
        }
        let audiences = self.audiences(at, raw.audiences);
        let algorithms = self.algorithms(at, raw.algorithms);
        if let Some(uri) = &raw.jwks_uri {
            self.url(&at.key("jwks_uri"), uri);
        }
        let ca = raw
            .ca
            .and_then(|ca| self.pem(&at.key("ca"), &ca, Pem::Certificates));
        let claims = self.claims(
            at,
            raw.claims,
            raw.principals.unwrap_or(RawPrincipals::User),
        );
        let hour = Duration::from_secs(3600);
        let day = Duration::from_secs(86400);
        let minute = Duration::from_secs(60);
        let token_lifetime_max = self.span(
            &at.key("token_lifetime_max"),
            raw.token_lifetime_max,
            hour,
            day,
        );
        let leeway = self.span(
            &at.key("leeway"),
            raw.leeway,
            Duration::from_secs(30),
            minute,
        );
        Some(Issuer {
            name,
            url: raw.url?,
            audiences: audiences?,
            algorithms,
            jwks_uri: raw.jwks_uri,
            ca,
            claims: claims?,
            token_lifetime_max,
            leeway,
        })
    }

    fn audiences(&mut self, at: &Place, raw: Option<Vec<String>>) -> Option<Vec<String>> {
        let audiences = raw?;
        let at = at.key("audiences");
        if audiences.is_empty() {
            self.bad(
                &at,
                "is empty, so every token would be refused",
                "name the audience of this gateway, e.g. [\"brattice\"]",
            );
            return None;
        }
        for (i, audience) in audiences.iter().enumerate() {
            if audience.trim().is_empty() {
                self.wrong(&at.index(i), audience, "is empty", "name an audience");
            }
        }
        Some(audiences)
    }

    fn algorithms(&mut self, at: &Place, raw: Option<Vec<RawAlgorithm>>) -> Vec<&'static str> {
        let given = raw.unwrap_or_else(|| vec![RawAlgorithm::RS256, RawAlgorithm::ES256]);
        if given.is_empty() {
            self.bad(
                &at.key("algorithms"),
                "is empty, so every token would be refused",
                "name at least one, e.g. [\"RS256\"]",
            );
        }
        given.into_iter().map(jose_name).collect()
    }

    fn claims(&mut self, at: &Place, raw: RawClaims, principals: RawPrincipals) -> Option<Claims> {
        let at = at.key("claims");
        let agents = match (principals, raw.kind, raw.agent_value) {
            (RawPrincipals::Claim, Some(name), Some(value)) => {
                Some(AgentRule::Claim { name, value })
            }
            (RawPrincipals::Claim, _, _) => {
                self.bad(
                    &at,
                    "does not say how agents are told from users",
                    "with principals = \"claim\", give claims = { kind = \"client_type\", agent_value = \"agent\" }",
                );
                None
            }
            (_, Some(_), _) | (_, _, Some(_)) => {
                self.bad(
                    &at,
                    "has `kind` or `agent_value`, which count only with principals = \"claim\"",
                    "set principals = \"claim\", or take them out",
                );
                None
            }
            (RawPrincipals::Agent, None, None) => Some(AgentRule::Always),
            (RawPrincipals::User, None, None) => Some(AgentRule::Never),
        };
        let mut required = Vec::new();
        for (i, text) in raw.required.iter().enumerate() {
            match text.split_once('=') {
                Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                    required.push((name.to_owned(), value.to_owned()));
                }
                _ => self.wrong(
                    &at.key("required").index(i),
                    text,
                    "is not of the form name=value",
                    "write e.g. scope=brattice",
                ),
            }
        }
        Some(Claims {
            subject: raw.subject.unwrap_or_else(|| "sub".to_owned()),
            groups: raw.groups.unwrap_or_else(|| "groups".to_owned()),
            agents: agents?,
            required,
        })
    }
}

fn jose_name(algorithm: RawAlgorithm) -> &'static str {
    match algorithm {
        RawAlgorithm::RS256 => "RS256",
        RawAlgorithm::RS384 => "RS384",
        RawAlgorithm::RS512 => "RS512",
        RawAlgorithm::PS256 => "PS256",
        RawAlgorithm::PS384 => "PS384",
        RawAlgorithm::PS512 => "PS512",
        RawAlgorithm::ES256 => "ES256",
        RawAlgorithm::ES384 => "ES384",
        RawAlgorithm::EdDSA => "EdDSA",
    }
}

//! Identity providers: exact issuers, exact audiences, asymmetric algorithms, short lives.

use super::{Checker, Pem, named};
use crate::config::checked::{Claims, Issuer, Listen, SignIn};
use crate::config::place::Place;
use crate::config::raw::{RawAlgorithm, RawClaims, RawIssuer, RawPrincipals, RawSignIn};
use brattice_core::principal::OWN_ISSUER;
use brattice_core::principal::PrincipalKind;
use std::collections::BTreeMap;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86400);

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
        for issuer in issuers.iter().filter(|i| i.name == OWN_ISSUER) {
            let at = Place::root().keys(&["issuers", &issuer.name]);
            self.wrong(
                &at,
                &issuer.name,
                "is the name of the gateway's own issuer",
                "name the provider otherwise",
            );
        }
        for (i, issuer) in issuers.iter().enumerate() {
            if issuers.iter().take(i).any(|other| other.url == issuer.url) {
                let at = Place::root().keys(&["issuers", &issuer.name, "url"]);
                self.wrong(
                    &at,
                    &issuer.url,
                    "is the issuer of another entry",
                    "keep one of the two",
                );
            }
        }
        issuers
    }

    fn issuer(&mut self, name: String, at: &Place, raw: RawIssuer) -> Option<Issuer> {
        self.issuer_urls(at, &raw);
        let audiences = raw.audiences.and_then(|a| self.audiences(at, a));
        self.not_blank(&at.key("audiences_beside"), &raw.audiences_beside);
        self.not_blank(&at.key("clients"), &raw.clients);
        let algorithms = self.algorithms(at, raw.algorithms);
        let ca = raw
            .ca
            .and_then(|ca| self.pem(&at.key("ca"), &ca, Pem::Certificates));
        let claims = self.claims(
            at,
            raw.claims,
            raw.principals.unwrap_or(RawPrincipals::Refuse),
        );
        let token_lifetime_max = self.span(
            &at.key("token_lifetime_max"),
            raw.token_lifetime_max,
            HOUR,
            DAY,
        );
        let leeway = self.span(&at.key("leeway"), raw.leeway, MINUTE / 2, MINUTE);
        let keys_refresh = self.span(&at.key("keys_refresh"), raw.keys_refresh, MINUTE * 5, DAY);
        let keys_stale_max = self.span(&at.key("keys_stale_max"), raw.keys_stale_max, HOUR, DAY);
        if keys_stale_max < keys_refresh {
            self.bad(
                &at.key("keys_stale_max"),
                "is shorter than `keys_refresh`",
                "make it at least as long",
            );
        }
        let sign_in = raw.sign_in.map(|raw| self.sign_in(&at.key("sign_in"), raw));
        Some(Issuer {
            name,
            url: raw.url?,
            audiences: audiences?,
            audiences_beside: raw.audiences_beside,
            algorithms,
            jwks_uri: raw.jwks_uri,
            ca,
            clients: raw.clients,
            access_token_type_required: raw.access_token_type_required,
            claims,
            delegation_depth_max: usize::from(raw.delegation_depth_max.unwrap_or(4)),
            token_lifetime_max,
            leeway,
            keys_refresh,
            keys_stale_max,
            development: raw.development,
            binding_required: raw.binding_required,
            sign_in: match sign_in {
                Some(sign_in) => Some(sign_in?),
                None => None,
            },
        })
    }

    fn sign_in(&mut self, at: &Place, raw: RawSignIn) -> Option<SignIn> {
        let client_secret = match raw.client_secret {
            Some(text) => Some(self.secret(&at.key("client_secret"), &text, false)?),
            None => None,
        };
        let scopes = raw
            .scopes
            .unwrap_or_else(|| vec!["profile".to_owned(), "offline_access".to_owned()]);
        let at_scopes = at.key("scopes");
        for (i, scope) in scopes.iter().enumerate() {
            // RFC 6749, section 3.3.
            let fine = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
            if scope.is_empty() || !scope.bytes().all(fine) {
                self.wrong(
                    &at_scopes.index(i),
                    scope,
                    "is not a scope",
                    "give one scope in each text, e.g. [\"profile\", \"groups\"]",
                );
            }
        }
        let client_id = raw.client_id?;
        self.not_blank(&at.key("client_id"), std::slice::from_ref(&client_id));
        Some(SignIn {
            client_id,
            client_secret,
            scopes,
            recheck_max: self.span(&at.key("recheck_max"), raw.recheck_max, HOUR, HOUR * 12),
        })
    }

    /// Plain http is for providers that are for trying out, and those are for gateways that only this machine reaches.
    pub(super) fn development(&mut self, issuers: &[Issuer], listen: Option<&Listen>) {
        for issuer in issuers {
            let at = Place::root().keys(&["issuers", &issuer.name]);
            if issuer.is_loopback_http() && !issuer.development {
                self.wrong(
                    &at.key("url"),
                    &issuer.url,
                    "is not protected",
                    "use https; for trying out on this machine alone, say development = true beside it",
                );
            }
            let wide = listen.and_then(|l| l.addresses().find(|a| !a.ip().is_loopback()));
            if let (true, Some(address)) = (issuer.development, wide) {
                self.wrong(
                    &at.key("development"),
                    "true",
                    format!("is for trying out, and this gateway can be reached from elsewhere at {address}"),
                    "take it out and give a provider over https, or listen on loopback addresses alone",
                );
            }
            if !self.stand_in && is_stand_in(&issuer.url) {
                self.wrong(
                    &at.key("url"),
                    &issuer.url,
                    "is the provider that `brattice dev` runs, whose people and agents are made up",
                    "give your own identity provider",
                );
            }
        }
    }

    fn issuer_urls(&mut self, at: &Place, raw: &RawIssuer) {
        if let Some(text) = &raw.url {
            let at = at.key("url");
            if let Some(url) = self.url(&at, text)
                && (url.query().is_some() || url.fragment().is_some())
            {
                self.wrong(
                    &at,
                    text,
                    "has a query or a fragment",
                    "give the issuer as its discovery document has it",
                );
            }
        }
        if let Some(uri) = &raw.jwks_uri {
            self.url(&at.key("jwks_uri"), uri);
        }
    }

    fn audiences(&mut self, at: &Place, audiences: Vec<String>) -> Option<Vec<String>> {
        let at = at.key("audiences");
        if audiences.is_empty() {
            self.bad(
                &at,
                "is empty, so every token would be refused",
                "name the audience of this gateway, e.g. [\"brattice\"]",
            );
            return None;
        }
        self.not_blank(&at, &audiences);
        Some(audiences)
    }

    fn not_blank(&mut self, at: &Place, texts: &[String]) {
        for (i, text) in texts.iter().enumerate() {
            if text.trim().is_empty() {
                self.wrong(&at.index(i), text, "is empty", "take it out, or fill it in");
            }
        }
    }

    fn algorithms(&mut self, at: &Place, raw: Option<Vec<RawAlgorithm>>) -> Vec<&'static str> {
        let given = raw.unwrap_or_else(|| vec![RawAlgorithm::RS256, RawAlgorithm::ES256]);
        let at = at.key("algorithms");
        let reported = |c: &Self| {
            c.report
                .problems
                .iter()
                .any(|p| p.path.starts_with(&at.to_string()))
        };
        if given.is_empty() && !reported(self) {
            self.bad(
                &at,
                "is empty, so every token would be refused",
                "name at least one, e.g. [\"RS256\"]",
            );
        }
        given.into_iter().map(jose_name).collect()
    }

    fn claims(&mut self, issuer: &Place, raw: RawClaims, principals: RawPrincipals) -> Claims {
        let at = issuer.key("claims");
        let otherwise = match principals {
            RawPrincipals::Agent => Some(PrincipalKind::Agent),
            RawPrincipals::User => Some(PrincipalKind::User),
            RawPrincipals::Refuse => None,
        };
        if otherwise.is_none() && raw.agent_when.is_empty() && raw.user_when.is_empty() {
            self.bad(
                &issuer.key("principals"),
                "nothing says whether its tokens stand for agents or for people, so all would be refused",
                "give principals = \"agent\" or \"user\", or claims = { agent_when = [\"claim=value\"] }",
            );
        }
        if raw.no_groups && raw.groups.is_some() {
            self.bad(
                &at.key("no_groups"),
                "contradicts `groups`",
                "keep one of the two",
            );
        }
        let groups = raw.groups.unwrap_or_else(|| "groups".to_owned());
        let subject = raw.subject.unwrap_or_else(|| "sub".to_owned());
        self.claim_name(&at.key("subject"), &subject);
        self.claim_name(&at.key("groups"), &groups);
        Claims {
            subject,
            groups: (!raw.no_groups).then_some(groups),
            group_when: self.group_rules(&at.key("group_when"), &raw.group_when),
            agent_when: self.conditions(&at.key("agent_when"), &raw.agent_when),
            user_when: self.conditions(&at.key("user_when"), &raw.user_when),
            otherwise,
            mfa_when: raw.mfa_when.unwrap_or_else(|| vec!["mfa".to_owned()]),
        }
    }

    pub(super) fn group_rules(
        &mut self,
        at: &Place,
        raw: &BTreeMap<String, Vec<String>>,
    ) -> Vec<(String, Vec<(String, String)>)> {
        let mut rules = Vec::new();
        for (group, conditions) in raw {
            let at = at.key(group);
            if group.trim().is_empty() || group.trim() != group {
                self.wrong(&at, group, "does not name a group", "give the group a name");
            }
            if conditions.is_empty() {
                self.bad(
                    &at,
                    "has no condition, so everybody would be in it",
                    "say who is in it, as in [\"repository=acme/shop\"]",
                );
            }
            rules.push((group.clone(), self.conditions(&at, conditions)));
        }
        rules
    }

    fn conditions(&mut self, at: &Place, texts: &[String]) -> Vec<(String, String)> {
        let mut conditions = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            match text.split_once('=') {
                Some((claim, value)) if is_claim(claim) && !value.is_empty() => {
                    conditions.push((claim.to_owned(), value.to_owned()));
                }
                _ => self.wrong(
                    &at.index(i),
                    text,
                    "is not of the form claim=value",
                    "write e.g. client_type=agent or /realm/kind=agent",
                ),
            }
        }
        conditions
    }

    fn claim_name(&mut self, at: &Place, name: &str) {
        if !is_claim(name) {
            self.wrong(
                at,
                name,
                "does not name a claim",
                "give its name, or a path such as /realm_access/roles",
            );
        }
    }

    /// Who answers for which agent: both `issuer/name`, of issuers that exist.
    pub(super) fn owners(
        &mut self,
        raw: BTreeMap<String, String>,
        providers: &[&str],
    ) -> BTreeMap<String, String> {
        for (agent, owner) in &raw {
            let at = Place::root().key("owners").key(agent);
            for who in [agent, owner] {
                let Some((issuer, name)) = who.split_once('/') else {
                    self.wrong(
                        &at,
                        who,
                        "is not of the form issuer/name",
                        "write e.g. \"okta/etl-7\" = \"okta/alice\"",
                    );
                    continue;
                };
                if name.is_empty() {
                    self.wrong(
                        &at,
                        who,
                        "has no name after its issuer",
                        "write issuer/name",
                    );
                }
                if !providers.contains(&issuer) {
                    self.no_such(&at, issuer, "issuer", providers.iter().copied());
                }
            }
        }
        raw
    }
}

/// Whether an issuer is the one of `brattice dev`: what it signs says so in `iss`.
fn is_stand_in(url: &str) -> bool {
    url.trim_end_matches('/').ends_with(crate::dev_issuer::PATH)
}

/// A name, or a path whose parts are not empty.
fn is_claim(text: &str) -> bool {
    match text.strip_prefix('/') {
        Some(path) => path.split('/').all(|part| !part.is_empty()),
        None => !text.trim().is_empty(),
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

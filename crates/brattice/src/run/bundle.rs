//! From a checked configuration to what each part takes: the gate's bundle, addresses, credentials, providers.
//!
//! Lives here: translation, one function for each part. Never: opening anything.

use super::error::StartError;
use crate::config::Checked;
use crate::config::checked::{self, TargetTls as Tls, TlsMode};
use brattice_core::classify::sql::Lists;
use brattice_core::gate::{CatalogueUnavailable, Catalogues, Guarded, InForce, Snapshot};
use brattice_core::ids::Revision;
use brattice_core::mask::{Detector, MaskSpec, TokenKey};
use brattice_core::policy::TimeZone;
use brattice_core::ports::BoxFuture;
use brattice_core::secret::Secret;
use brattice_identity::oidc::{
    Beside, ClaimIs, ClaimLike, ClaimMap, ClaimPath, ClientConfig, ConfigProblem, GroupRule,
    IssuerConfig, KindRule, SigningAlgorithm,
};
use brattice_identity::saml::{
    KeyConfig, NameIdFormat, SamlConfig, SamlProvider, SubjectFrom, UsedAssertions,
};
use brattice_identity::spiffe::SpiffeConfig;
use brattice_proxy::endpoint::{Endpoint, TargetTls};
use brattice_proxy::ssh::Host;
use brattice_proxy::tls;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// What the gate judges by.
pub(super) fn in_force(
    checked: &Checked,
    revision: Revision,
    tokens: TokenKey,
    catalogues: &dyn Fn(Address) -> Arc<dyn Catalogues>,
) -> Result<InForce, StartError> {
    let detector = Arc::new(
        Detector::new(&checked.data_classes)
            .map_err(|e| StartError::Bundle(vec![e.to_string()]))?,
    );
    let zone =
        TimeZone::get(&checked.time_zone).map_err(|e| StartError::Bundle(vec![e.to_string()]))?;
    let mut targets = HashMap::new();
    for (name, t) in &checked.targets {
        targets.insert(
            name.clone(),
            Arc::new(Guarded {
                target: t.target.clone(),
                masked: masked(checked, name),
                lists: Lists::with_functions(
                    t.functions
                        .iter()
                        .map(|f| (f.schema.clone(), f.signature())),
                    &t.search_path,
                ),
                detector: detector.clone(),
                holds: t.holds,
                catalogue_age_max: checked.limits.catalogue_age_max,
                statement_bytes_max: usize::try_from(checked.limits.statement_bytes_max)
                    .unwrap_or(usize::MAX),
                lane_bytes_max: LANE_BYTES_MAX,
                shell: t.ssh.as_ref().map(|s| s.shell),
                masks_files: t.ssh.as_ref().is_some_and(|s| s.masks_files),
                catalogues: match t.ssh {
                    Some(_) => Arc::new(NoCatalogue),
                    None => catalogues(Address::of(name, t)),
                },
            }),
        );
    }
    Ok(InForce {
        revision,
        rules: checked.rules.clone(),
        zone,
        tokens: Some(tokens),
        targets,
        expiry_grace: checked.limits.expiry_grace,
        approval_url: format!(
            "{}/approvals/",
            checked.listen.admin.public_url.trim_end_matches('/')
        ),
    })
}

/// The most that one COPY may send.
const LANE_BYTES_MAX: u64 = 1 << 40;

fn masked(checked: &Checked, target: &str) -> Vec<MaskSpec> {
    checked
        .classes
        .iter()
        .flat_map(|class| {
            class
                .columns
                .iter()
                .filter(|c| c.target == target)
                .map(|c| MaskSpec {
                    database: c.database.clone(),
                    schema: c.schema.clone(),
                    table: c.table.clone(),
                    column: c.column.clone(),
                    class: class.name.clone(),
                })
        })
        .collect()
}

/// Where a target is and by whom it is entered: what its catalogue was read through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The target's name.
    pub(super) name: String,
    host: String,
    port: u16,
    tls: checked::TlsMode,
    user: String,
    /// Where its secrets come from, never what they are.
    credential: checked::TargetCredential,
}

impl Address {
    fn of(name: &str, t: &checked::TargetConfig) -> Self {
        Self {
            name: name.to_owned(),
            host: t.host.clone(),
            port: t.port,
            tls: t.tls.mode,
            user: t.user.clone(),
            credential: t.credential.clone(),
        }
    }
}

/// Room for sessions by target. A bundle that leaves a target's bound as it is leaves its sessions counted.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<HashMap<String, (u32, Arc<Semaphore>)>>);

impl Connections {
    fn of(&self, name: &str, most: u32) -> Arc<Semaphore> {
        let mut rooms = match self.0.lock() {
            Ok(rooms) => rooms,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some((before, room)) = rooms.get(name)
            && *before == most
        {
            return room.clone();
        }
        let permits = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        let room = Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        rooms.insert(name.to_owned(), (most, room.clone()));
        room
    }
}

/// How far the clock of any provider may be from ours.
pub(super) fn leeway(checked: &Checked) -> Duration {
    checked
        .issuers
        .iter()
        .map(|i| i.leeway)
        .chain(checked.saml.iter().map(|s| s.leeway))
        .max()
        .unwrap_or_default()
}

/// Where the targets are.
pub(super) fn endpoints(
    checked: &Checked,
    connections: &Connections,
) -> Result<HashMap<String, Arc<Endpoint>>, StartError> {
    let mut all = HashMap::new();
    let databases = checked.targets.iter().filter(|(_, t)| t.ssh.is_none());
    for (name, t) in databases {
        let endpoint = Endpoint {
            name: name.clone(),
            host: t.host.clone(),
            port: t.port,
            tls: target_tls(&t.tls)?,
            database: t.database.clone(),
            databases: t.databases.clone(),
            connections: connections.of(name, t.connections_max),
        };
        all.insert(name.clone(), Arc::new(endpoint));
    }
    Ok(all)
}

/// Where the hosts are.
pub(super) fn hosts(checked: &Checked, connections: &Connections) -> HashMap<String, Arc<Host>> {
    let of = |(name, t): (&String, &checked::TargetConfig)| {
        let ssh = t.ssh.as_ref()?;
        let host = Host {
            name: name.clone(),
            host: t.host.clone(),
            port: t.port,
            keys: ssh.keys.clone(),
            authorities: ssh.authorities.clone(),
            accounts: ssh.accounts.clone(),
            connections: connections.of(name, t.connections_max),
        };
        Some((name.clone(), Arc::new(host)))
    };
    checked.targets.iter().filter_map(of).collect()
}

/// A host has none.
#[derive(Debug)]
struct NoCatalogue;

impl Catalogues for NoCatalogue {
    fn current(&self, _: &str) -> Option<Snapshot> {
        None
    }
    fn refresh<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Snapshot, CatalogueUnavailable>> {
        let none = CatalogueUnavailable("a host has no catalogue".to_owned());
        Box::pin(std::future::ready(Err(none)))
    }
}

fn target_tls(tls: &Tls) -> Result<TargetTls, StartError> {
    let roots = || -> Result<Arc<rustls::RootCertStore>, StartError> {
        let Some(path) = &tls.ca else {
            return Err(StartError::Bundle(vec![
                "a target whose certificate is verified needs `ca`".to_owned(),
            ]));
        };
        let pem = std::fs::read(path).map_err(|cause| StartError::File {
            path: path.clone(),
            cause,
        })?;
        Ok(Arc::new(tls::roots(&pem, &path.display().to_string())?))
    };
    Ok(match tls.mode {
        TlsMode::Disable => TargetTls::Disable,
        TlsMode::Require => TargetTls::Require,
        TlsMode::VerifyCa => TargetTls::VerifyCa(roots()?),
        TlsMode::VerifyFull => TargetTls::VerifyFull(roots()?),
    })
}

/// The identity providers.
pub(super) fn issuers(checked: &Checked) -> Result<Vec<IssuerConfig>, StartError> {
    checked.issuers.iter().map(issuer).collect()
}

/// The providers that speak SAML.
pub(super) fn saml(
    checked: &Checked,
    used: &Arc<UsedAssertions>,
) -> Result<Vec<SamlProvider>, StartError> {
    let public_url = checked.listen.admin.public_url.trim_end_matches('/');
    let provider = |s: &checked::Saml| {
        let config = saml_config(s, public_url)?;
        SamlProvider::new(config, used.clone())
            .map_err(|why| StartError::Bundle(vec![format!("saml.{}: {why}", s.name)]))
    };
    checked.saml.iter().map(provider).collect()
}

/// The SPIFFE trust domains.
pub(super) fn spiffe(checked: &Checked) -> Result<Vec<SpiffeConfig>, StartError> {
    let domain = |s: &checked::Spiffe| {
        Ok(SpiffeConfig {
            group_rules: group_rules(&format!("spiffe.{}", s.name), &s.group_when)?,
            svid_lifetime_max: s.svid_lifetime_max,
            ..SpiffeConfig::new(&s.name, &s.trust_domain, &s.bundle)
        })
    };
    checked.spiffe.iter().map(domain).collect()
}

/// Settings that cannot be, as what keeps a bundle from coming into force.
pub(super) fn wrong(problems: Vec<ConfigProblem>) -> StartError {
    StartError::Bundle(problems.iter().map(ToString::to_string).collect())
}

/// The providers whose proofs are not tokens of their own.
pub(super) fn beside(checked: &Checked) -> Vec<Beside> {
    let saml = checked.saml.iter().map(|s| (&s.name, s.binding_required));
    // A certificate is its own binding.
    let spiffe = checked.spiffe.iter().map(|s| (&s.name, false));
    saml.chain(spiffe)
        .map(|(name, binding_required)| Beside {
            name: name.clone(),
            binding_required,
        })
        .collect()
}

fn group_rules(
    at: &str,
    rules: &[(String, Vec<(String, String)>)],
) -> Result<Vec<GroupRule>, StartError> {
    let like = |(claim, pattern): &(String, String)| {
        let nameless = || StartError::Bundle(vec![format!("{at}: a claim has no name")]);
        Ok(ClaimLike {
            claim: ClaimPath::parse(claim).ok_or_else(nameless)?,
            pattern: pattern.clone(),
        })
    };
    let rule = |(group, when): &(String, Vec<(String, String)>)| {
        Ok(GroupRule {
            group: group.clone(),
            when: when.iter().map(like).collect::<Result<_, StartError>>()?,
        })
    };
    rules.iter().map(rule).collect()
}

fn saml_config(s: &checked::Saml, public_url: &str) -> Result<SamlConfig, StartError> {
    let file = |path: &Path| {
        std::fs::read(path).map_err(|cause| StartError::File {
            path: path.to_owned(),
            cause,
        })
    };
    let key = |files: &checked::TlsFiles| {
        Ok::<_, StartError>(KeyConfig {
            key: Secret::new(file(&files.key)?),
            certificate: file(&files.cert)?,
        })
    };
    let entity_id = format!("{public_url}/oauth/metadata/{}", s.name);
    let acs_url = format!("{public_url}/oauth/callback/{}", s.name);
    let defaults = SamlConfig::new(&s.name, &file(&s.metadata)?, &entity_id, &acs_url);
    Ok(SamlConfig {
        subject: match &s.subject {
            checked::SamlSubject::Attribute(name) => SubjectFrom::Attribute(name.clone()),
            checked::SamlSubject::NameId("email") => {
                SubjectFrom::NameId(NameIdFormat::EmailAddress)
            }
            checked::SamlSubject::NameId("unspecified") => {
                SubjectFrom::NameId(NameIdFormat::Unspecified)
            }
            checked::SamlSubject::NameId(_) => SubjectFrom::NameId(NameIdFormat::Persistent),
        },
        groups: s.groups.clone(),
        mfa_when: s.mfa_when.clone(),
        clock_skew: s.leeway,
        authentication_max_age: s.authentication_age_max,
        session_max: s.sign_in_max,
        decryption: s.encryption.iter().map(key).collect::<Result<_, _>>()?,
        signing: s.signing.as_ref().map(key).transpose()?,
        // A gateway that is reached over plain http is for trying out on this machine.
        allow_loopback_http: public_url.starts_with("http://"),
        ..defaults
    })
}

fn client(sign_in: &checked::SignIn) -> ClientConfig {
    ClientConfig {
        id: sign_in.client_id.clone(),
        secret: sign_in
            .client_secret
            .as_ref()
            .map(super::credentials::secret),
        scopes: sign_in.scopes.clone(),
        recheck_max: sign_in.recheck_max,
    }
}

fn issuer(i: &checked::Issuer) -> Result<IssuerConfig, StartError> {
    let bad = |what: &str| StartError::Bundle(vec![format!("issuers.{}: {what}", i.name)]);
    let path = |text: &str| ClaimPath::parse(text).ok_or_else(|| bad("a claim has no name"));
    let claims = |pairs: &[(String, String)]| -> Result<Vec<ClaimIs>, StartError> {
        pairs
            .iter()
            .map(|(claim, equals)| {
                Ok(ClaimIs {
                    claim: path(claim)?,
                    equals: equals.clone(),
                })
            })
            .collect()
    };
    let ca = match &i.ca {
        Some(p) => Some(std::fs::read(p).map_err(|cause| StartError::File {
            path: p.clone(),
            cause,
        })?),
        None => None,
    };
    let mut algorithms = Vec::new();
    for a in &i.algorithms {
        algorithms.push(
            a.parse::<SigningAlgorithm>()
                .map_err(|_| bad("an algorithm is not known"))?,
        );
    }
    let group_rules = group_rules(&format!("issuers.{}", i.name), &i.claims.group_when)?;
    let kind = KindRule {
        agent_when: claims(&i.claims.agent_when)?,
        user_when: claims(&i.claims.user_when)?,
        otherwise: i.claims.otherwise,
    };
    let defaults = IssuerConfig::new(&i.name, &i.url, "", KindRule::default());
    Ok(IssuerConfig {
        audience: i.audiences.clone(),
        audience_beside: i.audiences_beside.clone(),
        jwks_uri: i.jwks_uri.clone(),
        algorithms,
        claims: ClaimMap {
            subject: path(&i.claims.subject)?,
            groups: i.claims.groups.as_deref().map(path).transpose()?,
            group_rules,
            kind,
            mfa_when: i.claims.mfa_when.clone(),
        },
        leeway: i.leeway,
        access_token_type_required: i.access_token_type_required,
        clients: i.clients.clone(),
        lifetime_max: i.token_lifetime_max,
        delegation_depth_max: i.delegation_depth_max,
        ca,
        allow_loopback_http: i.is_loopback_http(),
        binding_required: i.binding_required,
        client: i.sign_in.as_ref().map(client),
        jwks_refresh: i.keys_refresh,
        jwks_stale_max: i.keys_stale_max,
        ..defaults
    })
}

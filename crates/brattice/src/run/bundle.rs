//! From a checked configuration to what each part takes: the gate's bundle, addresses, credentials, providers.
//!
//! Lives here: translation, one function for each part. Never: opening anything.

use super::assemble::StartError;
use crate::config::Checked;
use crate::config::checked::{self, SecretSource, TargetTls as Tls, TlsMode};
use brattice_core::classify::sql::Lists;
use brattice_core::gate::{Catalogues, Guarded, InForce};
use brattice_core::ids::Revision;
use brattice_core::mask::{ClassSpec, Classes, Detector, MaskSpec, TokenKey};
use brattice_core::policy::{Known, Rules, SourceFile, TimeZone};
use brattice_identity::lend::{SecretFrom, TargetCredential, UpstreamProof};
use brattice_identity::oidc::{ClaimIs, ClaimMap, ClaimPath, IssuerConfig, KindRule, SigningAlgorithm};
use brattice_proxy::endpoint::{Endpoint, TargetTls};
use brattice_proxy::tls;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What a rule may name.
pub(crate) fn known(checked: &Checked, classes: &Classes) -> Known {
    Known {
        issuers: checked.issuers.iter().map(|i| i.name.clone()).collect(),
        labels: BTreeSet::new(),
        targets: checked.targets.iter().map(|(name, t)| (name.clone(), t.target.clone())).collect(),
        classes: classes.iter().map(|c| (c.name.clone(), c.within.clone())).collect(),
        owners: checked.owners.clone(),
    }
}

/// The built-in classes of data with the bundle's changes to them.
pub(crate) fn classes(checked: &Checked) -> Result<Classes, StartError> {
    let specs: Vec<ClassSpec> = checked
        .classes
        .iter()
        .map(|c| ClassSpec {
            name: c.name.clone(),
            within: (!c.parents.is_empty()).then(|| c.parents.clone()),
            detectors: (!c.detect).then(Vec::new),
            patterns: None,
            on_hit: None,
        })
        .collect();
    Classes::with(&specs).map_err(|errors| StartError::Bundle(errors.iter().map(ToString::to_string).collect()))
}

/// The rules, checked against everything else in the bundle.
pub(crate) fn rules(checked: &Checked, classes: &Classes) -> Result<Rules, StartError> {
    let files: Vec<SourceFile> =
        checked.policies.iter().map(|f| SourceFile { name: f.name.clone(), text: f.text.clone() }).collect();
    Rules::load(&files, &known(checked, classes))
        .map_err(|problems| StartError::Bundle(problems.iter().map(ToString::to_string).collect()))
}

/// What the gate judges by.
pub(crate) fn in_force(
    checked: &Checked,
    revision: Revision,
    tokens: TokenKey,
    catalogues: &dyn Fn(&str) -> Arc<dyn Catalogues>,
) -> Result<InForce, StartError> {
    let classes = classes(checked)?;
    let rules = rules(checked, &classes)?;
    let detector = Arc::new(Detector::new(&classes).map_err(|e| StartError::Bundle(vec![e.to_string()]))?);
    let zone = TimeZone::get(&checked.time_zone).map_err(|e| StartError::Bundle(vec![e.to_string()]))?;
    let mut targets = HashMap::new();
    for (name, t) in &checked.targets {
        targets.insert(
            name.clone(),
            Arc::new(Guarded {
                target: t.target.clone(),
                masked: masked(checked, name),
                lists: Lists::with_functions(t.functions.iter().map(|f| (f.schema.clone(), f.signature())), &t.search_path),
                detector: detector.clone(),
                holds: t.holds,
                catalogue_age_max: checked.limits.catalogue_age_max,
                statement_bytes_max: usize::try_from(checked.limits.statement_bytes_max).unwrap_or(usize::MAX),
                lane_bytes_max: LANE_BYTES_MAX,
                catalogues: catalogues(name),
            }),
        );
    }
    Ok(InForce {
        revision,
        rules: Arc::new(rules),
        zone,
        tokens: Some(tokens),
        targets,
        approval_url: format!("{}/approvals/", checked.listen.admin.public_url.trim_end_matches('/')),
    })
}

/// The most that one COPY may send.
const LANE_BYTES_MAX: u64 = 1 << 40;

fn masked(checked: &Checked, target: &str) -> Vec<MaskSpec> {
    checked
        .classes
        .iter()
        .flat_map(|class| {
            class.columns.iter().filter(|c| c.target == target).map(|c| MaskSpec {
                database: c.database.clone(),
                schema: c.schema.clone(),
                table: c.table.clone(),
                column: c.column.clone(),
                class: class.name.clone(),
            })
        })
        .collect()
}

/// Where the targets are.
pub(crate) fn endpoints(checked: &Checked) -> Result<HashMap<String, Arc<Endpoint>>, StartError> {
    let mut all = HashMap::new();
    for (name, t) in &checked.targets {
        let endpoint = Endpoint {
            name: name.clone(),
            host: t.host.clone(),
            port: t.port,
            tls: target_tls(&t.tls)?,
            database: t.database.clone(),
            databases: t.databases.clone(),
            connections: Arc::new(Semaphore::new(usize::try_from(t.connections_max).unwrap_or(Semaphore::MAX_PERMITS))),
        };
        all.insert(name.clone(), Arc::new(endpoint));
    }
    Ok(all)
}

fn target_tls(tls: &Tls) -> Result<TargetTls, StartError> {
    let roots = || -> Result<Arc<rustls::RootCertStore>, StartError> {
        let Some(path) = &tls.ca else {
            return Err(StartError::Bundle(vec!["a target whose certificate is verified needs `ca`".to_owned()]));
        };
        let pem = std::fs::read(path).map_err(|cause| StartError::File { path: path.clone(), cause })?;
        Ok(Arc::new(tls::roots(&pem, &path.display().to_string())?))
    };
    Ok(match tls.mode {
        TlsMode::Disable => TargetTls::Disable,
        TlsMode::Require => TargetTls::Require,
        TlsMode::VerifyCa => TargetTls::VerifyCa(roots()?),
        TlsMode::VerifyFull => TargetTls::VerifyFull(roots()?),
    })
}

fn secret(source: &SecretSource) -> SecretFrom {
    match source {
        SecretSource::Env(name) => SecretFrom::Env(name.clone()),
        SecretSource::File(path) => SecretFrom::File(path.clone()),
        SecretSource::Sealed(_) => SecretFrom::Sealed,
    }
}

/// How each target is entered.
pub(crate) fn credentials(checked: &Checked) -> BTreeMap<String, TargetCredential> {
    checked
        .targets
        .iter()
        .map(|(name, t)| {
            let proof = match &t.credential {
                checked::TargetCredential::Password(source) => UpstreamProof::Password(secret(source)),
                checked::TargetCredential::Certificate(files) => UpstreamProof::Certificate {
                    chain: SecretFrom::File(files.cert.clone()),
                    key: SecretFrom::File(files.key.clone()),
                },
            };
            (name.clone(), TargetCredential { user: t.user.clone(), proof })
        })
        .collect()
}

/// The identity providers.
pub(crate) fn issuers(checked: &Checked) -> Result<Vec<IssuerConfig>, StartError> {
    checked.issuers.iter().map(issuer).collect()
}

fn issuer(i: &checked::Issuer) -> Result<IssuerConfig, StartError> {
    let bad = |what: &str| StartError::Bundle(vec![format!("issuers.{}: {what}", i.name)]);
    let path = |text: &str| ClaimPath::parse(text).ok_or_else(|| bad("a claim has no name"));
    let claims = |pairs: &[(String, String)]| -> Result<Vec<ClaimIs>, StartError> {
        pairs.iter().map(|(claim, equals)| Ok(ClaimIs { claim: path(claim)?, equals: equals.clone() })).collect()
    };
    let ca = match &i.ca {
        Some(p) => Some(std::fs::read(p).map_err(|cause| StartError::File { path: p.clone(), cause })?),
        None => None,
    };
    let mut algorithms = Vec::new();
    for a in &i.algorithms {
        algorithms.push(a.parse::<SigningAlgorithm>().map_err(|_| bad("an algorithm is not known"))?);
    }
    let kind = KindRule { agent_when: claims(&i.claims.agent_when)?, user_when: claims(&i.claims.user_when)?, otherwise: i.claims.otherwise };
    let defaults = IssuerConfig::new(&i.name, &i.url, "", KindRule::default());
    Ok(IssuerConfig {
        audience: i.audiences.clone(),
        audience_beside: i.audiences_beside.clone(),
        jwks_uri: i.jwks_uri.clone(),
        algorithms,
        claims: ClaimMap {
            subject: path(&i.claims.subject)?,
            groups: i.claims.groups.as_deref().map(path).transpose()?,
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
        jwks_refresh: i.keys_refresh,
        jwks_stale_max: i.keys_stale_max,
        ..defaults
    })
}

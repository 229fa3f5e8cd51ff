//! From verified claims to principals and the chain they act in.
//!
//! Lives here: subjects, groups, kinds, delegation (RFC 8693, section 4.1). Never: signatures, times, policy.

use super::config::IssuerConfig;
use super::mapping::KindRule;
use super::refusal::Refusal;
use crate::text::is_plain_name;
use brattice_core::principal::{Chain, Principal, PrincipalKind};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Most groups one principal may have.
const GROUPS_MAX: usize = 1000;

/// Who acts, and for whom.
///
/// In a token with `act`, its subject is whom the acting party acts for: the outermost `act` acts now, those nested
/// in it acted before, nearest first. Every link counts when rights are judged.
pub(super) fn chain(config: &IssuerConfig, claims: &Map<String, Value>) -> Result<Chain, Refusal> {
    let subject = subject(config, claims)?;
    let mut actors = Vec::new();
    let mut next = claims.get("act");
    while let Some(act) = next {
        if actors.len() >= config.delegation_depth_max {
            return Err(Refusal::Delegation);
        }
        let act = act
            .as_object()
            .ok_or_else(|| Refusal::claim("act", "is not an object"))?;
        actors.push(actor(config, act)?);
        next = act.get("act");
    }
    let mut links = actors.into_iter().chain(std::iter::once(subject));
    let acting = links.next().ok_or(Refusal::Delegation)?;
    Ok(Chain {
        acting,
        on_behalf_of: links.collect(),
    })
}

/// Whether the provider says that a second factor was used.
pub(super) fn used_second_factor(
    config: &IssuerConfig,
    claims: &Map<String, Value>,
) -> Result<bool, Refusal> {
    match claims.get("amr") {
        None => Ok(false),
        Some(Value::Array(methods)) => Ok(methods
            .iter()
            .filter_map(Value::as_str)
            .any(|m| config.claims.mfa_when.iter().any(|w| w == m))),
        Some(_) => Err(Refusal::claim("amr", "is not a list")),
    }
}

/// The token's own id, for the record.
pub(super) fn token_id(claims: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    match claims.get("jti") {
        None => Ok(None),
        Some(Value::String(id)) if is_plain_name(id) => Ok(Some(id.clone())),
        Some(_) => Err(Refusal::claim("jti", "is not a plain text")),
    }
}

fn subject(config: &IssuerConfig, claims: &Map<String, Value>) -> Result<Principal, Refusal> {
    let path = &config.claims.subject;
    let groups = match &config.claims.groups {
        None => BTreeSet::new(),
        Some(path) => {
            if groups_are_elsewhere(claims, path.root()) {
                return Err(Refusal::GroupsElsewhere);
            }
            let groups = path
                .of(claims)
                .ok_or_else(|| Refusal::claim(path.to_string(), "is missing"))?;
            groups_of(config, &path.to_string(), groups)?
        }
    };
    let told = config.claims.group_rules.iter();
    let told = told.filter(|rule| rule.when.iter().all(|w| w.holds(claims)));
    let groups = groups
        .into_iter()
        .chain(told.map(|rule| format!("{}/{}", config.name, rule.group)))
        .collect();
    let kind = kind_of(&config.claims.kind, claims)?
        .or(config.claims.kind.otherwise)
        .ok_or(Refusal::Kind)?;
    Ok(Principal {
        kind,
        issuer: config.name.clone(),
        name: name_of(&path.to_string(), path.of(claims))?,
        groups,
    })
}

/// A party named by `act`: of the same provider; with the groups that `act` itself lists; an agent unless a rule
/// says otherwise, since it is workloads that act for others.
fn actor(config: &IssuerConfig, act: &Map<String, Value>) -> Result<Principal, Refusal> {
    let of_this_provider = match act.get("iss") {
        None => true,
        Some(iss) => iss.as_str() == Some(config.issuer.as_str()),
    };
    if !of_this_provider {
        return Err(Refusal::claim("act", "names another provider"));
    }
    let groups = match config.claims.groups.as_ref().and_then(|p| p.of(act)) {
        None => BTreeSet::new(),
        Some(groups) => groups_of(config, "act", groups)?,
    };
    Ok(Principal {
        kind: kind_of(&config.claims.kind, act)?.unwrap_or(PrincipalKind::Agent),
        issuer: config.name.clone(),
        name: name_of("act", act.get("sub"))?,
        groups,
    })
}

fn name_of(claim: &str, value: Option<&Value>) -> Result<String, Refusal> {
    match value {
        None => Err(Refusal::claim(claim, "names nobody")),
        // `*` means everybody where principals are revoked.
        Some(Value::String(name)) if is_plain_name(name) && name != "*" => Ok(name.clone()),
        Some(_) => Err(Refusal::claim(claim, "is not a plain name")),
    }
}

fn groups_of(
    config: &IssuerConfig,
    claim: &str,
    value: &Value,
) -> Result<BTreeSet<String>, Refusal> {
    let list = value
        .as_array()
        .ok_or_else(|| Refusal::claim(claim, "is not a list of groups"))?;
    if list.len() > GROUPS_MAX {
        return Err(Refusal::claim(claim, "lists too many groups"));
    }
    list.iter()
        .map(|g| match g.as_str() {
            Some(g) if is_plain_name(g) => Ok(format!("{}/{g}", config.name)),
            _ => Err(Refusal::claim(
                claim,
                "lists a group that is not a plain name",
            )),
        })
        .collect()
}

/// Distributed claims (OpenID Connect Core, section 5.6.2) and the short form some providers use when groups are
/// too many for a token.
fn groups_are_elsewhere(claims: &Map<String, Value>, groups: &str) -> bool {
    let pointed = match claims.get("_claim_names") {
        None => false,
        Some(Value::Object(names)) => names.contains_key(groups) || names.contains_key("groups"),
        Some(_) => true,
    };
    pointed || claims.contains_key("hasgroups")
}

fn kind_of(rule: &KindRule, claims: &Map<String, Value>) -> Result<Option<PrincipalKind>, Refusal> {
    let agent = rule.agent_when.iter().any(|r| r.holds(claims));
    let user = rule.user_when.iter().any(|r| r.holds(claims));
    match (agent, user) {
        (true, true) => Err(Refusal::BothKinds),
        (true, false) => Ok(Some(PrincipalKind::Agent)),
        (false, true) => Ok(Some(PrincipalKind::User)),
        (false, false) => Ok(None),
    }
}

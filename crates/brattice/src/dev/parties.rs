//! Who exists at the provider of trying out: `dev.toml` beside the bundle, else the example's.
//!
//! Lives here: reading it. Never: secrets; the provider makes those.

use super::DevError;
use crate::dev_issuer::{DevParty, DevSetup, TOKEN_LIFETIME_MAX};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The file's name.
const FILE_NAME: &str = "dev.toml";
/// Those of the example.
const EXAMPLE: &str = include_str!("../../../../examples/orders/dev.toml");
/// The audience of the provider's tokens.
pub(super) const AUDIENCE: &str = "brattice";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    agents: BTreeMap<String, Agent>,
    #[serde(default)]
    people: BTreeMap<String, Person>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Agent {
    groups: Vec<String>,
    /// Whom it may act for.
    #[serde(default)]
    acts_for: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    groups: Vec<String>,
}

/// Somebody to show.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) name: String,
    pub(super) groups: Vec<String>,
    pub(super) is_agent: bool,
}

/// What the provider is started with.
pub(super) fn setup(bundle: &Path) -> Result<DevSetup, DevError> {
    let directory = if bundle.is_dir() {
        Some(bundle)
    } else {
        bundle.parent()
    };
    let path = directory.unwrap_or(Path::new(".")).join(FILE_NAME);
    let (path, text) = match std::fs::read_to_string(&path) {
        Ok(text) => (path, text),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
            (PathBuf::from("the example's dev.toml"), EXAMPLE.to_owned())
        }
        Err(why) => {
            return Err(DevError::Bundle {
                path,
                why: why.to_string(),
            });
        }
    };
    let file: File = toml::from_str(&text).map_err(|why| DevError::Bundle {
        path,
        why: why.message().to_owned(),
    })?;
    let party = |name: &String, groups: &Vec<String>| DevParty {
        name: name.clone(),
        groups: groups.clone(),
    };
    let delegations: BTreeSet<(String, String)> = file
        .agents
        .iter()
        .flat_map(|(name, agent)| {
            agent
                .acts_for
                .iter()
                .map(|whom| (name.clone(), whom.clone()))
        })
        .collect();
    Ok(DevSetup {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        audience: AUDIENCE.to_owned(),
        people: file
            .people
            .iter()
            .map(|(name, p)| party(name, &p.groups))
            .collect(),
        agents: file
            .agents
            .iter()
            .map(|(name, a)| party(name, &a.groups))
            .collect(),
        delegations,
        token_lifetime: TOKEN_LIFETIME_MAX,
    })
}

/// Everybody, agents first.
pub(super) fn told(setup: &DevSetup) -> Vec<Told> {
    let told = |is_agent: bool| {
        move |p: &DevParty| Told {
            name: p.name.clone(),
            groups: p.groups.clone(),
            is_agent,
        }
    };
    setup
        .agents
        .iter()
        .map(told(true))
        .chain(setup.people.iter().map(told(false)))
        .collect()
}

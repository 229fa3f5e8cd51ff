//! The files of `catalogue/`, built in.
//!
//! Lives here: their form and reading them. Never: what they are used for.

use super::{Class, Setting};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::LazyLock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FunctionsFile {
    pub(super) family: Vec<Family>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PackFile {
    name: String,
    versions: Vec<String>,
    pub(super) family: Vec<Family>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Family {
    class: Class,
    reason: String,
    pub(super) names: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsFile {
    fixed: Vec<FixedSetting>,
    tracked: Vec<TrackedSetting>,
    free: Vec<FreeSettings>,
    secret: Vec<SecretSettings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FixedSetting {
    name: String,
    values: Vec<String>,
    #[serde(rename = "reason")]
    _reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrackedSetting {
    name: String,
    #[serde(rename = "reason")]
    _reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FreeSettings {
    names: String,
    #[serde(rename = "reason")]
    _reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretSettings {
    names: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RelationsFile {
    relation: Vec<Sensitive>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sensitive {
    name: String,
    #[serde(default)]
    pub(super) columns: Vec<String>,
    /// Only where nothing can be read of a database.
    #[serde(default)]
    pub(super) unseen: bool,
    pub(super) reason: String,
}

impl Sensitive {
    pub(super) fn means(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == self.name,
        }
    }
}

#[derive(Default)]
pub(super) struct BuiltIn {
    pub(super) functions: HashMap<&'static str, Class>,
    pub(super) reasons: HashMap<&'static str, &'static str>,
    pub(super) settings: HashMap<&'static str, Setting>,
    pub(super) secret_settings: HashMap<&'static str, &'static str>,
    pub(super) sensitive: Vec<Sensitive>,
}

pub(super) const FUNCTIONS: &str =
    include_str!("../../../../../../catalogue/postgres/functions.toml");
pub(super) const SETTINGS: &str =
    include_str!("../../../../../../catalogue/postgres/settings.toml");
pub(super) const RELATIONS: &str =
    include_str!("../../../../../../catalogue/postgres/relations.toml");

macro_rules! pack_files {
    ($($name:literal),* $(,)?) => {
        pub(super) const PACK_FILES: &[&str] = &[$(include_str!(concat!("../../../../../../catalogue/extensions/", $name, ".toml"))),*];
    };
}
pack_files!(
    "adminpack",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dblink",
    "earthdistance",
    "file_fdw",
    "fuzzystrmatch",
    "hstore",
    "intarray",
    "isn",
    "lo",
    "ltree",
    "pageinspect",
    "pg_stat_statements",
    "pg_trgm",
    "pgcrypto",
    "postgres_fdw",
    "seg",
    "tablefunc",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "vector",
    "xml2",
);

/// The built-in lists. A list that does not read leaves nothing known, which refuses; a test reads them all.
pub(super) static BUILT_IN: LazyLock<BuiltIn> = LazyLock::new(|| {
    let functions: &'static FunctionsFile = match toml::from_str(FUNCTIONS) {
        Ok(file) => Box::leak(Box::new(file)),
        Err(_) => return BuiltIn::default(),
    };
    let settings: &'static SettingsFile = match toml::from_str(SETTINGS) {
        Ok(file) => Box::leak(Box::new(file)),
        Err(_) => return BuiltIn::default(),
    };
    let Ok(relations) = toml::from_str::<RelationsFile>(RELATIONS) else {
        return BuiltIn::default();
    };
    let mut known = BuiltIn {
        sensitive: relations.relation,
        ..BuiltIn::default()
    };
    for family in &functions.family {
        for name in family.names.split_whitespace() {
            known.functions.insert(name, family.class);
            known.reasons.insert(name, family.reason.as_str());
        }
    }
    for free in &settings.free {
        for name in free.names.split_whitespace() {
            known.settings.insert(name, Setting::Free);
        }
    }
    for secret in &settings.secret {
        for name in secret.names.split_whitespace() {
            known.secret_settings.insert(name, secret.reason.as_str());
        }
    }
    for tracked in &settings.tracked {
        known.settings.insert(&tracked.name, Setting::Tracked);
    }
    for fixed in &settings.fixed {
        known
            .settings
            .insert(&fixed.name, Setting::Fixed(&fixed.values));
    }
    known
});

/// Function classes of known extensions, by `name@version`.
pub(super) static PACKS: LazyLock<HashMap<String, HashMap<String, Class>>> = LazyLock::new(|| {
    let mut packs = HashMap::new();
    for text in PACK_FILES {
        let Ok(pack) = toml::from_str::<PackFile>(text) else {
            continue;
        };
        let classes: HashMap<String, Class> = pack
            .family
            .iter()
            .flat_map(|f| f.names.split_whitespace().map(|n| (n.to_owned(), f.class)))
            .collect();
        for version in &pack.versions {
            packs.insert(format!("{}@{version}", pack.name), classes.clone());
        }
    }
    packs
});

//! What is known beforehand: functions of `pg_catalog` and of extensions, settings, sensitive relations.
//!
//! Lives here: reading `catalogue/`, and the bundle's additions to it. Never: how a statement uses them.

use super::catalogue::{Function, Relation};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// How far a function can be trusted, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// No effect, and it reads no rows.
    Harmless,
    /// Reads the relation that its first argument names.
    Reads,
    /// Judged in code, by its arguments.
    Special,
    /// Everything else.
    Execute,
}

/// What setting a setting can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Passes with one of these values, and is refused with any other.
    Fixed(&'static [String]),
    /// Literal values that are followed.
    Tracked,
    /// Harmless.
    Free,
    /// Not known: judged as `sql.set`.
    Unlisted,
}

/// What is known of functions, settings, relations and extensions beyond what the catalogue says: the lists that
/// are built in, and what the bundle adds for one target.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    harmless: HashSet<String>,
    free: HashSet<String>,
    readable: HashSet<String>,
    path_schemas: Option<HashSet<String>>,
}

impl Lists {
    /// The built-in lists alone.
    pub fn new() -> Self {
        Self::default()
    }
    /// Also trusts a function: `schema.name(types)` for one signature, `schema.name` for all overloads.
    pub fn trust_function(&mut self, name: impl Into<String>) -> &mut Self {
        self.harmless.insert(name.into());
        self
    }
    /// Also lets a setting be set freely. A fixed or tracked one stays what it is.
    pub fn free_setting(&mut self, name: impl Into<String>) -> &mut Self {
        self.free.insert(name.into().to_ascii_lowercase());
        self
    }
    /// Also lets a sensitive relation of the server be read: `pg_stat_activity`.
    pub fn readable(&mut self, relation: impl Into<String>) -> &mut Self {
        self.readable.insert(relation.into());
        self
    }
    /// Limits the schemas that a search path may name; without it, every schema that exists.
    pub fn limit_path(&mut self, schemas: impl IntoIterator<Item = String>) -> &mut Self {
        self.path_schemas = Some(schemas.into_iter().collect());
        self
    }

    /// The class of a function of `pg_catalog` (or, with its schema in front, `information_schema`).
    pub fn built_in(&self, name: &str) -> Option<Class> {
        BUILT_IN.functions.get(name).copied()
    }
    /// Why a function of `pg_catalog` has its class.
    pub fn reason(&self, name: &str) -> Option<&'static str> {
        BUILT_IN.reasons.get(name).copied()
    }
    /// The class of a function outside `pg_catalog`.
    pub fn outside(&self, function: &Function) -> Class {
        let named = format!("{}.{}", function.schema, function.name);
        let signed = format!("{}.{}", function.schema, function.signature);
        if self.harmless.contains(&signed) || self.harmless.contains(&named) {
            return Class::Harmless;
        }
        function
            .extension
            .as_deref()
            .and_then(|e| PACKS.get(e))
            .and_then(|pack| pack.get(&function.name))
            .copied()
            .unwrap_or(Class::Execute)
    }
    /// What setting that setting means. The name is lower case.
    pub fn setting(&self, name: &str) -> Setting {
        match BUILT_IN.settings.get(name) {
            Some(known) => *known,
            None if self.free.contains(name) => Setting::Free,
            None => Setting::Unlisted,
        }
    }
    /// Whether the search path may name that schema.
    pub fn path_may_name(&self, schema: &str) -> bool {
        self.path_schemas
            .as_ref()
            .is_none_or(|allowed| allowed.contains(schema))
    }
    /// Why reading those columns of a relation of the server is refused. `None` for the columns is the whole row.
    pub(super) fn sensitive(
        &self,
        relation: &Relation,
        reads: impl Fn(&str) -> bool,
    ) -> Option<&'static str> {
        if self.readable.contains(&relation.name) {
            return None;
        }
        BUILT_IN
            .sensitive
            .iter()
            .filter(|s| s.means(&relation.name))
            .find(|s| s.columns.is_empty() || s.columns.iter().any(|c| reads(c)))
            .map(|s| s.reason.as_str())
    }
}

/// Names of `pg_catalog` functions that the list does not have.
pub fn unlisted<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    names
        .into_iter()
        .map(str::trim)
        .filter(|n| !n.is_empty() && !BUILT_IN.functions.contains_key(*n))
        .map(str::to_owned)
        .collect()
}

/// Names and versions of the extensions that have a pack.
pub fn packs() -> Vec<String> {
    let mut known: Vec<String> = PACKS.keys().cloned().collect();
    known.sort();
    known
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FunctionsFile {
    family: Vec<Family>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackFile {
    name: String,
    versions: Vec<String>,
    family: Vec<Family>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    class: Class,
    reason: String,
    names: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    fixed: Vec<FixedSetting>,
    tracked: Vec<TrackedSetting>,
    free: Vec<FreeSettings>,
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
struct RelationsFile {
    relation: Vec<Sensitive>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sensitive {
    name: String,
    #[serde(default)]
    columns: Vec<String>,
    reason: String,
}

impl Sensitive {
    fn means(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == self.name,
        }
    }
}

#[derive(Default)]
struct BuiltIn {
    functions: HashMap<&'static str, Class>,
    reasons: HashMap<&'static str, &'static str>,
    settings: HashMap<&'static str, Setting>,
    sensitive: Vec<Sensitive>,
}

const FUNCTIONS: &str = include_str!("../../../../../catalogue/postgres/functions.toml");
const SETTINGS: &str = include_str!("../../../../../catalogue/postgres/settings.toml");
const RELATIONS: &str = include_str!("../../../../../catalogue/postgres/relations.toml");

macro_rules! pack_files {
    ($($name:literal),* $(,)?) => {
        const PACK_FILES: &[&str] = &[$(include_str!(concat!("../../../../../catalogue/extensions/", $name, ".toml"))),*];
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
    "xml2",
);

/// The built-in lists. A list that does not read leaves nothing known, which refuses; a test reads them all.
static BUILT_IN: LazyLock<BuiltIn> = LazyLock::new(|| {
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
static PACKS: LazyLock<HashMap<String, HashMap<String, Class>>> = LazyLock::new(|| {
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

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &[
        include_str!("../../../../../catalogue/postgres/names-13.txt"),
        include_str!("../../../../../catalogue/postgres/names-14.txt"),
        include_str!("../../../../../catalogue/postgres/names-15.txt"),
        include_str!("../../../../../catalogue/postgres/names-16.txt"),
        include_str!("../../../../../catalogue/postgres/names-17.txt"),
        include_str!("../../../../../catalogue/postgres/names-18.txt"),
    ];

    #[test]
    fn functions_of_every_version_are_listed() {
        for names in NAMES {
            assert_eq!(unlisted(names.lines()), Vec::<String>::new());
        }
    }

    #[test]
    fn every_list_can_be_read_and_names_nothing_twice() {
        let file: FunctionsFile = toml::from_str(FUNCTIONS).unwrap();
        let mut seen = HashSet::new();
        for name in file.family.iter().flat_map(|f| f.names.split_whitespace()) {
            assert!(seen.insert(name), "{name} is listed twice");
        }
        assert!(toml::from_str::<SettingsFile>(SETTINGS).is_ok());
        assert!(toml::from_str::<RelationsFile>(RELATIONS).is_ok());
        for text in PACK_FILES {
            assert!(toml::from_str::<PackFile>(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn dangerous_functions_are_never_harmless() {
        let lists = Lists::new();
        for name in [
            "pg_sleep",
            "pg_read_file",
            "lo_export",
            "lo_import",
            "pg_terminate_backend",
            "query_to_xml",
            "database_to_xml",
            "ts_stat",
            "ts_rewrite",
            "set_config",
            "nextval",
            "pg_notify",
            "pg_reload_conf",
            "pg_advisory_lock",
            "pg_logical_emit_message",
            "pg_ls_dir",
            "pg_stat_file",
            "domain_in",
            "cursor_to_xml",
        ] {
            assert_ne!(lists.built_in(name), Some(Class::Harmless), "{name}");
        }
    }
}

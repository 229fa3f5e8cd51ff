//! What is known beforehand: functions of `pg_catalog` and of extensions, settings, sensitive relations.
//!
//! Lives here: looking things up, and the bundle's additions. Never: how the files of `catalogue/` are read (see
//! `files`), how a statement uses them.

mod everywhere;
mod files;

use super::catalogue::{Function, Relation};
pub(super) use everywhere::EVERYWHERE;
use files::{BUILT_IN, PACKS};
use serde::Deserialize;
use std::collections::HashSet;

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
    /// The built-in lists, and what a target's bundle adds: functions as (schema, signature), and the schemas that a
    /// search path may name.
    pub fn with_functions(
        functions: impl IntoIterator<Item = (String, String)>,
        search_path: &[String],
    ) -> Self {
        let mut lists = Self::default();
        for (schema, signature) in functions {
            lists.trust_function(format!("{schema}.{signature}"));
        }
        lists.limit_path(search_path.iter().cloned());
        lists
    }
    /// Also trusts a function: `schema.name(types)` for one signature, `schema.name` or `schema.name(*)` for all
    /// overloads. Types are spelled as the server shows them; their short names do as well.
    pub fn trust_function(&mut self, name: impl Into<String>) -> &mut Self {
        self.harmless.insert(spelled_as_shown(&name.into()));
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
    /// Why a setting is not shown. The name is lower case. Settings with a dot in their names are made by extensions and
    /// databases: applications keep in them who asks, and some databases keys. Where nothing was read of the database, only
    /// those that [`Self::free_setting`] names are shown; elsewhere a role's rights decide what it may know.
    pub(super) fn secret_setting(&self, name: &str, unseen: bool) -> Option<&'static str> {
        match BUILT_IN.secret_settings.get(name) {
            Some(reason) => Some(reason),
            None if unseen && name.contains('.') && !self.free.contains(name) => {
                Some("is not the server's own, and may hold a key")
            }
            None => None,
        }
    }
    /// Whether the search path may name that schema.
    pub fn path_may_name(&self, schema: &str) -> bool {
        self.path_schemas
            .as_ref()
            .is_none_or(|allowed| allowed.contains(schema))
    }
    /// The columns whose reading [`Self::sensitive`] may refuse.
    pub(super) fn sensitive_columns(&self, relation: &str) -> impl Iterator<Item = &'static str> {
        BUILT_IN
            .sensitive
            .iter()
            .filter(move |s| s.means(relation))
            .flat_map(|s| s.columns.iter().map(String::as_str))
    }
    /// Why reading those columns of a relation of the server is refused. `None` for the columns is the whole row.
    pub(super) fn sensitive(
        &self,
        relation: &Relation,
        reads: impl Fn(&str) -> bool,
        unseen: bool,
    ) -> Option<&'static str> {
        if self.readable.contains(&relation.name) {
            return None;
        }
        BUILT_IN
            .sensitive
            .iter()
            .filter(|s| s.means(&relation.name) && (unseen || !s.unseen))
            .find(|s| s.columns.is_empty() || s.columns.iter().any(|c| reads(c)))
            .map(|s| s.reason.as_str())
    }
}

/// Short names of types, and how the server shows them.
const SHORT_NAMES: &[(&str, &str)] = &[
    ("int", "integer"),
    ("int4", "integer"),
    ("int2", "smallint"),
    ("int8", "bigint"),
    ("float4", "real"),
    ("float8", "double precision"),
    ("float", "double precision"),
    ("bool", "boolean"),
    ("varchar", "character varying"),
    ("bpchar", "character"),
    ("char", "character"),
    ("decimal", "numeric"),
    ("timestamptz", "timestamp with time zone"),
    ("timestamp", "timestamp without time zone"),
    ("timetz", "time with time zone"),
    ("time", "time without time zone"),
    ("varbit", "bit varying"),
];

/// `app.f(int, varchar[])` as the catalogue spells it: `app.f(integer,character varying[])`.
fn spelled_as_shown(name: &str) -> String {
    let Some((function, rest)) = name.split_once('(') else {
        return name.trim().to_owned();
    };
    let arguments = rest.trim_end().strip_suffix(')').unwrap_or(rest);
    if arguments.trim() == "*" {
        return function.trim().to_owned();
    }
    let shown: Vec<String> = arguments
        .split(',')
        .map(str::trim)
        .filter(|a| !a.is_empty())
        .map(|argument| {
            let (base, array) = match argument.find('[') {
                Some(at) => argument.split_at(at),
                None => (argument, ""),
            };
            let long = SHORT_NAMES.iter().find(|(short, _)| *short == base.trim());
            format!("{}{array}", long.map_or(base.trim(), |(_, long)| long))
        })
        .collect();
    format!("{}({})", function.trim(), shown.join(","))
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

#[cfg(test)]
mod tests;

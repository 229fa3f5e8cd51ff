//! A picture of a target's `pg_catalog`, against which names are resolved.
//!
//! Lives here: the picture and look-ups in it. Never: how it was fetched.

use crate::action::RelationKind;
use std::collections::HashMap;
use std::sync::Arc;

/// The server's major version, e.g. 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Major(pub u16);

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// `pg_attribute.attnum`, 1 and up.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// `pg_attribute.atttypid`.
    pub type_oid: u32,
    /// `pg_attribute.atttypmod`.
    pub type_modifier: i32,
}

/// A table, view, sequence or the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: RelationKind,
    /// Columns that are not dropped, by number.
    pub columns: Vec<Column>,
    /// Base columns `(relation, attnum)` that a view reads, views below it resolved; attnum 0 is the whole row.
    pub view_reads: Vec<(u32, i16)>,
    /// Relations that inherit from it or are its partitions, all levels.
    pub children: Vec<u32>,
    /// Relations it inherits from or is a partition of, all levels.
    pub parents: Vec<u32>,
    /// Has a rule other than a view's own SELECT rule.
    pub has_rules: bool,
    /// `reltuples`, when it was ever analysed.
    pub estimated_rows: Option<i64>,
    /// The extension it belongs to.
    pub extension: Option<String>,
}

/// A function outside `pg_catalog`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// `pg_proc.oid`.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `name(argument types)` as `pg_get_function_identity_arguments` shapes them, types only.
    pub signature: String,
    /// Declared volatile.
    pub volatile: bool,
    /// SECURITY DEFINER.
    pub security_definer: bool,
    /// The extension it belongs to, as `name@version`.
    pub extension: Option<String>,
}

/// A picture of one database's catalogue. Everything here is as the server said it.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// Changes whenever anything in the picture does.
    pub version: u64,
    /// The database's name.
    pub database: String,
    /// Relations by (schema, name).
    pub relations: HashMap<(String, String), Arc<Relation>>,
    /// The same by OID.
    pub by_oid: HashMap<u32, Arc<Relation>>,
    /// Functions outside `pg_catalog`, by name.
    pub functions: HashMap<String, Vec<Function>>,
    /// Functions behind operators outside `pg_catalog`, by operator name.
    pub operators: HashMap<String, Vec<Function>>,
    /// Functions behind casts outside `pg_catalog`, by the target type's name.
    pub casts: HashMap<String, Vec<Function>>,
    /// Types outside `pg_catalog` by name, with schema.
    pub types: HashMap<String, Vec<String>>,
    /// Schemas.
    pub schemas: Vec<String>,
    /// Installed extensions, name → version.
    pub extensions: HashMap<String, String>,
}

/// The schemas in which unqualified names are looked up, in order, as the server resolves them
/// (`current_schemas(true)`), implicit ones included.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct SearchPath(pub Vec<String>);

impl Catalogue {
    /// The relation that a name means, as the server would look it up.
    pub fn relation(
        &self,
        path: &SearchPath,
        schema: Option<&str>,
        name: &str,
    ) -> Option<&Arc<Relation>> {
        match schema {
            Some(s) => self.relations.get(&(s.to_owned(), name.to_owned())),
            None => path
                .0
                .iter()
                .find_map(|s| self.relations.get(&(s.clone(), name.to_owned()))),
        }
    }
}

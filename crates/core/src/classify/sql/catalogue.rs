//! A picture of a target's `pg_catalog`, against which names are resolved.
//!
//! Lives here: the picture and look-ups in it. Never: how it was fetched (that is `queries`), nor how rows become
//! this picture (that is `rows`).

use crate::action::RelationKind;
use std::collections::HashMap;
use std::sync::Arc;

/// OIDs from here on were given out after initdb: whatever has one is not the server's own.
pub const FIRST_USER_OID: u32 = 16384;

/// The server's major version, e.g. 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Major(pub u16);

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Column {
    /// `pg_attribute.attnum`, 1 and up.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// `pg_attribute.atttypid`.
    pub type_oid: u32,
    /// `pg_attribute.atttypmod`.
    pub type_modifier: i32,
    /// The columns of its relation that it is generated from, by number.
    pub generated_from: Vec<i16>,
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
    /// Has `ctid`, `xmin` and the like: every relation but a view. Without them a function is called in their place.
    pub system_columns: bool,
    /// Columns that are not dropped, by number.
    pub columns: Vec<Column>,
    /// Base columns `(relation, attnum)` that a view reads, views below it resolved; attnum 0 is the whole row.
    pub view_reads: Vec<(u32, i16)>,
    /// Views that a view reads, all levels.
    pub views_below: Vec<u32>,
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
    /// Sets of columns that name at most one row: unique indexes without condition or expression.
    pub unique_keys: Vec<Vec<String>>,
    /// Relations whose foreign keys point here: what TRUNCATE … CASCADE reaches next.
    pub referenced_by: Vec<u32>,
}

impl Default for Relation {
    fn default() -> Self {
        Self {
            oid: 0,
            schema: String::new(),
            name: String::new(),
            kind: RelationKind::Table,
            system_columns: false,
            columns: Vec::new(),
            view_reads: Vec::new(),
            views_below: Vec::new(),
            children: Vec::new(),
            parents: Vec::new(),
            has_rules: false,
            estimated_rows: None,
            extension: None,
            unique_keys: Vec::new(),
            referenced_by: Vec::new(),
        }
    }
}

impl Relation {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// A function that is not the server's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// `pg_proc.proargtypes`.
    pub argument_types: Vec<u32>,
}

/// An operator that is not the server's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Operator {
    /// Its schema.
    pub schema: String,
    /// Its name, e.g. `=`.
    pub name: String,
    /// The left operand's type, 0 for a prefix operator.
    pub left: u32,
    /// The right operand's type.
    pub right: u32,
    /// The function behind it, as `pg_proc` has it (the server's own ones too).
    pub function: Function,
}

/// A cast that is not the server's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cast {
    /// The type cast from.
    pub source: u32,
    /// The type cast to.
    pub target: u32,
    /// Applies without being written (`castcontext` is `i` or `a`).
    pub implicit: bool,
    /// The function it calls, if any.
    pub function: Option<Function>,
}

/// A type, the server's own ones too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Type {
    /// `pg_type.oid`.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// `pg_type.typname`.
    pub name: String,
    /// As SQL spells it in a signature: `integer`, `app.money_range`.
    pub display: String,
    /// Types of which it is made: element, base, subtype, fields.
    pub parts: Vec<u32>,
    /// Functions outside `pg_catalog` that making a value of it calls: input functions, checks of a domain.
    pub functions: Vec<Function>,
    /// Wins over `text` for an untyped literal.
    pub preferred_string: bool,
}

/// The target's own code that acts behind allowed statements, shown to people and never judged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnCode {
    /// `trigger`, `rule`, `policy`, `default`, `event trigger`.
    pub kind: String,
    /// The relation it hangs on, `schema.name`; empty for an event trigger.
    pub relation: String,
    /// Its name, or the column of a default.
    pub name: String,
    /// The function it calls, when it is one function outside `pg_catalog`.
    pub function: Option<String>,
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
    /// Indexes by (schema, name), with the table each belongs to.
    pub indexes: HashMap<(String, String), u32>,
    /// Functions outside `pg_catalog`, by name.
    pub functions: HashMap<String, Vec<Function>>,
    /// Operators outside `pg_catalog`, by name.
    pub operators: HashMap<String, Vec<Operator>>,
    /// Casts that are not the server's own.
    pub casts: Vec<Cast>,
    /// Types by OID, the server's own ones too.
    pub types: HashMap<u32, Type>,
    /// OIDs of types by name.
    pub type_names: HashMap<String, Vec<u32>>,
    /// Types outside the server's own that literals and built-in values turn into by themselves.
    pub loose_types: Vec<u32>,
    /// Schemas.
    pub schemas: Vec<String>,
    /// Installed extensions, name → version.
    pub extensions: HashMap<String, String>,
    /// Triggers, rules, policies and defaults.
    pub own_code: Vec<OwnCode>,
    /// The server's encoding, e.g. `UTF8`.
    pub server_encoding: String,
    /// Subscriptions of the server: without any, what says how they connect says nothing.
    pub subscriptions: u64,
    /// Nothing of the database could be read. Relations are there as they are called; of everything else only what every
    /// server brings along is known, and what may be the database's own is unclear.
    pub unseen: bool,
}

/// The schemas in which unqualified names are looked up, in order, as the server resolves them
/// (`current_schemas(true)`), implicit ones included.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct SearchPath(pub Vec<String>);

impl SearchPath {
    /// This session's temporary schema, if it has one.
    pub fn temporary(&self) -> Option<&str> {
        self.0
            .iter()
            .find(|s| s.starts_with("pg_temp_"))
            .map(String::as_str)
    }
    /// The schema as written, with `pg_temp` standing for this session's own.
    pub fn spelled<'a>(&'a self, schema: &'a str) -> &'a str {
        match schema {
            "pg_temp" => self.temporary().unwrap_or(schema),
            _ => schema,
        }
    }
    /// Whether unqualified names reach that schema.
    pub fn reaches(&self, schema: &str) -> bool {
        schema == "pg_catalog" || self.0.iter().any(|s| s == schema)
    }
}

impl Catalogue {
    /// The relation that a name means, as the server would look it up.
    pub fn relation(
        &self,
        path: &SearchPath,
        schema: Option<&str>,
        name: &str,
    ) -> Option<&Arc<Relation>> {
        let find = |s: &str| self.relations.get(&(s.to_owned(), name.to_owned()));
        match schema {
            Some(s) => find(path.spelled(s)),
            None => path.0.iter().find_map(|s| find(s)),
        }
    }
    /// The table that an index of that name belongs to.
    pub fn indexed_table(
        &self,
        path: &SearchPath,
        schema: Option<&str>,
        name: &str,
    ) -> Option<&Arc<Relation>> {
        let find = |s: &str| self.indexes.get(&(s.to_owned(), name.to_owned()));
        let oid = match schema {
            Some(s) => find(path.spelled(s)),
            None => path.0.iter().find_map(|s| find(s)),
        };
        oid.and_then(|oid| self.by_oid.get(oid))
    }
}

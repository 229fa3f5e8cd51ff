//! What is done: effects, actions on objects, and the figures a rule can look at.
//!
//! Lives here: the vocabulary, closed and equal to the policy schema's. Never: how bytes become actions.

use crate::ids::{Digest, Hasher};
use crate::target::Target;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The largest figure there is, and what "could not tell" reads as.
pub const FIGURE_MAX: i64 = 1_000_000_000_000_000;

/// What an action does to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Looks.
    Read,
    /// Changes data within bounds.
    Write,
    /// Changes structure, settings or rights.
    Administer,
    /// Destroys data or structure.
    Destroy,
    /// Runs code that cannot be judged from outside.
    Execute,
    /// Could not tell.
    Unknown,
}

impl Effect {
    /// The name in policy and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Read => "read",
            Effect::Write => "write",
            Effect::Administer => "administer",
            Effect::Destroy => "destroy",
            Effect::Execute => "execute",
            Effect::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $effect:ident),* $(,)?) => {
        /// A leaf action of the policy schema that a SQL command can be.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Verb { $($(#[$doc])* $variant),* }
        impl Verb {
            /// Every verb.
            pub const ALL: &'static [Verb] = &[$(Verb::$variant),*];
            /// Its name in the policy schema.
            pub fn as_str(self) -> &'static str {
                match self { $(Verb::$variant => $name),* }
            }
            /// Its effect.
            pub fn effect(self) -> Effect {
                match self { $(Verb::$variant => Effect::$effect),* }
            }
        }
    };
}

verbs! {
    /// Opens a session; no effect on data, judged on the target itself.
    Connect = "connect" Read,
    /// Reads rows.
    SqlSelect = "sql.select" Read,
    /// COPY … TO STDOUT.
    SqlCopyOut = "sql.copy_out" Read,
    /// EXPLAIN without ANALYZE.
    SqlExplain = "sql.explain" Read,
    /// SHOW and reading a setting.
    SqlShow = "sql.show" Read,
    /// INSERT.
    SqlInsert = "sql.insert" Write,
    /// UPDATE with a condition.
    SqlUpdate = "sql.update" Write,
    /// DELETE with a condition.
    SqlDelete = "sql.delete" Write,
    /// MERGE.
    SqlMerge = "sql.merge" Write,
    /// COPY … FROM STDIN.
    SqlCopyIn = "sql.copy_in" Write,
    /// LOCK TABLE, SELECT … FOR UPDATE.
    SqlLock = "sql.lock" Write,
    /// DELETE that nothing bounds.
    SqlDeleteAll = "sql.delete_all" Destroy,
    /// UPDATE that nothing bounds.
    SqlUpdateAll = "sql.update_all" Destroy,
    /// TRUNCATE.
    SqlTruncate = "sql.truncate" Destroy,
    /// DROP.
    SqlDrop = "sql.drop" Destroy,
    /// CREATE.
    SqlCreate = "sql.create" Administer,
    /// ALTER, COMMENT, REINDEX, VACUUM and their like.
    SqlAlter = "sql.alter" Administer,
    /// GRANT, REVOKE.
    SqlGrant = "sql.grant" Administer,
    /// SET of a setting that is not free.
    SqlSet = "sql.set" Administer,
    /// SET ROLE, SET SESSION AUTHORIZATION.
    SqlBecome = "sql.become" Administer,
    /// A function that is not on the list of harmless ones; CALL.
    SqlCall = "sql.call" Execute,
    /// DO.
    SqlDo = "sql.do" Execute,
    /// LISTEN.
    SqlListen = "sql.listen" Execute,
    /// NOTIFY.
    SqlNotify = "sql.notify" Execute,
    /// Could not tell.
    SqlUnknown = "sql.unknown" Unknown,
    /// Seeing a masked value as it is.
    RevealFull = "reveal.full" Read,
    /// Seeing its last four characters.
    RevealLast4 = "reveal.last4" Read,
    /// Seeing a stable token in its place.
    RevealToken = "reveal.token" Read,
    /// Counting it.
    RevealCount = "reveal.count" Read,
    /// Searching, joining, sorting or grouping by a masked value.
    Filter = "filter" Read,
    /// Computing with a masked value.
    Derive = "derive" Read,
}

/// The kinds of the policy schema's `RelationKind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// A table, partitioned ones too.
    Table,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A foreign table.
    ForeignTable,
    /// A temporary object of this session.
    Temporary,
    /// A sequence.
    Sequence,
    /// An object of `pg_catalog` or `information_schema`.
    Catalog,
}

impl RelationKind {
    /// The name in the policy schema.
    pub fn as_str(self) -> &'static str {
        match self {
            RelationKind::Table => "table",
            RelationKind::View => "view",
            RelationKind::MaterializedView => "materialized_view",
            RelationKind::ForeignTable => "foreign_table",
            RelationKind::Temporary => "temporary",
            RelationKind::Sequence => "sequence",
            RelationKind::Catalog => "catalog",
        }
    }
}

/// Something below a target that an action is done to. Names are as the target's catalogue has them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Object {
    /// The target itself.
    Target,
    /// A database.
    Database {
        /// Its name.
        database: String,
    },
    /// A schema.
    Schema {
        /// Its database.
        database: String,
        /// Its name.
        schema: String,
    },
    /// A relation.
    Table {
        /// Its database.
        database: String,
        /// Its schema.
        schema: String,
        /// Its name.
        table: String,
        /// What kind of relation.
        kind: RelationKind,
    },
    /// A function or procedure.
    Function {
        /// Its database.
        database: String,
        /// Its schema.
        schema: String,
        /// `name(argument types)`, as in `refund(uuid,numeric)`; `name(*)` for all overloads.
        signature: String,
        /// Declared volatile.
        volatile: bool,
        /// Runs with its owner's rights.
        security_definer: bool,
    },
    /// A setting.
    Setting {
        /// Its name, lower case.
        name: String,
    },
    /// A role of the target.
    Role {
        /// Its name.
        name: String,
    },
    /// A masked column: a field of a class, below its table.
    Field {
        /// Its database.
        database: String,
        /// Its schema.
        schema: String,
        /// Its table.
        table: String,
        /// The kind of that relation.
        kind: RelationKind,
        /// The column.
        column: String,
        /// The class of its data.
        class: String,
    },
}

/// Percent-escapes a part of an entity id: `%`, `/` and control characters, so that a part never contains a slash.
pub fn escape_part(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for c in part.chars() {
        if c == '%' || c == '/' || c.is_control() {
            let mut buf = [0; 4];
            for b in c.encode_utf8(&mut buf).bytes() {
                out.push_str(&format!("%{b:02X}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

impl Object {
    /// The entity type in the policy schema.
    pub fn entity_type(&self) -> &'static str {
        match self {
            Object::Target => "Target",
            Object::Database { .. } => "Database",
            Object::Schema { .. } => "Schema",
            Object::Table { .. } => "Table",
            Object::Function { .. } => "Function",
            Object::Setting { .. } => "Setting",
            Object::Role { .. } => "Role",
            Object::Field { .. } => "Field",
        }
    }

    /// The entity id: a path that begins with the target, e.g. `orders-db/app/public/customers`.
    pub fn entity_id(&self, target: &Target) -> String {
        let join = |parts: &[&str]| {
            let mut id = escape_part(&target.name);
            for p in parts {
                id.push('/');
                id.push_str(&escape_part(p));
            }
            id
        };
        match self {
            Object::Target => join(&[]),
            Object::Database { database } => join(&[database]),
            Object::Schema { database, schema } => join(&[database, schema]),
            Object::Table {
                database,
                schema,
                table,
                ..
            } => join(&[database, schema, table]),
            Object::Function {
                database,
                schema,
                signature,
                ..
            } => join(&[database, schema, signature]),
            Object::Setting { name } | Object::Role { name } => join(&[name]),
            Object::Field {
                database,
                schema,
                table,
                column,
                ..
            } => join(&[database, schema, table, column]),
        }
    }
}

/// The figures of one act that a SQL rule can look at (the schema's `SqlContext`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SqlFacts {
    /// Columns of the object that are read or written; `*` when not told apart.
    pub columns: BTreeSet<String>,
    /// A condition bounds it.
    pub has_where: bool,
    /// A literal LIMIT; [`FIGURE_MAX`] when there is none.
    pub limit: i64,
    /// Rows it will touch; [`FIGURE_MAX`] when nobody can tell.
    pub estimated_rows: i64,
    /// Objects that the whole command touches.
    pub objects: i64,
    /// Inside an explicit transaction block.
    pub in_transaction: bool,
}

impl Default for SqlFacts {
    fn default() -> Self {
        Self {
            columns: BTreeSet::from(["*".to_owned()]),
            has_where: false,
            limit: FIGURE_MAX,
            estimated_rows: FIGURE_MAX,
            objects: 1,
            in_transaction: false,
        }
    }
}

/// One verb on one object: the unit that policy judges. A command is a set of them; all must pass.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Act {
    /// What is done.
    pub verb: Verb,
    /// To what.
    pub object: Object,
    /// The figures.
    pub facts: SqlFacts,
}

impl Act {
    /// An act with figures that say "could not tell".
    pub fn new(verb: Verb, object: Object) -> Self {
        Self {
            verb,
            object,
            facts: SqlFacts::default(),
        }
    }
    /// Its effect.
    pub fn effect(&self) -> Effect {
        self.verb.effect()
    }
}

/// What an approval is bound to: the exact command, and everything that gives it its meaning.
#[derive(Debug, Clone)]
pub struct ActionKey<'a> {
    /// The target's name.
    pub target: &'a str,
    /// The database, or what stands for it in the protocol.
    pub place: &'a str,
    /// The upstream role.
    pub role: &'a str,
    /// The text, exactly as it would be forwarded.
    pub text: &'a [u8],
    /// Parameter values as sent: `None` is NULL.
    pub parameters: &'a [Option<bytes::Bytes>],
    /// Parameter types and formats as sent.
    pub parameter_shape: &'a [u8],
    /// Settings that change the meaning, `name=value`.
    pub settings: &'a [String],
}

impl ActionKey<'_> {
    /// The hash that an approval names. The chain is bound beside it, by [`crate::principal::Chain::names_digest`].
    pub fn hash(&self) -> Digest {
        let mut h = Hasher::new();
        h.field(b"brattice action 1");
        h.field(self.target.as_bytes())
            .field(self.place.as_bytes())
            .field(self.role.as_bytes());
        h.field(self.text);
        h.field(&(self.parameters.len() as u64).to_be_bytes());
        for p in self.parameters {
            match p {
                Some(v) => h.field(b"v").field(v),
                None => h.field(b"n"),
            };
        }
        h.field(self.parameter_shape);
        for s in self.settings {
            h.field(s.as_bytes());
        }
        h.finish()
    }
}

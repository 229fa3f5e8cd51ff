//! Things below a target that actions are done to, and their names in policy.
//!
//! Lives here: the objects of every protocol. Never: how they were found.

use crate::target::Target;
use serde::{Deserialize, Serialize};

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
    /// A program of a host.
    Program {
        /// As the command names it: a path, or a name that the account's `PATH` leads to.
        path: String,
    },
    /// A file or directory of a host.
    File {
        /// Its path, absolute and without `.`, `..` or empty parts; `~/…` below the account's home directory; `/` for
        /// one that may be anywhere.
        path: String,
    },
    /// Where a connection through a host leads.
    Forward {
        /// The host as it was named, or the path of a socket.
        host: String,
        /// The port; 0 for a socket.
        port: u16,
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
            Object::Program { .. } => "Program",
            Object::File { .. } => "File",
            Object::Forward { .. } => "Forward",
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
            Object::Program { path } => join(&[path]),
            Object::File { path } => {
                let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
                join(&parts)
            }
            Object::Forward { host, port } => join(&[host, &port.to_string()]),
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

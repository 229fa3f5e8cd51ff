//! Statements for a database of which nothing was read.
//!
//! Lives here: which names can be told all the same, because every server brings them along. Never: how far these can be
//! trusted, how functions are called (see `unseen/calls`).

mod calls;

use super::Walk;
use super::names::Found;
use crate::action::RelationKind;
use crate::classify::sql::catalogue::{Column, Relation};
use crate::classify::sql::command::Unclear;
use crate::classify::sql::lists::EVERYWHERE;
use crate::classify::sql::nodes::{Qualified, inner};
use crate::classify::sql::scope::{Columns, Item};
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;
use std::sync::Arc;

impl Walk<'_> {
    /// A relation, taken as it is called. Whatever is called like the server's own is guarded like that.
    pub(super) fn unseen_relation(&self, name: Qualified<'_>) -> Option<Found> {
        if !self.ctx.catalogue.unseen {
            return None;
        }
        let schema = match name.schema {
            Some(schema) => self.ctx.path.spelled(schema),
            None if name.name.starts_with("pg_") => "pg_catalog",
            None => "public",
        };
        let of_server = schema == "information_schema"
            || schema == "pg_catalog"
            || schema.starts_with("pg_toast")
            || name.name.starts_with("pg_");
        let called = match schema {
            "pg_catalog" => name.name.to_owned(),
            _ => format!("{schema}.{}", name.name),
        };
        let known = EVERYWHERE.columns.get(called.as_str());
        // Columns that only some versions have must not go unnoticed where reading them is refused.
        let names = known.into_iter().flatten().copied();
        let sensitive = self.ctx.lists.sensitive_columns(name.name);
        let columns = names.chain(sensitive.filter(|_| of_server));
        let columns = columns.map(|name| Column {
            name: name.to_owned(),
            ..Column::default()
        });
        let relation = Relation {
            schema: schema.to_owned(),
            name: name.name.to_owned(),
            kind: if of_server {
                RelationKind::Catalog
            } else {
                RelationKind::Table
            },
            // What is not known may be a view.
            system_columns: EVERYWHERE.tables.contains(called.as_str()),
            columns: columns.collect(),
            ..Relation::default()
        };
        Some(Found {
            relation: Arc::new(relation),
            columns_known: known.is_some(),
        })
    }

    /// The columns that a relation surely has under these names: in which order they come differs.
    pub(super) fn unseen_columns(
        &self,
        own: Vec<String>,
        aliases: &[String],
        known: bool,
    ) -> Columns {
        match (self.ctx.catalogue.unseen, known) {
            (true, _) if !aliases.is_empty() => Columns::Known(aliases.to_vec()),
            (true, true) => Columns::Known(own),
            _ => Columns::Any,
        }
    }

    /// The columns of a row that is to be inserted: those written in front of it are there, or nothing happens.
    pub(super) fn unseen_row(&self, item: &Item, written: &[pb::Node]) -> Columns {
        if !self.ctx.catalogue.unseen {
            return item.columns.clone();
        }
        let names = written.iter().filter_map(|node| match inner(node) {
            Some(N::ResTarget(target)) => Some(target.name.clone()),
            _ => None,
        });
        Columns::Known(names.collect())
    }

    /// A type: casting to one of the database's own may run whatever it is made with.
    pub(super) fn unseen_type(&mut self, name: Qualified<'_>) {
        // What the grammar makes of `serial` is no type.
        let serial = matches!(
            name.name,
            "serial" | "bigserial" | "smallserial" | "serial2" | "serial4" | "serial8"
        );
        let known = EVERYWHERE.types.contains(name.name) || serial;
        if self.ctx.catalogue.unseen && !(known && of_catalog(name.schema)) {
            self.unclear(Unclear::new(
                "brattice.sql.type",
                format!("The type {} may be the database's own.", name.name),
            ));
        }
    }

    /// An operator.
    pub(super) fn unseen_operator(&mut self, schema: Option<&str>, name: &str) {
        let known = EVERYWHERE.operators.contains(name) && of_catalog(schema);
        if self.ctx.catalogue.unseen && !known {
            self.unclear(Unclear::new(
                "brattice.sql.operator",
                format!("The operator {name} may be the database's own."),
            ));
        }
    }

    /// A function that is not known: whether it may be the database's own decides what is said.
    pub(super) fn unseen_function(&self, shown: &str) -> Option<Unclear> {
        self.ctx.catalogue.unseen.then(|| {
            Unclear::new(
                "brattice.sql.function",
                format!("The function {shown} may be the database's own."),
            )
        })
    }

    /// `x.name` where `x` is not known to have such a column. Where it has none, a function of that name is called on it.
    pub(super) fn unseen_field(&mut self, name: &str) {
        if self.ctx.catalogue.unseen {
            self.unclear(
                Unclear::new(
                    "brattice.sql.field",
                    format!("{name} behind a dot may be a function of the database, called on the row."),
                )
                .hint("Write the column alone, or where two have it: FROM (SELECT a, b FROM t) AS x, and then x.a."),
            );
        }
    }
}

/// Whether a name is the server's own, where nobody else has made one like it.
fn of_catalog(schema: Option<&str>) -> bool {
    matches!(schema, None | Some("pg_catalog"))
}

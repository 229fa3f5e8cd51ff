//! Names to objects.
//!
//! Lives here: look-ups along the path, in the catalogue and in what earlier statements changed. Never: what is done.

use super::Walk;
use crate::action::{Object, RelationKind};
use crate::classify::sql::catalogue::{FIRST_USER_OID, Relation};
use crate::classify::sql::command::Unclear;
use crate::classify::sql::nodes::{self, Qualified, given};
use pg_query::protobuf as pb;
use std::sync::Arc;

/// A relation that was found.
pub(super) struct Found {
    pub relation: Arc<Relation>,
    pub columns_known: bool,
}

/// The schema that temporary objects are named under, whatever this session's is called.
pub(super) const TEMPORARY_SCHEMA: &str = "pg_temp";

impl Walk<'_> {
    /// The relation that a name means; when there is none, the command is unclear.
    pub(super) fn relation(&mut self, var: &pb::RangeVar) -> Option<Found> {
        let name = Qualified {
            catalog: given(&var.catalogname),
            schema: given(&var.schemaname),
            name: &var.relname,
        };
        let found = self.find_relation(name);
        if found.is_none() {
            self.no_relation(name);
        }
        found
    }

    pub(super) fn no_relation(&mut self, name: Qualified<'_>) {
        let shown = match name.schema {
            Some(schema) => format!("{schema}.{}", name.name),
            None => name.name.to_owned(),
        };
        self.unclear(
            Unclear::new(
                "brattice.sql.relation",
                format!("relation \"{shown}\" does not exist"),
            )
            .hint("Check the name, its schema, and its double quotes."),
        );
    }

    /// The same without a word when there is none.
    pub(super) fn find_relation(&mut self, name: Qualified<'_>) -> Option<Found> {
        self.now.named = true;
        if name
            .catalog
            .is_some_and(|c| c != self.ctx.catalogue.database)
        {
            return None;
        }
        let found = match name.schema {
            Some(schema) => self
                .relation_in(self.ctx.path.spelled(schema), name.name)
                .or_else(|| self.unseen_relation(name)),
            None => {
                self.now.unqualified = true;
                let path = &self.ctx.path.0;
                // A temporary schema that does not exist yet is in no path; what is in it is known to be pending.
                let early = (self.ctx.path.temporary().is_none())
                    .then(|| self.relation_in(TEMPORARY_SCHEMA, name.name))
                    .flatten();
                let found = path.iter().find_map(|s| self.relation_in(s, name.name));
                let found = found.or_else(|| self.unseen_relation(name));
                if early.is_some() && found.is_some() {
                    self.unclear(
                        Unclear::new(
                            "brattice.sql.names_in_doubt",
                            format!("{} is a temporary relation and another one.", name.name),
                        )
                        .hint("Write the schema, or send the statements separately."),
                    );
                }
                found.or(early)
            }
        };
        if let Some(found) = &found {
            let relation = Arc::clone(&found.relation);
            self.note_relation(&relation);
        }
        found
    }

    fn relation_in(&self, schema: &str, name: &str) -> Option<Found> {
        match self.pending.relation(schema, name) {
            Some(Some(pending)) => Some(Found {
                relation: Arc::clone(&pending.relation),
                // With IF NOT EXISTS another one may have been there.
                columns_known: pending.columns_known && !self.ctx.catalogue.unseen,
            }),
            Some(None) => None,
            None => self
                .ctx
                .catalogue
                .relations
                .get(&(schema.to_owned(), name.to_owned()))
                .map(|relation| Found {
                    relation: Arc::clone(relation),
                    columns_known: true,
                }),
        }
    }

    pub(super) fn relation_object(&self, relation: &Relation) -> Object {
        let temporary = relation.kind == RelationKind::Temporary;
        Object::Table {
            database: self.ctx.catalogue.database.clone(),
            schema: if temporary {
                TEMPORARY_SCHEMA.to_owned()
            } else {
                relation.schema.clone()
            },
            table: relation.name.clone(),
            kind: relation.kind,
        }
    }

    pub(super) fn schema_object(&self, schema: &str) -> Object {
        Object::Schema {
            database: self.ctx.catalogue.database.clone(),
            schema: schema.to_owned(),
        }
    }

    /// The schema that an unqualified name is created in.
    pub(super) fn creation_schema(&mut self) -> Option<String> {
        self.now.named = true;
        self.now.unqualified = true;
        let first = self
            .ctx
            .path
            .0
            .iter()
            .find(|s| *s != "pg_catalog" && !s.starts_with("pg_temp"))
            .cloned();
        if first.is_none() {
            self.unclear(
                Unclear::new(
                    "brattice.sql.no_schema",
                    "The search path names no schema to create in.",
                )
                .hint("Write the schema in front of the name."),
            );
        }
        first
    }

    /// The schema that a written or missing one means for something new.
    pub(super) fn schema_for_new(&mut self, schema: Option<&str>) -> String {
        match schema {
            Some(schema) => self.ctx.path.spelled(schema).to_owned(),
            None => self.creation_schema().unwrap_or_default(),
        }
    }

    /// Notes a type's name, and which types it may mean.
    pub(super) fn type_name(&mut self, name: &pb::TypeName) -> Vec<u32> {
        let Some(written) = nodes::qualified(&name.names) else {
            if name.type_oid == 0 {
                self.not_modelled("A type's name");
            }
            return Vec::new();
        };
        let found = self.types_called(written);
        self.now.types.extend(&found);
        found
    }

    /// The types that a name may mean.
    pub(super) fn types_called(&mut self, name: Qualified<'_>) -> Vec<u32> {
        self.now.named = true;
        self.unseen_type(name);
        let Some(oids) = self.ctx.catalogue.type_names.get(name.name) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let mut own = false;
        for oid in oids {
            let Some(known) = self.ctx.catalogue.types.get(oid) else {
                continue;
            };
            own |= *oid >= FIRST_USER_OID;
            let fits = match name.schema {
                Some(schema) => known.schema == self.ctx.path.spelled(schema),
                None => self.ctx.path.reaches(&known.schema),
            };
            if fits {
                found.push(*oid);
            }
        }
        self.now.unqualified |= own && name.schema.is_none();
        found
    }
}

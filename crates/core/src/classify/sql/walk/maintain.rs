//! VACUUM, ANALYZE, REINDEX and CLUSTER.
//!
//! Lives here: upkeep of relations. Never: their rows.

use super::Walk;
use crate::action::Verb;
use crate::classify::sql::nodes::inner;
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;

impl Walk<'_> {
    pub(super) fn vacuum(&mut self, s: &pb::VacuumStmt) {
        self.now.changes = true;
        if s.rels.is_empty() {
            let database = self.database();
            self.act(Verb::SqlAlter, database);
        }
        for node in &s.rels {
            match inner(node) {
                Some(N::VacuumRelation(r)) => match &r.relation {
                    Some(var) => self.alters(var, Verb::SqlAlter),
                    None => self.not_modelled("VACUUM"),
                },
                _ => self.not_modelled("VACUUM"),
            }
        }
    }

    pub(super) fn reindex(&mut self, s: &pb::ReindexStmt) {
        self.now.changes = true;
        match (pb::ReindexObjectType::try_from(s.kind), &s.relation) {
            (
                Ok(
                    pb::ReindexObjectType::ReindexObjectIndex
                    | pb::ReindexObjectType::ReindexObjectTable,
                ),
                Some(var),
            ) => {
                self.index_or_relation(var, Verb::SqlAlter);
            }
            (Ok(pb::ReindexObjectType::ReindexObjectSchema), _) => {
                let schema = self.schema_object(&s.name);
                self.act(Verb::SqlAlter, schema);
            }
            (
                Ok(
                    pb::ReindexObjectType::ReindexObjectSystem
                    | pb::ReindexObjectType::ReindexObjectDatabase,
                ),
                _,
            ) => {
                let database = self.database();
                self.act(Verb::SqlAlter, database);
            }
            _ => self.not_modelled("REINDEX of this kind"),
        }
    }

    pub(super) fn cluster(&mut self, s: &pb::ClusterStmt) {
        self.now.changes = true;
        match &s.relation {
            Some(var) => self.alters(var, Verb::SqlAlter),
            None => {
                let database = self.database();
                self.act(Verb::SqlAlter, database);
            }
        }
    }
}

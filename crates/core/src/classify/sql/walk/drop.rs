//! DROP.
//!
//! Lives here: what goes, and what goes with it. Never: how dependents are found in the catalogue's rows.

use super::Walk;
use crate::action::Verb;
use crate::classify::sql::catalogue::Relation;
use crate::classify::sql::nodes::{Qualified, inner, name, qualified};
use crate::classify::sql::pending::Doubt;
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;
use std::collections::HashSet;
use std::sync::Arc;

impl Walk<'_> {
    pub(super) fn drop(&mut self, s: &pb::DropStmt) {
        let pb::DropStmt {
            objects,
            remove_type,
            behavior,
            missing_ok,
            concurrent: _,
        } = s;
        self.changes_catalogue();
        let cascade = *behavior == pb::DropBehavior::DropCascade as i32;
        use pb::ObjectType as T;
        for object in objects {
            match T::try_from(*remove_type) {
                Ok(
                    T::ObjectTable
                    | T::ObjectView
                    | T::ObjectMatview
                    | T::ObjectForeignTable
                    | T::ObjectSequence,
                ) => self.drop_relation(object, cascade, *missing_ok),
                Ok(T::ObjectSchema) => self.drop_schema(object, cascade),
                Ok(T::ObjectIndex | T::ObjectTrigger | T::ObjectPolicy | T::ObjectRule)
                    if *missing_ok =>
                {
                    self.drop_part(*remove_type, object);
                }
                Ok(T::ObjectIndex | T::ObjectTrigger | T::ObjectPolicy | T::ObjectRule) => {
                    self.on_named(*remove_type, inner(object), Verb::SqlDrop);
                }
                Ok(_) => {
                    self.on_named(*remove_type, inner(object), Verb::SqlDrop);
                    if cascade {
                        self.unclear_cascade();
                    }
                }
                Err(_) => self.not_modelled("DROP of this kind"),
            }
        }
    }

    /// With IF EXISTS, a part of something that does not exist is nothing.
    fn drop_part(&mut self, kind: i32, object: &pb::Node) {
        let before = self.out.unclear.len();
        let acts = self.now.acts.len();
        self.on_named(kind, inner(object), Verb::SqlDrop);
        let only_missing = self
            .out
            .unclear
            .iter()
            .skip(before)
            .all(|u| u.rule == "brattice.sql.relation");
        if only_missing && self.out.unclear.len() > before {
            self.out.unclear.truncate(before);
            self.now.acts.truncate(acts);
        }
    }

    fn drop_relation(&mut self, object: &pb::Node, cascade: bool, missing_ok: bool) {
        let list = match inner(object) {
            Some(N::List(l)) => qualified(&l.items),
            _ => None,
        };
        let Some(name) = list else {
            self.not_modelled("DROP");
            return;
        };
        match self.find_relation(name) {
            Some(found) => {
                let relation = found.relation;
                self.verb_on(&relation, false, Verb::SqlDrop);
                self.pending.drops(&relation.schema, &relation.name);
                if cascade {
                    self.dependents(&relation);
                }
            }
            None if missing_ok => {}
            None => self.no_relation(name),
        }
        // What is found under that name now stands further along the path.
        if name.schema.is_none() {
            self.dropped_unqualified(name);
        }
    }

    fn dropped_unqualified(&mut self, name: Qualified<'_>) {
        if !self.ctx.catalogue.unseen && self.find_relation(name).is_some() {
            self.pending.doubts(Doubt::Unqualified);
        }
    }

    /// Views over it go, all levels; foreign keys to it go with their constraints.
    fn dependents(&mut self, relation: &Arc<Relation>) {
        let catalogue = self.ctx.catalogue;
        let gone: HashSet<u32> = relation
            .children
            .iter()
            .copied()
            .chain([relation.oid])
            .collect();
        let views: Vec<Arc<Relation>> = catalogue
            .by_oid
            .values()
            .filter(|r| {
                let bases = r.view_reads.iter().map(|(oid, _)| oid);
                bases.chain(&r.views_below).any(|oid| gone.contains(oid))
            })
            .cloned()
            .collect();
        for view in &views {
            self.verb_on(view, false, Verb::SqlDrop);
            self.pending.drops(&view.schema, &view.name);
        }
        let pointing: Vec<Arc<Relation>> = gone
            .iter()
            .filter_map(|oid| catalogue.by_oid.get(oid))
            .flat_map(|r| &r.referenced_by)
            .filter_map(|oid| catalogue.by_oid.get(oid))
            .cloned()
            .collect();
        for other in &pointing {
            self.verb_on(other, false, Verb::SqlAlter);
        }
        self.pending.doubts(Doubt::All);
    }

    fn drop_schema(&mut self, object: &pb::Node, cascade: bool) {
        let Some(schema) = name(object) else {
            self.not_modelled("DROP SCHEMA");
            return;
        };
        self.now.named = true;
        let dropped = self.schema_object(schema);
        self.act(Verb::SqlDrop, dropped);
        if cascade {
            let inside: Vec<Arc<Relation>> = self
                .ctx
                .catalogue
                .by_oid
                .values()
                .filter(|r| r.schema == schema)
                .cloned()
                .collect();
            for relation in &inside {
                self.verb_on(relation, false, Verb::SqlDrop);
                self.dependents(relation);
            }
            let functions: Vec<_> = self
                .ctx
                .catalogue
                .functions
                .values()
                .flatten()
                .filter(|f| f.schema == schema)
                .cloned()
                .collect();
            for function in &functions {
                let object = self.own_function_object(function);
                self.act(Verb::SqlDrop, object);
            }
        }
        self.pending.doubts(Doubt::All);
    }

    /// Everything the roles own: not known from here.
    pub(super) fn drop_owned(&mut self, _s: &pb::DropOwnedStmt) {
        self.changes_catalogue();
        let database = self.database();
        self.act(Verb::SqlDrop, database);
        self.unclear(
            crate::classify::sql::command::Unclear::new(
                "brattice.sql.cascade",
                "DROP OWNED reaches whatever the roles own, which is not known.",
            )
            .hint("Drop the objects one by one."),
        );
        self.pending.doubts(Doubt::All);
    }
}

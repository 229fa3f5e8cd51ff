//! ALTER TABLE and its like, TRUNCATE, LOCK.
//!
//! Lives here: what is done to relations that exist, other than to their rows. Never: rows.

use super::Walk;
use crate::action::{Act, RelationKind, Verb};
use crate::classify::sql::catalogue::Relation;
use crate::classify::sql::nodes::{Qualified, child, given, inner};
use crate::classify::sql::pending::Doubt;
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;
use std::collections::HashSet;
use std::sync::Arc;

impl Walk<'_> {
    /// A verb on a relation, and on those that follow it.
    pub(super) fn alters(&mut self, var: &pb::RangeVar, verb: Verb) {
        if let Some(found) = self.relation(var) {
            self.verb_on(&found.relation, !var.inh, verb);
        }
    }

    /// The same for ALTER, without the relation's children.
    pub(super) fn alters_alone(&mut self, var: &pb::RangeVar) {
        if let Some(found) = self.relation(var) {
            self.verb_on(&found.relation, true, Verb::SqlAlter);
        }
    }

    pub(super) fn verb_on(&mut self, relation: &Arc<Relation>, only: bool, verb: Verb) {
        if relation.kind == RelationKind::Catalog
            && !matches!(verb, Verb::SqlLock | Verb::SqlSelect)
        {
            self.not_modelled("Changing a relation of the server");
        }
        let rows = self.rows_of(relation, only);
        for reached in self.reached_from(relation, only) {
            self.note_relation(&reached);
            let object = self.relation_object(&reached);
            let mut act = Act::new(verb, object);
            act.facts.edit_sql(|f| f.estimated_rows = rows);
            self.now.acts.push(act);
        }
    }

    /// An index, or the table it belongs to.
    pub(super) fn index_or_relation(&mut self, var: &pb::RangeVar, verb: Verb) {
        let name = Qualified {
            catalog: given(&var.catalogname),
            schema: given(&var.schemaname),
            name: &var.relname,
        };
        if let Some(found) = self.find_relation(name) {
            self.verb_on(&found.relation, !var.inh, verb);
            return;
        }
        let table = self
            .ctx
            .catalogue
            .indexed_table(self.ctx.path, name.schema, name.name)
            .cloned();
        match table {
            Some(table) => self.verb_on(&table, true, verb),
            None => self.no_relation(name),
        }
    }

    pub(super) fn alter_table(&mut self, s: &pb::AlterTableStmt) {
        let pb::AlterTableStmt {
            relation,
            cmds,
            objtype,
            missing_ok: _,
        } = s;
        self.changes_catalogue();
        let Some(relation) = relation else {
            self.not_modelled("ALTER");
            return;
        };
        if *objtype == pb::ObjectType::ObjectType as i32 {
            self.schema_change(Verb::SqlAlter, given(&relation.schemaname));
            return;
        }
        let index = *objtype == pb::ObjectType::ObjectIndex as i32;
        if index {
            self.index_or_relation(relation, Verb::SqlAlter);
        } else if cmds.iter().all(moves_partition) {
            self.alters_alone(relation);
        } else {
            self.alters(relation, Verb::SqlAlter);
        }
        for node in cmds {
            match inner(node) {
                Some(N::AlterTableCmd(c)) => self.alter_table_command(c, relation),
                _ => self.not_modelled("A part of ALTER TABLE"),
            }
        }
        // Its columns are not what the catalogue says any more.
        self.columns_unknown(relation);
    }

    fn alter_table_command(&mut self, c: &pb::AlterTableCmd, relation: &pb::RangeVar) {
        let pb::AlterTableCmd {
            subtype,
            name: _,
            num: _,
            newowner: _,
            def,
            behavior,
            missing_ok: _,
            recurse: _,
        } = c;
        let kind = pb::AlterTableType::try_from(*subtype);
        match kind {
            // The column's data is gone.
            Ok(pb::AlterTableType::AtDropColumn) => self.alters(relation, Verb::SqlDrop),
            // USING gives the column of every row another value.
            Ok(pb::AlterTableType::AtAlterColumnType) if matches!(child(def), Some(N::ColumnDef(c)) if c.raw_default.is_some()) =>
            {
                self.alters(relation, Verb::SqlUpdateAll);
            }
            Ok(_) => {}
            Err(_) => self.not_modelled("A part of ALTER TABLE"),
        }
        if *behavior == pb::DropBehavior::DropCascade as i32 {
            self.unclear_cascade();
        }
        match child(def) {
            None => {}
            Some(N::ColumnDef(_) | N::Constraint(_)) => self.opaque(child(def)),
            Some(N::RangeVar(other)) => self.alters(other, Verb::SqlAlter),
            Some(N::PartitionCmd(p)) => {
                if let Some(other) = &p.name {
                    self.index_or_relation(other, Verb::SqlAlter);
                }
                if let Some(bound) = &p.bound {
                    self.partition_bound(bound);
                }
            }
            Some(N::TypeName(t)) => {
                self.type_name(t);
            }
            Some(
                N::Integer(_)
                | N::String(_)
                | N::List(_)
                | N::DefElem(_)
                | N::ReplicaIdentityStmt(_)
                | N::RoleSpec(_)
                | N::AtalterConstraint(_),
            ) => {}
            Some(other) => self.opaque(Some(other)),
        }
    }

    /// Later statements of the message do not know the relation's columns.
    fn columns_unknown(&mut self, var: &pb::RangeVar) {
        let name = Qualified {
            catalog: None,
            schema: given(&var.schemaname),
            name: &var.relname,
        };
        if let Some(found) = self.find_relation(name) {
            let mut relation = Relation::clone(&found.relation);
            relation.columns.clear();
            relation.unique_keys.clear();
            self.pending.creates(relation, false);
        }
    }

    pub(super) fn alter_sequence(&mut self, s: &pb::AlterSeqStmt) {
        self.changes_catalogue();
        match &s.sequence {
            Some(var) => self.alters(var, Verb::SqlAlter),
            None => self.not_modelled("ALTER SEQUENCE"),
        }
    }

    pub(super) fn refresh(&mut self, s: &pb::RefreshMatViewStmt) {
        self.now.changes = true;
        match &s.relation {
            Some(var) => self.alters(var, Verb::SqlAlter),
            None => self.not_modelled("REFRESH"),
        }
    }

    pub(super) fn truncate(&mut self, s: &pb::TruncateStmt) {
        self.now.changes = true;
        let cascade = s.behavior == pb::DropBehavior::DropCascade as i32;
        for node in &s.relations {
            let Some(N::RangeVar(var)) = inner(node) else {
                self.not_modelled("TRUNCATE");
                continue;
            };
            if let Some(found) = self.relation(var) {
                self.verb_on(&found.relation, !var.inh, Verb::SqlTruncate);
                if cascade {
                    for other in self.referencing(&found.relation) {
                        self.verb_on(&other, false, Verb::SqlTruncate);
                    }
                }
            }
        }
    }

    /// Tables whose foreign keys lead to this one, over any number of steps.
    fn referencing(&self, relation: &Arc<Relation>) -> Vec<Arc<Relation>> {
        let mut seen = HashSet::from([relation.oid]);
        let mut open: Vec<u32> = relation
            .children
            .iter()
            .copied()
            .chain([relation.oid])
            .collect();
        let mut all = Vec::new();
        while let Some(oid) = open.pop() {
            let Some(relation) = self.ctx.catalogue.by_oid.get(&oid) else {
                continue;
            };
            for next in &relation.referenced_by {
                if seen.insert(*next)
                    && let Some(other) = self.ctx.catalogue.by_oid.get(next)
                {
                    open.push(*next);
                    open.extend(&other.children);
                    all.push(Arc::clone(other));
                }
            }
        }
        all
    }

    pub(super) fn lock(&mut self, s: &pb::LockStmt) {
        // ACCESS SHARE is what every SELECT takes.
        let verb = if s.mode == pg_query::LockMode::AccessShareLock as i32 {
            Verb::SqlSelect
        } else {
            self.now.changes = true;
            Verb::SqlLock
        };
        for node in &s.relations {
            match inner(node) {
                Some(N::RangeVar(var)) => self.alters(var, verb),
                _ => self.not_modelled("LOCK"),
            }
        }
    }

    pub(super) fn unclear_cascade(&mut self) {
        self.unclear(
            crate::classify::sql::command::Unclear::new(
                "brattice.sql.cascade",
                "CASCADE reaches whatever depends on this, which is not known.",
            )
            .hint("Drop the dependent objects one by one."),
        );
        self.pending.doubts(Doubt::All);
    }
}

/// ATTACH and DETACH PARTITION leave the other partitions alone.
fn moves_partition(command: &pb::Node) -> bool {
    use pb::AlterTableType as T;
    match inner(command) {
        Some(N::AlterTableCmd(c)) => matches!(
            T::try_from(c.subtype),
            Ok(T::AtAttachPartition | T::AtDetachPartition | T::AtDetachPartitionFinalize)
        ),
        _ => false,
    }
}

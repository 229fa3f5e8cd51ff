//! From what was gathered to acts.
//!
//! Lives here: touches into acts, other relations whose data they reach, merging, counting. Never: nodes.

use super::{Touch, Walk};
use crate::action::{Act, Effect, FIGURE_MAX, Object, RelationKind, SqlFacts, Verb};
use crate::classify::sql::catalogue::Relation;
use crate::classify::sql::command::{Command, Unclear};
use crate::classify::sql::pending::Doubt;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

impl Walk<'_> {
    /// Ends the statement at hand.
    pub(super) fn finish_statement(&mut self) {
        let doubtful = match self.now.doubt {
            Doubt::None => false,
            Doubt::Unqualified => self.now.unqualified,
            Doubt::All => self.now.named,
        };
        if doubtful {
            self.unclear(
                Unclear::new(
                    "brattice.sql.names_in_doubt",
                    "An earlier statement of the same message changes what names in this one mean.",
                )
                .hint("Send them separately."),
            );
        }
        self.judge_values();
        for touch in std::mem::take(&mut self.now.touches) {
            self.touch_into_acts(touch);
        }
        if self.now.opaque {
            // Code that cannot be judged may set, create and drop.
            self.anything_may_change();
        }
        self.out.needs_names |= self.now.named;
        let acts = std::mem::take(&mut self.now.acts);
        let mut step = std::mem::take(&mut self.now.step);
        step.reads_only = !self.now.changes && acts.iter().all(|a| a.effect() == Effect::Read);
        self.out.steps.push(step);
        for mut act in acts {
            act.facts
                .edit_sql(|f| f.in_transaction |= self.in_transaction);
            self.merge(act);
        }
    }

    /// Ends the message.
    pub(in crate::classify::sql) fn finish(mut self) -> Command {
        // What was said of the message as a whole.
        for act in std::mem::take(&mut self.now.acts) {
            self.merge(act);
        }
        let objects: BTreeSet<&Object> = self.acts.keys().map(|(_, o)| o).collect();
        let objects = i64::try_from(objects.len()).unwrap_or(FIGURE_MAX);
        self.out.acts = std::mem::take(&mut self.acts)
            .into_iter()
            .map(|((verb, object), mut facts)| {
                facts.objects = objects;
                Act {
                    verb,
                    object,
                    facts: facts.into(),
                }
            })
            .collect();
        self.out.relations = self.relations.iter().copied().collect();
        self.out.leaves = std::mem::take(&mut self.pending);
        self.out
    }

    /// Takes over what a statement inside this one does.
    pub(super) fn absorb(&mut self, command: &Command) {
        self.now.acts.extend(command.acts.iter().cloned());
        for unclear in &command.unclear {
            if !self.out.unclear.contains(unclear) {
                self.out.unclear.push(unclear.clone());
            }
        }
        for refusal in &command.refusals {
            if !self.out.refusals.contains(refusal) {
                self.out.refusals.push(refusal.clone());
            }
        }
        self.relations.extend(&command.relations);
        self.now.named |= command.needs_names;
        self.now.changes |= !command.reads_only();
        self.now.opaque |= command.acts.iter().any(|a| a.verb == Verb::SqlCall);
    }

    /// One act for each verb and object, with the least bounded figures.
    fn merge(&mut self, act: Act) {
        let facts = act.facts.into_sql();
        match self.acts.entry((act.verb, act.object)) {
            std::collections::btree_map::Entry::Vacant(e) => {
                e.insert(facts);
            }
            std::collections::btree_map::Entry::Occupied(mut e) => {
                let have = e.get_mut();
                have.columns.extend(facts.columns);
                have.has_where &= facts.has_where;
                have.limit = have.limit.max(facts.limit);
                have.estimated_rows = have.estimated_rows.max(facts.estimated_rows);
                have.in_transaction |= facts.in_transaction;
            }
        }
    }

    fn touch_into_acts(&mut self, touch: Touch) {
        self.guard_server_relation(&touch);
        let mut columns = touch.columns.clone();
        if touch.whole {
            columns.insert("*".to_owned());
            columns.extend(touch.relation.columns.iter().map(|c| c.name.clone()));
        }
        let facts = SqlFacts {
            columns,
            has_where: touch.has_where,
            limit: touch.limit,
            estimated_rows: touch.rows,
            objects: 1,
            in_transaction: self.in_transaction,
        };
        for relation in self.reached(&touch) {
            let mut facts = facts.clone();
            if relation.oid != touch.relation.oid {
                facts
                    .columns
                    .retain(|c| c == "*" || relation.column(c).is_some());
            }
            self.note_relation(&relation);
            let object = self.relation_object(&relation);
            self.now.acts.push(Act {
                verb: touch.verb,
                object,
                facts: facts.into(),
            });
        }
        let below = touch.relation.view_reads.iter().map(|(oid, _)| oid);
        self.relations
            .extend(below.chain(&touch.relation.views_below));
        if touch.verb.effect() != Effect::Read {
            self.writes_below(&touch, &facts);
        }
    }

    /// Writing to a view writes to what it shows: which of them the server picks is not told here, so all count.
    fn writes_below(&mut self, touch: &Touch, facts: &SqlFacts) {
        let bases: BTreeSet<u32> = touch
            .relation
            .view_reads
            .iter()
            .map(|(oid, _)| *oid)
            .collect();
        for oid in bases {
            let Some(base) = self.ctx.catalogue.by_oid.get(&oid).cloned() else {
                continue;
            };
            for relation in self.reached_from(&base, false) {
                self.note_relation(&relation);
                let object = self.relation_object(&relation);
                let mut act = Act::new(touch.verb, object);
                act.facts.edit_sql(|f| f.has_where = facts.has_where);
                self.now.acts.push(act);
            }
        }
    }

    /// The relation itself, and those whose data is reached through it: children, and what it is a part of.
    pub(super) fn reached_from(&self, relation: &Arc<Relation>, only: bool) -> Vec<Arc<Relation>> {
        let mut all = vec![Arc::clone(relation)];
        let mut seen = HashSet::from([relation.oid]);
        let children: &[u32] = if only { &[] } else { &relation.children };
        for oid in children.iter().chain(&relation.parents) {
            if let Some(other) = self.ctx.catalogue.by_oid.get(oid)
                && seen.insert(*oid)
            {
                all.push(Arc::clone(other));
            }
        }
        all
    }

    fn reached(&self, touch: &Touch) -> Vec<Arc<Relation>> {
        self.reached_from(&touch.relation, touch.only)
    }

    /// Relations of the server itself: some hold secrets, none is written.
    fn guard_server_relation(&mut self, touch: &Touch) {
        let relation = &touch.relation;
        if relation.kind != RelationKind::Catalog && relation.extension.is_none() {
            self.guard_writes_below(touch);
            self.guard_reads_below(relation);
            return;
        }
        let reads = touch.verb.effect() == Effect::Read;
        if relation.kind == RelationKind::Catalog && !reads {
            let unclear = Unclear::new(
                "brattice.sql.server_relation",
                format!(
                    "{} belongs to the server and is not written.",
                    relation.name
                ),
            );
            // Writing pg_settings is SET by another name.
            if relation.name == "pg_settings" && touch.verb != Verb::SqlLock {
                self.refuse(unclear);
            } else {
                self.unclear(unclear);
            }
        }
        if relation.name == "pg_subscription" && self.ctx.catalogue.subscriptions == 0 {
            return;
        }
        let read = |c: &str| touch.whole || touch.columns.contains(c);
        if let Some(reason) = self
            .ctx
            .lists
            .sensitive(relation, read, self.ctx.catalogue.unseen)
        {
            self.unclear(
                Unclear::new(
                    "brattice.sql.server_relation",
                    format!("{} {reason}.", relation.name),
                )
                .hint(
                    "Read other columns or another view, or ask for it to be listed as readable.",
                ),
            );
        }
    }

    /// A view shows what it reads of the server: such a one is guarded like that.
    fn guard_reads_below(&mut self, view: &Relation) {
        let read = view.view_reads.iter().map(|(oid, _)| oid);
        let below = read.chain(&view.views_below);
        let below = below.filter_map(|oid| self.ctx.catalogue.by_oid.get(oid));
        let mut below = below.filter(|r| r.kind == RelationKind::Catalog);
        let guarded = below.find_map(|r| {
            let reason = self
                .ctx
                .lists
                .sensitive(r, |_| true, self.ctx.catalogue.unseen)?;
            Some(format!("{} shows {}, which {reason}.", view.name, r.name))
        });
        if let Some(reason) = guarded {
            self.unclear(
                Unclear::new("brattice.sql.server_relation", reason).hint(
                    "Read another view, or ask for the server's own to be listed as readable.",
                ),
            );
        }
    }

    /// A view can be written through: what it reads of the server must not be.
    fn guard_writes_below(&mut self, touch: &Touch) {
        if touch.verb.effect() == Effect::Read || touch.relation.view_reads.is_empty() {
            return;
        }
        let below = touch
            .relation
            .view_reads
            .iter()
            .filter_map(|(oid, _)| self.ctx.catalogue.by_oid.get(oid))
            .any(|r| r.kind == RelationKind::Catalog);
        if below {
            self.refuse(Unclear::new(
                "brattice.sql.server_relation",
                format!(
                    "{} shows relations of the server, which are not written.",
                    touch.relation.name
                ),
            ));
        }
    }

    pub(super) fn note_relation(&mut self, relation: &Relation) {
        if relation.oid != 0 {
            self.relations.insert(relation.oid);
        }
    }
}

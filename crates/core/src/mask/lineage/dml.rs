//! INSERT, UPDATE, DELETE, MERGE: what they read, where they write it, and what RETURNING shows.
//!
//! Lives here: their clauses. Never: whether a write is allowed.

use super::scope::{Col, Cols, Item, Level};
use super::tracer::{Ctx, Tracer};
use crate::action::Verb;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    CmdType, DeleteStmt, InsertStmt, MergeMatchKind, MergeStmt, MergeWhenClause, Node,
    OnConflictClause, RangeVar, ResTarget, ReturningClause, ReturningOptionKind, UpdateStmt,
};

impl Tracer<'_> {
    pub(super) fn insert(&mut self, s: &InsertStmt, parent: Option<&Level<'_>>) -> Cols {
        let mut level = Level::below(parent);
        if let Some(with) = &s.with_clause {
            self.with(with, &mut level);
        }
        let (target, table) = self.write_target(s.relation.as_ref());
        if let Some(query) = s.select_stmt.as_deref() {
            let cols = self.query(query, Some(&level));
            self.inserted(&s.cols, &cols, &target, &table);
        }
        self.places(&s.cols, &level);
        level.items.push(target.clone());
        if let Some(conflict) = s.on_conflict_clause.as_deref() {
            let inferred = conflict
                .infer
                .as_deref()
                .is_some_and(|i| i.conname.is_empty());
            if !inferred {
                self.any_conflict(&s.cols, &target);
            }
            self.on_conflict(conflict, &target, &table, &mut level);
        }
        self.returning(s.returning_clause.as_ref(), &target, level)
    }

    /// Each source column against the column it goes to.
    fn inserted(&mut self, listed: &[Node], source: &Cols, target: &Item, table: &str) {
        let listed: Vec<&str> = listed
            .iter()
            .filter_map(res_target)
            .map(|r| r.name.as_str())
            .collect();
        for (i, value) in source.list.iter().enumerate() {
            let into = match listed.get(i) {
                Some(name) => target.column(name),
                None if listed.is_empty() => target.cols.list.get(i).cloned(),
                None => None,
            };
            let unknown = source.open || target.cols.open;
            let into = into
                .filter(|_| !unknown)
                .unwrap_or_else(|| Col::plain("(a column)"));
            self.written(value, &into, table);
        }
    }

    /// Subscripts in a list of columns that are inserted: where in an array a value goes tells what it was computed from.
    fn places(&mut self, listed: &[Node], level: &Level<'_>) {
        for column in listed {
            match res_target(column) {
                Some(column) => self.exprs(&column.indirection, level, Ctx::derive("in INSERT")),
                None => self.doubt("a column to insert into of a kind that is not traced"),
            }
        }
    }

    /// A conflict over a constraint that is not spelled out: any column that is given may be compared.
    fn any_conflict(&mut self, listed: &[Node], target: &Item) {
        let given: Vec<Col> = if listed.is_empty() {
            target.cols.list.clone()
        } else {
            let names = listed.iter().filter_map(res_target);
            names.filter_map(|r| target.column(&r.name)).collect()
        };
        for col in given {
            self.record_as(&col.fields, Verb::Filter, "in ON CONFLICT");
        }
    }

    fn on_conflict(
        &mut self,
        c: &OnConflictClause,
        target: &Item,
        table: &str,
        level: &mut Level<'_>,
    ) {
        if let Some(infer) = c.infer.as_deref() {
            for node in &infer.index_elems {
                let Some(NodeEnum::IndexElem(elem)) = node.node.as_ref() else {
                    self.doubt("a conflict target of a kind that is not traced");
                    continue;
                };
                if let Some(col) = target.column(&elem.name) {
                    self.record_as(&col.fields, Verb::Filter, "in ON CONFLICT");
                }
                self.maybe(elem.expr.as_deref(), level, Ctx::filter("in ON CONFLICT"));
            }
            self.maybe(
                infer.where_clause.as_deref(),
                level,
                Ctx::filter("in ON CONFLICT"),
            );
        }
        let excluded = Item::new(Some("excluded".to_owned()), target.cols.clone());
        level.items.push(excluded);
        self.assignments(&c.target_list, target, table, level);
        self.maybe(
            c.where_clause.as_deref(),
            level,
            Ctx::filter("in ON CONFLICT … WHERE"),
        );
        level.items.pop();
    }

    pub(super) fn update(&mut self, s: &UpdateStmt, parent: Option<&Level<'_>>) -> Cols {
        let mut level = Level::below(parent);
        if let Some(with) = &s.with_clause {
            self.with(with, &mut level);
        }
        let (target, table) = self.write_target(s.relation.as_ref());
        self.beside_target(&s.from_clause, &target, &mut level);
        self.assignments(&s.target_list, &target, &table, &level);
        self.maybe(s.where_clause.as_deref(), &level, Ctx::filter("in WHERE"));
        self.returning(s.returning_clause.as_ref(), &target, level)
    }

    pub(super) fn delete(&mut self, s: &DeleteStmt, parent: Option<&Level<'_>>) -> Cols {
        let mut level = Level::below(parent);
        if let Some(with) = &s.with_clause {
            self.with(with, &mut level);
        }
        let (target, _) = self.write_target(s.relation.as_ref());
        self.beside_target(&s.using_clause, &target, &mut level);
        self.maybe(s.where_clause.as_deref(), &level, Ctx::filter("in WHERE"));
        self.returning(s.returning_clause.as_ref(), &target, level)
    }

    pub(super) fn merge(&mut self, s: &MergeStmt, parent: Option<&Level<'_>>) -> Cols {
        let mut level = Level::below(parent);
        if let Some(with) = &s.with_clause {
            self.with(with, &mut level);
        }
        let (target, table) = self.write_target(s.relation.as_ref());
        // `*` in RETURNING shows the source first, then the target.
        if let Some(source) = s.source_relation.as_deref() {
            self.range_list(std::slice::from_ref(source), &mut level);
        }
        level.items.push(target.clone());
        self.maybe(
            s.join_condition.as_deref(),
            &level,
            Ctx::filter("in MERGE … ON"),
        );
        for node in &s.merge_when_clauses {
            match node.node.as_ref() {
                Some(NodeEnum::MergeWhenClause(when)) => {
                    self.merge_when(when, &target, &table, &mut level)
                }
                _ => self.doubt("an action of MERGE of a kind that is not traced"),
            }
        }
        self.returning(s.returning_clause.as_ref(), &target, level)
    }

    fn merge_when(
        &mut self,
        when: &MergeWhenClause,
        target: &Item,
        table: &str,
        level: &mut Level<'_>,
    ) {
        // Where only one side has a row, names mean that side's columns alone. The target stands last.
        let both = level.items.clone();
        match when.match_kind() {
            MergeMatchKind::MergeWhenNotMatchedByTarget => {
                level.items.pop();
            }
            MergeMatchKind::MergeWhenNotMatchedBySource => {
                level.items.drain(..level.items.len().saturating_sub(1));
            }
            MergeMatchKind::MergeWhenMatched => {}
            MergeMatchKind::Undefined => self.doubt("an action of MERGE that is not traced"),
        }
        self.maybe(
            when.condition.as_deref(),
            level,
            Ctx::filter("in MERGE … WHEN"),
        );
        match when.command_type() {
            CmdType::CmdInsert => {
                let mut cols = Cols::default();
                for node in &when.values {
                    cols.list.push(self.value(node, level, "in MERGE … INSERT"));
                }
                self.inserted(&when.target_list, &cols, target, table);
                self.places(&when.target_list, level);
            }
            _ => self.assignments(&when.target_list, target, table, level),
        }
        level.items = both;
    }

    /// FROM and USING: their subqueries cannot see the table that is written to.
    fn beside_target(&mut self, from: &[Node], target: &Item, level: &mut Level<'_>) {
        level.items.push(Item {
            lateral_only: true,
            ..target.clone()
        });
        self.range_list(from, level);
        if let Some(item) = level.items.first_mut() {
            item.lateral_only = false;
        }
    }

    /// The table that is written to, and its name for messages.
    fn write_target(&mut self, relation: Option<&RangeVar>) -> (Item, String) {
        match relation {
            Some(var) => {
                let item = self.table(var);
                (item, var.relname.clone())
            }
            None => (Item::new(None, Cols::unknown()), "a table".to_owned()),
        }
    }

    /// `SET column = value`, one or several at once.
    fn assignments(&mut self, list: &[Node], target: &Item, table: &str, level: &Level<'_>) {
        for node in list {
            let Some(set) = res_target(node) else {
                self.doubt("an assignment of a kind that is not traced");
                continue;
            };
            self.exprs(&set.indirection, level, Ctx::derive("in SET"));
            let Some(value) = set.val.as_deref() else {
                continue;
            };
            let value = self.assigned(value, level);
            let known = set.indirection.is_empty() && !target.cols.open;
            let into = target.column(&set.name).filter(|_| known);
            let into = into.unwrap_or_else(|| Col::plain(&set.name));
            self.written(&value, &into, table);
        }
    }

    fn assigned(&mut self, value: &Node, level: &Level<'_>) -> Col {
        let Some(NodeEnum::MultiAssignRef(multi)) = value.node.as_ref() else {
            return self.value(value, level, "in SET");
        };
        let at = usize::try_from(multi.colno)
            .ok()
            .and_then(|n| n.checked_sub(1))
            .unwrap_or(0);
        let Some(source) = multi.source.as_deref() else {
            return Col::plain("");
        };
        match source.node.as_ref() {
            Some(NodeEnum::RowExpr(row)) => match row.args.get(at) {
                Some(arg) => self.value(arg, level, "in SET"),
                None => Col::plain(""),
            },
            Some(NodeEnum::SubLink(link)) => {
                let cols = match link.subselect.as_deref() {
                    Some(query) => self.query(query, Some(level)),
                    None => Cols::default(),
                };
                match cols.list.get(at) {
                    Some(col) if !cols.open => col.clone(),
                    _ => Col {
                        fields: cols.fields(),
                        ..Col::plain("")
                    },
                }
            }
            _ => {
                self.expr(source, level, Ctx::derive("in SET"));
                Col::plain("")
            }
        }
    }

    /// RETURNING sees what the statement saw, and the rows before and after under `old` and `new`.
    fn returning(
        &mut self,
        clause: Option<&ReturningClause>,
        target: &Item,
        mut level: Level<'_>,
    ) -> Cols {
        let Some(clause) = clause else {
            return Cols::default();
        };
        let (mut old, mut new) = ("old", "new");
        for node in &clause.options {
            match node.node.as_ref() {
                Some(NodeEnum::ReturningOption(option)) => match option.option() {
                    ReturningOptionKind::ReturningOptionOld => old = &option.value,
                    ReturningOptionKind::ReturningOptionNew => new = &option.value,
                    ReturningOptionKind::Undefined => {
                        self.doubt("an option of RETURNING that is not traced")
                    }
                },
                _ => self.doubt("an option of RETURNING that is not traced"),
            }
        }
        for name in [old, new] {
            let mut item = Item::new(Some(name.to_owned()), target.cols.clone());
            item.by_column = false;
            item.table = true;
            level.items.push(item);
        }
        self.target_list(&clause.exprs, &level, "in RETURNING")
    }
}

pub(super) fn res_target(node: &Node) -> Option<&ResTarget> {
    match node.node.as_ref()? {
        NodeEnum::ResTarget(r) => Some(r),
        _ => None,
    }
}

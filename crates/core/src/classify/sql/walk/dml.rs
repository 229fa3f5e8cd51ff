//! INSERT, UPDATE, DELETE and MERGE.
//!
//! Lives here: what is written, and what comes back. Never: expressions.

use super::bounds::{Bounding, conjuncts};
use super::{Touch, Walk};
use crate::action::{FIGURE_MAX, Verb};
use crate::classify::sql::nodes::{child, inner};
use crate::classify::sql::scope::{Columns, Item, Level};
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;
use std::rc::Rc;

impl Walk<'_> {
    pub(super) fn insert(&mut self, s: &pb::InsertStmt) -> Columns {
        let pb::InsertStmt {
            relation,
            cols,
            select_stmt,
            on_conflict_clause,
            returning_clause,
            with_clause,
            r#override: _,
        } = s;
        self.now.levels.push(Level::default());
        self.with(with_clause.as_ref());
        let rows = child(select_stmt).map_or(Some(1), rows_yielded);
        if let Some(source) = child(select_stmt) {
            self.query(source);
        }
        let target = relation
            .as_ref()
            .and_then(|r| self.writes(r, Verb::SqlInsert));
        if let Some((item, touch)) = &target {
            self.written(*touch, cols, cols.is_empty());
            if let Some(noted) = self.now.touches.get_mut(*touch) {
                noted.rows = rows.unwrap_or(FIGURE_MAX);
                noted.has_where = rows.is_some();
            }
            if let Some(conflict) = on_conflict_clause {
                let columns = self.unseen_row(item, cols);
                self.on_conflict(conflict, item, columns, *touch);
            }
        }
        let columns = self.returning(returning_clause.as_ref(), target.as_ref());
        self.now.levels.pop();
        columns
    }

    fn on_conflict(
        &mut self,
        c: &pb::OnConflictClause,
        item: &Rc<Item>,
        columns: Columns,
        touch: usize,
    ) {
        let pb::OnConflictClause {
            action,
            infer,
            target_list,
            where_clause,
            location: _,
        } = c;
        let excluded = Rc::new(Item {
            name: "excluded".to_owned(),
            schema: None,
            columns,
            system_columns: false,
            behind: Vec::new(),
            bare: false,
        });
        let updates = *action == pb::OnConflictAction::OnconflictUpdate as i32;
        if let (true, Some(noted)) = (updates, self.now.touches.get(touch)) {
            let mut update =
                Touch::new(noted.relation.clone(), noted.columns_known, Verb::SqlUpdate);
            update.has_where = true;
            update.rows = noted.rows;
            let index = self.now.touches.len();
            self.now.touches.push(update);
            self.written(index, target_list, false);
        }
        let row = Rc::new(Item {
            behind: Vec::new(),
            ..(**item).clone()
        });
        self.compares();
        self.seeing(vec![row, excluded], |walk| {
            if let Some(infer) = infer {
                for node in &infer.index_elems {
                    match inner(node) {
                        Some(N::IndexElem(e)) => walk.opt(&e.expr),
                        _ => walk.not_modelled("ON CONFLICT"),
                    }
                }
                walk.opt(&infer.where_clause);
            }
            walk.targets(target_list);
            walk.opt(where_clause);
        });
    }

    pub(super) fn update(&mut self, s: &pb::UpdateStmt) -> Columns {
        let pb::UpdateStmt {
            relation,
            target_list,
            where_clause,
            from_clause,
            returning_clause,
            with_clause,
        } = s;
        self.now.levels.push(Level::default());
        self.with(with_clause.as_ref());
        let target = relation
            .as_ref()
            .and_then(|r| self.writes(r, Verb::SqlUpdate));
        self.walk_from(from_clause);
        self.see_target(target.as_ref());
        self.targets(target_list);
        self.opt(where_clause);
        self.bounded_write(target.as_ref(), child(where_clause), Verb::SqlUpdateAll);
        if let Some((_, touch)) = &target {
            self.written(*touch, target_list, false);
        }
        let columns = self.returning(returning_clause.as_ref(), target.as_ref());
        self.now.levels.pop();
        columns
    }

    pub(super) fn delete(&mut self, s: &pb::DeleteStmt) -> Columns {
        let pb::DeleteStmt {
            relation,
            using_clause,
            where_clause,
            returning_clause,
            with_clause,
        } = s;
        self.now.levels.push(Level::default());
        self.with(with_clause.as_ref());
        let target = relation
            .as_ref()
            .and_then(|r| self.writes(r, Verb::SqlDelete));
        self.walk_from(using_clause);
        self.see_target(target.as_ref());
        self.opt(where_clause);
        self.bounded_write(target.as_ref(), child(where_clause), Verb::SqlDeleteAll);
        if let Some((_, touch)) = &target
            && let Some(noted) = self.now.touches.get_mut(*touch)
        {
            noted.whole = true;
        }
        let columns = self.returning(returning_clause.as_ref(), target.as_ref());
        self.now.levels.pop();
        columns
    }

    pub(super) fn merge_into(&mut self, s: &pb::MergeStmt) -> Columns {
        let pb::MergeStmt {
            relation,
            source_relation,
            join_condition,
            merge_when_clauses,
            returning_clause,
            with_clause,
        } = s;
        self.now.levels.push(Level::default());
        self.with(with_clause.as_ref());
        let target = relation
            .as_ref()
            .and_then(|r| self.writes(r, Verb::SqlMerge));
        if let Some(source) = source_relation {
            self.walk_from(std::slice::from_ref(source));
        }
        self.see_target(target.as_ref());
        self.opt(join_condition);
        if let Some((item, touch)) = &target {
            let mut conditions = Vec::new();
            conjuncts(child(join_condition), &mut conditions);
            self.extent_of(item, *touch, &conditions, &[]);
        }
        for clause in merge_when_clauses {
            match inner(clause) {
                Some(N::MergeWhenClause(w)) => self.merge_when(w, target.as_ref()),
                _ => self.not_modelled("A part of MERGE"),
            }
        }
        let columns = self.returning(returning_clause.as_ref(), target.as_ref());
        self.now.levels.pop();
        columns
    }

    /// Each action of MERGE is an act of its own.
    fn merge_when(&mut self, w: &pb::MergeWhenClause, target: Option<&(Rc<Item>, usize)>) {
        let pb::MergeWhenClause {
            match_kind,
            command_type,
            r#override: _,
            condition,
            target_list,
            values,
        } = w;
        self.opt(condition);
        self.targets(target_list);
        self.exprs(values);
        let Some((item, merge)) = target else {
            return;
        };
        let Some(noted) = self.now.touches.get(*merge) else {
            return;
        };
        // Rows without a partner are bounded by the clause's own condition alone.
        let alone = *match_kind == pb::MergeMatchKind::MergeWhenNotMatchedBySource as i32;
        let own = child(condition).is_some_and(|c| {
            Bounding {
                item: item.as_ref(),
            }
            .bounds(c, false)
        });
        let bounded = own || (!alone && noted.has_where);
        let verb = match (pb::CmdType::try_from(*command_type), bounded) {
            (Ok(pb::CmdType::CmdInsert), _) => Verb::SqlInsert,
            (Ok(pb::CmdType::CmdUpdate), true) => Verb::SqlUpdate,
            (Ok(pb::CmdType::CmdUpdate), false) => Verb::SqlUpdateAll,
            (Ok(pb::CmdType::CmdDelete), true) => Verb::SqlDelete,
            (Ok(pb::CmdType::CmdDelete), false) => Verb::SqlDeleteAll,
            (Ok(pb::CmdType::CmdNothing), _) => return,
            _ => {
                self.not_modelled("An action of MERGE");
                return;
            }
        };
        let mut touch = Touch::new(noted.relation.clone(), noted.columns_known, verb);
        touch.has_where = bounded;
        touch.rows = noted.rows;
        touch.only = noted.only;
        let index = self.now.touches.len();
        self.now.touches.push(touch);
        let all = matches!(verb, Verb::SqlDelete | Verb::SqlDeleteAll)
            || (verb == Verb::SqlInsert && target_list.is_empty());
        self.written(index, target_list, all);
    }

    /// Touches the target of a write, without making its columns visible yet.
    fn writes(&mut self, var: &pb::RangeVar, verb: Verb) -> Option<(Rc<Item>, usize)> {
        self.now.changes = true;
        let item = self.touches(var, verb)?;
        let touch = item.behind.first()?.touch;
        let relation = self.now.touches.get(touch)?.relation.clone();
        if relation.has_rules {
            // A rule puts other statements in this one's place: code that is judged as such.
            let object =
                self.function_object(&relation.schema, format!("rules of {}", relation.name));
            self.act(Verb::SqlCall, object);
        }
        if let Some(noted) = self.now.touches.get_mut(touch) {
            // Only what is written counts as written.
            noted.whole = !noted.columns_known;
        }
        Some((item, touch))
    }

    /// The target's columns can be read from here on, without counting as written.
    fn see_target(&mut self, target: Option<&(Rc<Item>, usize)>) {
        if let Some((item, _)) = target {
            let item = Rc::new(Item {
                behind: Vec::new(),
                ..(**item).clone()
            });
            self.sees(vec![item]);
        }
    }

    /// The columns that are written.
    fn written(&mut self, touch: usize, targets: &[pb::Node], all: bool) {
        let mut names = Vec::new();
        for target in targets {
            match inner(target) {
                Some(N::ResTarget(t)) => {
                    self.indirection(&t.indirection);
                    names.push(t.name.clone());
                }
                _ => self.not_modelled("A column to write"),
            }
        }
        if let Some(noted) = self.now.touches.get_mut(touch) {
            noted.whole |= all;
            noted.columns.extend(names);
        }
    }

    /// UPDATE and DELETE: with nothing to bound them they are another verb.
    fn bounded_write(
        &mut self,
        target: Option<&(Rc<Item>, usize)>,
        condition: Option<&N>,
        unbounded: Verb,
    ) {
        let Some((item, touch)) = target else {
            return;
        };
        let mut conditions = Vec::new();
        conjuncts(condition, &mut conditions);
        self.extent_of(item, *touch, &conditions, &[]);
        let others = self.now.levels.last().map(|l| l.items.clone());
        for other in others.unwrap_or_default() {
            for behind in &other.behind {
                self.extent_of(&other, behind.touch, &conditions, &[]);
            }
        }
        if let Some(noted) = self.now.touches.get_mut(*touch)
            && !noted.has_where
        {
            noted.verb = unbounded;
        }
    }

    /// RETURNING shows rows: that is reading them.
    fn returning(
        &mut self,
        clause: Option<&pb::ReturningClause>,
        target: Option<&(Rc<Item>, usize)>,
    ) -> Columns {
        let Some(pb::ReturningClause { options, exprs }) = clause else {
            return Columns::Known(Vec::new());
        };
        let Some((item, touch)) = target else {
            return Columns::Any;
        };
        let Some(noted) = self.now.touches.get(*touch) else {
            return Columns::Any;
        };
        let mut read = Touch::new(noted.relation.clone(), noted.columns_known, Verb::SqlSelect);
        read.only = noted.only;
        read.has_where = noted.has_where;
        read.rows = noted.rows;
        read.whole = !noted.columns_known;
        let index = self.now.touches.len();
        self.now.touches.push(read);
        let shown = |name: String, bare: bool| {
            let mut item = (**item).clone();
            item.bare = bare;
            item.name = name;
            for behind in &mut item.behind {
                behind.touch = index;
            }
            Rc::new(item)
        };
        let mut items: Vec<Rc<Item>> = vec![shown(item.name.clone(), true)];
        let mut olds = vec!["old".to_owned(), "new".to_owned()];
        for option in options {
            match inner(option) {
                Some(N::ReturningOption(o)) => olds.push(o.value.clone()),
                _ => self.not_modelled("An option of RETURNING"),
            }
        }
        items.extend(olds.into_iter().map(|name| shown(name, false)));
        // The other relations of the statement stay visible.
        let others: Vec<Rc<Item>> = self
            .now
            .levels
            .last()
            .map(|l| {
                l.items
                    .iter()
                    .filter(|i| i.name != item.name)
                    .cloned()
                    .collect()
            })
            .unwrap_or_default();
        items.extend(others);
        self.seeing(items, |walk| {
            let columns = walk.output_columns(exprs);
            walk.targets(exprs);
            columns
        })
    }
}

/// How many rows the source of an INSERT yields, when it says so.
fn rows_yielded(source: &N) -> Option<i64> {
    let N::SelectStmt(s) = source else {
        return None;
    };
    if !s.values_lists.is_empty() {
        return i64::try_from(s.values_lists.len()).ok();
    }
    if s.from_clause.is_empty() && s.op == pb::SetOperation::SetopNone as i32 {
        // A function in the select list may yield many.
        let plain = s.target_list.iter().all(|t| match inner(t) {
            Some(N::ResTarget(t)) => !matches!(child(&t.val), Some(N::FuncCall(_))),
            _ => false,
        });
        return plain.then_some(1);
    }
    Walk::literal_limit(&s.limit_count)
}

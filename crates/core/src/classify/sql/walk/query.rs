//! SELECT, VALUES, set operations and WITH.
//!
//! Lives here: one query level at a time. Never: expressions, what FROM names.

use super::Walk;
use crate::action::{Object, RelationKind, Verb};
use crate::classify::sql::nodes::{self, child, count_literal, inner};
use crate::classify::sql::scope::{Columns, Cte, Level};
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;

impl Walk<'_> {
    /// A query inside another, or a statement that is one. Answers with the columns it yields.
    pub(super) fn query(&mut self, node: &N) -> Columns {
        match node {
            N::SelectStmt(s) => self.select(s),
            N::InsertStmt(s) => self.insert(s),
            N::UpdateStmt(s) => self.update(s),
            N::DeleteStmt(s) => self.delete(s),
            N::MergeStmt(s) => self.merge_into(s),
            _ => {
                self.not_modelled("A query of this kind");
                Columns::Any
            }
        }
    }

    pub(super) fn select(&mut self, s: &pb::SelectStmt) -> Columns {
        let pb::SelectStmt {
            distinct_clause,
            into_clause,
            target_list,
            from_clause,
            where_clause,
            group_clause,
            group_distinct: _,
            having_clause,
            window_clause,
            values_lists,
            sort_clause,
            limit_offset,
            limit_count,
            limit_option: _,
            locking_clause,
            with_clause,
            op,
            all,
            larg,
            rarg,
        } = s;
        self.now.levels.push(Level::default());
        self.with(with_clause.as_ref());
        let mut columns = Columns::Any;
        if *op == pb::SetOperation::SetopNone as i32 {
            self.walk_from(from_clause);
            if !values_lists.is_empty() {
                columns = self.values(values_lists);
            } else {
                columns = self.output_columns(target_list);
            }
            self.targets(target_list);
        } else {
            for (side, arm) in [larg, rarg].into_iter().enumerate() {
                match arm.as_deref() {
                    Some(arm) => {
                        let yielded = self.select(arm);
                        if side == 0 {
                            columns = yielded;
                        }
                    }
                    None => self.not_modelled("A set operation"),
                }
            }
            if !*all {
                self.compares();
            }
            self.exprs(target_list);
        }
        self.opt(where_clause);
        for node in distinct_clause.iter().filter(|n| n.node.is_some()) {
            self.node(node);
        }
        self.exprs(group_clause);
        self.opt(having_clause);
        self.exprs(window_clause);
        if !distinct_clause.is_empty() || !group_clause.is_empty() {
            self.compares();
        }
        self.exprs(sort_clause);
        self.opt(limit_offset);
        self.opt(limit_count);
        self.extent_of_select(s);
        for lock in locking_clause {
            self.locking(lock);
        }
        self.now.levels.pop();
        if let Some(into) = into_clause {
            self.creates_from_query(into, &columns, RelationKind::Table);
        }
        columns
    }

    /// WITH: each expression in the scope that it has.
    pub(super) fn with(&mut self, with: Option<&pb::WithClause>) {
        let Some(pb::WithClause {
            ctes, recursive, ..
        }) = with
        else {
            return;
        };
        if *recursive {
            for node in ctes {
                if let Some(N::CommonTableExpr(cte)) = inner(node) {
                    self.define_cte(&cte.ctename, Columns::Any);
                }
            }
        }
        for node in ctes {
            let Some(N::CommonTableExpr(cte)) = inner(node) else {
                self.not_modelled("A part of WITH");
                continue;
            };
            let columns = self.cte(cte);
            self.define_cte(&cte.ctename, columns);
        }
    }

    fn define_cte(&mut self, name: &str, columns: Columns) {
        if let Some(level) = self.now.levels.last_mut() {
            level.ctes.push(Cte {
                name: name.to_owned(),
                columns,
            });
        }
    }

    fn cte(&mut self, cte: &pb::CommonTableExpr) -> Columns {
        let pb::CommonTableExpr {
            ctename: _,
            aliascolnames,
            ctematerialized: _,
            ctequery,
            search_clause,
            cycle_clause,
            location: _,
            cterecursive: _,
            cterefcount: _,
            ctecolnames: _,
            ctecoltypes: _,
            ctecoltypmods: _,
            ctecolcollations: _,
        } = cte;
        let columns = match child(ctequery) {
            // What is in FROM beside WITH cannot be seen from inside it.
            Some(query) => self.query(query),
            None => {
                self.not_modelled("A part of WITH");
                Columns::Any
            }
        };
        if let Some(cycle) = cycle_clause {
            self.opt(&cycle.cycle_mark_value);
            self.opt(&cycle.cycle_mark_default);
            self.compares();
        }
        if search_clause.is_some() || cycle_clause.is_some() {
            return Columns::Any;
        }
        columns.renamed(&alias_names(aliascolnames))
    }

    /// Whether an unqualified relation name is a common table expression.
    pub(super) fn cte_called(&self, name: &str) -> Option<Columns> {
        self.now.levels.iter().rev().find_map(|level| {
            level
                .ctes
                .iter()
                .rev()
                .find(|c| c.name == name)
                .map(|c| c.columns.clone())
        })
    }

    fn values(&mut self, lists: &[pb::Node]) -> Columns {
        let mut width = 0;
        for list in lists {
            match inner(list) {
                Some(N::List(list)) => {
                    width = list.items.len();
                    self.exprs(&list.items);
                }
                _ => self.not_modelled("A VALUES list"),
            }
        }
        Columns::Known((1..=width).map(|i| format!("column{i}")).collect())
    }

    /// The select list.
    pub(super) fn targets(&mut self, targets: &[pb::Node]) {
        for target in targets {
            match inner(target) {
                Some(N::ResTarget(t)) => {
                    self.indirection(&t.indirection);
                    self.opt(&t.val);
                }
                _ => self.node(target),
            }
        }
    }

    /// FOR UPDATE and its weaker forms, on the relations it names or on all of this level.
    fn locking(&mut self, lock: &pb::Node) {
        let Some(N::LockingClause(pb::LockingClause { locked_rels, .. })) = inner(lock) else {
            self.not_modelled("A locking clause");
            return;
        };
        self.now.changes = true;
        let wanted: Vec<&str> = locked_rels
            .iter()
            .filter_map(|n| match inner(n) {
                Some(N::RangeVar(v)) => Some(v.relname.as_str()),
                _ => None,
            })
            .collect();
        if wanted.len() != locked_rels.len() {
            self.not_modelled("A locking clause");
        }
        // Without names it reaches into the queries in FROM as well: whatever was touched so far.
        let mut locked: Vec<usize> = (0..self.now.touches.len()).collect();
        if let (false, Some(level)) = (wanted.is_empty(), self.now.levels.last()) {
            let named: Vec<usize> = level
                .items
                .iter()
                .filter(|i| wanted.contains(&i.name.as_str()))
                .flat_map(|i| i.behind.iter().map(|b| b.touch))
                .collect();
            // A name that is no relation of this level is a query in FROM: all it touched.
            if !named.is_empty() {
                locked = named;
            }
        }
        for index in locked {
            if let Some(touch) = self.now.touches.get(index)
                && touch.verb == Verb::SqlSelect
            {
                let mut lock =
                    super::Touch::new(touch.relation.clone(), touch.columns_known, Verb::SqlLock);
                lock.only = touch.only;
                lock.has_where = touch.has_where;
                lock.limit = touch.limit;
                lock.rows = touch.rows;
                self.now.touches.push(lock);
            }
        }
    }

    /// SELECT INTO, CREATE TABLE AS: a new relation with those columns.
    pub(super) fn creates_from_query(
        &mut self,
        into: &pb::IntoClause,
        columns: &Columns,
        kind: RelationKind,
    ) {
        let pb::IntoClause {
            rel,
            col_names,
            access_method: _,
            options: _,
            on_commit: _,
            table_space_name: _,
            view_query: _,
            skip_data: _,
        } = into;
        let Some(rel) = rel else {
            self.not_modelled("INTO");
            return;
        };
        let columns = columns.clone().renamed(&alias_names(col_names));
        self.creates_relation(rel, kind, columns);
        self.now.step.returns_rows = Some(false);
    }

    /// The names of the columns that a select list yields.
    pub(super) fn output_columns(&self, targets: &[pb::Node]) -> Columns {
        let mut names = Vec::with_capacity(targets.len());
        for target in targets {
            let Some(N::ResTarget(t)) = inner(target) else {
                return Columns::Any;
            };
            if !t.name.is_empty() {
                names.push(t.name.clone());
                continue;
            }
            match child(&t.val) {
                Some(N::ColumnRef(c)) => match c.fields.last().and_then(inner) {
                    Some(N::String(s)) => names.push(s.sval.clone()),
                    Some(N::AStar(_)) => match self.starred(&c.fields) {
                        Some(all) => names.extend(all),
                        None => return Columns::Any,
                    },
                    _ => return Columns::Any,
                },
                Some(N::FuncCall(f)) => match f.funcname.last().and_then(nodes::name) {
                    // Up to 13 EXTRACT is a function of another name.
                    Some("extract") if self.ctx.catalogue.unseen => return Columns::Any,
                    Some("extract") if f.funcname.len() > 1 && self.ctx.major.0 < 14 => {
                        names.push("date_part".to_owned());
                    }
                    Some(name) => names.push(name.to_owned()),
                    None => return Columns::Any,
                },
                Some(N::AConst(_)) => names.push("?column?".to_owned()),
                _ => return Columns::Any,
            }
        }
        Columns::Known(names)
    }

    /// The columns that `*` or `x.*` stands for.
    fn starred(&self, fields: &[pb::Node]) -> Option<Vec<String>> {
        let of = match fields {
            [_] => None,
            [.., name, _] => Some(nodes::name(name)?),
            [] => return None,
        };
        let level = self.now.levels.last()?;
        let mut all = Vec::new();
        for item in &level.items {
            let wanted = of.is_none_or(|n| n == item.name);
            if wanted && (of.is_some() || item.bare) {
                // In which order they come is not known.
                if self.ctx.catalogue.unseen && !item.behind.is_empty() {
                    return None;
                }
                match &item.columns {
                    Columns::Any => return None,
                    Columns::Known(names) => all.extend(names.iter().cloned()),
                }
            }
        }
        Some(all)
    }

    /// A literal LIMIT of this level.
    pub(super) fn literal_limit(limit: &Option<Box<pb::Node>>) -> Option<i64> {
        child(limit).and_then(count_literal)
    }

    pub(super) fn function_object(&self, schema: &str, signature: String) -> Object {
        Object::Function {
            database: self.ctx.catalogue.database.clone(),
            schema: schema.to_owned(),
            signature,
            volatile: true,
            security_definer: false,
        }
    }
}

/// The column names of an alias.
pub(super) fn alias_names(nodes: &[pb::Node]) -> Vec<String> {
    nodes
        .iter()
        .filter_map(nodes::name)
        .map(str::to_owned)
        .collect()
}

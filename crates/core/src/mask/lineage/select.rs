//! SELECT, VALUES, TABLE and set operations.
//!
//! Lives here: the clauses of a query and the columns it makes. Never: FROM, expressions.

use super::names;
use super::scope::{Col, Cols, Found, Item, Level, join};
use super::tracer::{Ctx, Tracer};
use crate::action::Verb;
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, SelectStmt, SetOperation, a_const};

impl Tracer<'_> {
    /// Any statement that can stand in brackets or in WITH; the columns it makes.
    pub(super) fn query(&mut self, node: &Node, parent: Option<&Level<'_>>) -> Cols {
        let cols = self.deeper(|t| match node.node.as_ref() {
            Some(NodeEnum::SelectStmt(s)) => t.select(s, parent),
            Some(NodeEnum::InsertStmt(s)) => t.insert(s, parent),
            Some(NodeEnum::UpdateStmt(s)) => t.update(s, parent),
            Some(NodeEnum::DeleteStmt(s)) => t.delete(s, parent),
            Some(NodeEnum::MergeStmt(s)) => t.merge(s, parent),
            _ => {
                t.doubt("a query of a kind that is not traced");
                Cols::unknown()
            }
        });
        let cols = cols.unwrap_or_else(Cols::unknown);
        self.bounded(cols)
    }

    pub(super) fn select(&mut self, s: &SelectStmt, parent: Option<&Level<'_>>) -> Cols {
        let mut level = Level::below(parent);
        if let Some(with) = &s.with_clause {
            self.with(with, &mut level);
        }
        let cols = match s.op() {
            SetOperation::SetopNone | SetOperation::Undefined if !s.values_lists.is_empty() => {
                let cols = self.values(s, &level);
                // ORDER BY computes with what the rows have, under the name that the server gives them.
                level
                    .items
                    .push(Item::new(Some("*VALUES*".to_owned()), cols.clone()));
                cols
            }
            SetOperation::SetopNone | SetOperation::Undefined => {
                return self.plain_select(s, level);
            }
            _ => {
                let cols = self.set_operation(s, &level);
                level.items.push(Item::new(None, cols.clone()));
                cols
            }
        };
        for sort in &s.sort_clause {
            self.by_output(sort, &cols, &level, "in ORDER BY");
        }
        self.limits(s, &level);
        cols
    }

    fn set_operation(&mut self, s: &SelectStmt, level: &Level<'_>) -> Cols {
        let side = |t: &mut Self, side: Option<&SelectStmt>| match side {
            Some(side) => t
                .deeper(|t| t.select(side, Some(level)))
                .unwrap_or_else(Cols::unknown),
            None => Cols::unknown(),
        };
        let left = side(self, s.larg.as_deref());
        let right = side(self, s.rarg.as_deref());
        let place = match (s.op(), s.all) {
            (SetOperation::SetopUnion, true) => None,
            (SetOperation::SetopUnion, false) => Some("in UNION"),
            (SetOperation::SetopIntersect, _) => Some("in INTERSECT"),
            _ => Some("in EXCEPT"),
        };
        let cols = left.either(&right);
        if let Some(place) = place {
            self.record_as(&cols.fields(), Verb::Filter, place);
        }
        cols
    }

    fn values(&mut self, s: &SelectStmt, level: &Level<'_>) -> Cols {
        let mut all: Option<Cols> = None;
        for row in &s.values_lists {
            let Some(NodeEnum::List(row)) = row.node.as_ref() else {
                continue;
            };
            let mut cols = Cols::default();
            for node in &row.items {
                let made = self.target(node, level, "in VALUES");
                cols.list.extend(made.list);
                cols.open |= made.open;
            }
            // By their places, once stars are spelled out.
            for (i, col) in cols.list.iter_mut().enumerate() {
                col.name = format!("column{}", i + 1);
                col.sure = !cols.open;
            }
            all = Some(match all {
                Some(before) => before.either(&cols),
                None => cols,
            });
        }
        all.unwrap_or_default()
    }

    fn plain_select(&mut self, s: &SelectStmt, mut level: Level<'_>) -> Cols {
        self.range_list(&s.from_clause, &mut level);
        let level = &level;
        let cols = self.target_list(&s.target_list, level, "in the select list");
        self.maybe(s.where_clause.as_deref(), level, Ctx::filter("in WHERE"));
        for node in &s.group_clause {
            self.group(node, &cols, level);
        }
        self.maybe(s.having_clause.as_deref(), level, Ctx::filter("in HAVING"));
        for node in &s.window_clause {
            if let Some(NodeEnum::WindowDef(w)) = node.node.as_ref() {
                self.window(w, level);
            }
        }
        match s.distinct_clause.as_slice() {
            [] => {}
            // DISTINCT without ON is one empty entry.
            [Node { node: None }] => self.record_as(&cols.fields(), Verb::Filter, "in DISTINCT"),
            on => {
                for node in on {
                    self.by_output(node, &cols, level, "in DISTINCT ON");
                }
            }
        }
        for sort in &s.sort_clause {
            self.by_output(sort, &cols, level, "in ORDER BY");
        }
        self.limits(s, level);
        cols
    }

    /// The columns of a select list or RETURNING.
    pub(super) fn target_list(&mut self, list: &[Node], level: &Level<'_>, place: &str) -> Cols {
        let mut cols = Cols::default();
        for node in list {
            let Some(NodeEnum::ResTarget(target)) = node.node.as_ref() else {
                self.doubt("an entry of a select list of a kind that is not traced");
                cols.open = true;
                continue;
            };
            let Some(value) = target.val.as_deref() else {
                continue;
            };
            let mut made = self.target(value, level, place);
            // An alias on a star is no name of anything.
            let named = !target.name.is_empty() && !is_star(value);
            if let (true, [col]) = (named, made.list.as_mut_slice()) {
                col.name.clone_from(&target.name);
                col.sure = true;
            }
            cols.list.extend(made.list);
            cols.open |= made.open;
        }
        cols
    }

    fn limits(&mut self, s: &SelectStmt, level: &Level<'_>) {
        self.maybe(s.limit_count.as_deref(), level, Ctx::derive("in LIMIT"));
        self.maybe(s.limit_offset.as_deref(), level, Ctx::derive("in OFFSET"));
    }

    /// GROUP BY: a position, an input column, or else an output's name; an expression otherwise.
    fn group(&mut self, node: &Node, cols: &Cols, level: &Level<'_>) {
        let place = "in GROUP BY";
        if let Some(col) = position(node, cols) {
            self.record_as(&col.fields, Verb::Filter, place);
            return;
        }
        if let Some(name) = bare_name(node) {
            let input = level.own_column(name);
            if !matches!(&input, Found::Column(c) if c.sure) {
                self.unsure_output(Some(name), cols, place);
            }
            // Where an input may have it or may not, both are grouped by.
            if !matches!(&input, Found::Column(c) if c.sure)
                && let Some(col) = cols.named(name)
            {
                self.record_as(&col.fields, Verb::Filter, place);
                if matches!(input, Found::Nothing) {
                    return;
                }
            }
        }
        // A row in brackets is each of its parts.
        let parts = match node.node.as_ref() {
            Some(NodeEnum::GroupingSet(set)) => Some(&set.content),
            Some(NodeEnum::RowExpr(row)) => Some(&row.args),
            _ => None,
        };
        if let Some(parts) = parts {
            for inner in parts {
                let _ = self.deeper(|t| t.group(inner, cols, level));
            }
            return;
        }
        self.expr(node, level, Ctx::filter(place));
    }

    /// ORDER BY and DISTINCT ON: a position or an output's name first, an expression otherwise.
    fn by_output(&mut self, node: &Node, cols: &Cols, level: &Level<'_>, place: &str) {
        let node = match node.node.as_ref() {
            Some(NodeEnum::SortBy(s)) => match s.node.as_deref() {
                Some(inner) => inner,
                None => return,
            },
            _ => node,
        };
        let name = bare_name(node);
        let named = name.and_then(|n| cols.named(n));
        match position(node, cols).or(named) {
            Some(mut col) => {
                // The server may call that output otherwise, and then sorts by another, or by the input.
                if !col.sure {
                    join(&mut col.fields, &cols.perhaps_named());
                    if let Some(Found::Column(input)) = name.map(|n| level.own_column(n)) {
                        join(&mut col.fields, &input.fields);
                    }
                }
                self.record_as(&col.fields, Verb::Filter, place);
            }
            None => {
                self.unsure_output(name, cols, place);
                self.expr(node, level, Ctx::filter(place));
            }
        }
    }

    /// A name that is no output's here may be one at the server.
    fn unsure_output(&mut self, name: Option<&str>, cols: &Cols, place: &str) {
        if name.is_some() {
            self.record_as(&cols.perhaps_named(), Verb::Filter, place);
        }
    }
}

/// A constant that is the position of an output. In a list whose places are not known it may be any of them.
fn position(node: &Node, cols: &Cols) -> Option<Col> {
    let Some(NodeEnum::AConst(constant)) = node.node.as_ref() else {
        return None;
    };
    let Some(a_const::Val::Ival(n)) = &constant.val else {
        return None;
    };
    if cols.open {
        return Some(Col {
            fields: cols.fields(),
            ..Col::plain("")
        });
    }
    let at = usize::try_from(n.ival).ok()?.checked_sub(1)?;
    cols.list.get(at).cloned()
}

/// `*`, `t.*`, `(row).*`.
fn is_star(node: &Node) -> bool {
    let last = match node.node.as_ref() {
        Some(NodeEnum::ColumnRef(r)) => r.fields.last(),
        Some(NodeEnum::AIndirection(a)) => a.indirection.last(),
        _ => None,
    };
    matches!(last.and_then(|n| n.node.as_ref()), Some(NodeEnum::AStar(_)))
}

fn bare_name(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::ColumnRef(r) => match r.fields.as_slice() {
            [one] => names::string(one),
            _ => None,
        },
        _ => None,
    }
}

//! Whether a condition bounds anything, and to how many rows.
//!
//! Lives here: reading conditions. In doubt a condition does not bound. Never: gathering.

use crate::classify::sql::catalogue::Relation;
use crate::classify::sql::nodes::{child, inner, names, string_literal};
use crate::classify::sql::scope::{Columns, Item, SYSTEM_COLUMNS};
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;
use std::collections::HashMap;

/// Splits `a AND b AND c`.
pub(super) fn conjuncts<'a>(condition: Option<&'a N>, out: &mut Vec<&'a N>) {
    match condition {
        Some(N::BoolExpr(b)) if b.boolop == pb::BoolExprType::AndExpr as i32 => {
            for arg in &b.args {
                conjuncts(inner(arg), out);
            }
        }
        Some(other) => out.push(other),
        None => {}
    }
}

/// Reads conditions from the point of view of one relation in FROM.
pub(super) struct Bounding<'a> {
    pub item: &'a Item,
}

impl Bounding<'_> {
    /// Whether a condition leaves out rows of the relation, as far as one can tell; negated if it stands under NOT.
    pub(super) fn bounds(&self, node: &N, negated: bool) -> bool {
        match node {
            N::BoolExpr(b) => self.bounds_bool(b, negated),
            N::AExpr(e) => self.bounds_operation(e, negated),
            N::NullTest(t) => {
                let is_null = t.nulltesttype == pb::NullTestType::IsNull as i32;
                self.mentions_opt(&t.arg) && (is_null != negated)
            }
            N::BooleanTest(t) => self.mentions_opt(&t.arg),
            N::ColumnRef(_) | N::FuncCall(_) | N::AIndirection(_) => self.mentions(node),
            N::TypeCast(c) => child(&c.arg).is_some_and(|a| self.bounds(a, negated)),
            N::SubLink(s) => self.bounds_sublink(s),
            N::CurrentOfExpr(_) => true,
            _ => false,
        }
    }

    fn bounds_bool(&self, b: &pb::BoolExpr, negated: bool) -> bool {
        let mut arms = b.args.iter().filter_map(inner);
        match (pb::BoolExprType::try_from(b.boolop), negated) {
            (Ok(pb::BoolExprType::NotExpr), _) => arms.all(|a| self.bounds(a, !negated)),
            (Ok(pb::BoolExprType::AndExpr), false) | (Ok(pb::BoolExprType::OrExpr), true) => {
                arms.any(|a| self.bounds(a, negated))
            }
            (Ok(pb::BoolExprType::AndExpr), true) | (Ok(pb::BoolExprType::OrExpr), false) => {
                arms.all(|a| self.bounds(a, negated))
            }
            _ => false,
        }
    }

    fn bounds_operation(&self, e: &pb::AExpr, negated: bool) -> bool {
        let (left, right) = (child(&e.lexpr), child(&e.rexpr));
        let (l, r) = (
            left.is_some_and(|n| self.mentions(n)),
            right.is_some_and(|n| self.mentions(n)),
        );
        if !l && !r {
            return false;
        }
        let same = match (left, right) {
            (Some(a), Some(b)) => same_column(a, b),
            _ => false,
        };
        let matches_all = right
            .and_then(string_literal)
            .is_some_and(|p| !p.is_empty() && p.chars().all(|c| c == '%'));
        let like = matches!(
            pb::AExprKind::try_from(e.kind),
            Ok(pb::AExprKind::AexprLike | pb::AExprKind::AexprIlike | pb::AExprKind::AexprSimilar)
        );
        negated || !(same || like && matches_all)
    }

    fn bounds_sublink(&self, s: &pb::SubLink) -> bool {
        // EXISTS bounds only when it looks at this relation.
        if self.mentions_opt(&s.testexpr) {
            return true;
        }
        match child(&s.subselect) {
            Some(N::SelectStmt(q)) => {
                let mut conditions = Vec::new();
                conjuncts(child(&q.where_clause), &mut conditions);
                conditions.iter().any(|c| self.bounds_qualified(c))
            }
            _ => false,
        }
    }

    /// A condition inside EXISTS that compares with a column written `alias.column`.
    fn bounds_qualified(&self, node: &N) -> bool {
        match node {
            N::AExpr(e) => [child(&e.lexpr), child(&e.rexpr)]
                .into_iter()
                .flatten()
                .any(|side| matches!(side, N::ColumnRef(c) if self.is_own(c, true))),
            _ => false,
        }
    }

    fn mentions_opt(&self, node: &Option<Box<pb::Node>>) -> bool {
        child(node).is_some_and(|n| self.mentions(n))
    }

    /// Whether a column of the relation is in it.
    fn mentions(&self, node: &N) -> bool {
        match node {
            N::ColumnRef(c) => self.is_own(c, false),
            N::AExpr(e) => self.mentions_opt(&e.lexpr) || self.mentions_opt(&e.rexpr),
            N::TypeCast(c) => self.mentions_opt(&c.arg),
            N::CollateClause(c) => self.mentions_opt(&c.arg),
            N::AIndirection(i) => self.mentions_opt(&i.arg),
            N::FuncCall(f) => f.args.iter().filter_map(inner).any(|a| self.mentions(a)),
            N::RowExpr(r) => r.args.iter().filter_map(inner).any(|a| self.mentions(a)),
            N::List(l) => l.items.iter().filter_map(inner).any(|a| self.mentions(a)),
            N::AArrayExpr(a) => a
                .elements
                .iter()
                .filter_map(inner)
                .any(|a| self.mentions(a)),
            N::CoalesceExpr(c) => c.args.iter().filter_map(inner).any(|a| self.mentions(a)),
            N::SubLink(s) => self.mentions_opt(&s.testexpr),
            _ => false,
        }
    }

    fn is_own(&self, c: &pb::ColumnRef, qualified: bool) -> bool {
        let known = |name: &str| {
            self.item.columns.has(name)
                || (self.item.system_columns && SYSTEM_COLUMNS.contains(&name))
                || self.item.columns == Columns::Any
        };
        match names(&c.fields).as_deref() {
            Some([column]) => !qualified && known(column),
            Some([.., table, column]) => *table == self.item.name && known(column),
            _ => false,
        }
    }

    /// The most rows that conditions leave, when they fix all columns of a unique key.
    pub(super) fn key_rows(&self, conditions: &[&N], relation: &Relation) -> Option<i64> {
        let mut fixed: HashMap<&str, i64> = HashMap::new();
        for condition in conditions {
            if let Some((column, rows)) = self.fixes(condition) {
                let have = fixed.entry(column).or_insert(rows);
                *have = (*have).min(rows);
            }
        }
        if relation.children.is_empty() {
            relation
                .unique_keys
                .iter()
                .filter_map(|key| {
                    key.iter().try_fold(1_i64, |product, column| {
                        fixed
                            .get(column.as_str())
                            .map(|n| product.saturating_mul(*n))
                    })
                })
                .min()
        } else {
            // A unique index of a parent says nothing of what its children hold.
            None
        }
    }

    /// `column = value`, `column IN (values)`, `column = ANY (ARRAY[values])`: the column, and to how many values.
    fn fixes<'n>(&self, condition: &'n N) -> Option<(&'n str, i64)> {
        let N::AExpr(e) = condition else {
            return None;
        };
        if names(&e.name).as_deref() != Some(&["="]) {
            return None;
        }
        let (left, right) = (child(&e.lexpr)?, child(&e.rexpr)?);
        match pb::AExprKind::try_from(e.kind) {
            Ok(pb::AExprKind::AexprOp) => match (self.own_column(left), self.own_column(right)) {
                (Some(column), None) if is_value(right) => Some((column, 1)),
                (None, Some(column)) if is_value(left) => Some((column, 1)),
                _ => None,
            },
            Ok(pb::AExprKind::AexprIn) => match right {
                N::List(l) => Some((self.own_column(left)?, i64::try_from(l.items.len()).ok()?)),
                _ => None,
            },
            Ok(pb::AExprKind::AexprOpAny) => match right {
                N::AArrayExpr(a) => Some((
                    self.own_column(left)?,
                    i64::try_from(a.elements.len()).ok()?,
                )),
                _ => None,
            },
            _ => None,
        }
    }

    fn own_column<'n>(&self, node: &'n N) -> Option<&'n str> {
        let N::ColumnRef(c) = node else {
            return None;
        };
        // Under another name it is not the key's column.
        let renamed = self.item.behind.iter().any(|b| !b.renamed.is_empty());
        if renamed || !self.is_own(c, false) || self.item.columns == Columns::Any {
            return None;
        }
        names(&c.fields)?.last().copied()
    }
}

/// One value for the whole statement.
fn is_value(node: &N) -> bool {
    match node {
        N::AConst(_) | N::ParamRef(_) | N::SqlvalueFunction(_) => true,
        N::TypeCast(c) => {
            // A type with an equality of its own may find more than the key does.
            let plain = c
                .type_name
                .as_ref()
                .is_some_and(|t| match names(&t.names).as_deref() {
                    Some(["pg_catalog", _]) => true,
                    Some([one]) => matches!(*one, "text" | "uuid" | "date" | "bytea"),
                    _ => false,
                });
            plain && child(&c.arg).is_some_and(is_value)
        }
        _ => false,
    }
}

fn same_column(a: &N, b: &N) -> bool {
    match (a, b) {
        (N::ColumnRef(a), N::ColumnRef(b)) => {
            names(&a.fields).and_then(|n| n.last().copied())
                == names(&b.fields).and_then(|n| n.last().copied())
                && (a.fields.len() == 1
                    || b.fields.len() == 1
                    || names(&a.fields) == names(&b.fields))
        }
        _ => false,
    }
}

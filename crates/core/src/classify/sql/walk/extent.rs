//! How many rows a statement touches, as far as it says so itself.
//!
//! Lives here: conditions, literal limits, unique keys and the catalogue's row counts, into figures. Never: acts.

use super::Walk;
use super::bounds::{Bounding, conjuncts};
use crate::action::FIGURE_MAX;
use crate::classify::sql::catalogue::Relation;
use crate::classify::sql::nodes::{child, inner};
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;

impl Walk<'_> {
    /// The figures of the relations in a SELECT's own FROM.
    pub(super) fn extent_of_select(&mut self, s: &pb::SelectStmt) {
        let Some(level) = self.now.levels.last() else {
            return;
        };
        let items = level.items.clone();
        // WITH TIES goes beyond its limit.
        let ties = s.limit_option == pb::LimitOption::WithTies as i32;
        let limit = Self::literal_limit(&s.limit_count).filter(|_| !ties);
        // Only a plain list of columns stops reading at the limit.
        let plain = items.len() == 1
            && s.sort_clause.is_empty()
            && s.group_clause.is_empty()
            && s.distinct_clause.is_empty()
            && s.having_clause.is_none()
            && s.target_list.iter().all(plain_target);
        let mut conditions = Vec::new();
        conjuncts(child(&s.where_clause), &mut conditions);
        let mut joined = Vec::new();
        for node in &s.from_clause {
            join_conditions(inner(node), &mut joined);
        }
        for item in &items {
            for behind in &item.behind {
                self.extent_of(item, behind.touch, &conditions, &joined);
                if let Some(touch) = self.now.touches.get_mut(behind.touch) {
                    touch.limit = limit.unwrap_or(FIGURE_MAX);
                    if plain && let Some(limit) = limit {
                        touch.rows = touch.rows.min(limit);
                    }
                }
            }
        }
    }

    /// The figures of one relation under conditions that must all hold; those of joins bound no more than a key.
    pub(super) fn extent_of(
        &mut self,
        item: &crate::classify::sql::scope::Item,
        touch: usize,
        conditions: &[&N],
        joined: &[&N],
    ) {
        let Some(noted) = self.now.touches.get(touch) else {
            return;
        };
        let relation = noted.relation.clone();
        let bounding = Bounding { item };
        let has_where = conditions.iter().any(|c| bounding.bounds(c, false));
        let all = self.rows_of(&relation, noted.only);
        let all_conditions: Vec<&N> = conditions.iter().chain(joined).copied().collect();
        let rows = match bounding.key_rows(&all_conditions, &relation) {
            Some(rows) => rows.min(all),
            None => all,
        };
        if let Some(noted) = self.now.touches.get_mut(touch) {
            noted.has_where = has_where;
            noted.rows = rows;
        }
    }

    /// The rows of a relation and its children, as far as it was analysed.
    pub(super) fn rows_of(&self, relation: &Relation, only: bool) -> i64 {
        let children: &[u32] = if only { &[] } else { &relation.children };
        let of_children = children.iter().map(|oid| {
            self.ctx
                .catalogue
                .by_oid
                .get(oid)
                .and_then(|r| r.estimated_rows)
        });
        let own = match relation.estimated_rows {
            // A partitioned table holds nothing itself.
            None if !relation.children.is_empty() => Some(0),
            own => own,
        };
        std::iter::once(own)
            .chain(of_children)
            .try_fold(0_i64, |sum, rows| rows.map(|r| sum.saturating_add(r)))
            .map_or(FIGURE_MAX, |n| n.min(FIGURE_MAX))
    }
}

/// A column, `*` or a literal.
fn plain_target(node: &pb::Node) -> bool {
    match inner(node) {
        Some(N::ResTarget(t)) => {
            let mut value = child(&t.val);
            while let Some(N::TypeCast(c)) = value {
                value = child(&c.arg);
            }
            matches!(value, Some(N::ColumnRef(_) | N::AConst(_)))
        }
        _ => false,
    }
}

/// The conditions of inner joins hold for every row that comes out.
fn join_conditions<'a>(node: Option<&'a N>, out: &mut Vec<&'a N>) {
    if let Some(N::JoinExpr(j)) = node
        && j.jointype == pb::JoinType::JoinInner as i32
    {
        conjuncts(child(&j.quals), out);
        join_conditions(child(&j.larg), out);
        join_conditions(child(&j.rarg), out);
    }
}

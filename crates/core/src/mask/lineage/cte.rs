//! WITH: common table expressions, recursive ones and those that change data too.
//!
//! Lives here: what each makes visible. Never: the queries in them.

use super::names;
use super::scope::{Col, Cols, Level};
use super::tracer::Tracer;
use crate::action::Verb;
use pg_query::NodeEnum;
use pg_query::protobuf::{CommonTableExpr, WithClause};

/// Rounds after which a recursive query's columns must have stopped changing.
const ROUNDS_MAX: usize = 24;

impl Tracer<'_> {
    pub(super) fn with(&mut self, with: &WithClause, level: &mut Level<'_>) {
        let ctes: Vec<&CommonTableExpr> = with
            .ctes
            .iter()
            .filter_map(|n| match n.node.as_ref() {
                Some(NodeEnum::CommonTableExpr(c)) => Some(&**c),
                _ => None,
            })
            .collect();
        if ctes.len() != with.ctes.len() {
            self.doubt("an entry of WITH of a kind that is not traced");
        }
        match with.recursive {
            false => {
                for cte in ctes {
                    let cols = self.cte(cte, level);
                    level.ctes.push((cte.ctename.clone(), cols));
                }
            }
            true => self.recursive(&ctes, level),
        }
    }

    /// All of them see each other and themselves. They begin as something of which nothing is known, and are walked
    /// until their columns no longer change; masked columns only ever get more.
    fn recursive(&mut self, ctes: &[&CommonTableExpr], level: &mut Level<'_>) {
        let base = level.ctes.len();
        level
            .ctes
            .extend(ctes.iter().map(|c| (c.ctename.clone(), Cols::unknown())));
        let mark = self.mark();
        for _ in 0..ROUNDS_MAX {
            self.rewind(mark);
            let mut changed = false;
            for (i, cte) in ctes.iter().enumerate() {
                let cols = self.cte(cte, level);
                if let Some((_, known)) = level.ctes.get_mut(base + i) {
                    changed |= *known != cols;
                    *known = cols;
                }
            }
            if !changed {
                return;
            }
        }
        self.doubt("a recursive query whose columns could not be traced");
    }

    fn cte(&mut self, cte: &CommonTableExpr, level: &Level<'_>) -> Cols {
        let Some(query) = cte.ctequery.as_deref() else {
            return Cols::unknown();
        };
        let mut cols = self.query(query, Some(level));
        cols.rename(names::strings(&cte.aliascolnames));
        if cte.search_clause.is_some() || cte.cycle_clause.is_some() {
            // Within the query their columns are there by name, and not in `*`.
            self.doubt("SEARCH or CYCLE beside masked columns");
        }
        if let Some(search) = &cte.search_clause {
            // The sequence column is made of the values it is ordered by.
            self.collected(&cols, names::strings(&search.search_col_list), "in SEARCH");
            cols.list.push(Col::plain(&search.search_seq_column));
        }
        if let Some(cycle) = &cte.cycle_clause {
            self.collected(&cols, names::strings(&cycle.cycle_col_list), "in CYCLE");
            cols.list.push(Col::plain(&cycle.cycle_mark_column));
            cols.list.push(Col::plain(&cycle.cycle_path_column));
        }
        cols
    }

    fn collected<'n>(&mut self, cols: &Cols, listed: impl Iterator<Item = &'n str>, place: &str) {
        for name in listed {
            if let Some(col) = cols.named(name) {
                self.record_as(&col.fields, Verb::Derive, place);
            }
        }
    }
}

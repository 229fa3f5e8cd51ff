//! Column references: whose column it is, or whether a function hides behind it.
//!
//! Lives here: `a`, `t.a`, `s.t.a`, `t.*` and `(…).a`. Never: functions themselves.

use super::Walk;
use crate::classify::sql::catalogue::SearchPath;
use crate::classify::sql::nodes::{self, inner};
use crate::classify::sql::scope::{Columns, Item, SYSTEM_COLUMNS};
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;
use std::rc::Rc;

impl Walk<'_> {
    pub(super) fn column_ref(&mut self, reference: &pb::ColumnRef) {
        let fields = &reference.fields;
        let star = matches!(fields.last().and_then(inner), Some(N::AStar(_)));
        let written = if star {
            fields.split_last().map_or(&[][..], |(_, rest)| rest)
        } else {
            fields.as_slice()
        };
        let Some(names) = nodes::names(written) else {
            self.not_modelled("A column reference");
            return;
        };
        match (names.as_slice(), star) {
            ([], _) => self.star(None, None),
            ([table], true) => self.star(None, Some(table)),
            ([schema, table], true) => self.star(Some(schema), Some(table)),
            ([.., schema, table], true) => self.star(Some(schema), Some(table)),
            ([column], false) => self.bare(column),
            ([table, column], false) => self.dotted(None, table, column),
            ([schema, table, column], false) => self.dotted(Some(schema), table, column),
            // Catalog in front, or fields of a composite column.
            ([.., schema, table, column], false) => {
                self.dotted(Some(schema), table, column);
                for name in &names {
                    self.bare(name);
                }
            }
        }
    }

    /// An unqualified name: a column of the innermost level that has one, or a whole row.
    fn bare(&mut self, name: &str) {
        let levels: Vec<Vec<Rc<Item>>> = self
            .now
            .levels
            .iter()
            .rev()
            .map(|l| l.items.clone())
            .collect();
        for items in levels {
            let mut sure = false;
            for item in items {
                if item.bare {
                    sure |= self.reads_column(&item, name);
                }
                if item.name == name {
                    self.reads_whole(&item);
                }
            }
            if sure {
                return;
            }
        }
    }

    /// `t.a`: a column, or a function on the whole row, or a field of a composite column `t`.
    fn dotted(&mut self, schema: Option<&str>, table: &str, column: &str) {
        let Some(item) = self.item_called(schema, table) else {
            // Perhaps a field of a composite column; or a function on it.
            self.bare(table);
            if let Some(schema) = schema {
                self.dotted(None, schema, table);
            }
            self.field(column);
            self.unseen_field(column);
            return;
        };
        if !self.reads_column(&item, column) {
            self.reads_whole(&item);
            self.field(column);
            self.unseen_field(column);
        }
    }

    fn star(&mut self, schema: Option<&str>, table: Option<&str>) {
        match table {
            Some(table) => match self.item_called(schema, table) {
                Some(item) => self.reads_whole(&item),
                None => {
                    self.bare(table);
                    if let Some(schema) = schema {
                        self.dotted(None, schema, table);
                    }
                }
            },
            None => {
                let items = self.now.levels.last().map(|l| l.items.clone());
                for item in items.unwrap_or_default() {
                    self.reads_whole(&item);
                }
            }
        }
    }

    /// What a table name in front of a column means: the innermost level that has one.
    fn item_called(&self, schema: Option<&str>, name: &str) -> Option<Rc<Item>> {
        let path: &SearchPath = self.ctx.path;
        self.now.levels.iter().rev().find_map(|level| {
            level
                .items
                .iter()
                .find(|item| {
                    item.name == name
                        && match (schema, &item.schema) {
                            (None, _) => true,
                            (Some(written), Some(real)) => path.spelled(written) == real,
                            (Some(_), None) => false,
                        }
                })
                .cloned()
        })
    }

    /// Notes that a column of an item is read. Says whether it surely has one of that name.
    pub(super) fn reads_column(&mut self, item: &Item, name: &str) -> bool {
        let sure =
            item.columns.has(name) || (item.system_columns && SYSTEM_COLUMNS.contains(&name));
        if !sure && item.columns != Columns::Any {
            return false;
        }
        for behind in &item.behind {
            let Some(touch) = self.now.touches.get_mut(behind.touch) else {
                continue;
            };
            let real = behind
                .renamed
                .iter()
                .find(|(new, _)| new == name)
                .map_or(name, |(_, old)| old.as_str());
            if touch.relation.column(real).is_some() || SYSTEM_COLUMNS.contains(&real) {
                touch.columns.insert(real.to_owned());
            } else if !touch.columns_known {
                touch.whole = true;
            }
        }
        sure
    }

    /// Notes that all columns of an item may be read.
    pub(super) fn reads_whole(&mut self, item: &Item) {
        for behind in &item.behind {
            if let Some(touch) = self.now.touches.get_mut(behind.touch) {
                touch.whole = true;
            }
        }
    }

    /// `(…).a`, `a[1].b`: fields, which may be functions, and subscripts.
    pub(super) fn indirection(&mut self, steps: &[pb::Node]) {
        for step in steps {
            match inner(step) {
                Some(N::String(s)) => {
                    self.field(&s.sval);
                    self.unseen_field(&s.sval);
                }
                Some(N::AStar(_)) => {}
                Some(N::AIndices(i)) => {
                    self.opt(&i.lidx);
                    self.opt(&i.uidx);
                }
                _ => self.not_modelled("A subscript"),
            }
        }
    }
}

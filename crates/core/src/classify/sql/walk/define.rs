//! Expressions inside definitions: defaults, checks, generated columns, index expressions, partition bounds.
//!
//! Lives here: walking them, since the server may run them at once. Never: what is created.

use super::Walk;
use crate::classify::sql::nodes::{child, inner};
use crate::classify::sql::scope::{Columns, Item, Level};
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;
use std::rc::Rc;

impl Walk<'_> {
    pub(super) fn definitions(&mut self, nodes: &[pb::Node]) {
        for node in nodes {
            match inner(node) {
                Some(node) => self.definition(node),
                None => self.not_modelled("An empty part of a definition"),
            }
        }
    }

    /// An expression whose columns are those of something being defined.
    pub(super) fn opaque(&mut self, node: Option<&N>) {
        let Some(node) = node else {
            return;
        };
        self.now.levels.push(Level {
            items: vec![Rc::new(Item {
                name: String::new(),
                schema: None,
                columns: Columns::Any,
                system_columns: false,
                behind: Vec::new(),
                bare: true,
            })],
            ctes: Vec::new(),
        });
        match node {
            N::Constraint(_) | N::ColumnDef(_) => self.definition(node),
            _ => self.expr(node),
        }
        self.now.levels.pop();
    }

    pub(super) fn definition(&mut self, node: &N) {
        match node {
            N::ColumnDef(c) => {
                if let Some(name) = &c.type_name {
                    self.type_name(name);
                }
                self.opaque(child(&c.raw_default));
                self.definitions(&c.constraints);
            }
            N::Constraint(c) => self.constraint(c),
            N::IndexElem(e) => self.opaque(child(&e.expr)),
            N::PartitionElem(e) => self.opaque(child(&e.expr)),
            N::TableLikeClause(l) => {
                if let Some(relation) = &l.relation {
                    self.relation(relation);
                }
            }
            N::List(l) => self.definitions(&l.items),
            _ => self.not_modelled("A part of a definition"),
        }
    }

    fn constraint(&mut self, c: &pb::Constraint) {
        self.opaque(child(&c.raw_expr));
        self.opaque(child(&c.where_clause));
        for exclusion in &c.exclusions {
            match inner(exclusion) {
                // (index element, operator)
                Some(N::List(pair)) => match pair.items.as_slice() {
                    [element, operator] => {
                        match inner(element) {
                            Some(element) => self.definition(element),
                            None => self.not_modelled("EXCLUDE"),
                        }
                        match inner(operator) {
                            Some(N::List(name)) => self.operator(&name.items),
                            _ => self.not_modelled("EXCLUDE"),
                        }
                    }
                    _ => self.not_modelled("EXCLUDE"),
                },
                _ => self.not_modelled("EXCLUDE"),
            }
        }
        // A foreign key hangs triggers on the table it points to, and locks it.
        if let Some(referenced) = &c.pktable {
            self.alters_alone(referenced);
        }
    }

    pub(super) fn partition_bound(&mut self, b: &pb::PartitionBoundSpec) {
        for datum in &b.listdatums {
            self.opaque(inner(datum));
        }
        for datum in b.lowerdatums.iter().chain(&b.upperdatums) {
            match inner(datum) {
                Some(N::PartitionRangeDatum(d)) => self.opaque(child(&d.value)),
                // MINVALUE and MAXVALUE are column references to the grammar.
                other => self.opaque(other),
            }
        }
    }
}

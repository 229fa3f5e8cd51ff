//! SQL/JSON.
//!
//! Lives here: constructors, query functions and JSON_TABLE. Never: anything else.

use super::Walk;
use crate::classify::sql::nodes::{child, inner};
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;

impl Walk<'_> {
    pub(super) fn json(&mut self, node: &N) {
        match node {
            N::JsonValueExpr(v) => self.json_value(Some(v)),
            N::JsonKeyValue(k) => self.json_pair(Some(k)),
            N::JsonArgument(a) => self.json_value(a.val.as_deref()),
            N::JsonObjectConstructor(c) => {
                self.exprs(&c.exprs);
                self.json_output(c.output.as_ref());
            }
            N::JsonArrayConstructor(c) => {
                self.exprs(&c.exprs);
                self.json_output(c.output.as_ref());
            }
            N::JsonArrayQueryConstructor(c) => {
                match child(&c.query) {
                    Some(query) => {
                        self.query(query);
                    }
                    None => self.not_modelled("JSON_ARRAY"),
                }
                self.json_output(c.output.as_ref());
            }
            N::JsonObjectAgg(a) => {
                self.json_aggregate(a.constructor.as_deref());
                self.json_pair(a.arg.as_deref());
            }
            N::JsonArrayAgg(a) => {
                self.json_aggregate(a.constructor.as_deref());
                self.json_value(a.arg.as_deref());
            }
            N::JsonParseExpr(p) => {
                self.json_value(p.expr.as_deref());
                self.json_output(p.output.as_ref());
            }
            N::JsonScalarExpr(s) => {
                self.opt(&s.expr);
                self.json_output(s.output.as_ref());
            }
            N::JsonSerializeExpr(s) => {
                self.json_value(s.expr.as_deref());
                self.json_output(s.output.as_ref());
            }
            N::JsonIsPredicate(p) => self.opt(&p.expr),
            N::JsonFuncExpr(f) => self.json_function(f),
            N::JsonBehavior(b) => self.json_behavior(Some(b)),
            _ => self.not_modelled("An expression of this kind"),
        }
    }

    fn json_value(&mut self, value: Option<&pb::JsonValueExpr>) {
        if let Some(value) = value {
            self.opt(&value.raw_expr);
            self.opt(&value.formatted_expr);
        }
    }

    fn json_pair(&mut self, pair: Option<&pb::JsonKeyValue>) {
        if let Some(pair) = pair {
            self.opt(&pair.key);
            self.json_value(pair.value.as_deref());
        }
    }

    fn json_output(&mut self, output: Option<&pb::JsonOutput>) {
        if let Some(name) = output.and_then(|o| o.type_name.as_ref()) {
            self.casts_to(name);
        }
    }

    fn json_aggregate(&mut self, constructor: Option<&pb::JsonAggConstructor>) {
        if let Some(c) = constructor {
            self.json_output(c.output.as_ref());
            self.opt(&c.agg_filter);
            self.exprs(&c.agg_order);
            if let Some(over) = &c.over {
                self.window(over);
            }
        }
    }

    fn json_behavior(&mut self, behavior: Option<&pb::JsonBehavior>) {
        if let Some(behavior) = behavior {
            self.opt(&behavior.expr);
        }
    }

    fn json_function(&mut self, f: &pb::JsonFuncExpr) {
        let pb::JsonFuncExpr {
            op: _,
            column_name: _,
            context_item,
            pathspec,
            passing,
            output,
            on_empty,
            on_error,
            wrapper: _,
            quotes: _,
            location: _,
        } = f;
        self.json_value(context_item.as_deref());
        self.opt(pathspec);
        self.exprs(passing);
        self.json_output(output.as_ref());
        self.json_behavior(on_empty.as_deref());
        self.json_behavior(on_error.as_deref());
    }

    pub(super) fn json_table(&mut self, t: &pb::JsonTable) {
        let pb::JsonTable {
            context_item,
            pathspec,
            passing,
            columns,
            on_error,
            alias: _,
            lateral: _,
            location: _,
        } = t;
        self.json_value(context_item.as_deref());
        self.json_path(pathspec.as_deref());
        self.exprs(passing);
        self.json_columns(columns);
        self.json_behavior(on_error.as_deref());
    }

    fn json_path(&mut self, path: Option<&pb::JsonTablePathSpec>) {
        if let Some(path) = path {
            self.opt(&path.string);
        }
    }

    fn json_columns(&mut self, columns: &[pb::Node]) {
        for column in columns {
            let Some(N::JsonTableColumn(c)) = inner(column) else {
                self.not_modelled("A column of JSON_TABLE");
                continue;
            };
            if let Some(name) = &c.type_name {
                self.casts_to(name);
            }
            self.json_path(c.pathspec.as_deref());
            self.json_behavior(c.on_empty.as_deref());
            self.json_behavior(c.on_error.as_deref());
            self.json_columns(&c.columns);
        }
    }
}

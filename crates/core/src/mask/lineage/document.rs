//! XML and JSON expressions: everything in them is computed with.
//!
//! Lives here: their parts. A kind of node that is known nowhere ends here, as a doubt. Never: other expressions.

use super::scope::Level;
use super::tracer::{Ctx, Inside, Tracer};
use pg_query::NodeEnum;
use pg_query::protobuf::{
    JsonAggConstructor, JsonBehavior, JsonFuncExpr, JsonTable, JsonTableColumn, JsonValueExpr, Node,
};

impl Tracer<'_> {
    pub(super) fn document(&mut self, node: &NodeEnum, level: &Level<'_>, ctx: Ctx<'_>) {
        let xml = ctx.inside(Inside::Word("an XML expression"));
        let json = ctx.inside(Inside::Word("a JSON expression"));
        match node {
            NodeEnum::XmlExpr(x) => {
                self.exprs(&x.named_args, level, xml);
                self.exprs(&x.args, level, xml);
            }
            NodeEnum::XmlSerialize(x) => self.maybe(x.expr.as_deref(), level, xml),
            NodeEnum::JsonValueExpr(v) => self.json_value(Some(v), level, json),
            NodeEnum::JsonKeyValue(kv) => {
                self.maybe(kv.key.as_deref(), level, json);
                self.json_value(kv.value.as_deref(), level, json);
            }
            NodeEnum::JsonArgument(a) => self.json_value(a.val.as_deref(), level, json),
            NodeEnum::JsonIsPredicate(p) => self.maybe(p.expr.as_deref(), level, json),
            NodeEnum::JsonParseExpr(p) => self.json_value(p.expr.as_deref(), level, json),
            NodeEnum::JsonScalarExpr(s) => self.maybe(s.expr.as_deref(), level, json),
            NodeEnum::JsonSerializeExpr(s) => self.json_value(s.expr.as_deref(), level, json),
            NodeEnum::JsonObjectConstructor(o) => self.exprs(&o.exprs, level, json),
            NodeEnum::JsonArrayConstructor(a) => self.exprs(&a.exprs, level, json),
            NodeEnum::JsonArrayQueryConstructor(q) => {
                if let Some(query) = q.query.as_deref() {
                    let fields = self.query(query, Some(level)).fields();
                    self.record(&fields, json);
                }
            }
            NodeEnum::JsonObjectAgg(o) => {
                if let Some(kv) = o.arg.as_deref() {
                    self.maybe(kv.key.as_deref(), level, json);
                    self.json_value(kv.value.as_deref(), level, json);
                }
                self.json_aggregate(o.constructor.as_deref(), level);
            }
            NodeEnum::JsonArrayAgg(a) => {
                self.json_value(a.arg.as_deref(), level, json);
                self.json_aggregate(a.constructor.as_deref(), level);
            }
            NodeEnum::JsonFuncExpr(f) => self.json_function(f, level, json),
            _ => self.doubt("an expression of a kind that is not traced"),
        }
    }

    fn json_value(&mut self, value: Option<&JsonValueExpr>, level: &Level<'_>, ctx: Ctx<'_>) {
        if let Some(value) = value {
            self.maybe(value.raw_expr.as_deref(), level, ctx);
            self.maybe(value.formatted_expr.as_deref(), level, ctx);
        }
    }

    fn json_behaviour(
        &mut self,
        behaviour: Option<&JsonBehavior>,
        level: &Level<'_>,
        ctx: Ctx<'_>,
    ) {
        self.maybe(behaviour.and_then(|b| b.expr.as_deref()), level, ctx);
    }

    fn json_aggregate(&mut self, aggregate: Option<&JsonAggConstructor>, level: &Level<'_>) {
        let Some(aggregate) = aggregate else { return };
        self.maybe(
            aggregate.agg_filter.as_deref(),
            level,
            Ctx::filter("in FILTER"),
        );
        self.exprs(
            &aggregate.agg_order,
            level,
            Ctx::filter("in an aggregate's ORDER BY"),
        );
        if let Some(window) = aggregate.over.as_deref() {
            self.window(window, level);
        }
    }

    fn json_function(&mut self, f: &JsonFuncExpr, level: &Level<'_>, ctx: Ctx<'_>) {
        self.json_value(f.context_item.as_deref(), level, ctx);
        self.maybe(f.pathspec.as_deref(), level, ctx);
        self.exprs(&f.passing, level, ctx);
        self.json_behaviour(f.on_empty.as_deref(), level, ctx);
        self.json_behaviour(f.on_error.as_deref(), level, ctx);
    }

    /// The columns of JSON_TABLE, nested ones included.
    pub(super) fn json_table(&mut self, table: &JsonTable, level: &Level<'_>) -> Vec<String> {
        let ctx = Ctx::derive("in FROM").inside(Inside::Function("json_table"));
        self.json_value(table.context_item.as_deref(), level, ctx);
        self.exprs(&table.passing, level, ctx);
        self.json_behaviour(table.on_error.as_deref(), level, ctx);
        let mut names = Vec::new();
        self.json_columns(&table.columns, level, ctx, &mut names);
        names
    }

    fn json_columns(
        &mut self,
        columns: &[Node],
        level: &Level<'_>,
        ctx: Ctx<'_>,
        names: &mut Vec<String>,
    ) {
        // Of each level its own come first, then those of the levels in it.
        let mut nested = Vec::new();
        for node in columns {
            let Some(NodeEnum::JsonTableColumn(column)) = node.node.as_ref() else {
                self.doubt("a column of JSON_TABLE of a kind that is not traced");
                continue;
            };
            let column: &JsonTableColumn = column;
            self.json_behaviour(column.on_empty.as_deref(), level, ctx);
            self.json_behaviour(column.on_error.as_deref(), level, ctx);
            match column.columns.is_empty() {
                true => names.push(column.name.clone()),
                false => nested.push(&column.columns),
            }
        }
        for columns in nested {
            let _ = self.deeper(|t| t.json_columns(columns, level, ctx, names));
        }
    }
}

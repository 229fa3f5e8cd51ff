//! Expressions: which masked columns they show as they are, compare, or compute with.
//!
//! Lives here: every kind of expression that the parser makes. A kind that is not here is a doubt. Never: clauses.

use super::names;
use super::reference::{Reference, ends_in_star, row_field, row_of, take_apart};
use super::scope::{Col, Cols, Found, Level, join};
use super::tracer::{Ctx, Inside, Tracer};
use crate::action::Verb;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    AExpr, AExprKind, AIndirection, ColumnRef, FuncCall, Node, SubLink, SubLinkType, WindowDef,
};

/// Operators that compare their operands as they are.
const COMPARISONS: &[&str] = &[
    "=", "<>", "!=", "<", ">", "<=", ">=", "~", "~*", "!~", "!~*", "~~", "~~*", "!~~", "!~~*",
];

impl Tracer<'_> {
    /// The columns that an entry of a select list makes.
    pub(super) fn target(&mut self, node: &Node, level: &Level<'_>, place: &str) -> Cols {
        match node.node.as_ref() {
            Some(NodeEnum::ColumnRef(r)) => match take_apart(r) {
                Some(Reference::Star) => return level.star(),
                Some(Reference::RelationStar(schema, name)) => {
                    return self
                        .item(level, schema, name)
                        .map(|i| i.cols.clone())
                        .unwrap_or_default();
                }
                _ => {}
            },
            Some(NodeEnum::AIndirection(a)) if ends_in_star(a) => {
                return self.composite_star(a, level, place);
            }
            _ => {}
        }
        Cols::of(vec![self.value(node, level, place)])
    }

    /// A single value: shown as it is when it is a plain column or a scalar subquery of one.
    pub(super) fn value(&mut self, node: &Node, level: &Level<'_>, place: &str) -> Col {
        let name = names::figure(node);
        let col = match node.node.as_ref() {
            Some(NodeEnum::ColumnRef(r)) => self.column(r, level, Ctx::derive(place)),
            Some(NodeEnum::SubLink(s)) if s.sub_link_type() == SubLinkType::ExprSublink => {
                self.scalar(s, level)
            }
            Some(NodeEnum::AIndirection(a)) => row_field(a, level),
            _ => None,
        };
        let sure = !names::is_unsure(node);
        match col {
            // It is called as its own first column is.
            Some(col) if matches!(node.node.as_ref(), Some(NodeEnum::SubLink(_))) => col,
            Some(col) => Col { name, sure, ..col },
            None => {
                self.expr(node, level, Ctx::derive(place));
                Col {
                    sure,
                    ..Col::plain(name)
                }
            }
        }
    }

    /// The one column of a scalar subquery.
    fn scalar(&mut self, link: &SubLink, level: &Level<'_>) -> Option<Col> {
        let cols = self.query(link.subselect.as_deref()?, Some(level));
        let fields = cols.fields();
        let open = cols.open;
        let first = cols.list.into_iter().next();
        let known = !open && first.is_some();
        let first = first.unwrap_or_else(|| Col::plain(""));
        Some(Col {
            fields,
            sure: first.sure && known,
            ..first
        })
    }

    /// A column that is referred to. `None` when it is a whole row or a function of one, which is recorded here.
    fn column(&mut self, reference: &ColumnRef, level: &Level<'_>, ctx: Ctx<'_>) -> Option<Col> {
        self.cost(level);
        match take_apart(reference) {
            Some(Reference::Column(None, name)) => match level.column(name) {
                Found::Column(col) => {
                    // Where it may be no column after all, it is the whole row of something called so.
                    if !level.is_surely_column(name)
                        && let Some(item) = level.item(None, name)
                    {
                        self.whole_row(&item.cols.fields(), name, ctx);
                    }
                    Some(col)
                }
                found => match (level.item(None, name).map(|i| i.cols.fields()), found) {
                    (Some(fields), _) => {
                        self.whole_row(&fields, name, ctx);
                        Some(Col::plain(name))
                    }
                    (None, Found::Perhaps) => Some(Col::plain(name)),
                    (None, _) => {
                        self.doubt(format!("there is no column {name} to refer to"));
                        Some(Col::plain(name))
                    }
                },
            },
            Some(Reference::Column(Some((schema, relation)), name)) => {
                let item = self.item(level, schema, relation)?;
                if let Some(col) = item.column(name) {
                    return Some(col);
                }
                // `t.f` where t has no column f is the function f of the whole row.
                let fields = item.cols.fields();
                self.record(&fields, ctx.inside(Inside::Function(name)));
                Some(Col::plain(name))
            }
            Some(Reference::Star) => {
                let fields = level.star().fields();
                self.whole_row(&fields, "every table", ctx);
                Some(Col::plain("?column?"))
            }
            Some(Reference::RelationStar(schema, name)) => {
                let fields = self.item(level, schema, name)?.cols.fields();
                self.whole_row(&fields, name, ctx);
                Some(Col::plain("?column?"))
            }
            None => {
                self.doubt("a reference with more parts than a column has");
                Some(Col::plain("?column?"))
            }
        }
    }

    fn whole_row(
        &mut self,
        fields: &[std::sync::Arc<crate::mask::columns::Field>],
        of: &str,
        ctx: Ctx<'_>,
    ) {
        let what = format!("the whole row of {of}");
        self.record(fields, ctx.inside(Inside::Word(&what)));
    }

    /// `(row).*`: of a table's row, its columns; of anything else, columns that are not known.
    fn composite_star(&mut self, a: &AIndirection, level: &Level<'_>, place: &str) -> Cols {
        let Some(arg) = a.arg.as_deref() else {
            return Cols::unknown();
        };
        if let Some(item) = row_of(arg, level).filter(|_| a.indirection.len() == 1) {
            return item.cols.clone();
        }
        self.expr(arg, level, Ctx::derive(place).inside(Inside::Word("(…).*")));
        Cols::unknown()
    }

    /// Walks an expression and records what it does with masked columns.
    pub(super) fn expr(&mut self, node: &Node, level: &Level<'_>, ctx: Ctx<'_>) {
        let _ = self.deeper(|t| t.expr_kind(node, level, ctx));
    }

    pub(super) fn exprs(&mut self, nodes: &[Node], level: &Level<'_>, ctx: Ctx<'_>) {
        for node in nodes {
            self.expr(node, level, ctx);
        }
    }

    pub(super) fn maybe(&mut self, node: Option<&Node>, level: &Level<'_>, ctx: Ctx<'_>) {
        if let Some(node) = node {
            self.expr(node, level, ctx);
        }
    }

    fn expr_kind(&mut self, node: &Node, level: &Level<'_>, ctx: Ctx<'_>) {
        // An absent element of a list.
        let Some(kind) = node.node.as_ref() else {
            return;
        };
        match kind {
            NodeEnum::ColumnRef(r) => {
                if let Some(col) = self.column(r, level, ctx) {
                    self.record(&col.fields, ctx);
                }
            }
            NodeEnum::AExpr(e) => self.operator(e, level, ctx),
            NodeEnum::BoolExpr(b) => self.exprs(&b.args, level, ctx),
            NodeEnum::NullTest(n) => self.compared(n.arg.as_deref(), level, ctx, "IS NULL"),
            NodeEnum::BooleanTest(b) => self.compared(b.arg.as_deref(), level, ctx, "IS TRUE"),
            NodeEnum::TypeCast(t) => {
                let name = names::type_name(t.type_name.as_ref());
                self.maybe(t.arg.as_deref(), level, ctx.inside(Inside::Cast(name)));
            }
            NodeEnum::CollateClause(c) => self.maybe(c.arg.as_deref(), level, ctx),
            NodeEnum::FuncCall(f) => self.function(f, level, ctx),
            NodeEnum::AIndirection(a) => self.indirection(a, level, ctx),
            NodeEnum::AIndices(i) => {
                self.maybe(
                    i.lidx.as_deref(),
                    level,
                    ctx.inside(Inside::Word("a subscript")),
                );
                self.maybe(
                    i.uidx.as_deref(),
                    level,
                    ctx.inside(Inside::Word("a subscript")),
                );
            }
            NodeEnum::AArrayExpr(a) => {
                self.exprs(&a.elements, level, ctx.inside(Inside::Word("ARRAY[…]")))
            }
            NodeEnum::RowExpr(r) if ctx.is_direct() => self.exprs(&r.args, level, ctx),
            NodeEnum::RowExpr(r) => self.exprs(&r.args, level, ctx.inside(Inside::Word("ROW(…)"))),
            NodeEnum::SubLink(s) => self.sublink(s, level, ctx),
            NodeEnum::CaseExpr(c) => {
                let ctx = ctx.inside(Inside::Word("CASE"));
                self.maybe(c.arg.as_deref(), level, ctx);
                self.exprs(&c.args, level, ctx);
                self.maybe(c.defresult.as_deref(), level, ctx);
            }
            NodeEnum::CaseWhen(w) => {
                self.maybe(w.expr.as_deref(), level, ctx);
                self.maybe(w.result.as_deref(), level, ctx);
            }
            NodeEnum::CoalesceExpr(c) => {
                self.exprs(&c.args, level, ctx.inside(Inside::Function("coalesce")))
            }
            NodeEnum::MinMaxExpr(m) => self.exprs(
                &m.args,
                level,
                ctx.inside(Inside::Function("greatest or least")),
            ),
            NodeEnum::List(l) => self.exprs(&l.items, level, ctx),
            NodeEnum::GroupingSet(g) => self.exprs(&g.content, level, ctx),
            NodeEnum::GroupingFunc(g) => self.exprs(&g.args, level, Ctx::filter(ctx.place)),
            NodeEnum::NamedArgExpr(n) => self.maybe(n.arg.as_deref(), level, ctx),
            NodeEnum::ResTarget(r) => self.maybe(r.val.as_deref(), level, ctx),
            NodeEnum::SortBy(s) => self.maybe(s.node.as_deref(), level, ctx),
            NodeEnum::ParamRef(_)
            | NodeEnum::AConst(_)
            | NodeEnum::SetToDefault(_)
            | NodeEnum::SqlvalueFunction(_)
            | NodeEnum::CurrentOfExpr(_)
            | NodeEnum::MergeSupportFunc(_)
            | NodeEnum::String(_) => {}
            other => self.document(other, level, ctx),
        }
    }

    /// A test of one operand as it is.
    fn compared(&mut self, arg: Option<&Node>, level: &Level<'_>, ctx: Ctx<'_>, word: &str) {
        let ctx = if ctx.is_direct() {
            ctx
        } else {
            ctx.inside(Inside::Word(word))
        };
        self.maybe(arg, level, ctx);
    }

    fn operator(&mut self, e: &AExpr, level: &Level<'_>, ctx: Ctx<'_>) {
        use AExprKind as K;
        let name = names::last(&e.name);
        let compares = match e.kind() {
            K::AexprOp | K::AexprOpAny | K::AexprOpAll => COMPARISONS.contains(&name),
            K::AexprNullif | K::Undefined => false,
            _ => true,
        };
        let ctx = match ctx.is_direct() && compares {
            true => ctx,
            false => ctx.inside(Inside::Operator(name)),
        };
        self.maybe(e.lexpr.as_deref(), level, ctx);
        self.maybe(e.rexpr.as_deref(), level, ctx);
    }

    fn function(&mut self, f: &FuncCall, level: &Level<'_>, ctx: Ctx<'_>) {
        let name = names::last(&f.funcname);
        let inside = ctx.inside(Inside::Function(name));
        match f.args.as_slice() {
            // A row that is there is counted, whatever is in it; a row of an outer join that is not there is not.
            [arg] if self.is_count(f) && !f.agg_distinct && row_of(arg, level).is_some() => {}
            [arg] if self.is_count(f) => match arg.node.as_ref() {
                Some(NodeEnum::ColumnRef(r)) => {
                    if let Some(col) = self.column(r, level, inside) {
                        self.record(
                            &col.fields,
                            Ctx {
                                verb: Verb::RevealCount,
                                ..inside
                            },
                        );
                    }
                }
                _ => self.expr(arg, level, inside),
            },
            args => self.exprs(args, level, inside),
        }
        // WITHIN GROUP shows what it orders.
        let order = match f.agg_within_group {
            true => Ctx::derive("in WITHIN GROUP"),
            false => Ctx::filter("in an aggregate's ORDER BY"),
        };
        self.exprs(&f.agg_order, level, order);
        self.maybe(f.agg_filter.as_deref(), level, Ctx::filter("in FILTER"));
        if let Some(window) = &f.over {
            self.window(window, level);
        }
    }

    /// The server's own `count`, which tells nothing of a value but that there is one.
    fn is_count(&self, f: &FuncCall) -> bool {
        let parts: Vec<&str> = names::strings(&f.funcname).collect();
        matches!(parts.as_slice(), ["count"] | ["pg_catalog", "count"])
            && !self.catalogue.functions.contains_key("count")
    }

    pub(super) fn window(&mut self, w: &WindowDef, level: &Level<'_>) {
        self.exprs(&w.partition_clause, level, Ctx::filter("in PARTITION BY"));
        self.exprs(
            &w.order_clause,
            level,
            Ctx::filter("in a window's ORDER BY"),
        );
        self.maybe(
            w.start_offset.as_deref(),
            level,
            Ctx::derive("in a window's frame"),
        );
        self.maybe(
            w.end_offset.as_deref(),
            level,
            Ctx::derive("in a window's frame"),
        );
    }

    /// `(row).field`, `array[i]`.
    fn indirection(&mut self, a: &AIndirection, level: &Level<'_>, ctx: Ctx<'_>) {
        let inside = ctx.inside(Inside::Word("a selection of a field or an element"));
        for index in a
            .indirection
            .iter()
            .filter(|n| matches!(n.node, Some(NodeEnum::AIndices(_))))
        {
            self.expr(index, level, inside);
        }
        match row_field(a, level) {
            Some(col) => self.record(&col.fields, ctx),
            None => self.maybe(a.arg.as_deref(), level, inside),
        }
    }

    fn sublink(&mut self, s: &SubLink, level: &Level<'_>, ctx: Ctx<'_>) {
        let cols = match s.subselect.as_deref() {
            Some(query) => self.query(query, Some(level)),
            None => Cols::default(),
        };
        let mut fields = cols.fields();
        let ctx = match s.sub_link_type() {
            SubLinkType::ExistsSublink => {
                fields.clear();
                ctx
            }
            SubLinkType::ArraySublink => ctx.inside(Inside::Word("ARRAY(…)")),
            _ if ctx.is_direct() => ctx,
            SubLinkType::AnySublink | SubLinkType::AllSublink => {
                ctx.inside(Inside::Word("IN or ANY (…)"))
            }
            _ => ctx,
        };
        self.maybe(s.testexpr.as_deref(), level, ctx);
        self.record(&fields, ctx);
    }

    /// What an assignment puts into a column: nothing to say when it is the same masked column.
    pub(super) fn written(&mut self, value: &Col, into: &Col, table: &str) {
        if value.fields.is_empty() || value.fields == into.fields {
            return;
        }
        let mut fields = Vec::new();
        join(&mut fields, &value.fields);
        self.record_as(
            &fields,
            Verb::Derive,
            &format!("written to {table}.{}", into.name),
        );
    }
}

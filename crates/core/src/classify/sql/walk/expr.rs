//! Expressions.
//!
//! Lives here: every kind of expression node, taken apart field by field. A kind that is not here is unclear. Never: scope.

use super::Walk;
use crate::classify::sql::nodes::{child, inner, names};
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;

impl Walk<'_> {
    pub(super) fn exprs(&mut self, nodes: &[pb::Node]) {
        for node in nodes {
            self.node(node);
        }
    }

    pub(super) fn opt(&mut self, node: &Option<Box<pb::Node>>) {
        if let Some(node) = node {
            self.node(node);
        }
    }

    pub(super) fn node(&mut self, node: &pb::Node) {
        match inner(node) {
            Some(node) => self.expr(node),
            None => self.not_modelled("An empty part"),
        }
    }

    pub(super) fn expr(&mut self, node: &N) {
        match node {
            N::AConst(_) | N::SetToDefault(_) | N::SqlvalueFunction(_) | N::MergeSupportFunc(_) => {
            }
            N::ColumnRef(c) => self.column_ref(c),
            N::ParamRef(p) => self.parameter(p),
            N::AExpr(e) => self.operation(e),
            N::FuncCall(f) => self.call(f),
            N::TypeCast(c) => self.cast(c),
            N::BoolExpr(e) => self.exprs(&e.args),
            N::SubLink(s) => self.sublink(s),
            N::AArrayExpr(e) => self.exprs(&e.elements),
            N::AIndirection(i) => {
                self.opt(&i.arg);
                self.indirection(&i.indirection);
            }
            N::CollateClause(c) => self.opt(&c.arg),
            N::List(l) => self.exprs(&l.items),
            N::ResTarget(t) => {
                self.indirection(&t.indirection);
                self.opt(&t.val);
            }
            N::SortBy(s) => self.sort(s),
            N::WindowDef(w) => self.window(w),
            N::GroupingSet(g) => self.exprs(&g.content),
            _ => self.rarer(node),
        }
    }

    fn rarer(&mut self, node: &N) {
        match node {
            N::CaseExpr(c) => {
                if c.arg.is_some() {
                    self.compares();
                }
                self.opt(&c.arg);
                self.exprs(&c.args);
                self.opt(&c.defresult);
            }
            N::CaseWhen(w) => {
                self.opt(&w.expr);
                self.opt(&w.result);
            }
            N::CoalesceExpr(c) => self.exprs(&c.args),
            N::MinMaxExpr(m) => {
                self.compares();
                self.exprs(&m.args);
            }
            N::NullTest(t) => self.opt(&t.arg),
            N::BooleanTest(t) => self.opt(&t.arg),
            N::RowExpr(r) => self.exprs(&r.args),
            N::NamedArgExpr(a) => self.opt(&a.arg),
            N::GroupingFunc(g) => self.exprs(&g.args),
            N::CurrentOfExpr(c) => self.current_of(c),
            N::MultiAssignRef(m) => self.opt(&m.source),
            N::XmlExpr(x) => {
                self.targets(&x.named_args);
                self.exprs(&x.args);
            }
            N::XmlSerialize(x) => {
                self.opt(&x.expr);
                if let Some(name) = &x.type_name {
                    self.casts_to(name);
                }
            }
            N::SelectStmt(_)
            | N::InsertStmt(_)
            | N::UpdateStmt(_)
            | N::DeleteStmt(_)
            | N::MergeStmt(_) => {
                self.query(node);
            }
            _ => self.json(node),
        }
    }

    fn cast(&mut self, c: &pb::TypeCast) {
        self.opt(&c.arg);
        let Some(name) = &c.type_name else {
            self.not_modelled("A cast");
            return;
        };
        match child(&c.arg) {
            // A string literal has no type of its own: it is read as the type, no cast applies.
            Some(N::AConst(constant)) if string_or_null(constant) => self.reads_as(name),
            _ => self.casts_to(name),
        }
    }

    fn parameter(&mut self, p: &pb::ParamRef) {
        let index = usize::try_from(p.number)
            .ok()
            .and_then(|n| n.checked_sub(1));
        if let Some(oid) = index.and_then(|i| self.ctx.parameter_types.get(i)) {
            self.now.types.insert(*oid);
        }
    }

    fn operation(&mut self, e: &pb::AExpr) {
        let pb::AExpr {
            kind,
            name,
            lexpr,
            rexpr,
            rexpr_list_start: _,
            rexpr_list_end: _,
            location: _,
        } = e;
        self.opt(lexpr);
        self.opt(rexpr);
        match pb::AExprKind::try_from(*kind) {
            Ok(
                pb::AExprKind::AexprBetween
                | pb::AExprKind::AexprNotBetween
                | pb::AExprKind::AexprBetweenSym
                | pb::AExprKind::AexprNotBetweenSym,
            ) => self.compares(),
            Ok(
                pb::AExprKind::AexprOp
                | pb::AExprKind::AexprOpAny
                | pb::AExprKind::AexprOpAll
                | pb::AExprKind::AexprDistinct
                | pb::AExprKind::AexprNotDistinct
                | pb::AExprKind::AexprNullif
                | pb::AExprKind::AexprIn
                | pb::AExprKind::AexprLike
                | pb::AExprKind::AexprIlike
                | pb::AExprKind::AexprSimilar,
            ) => self.operator(name),
            _ => self.not_modelled("An operator"),
        }
        // Rows are compared field by field.
        if matches!(child(lexpr), Some(N::RowExpr(_))) {
            self.compares();
        }
    }

    /// Notes an operator by its name.
    pub(super) fn operator(&mut self, name: &[pb::Node]) {
        self.now.named = true;
        self.now.computes = true;
        let (schema, name) = match names(name).as_deref() {
            Some([name]) => (None, (*name).to_owned()),
            Some([schema, name]) => (Some((*schema).to_owned()), (*name).to_owned()),
            _ => {
                self.not_modelled("An operator's name");
                return;
            }
        };
        self.unseen_operator(schema.as_deref(), &name);
        self.now.operators.insert((schema, name));
    }

    /// Notes the operators that comparing, sorting and grouping stand for.
    pub(super) fn compares(&mut self) {
        self.now.named = true;
        self.now.computes = true;
        for name in ["=", "<>", "<", "<=", ">", ">="] {
            if self.ctx.catalogue.operators.contains_key(name) {
                self.now.operators.insert((None, name.to_owned()));
            }
        }
    }

    fn sublink(&mut self, s: &pb::SubLink) {
        let pb::SubLink {
            xpr: _,
            sub_link_type: _,
            sub_link_id: _,
            testexpr,
            oper_name,
            subselect,
            location: _,
        } = s;
        self.opt(testexpr);
        if !oper_name.is_empty() {
            self.operator(oper_name);
        }
        if testexpr.is_some() {
            self.compares();
        }
        match child(subselect) {
            Some(query) => {
                self.query(query);
            }
            None => self.not_modelled("A subquery"),
        }
    }

    fn sort(&mut self, s: &pb::SortBy) {
        self.opt(&s.node);
        if s.use_op.is_empty() {
            self.compares();
        } else {
            self.operator(&s.use_op);
        }
    }

    pub(super) fn window(&mut self, w: &pb::WindowDef) {
        let pb::WindowDef {
            name: _,
            refname: _,
            partition_clause,
            order_clause,
            frame_options: _,
            start_offset,
            end_offset,
            location: _,
        } = w;
        self.exprs(partition_clause);
        self.exprs(order_clause);
        if !partition_clause.is_empty() {
            self.compares();
        }
        self.opt(start_offset);
        self.opt(end_offset);
    }
}

fn string_or_null(constant: &pb::AConst) -> bool {
    constant.isnull || matches!(constant.val, Some(pb::a_const::Val::Sval(_)))
}

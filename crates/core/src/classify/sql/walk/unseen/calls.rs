//! Calls of functions in a database of which nothing was read.
//!
//! Lives here: whether one of the server's own takes such arguments; where none does, the database's own is called. Never:
//! what the functions do.

use crate::classify::sql::command::Unclear;
use crate::classify::sql::lists::EVERYWHERE;
use crate::classify::sql::nodes::{Qualified, child, inner, names, qualified};
use crate::classify::sql::scope::Columns;
use crate::classify::sql::walk::Walk;
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;

impl Walk<'_> {
    /// A call by a name without schema: how many arguments it has, what these are called, and whether one is a row, have to
    /// fit a function that every server brings along. Of which types others are is not known.
    pub(in crate::classify::sql::walk) fn unseen_call(&mut self, f: &pb::FuncCall) {
        let name = match qualified(&f.funcname) {
            Some(Qualified {
                schema: None, name, ..
            }) if self.ctx.catalogue.unseen && EVERYWHERE.functions.contains(name) => name,
            _ => return,
        };
        let ordered = if f.agg_within_group {
            f.agg_order.as_slice()
        } else {
            &[]
        };
        let args: Vec<&N> = f.args.iter().chain(ordered).filter_map(inner).collect();
        let fits = EVERYWHERE.calls.get(name).is_some_and(|calls| {
            calls.takes(args.len())
                && args.iter().all(|arg| match arg {
                    N::NamedArgExpr(named) => calls.names(&named.name),
                    _ => true,
                })
                && (calls.rows || !args.iter().any(|arg| self.may_be_row(arg)))
        });
        // Numbers that are no `numeric` have no such function, and many databases bring one of their own.
        let rounds = match (name, args.as_slice()) {
            ("round" | "trunc", [number, places]) => {
                !(is_numeric(number) && is_whole_number(places))
            }
            _ => false,
        };
        if !fits || rounds {
            let hint = if rounds {
                format!("Write {name}((…)::numeric, 2).")
            } else {
                format!("To call the server's own, write pg_catalog.{name}.")
            };
            let unclear = Unclear::new(
                "brattice.sql.function",
                format!("With these arguments {name} may be a function of the database."),
            );
            self.unclear(unclear.hint(hint));
        }
    }

    /// CALL: the server brings no procedure along.
    pub(in crate::classify::sql::walk) fn unseen_procedure(&mut self, funcname: &[pb::Node]) {
        if self.ctx.catalogue.unseen {
            let name = qualified(funcname).map_or("", |name| name.name);
            self.unclear(Unclear::new(
                "brattice.sql.function",
                format!("The procedure {name} is the database's own."),
            ));
        }
    }

    /// The columns of a function in FROM: where it yields values that are no rows, the one that is called like its alias.
    pub(in crate::classify::sql::walk) fn unseen_value(&self, f: &pb::RangeFunction) -> Columns {
        let (Some(alias), false, false) = (&f.alias, f.ordinality, f.is_rowsfrom) else {
            return Columns::Any;
        };
        let called = match f.functions.as_slice() {
            [one] => match inner(one) {
                Some(N::List(pair)) => pair.items.first().and_then(inner),
                _ => None,
            },
            _ => None,
        };
        let Some(N::FuncCall(call)) = called else {
            return Columns::Any;
        };
        let value = qualified(&call.funcname).is_some_and(|name| {
            matches!(name.schema, None | Some("pg_catalog"))
                && EVERYWHERE.values.contains(name.name)
        });
        if self.ctx.catalogue.unseen && value {
            Columns::Known(vec![alias.aliasname.clone()])
        } else {
            Columns::Any
        }
    }

    /// Whether a value may be a whole row, as far as the text itself shows it.
    fn may_be_row(&self, node: &N) -> bool {
        let any = |nodes: &[pb::Node]| nodes.iter().filter_map(inner).any(|n| self.may_be_row(n));
        match node {
            N::RowExpr(_) => true,
            N::FuncCall(f) => {
                let name = qualified(&f.funcname).map_or("", |name| name.name);
                !EVERYWHERE.values.contains(name) && any(&f.args)
            }
            N::SubLink(s) => child(&s.subselect).is_some_and(yields_row),
            N::AArrayExpr(a) => any(&a.elements),
            N::AIndirection(i) => child(&i.arg).is_some_and(|n| self.may_be_row(n)),
            N::AExpr(e) if e.kind == pb::AExprKind::AexprNullif as i32 => {
                child(&e.lexpr).is_some_and(|n| self.may_be_row(n))
            }
            N::NamedArgExpr(named) => child(&named.arg).is_some_and(|n| self.may_be_row(n)),
            N::CoalesceExpr(c) => any(&c.args),
            N::MinMaxExpr(m) => any(&m.args),
            N::CaseExpr(c) => {
                any(&c.args) || child(&c.defresult).is_some_and(|n| self.may_be_row(n))
            }
            N::CaseWhen(w) => child(&w.result).is_some_and(|n| self.may_be_row(n)),
            N::ColumnRef(c) => match (c.fields.last().and_then(inner), names(&c.fields).as_deref())
            {
                (Some(N::AStar(_)), _) => true,
                (_, Some([name])) => self.may_be_item(name),
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether a bare name may be something in FROM instead of a column.
    fn may_be_item(&self, name: &str) -> bool {
        for level in self.now.levels.iter().rev() {
            let mut items = level.items.iter();
            if items
                .clone()
                .any(|item| item.bare && item.columns.has(name))
            {
                return false;
            }
            if items.any(|item| item.name == name) {
                return true;
            }
        }
        false
    }
}

/// Whether a query in an expression selects what its own FROM calls so: a row, where that has no such column.
fn yields_row(query: &N) -> bool {
    let N::SelectStmt(s) = query else {
        return false;
    };
    let selects = |name: &str| {
        s.target_list
            .iter()
            .filter_map(inner)
            .any(|target| match target {
                N::ResTarget(t) => match child(&t.val) {
                    Some(N::ColumnRef(c)) => names(&c.fields).as_deref() == Some(&[name]),
                    Some(N::RowExpr(_)) => true,
                    _ => false,
                },
                _ => false,
            })
    };
    s.from_clause
        .iter()
        .filter_map(inner)
        .any(|from| match from {
            N::RangeVar(v) => selects(v.alias.as_ref().map_or(&v.relname, |a| &a.aliasname)),
            N::RangeSubselect(q) => q.alias.as_ref().is_some_and(|a| selects(&a.aliasname)),
            N::JoinExpr(_) => true,
            _ => false,
        })
}

/// A value that is surely `numeric`, whatever its columns are.
fn is_numeric(node: &N) -> bool {
    match node {
        N::AConst(constant) => matches!(constant.val, Some(pb::a_const::Val::Fval(_))),
        N::TypeCast(cast) => cast.type_name.as_ref().is_some_and(|to| {
            to.array_bounds.is_empty()
                && matches!(
                    names(&to.names).as_deref(),
                    Some(["numeric"] | ["pg_catalog", "numeric"])
                )
        }),
        N::AExpr(e) if e.kind == pb::AExprKind::AexprOp as i32 => {
            let counts = matches!(
                names(&e.name).as_deref(),
                Some(["+" | "-" | "*" | "/" | "%"])
            );
            let sides = (child(&e.lexpr), child(&e.rexpr));
            counts
                && match sides {
                    (Some(left), Some(right)) => {
                        is_numeric(left) && (is_numeric(right) || is_whole_number(right))
                            || is_whole_number(left) && is_numeric(right)
                    }
                    (None, Some(one)) => is_numeric(one),
                    _ => false,
                }
        }
        _ => false,
    }
}

fn is_whole_number(node: &N) -> bool {
    matches!(node, N::AConst(constant) if matches!(constant.val, Some(pb::a_const::Val::Ival(_))))
}

//! Names in the tree: the parts of a qualified name, and what a result column without alias is called.
//!
//! Lives here: PostgreSQL's `FigureColname`. Never: what names mean.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, SubLinkType, TypeName};

/// The text of a String node.
pub(super) fn string(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::String(s) => Some(&s.sval),
        _ => None,
    }
}

/// The texts of a list of String nodes.
pub(super) fn strings(nodes: &[Node]) -> impl Iterator<Item = &str> {
    nodes.iter().filter_map(string)
}

/// The last part of a qualified name.
pub(super) fn last(nodes: &[Node]) -> &str {
    nodes.last().and_then(string).unwrap_or_default()
}

/// Whether a function's name is unqualified, or of `pg_catalog`.
pub(super) fn is_built_in(nodes: &[Node]) -> bool {
    let parts: Vec<&str> = strings(nodes).collect();
    matches!(parts.as_slice(), [_] | ["pg_catalog", _])
}

/// A type's own name.
pub(super) fn type_name(name: Option<&TypeName>) -> &str {
    name.map(|n| last(&n.names)).unwrap_or_default()
}

/// The name of a result column without alias; `?column?` when nothing gives it one.
pub(super) fn figure(node: &Node) -> String {
    strength(node, 0).map_or_else(|| "?column?".to_owned(), |(name, _)| name.to_owned())
}

/// Whether the server may give it another name: a subquery's is taken from what it turned out to make, and before version 15
/// `extract` and the constants `true` and `false` were called otherwise.
pub(super) fn is_unsure(node: &Node) -> bool {
    let mut node = node;
    for _ in 0..super::DEPTH_MAX {
        let inner = match node.node.as_ref() {
            Some(NodeEnum::SubLink(s)) => return s.sub_link_type() == SubLinkType::ExprSublink,
            Some(NodeEnum::FuncCall(f)) => return last(&f.funcname) == "extract",
            Some(NodeEnum::AConst(c)) => {
                return matches!(c.val, Some(pg_query::protobuf::a_const::Val::Boolval(_)));
            }
            Some(NodeEnum::TypeCast(t)) => t.arg.as_deref(),
            Some(NodeEnum::CollateClause(c)) => c.arg.as_deref(),
            Some(NodeEnum::CaseExpr(c)) => c.defresult.as_deref(),
            Some(NodeEnum::AIndirection(a))
                if !a.indirection.iter().any(|n| string(n).is_some()) =>
            {
                a.arg.as_deref()
            }
            _ => return false,
        };
        match inner {
            Some(inner) => node = inner,
            None => return false,
        }
    }
    true
}

/// The name and how strongly it is meant: a cast's type gives way to what is cast.
fn strength(node: &Node, depth: usize) -> Option<(&str, u8)> {
    if depth > super::DEPTH_MAX {
        return None;
    }
    Some(match node.node.as_ref()? {
        NodeEnum::ColumnRef(c) => (c.fields.iter().rev().find_map(string)?, 2),
        NodeEnum::AIndirection(a) => match a.indirection.iter().rev().find_map(string) {
            Some(name) => (name, 2),
            None => return a.arg.as_deref().and_then(|n| strength(n, depth + 1)),
        },
        NodeEnum::FuncCall(f) => (last(&f.funcname), 2),
        NodeEnum::AExpr(e) if e.kind() == pg_query::protobuf::AExprKind::AexprNullif => {
            ("nullif", 2)
        }
        NodeEnum::TypeCast(t) => {
            let inner = t.arg.as_deref().and_then(|n| strength(n, depth + 1));
            match inner {
                Some((name, 2)) => (name, 2),
                _ => (type_name(t.type_name.as_ref()), 1),
            }
        }
        NodeEnum::CollateClause(c) => return c.arg.as_deref().and_then(|n| strength(n, depth + 1)),
        NodeEnum::GroupingFunc(_) => ("grouping", 2),
        NodeEnum::MergeSupportFunc(_) => ("merge_action", 2),
        NodeEnum::SubLink(s) => match s.sub_link_type() {
            SubLinkType::ExistsSublink => ("exists", 2),
            SubLinkType::ArraySublink => ("array", 2),
            SubLinkType::ExprSublink => {
                return s.subselect.as_deref().and_then(|n| subselect(n, depth + 1));
            }
            _ => return None,
        },
        NodeEnum::CaseExpr(c) => {
            match c.defresult.as_deref().and_then(|n| strength(n, depth + 1)) {
                Some((name, 2)) => (name, 2),
                _ => ("case", 1),
            }
        }
        NodeEnum::AArrayExpr(_) => ("array", 2),
        NodeEnum::RowExpr(_) => ("row", 2),
        NodeEnum::CoalesceExpr(_) => ("coalesce", 2),
        NodeEnum::MinMaxExpr(m) => match m.op() {
            pg_query::protobuf::MinMaxOp::IsLeast => ("least", 2),
            _ => ("greatest", 2),
        },
        NodeEnum::SqlvalueFunction(v) => (value_function(v.op()), 2),
        NodeEnum::XmlExpr(x) => (xml(x.op())?, 2),
        NodeEnum::XmlSerialize(_) => ("xmlserialize", 2),
        NodeEnum::JsonParseExpr(_) => ("json", 2),
        NodeEnum::JsonScalarExpr(_) => ("json_scalar", 2),
        NodeEnum::JsonSerializeExpr(_) => ("json_serialize", 2),
        NodeEnum::JsonObjectConstructor(_) => ("json_object", 2),
        NodeEnum::JsonArrayConstructor(_) | NodeEnum::JsonArrayQueryConstructor(_) => {
            ("json_array", 2)
        }
        NodeEnum::JsonObjectAgg(_) => ("json_objectagg", 2),
        NodeEnum::JsonArrayAgg(_) => ("json_arrayagg", 2),
        NodeEnum::JsonFuncExpr(j) => {
            use pg_query::protobuf::JsonExprOp as Op;
            match j.op() {
                Op::JsonExistsOp => ("json_exists", 2),
                Op::JsonQueryOp => ("json_query", 2),
                Op::JsonValueOp => ("json_value", 2),
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// A scalar subquery is called as its first column.
fn subselect(node: &Node, depth: usize) -> Option<(&str, u8)> {
    let Some(NodeEnum::SelectStmt(s)) = node.node.as_ref() else {
        return None;
    };
    let mut s = s;
    while let Some(left) = &s.larg {
        s = left;
    }
    let Some(NodeEnum::ResTarget(target)) = s.target_list.first().and_then(|n| n.node.as_ref())
    else {
        return None;
    };
    match target.name.is_empty() {
        false => Some((&target.name, 2)),
        true => target.val.as_deref().and_then(|n| strength(n, depth)),
    }
}

fn value_function(op: pg_query::protobuf::SqlValueFunctionOp) -> &'static str {
    use pg_query::protobuf::SqlValueFunctionOp as Op;
    match op {
        Op::SvfopCurrentDate => "current_date",
        Op::SvfopCurrentTime | Op::SvfopCurrentTimeN => "current_time",
        Op::SvfopCurrentTimestamp | Op::SvfopCurrentTimestampN => "current_timestamp",
        Op::SvfopLocaltime | Op::SvfopLocaltimeN => "localtime",
        Op::SvfopLocaltimestamp | Op::SvfopLocaltimestampN => "localtimestamp",
        Op::SvfopCurrentRole => "current_role",
        Op::SvfopCurrentUser => "current_user",
        Op::SvfopUser => "user",
        Op::SvfopSessionUser => "session_user",
        Op::SvfopCurrentCatalog => "current_catalog",
        Op::SvfopCurrentSchema => "current_schema",
        Op::SqlvalueFunctionOpUndefined => "?column?",
    }
}

fn xml(op: pg_query::protobuf::XmlExprOp) -> Option<&'static str> {
    use pg_query::protobuf::XmlExprOp as Op;
    Some(match op {
        Op::IsXmlconcat => "xmlconcat",
        Op::IsXmlelement => "xmlelement",
        Op::IsXmlforest => "xmlforest",
        Op::IsXmlparse => "xmlparse",
        Op::IsXmlpi => "xmlpi",
        Op::IsXmlroot => "xmlroot",
        Op::IsXmlserialize => "xmlserialize",
        Op::IsDocument | Op::Undefined => return None,
    })
}

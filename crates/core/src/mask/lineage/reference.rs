//! References to columns and rows: `c`, `t.c`, `t.*`, `(t).c`.
//!
//! Lives here: taking them apart, and what stays a plain column. Never: recording uses.

use super::names;
use super::scope::{Col, Found, Item, Level};
use pg_query::NodeEnum;
use pg_query::protobuf::{AIndirection, ColumnRef, Node};

/// A reference to columns, taken apart.
pub(super) enum Reference<'a> {
    /// `c`, `t.c`, `s.t.c`.
    Column(Option<(Option<&'a str>, &'a str)>, &'a str),
    /// `*`.
    Star,
    /// `t.*`, `s.t.*`.
    RelationStar(Option<&'a str>, &'a str),
}

/// Its parts; `None` when it has more than a column can have.
pub(super) fn take_apart(reference: &ColumnRef) -> Option<Reference<'_>> {
    let star = matches!(
        reference.fields.last().and_then(|n| n.node.as_ref()),
        Some(NodeEnum::AStar(_))
    );
    let parts: Vec<&str> = names::strings(&reference.fields).collect();
    Some(match (parts.as_slice(), star) {
        ([], true) => Reference::Star,
        ([t], true) => Reference::RelationStar(None, t),
        ([s, t], true) | ([_, s, t], true) => Reference::RelationStar(Some(s), t),
        ([c], false) => Reference::Column(None, c),
        ([t, c], false) => Reference::Column(Some((None, t)), c),
        ([s, t, c], false) | ([_, s, t, c], false) => Reference::Column(Some((Some(s), t)), c),
        _ => return None,
    })
}

/// The entry whose whole row an expression is: `t`, where there is no column of that name, or `t.*`.
pub(super) fn row_of<'l>(arg: &Node, level: &'l Level<'_>) -> Option<&'l Item> {
    let Some(NodeEnum::ColumnRef(r)) = arg.node.as_ref() else {
        return None;
    };
    match take_apart(r)? {
        Reference::Column(None, name)
            if matches!(level.column(name), Found::Nothing) && !level.sees_unsure() =>
        {
            level.item(None, name)
        }
        Reference::RelationStar(schema, name) => level.item(schema, name),
        _ => None,
    }
}

/// `(t).c` of a table's row is the column `t.c` and nothing else, on the server too.
pub(super) fn row_field(a: &AIndirection, level: &Level<'_>) -> Option<Col> {
    let [field] = a.indirection.as_slice() else {
        return None;
    };
    row_of(a.arg.as_deref()?, level)?.column(names::string(field)?)
}

/// `(…).*`.
pub(super) fn ends_in_star(a: &AIndirection) -> bool {
    matches!(
        a.indirection.last().and_then(|n| n.node.as_ref()),
        Some(NodeEnum::AStar(_))
    )
}

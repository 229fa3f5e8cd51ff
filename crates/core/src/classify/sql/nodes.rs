//! Small readings of tree nodes.
//!
//! Lives here: what one node says by itself. Never: scope, names.

use pg_query::protobuf as pb;
use pg_query::{Node, NodeEnum};

/// What a node holds.
pub(super) fn inner(node: &Node) -> Option<&NodeEnum> {
    node.node.as_ref()
}

/// What an optional child holds.
pub(super) fn child(node: &Option<Box<Node>>) -> Option<&NodeEnum> {
    node.as_deref().and_then(inner)
}

/// The name that a `String` node holds.
pub(super) fn name(node: &Node) -> Option<&str> {
    match inner(node) {
        Some(NodeEnum::String(s)) => Some(&s.sval),
        _ => None,
    }
}

/// The parts of a dotted name, when every part is a name.
pub(super) fn names(nodes: &[Node]) -> Option<Vec<&str>> {
    nodes.iter().map(name).collect()
}

/// A qualified name: catalog (rarely), schema, name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Qualified<'a> {
    pub catalog: Option<&'a str>,
    pub schema: Option<&'a str>,
    pub name: &'a str,
}

/// A dotted name of at most three parts.
pub(super) fn qualified(nodes: &[Node]) -> Option<Qualified<'_>> {
    match names(nodes)?.as_slice() {
        [name] => Some(Qualified {
            catalog: None,
            schema: None,
            name,
        }),
        [schema, name] => Some(Qualified {
            catalog: None,
            schema: Some(schema),
            name,
        }),
        [catalog, schema, name] => Some(Qualified {
            catalog: Some(catalog),
            schema: Some(schema),
            name,
        }),
        _ => None,
    }
}

/// An empty string of the tree is an absent one.
pub(super) fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A literal of any kind, as text. A cast around a literal counts as the literal.
pub(super) fn literal(node: &NodeEnum) -> Option<String> {
    match node {
        NodeEnum::AConst(c) if c.isnull => None,
        NodeEnum::AConst(c) => match c.val.as_ref()? {
            pb::a_const::Val::Ival(i) => Some(i.ival.to_string()),
            pb::a_const::Val::Fval(f) => Some(f.fval.clone()),
            pb::a_const::Val::Boolval(b) => Some(b.boolval.to_string()),
            pb::a_const::Val::Sval(s) => Some(s.sval.clone()),
            pb::a_const::Val::Bsval(b) => Some(b.bsval.clone()),
        },
        NodeEnum::TypeCast(c) => literal(child(&c.arg)?),
        NodeEnum::Integer(i) => Some(i.ival.to_string()),
        NodeEnum::Float(f) => Some(f.fval.clone()),
        NodeEnum::Boolean(b) => Some(b.boolval.to_string()),
        NodeEnum::String(s) => Some(s.sval.clone()),
        _ => None,
    }
}

/// A string literal, nothing else: not a number, not NULL.
pub(super) fn string_literal(node: &NodeEnum) -> Option<&str> {
    match node {
        NodeEnum::AConst(c) if !c.isnull => match c.val.as_ref()? {
            pb::a_const::Val::Sval(s) => Some(&s.sval),
            _ => None,
        },
        NodeEnum::TypeCast(c) if keeps_text(c.type_name.as_ref()?) => {
            string_literal(child(&c.arg)?)
        }
        _ => None,
    }
}

/// Whether a cast to this type leaves a text as it is: others cut it, or read it as something else.
fn keeps_text(to: &pb::TypeName) -> bool {
    let named = |parts: &[&str]| matches!(parts, ["pg_catalog", last] | [last] if matches!(*last, "text" | "varchar" | "regclass"));
    to.typmods.is_empty()
        && to.array_bounds.is_empty()
        && names(&to.names).is_some_and(|n| named(&n))
}

/// A literal row count.
pub(super) fn count_literal(node: &NodeEnum) -> Option<i64> {
    match node {
        NodeEnum::AConst(c) if !c.isnull => match c.val.as_ref()? {
            pb::a_const::Val::Ival(i) => Some(i64::from(i.ival)),
            pb::a_const::Val::Fval(f) => f.fval.parse().ok(),
            _ => None,
        },
        _ => None,
    }
    .filter(|n| *n >= 0)
}

/// A boolean option as `defGetBoolean` reads it: absent means true. `None` when it is neither.
pub(super) fn boolean_option(option: &pb::DefElem) -> Option<bool> {
    let Some(value) = child(&option.arg) else {
        return Some(true);
    };
    match value {
        NodeEnum::Integer(i) => match i.ival {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
        NodeEnum::Boolean(b) => Some(b.boolval),
        NodeEnum::String(s) => match s.sval.to_ascii_lowercase().as_str() {
            "true" | "on" => Some(true),
            "false" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The options of a statement.
pub(super) fn options(nodes: &[Node]) -> impl Iterator<Item = &pb::DefElem> {
    nodes.iter().filter_map(|n| match inner(n) {
        Some(NodeEnum::DefElem(d)) => Some(d.as_ref()),
        _ => None,
    })
}

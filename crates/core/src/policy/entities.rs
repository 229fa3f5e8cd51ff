//! The entities that rules look at, each with everything above it.
//!
//! Lives here: principals, targets, objects and classes as Cedar's entities. Ancestors are listed directly and in
//! full, so that no label can be lost on the way. Never: requests, decisions.

use super::bundle::Known;
use super::vocabulary::{Types, uid};
use crate::action::{Object, escape_part};
use crate::principal::{Principal, PrincipalKind};
use crate::target::Target;
use cedar_policy::{Entity, EntityUid, RestrictedExpression};
use std::collections::{BTreeMap, HashMap, HashSet};

/// An entity could not be put together.
#[derive(Debug)]
pub(super) struct NotBuilt;

/// The uid of a principal.
pub(super) fn principal_uid(types: &Types, who: &Principal) -> EntityUid {
    let kind = match who.kind {
        PrincipalKind::Agent => &types.agent,
        PrincipalKind::User => &types.user,
    };
    uid(kind, &who.id())
}

/// A principal in its groups.
pub(super) fn principal(types: &Types, who: &Principal, known: &Known) -> Result<Entity, NotBuilt> {
    let mut attributes = HashMap::from([
        ("issuer".to_owned(), text(&who.issuer)),
        ("name".to_owned(), text(&who.name)),
    ]);
    if let (PrincipalKind::Agent, Some(owner)) = (who.kind, known.owners.get(&who.id())) {
        attributes.insert(
            "owner".to_owned(),
            RestrictedExpression::new_entity_uid(uid(&types.user, owner)),
        );
    }
    let groups = who.groups.iter().map(|g| uid(&types.group, g)).collect();
    Entity::new(principal_uid(types, who), attributes, groups).map_err(|_| NotBuilt)
}

/// A person that something refers to and that does not act: an agent's owner.
pub(super) fn bystander(types: &Types, id: &str) -> Result<Entity, NotBuilt> {
    let (issuer, name) = id.split_once('/').ok_or(NotBuilt)?;
    let attributes = HashMap::from([
        ("issuer".to_owned(), text(issuer)),
        ("name".to_owned(), text(name)),
    ]);
    Entity::new(uid(&types.user, id), attributes, HashSet::new()).map_err(|_| NotBuilt)
}

/// The uid of a target.
pub(super) fn target_uid(types: &Types, target: &Target) -> EntityUid {
    uid(&types.target, &escape_part(&target.name))
}

/// The labels of a target.
pub(super) fn labels(types: &Types, target: &Target) -> HashSet<EntityUid> {
    target
        .labels
        .iter()
        .map(|(k, v)| uid(&types.label, &format!("{k}={v}")))
        .collect()
}

/// A target with its labels.
pub(super) fn target(types: &Types, target: &Target) -> Result<Entity, NotBuilt> {
    let protocol =
        RestrictedExpression::new_entity_uid(uid(&types.protocol, target.protocol.as_str()));
    let attributes = HashMap::from([
        ("name".to_owned(), text(&target.name)),
        ("protocol".to_owned(), protocol),
    ]);
    Entity::new(target_uid(types, target), attributes, labels(types, target)).map_err(|_| NotBuilt)
}

/// An object's uid.
pub(super) fn object_uid(types: &Types, object: &Object, target: &Target) -> EntityUid {
    let kind = match object {
        Object::Target => &types.target,
        Object::Database { .. } => &types.database,
        Object::Schema { .. } => &types.schema,
        Object::Table { .. } => &types.table,
        Object::Function { .. } => &types.function,
        Object::Setting { .. } => &types.setting,
        Object::Role { .. } => &types.role,
        Object::Program { .. } => &types.program,
        Object::File { .. } => &types.file,
        Object::Forward { .. } => &types.forward,
        Object::Field { .. } => &types.field,
    };
    uid(kind, &object.entity_id(target))
}

/// An object below its target. `None` for the target itself, which is there already.
pub(super) fn object(
    types: &Types,
    object: &Object,
    target: &Target,
    known: &Known,
) -> Result<Option<Entity>, NotBuilt> {
    let attributes = match object {
        Object::Target => return Ok(None),
        Object::Database { database: name } | Object::Schema { schema: name, .. } => {
            vec![("name", text(name))]
        }
        Object::Setting { name } | Object::Role { name } => vec![("name", text(name))],
        Object::Table { table, kind, .. } => {
            let kind =
                RestrictedExpression::new_entity_uid(uid(&types.relation_kind, kind.as_str()));
            vec![("name", text(table)), ("kind", kind)]
        }
        Object::Function {
            signature,
            volatile,
            security_definer,
            ..
        } => vec![
            (
                "name",
                text(
                    signature
                        .rsplit_once('(')
                        .map_or(signature, |(name, _)| name),
                ),
            ),
            ("volatile", RestrictedExpression::new_bool(*volatile)),
            (
                "security_definer",
                RestrictedExpression::new_bool(*security_definer),
            ),
        ],
        Object::Program { path } | Object::File { path } => vec![("path", text(path))],
        Object::Forward { host, port } => vec![
            ("host", text(host)),
            ("port", RestrictedExpression::new_long(i64::from(*port))),
        ],
        Object::Field { column, .. } => {
            vec![
                ("name", text(column)),
                ("detected", RestrictedExpression::new_bool(false)),
            ]
        }
    };
    let attributes = attributes
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v))
        .collect();
    let above = object_ancestry(types, object, target, known);
    let entity = Entity::new(object_uid(types, object, target), attributes, above);
    entity.map(Some).map_err(|_| NotBuilt)
}

/// Everything an object is in: its target and labels, what lies between, and its classes.
pub(super) fn object_ancestry(
    types: &Types,
    object: &Object,
    target: &Target,
    known: &Known,
) -> HashSet<EntityUid> {
    let mut above = labels(types, target);
    if *object == Object::Target {
        return above;
    }
    above.insert(target_uid(types, target));
    above.extend(
        containers(object)
            .iter()
            .map(|step| object_uid(types, step, target)),
    );
    if let Object::Field { class, .. } = object {
        above.extend(
            class_and_above(&known.classes, class)
                .iter()
                .map(|c| uid(&types.class, c)),
        );
    }
    above
}

/// What an object is in, below the target.
fn containers(object: &Object) -> Vec<Object> {
    match object {
        Object::Target
        | Object::Database { .. }
        | Object::Setting { .. }
        | Object::Role { .. }
        | Object::Program { .. }
        | Object::Forward { .. } => Vec::new(),
        Object::File { path } => directories(path),
        Object::Schema { database, .. } => vec![Object::Database {
            database: database.clone(),
        }],
        Object::Table {
            database, schema, ..
        }
        | Object::Function {
            database, schema, ..
        } => vec![
            Object::Database {
                database: database.clone(),
            },
            Object::Schema {
                database: database.clone(),
                schema: schema.clone(),
            },
        ],
        Object::Field {
            database,
            schema,
            table,
            kind,
            ..
        } => vec![
            Object::Database {
                database: database.clone(),
            },
            Object::Schema {
                database: database.clone(),
                schema: schema.clone(),
            },
            Object::Table {
                database: database.clone(),
                schema: schema.clone(),
                table: table.clone(),
                kind: *kind,
            },
        ],
    }
}

/// The directories that a path lies in, the root among them for one that begins there.
fn directories(path: &str) -> Vec<Object> {
    path.char_indices()
        .filter(|(at, c)| *c == '/' && at + 1 < path.len())
        .filter_map(|(at, _)| path.get(..at.max(1)))
        .map(|above| Object::File {
            path: above.to_owned(),
        })
        .collect()
}

/// A class and every class above it. Classes in a circle are each above the other.
pub(super) fn class_and_above(
    classes: &BTreeMap<String, Vec<String>>,
    class: &str,
) -> HashSet<String> {
    let mut all = HashSet::new();
    let mut left = vec![class.to_owned()];
    while let Some(next) = left.pop() {
        left.extend(
            classes
                .get(&next)
                .into_iter()
                .flatten()
                .filter(|c| !all.contains(*c))
                .cloned(),
        );
        all.insert(next);
    }
    all
}

pub(super) fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

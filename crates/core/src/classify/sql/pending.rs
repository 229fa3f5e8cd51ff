//! What earlier statements changed about names that the catalogue does not show yet.
//!
//! Lives here: relations and functions created or dropped earlier in a message or pipeline. Never: the catalogue itself.

use super::catalogue::{Function, Relation};
use crate::action::RelationKind;
use std::collections::HashMap;
use std::sync::Arc;

/// How sure later statements can be of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Doubt {
    /// Quite.
    #[default]
    None,
    /// Only of names with a schema.
    Unqualified,
    /// Not at all.
    All,
}

/// A relation that an earlier statement created.
#[derive(Debug, Clone)]
pub(super) struct PendingRelation {
    pub relation: Arc<Relation>,
    /// Its columns are all told.
    pub columns_known: bool,
}

/// Changes to names that the catalogue does not show yet.
#[derive(Debug, Clone, Default)]
pub struct Pending {
    relations: HashMap<(String, String), Option<PendingRelation>>,
    functions: HashMap<String, Vec<Function>>,
    doubt: Doubt,
}

impl Pending {
    /// Nothing changed.
    pub fn is_empty(&self) -> bool {
        self.relations.is_empty() && self.functions.is_empty() && self.doubt == Doubt::None
    }
    /// How sure later statements can be of names.
    pub fn doubt(&self) -> Doubt {
        self.doubt
    }
    /// A temporary relation was created.
    pub(super) fn has_temporary(&self) -> bool {
        let mut created = self.relations.values().flatten();
        created.any(|p| p.relation.kind == RelationKind::Temporary)
    }
    pub(super) fn doubts(&mut self, doubt: Doubt) {
        self.doubt = self.doubt.max(doubt);
    }
    pub(super) fn creates(&mut self, relation: Relation, columns_known: bool) {
        let key = (relation.schema.clone(), relation.name.clone());
        let relation = Arc::new(relation);
        self.relations.insert(
            key,
            Some(PendingRelation {
                relation,
                columns_known,
            }),
        );
    }
    pub(super) fn drops(&mut self, schema: &str, name: &str) {
        self.relations
            .insert((schema.to_owned(), name.to_owned()), None);
    }
    pub(super) fn defines(&mut self, function: Function) {
        self.functions
            .entry(function.name.clone())
            .or_default()
            .push(function);
    }
    /// `Some(None)` is a dropped one.
    pub(super) fn relation(&self, schema: &str, name: &str) -> Option<&Option<PendingRelation>> {
        if self.relations.is_empty() {
            return None;
        }
        self.relations.get(&(schema.to_owned(), name.to_owned()))
    }
    pub(super) fn functions(&self, name: &str) -> &[Function] {
        self.functions.get(name).map_or(&[], Vec::as_slice)
    }
}

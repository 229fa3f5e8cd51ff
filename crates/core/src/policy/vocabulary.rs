//! The vocabulary every rule is written in: the schema, its actions and their groups.
//!
//! Lives here: what the embedded schema says, in a form that is cheap to ask. Never: a rule, a decision.

use crate::action::Verb;
use cedar_policy::{
    ActionConstraint, Entity, EntityId, EntityTypeName, EntityUid, Schema, SchemaFragment,
};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::str::FromStr;
use std::sync::LazyLock;

/// The text of the schema, as it is embedded and as `brattice policy schema` prints it.
pub const SCHEMA: &str = include_str!("../../policy/brattice.cedarschema");

/// The schema did not read; a fault of the build, never of a bundle.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the built-in policy schema is broken: {0}")]
pub struct BrokenSchema(String);

/// One leaf action: something that can be asked, as opposed to a group of such.
#[derive(Debug, Clone)]
pub(super) struct Action {
    pub uid: EntityUid,
    /// Every group above it.
    pub groups: HashSet<EntityUid>,
    /// The entity, listing all its groups.
    pub entity: Entity,
}

/// Index of a leaf action in [`Vocabulary::actions`].
pub(super) type Leaf = usize;

/// The parsed schema.
pub(super) struct Vocabulary {
    pub schema: Schema,
    pub actions: Vec<Action>,
    pub types: Types,
    /// Names that some record, entity or context has: what `has` may ask for.
    pub attributes: BTreeSet<String>,
    leaf_of: HashMap<String, Leaf>,
    leaves_below: HashMap<EntityUid, BTreeSet<Leaf>>,
    verbs: Vec<Leaf>,
    /// For each leaf, the pairs of principal and resource it is of.
    shapes: Vec<Vec<(EntityTypeName, EntityTypeName)>>,
}

macro_rules! types {
    ($($field:ident = $name:literal),* $(,)?) => {
        /// The schema's entity types that code builds values of.
        pub(super) struct Types { $(pub $field: EntityTypeName),* }
        impl Types {
            fn parse() -> Result<Self, BrokenSchema> {
                Ok(Self { $($field: type_name($name)?),* })
            }
        }
    };
}

types! {
    action = "Action", agent = "Agent", user = "User", group = "Group", label = "Label", target = "Target",
    protocol = "Protocol", weekday = "Weekday", login_by = "LoginBy", effect = "Effect",
    relation_kind = "RelationKind", database = "Database", schema = "Schema", table = "Table",
    function = "Function", setting = "Setting", role = "Role", field = "Field", class = "Class",
    program = "Program", file = "File", forward = "Forward",
    gateway = "Gateway", bundle = "Bundle", rule = "Rule", session = "Session", approval = "Approval",
    grant = "Grant", credential = "Credential",
}

fn type_name(name: &str) -> Result<EntityTypeName, BrokenSchema> {
    EntityTypeName::from_str(name).map_err(|e| BrokenSchema(e.to_string()))
}

/// An entity's uid.
pub(super) fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

impl Vocabulary {
    /// The embedded schema, parsed once.
    pub fn get() -> Result<&'static Vocabulary, BrokenSchema> {
        static PARSED: LazyLock<Result<Vocabulary, BrokenSchema>> =
            LazyLock::new(Vocabulary::parse);
        PARSED.as_ref().map_err(Clone::clone)
    }

    fn parse() -> Result<Self, BrokenSchema> {
        let broken = |e: &dyn std::fmt::Display| BrokenSchema(e.to_string());
        let (schema, warnings) = Schema::from_cedarschema_str(SCHEMA).map_err(|e| broken(&e))?;
        if let Some(w) = warnings.into_iter().next() {
            return Err(broken(&w));
        }
        let (fragment, _) = SchemaFragment::from_cedarschema_str(SCHEMA).map_err(|e| broken(&e))?;
        let json = fragment.to_json_value().map_err(|e| broken(&e))?;
        let types = Types::parse()?;
        let hierarchy = schema.action_entities().map_err(|e| broken(&e))?;
        let umbrellas: HashSet<&EntityUid> = schema.action_groups().collect();

        let mut leaves: Vec<&EntityUid> = schema
            .actions()
            .filter(|a| !umbrellas.contains(a))
            .collect();
        leaves.sort_by(|a, b| a.id().unescaped().cmp(b.id().unescaped()));
        let mut actions = Vec::with_capacity(leaves.len());
        let mut leaf_of = HashMap::new();
        let mut leaves_below: HashMap<EntityUid, BTreeSet<Leaf>> = HashMap::new();
        for (leaf, a) in leaves.into_iter().enumerate() {
            let groups: HashSet<EntityUid> = hierarchy
                .ancestors(a)
                .into_iter()
                .flatten()
                .cloned()
                .collect();
            for above in groups.iter().chain([a]) {
                leaves_below.entry(above.clone()).or_default().insert(leaf);
            }

            leaf_of.insert(a.id().unescaped().to_owned(), leaf);
            let entity = Entity::new_no_attrs(a.clone(), groups.clone());
            actions.push(Action {
                uid: a.clone(),
                groups,
                entity,
            });
        }
        let verbs = Verb::ALL
            .iter()
            .map(|v| leaf_of.get(v.as_str()).copied())
            .collect::<Option<Vec<Leaf>>>()
            .ok_or_else(|| BrokenSchema("a verb is not an action of it".to_owned()))?;
        let mut shapes = vec![Vec::new(); actions.len()];
        for e in schema.request_envs() {
            let leaf = leaf_of.get(e.action().id().unescaped());
            if let Some(of) = leaf.and_then(|l| shapes.get_mut(*l)) {
                of.push((e.principal().clone(), e.resource().clone()));
            }
        }
        let mut attributes = BTreeSet::new();
        attribute_names(&json, &mut attributes);
        Ok(Self {
            schema,
            actions,
            types,
            attributes,
            leaf_of,
            leaves_below,
            verbs,
            shapes,
        })
    }

    /// The leaf action of that name.
    pub fn leaf(&self, name: &str) -> Option<Leaf> {
        self.leaf_of.get(name).copied()
    }
    /// The leaf action of a verb.
    pub fn leaf_of_verb(&self, verb: Verb) -> Option<Leaf> {
        self.verbs.get(verb as usize).copied()
    }
    /// The action behind an index.
    pub fn action(&self, leaf: Leaf) -> Option<&Action> {
        self.actions.get(leaf)
    }
    /// Every leaf action that a rule's scope reaches.
    pub fn reached(&self, by: &ActionConstraint) -> BTreeSet<Leaf> {
        match by {
            ActionConstraint::Any => (0..self.actions.len()).collect(),
            ActionConstraint::Eq(a) => self.leaves_below.get(a).cloned().unwrap_or_default(),
            ActionConstraint::In(all) => all
                .iter()
                .filter_map(|a| self.leaves_below.get(a))
                .flatten()
                .copied()
                .collect(),
        }
    }
    /// Every leaf action in a group (or the leaf itself), by its bare name.
    pub fn below(&self, name: &str) -> BTreeSet<Leaf> {
        self.leaves_below
            .get(&uid(&self.types.action, name))
            .cloned()
            .unwrap_or_default()
    }
    /// Whether the schema knows such a request at all.
    pub fn fits(&self, principal: &EntityUid, leaf: Leaf, resource: &EntityUid) -> bool {
        self.shapes.get(leaf).is_some_and(|pairs| {
            pairs
                .iter()
                .any(|(p, r)| p == principal.type_name() && r == resource.type_name())
        })
    }
}

fn attribute_names(schema: &serde_json::Value, into: &mut BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(fields) => {
            if let Some(serde_json::Value::Object(attributes)) = fields.get("attributes") {
                into.extend(attributes.keys().cloned());
            }
            fields.values().for_each(|v| attribute_names(v, into));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|v| attribute_names(v, into)),
        _ => {}
    }
}

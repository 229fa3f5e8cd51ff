//! The world of the decision table: principals, targets, objects of every protocol, and contexts as JSON.
//!
//! What production builds from types is built here from names, so that the table reaches protocols and requests that
//! no type leads to; the schema checks all of it.

use super::basics::principal;
use crate::policy::entities;
use crate::policy::vocabulary::{Types, Vocabulary, uid};
use crate::policy::{Known, SourceFile};
use crate::principal::{Chain, Principal, PrincipalKind};
use crate::target::{Protocol, Target};
use cedar_policy::{Entities, Entity, EntityTypeName, EntityUid, RestrictedExpression};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};
use std::str::FromStr;

/// Actions on the gateway itself that the table has.
pub const ADMINISTRATION: &[&str] = &[
    "approve",
    "watch",
    "replay",
    "audit.read",
    "policy.read",
    "policy.propose",
    "policy.apply",
    "session.end",
    "session.read",
    "grant.end",
    "identity.suspend",
    "recording.delete",
];

#[derive(Deserialize)]
pub struct Table {
    pub world: World,
    pub case: Vec<Case>,
    pub bad: Vec<Bad>,
}

#[derive(Deserialize)]
pub struct World {
    users: BTreeMap<String, Vec<String>>,
    agents: BTreeMap<String, AgentEntry>,
    targets: BTreeMap<String, TargetEntry>,
    classes: BTreeMap<String, Vec<String>>,
    pub fields: BTreeMap<String, FieldEntry>,
}

#[derive(Deserialize)]
struct AgentEntry {
    groups: Vec<String>,
    owner: Option<String>,
}

#[derive(Deserialize)]
struct TargetEntry {
    protocol: Protocol,
    labels: Vec<String>,
}

#[derive(Deserialize)]
pub struct FieldEntry {
    pub of: String,
    pub class: String,
}

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub who: Vec<String>,
    #[serde(rename = "do")]
    pub acts: Vec<(String, String)>,
    #[serde(default)]
    pub with: Map<String, Value>,
    #[serde(default)]
    pub numbers: BTreeMap<String, String>,
    #[serde(default)]
    pub approved: Vec<String>,
    pub rules: Option<String>,
    pub record: Option<Record>,
    pub expect: String,
    #[serde(default)]
    pub observed: Vec<String>,
}

/// What an approval, a session or a grant is about.
#[derive(Deserialize)]
pub struct Record {
    #[serde(default)]
    pub asked: Vec<String>,
    pub agents: Vec<String>,
    pub users: Vec<String>,
    pub owners: Vec<String>,
    #[serde(default)]
    pub effects: Vec<String>,
    #[serde(rename = "in")]
    pub below: Vec<String>,
}

#[derive(Deserialize)]
pub struct Bad {
    pub name: String,
    pub rules: String,
    pub error: String,
}

pub fn table() -> Table {
    toml::from_str(include_str!("../../../tests/decisions.toml")).unwrap()
}

pub fn file(name: &str, text: &str) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

/// `Type::id`, without quotes.
pub fn short(text: &str) -> EntityUid {
    let (kind, id) = text.split_once("::").unwrap();
    uid(&EntityTypeName::from_str(kind).unwrap(), id)
}

impl World {
    pub fn known(&self) -> Known {
        Known {
            issuers: ["okta".to_owned()].into(),
            labels: self
                .targets
                .values()
                .flat_map(|t| t.labels.clone())
                .collect(),
            targets: self
                .targets
                .keys()
                .map(|n| (n.clone(), self.target(n)))
                .collect(),
            classes: self.classes.clone(),
            owners: self
                .agents
                .iter()
                .filter_map(|(id, a)| Some((id.clone(), a.owner.clone()?)))
                .collect(),
        }
    }

    pub fn target(&self, name: &str) -> Target {
        let entry = self
            .targets
            .get(name)
            .unwrap_or_else(|| panic!("no target {name}"));
        let labels = entry.labels.iter().map(|l| l.split_once('=').unwrap());
        Target {
            name: name.to_owned(),
            protocol: entry.protocol,
            labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            observe: false,
        }
    }

    pub fn who(&self, id: &str) -> Principal {
        let (kind, id) = id.split_once("::").unwrap();
        let (kind, groups) = match kind {
            "User" => (PrincipalKind::User, self.users.get(id)),
            _ => (PrincipalKind::Agent, self.agents.get(id).map(|a| &a.groups)),
        };
        let groups: Vec<&str> = groups
            .unwrap_or_else(|| panic!("no {id}"))
            .iter()
            .map(String::as_str)
            .collect();
        principal(kind, id, &groups)
    }

    pub fn chain(&self, who: &[String]) -> Chain {
        let mut actors: Vec<Principal> = who.iter().map(|w| self.who(w)).collect();
        Chain {
            acting: actors.remove(0),
            on_behalf_of: actors,
        }
    }

    /// Everything a case can look at, as the schema wants it.
    pub fn entities(&self, case: &Case, words: &Vocabulary) -> Entities {
        let types = &words.types;
        let known = self.known();
        let mut all: Vec<Entity> = Vec::new();
        for id in self.users.keys() {
            all.push(
                entities::principal(types, &self.who(&format!("User::{id}")), &known).unwrap(),
            );
        }
        for id in self.agents.keys() {
            all.push(
                entities::principal(types, &self.who(&format!("Agent::{id}")), &known).unwrap(),
            );
        }
        all.extend(
            known
                .targets
                .values()
                .map(|t| entities::target(types, t).unwrap()),
        );
        let gateway = uid(&types.gateway, "this");
        all.push(Entity::with_uid(gateway.clone()));
        all.push(Entity::new_no_attrs(
            uid(&types.bundle, "current"),
            [gateway].into(),
        ));
        let numbers = case
            .numbers
            .iter()
            .map(|(k, v)| (k.clone(), RestrictedExpression::new_decimal(v)));
        all.push(Entity::new_with_tags(short("Numbers::request"), [], [], numbers).unwrap());
        all.push(Entity::with_uid(short("Texts::request")));
        let mut seen = HashSet::new();
        for (_, object) in &case.acts {
            if seen.insert(object)
                && !["Target", "Bundle", "Gateway"].contains(&short(object).type_name().basename())
            {
                all.push(self.object(object, case, types, &known));
            }
        }
        Entities::from_entities(all, Some(&words.schema))
            .unwrap_or_else(|e| panic!("{}: {e}", case.name))
    }

    fn object(&self, name: &str, case: &Case, types: &Types, known: &Known) -> Entity {
        let it = short(name);
        let id = it.id().unescaped().to_owned();
        let kind = it.type_name().basename().to_owned();
        if let Some(record) = &case.record {
            return self.recorded(it, &kind, record, types);
        }
        let mut above: HashSet<EntityUid> = HashSet::new();
        let of = match self.fields.get(&id) {
            Some(field) => {
                let classes = entities::class_and_above(&known.classes, &field.class);
                above.extend(classes.iter().map(|c| uid(&types.class, c)));
                above.insert(short(&field.of));
                field.of.clone()
            }
            None => name.to_owned(),
        };
        above.extend(self.containers(&of, types));
        Entity::new(it, attributes(&kind, &id), above).unwrap()
    }

    /// Everything a path is below.
    fn containers(&self, name: &str, types: &Types) -> HashSet<EntityUid> {
        let (kind, id) = name.split_once("::").unwrap();
        let parts: Vec<&str> = id.split('/').collect();
        let target = self.target(parts[0]);
        let mut above = entities::labels(types, &target);
        above.insert(entities::target_uid(types, &target));
        let sql: &[&str] = if target.protocol == Protocol::Mysql {
            &["Schema"]
        } else {
            &["Database", "Schema"]
        };
        for n in 2..parts.len() {
            let prefix = parts[..n].join("/");
            above.extend(match kind {
                "Table" | "Function" | "Schema" => {
                    sql.get(n - 2).map(|k| short(&format!("{k}::{prefix}")))
                }
                "File" | "Path" => Some(short(&format!("{kind}::{prefix}"))),
                "KubeObject" if n == 2 => Some(short(&format!("Namespace::{prefix}"))),
                _ => None,
            });
        }
        above
    }

    fn recorded(&self, it: EntityUid, kind: &str, record: &Record, types: &Types) -> Entity {
        let of = |kind: &str, ids: &[String]| {
            let uids = ids
                .iter()
                .map(|id| RestrictedExpression::new_entity_uid(short(&format!("{kind}::{id}"))));
            RestrictedExpression::new_set(uids)
        };
        let mut attributes = vec![
            ("agents", of("Agent", &record.agents)),
            ("users", of("User", &record.users)),
            ("owners", of("User", &record.owners)),
        ];
        match kind {
            "Approval" => {
                attributes.push(("asked", of("Group", &record.asked)));
                attributes.push(("effects", of("Effect", &record.effects)));
            }
            _ => attributes.push(("live", RestrictedExpression::new_bool(false))),
        }
        let mut above: HashSet<EntityUid> = record.below.iter().map(|b| short(b)).collect();
        above.insert(uid(&types.gateway, "this"));
        for target in record
            .below
            .iter()
            .filter_map(|b| b.strip_prefix("Target::"))
        {
            above.extend(entities::labels(types, &self.target(target)));
        }
        Entity::new(
            it,
            attributes
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect(),
            above,
        )
        .unwrap()
    }
}

fn attributes(kind: &str, id: &str) -> std::collections::HashMap<String, RestrictedExpression> {
    let parts: Vec<&str> = id.split('/').collect();
    let text = |t: &str| RestrictedExpression::new_string(t.to_owned());
    let member = |of: &str| RestrictedExpression::new_entity_uid(short(of));
    let flag = RestrictedExpression::new_bool;
    let name = parts
        .last()
        .copied()
        .unwrap_or_default()
        .replace("%2F", "/");
    let path = format!("/{}", parts[1..].join("/"));
    let pairs = match kind {
        "Table" => vec![
            ("name", text(&name)),
            ("kind", member("RelationKind::table")),
        ],
        "Function" => vec![
            ("name", text(&name)),
            ("volatile", flag(true)),
            ("security_definer", flag(false)),
        ],
        "Field" => vec![("name", text(&name)), ("detected", flag(false))],
        "Program" => vec![("path", text(&name))],
        "File" | "Path" => vec![("path", text(&path))],
        "KubeObject" => vec![
            (
                "group",
                text(if parts[2] == "deployments" {
                    "apps"
                } else {
                    ""
                }),
            ),
            ("kind", text(parts[2])),
            ("subresource", text("")),
            ("name", text(&name)),
        ],
        _ => vec![("name", text(&name))],
    };
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

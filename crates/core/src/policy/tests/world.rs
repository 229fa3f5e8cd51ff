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
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};
use std::str::FromStr;

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

/// The context of one link: an ordinary Tuesday morning, then what the case says.
pub fn context(action: &str, chain: &[String], acting: bool, with: &Map<String, Value>) -> Value {
    const FIGURE_MAX: i64 = crate::action::FIGURE_MAX;
    let entity = |kind: &str, id: &str| json!({ "__entity": { "type": kind, "id": id } });
    let extension = |name: &str, arg: &str| json!({ "__extn": { "fn": name, "arg": arg } });
    let of = |kind: &str| {
        let prefix = format!("{kind}::");
        chain
            .iter()
            .filter_map(|w| w.strip_prefix(&prefix))
            .map(|id| entity(kind, id))
            .collect::<Vec<_>>()
    };
    let address = extension("ip", "10.1.2.3");
    let mut context = json!({
        "login": { "by": entity("LoginBy", "oidc"), "mfa": true, "bound": true, "age": extension("duration", "5m") },
        "clock": {
            "now": extension("datetime", "2026-11-24T09:30:00Z"), "weekday": entity("Weekday", "Tue"),
            "hour": 10, "minute": 30,
        },
    });
    if super::table::ADMINISTRATION.contains(&action) {
        context["address"] = address;
    } else {
        context["caller"] = json!({ "acting": acting, "agents": of("Agent"), "depth": of("Agent").len(), "address": address });
        context["budget"] = json!({
            "commands_last_minute": 3, "rows_last_hour": 100, "rows_today": 1000, "bytes_today": 100_000,
            "changes_today": 0, "denials_last_hour": 0, "cost_today": extension("decimal", "0.0"),
        });
        if let Some(person) = of("User").into_iter().next() {
            context["on_behalf_of"] = person;
        }
    }
    let arguments =
        json!({ "count": 0, "first": "", "second": "", "third": "", "fourth": "", "all": [] });
    let request =
        json!({ "numbers": entity("Numbers", "request"), "texts": entity("Texts", "request") });
    overlay(
        &mut context,
        match action
            .split_once('.')
            .map_or(action, |(protocol, _)| protocol)
        {
            "sql" => json!({
                "columns": ["id"], "has_where": true, "limit": FIGURE_MAX, "estimated_rows": 10, "objects": 1,
                "in_transaction": false,
            }),
            "ssh" if ["ssh.download", "ssh.list"].contains(&action) => json!({ "bytes": 10 }),
            "ssh" => {
                json!({ "line": "", "arguments": arguments, "terminal": false, "environment": [] })
            }
            "http" => {
                json!({ "method": entity("Method", "POST"), "host": "payments.internal", "body_bytes": 100 })
            }
            "k8s" => json!({
                "replicas": FIGURE_MAX, "dry_run": false, "selector": false, "images": [], "line": "",
                "arguments": arguments,
            }),
            "reveal" | "filter" | "derive" => json!({ "rows_so_far": 0 }),
            _ => json!({}),
        },
    );
    if action.starts_with("http.") || action.starts_with("mcp.") {
        overlay(&mut context, request);
    }
    overlay(&mut context, Value::Object(with.clone()));
    context
}

fn overlay(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(a), Value::Object(b))
            if !b.contains_key("__entity") && !b.contains_key("__extn") =>
        {
            for (key, value) in b {
                overlay(a.entry(key).or_insert(Value::Null), value);
            }
        }
        (a, b) => *a = b,
    }
}

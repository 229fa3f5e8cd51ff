//! Names that rules mention: each must be a thing of this bundle.
//!
//! Lives here: checking entity literals, which Cedar's validator does not look into. Never: types, conditions.

use super::bundle::Known;
use super::lint::Findings;
use super::suggest::nearest;
use crate::target::{Protocol, Target};
use cedar_policy::EntityUid;

/// Checks one `Type::"id"` of a rule.
pub(super) fn check(literal: &EntityUid, known: &Known, found: &mut Findings) {
    let kind = literal.type_name().to_string();
    let id = literal.id().unescaped();
    let wrong = match kind.as_str() {
        "Label" => absent(known.labels.iter().map(String::as_str), id),
        "Target" => absent(known.targets.keys().map(String::as_str), id),
        "Class" => absent(known.classes.keys().map(String::as_str), id),
        "Group" | "User" | "Agent" => unknown_identity(id, known)
            .map(|why| (format!("is not in this bundle: it {why}"), issuers(known))),
        // Members of enumerations are checked by the validator; rules by the loader, which knows them all;
        // the rest are the gateway's own and come and go.
        "Action" | "Protocol" | "Weekday" | "Method" | "LoginBy" | "Effect" | "RelationKind" => {
            None
        }
        "Gateway" | "Bundle" | "Rule" | "Session" | "Approval" | "Grant" | "Credential" => None,
        _ => object(&kind, id, known),
    };
    if let Some((why, mend)) = wrong {
        found.error_near(format!("\"{id}\""), format!("{literal} {why}"), mend);
    }
}

/// Why an `issuer/name` can never come in, if it cannot.
pub(super) fn unknown_identity(id: &str, known: &Known) -> Option<&'static str> {
    match id.split_once('/') {
        None => Some("is not issuer/name"),
        Some((_, "")) => Some("has no name after its issuer"),
        Some((issuer, _)) if !known.issuers.contains(issuer) => Some("is of no configured issuer"),
        Some(_) => None,
    }
}

/// The configured issuers, as advice.
pub(super) fn issuers(known: &Known) -> Option<String> {
    let names: Vec<&str> = known.issuers.iter().map(String::as_str).collect();
    Some(match names.is_empty() {
        true => "no issuer is configured".to_owned(),
        false => format!("configured: {}", names.join(", ")),
    })
}

type Wrong = Option<(String, Option<String>)>;

fn absent<'a>(candidates: impl Iterator<Item = &'a str> + Clone, id: &str) -> Wrong {
    if candidates.clone().any(|c| c == id) {
        return None;
    }
    Some((
        "is not in this bundle".to_owned(),
        nearest(id, candidates).map(|n| format!("did you mean \"{n}\"?")),
    ))
}

/// An object below a target: the target exists, speaks the protocol that has such objects, and the path is as long
/// as such paths are. A path that cannot exist would make a forbid silent.
fn object(kind: &str, id: &str, known: &Known) -> Wrong {
    let mut parts = id.split('/');
    let name = parts.next().unwrap_or_default();
    let Some(target) = known.targets.get(name) else {
        let near = nearest(name, known.targets.keys().map(String::as_str));
        let why = format!("is not in this bundle: \"{name}\" is no target");
        return Some((why, near.map(|n| format!("did you mean \"{n}\"?"))));
    };
    let form = Form::of(kind, target)?;
    if !form.protocols.contains(&target.protocol) {
        return Some((
            format!("cannot be: {name} speaks {}", target.protocol),
            None,
        ));
    }
    let below: Vec<&str> = parts.collect();
    let long_enough = match form.open_ended {
        true => below.len() >= form.parts,
        false => below.len() == form.parts,
    };
    if !long_enough
        || below
            .iter()
            .enumerate()
            .any(|(i, p)| p.is_empty() && Some(i) != form.may_be_empty)
    {
        let why = "is not the path of anything".to_owned();
        return Some((
            why,
            Some(format!(
                "the form is {kind}::\"{name}/{}\", a slash inside a part is %2F",
                form.shown
            )),
        ));
    }
    None
}

struct Form {
    protocols: &'static [Protocol],
    /// Parts after the target.
    parts: usize,
    open_ended: bool,
    may_be_empty: Option<usize>,
    shown: &'static str,
}

impl Form {
    fn of(kind: &str, target: &Target) -> Option<Self> {
        const SQL: &[Protocol] = &[Protocol::Postgres, Protocol::Mysql];
        let fixed = |protocols, parts, shown| Form {
            protocols,
            parts,
            open_ended: false,
            may_be_empty: None,
            shown,
        };
        let flat = target.protocol == Protocol::Mysql;
        Some(match kind {
            "Database" => fixed(&[Protocol::Postgres], 1, "database"),
            "Schema" if flat => fixed(SQL, 1, "schema"),
            "Schema" => fixed(SQL, 2, "database/schema"),
            "Table" if flat => fixed(SQL, 2, "schema/table"),
            "Table" => fixed(SQL, 3, "database/schema/table"),
            "Function" if flat => fixed(SQL, 2, "schema/name(types)"),
            "Function" => fixed(SQL, 3, "database/schema/name(types)"),
            "Setting" | "Role" => fixed(SQL, 1, "name"),
            "Program" => fixed(&[Protocol::Ssh], 1, "%2Fusr%2Fbin%2Fname"),
            "Forward" => fixed(&[Protocol::Ssh], 2, "host/port"),
            "File" => Form {
                open_ended: true,
                ..fixed(&[Protocol::Ssh], 1, "directory/name")
            },
            "Path" => Form {
                open_ended: true,
                ..fixed(&[Protocol::Http], 1, "v1/things")
            },
            "Operation" => fixed(&[Protocol::Http], 1, "name"),
            "Namespace" => fixed(&[Protocol::Kubernetes], 1, "namespace"),
            "KubeObject" => Form {
                open_ended: true,
                may_be_empty: Some(0),
                ..fixed(&[Protocol::Kubernetes], 3, "namespace/kind/name")
            },
            "Tool" | "Document" | "Prompt" => fixed(&[Protocol::Mcp], 1, "name"),
            "Field" => {
                return Some(Form {
                    open_ended: true,
                    may_be_empty: Some(0),
                    ..fixed(ALL, 2, "path/of/its/object/name")
                });
            }
            _ => return None,
        })
    }
}

const ALL: &[Protocol] = &[
    Protocol::Postgres,
    Protocol::Mysql,
    Protocol::Ssh,
    Protocol::Http,
    Protocol::Kubernetes,
    Protocol::Mcp,
];

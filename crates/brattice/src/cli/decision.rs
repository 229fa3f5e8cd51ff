//! One act by one caller, as people write it: for explaining rules and for the example decisions that a bundle keeps.
//!
//! Lives here: reading an act and a caller from words, and judging it by a bundle's rules. Never: a decision of its own;
//! it asks the same judge that the gate asks.

use crate::config::Checked;
use crate::config::checked::TargetConfig;
use crate::config::{names, nearest};
use brattice_core::action::{Act, Object, RelationKind, Verb};
use brattice_core::classify::shell::{Judged, ShellLimits, Understanding, understand};
use brattice_core::gate::Request;
use brattice_core::policy::{Budget, Explanation, Lifted, Moment, Outcome, TimeZone, Verdict};
use brattice_core::principal::{Chain, Identity, LoginBy, OWN_ISSUER, Principal, PrincipalKind};
use brattice_core::sender::Binding;
use brattice_core::time::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// A principal in the groups it is judged with.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Who {
    /// The agent, as `issuer/name`.
    pub agent: Option<String>,
    /// Or the person.
    pub user: Option<String>,
    /// Groups, each as `issuer/name`.
    #[serde(default)]
    pub groups: Vec<String>,
}

impl Who {
    fn principal(&self) -> Result<Principal, String> {
        let (kind, id) = match (&self.agent, &self.user) {
            (Some(id), None) => (PrincipalKind::Agent, id),
            (None, Some(id)) => (PrincipalKind::User, id),
            _ => return Err("name either an agent or a user".to_owned()),
        };
        match id.split_once('/') {
            Some((issuer, name)) if !issuer.is_empty() && !name.is_empty() => Ok(Principal {
                kind,
                issuer: issuer.to_owned(),
                name: name.to_owned(),
                groups: self.groups.iter().cloned().collect::<BTreeSet<_>>(),
            }),
            _ => Err(format!("`{id}` is not of the form issuer/name")),
        }
    }
}

/// One act by one caller.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Who acts.
    pub who: Who,
    /// For whom, nearest first.
    #[serde(default)]
    pub behalf: Vec<Who>,
    /// The target.
    pub target: String,
    /// What is done, as in the schema; or `command`.
    pub act: Option<String>,
    /// A command line of a host, with all that it does.
    pub command: Option<String>,
    /// It runs on a terminal.
    #[serde(default)]
    pub terminal: bool,
    /// To what.
    pub on: Option<String>,
    /// When, in RFC 3339.
    pub at: Option<String>,
    /// Whether a second factor was used.
    #[serde(default)]
    pub mfa: bool,
    /// Whether a condition bounds it.
    #[serde(default)]
    pub has_where: bool,
    /// A literal LIMIT.
    pub limit: Option<i64>,
    /// Rows it would touch.
    pub estimated_rows: Option<i64>,
    /// Columns that are read or written.
    pub columns: Option<Vec<String>>,
}

/// What can come of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// It passes.
    Allow,
    /// It does not.
    Deny,
    /// People are asked.
    Hold,
}

impl Expected {
    /// As a verdict is named.
    pub fn as_str(self) -> &'static str {
        match self {
            Expected::Allow => "allow",
            Expected::Deny => "deny",
            Expected::Hold => "hold",
        }
    }
}

/// A decision that is expected.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// What it shows.
    pub name: String,
    /// The act.
    pub ask: Asked,
    /// What shall come of it.
    pub expect: Expected,
    /// Rules that must be among those that decide.
    #[serde(default)]
    pub rules: Vec<String>,
}

/// A file of expected decisions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Examples {
    /// The decisions.
    #[serde(rename = "decision")]
    pub decisions: Vec<Example>,
}

/// What `on` may say, for messages.
const ON: &str = "write database/schema.table, database/schema.table.column:class, a database, setting:NAME, role:NAME, \
    schema:database/schema, or function:database/schema.name(types); on a host program:NAME, file:/PATH, or forward:HOST:PORT";

/// Judges an act by a bundle's rules, at `now` unless it says when.
pub fn judge(
    bundle: &Checked,
    asked: &Asked,
    now: Timestamp,
) -> Result<(Outcome, Explanation), String> {
    let chain = Chain {
        acting: asked.who.principal()?,
        on_behalf_of: asked
            .behalf
            .iter()
            .map(Who::principal)
            .collect::<Result<_, _>>()?,
    };
    let Some(target) = bundle.targets.get(&asked.target) else {
        return Err(format!(
            "there is no target `{}` in the bundle{}",
            asked.target,
            meant(&asked.target, bundle.targets.keys().map(String::as_str))
        ));
    };
    for principal in chain.actors() {
        known_here(bundle, principal)?;
    }
    let acts = acts(target, asked)?;
    let at = match &asked.at {
        None => now,
        Some(text) => text
            .parse::<jiff::Timestamp>()
            .map(|t| Timestamp(t.as_microsecond()))
            .map_err(|_| format!("`{text}` is not a time as in 2026-01-05T10:00:00Z"))?,
    };
    let identity = Identity {
        chain,
        by: LoginBy::Oidc,
        mfa: asked.mfa,
        binding: Binding::default(),
        authenticated_at: at,
        expires_at: at.plus(Duration::from_secs(900)),
        token_id: None,
        credential: None,
        scope: brattice_core::scope::Scope::whole(),
        lineage: Vec::new(),
        sign_in: None,
    };
    let zone = TimeZone::get(&bundle.time_zone).map_err(|e| e.to_string())?;
    let moment = Moment {
        identity: &identity,
        now: at,
        address: IpAddr::from([127, 0, 0, 1]),
        budget: Budget::default(),
        zone: &zone,
        rows_so_far: 0,
    };
    let judge = bundle.rules.judge_for(&identity.chain, &target.target);
    Ok(judge.explain(&acts, &moment, &Lifted::none()))
}

/// What is asked to be done: one act, or all that a command line does.
fn acts(target: &TargetConfig, asked: &Asked) -> Result<Vec<Act>, String> {
    match (&asked.act, &asked.command) {
        (Some(act), None) => Ok(vec![act_of(act, asked)?]),
        (None, Some(command)) => {
            let Some(host) = &target.ssh else {
                return Err(format!("target `{}` runs no command lines", asked.target));
            };
            Ok(line(command, asked).acts(Some(host.shell)).0)
        }
        _ => Err("say either an act or a command".to_owned()),
    }
}

fn line(command: &str, asked: &Asked) -> Request {
    Request::Exec {
        command: command.to_owned().into_bytes().into(),
        terminal: asked.terminal,
        environment: BTreeMap::new(),
    }
}

/// Why it cannot be told what a command line does, where it cannot.
pub fn unclear(bundle: &Checked, asked: &Asked) -> Option<String> {
    let host = bundle.targets.get(&asked.target)?.ssh.as_ref()?;
    let command = asked.command.as_deref()?;
    let denial = line(command, asked).acts(Some(host.shell)).1?;
    Some(match denial.hint {
        Some(hint) => format!("{}; {hint}", denial.reason),
        None => denial.reason,
    })
}

/// What each program of a command line was taken for, and why: empty where no command line is asked about.
pub fn found(bundle: &Checked, asked: &Asked) -> Vec<Judged> {
    let host = bundle.targets.get(&asked.target);
    let host = host.and_then(|target| target.ssh.as_ref());
    let (Some(host), Some(command)) = (host, &asked.command) else {
        return Vec::new();
    };
    match understand(command.as_bytes(), host.shell, &ShellLimits::default()) {
        Understanding::Understood { commands } => commands,
        Understanding::Unknown { .. } => Vec::new(),
    }
}

fn act_of(name: &str, asked: &Asked) -> Result<Act, String> {
    let verb = Verb::ALL
        .iter()
        .copied()
        .find(|v| v.as_str() == name)
        .ok_or_else(|| {
            let all: Vec<&str> = Verb::ALL.iter().map(|v| v.as_str()).collect();
            let meant = meant(name, all.iter().copied());
            format!("`{name}` is not an act{meant}; known: {}", all.join(", "))
        })?;
    let on_target = matches!(
        verb,
        Verb::Connect | Verb::SqlUnknown | Verb::SshUnknown | Verb::SshShell
    );
    if asked.on.is_none() && !on_target {
        return Err(format!("say what `{name}` is done to: {ON}"));
    }
    let mut act = Act::new(verb, object(asked.on.as_deref())?);
    if name.starts_with("sql.") {
        act.facts.edit_sql(|facts| {
            facts.has_where = asked.has_where;
            facts.limit = asked.limit.unwrap_or(facts.limit);
            facts.estimated_rows = asked.estimated_rows.unwrap_or(facts.estimated_rows);
            if let Some(columns) = &asked.columns {
                facts.columns = columns.iter().cloned().collect();
            }
        });
    }
    Ok(act)
}

/// Whether its provider is one of the bundle's, and its groups are written whole.
fn known_here(bundle: &Checked, principal: &Principal) -> Result<(), String> {
    let issuers = bundle
        .issuers
        .iter()
        .map(|i| i.name.as_str())
        .chain(bundle.saml.iter().map(|s| s.name.as_str()))
        .chain(bundle.spiffe.iter().map(|s| s.name.as_str()))
        .chain([OWN_ISSUER]);
    let issuers: Vec<&str> = issuers.collect();
    let known = |issuer: &str| match issuers.contains(&issuer) {
        true => Ok(()),
        false => Err(format!(
            "there is no provider `{issuer}` in the bundle{}; there are: {}",
            meant(issuer, issuers.iter().copied()),
            issuers.join(", ")
        )),
    };
    known(&principal.issuer)?;
    for group in &principal.groups {
        let (issuer, _) = group
            .split_once('/')
            .ok_or_else(|| format!("`{group}` is no group: write PROVIDER/NAME"))?;
        known(issuer)?;
    }
    Ok(())
}

fn meant<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"))
}

/// The name of a verdict.
pub fn verdict(outcome: &Outcome) -> &'static str {
    match outcome.verdict {
        Verdict::Allow => "allow",
        Verdict::Deny { .. } => "deny",
        Verdict::Hold(_) => "hold",
    }
}

/// The rules that decided.
pub fn deciding(outcome: &Outcome) -> Vec<String> {
    match &outcome.verdict {
        Verdict::Allow => outcome.permits.clone(),
        Verdict::Deny { rules, .. } => rules.clone(),
        Verdict::Hold(asked) => asked.iter().map(|a| a.rule.clone()).collect(),
    }
}

fn object(on: Option<&str>) -> Result<Object, String> {
    let Some(text) = on else {
        return Ok(Object::Target);
    };
    let wrong = || format!("`{text}` names nothing; {ON}");
    if let Some(name) = text.strip_prefix("setting:") {
        return Ok(Object::Setting {
            name: name.to_ascii_lowercase(),
        });
    }
    if let Some(name) = text.strip_prefix("role:") {
        return Ok(Object::Role {
            name: name.to_owned(),
        });
    }
    if let Some(path) = text.strip_prefix("program:") {
        return Ok(Object::Program {
            path: path.to_owned(),
        });
    }
    if let Some(path) = text.strip_prefix("file:") {
        if !path.starts_with('/') {
            return Err(format!(
                "`{text}`: write the whole path of the file, from `/`"
            ));
        }
        return Ok(Object::File {
            path: path.to_owned(),
        });
    }
    if let Some(rest) = text.strip_prefix("forward:") {
        let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
        return Ok(Object::Forward {
            host: host.to_owned(),
            port: port.parse().map_err(|_| wrong())?,
        });
    }
    if let Some(rest) = text.strip_prefix("schema:") {
        let (database, schema) = rest.split_once('/').ok_or_else(wrong)?;
        return Ok(Object::Schema {
            database: database.to_owned(),
            schema: schema.to_owned(),
        });
    }
    if let Some(rest) = text.strip_prefix("function:") {
        let (database, rest) = rest.split_once('/').ok_or_else(wrong)?;
        let (schema, signature) = rest.split_once('.').ok_or_else(wrong)?;
        return Ok(Object::Function {
            database: database.to_owned(),
            schema: schema.to_owned(),
            signature: signature.to_owned(),
            volatile: true,
            security_definer: false,
        });
    }
    let Some((database, rest)) = text.split_once('/') else {
        return Ok(Object::Database {
            database: text.to_owned(),
        });
    };
    let database = database.to_owned();
    let (path, class) = match rest.rsplit_once(':') {
        Some((path, class)) => (path, Some(class)),
        None => (rest, None),
    };
    match (names::parts(path).as_deref(), class) {
        (Some([schema, table]), None) => Ok(Object::Table {
            database,
            schema: schema.clone(),
            table: table.clone(),
            kind: RelationKind::Table,
        }),
        (Some([schema, table, column]), Some(class)) => Ok(Object::Field {
            database,
            schema: schema.clone(),
            table: table.clone(),
            kind: RelationKind::Table,
            column: column.clone(),
            class: class.to_owned(),
        }),
        _ => Err(wrong()),
    }
}

//! Which parts of the context a rule can look at.
//!
//! Lives here: the set of context attributes and how a rule's conditions are searched for them. The verdict of a
//! slice depends on nothing else in the context, so only these are built, and only these belong in a cache's key.
//! Never: values.

use cedar_policy::Policy;
use serde_json::Value;

/// A set of context attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reads(u64);

macro_rules! attributes {
    ($($name:ident = $path:literal),* $(,)?) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[derive(Clone, Copy)]
        enum Bit { $($name),* }
        impl Reads {
            $(pub const $name: Reads = Reads(1 << Bit::$name as u64);)*
            const PATHS: &'static [(&'static str, Reads)] = &[$(($path, Reads::$name)),*];
        }
    };
}

attributes! {
    ON_BEHALF_OF = "on_behalf_of",
    CALLER_ACTING = "caller.acting", CALLER_AGENTS = "caller.agents", CALLER_DEPTH = "caller.depth",
    CALLER_ADDRESS = "caller.address",
    LOGIN_BY = "login.by", LOGIN_MFA = "login.mfa", LOGIN_BOUND = "login.bound", LOGIN_AGE = "login.age",
    CLOCK_NOW = "clock.now", CLOCK_WEEKDAY = "clock.weekday", CLOCK_HOUR = "clock.hour", CLOCK_MINUTE = "clock.minute",
    COMMANDS_LAST_MINUTE = "budget.commands_last_minute", ROWS_LAST_HOUR = "budget.rows_last_hour",
    ROWS_TODAY = "budget.rows_today", BYTES_TODAY = "budget.bytes_today", CHANGES_TODAY = "budget.changes_today",
    DENIALS_LAST_HOUR = "budget.denials_last_hour", COST_TODAY = "budget.cost_today",
    COLUMNS = "columns", HAS_WHERE = "has_where", LIMIT = "limit", ESTIMATED_ROWS = "estimated_rows",
    OBJECTS = "objects", IN_TRANSACTION = "in_transaction",
    LINE = "line", ARGUMENTS = "arguments", TERMINAL = "terminal", ENVIRONMENT = "environment", FILE_BYTES = "bytes",
    ROWS_SO_FAR = "rows_so_far",
    ADDRESS = "address",
}

impl Reads {
    /// Everything.
    pub const ALL: Reads = Reads(u64::MAX);

    /// Whether any of these is in the set.
    pub fn any(self, of: Reads) -> bool {
        self.0 & of.0 != 0
    }
    /// Both sets.
    pub fn with(self, other: Reads) -> Reads {
        Reads(self.0 | other.0)
    }

    /// What a rule's conditions can read. Whatever is not understood reads everything.
    pub fn of(policy: &Policy) -> Reads {
        let Ok(json) = policy.to_json() else {
            return Reads::ALL;
        };
        match json.get("conditions").and_then(Value::as_array) {
            Some(clauses) => clauses
                .iter()
                .fold(Reads::default(), |all, c| all.with(search(c))),
            None => Reads::ALL,
        }
    }

    /// What a path below `context` reads: itself, all below it, or, below a leaf, the leaf.
    fn path(path: &str) -> Reads {
        let inside = |inner: &str, outer: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        Reads::PATHS
            .iter()
            .filter(|(known, _)| inside(known, path) || inside(path, known))
            .fold(Reads::default(), |all, (_, bit)| all.with(*bit))
    }
}

fn search(node: &Value) -> Reads {
    match context_path(node) {
        Some(path) if path.is_empty() => return Reads::ALL,
        Some(path) => {
            // An attribute of another protocol's context, or one that this list does not have yet.
            let reads = Reads::path(&path);
            return if reads == Reads::default() {
                Reads::ALL
            } else {
                reads
            };
        }
        None => {}
    }
    let fold = |all: Reads, v: &Value| all.with(search(v));
    match node {
        Value::Object(fields) => fields.values().fold(Reads::default(), fold),
        Value::Array(items) => items.iter().fold(Reads::default(), fold),
        _ => Reads::default(),
    }
}

/// `context.a.b` and `context has a` as a dotted path; the bare variable as an empty one.
fn context_path(node: &Value) -> Option<String> {
    if node.get("Var").and_then(Value::as_str) == Some("context") {
        return Some(String::new());
    }
    let step = node.get(".").or_else(|| node.get("has"))?;
    let above = context_path(step.get("left")?)?;
    let name = step.get("attr")?.as_str()?;
    Some(if above.is_empty() {
        name.to_owned()
    } else {
        format!("{above}.{name}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(conditions: &str) -> Reads {
        let text = format!("permit (principal, action, resource) {conditions};");
        Reads::of(&Policy::parse(None, text).unwrap())
    }

    #[test]
    fn finds_the_leaves_that_conditions_look_at() {
        assert_eq!(reads(""), Reads::default());
        assert_eq!(reads("when { resource.name == \"x\" }"), Reads::default());
        assert_eq!(reads("when { context.login.mfa }"), Reads::LOGIN_MFA);
        assert_eq!(
            reads("unless { context has on_behalf_of && context.clock.hour > 8 }"),
            Reads::ON_BEHALF_OF.with(Reads::CLOCK_HOUR)
        );
        assert_eq!(
            reads("when { context.columns.contains(\"card\") }"),
            Reads::COLUMNS
        );
    }

    #[test]
    fn a_whole_record_reads_all_below_it() {
        let login = Reads::LOGIN_AGE
            .with(Reads::LOGIN_BOUND)
            .with(Reads::LOGIN_BY)
            .with(Reads::LOGIN_MFA);
        assert_eq!(reads("when { context.login == context.login }"), login);
        assert!(reads("when { context has login.mfa }").any(Reads::LOGIN_MFA));
    }

    #[test]
    fn what_is_not_understood_reads_everything() {
        assert_eq!(reads("when { {\"a\": context}.a.limit > 3 }"), Reads::ALL);
        assert_eq!(reads("when { context.replicas > 3 }"), Reads::ALL);
        assert_eq!(
            reads("when { (if true then context else context).limit > 3 }"),
            Reads::ALL
        );
    }
}

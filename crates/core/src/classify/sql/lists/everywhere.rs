//! What every server brings along under the same name, whatever its version.
//!
//! Lives here: reading `catalogue/postgres/everywhere.txt`. Never: how far any of it can be trusted.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

const FILE: &str = include_str!("../../../../../../catalogue/postgres/everywhere.txt");

/// Names of `pg_catalog` that PostgreSQL 13 to 18 all have.
#[derive(Default)]
pub(in crate::classify::sql) struct Everywhere {
    /// Functions.
    pub functions: HashSet<&'static str>,
    /// Operators.
    pub operators: HashSet<&'static str>,
    /// Types, without arrays and rows of relations.
    pub types: HashSet<&'static str>,
    /// Columns of relations, `information_schema.` in front of those that are there.
    pub columns: HashMap<&'static str, Vec<&'static str>>,
    /// Those of them that are no views.
    pub tables: HashSet<&'static str>,
    /// How functions can be called.
    pub calls: HashMap<&'static str, Calls>,
    /// Functions that yield a value that is no row.
    pub values: HashSet<&'static str>,
}

/// How the functions of one name can be called.
#[derive(Default)]
pub(in crate::classify::sql) struct Calls {
    /// With so many arguments.
    exactly: Vec<usize>,
    /// With so many arguments and more.
    at_least: Option<usize>,
    /// What their arguments are called.
    named: Vec<&'static str>,
    /// With values of any type, rows too.
    pub rows: bool,
}

impl Calls {
    /// Whether one of them takes so many arguments.
    pub fn takes(&self, arguments: usize) -> bool {
        self.exactly.contains(&arguments) || self.at_least.is_some_and(|least| arguments >= least)
    }
    /// Whether one of them calls an argument that.
    pub fn names(&self, argument: &str) -> bool {
        self.named.contains(&argument)
    }
}

/// A line that does not read leaves out what it says, which then is not known.
pub(in crate::classify::sql) static EVERYWHERE: LazyLock<Everywhere> = LazyLock::new(|| {
    let mut all = Everywhere::default();
    for line in FILE.lines() {
        let mut words = line.split(' ');
        match words.next() {
            Some("function") => all.functions.extend(words),
            Some("operator") => all.operators.extend(words),
            Some("type") => all.types.extend(words),
            Some("table") => all.tables.extend(words),
            Some("value") => all.values.extend(words),
            Some("whole") => {
                for function in words {
                    all.calls.entry(function).or_default().rows = true;
                }
            }
            Some("named") => {
                if let Some(function) = words.next() {
                    all.calls.entry(function).or_default().named.extend(words);
                }
            }
            Some("call") => {
                let Some(function) = words.next() else {
                    continue;
                };
                let calls = all.calls.entry(function).or_default();
                for count in words {
                    match count.strip_suffix('+') {
                        Some(least) => {
                            let least = least.parse().ok();
                            calls.at_least = match calls.at_least {
                                Some(have) => least.map(|least: usize| least.min(have)),
                                None => least,
                            };
                        }
                        None => calls.exactly.extend(count.parse::<usize>()),
                    }
                }
            }
            Some("column") => {
                if let Some(relation) = words.next() {
                    all.columns.insert(relation, words.collect());
                }
            }
            _ => {}
        }
    }
    all
});

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

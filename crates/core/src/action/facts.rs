//! The figures of an act that rules can look at.
//!
//! Lives here: one set of figures for each of the schema's contexts. Never: where they come from.

use super::FIGURE_MAX;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The figures of an act, in the form that its protocol has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Facts {
    /// None beside who asks, and when.
    #[default]
    None,
    /// Of SQL.
    Sql(SqlFacts),
    /// Of a command line or a shell.
    Shell(ShellFacts),
    /// Of a file.
    File(FileFacts),
}

impl Facts {
    /// The figures of SQL; those that say "could not tell" where there are none.
    pub fn sql(&self) -> &SqlFacts {
        static UNTOLD: LazyLock<SqlFacts> = LazyLock::new(SqlFacts::default);
        match self {
            Facts::Sql(facts) => facts,
            _ => &UNTOLD,
        }
    }
    /// The figures of SQL, taken out.
    pub fn into_sql(self) -> SqlFacts {
        match self {
            Facts::Sql(facts) => facts,
            _ => SqlFacts::default(),
        }
    }
    /// Changes the figures of SQL.
    pub fn edit_sql(&mut self, change: impl FnOnce(&mut SqlFacts)) {
        let mut facts = match std::mem::take(self) {
            Facts::Sql(facts) => facts,
            _ => SqlFacts::default(),
        };
        change(&mut facts);
        *self = Facts::Sql(facts);
    }
    /// The figures of a command line; those of an empty one where there are none.
    pub fn shell(&self) -> &ShellFacts {
        static UNTOLD: LazyLock<ShellFacts> = LazyLock::new(ShellFacts::default);
        match self {
            Facts::Shell(facts) => facts,
            _ => &UNTOLD,
        }
    }
    /// The figures of a file; those that say "could not tell" where there are none.
    pub fn file(&self) -> FileFacts {
        match self {
            Facts::File(facts) => *facts,
            _ => FileFacts::default(),
        }
    }
}

impl From<SqlFacts> for Facts {
    fn from(facts: SqlFacts) -> Self {
        Facts::Sql(facts)
    }
}

/// The figures of one act that a SQL rule can look at (the schema's `SqlContext`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SqlFacts {
    /// Columns of the object that are read or written; `*` when not told apart.
    pub columns: BTreeSet<String>,
    /// A condition bounds it.
    pub has_where: bool,
    /// A literal LIMIT; [`FIGURE_MAX`] when there is none.
    pub limit: i64,
    /// Rows it will touch; [`FIGURE_MAX`] when nobody can tell.
    pub estimated_rows: i64,
    /// Objects that the whole command touches.
    pub objects: i64,
    /// Inside an explicit transaction block.
    pub in_transaction: bool,
}

impl Default for SqlFacts {
    fn default() -> Self {
        Self {
            columns: BTreeSet::from(["*".to_owned()]),
            has_where: false,
            limit: FIGURE_MAX,
            estimated_rows: FIGURE_MAX,
            objects: 1,
            in_transaction: false,
        }
    }
}

/// The figures of one program's run that a rule can look at (the schema's `ShellContext`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ShellFacts {
    /// Program and arguments, quoted one way.
    pub line: String,
    /// The arguments after the program's name.
    pub arguments: Vec<String>,
    /// It runs on a terminal.
    pub terminal: bool,
    /// Names of the environment variables that are sent along.
    pub environment: BTreeSet<String>,
}

/// The figures of an act on a file that a rule can look at (the schema's `FileContext`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileFacts {
    /// Bytes that will be moved; [`FIGURE_MAX`] when nobody can tell.
    pub bytes: i64,
}

impl Default for FileFacts {
    fn default() -> Self {
        Self { bytes: FIGURE_MAX }
    }
}

//! What names mean inside one query level: tables in FROM and common table expressions.
//!
//! Lives here: the visible columns of a level. Never: the catalogue, acts.

use std::collections::HashSet;
use std::rc::Rc;

/// Columns of something in FROM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Columns {
    /// Nobody can tell from here.
    Any,
    /// Exactly these, as they are called here.
    Known(Vec<String>),
}

impl Columns {
    /// Whether a column of that name is surely there.
    pub fn has(&self, name: &str) -> bool {
        matches!(self, Columns::Known(names) if names.iter().any(|n| n == name))
    }
    /// The same with the first ones called differently.
    pub fn renamed(self, names: &[String]) -> Columns {
        match self {
            Columns::Any => Columns::Any,
            Columns::Known(mut known) => {
                for (have, new) in known.iter_mut().zip(names) {
                    have.clone_from(new);
                }
                Columns::Known(known)
            }
        }
    }
}

/// One thing in FROM that columns can be taken from.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// How it is called.
    pub name: String,
    /// Its schema, when it can be written in front.
    pub schema: Option<String>,
    /// Its columns.
    pub columns: Columns,
    /// Whether it has [`SYSTEM_COLUMNS`] besides: what is no relation has none, nor has a view or a join.
    pub system_columns: bool,
    /// The touches it stands for, by index, each with the names its columns have in the catalogue, in order.
    pub behind: Vec<Behind>,
    /// Reached by unqualified column names; an alias over a join hides what is below it.
    pub bare: bool,
}

/// A relation behind an item.
#[derive(Debug, Clone)]
pub(super) struct Behind {
    /// Index of the touch.
    pub touch: usize,
    /// Pairs of (name here, name in the catalogue). Columns that keep their name are not in it.
    pub renamed: Vec<(String, String)>,
}

/// Columns that every relation but a view has, without saying so. Since PostgreSQL 12 `oid` is none of them: relations of
/// the server that have one say so.
pub(super) const SYSTEM_COLUMNS: &[&str] = &["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// A common table expression.
#[derive(Debug, Clone)]
pub(super) struct Cte {
    pub name: String,
    pub columns: Columns,
}

/// One query level.
#[derive(Debug, Clone, Default)]
pub(super) struct Level {
    pub items: Vec<Rc<Item>>,
    pub ctes: Vec<Cte>,
}

impl Level {
    /// Names that appear on both sides of a join.
    pub fn shared(left: &[Rc<Item>], right: &[Rc<Item>]) -> Option<HashSet<String>> {
        let names = |items: &[Rc<Item>]| -> Option<HashSet<String>> {
            let mut all = HashSet::new();
            for item in items {
                match &item.columns {
                    Columns::Any => return None,
                    Columns::Known(known) => all.extend(known.iter().cloned()),
                }
            }
            Some(all)
        };
        let (left, right) = (names(left)?, names(right)?);
        Some(left.intersection(&right).cloned().collect())
    }
}

//! What names mean where: the range table of each query level, as PostgreSQL's parser builds it.
//!
//! Lives here: visibility and look-up. Never: what is done with what was found.

use crate::mask::columns::Field;
use std::sync::Arc;

/// Columns that every table has and `*` leaves out.
const SYSTEM_COLUMNS: &[&str] = &["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// Masked columns whose value something shows. Sorted, each once.
pub(super) type Fields = Vec<Arc<Field>>;

/// Adds to a list of fields.
pub(super) fn join(into: &mut Fields, more: &[Arc<Field>]) {
    if !more.is_empty() {
        into.extend(more.iter().cloned());
        into.sort();
        into.dedup();
    }
}

/// A column of a relation, a subquery, a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Col {
    pub name: String,
    /// The server calls it so, too. Else it may have any name there.
    pub sure: bool,
    pub fields: Fields,
    pub type_oid: u32,
    pub type_modifier: i32,
}

impl Col {
    /// A column in which nothing is masked.
    pub(super) fn plain(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            sure: true,
            fields: Vec::new(),
            type_oid: 0,
            type_modifier: -1,
        }
    }
}

/// Columns in order. When `open`, there are others whose number and place are not known, none of them masked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Cols {
    pub list: Vec<Col>,
    pub open: bool,
}

impl Cols {
    pub(super) fn of(list: Vec<Col>) -> Self {
        Self { list, open: false }
    }

    /// Some columns of which nothing is known but that none is masked.
    pub(super) fn unknown() -> Self {
        Self {
            list: Vec::new(),
            open: true,
        }
    }

    /// The masked columns among them.
    pub(super) fn fields(&self) -> Fields {
        let mut all = Vec::new();
        for col in &self.list {
            join(&mut all, &col.fields);
        }
        all
    }

    /// Columns of one name: more than one is an error on the server, or a union here.
    pub(super) fn named(&self, name: &str) -> Option<Col> {
        let mut found: Option<Col> = None;
        for col in self.list.iter().filter(|c| c.name == name) {
            match &mut found {
                Some(first) => {
                    join(&mut first.fields, &col.fields);
                    first.sure |= col.sure;
                }
                None => found = Some(col.clone()),
            }
        }
        found
    }

    /// What is masked among those that may be called by a name that none of them surely has. The columns that are not
    /// known are none of it, but then it is not known either which of the others were renamed.
    pub(super) fn perhaps_named(&self) -> Fields {
        let mut all = Vec::new();
        for col in self.list.iter().filter(|c| self.open || !c.sure) {
            join(&mut all, &col.fields);
        }
        all
    }

    /// Whether any of them may have another name at the server.
    pub(super) fn is_unsure(&self) -> bool {
        self.list.iter().any(|c| !c.sure)
    }

    /// Gives the first columns other names. What stands at a place in an open list is not known, so there each
    /// name may be any of them.
    pub(super) fn rename<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        if self.open {
            let all = self.fields();
            // Which of those that are known are called otherwise now is not known.
            for col in &mut self.list {
                col.sure = false;
            }
            for name in names {
                self.list.push(Col {
                    fields: all.clone(),
                    sure: false,
                    ..Col::plain(name)
                });
            }
            return;
        }
        for (i, name) in names.enumerate() {
            match self.list.get_mut(i) {
                Some(col) => {
                    col.name = name.to_owned();
                    col.sure = true;
                }
                None => self.list.push(Col::plain(name)),
            }
        }
    }

    /// What a set operation of two lists shows.
    pub(super) fn either(mut self, other: &Cols) -> Self {
        if other.open || self.open || self.list.len() != other.list.len() {
            let all = other.fields();
            for col in &mut self.list {
                join(&mut col.fields, &all);
            }
            if self.open && !all.is_empty() {
                self.list.push(Col {
                    fields: all,
                    sure: false,
                    ..Col::plain("")
                });
            }
            return self;
        }
        for (mine, theirs) in self.list.iter_mut().zip(&other.list) {
            join(&mut mine.fields, &theirs.fields);
        }
        self
    }
}

/// One entry of a query level's namespace.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The name by which it can be referred to.
    pub name: Option<String>,
    /// Its schema, when it is a table without an alias.
    pub schema: Option<String>,
    pub cols: Cols,
    /// It is a table: it has system columns.
    pub table: bool,
    /// Its name can be referred to.
    pub by_name: bool,
    /// Its columns can be referred to without its name, and are part of `*`.
    pub by_column: bool,
    /// Only LATERAL subqueries see it yet.
    pub lateral_only: bool,
}

impl Item {
    pub(super) fn new(name: Option<String>, cols: Cols) -> Self {
        Self {
            by_name: name.is_some(),
            name,
            schema: None,
            cols,
            table: false,
            by_column: true,
            lateral_only: false,
        }
    }

    /// The column of that name, or a system column. Where the server may call it otherwise, another of the entry's may
    /// have the name there: whatever is masked in the entry counts.
    pub(super) fn column(&self, name: &str) -> Option<Col> {
        let system = || (self.table && SYSTEM_COLUMNS.contains(&name)).then(|| Col::plain(name));
        let mut col = self.cols.named(name).or_else(system)?;
        if !col.sure {
            join(&mut col.fields, &self.cols.fields());
        }
        Some(col)
    }
}

/// A query level: what it can see, and the level around it.
#[derive(Debug, Default)]
pub(super) struct Level<'p> {
    pub items: Vec<Item>,
    pub ctes: Vec<(String, Cols)>,
    /// A LATERAL subquery of this level is being walked.
    pub lateral: bool,
    pub parent: Option<&'p Level<'p>>,
}

/// What a name was found to be.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// A column.
    Column(Col),
    /// Nothing that is known; it may be a column of something whose columns are not known.
    Perhaps,
    /// Nothing.
    Nothing,
}

impl<'p> Level<'p> {
    pub(super) fn below(parent: Option<&'p Level<'p>>) -> Self {
        Self {
            parent,
            ..Self::default()
        }
    }

    fn visible(&self) -> impl Iterator<Item = &Item> {
        self.items
            .iter()
            .filter(|i| !i.lateral_only || self.lateral)
    }

    fn levels(&self) -> impl Iterator<Item = &Level<'p>> {
        std::iter::successors(Some(self), |l| l.parent)
    }

    /// An unqualified column of this level alone.
    pub(super) fn own_column(&self, name: &str) -> Found {
        let mut found: Option<Col> = None;
        let mut open = false;
        for item in self.visible().filter(|i| i.by_column) {
            open |= item.cols.open;
            match (item.column(name), &mut found) {
                (Some(col), Some(first)) => join(&mut first.fields, &col.fields),
                (Some(col), None) => found = Some(col),
                (None, _) => {}
            }
        }
        match found {
            Some(col) => Found::Column(col),
            None if open => Found::Perhaps,
            None => Found::Nothing,
        }
    }

    /// An unqualified column: the innermost level that has it. Past a level that may have it, only a masked one
    /// counts: to take it for masked is the safe mistake.
    ///
    /// Where the server may call a column otherwise than was worked out here, it finds the name elsewhere. So whatever is
    /// masked in an entry with such a column on the way, and under the name beyond it, counts as well.
    pub(super) fn column(&self, name: &str) -> Found {
        let mut perhaps = false;
        let mut passed = Fields::new();
        let mut found: Option<Col> = None;
        for level in self.levels() {
            match (level.own_column(name), &mut found) {
                (Found::Column(col), None) => found = Some(col),
                (Found::Column(col), Some(first)) => join(&mut first.fields, &col.fields),
                (Found::Perhaps, None) => perhaps = true,
                _ => {}
            }
            if level.surely_has(name) {
                break;
            }
            level
                .unsure()
                .for_each(|i| join(&mut passed, &i.cols.fields()));
        }
        match found {
            Some(mut col) => {
                join(&mut col.fields, &passed);
                match perhaps && col.fields.is_empty() {
                    true => Found::Perhaps,
                    false => Found::Column(col),
                }
            }
            None if !passed.is_empty() => Found::Column(Col {
                fields: passed,
                sure: false,
                ..Col::plain(name)
            }),
            None if perhaps => Found::Perhaps,
            None => Found::Nothing,
        }
    }

    /// Entries some of whose columns may be called otherwise at the server, or are not known.
    fn unsure(&self) -> impl Iterator<Item = &Item> {
        self.visible()
            .filter(|i| i.by_column && (i.cols.open || i.cols.is_unsure()))
    }

    /// Whether any name could be a column's of such an entry.
    pub(super) fn sees_unsure(&self) -> bool {
        self.levels().any(|l| l.unsure().next().is_some())
    }

    /// Whether something of this level surely has that column.
    fn surely_has(&self, name: &str) -> bool {
        let mut items = self.visible().filter(|i| i.by_column);
        items.any(|i| i.column(name).is_some_and(|c| c.sure))
    }

    /// Whether the name is a column's, for sure, wherever it is looked up.
    pub(super) fn is_surely_column(&self, name: &str) -> bool {
        let found = self
            .levels()
            .find(|l| !matches!(l.own_column(name), Found::Nothing));
        found.is_some_and(|l| l.surely_has(name))
    }

    /// The entry that a name, or a qualified name, refers to.
    pub(super) fn item(&self, schema: Option<&str>, name: &str) -> Option<&Item> {
        self.levels().find_map(|level| {
            level.visible().find(|i| {
                let named = i.by_name && i.name.as_deref() == Some(name);
                named && schema.is_none_or(|s| i.schema.as_deref() == Some(s))
            })
        })
    }

    /// The common table expression of that name.
    pub(super) fn cte(&self, name: &str) -> Option<&Cols> {
        self.levels()
            .find_map(|l| l.ctes.iter().rev().find(|(n, _)| n == name).map(|(_, c)| c))
    }

    /// What `*` shows.
    pub(super) fn star(&self) -> Cols {
        let mut all = Cols::default();
        for item in self.visible().filter(|i| i.by_column) {
            all.list.extend(item.cols.list.iter().cloned());
            all.open |= item.cols.open;
        }
        all
    }
}

//! The state of one statement's walk: what it has found, and how far it may go.
//!
//! Lives here: recording uses, resolving relations. Never: the walk of any one kind of node.

use super::scope::{Col, Cols, Fields, Item, Level};
use super::{Use, names};
use crate::action::{RelationKind, Verb};
use crate::classify::sql::catalogue::{Catalogue, Relation, SearchPath};
use crate::mask::columns::{Field, MaskedColumns};
use pg_query::protobuf::{Alias, RangeVar};
use std::sync::Arc;

/// Nested deeper than this is not traced. The parser itself gives up at about half of it.
pub(super) const DEPTH_MAX: usize = 160;
/// Nodes visited for one statement: recursive queries are walked until nothing changes.
const STEPS_MAX: usize = 1_000_000;
/// The most columns of a result (`MaxTupleAttributeNumber`).
const COLUMNS_MAX: usize = 1664;
/// Columns looked at that count as one step.
const COLUMNS_PER_STEP: usize = 16;
/// Things that could not be told are listed up to here.
const UNCLEAR_MAX: usize = 8;

pub(super) struct Tracer<'c> {
    pub catalogue: &'c Catalogue,
    pub path: &'c SearchPath,
    pub masked: &'c MaskedColumns,
    pub touches: bool,
    uses: Vec<Use>,
    unclear: Vec<String>,
    /// Doubts that stand even when no masked relation is named.
    pub hidden: bool,
    depth: usize,
    steps: usize,
}

/// Where an expression stands, and what it would mean for a masked column to be there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ctx<'a> {
    pub verb: Verb,
    pub place: &'a str,
    pub inside: Inside<'a>,
}

/// The innermost thing that computes with the column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Inside<'a> {
    Nothing,
    Function(&'a str),
    Cast(&'a str),
    Operator(&'a str),
    Word(&'a str),
}

impl<'a> Ctx<'a> {
    /// A place where columns are compared, sorted or grouped by.
    pub(super) fn filter(place: &'a str) -> Self {
        Self {
            verb: Verb::Filter,
            place,
            inside: Inside::Nothing,
        }
    }
    /// A place where columns are computed with.
    pub(super) fn derive(place: &'a str) -> Self {
        Self {
            verb: Verb::Derive,
            place,
            inside: Inside::Nothing,
        }
    }
    /// Inside something that computes.
    pub(super) fn inside(self, inside: Inside<'a>) -> Self {
        Self {
            verb: Verb::Derive,
            inside,
            ..self
        }
    }
    /// Columns here are compared as they are.
    pub(super) fn is_direct(self) -> bool {
        self.verb == Verb::Filter
    }

    fn what(self) -> String {
        let place = self.place;
        match self.inside {
            Inside::Nothing => place.to_owned(),
            Inside::Function(name) => format!("inside {name}(…) {place}"),
            Inside::Cast(name) => format!("inside a cast to {name} {place}"),
            Inside::Operator(name) => format!("inside the operator {name} {place}"),
            Inside::Word(word) => format!("inside {word} {place}"),
        }
    }
}

/// Where the findings stood, to walk something again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(usize, usize);

impl<'c> Tracer<'c> {
    pub(super) fn new(
        catalogue: &'c Catalogue,
        path: &'c SearchPath,
        masked: &'c MaskedColumns,
    ) -> Self {
        Self {
            catalogue,
            path,
            masked,
            touches: false,
            uses: Vec::new(),
            unclear: Vec::new(),
            hidden: false,
            depth: 0,
            steps: 0,
        }
    }

    /// Runs one step deeper; `None`, and a doubt, where that is too deep or too much.
    pub(super) fn deeper<T>(&mut self, step: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.steps += 1;
        if self.depth >= DEPTH_MAX || self.steps > STEPS_MAX {
            self.doubt("the statement is nested too deeply or is too large to be traced");
            return None;
        }
        self.depth += 1;
        let out = step(self);
        self.depth -= 1;
        Some(out)
    }

    /// Counts what looking a name up costs.
    pub(super) fn cost(&mut self, level: &Level<'_>) {
        let columns: usize = level.items.iter().map(|i| i.cols.list.len()).sum();
        self.steps += columns / COLUMNS_PER_STEP;
    }

    /// A result, unless it has more columns than the server makes.
    pub(super) fn bounded(&mut self, cols: Cols) -> Cols {
        self.steps += cols.list.len() / COLUMNS_PER_STEP;
        if cols.list.len() <= COLUMNS_MAX {
            return cols;
        }
        self.doubt("a result with more columns than the server makes");
        Cols::unknown()
    }

    pub(super) fn doubt(&mut self, what: impl Into<String>) {
        let what = what.into();
        if self.unclear.len() < UNCLEAR_MAX && !self.unclear.contains(&what) {
            self.unclear.push(what);
        }
    }

    pub(super) fn record(&mut self, fields: &[Arc<Field>], ctx: Ctx<'_>) {
        for field in fields {
            self.uses.push(Use {
                field: Arc::clone(field),
                verb: ctx.verb,
                what: ctx.what(),
            });
        }
    }

    /// A use with words of its own.
    pub(super) fn record_as(&mut self, fields: &[Arc<Field>], verb: Verb, what: &str) {
        self.record(
            fields,
            Ctx {
                verb,
                place: what,
                inside: Inside::Nothing,
            },
        );
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.uses.len(), self.unclear.len())
    }

    pub(super) fn rewind(&mut self, mark: Mark) {
        self.uses.truncate(mark.0);
        self.unclear.truncate(mark.1);
    }

    pub(super) fn finish(mut self) -> (Vec<Use>, Vec<String>) {
        self.uses.sort();
        self.uses.dedup();
        (self.uses, self.unclear)
    }

    /// The relation that a name in the tree means; a doubt when it means none.
    pub(super) fn relation(&mut self, var: &RangeVar) -> Option<Arc<Relation>> {
        let schema = Some(var.schemaname.as_str()).filter(|s| !s.is_empty());
        let elsewhere = !var.catalogname.is_empty() && var.catalogname != self.catalogue.database;
        let found = self
            .catalogue
            .relation(self.path, schema, &var.relname)
            .filter(|_| !elsewhere)
            .cloned();
        match &found {
            Some(relation) => self.touches |= self.masked.touches(relation.oid),
            None if is_system(schema, &var.relname) => {}
            None => self.doubt(format!(
                "there is no relation {} in the catalogue",
                var.relname
            )),
        }
        found
    }

    /// A table as an entry of the namespace. A view that reads masked columns is a use of them.
    pub(super) fn table(&mut self, var: &RangeVar) -> Item {
        let relation = self.relation(var);
        let mut cols = relation
            .as_deref()
            .map_or_else(Cols::unknown, |r| self.columns(r));
        if let Some(relation) = &relation {
            let reads = self.masked.read_by_view(relation.oid);
            let name = format!("{}.{}", relation.schema, relation.name);
            let how = if relation.view_reads.is_empty() {
                format!("named in the bundle, and {name} has no such column")
            } else {
                format!("read by the view {name}")
            };
            self.record_as(reads, Verb::Derive, &how);
        }
        let mut item = match &var.alias {
            Some(alias) => {
                rename(&mut cols, alias);
                Item::new(Some(alias.aliasname.clone()), cols)
            }
            None => {
                let mut item = Item::new(Some(var.relname.clone()), cols);
                item.schema = relation.as_deref().map(|r| r.schema.clone());
                item.schema = item
                    .schema
                    .or_else(|| Some(var.schemaname.clone()).filter(|s| !s.is_empty()));
                item
            }
        };
        item.table = relation.is_some_and(|r| has_system_columns(r.kind));
        item
    }

    /// A relation's columns in the server's order.
    pub(super) fn columns(&self, relation: &Relation) -> Cols {
        let mut columns: Vec<_> = relation.columns.iter().collect();
        columns.sort_by_key(|c| c.number);
        let list = columns
            .into_iter()
            .map(|c| Col {
                name: c.name.clone(),
                sure: true,
                fields: self
                    .masked
                    .field(relation.oid, c.number)
                    .cloned()
                    .into_iter()
                    .collect::<Fields>(),
                type_oid: c.type_oid,
                type_modifier: c.type_modifier,
            })
            .collect();
        Cols::of(list)
    }

    /// Columns of something that is referred to by name; a doubt when there is nothing of that name.
    pub(super) fn item<'l>(
        &mut self,
        level: &'l Level<'_>,
        schema: Option<&str>,
        name: &str,
    ) -> Option<&'l Item> {
        let item = level.item(schema, name);
        if item.is_none() {
            self.doubt(format!("there is nothing called {name} to refer to"));
        }
        item
    }
}

/// Whether it surely has `ctid` and its like; a view has none, and its name may be an output's.
fn has_system_columns(kind: RelationKind) -> bool {
    matches!(
        kind,
        RelationKind::Table
            | RelationKind::MaterializedView
            | RelationKind::ForeignTable
            | RelationKind::Sequence
    )
}

/// Names that only the server's own relations have.
fn is_system(schema: Option<&str>, name: &str) -> bool {
    match schema {
        Some(s) => s == "pg_catalog" || s == "information_schema",
        None => name.starts_with("pg_"),
    }
}

/// Gives columns the names of an alias.
pub(super) fn rename(cols: &mut Cols, alias: &Alias) {
    cols.rename(names::strings(&alias.colnames));
}

//! From the rows of [`super::queries`] to a picture of the catalogue.
//!
//! Lives here: reading rows. Never: how they were fetched. What is not as those queries return it is an error, and
//! nothing is judged by half a picture.

use super::catalogue::{
    Cast, Catalogue, Column, Function, Operator, OwnCode, Relation, SearchPath, Type,
};
use super::queries::PARTS;
use crate::action::RelationKind;
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A row of text columns.
type Row = Vec<Option<Bytes>>;

/// Rows that are not what the queries return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rows of {0} are not what was asked for")]
pub struct StrangeRows(pub &'static str);

impl SearchPath {
    /// From the rows of the path's query; `None` when they are something else.
    pub fn from_rows(rows: &[Row]) -> Option<Self> {
        rows.iter()
            .map(|r| Fields::of(r, "path").text(0).ok().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .map(SearchPath)
    }
}

impl Catalogue {
    /// From the results of the catalogue's queries, in their order. The version is left for the caller to give.
    ///
    /// # Errors
    /// When a result is not what its query returns.
    pub fn from_rows(database: &str, results: &[Vec<Row>]) -> Result<Self, StrangeRows> {
        let parts: &[Vec<Row>; PARTS] = results
            .try_into()
            .map_err(|_| StrangeRows("the catalogue"))?;
        let [
            relations,
            columns,
            inherits,
            views,
            keys,
            references,
            functions,
            operators,
            casts,
            types,
            makers,
            schemas,
            extensions,
            code,
        ] = parts;
        let mut c = Catalogue {
            database: database.to_owned(),
            ..Catalogue::default()
        };
        let mut by_oid = read_relations(relations, &mut c)?;
        read_columns(columns, &mut by_oid)?;
        read_inheritance(inherits, &mut by_oid)?;
        read_views(views, &mut by_oid)?;
        for row in keys {
            let f = Fields::of(row, "unique keys");
            if let Some(r) = by_oid.get_mut(&f.number(0)?) {
                r.unique_keys.push(f.names(1)?);
            }
        }
        for row in references {
            let f = Fields::of(row, "references");
            let from = f.number(1)?;
            if let Some(r) = by_oid.get_mut(&f.number(0)?) {
                r.referenced_by.push(from);
            }
        }
        for (oid, relation) in by_oid {
            let relation = Arc::new(relation);
            c.relations.insert(
                (relation.schema.clone(), relation.name.clone()),
                relation.clone(),
            );
            c.by_oid.insert(oid, relation);
        }
        for row in functions {
            let f = function(&Fields::of(row, "functions"), 0)?.ok_or(StrangeRows("functions"))?;
            c.functions.entry(f.name.clone()).or_default().push(f);
        }
        for row in operators {
            let f = Fields::of(row, "operators");
            let operator = Operator {
                schema: f.owned(0)?,
                name: f.owned(1)?,
                left: f.number(2)?,
                right: f.number(3)?,
                function: function(&f, 4)?.unwrap_or_default(),
            };
            c.operators
                .entry(operator.name.clone())
                .or_default()
                .push(operator);
        }
        for row in casts {
            let f = Fields::of(row, "casts");
            c.casts.push(Cast {
                source: f.number(0)?,
                target: f.number(1)?,
                implicit: f.text(2)? != "e",
                function: function(&f, 3)?,
            });
        }
        read_types(types, makers, &mut c)?;
        for row in schemas {
            c.schemas.push(Fields::of(row, "schemas").owned(0)?);
        }
        for row in extensions {
            let f = Fields::of(row, "extensions");
            match f.optional(0)? {
                Some(name) => drop(c.extensions.insert(name.to_owned(), f.owned(1)?)),
                None => c.server_encoding = f.owned(1)?,
            }
        }
        for row in code {
            let f = Fields::of(row, "own code");
            c.own_code.push(OwnCode {
                kind: f.owned(0)?,
                relation: f.owned(1)?,
                name: f.owned(2)?,
                function: f.optional(3)?.map(str::to_owned),
            });
        }
        Ok(c)
    }
}

fn read_relations(rows: &[Row], c: &mut Catalogue) -> Result<HashMap<u32, Relation>, StrangeRows> {
    let mut by_oid = HashMap::with_capacity(rows.len());
    for row in rows {
        let f = Fields::of(row, "relations");
        let (oid, schema, name) = (f.number(0)?, f.owned(1)?, f.owned(2)?);
        let own = schema == "pg_catalog" || schema == "information_schema";
        let kind = match f.text(3)? {
            "i" | "I" => {
                if f.optional(6)?.is_some() {
                    c.indexes.insert((schema, name), f.number(6)?);
                }
                continue;
            }
            _ if own => RelationKind::Catalog,
            _ if schema.starts_with("pg_temp_") => RelationKind::Temporary,
            "r" | "p" => RelationKind::Table,
            "v" => RelationKind::View,
            "m" => RelationKind::MaterializedView,
            "f" => RelationKind::ForeignTable,
            "S" => RelationKind::Sequence,
            _ => return Err(StrangeRows("relations")),
        };
        let relation = Relation {
            oid,
            schema,
            name,
            kind,
            has_rules: f.text(4)? == "t",
            estimated_rows: f.optional(5)?.map(|_| f.number(5)).transpose()?,
            extension: f.optional(7)?.map(str::to_owned),
            ..Relation::default()
        };
        by_oid.insert(oid, relation);
    }
    Ok(by_oid)
}

fn read_columns(rows: &[Row], by_oid: &mut HashMap<u32, Relation>) -> Result<(), StrangeRows> {
    for row in rows {
        let f = Fields::of(row, "columns");
        if let Some(r) = by_oid.get_mut(&f.number(0)?) {
            r.columns.push(Column {
                number: f.number(1)?,
                name: f.owned(2)?,
                type_oid: f.number(3)?,
                type_modifier: f.number(4)?,
            });
        }
    }
    Ok(())
}

/// All levels: from each relation to everything below it, and back.
fn read_inheritance(rows: &[Row], by_oid: &mut HashMap<u32, Relation>) -> Result<(), StrangeRows> {
    let mut below: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut above: HashMap<u32, Vec<u32>> = HashMap::new();
    for row in rows {
        let f = Fields::of(row, "inheritance");
        let (child, parent) = (f.number(0)?, f.number(1)?);
        below.entry(parent).or_default().push(child);
        above.entry(child).or_default().push(parent);
    }
    for (oid, relation) in by_oid.iter_mut() {
        relation.children = reach(*oid, &below);
        relation.parents = reach(*oid, &above);
    }
    Ok(())
}

fn reach(from: u32, edges: &HashMap<u32, Vec<u32>>) -> Vec<u32> {
    let mut seen = HashSet::from([from]);
    let mut todo = vec![from];
    let mut found = Vec::new();
    while let Some(at) = todo.pop() {
        for next in edges.get(&at).into_iter().flatten() {
            if seen.insert(*next) {
                found.push(*next);
                todo.push(*next);
            }
        }
    }
    found.sort_unstable();
    found
}

/// Base columns that a view reads, with the views below it replaced by what they read.
fn read_views(rows: &[Row], by_oid: &mut HashMap<u32, Relation>) -> Result<(), StrangeRows> {
    let mut reads: HashMap<u32, Vec<(u32, i16)>> = HashMap::new();
    for row in rows {
        let f = Fields::of(row, "views");
        reads
            .entry(f.number(0)?)
            .or_default()
            .push((f.number(1)?, f.number(2)?));
    }
    let mut resolved = HashMap::new();
    for view in reads.keys() {
        let mut seen = HashSet::from([*view]);
        let mut todo = vec![*view];
        let mut base = Vec::new();
        while let Some(at) = todo.pop() {
            for (relation, column) in reads.get(&at).into_iter().flatten() {
                base.push((*relation, *column));
                if reads.contains_key(relation) && seen.insert(*relation) {
                    todo.push(*relation);
                }
            }
        }
        base.sort_unstable();
        base.dedup();
        resolved.insert(*view, base);
    }
    for (view, base) in resolved {
        if let Some(r) = by_oid.get_mut(&view) {
            r.view_reads = base;
        }
    }
    Ok(())
}

fn read_types(rows: &[Row], makers: &[Row], c: &mut Catalogue) -> Result<(), StrangeRows> {
    for row in rows {
        let f = Fields::of(row, "types");
        let t = Type {
            oid: f.number(0)?,
            schema: f.owned(1)?,
            name: f.owned(2)?,
            display: f.owned(3)?,
            parts: f.numbers(4)?,
            functions: Vec::new(),
            preferred_string: f.text(5)? == "t",
        };
        c.type_names.entry(t.name.clone()).or_default().push(t.oid);
        c.types.insert(t.oid, t);
    }
    for row in makers {
        let f = Fields::of(row, "functions of types");
        let maker = function(&f, 1)?.ok_or(StrangeRows("functions of types"))?;
        if let Some(t) = c.types.get_mut(&f.number(0)?) {
            t.functions.push(maker);
        }
    }
    Ok(())
}

/// A function whose eight columns begin at `at`; `None` when there is none.
fn function(f: &Fields<'_>, at: usize) -> Result<Option<Function>, StrangeRows> {
    if f.optional(at)?.is_none() {
        return Ok(None);
    }
    let name = f.owned(at + 2)?;
    Ok(Some(Function {
        oid: f.number(at)?,
        schema: f.owned(at + 1)?,
        signature: format!("{name}({})", f.text(at + 3)?.replace(", ", ",")),
        name,
        volatile: f.text(at + 4)? == "v",
        security_definer: f.text(at + 5)? == "t",
        argument_types: f.numbers(at + 6)?,
        extension: f.optional(at + 7)?.map(str::to_owned),
    }))
}

/// A row read by position.
struct Fields<'a> {
    row: &'a Row,
    what: &'static str,
}

impl<'a> Fields<'a> {
    fn of(row: &'a Row, what: &'static str) -> Self {
        Self { row, what }
    }
    fn strange(&self) -> StrangeRows {
        StrangeRows(self.what)
    }
    fn optional(&self, at: usize) -> Result<Option<&'a str>, StrangeRows> {
        match self.row.get(at) {
            None => Err(self.strange()),
            Some(None) => Ok(None),
            Some(Some(bytes)) => std::str::from_utf8(bytes)
                .map(Some)
                .map_err(|_| self.strange()),
        }
    }
    fn text(&self, at: usize) -> Result<&'a str, StrangeRows> {
        self.optional(at)?.ok_or_else(|| self.strange())
    }
    fn owned(&self, at: usize) -> Result<String, StrangeRows> {
        self.text(at).map(str::to_owned)
    }
    fn number<T: std::str::FromStr>(&self, at: usize) -> Result<T, StrangeRows> {
        self.text(at)?.parse().map_err(|_| self.strange())
    }
    fn names(&self, at: usize) -> Result<Vec<String>, StrangeRows> {
        match self.optional(at)? {
            None => Ok(Vec::new()),
            Some(json) => serde_json::from_str(json).map_err(|_| self.strange()),
        }
    }
    /// OIDs come as numbers or as texts, as the server's version has it.
    fn numbers(&self, at: usize) -> Result<Vec<u32>, StrangeRows> {
        let Some(json) = self.optional(at)? else {
            return Ok(Vec::new());
        };
        let values: Vec<serde_json::Value> =
            serde_json::from_str(json).map_err(|_| self.strange())?;
        values
            .iter()
            .map(|v| match v {
                serde_json::Value::Null => Ok(0),
                serde_json::Value::String(s) => s.parse().map_err(|_| self.strange()),
                other => other
                    .as_u64()
                    .and_then(|n| u32::try_from(n).ok())
                    .ok_or_else(|| self.strange()),
            })
            .filter(|n| *n != Ok(0))
            .collect()
    }
}

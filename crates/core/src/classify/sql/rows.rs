//! From rows to a picture of the catalogue.
//!
//! Lives here: reading what [`super::queries`] yields. Never: fetching it.

use super::catalogue::{
    Cast, Catalogue, Column, FIRST_USER_OID, Function, Operator, OwnCode, Relation, SearchPath,
    Type,
};
use super::queries::{CatalogueQueries, Part};
use crate::action::RelationKind;
use crate::ids::Hasher;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The rows of one query, each column as text.
pub type Rows = Vec<Vec<Option<String>>>;

/// Why rows are no catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// The catalogue changed while it was read.
    #[error("the catalogue changed while it was read")]
    Changed,
    /// A query yielded something else than it should.
    #[error("the catalogue's {0:?} cannot be read")]
    Unreadable(Part),
}

impl SearchPath {
    /// From the rows of [`CatalogueQueries::path`].
    pub fn from_rows(rows: &[Vec<Option<String>>]) -> Self {
        Self(
            rows.iter()
                .filter_map(|r| r.first().cloned().flatten())
                .collect(),
        )
    }
}

impl Catalogue {
    /// From the rows of [`CatalogueQueries::parts`], in their order.
    pub fn from_rows(queries: &CatalogueQueries, results: &[Rows]) -> Result<Self, CatalogueError> {
        let mut parts: HashMap<Part, &Rows> = HashMap::new();
        let mut fingerprints = HashSet::new();
        for ((part, _), rows) in queries.parts.iter().zip(results) {
            if *part == Part::Fingerprint {
                fingerprints.insert(rows);
            }
            parts.insert(*part, rows);
        }
        if queries.parts.len() != results.len() {
            return Err(CatalogueError::Unreadable(Part::OwnCode));
        }
        if fingerprints.len() != 1 {
            return Err(CatalogueError::Changed);
        }
        let of = |part: Part| Reader {
            part,
            rows: parts.get(&part).map_or(&[][..], |r| r.as_slice()),
        };
        let mut catalogue = Catalogue {
            version: version(of(Part::Fingerprint))?,
            ..Catalogue::default()
        };
        for row in of(Part::Database).rows() {
            catalogue.database = row.text(0)?;
            catalogue.server_encoding = row.text(1)?;
        }
        for row in of(Part::Schemas).rows() {
            catalogue.schemas.push(row.text(0)?);
        }
        for row in of(Part::Extensions).rows() {
            catalogue.extensions.insert(row.text(0)?, row.text(1)?);
        }
        let members = members(of(Part::Members), &catalogue.extensions)?;
        types(&mut catalogue, of(Part::Types), of(Part::TypeParts))?;
        let functions = functions(&catalogue, of(Part::Functions), &members)?;
        behind(
            &mut catalogue,
            &functions,
            of(Part::Operators),
            of(Part::Casts),
            of(Part::TypeFunctions),
        )?;
        catalogue.own_code = own_code(of(Part::OwnCode), &functions)?;
        for function in functions.into_values() {
            catalogue
                .functions
                .entry(function.name.clone())
                .or_default()
                .push(function);
        }
        let mut relations = relations(of(Part::Relations), of(Part::Columns), &members)?;
        indexes(&mut catalogue, &mut relations, of(Part::Indexes))?;
        inheritance(&mut relations, of(Part::Inheritance))?;
        for row in of(Part::ForeignKeys).rows() {
            if let Some(relation) = relations.get_mut(&row.oid(0)?) {
                relation.referenced_by.push(row.oid(1)?);
            }
        }
        views(&mut relations, of(Part::Rules), of(Part::ViewReads))?;
        for (oid, relation) in relations {
            let key = (relation.schema.clone(), relation.name.clone());
            let relation = Arc::new(relation);
            catalogue.relations.insert(key, Arc::clone(&relation));
            catalogue.by_oid.insert(oid, relation);
        }
        Ok(catalogue)
    }
}

/// Reads the rows of one part.
#[derive(Clone, Copy)]
struct Reader<'a> {
    part: Part,
    rows: &'a [Vec<Option<String>>],
}

impl<'a> Reader<'a> {
    fn rows(self) -> impl Iterator<Item = Row<'a>> {
        self.rows.iter().map(move |columns| Row {
            part: self.part,
            columns,
        })
    }
}

#[derive(Clone, Copy)]
struct Row<'a> {
    part: Part,
    columns: &'a [Option<String>],
}

impl Row<'_> {
    fn get(&self, index: usize) -> Option<&str> {
        self.columns.get(index).and_then(|c| c.as_deref())
    }
    fn text(&self, index: usize) -> Result<String, CatalogueError> {
        self.get(index)
            .map(str::to_owned)
            .ok_or(CatalogueError::Unreadable(self.part))
    }
    fn number<T: std::str::FromStr>(&self, index: usize) -> Result<T, CatalogueError> {
        self.get(index)
            .and_then(|t| t.parse().ok())
            .ok_or(CatalogueError::Unreadable(self.part))
    }
    fn oid(&self, index: usize) -> Result<u32, CatalogueError> {
        self.number(index)
    }
    fn truth(&self, index: usize) -> Result<bool, CatalogueError> {
        match self.get(index) {
            Some("true" | "t") => Ok(true),
            Some("false" | "f") => Ok(false),
            _ => Err(CatalogueError::Unreadable(self.part)),
        }
    }
    fn numbers<T: std::str::FromStr>(&self, index: usize) -> Result<Vec<T>, CatalogueError> {
        self.text(index)?
            .split_whitespace()
            .map(|n| n.parse().map_err(|_| CatalogueError::Unreadable(self.part)))
            .collect()
    }
}

fn version(fingerprint: Reader<'_>) -> Result<u64, CatalogueError> {
    let row = fingerprint
        .rows()
        .next()
        .ok_or(CatalogueError::Unreadable(Part::Fingerprint))?;
    let mut hasher = Hasher::new();
    hasher.field(row.text(0)?.as_bytes());
    let digest = hasher.finish();
    let mut first = [0_u8; 8];
    for (to, from) in first.iter_mut().zip(digest.0) {
        *to = from;
    }
    Ok(u64::from_be_bytes(first))
}

/// `name@version` of the extension that each relation and function belongs to.
struct Members {
    relations: HashMap<u32, String>,
    functions: HashMap<u32, String>,
}

fn members(
    rows: Reader<'_>,
    versions: &HashMap<String, String>,
) -> Result<Members, CatalogueError> {
    let mut members = Members {
        relations: HashMap::new(),
        functions: HashMap::new(),
    };
    for row in rows.rows() {
        let extension = row.text(2)?;
        let version = versions.get(&extension).cloned().unwrap_or_default();
        let label = format!("{extension}@{version}");
        let class = row.text(0)?;
        if class.ends_with("pg_proc") {
            members.functions.insert(row.oid(1)?, label);
        } else if class.ends_with("pg_class") {
            members.relations.insert(row.oid(1)?, label);
        }
    }
    Ok(members)
}

fn types(
    catalogue: &mut Catalogue,
    rows: Reader<'_>,
    parts: Reader<'_>,
) -> Result<(), CatalogueError> {
    for row in rows.rows() {
        let (oid, schema, name) = (row.oid(0)?, row.text(1)?, row.text(2)?);
        let display = if schema == "pg_catalog" {
            let shown = row.text(3)?;
            shown
                .strip_prefix("pg_catalog.")
                .map_or(shown.clone(), str::to_owned)
        } else {
            format!("{schema}.{name}")
        };
        let parts = [row.oid(4)?, row.oid(5)?];
        catalogue
            .type_names
            .entry(name.clone())
            .or_default()
            .push(oid);
        catalogue.types.insert(
            oid,
            Type {
                oid,
                schema,
                name,
                display,
                parts: parts.into_iter().filter(|p| *p != 0).collect(),
                functions: Vec::new(),
                preferred_string: row.truth(6)?,
            },
        );
    }
    for row in parts.rows() {
        let part = row.oid(1)?;
        if let Some(whole) = catalogue.types.get_mut(&row.oid(0)?) {
            whole.parts.push(part);
        }
    }
    let arrays: Vec<(u32, String)> = catalogue
        .types
        .values()
        .filter(|t| t.schema != "pg_catalog" && t.name.starts_with('_'))
        .filter_map(|t| {
            let element = catalogue.types.get(t.parts.first()?)?;
            Some((t.oid, format!("{}[]", element.display)))
        })
        .collect();
    for (oid, display) in arrays {
        if let Some(array) = catalogue.types.get_mut(&oid) {
            array.display = display;
        }
    }
    Ok(())
}

fn functions(
    catalogue: &Catalogue,
    rows: Reader<'_>,
    members: &Members,
) -> Result<HashMap<u32, Function>, CatalogueError> {
    let mut functions = HashMap::new();
    for row in rows.rows() {
        let (oid, name) = (row.oid(0)?, row.text(2)?);
        let argument_types: Vec<u32> = row.numbers(3)?;
        let shown: Vec<&str> = argument_types
            .iter()
            .map(|t| catalogue.types.get(t).map_or("?", |t| t.display.as_str()))
            .collect();
        functions.insert(
            oid,
            Function {
                oid,
                schema: row.text(1)?,
                signature: format!("{name}({})", shown.join(",")),
                name,
                volatile: row.get(4) == Some("v"),
                security_definer: row.truth(5)?,
                extension: members.functions.get(&oid).cloned(),
                argument_types,
            },
        );
    }
    Ok(functions)
}

/// Operators, casts and types with the functions behind them.
fn behind(
    catalogue: &mut Catalogue,
    functions: &HashMap<u32, Function>,
    operators: Reader<'_>,
    casts: Reader<'_>,
    of_types: Reader<'_>,
) -> Result<(), CatalogueError> {
    for row in operators.rows() {
        let operator = Operator {
            schema: row.text(0)?,
            name: row.text(1)?,
            left: row.oid(2)?,
            right: row.oid(3)?,
            function: called(&row, 4, functions)?,
        };
        catalogue
            .operators
            .entry(operator.name.clone())
            .or_default()
            .push(operator);
    }
    for row in casts.rows() {
        let function = match row.get(3) {
            Some(_) => Some(called(&row, 3, functions)?),
            None => None,
        };
        catalogue.casts.push(Cast {
            source: row.oid(0)?,
            target: row.oid(1)?,
            implicit: row.get(2) != Some("e"),
            function,
        });
    }
    for row in of_types.rows() {
        let function = functions.get(&row.oid(1)?).cloned();
        if let (Some(of), Some(function)) = (catalogue.types.get_mut(&row.oid(0)?), function) {
            of.functions.push(function);
        }
    }
    Ok(())
}

/// A function given as (oid, schema, name): one of ours, or the server's own.
fn called(
    row: &Row<'_>,
    at: usize,
    functions: &HashMap<u32, Function>,
) -> Result<Function, CatalogueError> {
    let oid = row.oid(at)?;
    match functions.get(&oid) {
        Some(known) => Ok(known.clone()),
        None => {
            let name = row.text(at + 2)?;
            Ok(Function {
                oid: oid.min(FIRST_USER_OID - 1),
                schema: row.text(at + 1)?,
                signature: format!("{name}(*)"),
                name,
                ..Function::default()
            })
        }
    }
}

fn own_code(
    rows: Reader<'_>,
    functions: &HashMap<u32, Function>,
) -> Result<Vec<OwnCode>, CatalogueError> {
    let mut all = Vec::new();
    for row in rows.rows() {
        let function = row
            .get(3)
            .and_then(|oid| oid.parse().ok())
            .and_then(|oid: u32| functions.get(&oid))
            .map(|f| format!("{}.{}", f.schema, f.signature));
        all.push(OwnCode {
            kind: row.text(0)?,
            relation: row.text(1)?,
            name: row.text(2)?,
            function,
        });
    }
    all.sort();
    Ok(all)
}

fn relations(
    rows: Reader<'_>,
    columns: Reader<'_>,
    members: &Members,
) -> Result<HashMap<u32, Relation>, CatalogueError> {
    let mut relations = HashMap::new();
    for row in rows.rows() {
        let (oid, schema) = (row.oid(0)?, row.text(1)?);
        let kind = kind(&schema, row.get(3), row.get(4))
            .ok_or(CatalogueError::Unreadable(Part::Relations))?;
        relations.insert(
            oid,
            Relation {
                oid,
                schema,
                name: row.text(2)?,
                kind,
                estimated_rows: row.get(5).and_then(rows_estimated),
                extension: members.relations.get(&oid).cloned(),
                ..Relation::default()
            },
        );
    }
    for row in columns.rows() {
        let column = Column {
            number: row.number(1)?,
            name: row.text(2)?,
            type_oid: row.oid(3)?,
            type_modifier: row.number(4)?,
        };
        if let Some(relation) = relations.get_mut(&row.oid(0)?) {
            relation.columns.push(column);
        }
    }
    for relation in relations.values_mut() {
        relation.columns.sort_by_key(|c| c.number);
    }
    Ok(relations)
}

fn kind(schema: &str, relkind: Option<&str>, persistence: Option<&str>) -> Option<RelationKind> {
    if matches!(schema, "pg_catalog" | "information_schema") {
        return Some(RelationKind::Catalog);
    }
    if persistence == Some("t") {
        return Some(RelationKind::Temporary);
    }
    match relkind? {
        "r" | "p" => Some(RelationKind::Table),
        "v" => Some(RelationKind::View),
        "m" => Some(RelationKind::MaterializedView),
        "f" => Some(RelationKind::ForeignTable),
        "S" => Some(RelationKind::Sequence),
        _ => None,
    }
}

/// `reltuples` is a float in text; -1 is unknown.
fn rows_estimated(text: &str) -> Option<i64> {
    let rows: f64 = text.parse().ok()?;
    let max = crate::action::FIGURE_MAX;
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    (rows >= 0.0).then(|| if rows >= max as f64 { max } else { rows as i64 })
}

fn indexes(
    catalogue: &mut Catalogue,
    relations: &mut HashMap<u32, Relation>,
    rows: Reader<'_>,
) -> Result<(), CatalogueError> {
    for row in rows.rows() {
        let table = row.oid(3)?;
        catalogue
            .indexes
            .insert((row.text(1)?, row.text(2)?), table);
        if !row.truth(4)? {
            continue;
        }
        let numbers: Vec<i16> = row.numbers(5)?;
        let keys: usize = row.number(6)?;
        if let Some(relation) = relations.get_mut(&table) {
            let names: Option<Vec<String>> = numbers
                .iter()
                .take(keys)
                .map(|n| {
                    relation
                        .columns
                        .iter()
                        .find(|c| c.number == *n)
                        .map(|c| c.name.clone())
                })
                .collect();
            if let Some(names) = names {
                relation.unique_keys.push(names);
            }
        }
    }
    Ok(())
}

fn inheritance(
    relations: &mut HashMap<u32, Relation>,
    rows: Reader<'_>,
) -> Result<(), CatalogueError> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut parents: HashMap<u32, Vec<u32>> = HashMap::new();
    for row in rows.rows() {
        let (child, parent) = (row.oid(0)?, row.oid(1)?);
        children.entry(parent).or_default().push(child);
        parents.entry(child).or_default().push(parent);
    }
    for (oid, relation) in relations {
        relation.children = closure(*oid, &children);
        relation.parents = closure(*oid, &parents);
    }
    Ok(())
}

/// Everything reached from `start` over any number of steps, without it.
fn closure(start: u32, steps: &HashMap<u32, Vec<u32>>) -> Vec<u32> {
    let mut seen = HashSet::from([start]);
    let mut open = vec![start];
    let mut all = Vec::new();
    while let Some(oid) = open.pop() {
        for next in steps.get(&oid).into_iter().flatten() {
            if seen.insert(*next) {
                open.push(*next);
                all.push(*next);
            }
        }
    }
    all.sort_unstable();
    all
}

/// What views read, views below them resolved.
fn views(
    relations: &mut HashMap<u32, Relation>,
    rules: Reader<'_>,
    reads: Reader<'_>,
) -> Result<(), CatalogueError> {
    let mut whole = HashSet::new();
    for row in rules.rows() {
        let oid = row.oid(0)?;
        if row.get(1) != Some("1") {
            if let Some(relation) = relations.get_mut(&oid) {
                relation.has_rules = true;
            }
        } else if row.truth(2)? {
            whole.insert(oid);
        }
    }
    let mut direct: HashMap<u32, Vec<(u32, i16)>> = HashMap::new();
    for row in reads.rows() {
        let view = row.oid(0)?;
        // A whole row hides behind its columns in pg_depend: then all of them count.
        let number = if whole.contains(&view) {
            0
        } else {
            row.number(2)?
        };
        direct.entry(view).or_default().push((row.oid(1)?, number));
    }
    let views: Vec<u32> = direct.keys().copied().collect();
    for view in views {
        let mut seen = HashSet::new();
        let mut open = vec![view];
        let mut all = Vec::new();
        let mut visited = HashSet::from([view]);
        while let Some(oid) = open.pop() {
            for (below, number) in direct.get(&oid).into_iter().flatten() {
                if direct.contains_key(below) {
                    if visited.insert(*below) {
                        open.push(*below);
                    }
                } else if seen.insert((*below, *number)) {
                    all.push((*below, *number));
                }
            }
        }
        all.sort_unstable();
        visited.remove(&view);
        if let Some(relation) = relations.get_mut(&view) {
            relation.view_reads = all;
            relation.views_below = visited.into_iter().collect();
            relation.views_below.sort_unstable();
        }
    }
    Ok(())
}

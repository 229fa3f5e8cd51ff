//! From rows to a picture of the catalogue.
//!
//! Lives here: reading what [`super::queries`] yields. Never: fetching it.

mod code;
mod relations;

use super::catalogue::{Catalogue, Function, OwnCode, SearchPath};
use super::queries::{CatalogueQueries, Part};
use crate::ids::Hasher;
use code::{behind, functions, types};
use relations::{indexes, inheritance, relations, views};
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
            catalogue.subscriptions = row.number(2)?;
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

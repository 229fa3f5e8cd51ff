//! Types, functions, operators and casts.
//!
//! Lives here: reading their rows. Never: relations.

use super::{CatalogueError, Members, Reader, Row};
use crate::classify::sql::catalogue::{Cast, Catalogue, FIRST_USER_OID, Function, Operator, Type};
use std::collections::HashMap;

pub(super) fn types(
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

pub(super) fn functions(
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
pub(super) fn behind(
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
    catalogue.loose_types = loose(catalogue);
    for row in of_types.rows() {
        let function = functions.get(&row.oid(1)?).cloned();
        if let (Some(of), Some(function)) = (catalogue.types.get_mut(&row.oid(0)?), function) {
            of.functions.push(function);
        }
    }
    Ok(())
}

/// A function given as (oid, schema, name): one of ours, or the server's own.
pub(super) fn called(
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

/// Literals turn into preferred string types, built-in values into whatever an implicit cast leads to.
fn loose(catalogue: &Catalogue) -> Vec<u32> {
    let preferred = catalogue
        .types
        .values()
        .filter(|t| t.preferred_string && t.oid >= FIRST_USER_OID)
        .map(|t| t.oid);
    let cast_to = catalogue
        .casts
        .iter()
        .filter(|c| c.implicit && c.source < FIRST_USER_OID && c.target >= FIRST_USER_OID)
        .map(|c| c.target);
    let mut all: Vec<u32> = preferred.chain(cast_to).collect();
    all.sort_unstable();
    all.dedup();
    all
}

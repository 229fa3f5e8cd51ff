//! Relations, their indexes, their inheritance, and what views read.
//!
//! Lives here: reading their rows. Never: functions.

use super::{CatalogueError, Members, Reader};
use crate::action::RelationKind;
use crate::classify::sql::catalogue::{Catalogue, Column, Relation};
use crate::classify::sql::queries::Part;
use std::collections::{HashMap, HashSet};

pub(super) fn relations(
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
                system_columns: row.get(3) != Some("v"),
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
            generated_from: match row.get(5) {
                Some(_) => row.numbers(5)?,
                None => Vec::new(),
            },
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

pub(super) fn kind(
    schema: &str,
    relkind: Option<&str>,
    persistence: Option<&str>,
) -> Option<RelationKind> {
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
pub(super) fn rows_estimated(text: &str) -> Option<i64> {
    let rows: f64 = text.parse().ok()?;
    let max = crate::action::FIGURE_MAX;
    if rows < 0.0 {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    Some(if rows >= max as f64 { max } else { rows as i64 })
}

pub(super) fn indexes(
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

pub(super) fn inheritance(
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
pub(super) fn closure(start: u32, steps: &HashMap<u32, Vec<u32>>) -> Vec<u32> {
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
pub(super) fn views(
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

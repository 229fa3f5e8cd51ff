//! Which columns are masked: the bundle's list resolved against a target's catalogue.
//!
//! Lives here: the resolution, and what inheritance and views make of it. Never: what a statement does with them.

use crate::action::{Object, RelationKind};
use crate::classify::sql::catalogue::{Catalogue, Relation};
use crate::mask::detect::compile;
use regex_automata::meta::Regex;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// A masked column as the bundle names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskSpec {
    /// The database; every database of the target when left out.
    #[serde(default)]
    pub database: Option<String>,
    /// The schema; `*` is every schema but the server's own.
    pub schema: String,
    /// The relation; `*` is every relation that has the column.
    pub table: String,
    /// The column.
    pub column: String,
    /// The class of its data.
    pub class: String,
}

/// Every schema, or every relation.
const ANY: &str = "*";

impl MaskSpec {
    fn is_pattern(&self) -> bool {
        self.schema == ANY || self.table == ANY
    }
}

impl fmt::Display for MaskSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(database) = &self.database {
            write!(f, "{database}.")?;
        }
        write!(
            f,
            "{}.{}.{} ({})",
            self.schema, self.table, self.column, self.class
        )
    }
}

/// A column whose data is of a class: the object that `reveal`, `filter` and `derive` are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field {
    /// An [`Object::Field`].
    pub object: Object,
    /// The class of its data.
    pub class: String,
}

impl Field {
    fn of(catalogue: &Catalogue, relation: &Relation, column: &str, class: &str) -> Arc<Self> {
        Arc::new(Self {
            object: Object::Field {
                database: catalogue.database.clone(),
                schema: relation.schema.clone(),
                table: relation.name.clone(),
                kind: relation.kind,
                column: column.to_owned(),
                class: class.to_owned(),
            },
            class: class.to_owned(),
        })
    }

    /// `schema.table.column`, for messages.
    pub fn path(&self) -> String {
        match &self.object {
            Object::Field {
                schema,
                table,
                column,
                ..
            } => format!("{schema}.{table}.{column}"),
            _ => self.class.clone(),
        }
    }
}

/// A line of the bundle's list that masks nothing, or not what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// No such relation.
    #[error("masked column {0}: there is no such relation")]
    Relation(MaskSpec),
    /// No such column.
    #[error("masked column {0}: the relation has no such column")]
    Column(MaskSpec),
    /// The same column, directly or through inheritance, is given two classes.
    #[error("masked column {spec}: it is already of class {class}")]
    Class {
        /// The line.
        spec: MaskSpec,
        /// The class it keeps.
        class: String,
    },
}

/// The masked columns of one database, by what the server calls them.
#[derive(Debug, Clone, Default)]
pub struct MaskedColumns {
    columns: BTreeMap<u32, BTreeMap<i16, Arc<Field>>>,
    tainted: BTreeMap<u32, Vec<Arc<Field>>>,
    unresolved: Vec<Unresolved>,
    /// The names of all these relations, to be searched for at once.
    names: Option<Regex>,
}

impl MaskedColumns {
    /// Resolves the list. Children and parents of a relation share its masks, column by column name; a view that
    /// reads a masked column is tainted, unless the list names a column of the view itself for that class.
    pub fn build(specs: &[MaskSpec], catalogue: &Catalogue) -> Self {
        let mut out = Self::default();
        let (mut patterns, mut missing) = (Vec::new(), Vec::new());
        let mut named = BTreeSet::new();
        for spec in specs {
            if spec
                .database
                .as_ref()
                .is_some_and(|d| *d != catalogue.database)
            {
                continue;
            }
            if spec.is_pattern() {
                patterns.push(spec);
                continue;
            }
            let key = (spec.schema.clone(), spec.table.clone());
            let Some(relation) = catalogue.relations.get(&key) else {
                out.unresolved.push(Unresolved::Relation(spec.clone()));
                continue;
            };
            named.insert((relation.oid, spec.class.as_str()));
            if !out.add(catalogue, relation, spec) {
                // It may have been renamed: where the data stands now is not known, so all of the relation is such data.
                missing.push((
                    relation.oid,
                    Field::of(catalogue, relation, &spec.column, &spec.class),
                ));
                out.unresolved.push(Unresolved::Column(spec.clone()));
                continue;
            }
            for oid in relation.children.iter().chain(&relation.parents) {
                if let Some(kin) = catalogue.by_oid.get(oid) {
                    out.add(catalogue, kin, spec);
                }
            }
        }
        // What is named keeps its class; then patterns, in their order.
        for spec in patterns {
            out.add_all(catalogue, spec);
        }
        out.spread(catalogue);
        out.generate(catalogue);
        out.taint(catalogue, &named);
        for (oid, field) in missing {
            out.tainted.entry(oid).or_default().push(field);
        }
        out.names = out.compile_names(catalogue);
        out
    }

    /// Nothing is masked in this database.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The field at a relation's column, as RowDescription names them.
    pub fn field(&self, relation: u32, attribute: i16) -> Option<&Arc<Field>> {
        self.columns.get(&relation)?.get(&attribute)
    }

    /// The masked columns of a relation, by number.
    pub fn of(&self, relation: u32) -> impl Iterator<Item = (i16, &Arc<Field>)> {
        self.columns
            .get(&relation)
            .into_iter()
            .flatten()
            .map(|(n, f)| (*n, f))
    }

    /// The masked columns that a relation shows, it is not known where: those that a view reads, and those that the bundle
    /// names and a table does not have.
    pub fn read_by_view(&self, relation: u32) -> &[Arc<Field>] {
        self.tainted.get(&relation).map_or(&[], Vec::as_slice)
    }

    /// The relation has masked columns, or is a view over some.
    pub fn touches(&self, relation: u32) -> bool {
        self.columns.contains_key(&relation) || self.tainted.contains_key(&relation)
    }

    /// The name of a relation that has masked columns, or reads some, stands in these bytes.
    pub(crate) fn named_in(&self, bytes: &[u8]) -> bool {
        match &self.names {
            Some(names) => names.is_match(bytes),
            // Their names could not be made searchable: then any bytes may name one.
            None => !self.is_empty(),
        }
    }

    /// Lines of the list that mask nothing, or not what they say: to be shown, never swallowed.
    pub fn unresolved(&self) -> &[Unresolved] {
        &self.unresolved
    }

    fn compile_names(&self, catalogue: &Catalogue) -> Option<Regex> {
        let oids = self.columns.keys().chain(self.tainted.keys());
        let names: BTreeSet<&str> = oids
            .map(|o| catalogue.by_oid.get(o).map(|r| r.name.as_str()))
            .collect::<Option<_>>()?;
        let escape = |name: &str| {
            name.bytes()
                .map(|b| format!("\\x{b:02x}"))
                .collect::<String>()
        };
        let patterns: Vec<String> = names.into_iter().map(escape).collect();
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        (!patterns.is_empty())
            .then(|| compile(&patterns).ok())
            .flatten()
    }

    /// Every relation that a pattern fits.
    fn add_all(&mut self, catalogue: &Catalogue, spec: &MaskSpec) {
        let fits = |pattern: &str, name: &str| pattern == ANY || pattern == name;
        for relation in catalogue.by_oid.values() {
            let column = relation.columns.iter().find(|c| c.name == spec.column);
            let named = fits(&spec.schema, &relation.schema) && fits(&spec.table, &relation.name);
            let Some(column) = column.filter(|_| named && relation.kind != RelationKind::Catalog)
            else {
                continue;
            };
            let fields = self.columns.entry(relation.oid).or_default();
            fields
                .entry(column.number)
                .or_insert_with(|| Field::of(catalogue, relation, &column.name, &spec.class));
        }
    }

    fn add(&mut self, catalogue: &Catalogue, relation: &Relation, spec: &MaskSpec) -> bool {
        let Some(column) = relation.columns.iter().find(|c| c.name == spec.column) else {
            return false;
        };
        let fields = self.columns.entry(relation.oid).or_default();
        match fields.get(&column.number) {
            Some(there) if there.class != spec.class => self.unresolved.push(Unresolved::Class {
                spec: spec.clone(),
                class: there.class.clone(),
            }),
            Some(_) => {}
            None => {
                let field = Field::of(catalogue, relation, &column.name, &spec.class);
                fields.insert(column.number, field);
            }
        }
        true
    }

    /// A parent that became masked through one child is read through its other children too, and a child
    /// can have several parents: repeat until nothing is added.
    fn spread(&mut self, catalogue: &Catalogue) {
        loop {
            let mut found = Vec::new();
            for (oid, fields) in &self.columns {
                let Some(relation) = catalogue.by_oid.get(oid) else {
                    continue;
                };
                for kin in relation.children.iter().chain(&relation.parents) {
                    let Some(kin) = catalogue.by_oid.get(kin) else {
                        continue;
                    };
                    for (number, field) in fields {
                        let name = relation.columns.iter().find(|c| c.number == *number);
                        let twin = kin
                            .columns
                            .iter()
                            .find(|c| Some(&c.name) == name.map(|n| &n.name));
                        if let Some(twin) = twin.filter(|t| self.field(kin.oid, t.number).is_none())
                        {
                            found.push((Arc::clone(kin), twin.number, field.class.clone()));
                        }
                    }
                }
            }
            if found.is_empty() {
                return;
            }
            for (kin, number, class) in found {
                if let Some(column) = kin.columns.iter().find(|c| c.number == number) {
                    let field = Field::of(catalogue, &kin, &column.name, &class);
                    self.columns
                        .entry(kin.oid)
                        .or_default()
                        .entry(number)
                        .or_insert(field);
                }
            }
        }
    }

    /// A column that is generated from a masked one is of its class.
    fn generate(&mut self, catalogue: &Catalogue) {
        let relations: Vec<u32> = self.columns.keys().copied().collect();
        for oid in relations {
            let Some(relation) = catalogue.by_oid.get(&oid) else {
                continue;
            };
            for column in &relation.columns {
                let mut sources = column.generated_from.iter();
                let source = sources.find_map(|n| self.field(oid, *n).map(|f| f.class.clone()));
                if let Some(class) = source {
                    let field = Field::of(catalogue, relation, &column.name, &class);
                    let fields = self.columns.entry(oid).or_default();
                    fields.entry(column.number).or_insert(field);
                }
            }
        }
    }

    fn taint(&mut self, catalogue: &Catalogue, named: &BTreeSet<(u32, &str)>) {
        for relation in catalogue.by_oid.values() {
            let mut reads: Vec<Arc<Field>> = Vec::new();
            for (oid, number) in &relation.view_reads {
                let hit = self.of(*oid).filter(|(n, _)| *number == 0 || n == number);
                reads.extend(hit.map(|(_, f)| Arc::clone(f)));
            }
            // Where the list names columns of the view itself, it says where that class stands in it.
            reads.retain(|f| !named.contains(&(relation.oid, f.class.as_str())));
            reads.sort();
            reads.dedup();
            if !reads.is_empty() {
                self.tainted.insert(relation.oid, reads);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::lineage::fixture;

    fn spec(table: &str, column: &str, class: &str) -> MaskSpec {
        MaskSpec {
            database: None,
            schema: "public".into(),
            table: table.into(),
            column: column.into(),
            class: class.into(),
        }
    }

    #[test]
    fn a_pattern_masks_every_column_of_its_name_and_what_is_named_keeps_its_class() {
        let catalogue = fixture::catalogue();
        let mut any = spec("*", "ssn", "us_ssn");
        any.schema = "*".into();
        let masked = MaskedColumns::build(&[any.clone()], &catalogue);
        assert!(masked.field(fixture::CUSTOMERS, 4).is_some());
        assert!(masked.unresolved().is_empty());
        let named = spec("customers", "ssn", "email");
        let masked = MaskedColumns::build(&[any.clone(), named], &catalogue);
        assert_eq!(masked.field(fixture::CUSTOMERS, 4).unwrap().class, "email");
    }

    #[test]
    fn reports_what_resolves_to_nothing() {
        let catalogue = fixture::catalogue();
        let mut elsewhere = spec("nothing", "x", "email");
        elsewhere.database = Some("other".into());
        let specs = [
            spec("customers", "ssn", "us_ssn"),
            spec("customer", "ssn", "us_ssn"),
            spec("customers", "snn", "us_ssn"),
            elsewhere,
        ];
        let masked = MaskedColumns::build(&specs, &catalogue);
        assert_eq!(masked.unresolved().len(), 2);
        assert!(masked.field(fixture::CUSTOMERS, 4).is_some());
        // Whatever was renamed is looked for in all of the relation.
        let masked = MaskedColumns::build(&[spec("customers", "snn", "us_ssn")], &catalogue);
        assert!(masked.touches(fixture::CUSTOMERS));
        assert_eq!(masked.read_by_view(fixture::CUSTOMERS).len(), 1);
    }

    #[test]
    fn partitions_and_parents_share_a_mask_by_name() {
        let catalogue = fixture::catalogue();
        for named in ["events", "events_2026", "events_2025"] {
            let masked = MaskedColumns::build(&[spec(named, "who", "email")], &catalogue);
            for (oid, number) in [
                (fixture::EVENTS, 2),
                (fixture::EVENTS_2026, 3),
                (fixture::EVENTS_2025, 2),
            ] {
                let field = masked.field(oid, number);
                assert_eq!(
                    field.map(|f| f.class.as_str()),
                    Some("email"),
                    "{named} {oid}"
                );
            }
        }
    }

    #[test]
    fn two_classes_for_one_column_are_reported_and_the_first_stays() {
        let catalogue = fixture::catalogue();
        let specs = [
            spec("events", "who", "email"),
            spec("events_2026", "who", "phone"),
        ];
        let masked = MaskedColumns::build(&specs, &catalogue);
        assert!(
            masked
                .unresolved()
                .iter()
                .any(|u| matches!(u, Unresolved::Class { .. }))
        );
        assert_eq!(
            masked
                .field(fixture::EVENTS_2026, 3)
                .map(|f| f.class.as_str()),
            Some("email")
        );
    }

    #[test]
    fn a_view_over_a_masked_column_is_tainted() {
        let catalogue = fixture::catalogue();
        let masked = MaskedColumns::build(&[spec("customers", "ssn", "us_ssn")], &catalogue);
        assert_eq!(masked.read_by_view(fixture::VIEW_SSN).len(), 1);
        assert!(masked.read_by_view(fixture::VIEW_NAMES).is_empty());
    }

    #[test]
    fn a_view_whose_own_columns_are_listed_is_masked_there_instead() {
        let catalogue = fixture::catalogue();
        let listed = [
            spec("customers", "ssn", "us_ssn"),
            spec("customer_ssns", "s", "us_ssn"),
        ];
        let masked = MaskedColumns::build(&listed, &catalogue);
        assert!(masked.read_by_view(fixture::VIEW_SSN).is_empty());
        assert!(masked.field(fixture::VIEW_SSN, 2).is_some());
        let other_class = [
            spec("customers", "ssn", "us_ssn"),
            spec("customer_ssns", "s", "email"),
        ];
        let masked = MaskedColumns::build(&other_class, &catalogue);
        assert_eq!(masked.read_by_view(fixture::VIEW_SSN).len(), 1);
    }
}

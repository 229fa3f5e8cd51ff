//! A small catalogue for tests: customers with masked columns, orders, partitions, views.

use crate::action::RelationKind;
use crate::classify::sql::catalogue::{Catalogue, Column, Relation, SearchPath};
use crate::mask::columns::{MaskSpec, MaskedColumns};
use std::sync::Arc;

pub(crate) const CUSTOMERS: u32 = 1001;
pub(crate) const ORDERS: u32 = 1002;
pub(crate) const EVENTS: u32 = 1003;
pub(crate) const EVENTS_2025: u32 = 1004;
pub(crate) const EVENTS_2026: u32 = 1005;
pub(crate) const ARCHIVE: u32 = 1006;
pub(crate) const VIEW_SSN: u32 = 1101;
pub(crate) const VIEW_NAMES: u32 = 1102;

pub(crate) fn relation(oid: u32, name: &str, columns: &[(&str, u32)]) -> Relation {
    Relation {
        oid,
        schema: "public".into(),
        name: name.into(),
        kind: RelationKind::Table,
        columns: columns
            .iter()
            .enumerate()
            .map(|(i, (name, type_oid))| Column {
                number: i16::try_from(i + 1).unwrap(),
                name: (*name).into(),
                type_oid: *type_oid,
                type_modifier: -1,
                generated_from: Vec::new(),
            })
            .collect(),
        ..Relation::default()
    }
}

pub(crate) fn catalogue() -> Catalogue {
    let people = &[
        ("id", 20),
        ("name", 25),
        ("email", 25),
        ("ssn", 25),
        ("card", 25),
    ];
    let mut all = vec![
        relation(CUSTOMERS, "customers", people),
        relation(
            ORDERS,
            "orders",
            &[
                ("id", 20),
                ("customer_id", 20),
                ("total", 1700),
                ("note", 25),
            ],
        ),
        relation(ARCHIVE, "customers_archive", people),
    ];
    let mut events = relation(EVENTS, "events", &[("id", 20), ("who", 25), ("at", 1184)]);
    events.children = vec![EVENTS_2025, EVENTS_2026];
    let mut e25 = relation(
        EVENTS_2025,
        "events_2025",
        &[("id", 20), ("who", 25), ("at", 1184)],
    );
    e25.parents = vec![EVENTS];
    let mut e26 = relation(
        EVENTS_2026,
        "events_2026",
        &[("at", 1184), ("id", 20), ("who", 25)],
    );
    e26.parents = vec![EVENTS];
    let mut view = relation(VIEW_SSN, "customer_ssns", &[("id", 20), ("s", 25)]);
    view.kind = RelationKind::View;
    view.view_reads = vec![(CUSTOMERS, 1), (CUSTOMERS, 4)];
    let mut names = relation(VIEW_NAMES, "customer_names", &[("id", 20), ("name", 25)]);
    names.kind = RelationKind::View;
    names.view_reads = vec![(CUSTOMERS, 1), (CUSTOMERS, 2)];
    all.extend([events, e25, e26, view, names]);
    let mut out = Catalogue {
        version: 1,
        database: "app".into(),
        schemas: vec!["public".into()],
        ..Catalogue::default()
    };
    for relation in all {
        let relation = Arc::new(relation);
        out.relations.insert(
            (relation.schema.clone(), relation.name.clone()),
            Arc::clone(&relation),
        );
        out.by_oid.insert(relation.oid, relation);
    }
    out
}

pub(crate) fn path() -> SearchPath {
    SearchPath(vec!["pg_catalog".into(), "public".into()])
}

pub(crate) fn masked(catalogue: &Catalogue) -> MaskedColumns {
    let specs: Vec<MaskSpec> = [
        ("email", "email"),
        ("ssn", "us_ssn"),
        ("card", "payment_card"),
    ]
    .iter()
    .map(|(column, class)| MaskSpec {
        database: None,
        schema: "public".into(),
        table: "customers".into(),
        column: (*column).into(),
        class: (*class).into(),
    })
    .collect();
    MaskedColumns::build(&specs, catalogue)
}

//! The catalogue queries on a real server. Needs `BRATTICE_TEST_POSTGRES`, a connection string of a superuser;
//! `BRATTICE_BLESS=1` writes `world.json` anew.

use crate::world::WORLD;
use brattice_core::classify::sql::catalogue::{Catalogue, Major, SearchPath};
use brattice_core::classify::sql::{CatalogueError, Part, Rows, queries};
use std::process::Command;

fn psql(server: &str, database: &str, sql: &str) -> Result<Rows, String> {
    let output = Command::new("psql")
        .arg(format!("{server} dbname={database}"))
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
        .args([
            "-F",
            "\u{1f}",
            "-R",
            "\u{1e}",
            "-P",
            "null=\u{1}",
            "-c",
            sql,
        ])
        .output()
        .map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).map_err(|e| e.to_string())?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let cell = |c: &str| (c != "\u{1}").then(|| c.to_owned());
    Ok(text
        .split('\u{1e}')
        .map(|row| row.split('\u{1f}').map(cell).collect())
        .collect())
}

fn fetch(server: &str, database: &str, major: Major, before: &str) -> Vec<Rows> {
    queries(major)
        .parts
        .iter()
        .map(|(part, sql)| {
            psql(server, database, &format!("{before}{sql}"))
                .unwrap_or_else(|e| panic!("{part:?}: {e}"))
        })
        .collect()
}

/// The catalogue of the database that `BRATTICE_TEST_POSTGRES` names by `world`, if it is set.
pub fn live_catalogue() -> Option<(Catalogue, Major)> {
    let (server, major) = server()?;
    let rows = fetch(&server, "app", major, "");
    Some((
        Catalogue::from_rows(&queries(major), &rows).expect("a catalogue"),
        major,
    ))
}

/// Runs a script on the server that `BRATTICE_TEST_POSTGRES` names.
pub fn run(database: &str, sql: &str) -> Result<Rows, String> {
    let server = std::env::var("BRATTICE_TEST_POSTGRES").map_err(|e| e.to_string())?;
    psql(&server, database, sql)
}

fn server() -> Option<(String, Major)> {
    let server = std::env::var("BRATTICE_TEST_POSTGRES").ok()?;
    let version = psql(&server, "postgres", "SHOW server_version_num").expect("the server answers");
    let number: u16 = version[0][0].as_deref()?.get(..2)?.parse().ok()?;
    Some((server, Major(number)))
}

#[test]
#[ignore = "needs a server: BRATTICE_TEST_POSTGRES"]
fn reads_the_catalogue_of_a_real_server() {
    let (server, major) = server().expect("BRATTICE_TEST_POSTGRES is set");
    let database = format!("brattice_world_{}", std::process::id());
    psql(&server, "postgres", &format!("CREATE DATABASE {database}")).expect("creates");
    psql(&server, &database, include_str!("world.sql")).expect("world.sql loads");
    let rows = fetch(&server, &database, major, "");
    // Nothing in the path, or in front of pg_catalog, changes what the queries mean.
    let traps = "SET client_min_messages = error; CREATE SCHEMA IF NOT EXISTS trap; \
        CREATE OR REPLACE FUNCTION trap.concat(text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'trapped' $$;";
    psql(&server, &database, traps).expect("sets traps");
    let hostile = "SET search_path = trap, evil, pg_catalog, pg_temp; ";
    let trapped = fetch(&server, &database, major, hostile);
    let path = psql(&server, &database, &queries(major).path).expect("path");
    let before = psql(&server, &database, &queries(major).fingerprint).expect("fingerprint");
    psql(
        &server,
        &database,
        "ALTER TABLE public.log RENAME message TO text",
    )
    .expect("renames");
    let after = psql(&server, &database, &queries(major).fingerprint).expect("fingerprint");
    psql(&server, "postgres", &format!("DROP DATABASE {database}")).expect("drops");

    assert_eq!(SearchPath::from_rows(&path).0, ["pg_catalog", "public"]);
    assert_ne!(before, after, "a renamed column shows in the fingerprint");
    let catalogue = Catalogue::from_rows(&queries(major), &rows).expect("a catalogue");
    let customers = &catalogue.relations[&("public".to_owned(), "customers".to_owned())];
    assert_eq!(customers.unique_keys.len(), 2);
    assert_eq!(customers.estimated_rows, Some(500));
    let again = Catalogue::from_rows(&queries(major), &trapped).expect("a catalogue");
    assert_eq!(again.relations.len(), catalogue.relations.len());
    assert_eq!(
        again.functions["refund"][0].signature,
        "refund(uuid,numeric)"
    );
    if std::env::var("BRATTICE_BLESS").is_ok() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/classify/world.json");
        let mut rows = rows;
        // The database's name is not part of the world.
        rows[1][0][0] = Some("app".to_owned());
        std::fs::write(path, serde_json::to_string(&rows).expect("JSON")).expect("writes");
    }
}

#[test]
fn takes_no_catalogue_that_changed_while_it_was_read() {
    let queries = queries(Major(15));
    let mut rows: Vec<Rows> = serde_json::from_str(WORLD).expect("JSON");
    rows.last_mut().expect("rows")[0][0] = Some("another".to_owned());
    let read = Catalogue::from_rows(&queries, &rows);
    assert_eq!(read.err(), Some(CatalogueError::Changed));
    let short = Catalogue::from_rows(&queries, &rows[..3]);
    assert_eq!(short.err(), Some(CatalogueError::Unreadable(Part::OwnCode)));
}

#[test]
fn views_know_the_base_columns_they_read() {
    let catalogue = &*crate::world::CATALOGUE;
    let relation = |name: &str| &catalogue.relations[&("public".to_owned(), name.to_owned())];
    let customers = relation("customers").oid;
    assert_eq!(
        relation("customer_names").view_reads,
        [(customers, 1), (customers, 2)]
    );
    // Through another view, and by whole row.
    assert_eq!(
        relation("names_again").view_reads,
        [(customers, 1), (customers, 2)]
    );
    assert_eq!(
        relation("names_again").views_below,
        [relation("customer_names").oid]
    );
    assert!(
        relation("customer_ssns")
            .view_reads
            .contains(&(customers, 0))
    );
}

#[test]
fn shows_the_targets_own_code() {
    let catalogue = &*crate::world::CATALOGUE;
    let shown: Vec<String> = catalogue
        .own_code
        .iter()
        .map(|c| format!("{} {} {}", c.kind, c.relation, c.name))
        .collect();
    assert!(
        shown.contains(&"trigger public.customers customers_cleanup".to_owned()),
        "{shown:?}"
    );
    assert!(shown.contains(&"rule public.ruled ruled_delete".to_owned()));
    assert!(shown.contains(&"policy public.orders mine".to_owned()));
}

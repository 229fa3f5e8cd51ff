//! The catalogue that the corpus speaks of, from the rows that PostgreSQL 15 gave.

use brattice_core::classify::sql::catalogue::{Catalogue, Major};
use brattice_core::classify::sql::{Rows, queries};
use std::sync::LazyLock;

/// The rows of `world.sql`'s database.
pub const WORLD: &str = include_str!("world.json");

/// The catalogue of `world.sql`'s database.
pub static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let rows: Vec<Rows> = serde_json::from_str(WORLD).expect("world.json is JSON");
    Catalogue::from_rows(&queries(Major(15)), &rows).expect("world.json is a catalogue")
});

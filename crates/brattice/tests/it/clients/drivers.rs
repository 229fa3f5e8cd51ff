//! Python's drivers and what is built on them.

use super::python;
use crate::world::{World, majors};

#[test]
fn psycopg_works_in_every_mode() {
    for major in majors() {
        python(&World::of(major), include_str!("psycopg3.py"));
    }
}

#[test]
fn psycopg2_works() {
    python(&World::of(18), include_str!("psycopg2_.py"));
}

#[test]
fn asyncpg_works_with_its_introspection() {
    for major in majors() {
        python(&World::of(major), include_str!("asyncpg_.py"));
    }
}

#[test]
fn sqlalchemy_reflects_and_queries() {
    for major in majors() {
        python(&World::of(major), include_str!("sqlalchemy_.py"));
    }
}

#[test]
fn django_inspects_and_queries() {
    python(&World::of(18), include_str!("django_.py"));
}

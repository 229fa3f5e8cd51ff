//! Clients that people use, as they come: each does the same straight at the server and through the gateway, as an agent
//! that may only read, and must not be able to tell the difference.
//!
//! Here live running them and comparing. Their scripts stand beside this file.

mod drivers;
mod psql;
mod rust;
mod upstream;

use crate::world::{READER, SHOP, Who, World};
use brattice_testkit::client::{self, Said};
use brattice_testkit::wire::Login;
use std::process::Command;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(60);

/// What a program said, straight and through the gateway, is the same.
#[track_caller]
fn same(world: &World, who: Who, input: &str, program: impl Fn(&Login) -> Command) -> Said {
    let run = |login: &Login| client::run(program(login), input, WITHIN).unwrap();
    let direct = run(&world.direct());
    let through = run(&world.through(who, SHOP));
    assert!(direct.is_good(), "directly: {direct:?}");
    assert!(through.is_good(), "through the gateway: {through:?}");
    for (n, (expected, got)) in direct.out.lines().zip(through.out.lines()).enumerate() {
        assert_eq!(expected, got, "line {n}; it also said:\n{}", through.err);
    }
    assert_eq!(
        direct.out.lines().count(),
        through.out.lines().count(),
        "{}",
        through.err
    );
    through
}

/// A Python script through the READER's eyes.
#[track_caller]
fn python(world: &World, script: &str) {
    same(world, READER, script, client::python);
}

//! Waiting on the open connection, and every way in which it ends.

use super::{answer, approve, comes_to, hold, hold_query, note, play, state, ticket_in, world};
use crate::world::{DBA, PROD, SHOP, WRITER, World};
use brattice_testkit::client::{Running, psql};
use brattice_testkit::wire::{Wire, WireError, frames};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(10);
const SET_A: &str = "UPDATE notes SET text = 'A' WHERE id = 1";

#[test]
fn held_commands_wait_and_end_cleanly() {
    for major in crate::world::majors() {
        play(
            &world(major),
            &[
                ("approved by REST, in the same connection", approved),
                ("approved from the command line, in the same psql", by_cli),
                ("denied, and the connection goes on", denied),
                ("Ctrl-C ends the question", cancelled),
                ("leaving ends the question", left),
                ("the last of two askers ends the question", last_of_two),
                ("a batch is held whole", batch),
                ("a hold stands before Bind", extended),
                ("a pipeline goes on after it", pipeline),
                ("COPY from the client is held before its data", copy_in),
                ("without a rule nothing is held", nothing_held),
            ],
        );
    }
}

fn approved(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    let id = hold_query(&mut wire, SET_A);
    assert_eq!(note(world, 1), "one", "it ran before anybody answered");
    approve(world, DBA, &id);
    let said = wire.until_ready().unwrap();
    assert_eq!(said.completed(), ["UPDATE 1"], "{said:?}");
    assert_eq!(note(world, 1), "A");
    assert_eq!(state(world, &id), "consumed");
    // The next one asks anew.
    assert_ne!(hold_query(&mut wire, SET_A), id);
}

fn by_cli(world: &World) {
    let login = world.through(WRITER, PROD);
    let mut client = Running::start(psql(&world.postgres.bin("psql"), &login)).unwrap();
    client
        .write("UPDATE notes SET text = 'B' WHERE id = 2;\n")
        .unwrap();
    let heard = client.hears("held for approval ", SOON).unwrap();
    let id = heard.split("approval ").nth(1).unwrap();
    let id = id.split(' ').next().unwrap();
    assert!(
        heard.contains("http"),
        "no place to decide it is named: {heard}"
    );
    let token = world.token(DBA);
    let show = world
        .gateway
        .cli(&["approvals", "show", id, "--format", "json"], &token)
        .unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&show.stdout).unwrap();
    let action = shown["action"].as_str().unwrap();
    let yes = ["approvals", "approve", id, "--action", action];
    let said = world.gateway.cli(&yes, &token).unwrap();
    assert!(said.status.success(), "{said:?}");
    client.write("SELECT 'still ' || 'here';\n\\q\n").unwrap();
    assert!(client.reads("still here", SOON).is_some());
    client.close();
    assert!(client.wait(SOON).is_good());
    assert_eq!(note(world, 2), "B");
}

fn denied(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    let id = hold_query(&mut wire, SET_A);
    assert_eq!(answer(world, DBA, &id, false).status, 200);
    let said = wire.until_ready().unwrap();
    assert_eq!(said.sqlstate(), "42501", "{said:?}");
    assert!(format!("{said:?}").contains("by a test"), "{said:?}");
    assert_eq!(wire.query("SELECT 1").unwrap().texts(), ["1"]);
    assert_eq!(note(world, 1), "one");
    assert_eq!(state(world, &id), "denied");
    assert_eq!(answer(world, DBA, &id, true).status, 409);
}

fn cancelled(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    let (pid, secret) = wire.cancel_key().unwrap();
    let id = hold_query(&mut wire, SET_A);
    let mut other = Wire::open(world.gateway.port()).unwrap();
    other.send(&frames::cancel(pid, &secret)).unwrap();
    let said = wire.until_ready().unwrap();
    assert_eq!(said.sqlstate(), "57014", "{said:?}");
    assert_eq!(said.ready(), "I");
    comes_to(world, &id, "not_run");
    assert_eq!(answer(world, DBA, &id, true).status, 409);
    assert_eq!(wire.query("SELECT 1").unwrap().texts(), ["1"]);
    assert_eq!(note(world, 1), "one");
}

fn left(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    let id = hold_query(&mut wire, SET_A);
    wire.vanish();
    comes_to(world, &id, "not_run");
    assert_eq!(answer(world, DBA, &id, true).status, 409);
    assert_eq!(note(world, 1), "one");
}

fn last_of_two(world: &World) {
    let mut first = world.connect(WRITER, PROD);
    let mut second = world.connect(WRITER, PROD);
    let id = hold_query(&mut first, SET_A);
    assert_eq!(
        hold_query(&mut second, SET_A),
        id,
        "the same question is asked twice"
    );
    let here = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop_role'";
    let before = world.ask(here);
    first.vanish();
    // The gateway has heard it when it has left the server too.
    let by = Instant::now() + SOON;
    while world.ask(here) == before {
        assert!(Instant::now() < by, "who left is still at the server");
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut third = world.connect(WRITER, PROD);
    assert_eq!(hold_query(&mut third, SET_A), id);
    assert_eq!(state(world, &id), "pending");
    approve(world, DBA, &id);
    let said = [second.until_ready().unwrap(), third.until_ready().unwrap()];
    let ran = said
        .iter()
        .filter(|s| s.completed() == ["UPDATE 1"])
        .count();
    assert_eq!(ran, 1, "one yes was good for {ran}: {said:?}");

    let mut first = world.connect(WRITER, PROD);
    let mut second = world.connect(WRITER, PROD);
    let id = hold_query(&mut first, "DELETE FROM notes WHERE id = 3");
    assert_eq!(
        hold_query(&mut second, "DELETE FROM notes WHERE id = 3"),
        id
    );
    first.vanish();
    second.vanish();
    comes_to(world, &id, "not_run");
    assert_eq!(note(world, 3), "three");
}

fn batch(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    let id = hold_query(
        &mut wire,
        "SELECT 1; UPDATE notes SET text = 'A' WHERE id = 1; SELECT 2",
    );
    assert_eq!(note(world, 1), "one");
    approve(world, DBA, &id);
    let said = wire.until_ready().unwrap();
    assert_eq!(said.completed(), ["SELECT 1", "UPDATE 1", "SELECT 1"]);
    assert_eq!(note(world, 1), "A");
}

fn extended(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    let sql = b"UPDATE notes SET text = $1 WHERE id = 1";
    let id = hold(&mut wire, &frames::extended(sql, &[Some(b"A")], 0));
    assert_eq!(note(world, 1), "one");
    let shown = super::look(world, DBA, &id).json();
    assert_eq!(shown["parameters"], serde_json::json!(["A"]));
    approve(world, DBA, &id);
    let said = wire.until_ready().unwrap();
    assert_eq!(said.completed(), ["UPDATE 1"], "{said:?}");
    assert_eq!(note(world, 1), "A");
}

fn pipeline(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    let mut burst = frames::step("SELECT 'before'", &[]);
    burst.extend(frames::step(SET_A, &[]));
    burst.extend(frames::step("SELECT 'after'", &[]));
    burst.extend(frames::sync());
    let id = hold(&mut wire, &burst);
    approve(world, DBA, &id);
    let said = wire.until_ready().unwrap();
    assert_eq!(said.sqlstate(), "", "{said:?}");
    assert!(said.completed().contains(&"UPDATE 1".to_owned()));
    assert!(said.texts().contains(&"after".to_owned()), "{said:?}");
    assert_eq!(note(world, 1), "A");
    // Refused in the middle, nothing of it is left.
    let mut burst = frames::step("SELECT 'before'", &[]);
    burst.extend(frames::step(
        "UPDATE notes SET text = 'C' WHERE id = 1",
        &[],
    ));
    burst.extend(frames::step("SELECT 'after'", &[]));
    burst.extend(frames::sync());
    let id = hold(&mut wire, &burst);
    assert_eq!(answer(world, DBA, &id, false).status, 200);
    let said = wire.until_ready().unwrap();
    assert_eq!(said.sqlstate(), "42501", "{said:?}");
    assert!(!said.texts().contains(&"after".to_owned()), "{said:?}");
    assert_eq!(said.ready(), "I");
    assert_eq!(note(world, 1), "A");
}

fn copy_in(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    let id = hold_query(&mut wire, "COPY notes FROM STDIN");
    approve(world, DBA, &id);
    let begun = wire.until_ready().unwrap();
    assert!(begun.tags().ends_with('G'), "{begun:?}");
    let mut data = frames::copy_data(b"7\tseven\n");
    data.extend(frames::copy_done());
    let said = wire.ask(&data).unwrap();
    assert_eq!(said.completed(), ["COPY 1"], "{said:?}");
    assert_eq!(note(world, 7), "seven");
    let id = hold_query(&mut wire, "COPY notes FROM STDIN");
    assert_eq!(answer(world, DBA, &id, false).status, 200);
    let said = wire.until_ready().unwrap();
    assert_eq!(said.sqlstate(), "42501", "{said:?}");
    assert!(!said.tags().contains('G'), "{said:?}");
}

fn nothing_held(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    assert_eq!(
        wire.query("SELECT text FROM notes WHERE id = 1")
            .unwrap()
            .texts(),
        ["one"]
    );
    let mut wire = world.connect(WRITER, SHOP);
    assert_eq!(wire.query(SET_A).unwrap().completed(), ["UPDATE 1"]);
    assert_eq!(note(world, 1), "A");
}

#[test]
fn a_stopped_gateway_leaves_its_questions_as_not_run() {
    let mut world = world(18);
    let mut wire = world.connect(WRITER, PROD);
    let waiting = hold_query(&mut wire, SET_A);
    let mut other = world.connect(WRITER, super::QUICK);
    let said = other.query("UPDATE notes SET text = 'T' WHERE id = 2");
    let ticket = ticket_in(&said.unwrap());
    approve(&world, DBA, &ticket);
    world.gateway.kill();
    assert!(matches!(
        wire.until_ready(),
        Err(WireError::Closed(_) | WireError::Io(_))
    ));
    world.gateway.start_again().unwrap();
    assert_eq!(state(&world, &waiting), "not_run");
    assert_eq!(answer(&world, DBA, &waiting, true).status, 409);
    assert_eq!(note(&world, 1), "one");
    // What was approved before is still good, once.
    let sql = "UPDATE notes SET text = 'T' WHERE id = 2";
    let again = |world: &World| world.connect(WRITER, super::QUICK).query(sql).unwrap();
    assert_eq!(again(&world).completed(), ["UPDATE 1"]);
    assert_eq!(note(&world, 2), "T");
    world.gateway.kill();
    world.gateway.start_again().unwrap();
    assert_ne!(again(&world).sqlstate(), "");
    assert_eq!(state(&world, &ticket), "consumed");
}

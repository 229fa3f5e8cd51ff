//! Tickets: refused now, and good once for the identical command when approved.

use super::{BRIEF, QUICK, approve, comes_to, note, play, state, ticket_in, world};
use crate::world::{DBA, PROD, WRITER, World};
use brattice_testkit::client::Running;
use brattice_testkit::wire::Wire;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Barrier;
use std::time::Duration;

const SET_A: &str = "UPDATE notes SET text = 'A' WHERE id = 1";

#[test]
fn a_ticket_is_good_once() {
    for major in crate::world::majors() {
        play(
            &world(major),
            &[
                ("on another connection, exactly once", once),
                ("of many who race, one", race),
                ("at once where a transaction has written", in_transaction),
                ("at once where rows are locked", locked),
                ("waits where nothing was written", read_only_transaction),
                ("a denied one is nothing", denied_is_nothing),
                ("nobody answers an expired question", expired_unanswered),
                ("an approved one expires as well", expired_unused),
                ("none is used while the store is away", store_away),
            ],
        );
    }
}

fn once(world: &World) {
    let mut first = world.connect(WRITER, QUICK);
    let said = first.query(SET_A).unwrap();
    let id = ticket_in(&said);
    assert_eq!(state(world, &id), "pending");
    // Asked again it is the same question, and still not run.
    assert_eq!(ticket_in(&first.query(SET_A).unwrap()), id);
    drop(first);
    approve(world, DBA, &id);
    let mut second = world.connect(WRITER, QUICK);
    let said = second.query(SET_A).unwrap();
    assert_eq!(said.completed(), ["UPDATE 1"], "{said:?}");
    assert_eq!(note(world, 1), "A");
    let again = second.query(SET_A).unwrap();
    assert_ne!(ticket_in(&again), id);
    assert_eq!(state(world, &id), "consumed");
}

fn race(world: &World) {
    let add = "UPDATE notes SET text = text || '+' WHERE id = 2";
    let said = world.connect(WRITER, QUICK).query(add).unwrap();
    approve(world, DBA, &ticket_in(&said));
    let connections: Vec<Wire> = (0..6).map(|_| world.connect(WRITER, QUICK)).collect();
    let start = Barrier::new(connections.len());
    let ran: usize = std::thread::scope(|scope| {
        let racers: Vec<_> = connections
            .into_iter()
            .map(|mut wire| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    usize::from(wire.query(add).unwrap().completed() == ["UPDATE 1"])
                })
            })
            .collect();
        racers.into_iter().map(|r| r.join().unwrap()).sum()
    });
    assert_eq!(ran, 1);
    assert_eq!(note(world, 2), "two+");
}

fn in_transaction(world: &World) {
    // What comes first must be approved itself, so the transaction writes with a ticket of its own.
    let first = "UPDATE notes SET text = 'first' WHERE id = 3";
    let said = world.connect(WRITER, QUICK).query(first).unwrap();
    approve(world, DBA, &ticket_in(&said));
    let mut wire = world.connect(WRITER, QUICK);
    assert_eq!(wire.query("BEGIN").unwrap().ready(), "T");
    assert_eq!(wire.query(first).unwrap().completed(), ["UPDATE 1"]);
    let said = wire.query(SET_A).unwrap();
    let notices = said.notices();
    assert!(
        notices.iter().all(|n| !n.message().starts_with("held for")),
        "it waited with locks held: {said:?}"
    );
    let id = ticket_in(&said);
    assert_eq!(said.ready(), "E", "{said:?}");
    let locks = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                 WHERE c.relname = 'notes' AND l.mode = 'RowExclusiveLock'";
    assert_eq!(wire.query("ROLLBACK").unwrap().ready(), "I");
    assert_eq!(world.ask(locks), "0");
    assert_eq!(note(world, 3), "three");
    approve(world, DBA, &id);
    assert_eq!(wire.query(SET_A).unwrap().completed(), ["UPDATE 1"]);
}

fn locked(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    wire.query("BEGIN").unwrap();
    let lock = "SELECT text FROM notes WHERE id = 2 FOR UPDATE";
    // Locking rows is held itself; with nothing locked yet it waits.
    let id = super::hold_query(&mut wire, lock);
    approve(world, DBA, &id);
    assert_eq!(wire.until_ready().unwrap().texts(), ["two"]);
    let said = wire.query(SET_A).unwrap();
    ticket_in(&said);
    assert_eq!(said.ready(), "E");
    assert_eq!(note(world, 1), "one");
}

fn read_only_transaction(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    wire.query("BEGIN").unwrap();
    wire.query("SELECT text FROM notes").unwrap();
    let id = super::hold_query(&mut wire, SET_A);
    approve(world, DBA, &id);
    assert_eq!(wire.until_ready().unwrap().completed(), ["UPDATE 1"]);
    assert_eq!(wire.query("COMMIT").unwrap().ready(), "I");
    assert_eq!(note(world, 1), "A");
}

fn denied_is_nothing(world: &World) {
    let mut wire = world.connect(WRITER, QUICK);
    let id = ticket_in(&wire.query(SET_A).unwrap());
    assert_eq!(super::answer(world, DBA, &id, false).status, 200);
    comes_to(world, &id, "denied");
    let said = wire.query(SET_A).unwrap();
    assert_ne!(ticket_in(&said), id);
    assert_eq!(note(world, 1), "one");
}

fn expired_unanswered(world: &World) {
    let mut wire = world.connect(WRITER, BRIEF);
    let id = ticket_in(&wire.query(SET_A).unwrap());
    comes_to(world, &id, "expired");
    assert_eq!(super::answer(world, DBA, &id, true).status, 409);
    assert_ne!(ticket_in(&wire.query(SET_A).unwrap()), id);
    assert_eq!(note(world, 1), "one");
}

fn expired_unused(world: &World) {
    let mut wire = world.connect(WRITER, BRIEF);
    let id = ticket_in(&wire.query(SET_A).unwrap());
    approve(world, DBA, &id);
    comes_to(world, &id, "expired");
    assert_ne!(ticket_in(&wire.query(SET_A).unwrap()), id);
    assert_eq!(note(world, 1), "one");
}

/// Somebody else's transaction keeps the store from being written.
fn store_away(world: &World) {
    let mut wire = world.connect(WRITER, QUICK);
    let id = ticket_in(&wire.query(SET_A).unwrap());
    approve(world, DBA, &id);
    let lock = "import sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute('BEGIN IMMEDIATE')
print('locked', flush=True)
sys.stdin.read()";
    let mut command = Command::new("python3");
    command.args(["-c", lock]).arg(store_file(world));
    let mut locker = Running::start(command).unwrap();
    locker.reads("locked", Duration::from_secs(10)).unwrap();
    let said = wire.query(SET_A).unwrap();
    assert_eq!(said.sqlstate(), "58000", "{said:?}");
    assert_eq!(
        note(world, 1),
        "one",
        "it ran on an approval that was not used up"
    );
    locker.close();
    assert!(locker.wait(Duration::from_secs(10)).is_good());
    assert_eq!(wire.query(SET_A).unwrap().completed(), ["UPDATE 1"]);
    assert_eq!(state(world, &id), "consumed");
}

fn store_file(world: &World) -> PathBuf {
    let files = std::fs::read_dir(world.gateway.data_dir()).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let mut stores = paths.filter(|path| path.extension().is_some_and(|e| e == "db"));
    stores.next().unwrap()
}

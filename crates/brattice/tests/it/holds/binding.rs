//! What an approval is bound to: nothing else than exactly what was asked passes on it.

use super::{PROD, QUICK, approve, note, play, state, ticket_in, world};
use crate::world::{DBA, WRITER, Who, World};
use brattice_testkit::wire::{Answer, Wire, frames};
use serde_json::json;

/// Another agent in the same groups.
const OTHER: Who = Who {
    name: "writer-2",
    kind: "agent",
    groups: &["agents", "writers"],
};
const SET_A: &str = "UPDATE notes SET text = 'A' WHERE id = 1";

#[test]
fn an_approval_passes_nothing_else() {
    play(
        &world(18),
        &[
            ("other text, target, database, path, agent, chain", others),
            ("other parameters and formats", parameters),
            ("other rules", other_rules),
        ],
    );
}

/// Refused, and not run.
fn is_held(world: &World, what: &str, said: &Answer, id: &str) {
    let held = said.errors().first().and_then(|e| e.told("approval"));
    assert!(
        said.completed().is_empty() && held.as_deref() != Some(id),
        "{what} passed on another's approval: {said:?}"
    );
    assert_eq!(note(world, 1), "one", "{what} changed the row: {said:?}");
    assert_eq!(state(world, id), "approved", "{what} used the approval up");
}

fn others(world: &World) {
    world.ask("CREATE SCHEMA IF NOT EXISTS evil");
    world.ask("CREATE TABLE IF NOT EXISTS evil.notes (LIKE public.notes)");
    world.ask("GRANT ALL ON SCHEMA evil TO PUBLIC; GRANT ALL ON evil.notes TO PUBLIC");
    let mut wire = world.connect(WRITER, QUICK);
    let id = ticket_in(&wire.query(SET_A).unwrap());
    approve(world, DBA, &id);
    for text in [
        "UPDATE notes SET text = 'B' WHERE id = 1",
        "UPDATE notes SET text = 'A' WHERE id = 1 ",
        "UPDATE notes SET text = 'A' WHERE id = 1;",
        "update notes SET text = 'A' WHERE id = 1",
        "UPDATE notes SET text = 'A' WHERE id = 1 -- x",
        "UPDATE public.notes SET text = 'A' WHERE id = 1",
        "UPDATE notes SET text = 'A' WHERE id = 1; UPDATE notes SET text = 'A' WHERE id = 2",
    ] {
        let said = world.connect(WRITER, QUICK).query(text).unwrap();
        is_held(world, text, &said, &id);
    }
    let mut plain = world.connect(WRITER, QUICK);
    let path = wire.query("SET search_path = public, evil").unwrap();
    assert_eq!(path.completed(), ["SET"], "{path:?}");
    let said = wire.query(SET_A).unwrap();
    is_held(world, "another search_path", &said, &id);
    let said = world.connect(OTHER, QUICK).query(SET_A).unwrap();
    is_held(world, "another agent", &said, &id);
    let said = another_database(world).query(SET_A).unwrap();
    is_held(world, "another database", &said, &id);
    let mut elsewhere = world.connect(WRITER, PROD);
    let asked = super::hold_query(&mut elsewhere, SET_A);
    assert_ne!(asked, id, "another target shares the question");
    elsewhere.vanish();
    let on_behalf = world
        .idp
        .token(crate::world::now())
        .claim("sub", DBA.name)
        .claim("kind", DBA.kind)
        .claim("groups", json!(DBA.groups))
        .claim(
            "act",
            json!({ "sub": WRITER.name, "kind": "agent", "groups": WRITER.groups }),
        )
        .sign()
        .unwrap();
    let login = world.gateway.login(&on_behalf, &format!("{QUICK}/app"));
    // A chain that may not even connect has not passed either.
    if let Ok(mut wire) = Wire::connect(&login) {
        let said = wire.query(SET_A).unwrap();
        is_held(world, "another chain", &said, &id);
    }
    let said = plain.query(SET_A).unwrap();
    assert_eq!(said.completed(), ["UPDATE 1"], "its own use: {said:?}");
    assert_eq!(note(world, 1), "A");
}

fn another_database(world: &World) -> Wire {
    let table = "CREATE TABLE IF NOT EXISTS notes (id int, text text)";
    world.postgres.psql("postgres", table).unwrap();
    let login = world
        .gateway
        .login(&world.token(WRITER), &format!("{QUICK}/postgres"));
    Wire::connect(&login).unwrap()
}

fn parameters(world: &World) {
    let sql = b"UPDATE notes SET text = $1 WHERE id = 1";
    let send = |value: Option<&[u8]>, format: i16| {
        let mut wire = world.connect(WRITER, QUICK);
        let mut bytes = frames::parse("", sql, &[25]);
        bytes.extend(frames::bind_of("", "", &[format], &[value], &[]));
        bytes.extend(frames::execute("", 0));
        bytes.extend(frames::sync());
        wire.ask(&bytes).unwrap()
    };
    let id = ticket_in(&send(Some(b"A"), 0));
    approve(world, DBA, &id);
    for (what, value, format) in [
        ("another value", Some(b"B".as_slice()), 0),
        ("a longer value", Some(b"A ".as_slice()), 0),
        ("no value", Some(b"".as_slice()), 0),
        ("NULL", None, 0),
        ("the same bytes in another format", Some(b"A".as_slice()), 1),
    ] {
        is_held(world, what, &send(value, format), &id);
    }
    let simple = world.connect(WRITER, QUICK).query(SET_A).unwrap();
    is_held(world, "a simple query that does the same", &simple, &id);
    assert_eq!(send(Some(b"A"), 0).completed(), ["UPDATE 1"]);
    assert_eq!(note(world, 1), "A");
}

fn other_rules(world: &World) {
    let mut wire = world.connect(WRITER, QUICK);
    let id = ticket_in(&wire.query(SET_A).unwrap());
    approve(world, DBA, &id);
    let file = "policies/shop.cedar";
    let before = world.gateway.read(file).unwrap();
    let reload = |text: &str| {
        world.gateway.write(file, text).unwrap();
        let token = world.token(crate::world::SECURITY);
        let reply = world.gateway.reload(&token).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    // The rule says something else now, so nobody has said yes to it.
    reload(&before.replace("wait for a DBA.", "wait for a DBA!"));
    let said = wire.query(SET_A).unwrap();
    is_held(world, "a rule with another text", &said, &id);
    // What is forbidden now no approval lifts.
    let hard = before.replace("@approval(\"dev/dba\")\n@message", "@message");
    assert_ne!(hard, before);
    reload(&hard);
    let said = wire.query(SET_A).unwrap();
    is_held(world, "what is forbidden since", &said, &id);
    reload(&before);
    assert_eq!(wire.query(SET_A).unwrap().completed(), ["UPDATE 1"]);
}

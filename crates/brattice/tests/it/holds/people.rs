//! Who may answer, and whether their answer still counts when it is used.

use super::{PROD, QUICK, answer, approve, hold_query, look, note, play, state, ticket_in, world};
use crate::world::{AUDITOR, DBA, OTHER_DBA, READER, SECURITY, WRITER, Who, World};

const SET_A: &str = "UPDATE notes SET text = 'A' WHERE id = 1";
const CLEAR: &str = "DELETE FROM notes";

#[test]
fn only_those_asked_answer_and_only_while_they_may() {
    play(
        &world(18),
        &[
            ("the asker, other agents and other people do not", others),
            ("two different people where two are asked", two),
            ("nobody twice", twice),
            ("a hash that was not looked at", another_hash),
            ("an approver who left the group before the use", demoted),
            ("the first of two who left the group", first_of_two_demoted),
            ("an approver who was revoked before the use", revoked),
            ("a policy that lets them approve no more", policy_changed),
            ("what is shown of a hostile text", hostile_text),
        ],
    );
}

fn others(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    let id = hold_query(&mut wire, SET_A);
    let user = |name, groups| Who {
        name,
        kind: "user",
        groups,
    };
    for who in [
        WRITER,
        READER,
        AUDITOR,
        SECURITY,
        user("nobody", &["writers"]),
        user("writer-1", &["writers"]),
        Who {
            name: "agent-dba",
            kind: "agent",
            groups: &["dba"],
        },
    ] {
        for yes in [true, false] {
            let status = answer(world, who, &id, yes).status;
            assert!((400..500).contains(&status), "{} got {status}", who.name);
        }
        assert_eq!(state(world, &id), "pending", "{} changed it", who.name);
    }
    approve(world, DBA, &id);
    assert_eq!(wire.until_ready().unwrap().completed(), ["UPDATE 1"]);
}

fn two(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    let id = hold_query(&mut wire, CLEAR);
    approve(world, DBA, &id);
    assert_eq!(state(world, &id), "pending");
    assert_eq!(note(world, 1), "one");
    approve(world, OTHER_DBA, &id);
    let said = wire.until_ready().unwrap();
    assert_eq!(said.completed(), ["DELETE 3"], "{said:?}");
}

fn twice(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    let id = hold_query(&mut wire, CLEAR);
    approve(world, DBA, &id);
    assert_eq!(answer(world, DBA, &id, true).status, 409);
    assert_eq!(answer(world, DBA, &id, false).status, 409);
    assert_eq!(state(world, &id), "pending");
    assert_eq!(note(world, 1), "one");
}

fn another_hash(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    let id = hold_query(&mut wire, SET_A);
    let path = format!("/api/v1/approvals/{id}/approve");
    let body = serde_json::json!({ "action": "0".repeat(64) });
    let token = world.token(DBA);
    let reply = world.gateway.api("POST", &path, &token, Some(&body));
    assert_eq!(reply.unwrap().status, 409);
    assert_eq!(state(world, &id), "pending");
}

/// The same person, who proves here that they are in other groups now.
fn is_seen_as(world: &World, who: Who) {
    let token = world.token(who);
    let reply = world.gateway.api("GET", "/api/v1/whoami", &token, None);
    assert_eq!(reply.unwrap().status, 200);
}

fn demoted(world: &World) {
    let mut wire = world.connect(WRITER, QUICK);
    let id = ticket_in(&wire.query(SET_A).unwrap());
    approve(world, OTHER_DBA, &id);
    is_seen_as(
        world,
        Who {
            groups: &["guests"],
            ..OTHER_DBA
        },
    );
    let said = wire.query(SET_A).unwrap();
    assert!(said.completed().is_empty(), "{said:?}");
    assert_eq!(note(world, 1), "one");
    assert_eq!(state(world, &id), "not_run", "{said:?}");
    // Somebody else's yes is good.
    let id = ticket_in(&wire.query(SET_A).unwrap());
    approve(world, DBA, &id);
    assert_eq!(wire.query(SET_A).unwrap().completed(), ["UPDATE 1"]);
}

fn first_of_two_demoted(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    let id = hold_query(&mut wire, CLEAR);
    approve(world, OTHER_DBA, &id);
    is_seen_as(
        world,
        Who {
            groups: &[],
            ..OTHER_DBA
        },
    );
    approve(world, DBA, &id);
    let said = wire.until_ready().unwrap();
    assert!(said.completed().is_empty(), "{said:?}");
    assert_eq!(note(world, 1), "one");
}

fn revoked(world: &World) {
    let leaver = Who {
        name: "leaver",
        ..DBA
    };
    let mut wire = world.connect(WRITER, QUICK);
    let id = ticket_in(&wire.query(SET_A).unwrap());
    approve(world, leaver, &id);
    let token = world.token(SECURITY);
    let revoke = ["agents", "revoke", "dev/leaver", "--user"];
    let said = world.gateway.cli(&revoke, &token).unwrap();
    assert!(said.status.success(), "{said:?}");
    let said = wire.query(SET_A).unwrap();
    assert!(said.completed().is_empty(), "{said:?}");
    assert_eq!(note(world, 1), "one");
    assert_eq!(state(world, &id), "not_run");
}

fn policy_changed(world: &World) {
    let mut wire = world.connect(WRITER, QUICK);
    let id = ticket_in(&wire.query(SET_A).unwrap());
    approve(world, DBA, &id);
    let file = "policies/shop.cedar";
    let before = world.gateway.read(file).unwrap();
    let reload = |text: &str| {
        world.gateway.write(file, text).unwrap();
        let reply = world.gateway.reload(&world.token(SECURITY)).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    reload(&format!(
        "{before}\n@id(\"dana-approves-no-more\")\nforbid (principal == User::\"dev/dana\", action == Action::\"approve\", resource);\n"
    ));
    let said = wire.query(SET_A).unwrap();
    assert!(said.completed().is_empty(), "{said:?}");
    assert_eq!(note(world, 1), "one");
    reload(&before);
    assert_eq!(state(world, &id), "not_run");
}

fn hostile_text(world: &World) {
    let mut wire = world.connect(WRITER, PROD);
    let hostile = "/* \u{202e}\u{1b}[2J\u{7} <script> */ UPDATE notes SET text = 'A' WHERE id = 1";
    let id = hold_query(&mut wire, hostile);
    let token = world.token(DBA);
    for arguments in [
        vec!["approvals", "show", id.as_str()],
        vec!["approvals", "list"],
    ] {
        let said = world.gateway.cli(&arguments, &token).unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        assert!(said.status.success());
        let live = text
            .chars()
            .find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(live, None, "{arguments:?} prints it live: {text:?}");
    }
    let shown = look(world, DBA, &id).json();
    assert_eq!(shown["text"], hostile, "the text is not complete");
    wire.vanish();
    // Blank lines do not push the command out of sight: all of it is kept, and the hash is shown first.
    let mut wire = world.connect(WRITER, PROD);
    let long = format!("{}{SET_A}", "\n".repeat(900_000));
    let id = hold_query(&mut wire, &long);
    let said = world.gateway.cli(&["approvals", "show", &id], &token);
    let text = String::from_utf8(said.unwrap().stdout).unwrap();
    assert!(text.contains(SET_A), "the command is out of sight");
    assert!(
        text.lines().count() < 1000,
        "{} lines are printed",
        text.lines().count()
    );
}

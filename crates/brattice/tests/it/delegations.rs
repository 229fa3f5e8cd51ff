//! A person lets an agent act for them: what the agent gets by it, and what ends that.

use crate::holds::{answer, hold_query, state};
use crate::records::{export_lines, log_dir};
use crate::world::{DBA, PROD, READER, SECURITY, SHOP, WRITER, Who, World};
use brattice_testkit::gateway::Reply;
use brattice_testkit::postgres::PostgresOptions;
use brattice_testkit::wire::Wire;
use serde_json::{Value, json};
use std::process::Output;
use std::time::{Duration, Instant};

const CUT_MAX: Duration = Duration::from_secs(2);
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const DELEGATION: &str = "urn:brattice:params:oauth:token-type:delegation";

/// Reads, writes and approves.
const PAT: Who = Who {
    name: "pat",
    kind: "user",
    groups: &["agents", "writers", "dba"],
};

fn run(world: &World, token: &str, words: &[&str]) -> Output {
    let words: Vec<&str> = words.iter().copied().chain(["--format", "json"]).collect();
    world.gateway.cli(&words, token).unwrap()
}

fn give(world: &World, person: Who, to: &str, more: &[&str]) -> Output {
    let words = [
        "delegate",
        "--to",
        to,
        "--target",
        SHOP,
        "--reason",
        "on leave\u{1b}[2J",
    ];
    let words: Vec<&str> = words.iter().chain(more).copied().collect();
    run(world, &world.token(person), &words)
}

/// Gives a delegation; its id.
fn given(world: &World, person: Who, to: &str, more: &[&str]) -> String {
    let said = give(world, person, to, more);
    assert!(said.status.success(), "{said:?}");
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    said["delegation"]["id"].as_str().unwrap().to_owned()
}

fn trade(world: &World, actor: &str, id: &str, more: &[(&str, &str)]) -> Reply {
    let mut fields = vec![
        ("grant_type", GRANT),
        ("subject_token", id),
        ("subject_token_type", DELEGATION),
        ("actor_token", actor),
        ("actor_token_type", ACCESS),
    ];
    fields.extend(more);
    world.gateway.form("/oauth/token", &fields).unwrap()
}

/// The agent's token for a delegation.
fn traded(world: &World, who: Who, id: &str) -> String {
    let said = run(
        world,
        &world.token(who),
        &["token", "exchange", "--delegation", id],
    );
    assert!(said.status.success(), "{said:?}");
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    said["access_token"].as_str().unwrap().to_owned()
}

fn open(world: &World, token: &str, target: &str) -> Option<Wire> {
    Wire::connect(&world.gateway.login(token, &format!("{target}/app"))).ok()
}

const READS: &[&str] = &["--effects", "read", "--for", "1h"];
const WRITES: &[&str] = &["--effects", "read,write", "--for", "1h"];

#[test]
fn an_agent_acts_for_a_person_within_what_was_delegated() {
    let world = World::of(18);
    let id = given(&world, PAT, "dev/writer-1", READS);
    let token = traded(&world, WRITER, &id);
    let mut wire = open(&world, &token, SHOP).unwrap();
    assert_eq!(
        wire.query("SELECT count(*) FROM notes").unwrap().texts(),
        ["3"]
    );
    // Both may write by the rules, and neither may see more than masks: it was not delegated.
    let said = wire.query("INSERT INTO notes VALUES (80, 'x')").unwrap();
    assert!(format!("{said:?}").contains("brattice.scope"), "{said:?}");
    assert!(
        open(&world, &token, PROD).is_none(),
        "it opens another target"
    );
    let who = world
        .gateway
        .api("GET", "/api/v1/whoami", &token, None)
        .unwrap()
        .json();
    let chain: Vec<&Value> = who["chain"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["id"])
        .collect();
    assert_eq!(chain, [&json!("dev/writer-1"), &json!("dev/pat")]);
    assert_eq!(who["lineage"][0], id.as_str());
    // Every link is judged: an agent that may not write does not come to it by a person who may.
    let id = given(&world, PAT, "dev/reader-1", WRITES);
    let mut wire = open(&world, &traded(&world, READER, &id), SHOP).unwrap();
    let said = wire.query("INSERT INTO notes VALUES (81, 'x')").unwrap();
    assert_eq!(said.sqlstate(), "42501", "{said:?}");
    // Nothing wider comes of it, and it lives no longer than it.
    let agent = world.token(READER);
    for more in [
        &[("scope", "execute")][..],
        &[("audience", PROD)],
        &[("scope", "class:us_ssn")],
    ] {
        assert_eq!(
            trade(&world, &agent, &id, more).json()["error"],
            "invalid_scope",
            "{more:?}"
        );
    }
    let brief = given(
        &world,
        PAT,
        "dev/reader-1",
        &["--effects", "read", "--for", "3s"],
    );
    let reply = trade(&world, &agent, &brief, &[("lifetime", "900")]).json();
    assert!(reply["expires_in"].as_u64().unwrap() <= 3, "{reply}");
    std::thread::sleep(Duration::from_millis(3100));
    assert_eq!(
        trade(&world, &agent, &brief, &[]).json()["error"],
        "invalid_grant"
    );
    let entries = export_lines(&log_dir(&world));
    let has = |what: &dyn Fn(&Value) -> bool| assert!(entries.iter().any(what), "{entries:#?}");
    has(&|e| e["act"] == "delegation.create" && e["object"] == "agent:dev/writer-1");
    has(&|e| {
        e["act"] == "token.exchange"
            && e["allowed"] == true
            && e["details"].as_str().unwrap().contains(&id)
    });
    has(&|e| {
        e["act"] == "token.exchange"
            && e["allowed"] == false
            && e["details"].as_str().unwrap().contains(&brief)
    });
}

#[test]
fn nobody_uses_what_was_not_given_to_them() {
    let world = World::of(18);
    let id = given(&world, PAT, "dev/writer-1", READS);
    let refused = |actor: &str, id: &str| trade(&world, actor, id, &[]).json()["error"].clone();
    let none = "dlg_0123456789abcdef";
    let (other, own) = (world.token(READER), world.token(WRITER));
    assert_eq!(refused(&other, &id), "invalid_grant");
    assert_eq!(refused(&own, none), "invalid_grant");
    assert_eq!(
        trade(&world, &other, &id, &[]).text(),
        trade(&world, &own, none, &[]).text()
    );
    // The person, a worker of the agent, and one of the same name who is a person.
    assert_eq!(refused(&world.token(PAT), &id), "invalid_grant");
    let twin = Who {
        kind: "user",
        ..WRITER
    };
    assert_eq!(refused(&world.token(twin), &id), "invalid_grant");
    let worker = run(&world, &own, &["token", "exchange", "--worker", "w1"]);
    let worker: Value = serde_json::from_slice(&worker.stdout).unwrap();
    assert_eq!(
        refused(worker["access_token"].as_str().unwrap(), &id),
        "invalid_grant"
    );
    // Without the agent's token, or with its token in the wrong place, the id is worth nothing.
    let bare = [
        ("grant_type", GRANT),
        ("subject_token", &*id),
        ("subject_token_type", DELEGATION),
    ];
    assert_eq!(
        world.gateway.form("/oauth/token", &bare).unwrap().json()["error"],
        "invalid_request"
    );
    let swapped = [
        ("grant_type", GRANT),
        ("subject_token", &*own),
        ("subject_token_type", ACCESS),
        ("actor_token", &*id),
        ("actor_token_type", DELEGATION),
    ];
    assert_eq!(
        world.gateway.form("/oauth/token", &swapped).unwrap().json()["error"],
        "invalid_request"
    );
    assert!(open(&world, &id, SHOP).is_none(), "the id opens a session");
    // Agents give none, nor does a token that was traded, for a person or by one.
    assert_eq!(
        give(&world, WRITER, "dev/reader-1", READS).status.code(),
        Some(4)
    );
    let chained = traded(&world, WRITER, &id);
    let narrowed = run(
        &world,
        &world.token(PAT),
        &["token", "exchange", "--effects", "read"],
    );
    let narrowed: Value = serde_json::from_slice(&narrowed.stdout).unwrap();
    for token in [&*chained, narrowed["access_token"].as_str().unwrap()] {
        let words = [
            "delegate",
            "--to",
            "dev/reader-1",
            "--target",
            SHOP,
            "--effects",
            "read",
            "--for",
            "1h",
            "--reason",
            "x",
        ];
        assert_eq!(run(&world, token, &words).status.code(), Some(4));
    }
    // Whoever may not end it does not see it.
    let list = |who: Who| {
        let said = run(&world, &world.token(who), &["delegations", "list"]);
        let said: Value = serde_json::from_slice(&said.stdout).unwrap();
        said["delegations"].as_array().unwrap().len()
    };
    assert_eq!(
        (list(PAT), list(WRITER), list(READER), list(DBA)),
        (1, 1, 0, 0)
    );
    for who in [WRITER, READER, DBA] {
        let said = run(&world, &world.token(who), &["delegations", "end", &id]);
        assert!(!said.status.success(), "{} ended it", who.name);
    }
    assert_eq!(
        give(&world, PAT, "nowhere/agent", READS).status.code(),
        Some(1)
    );
    assert_eq!(
        give(
            &world,
            PAT,
            "dev/reader-1",
            &["--effects", "read", "--for", "9999h"]
        )
        .status
        .code(),
        Some(2)
    );
}

#[test]
fn who_delegates_does_not_approve_what_is_done_for_them() {
    let world = crate::holds::world(18);
    let words = [
        "delegate",
        "--to",
        "dev/writer-1",
        "--target",
        PROD,
        "--effects",
        "read,write",
        "--for",
        "1h",
        "--reason",
        "x",
    ];
    let said = run(&world, &world.token(PAT), &words);
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let token = traded(&world, WRITER, said["delegation"]["id"].as_str().unwrap());
    let mut wire = open(&world, &token, PROD).unwrap();
    let id = hold_query(&mut wire, "UPDATE notes SET text = 'own' WHERE id = 1");
    let status = answer(&world, PAT, &id, true).status;
    assert!((400..500).contains(&status), "approved their own: {status}");
    assert_eq!(state(&world, &id), "pending");
    assert_eq!(world.ask("SELECT text FROM notes WHERE id = 1"), "one");
    assert_eq!(answer(&world, DBA, &id, true).status, 200);
    assert_eq!(wire.until_ready().unwrap().completed(), ["UPDATE 1"]);
}

/// Each way in which a delegation ends, with an open session by it.
#[test]
fn its_end_ends_what_came_of_it() {
    let mut world = World::of(18);
    let end = |world: &World, id: &str| run(world, &world.token(PAT), &["delegations", "end", id]);
    let by_security = |world: &World, words: &[&str]| run(world, &world.token(SECURITY), words);
    type End<'a> = (&'a str, &'a dyn Fn(&World, &str) -> Output);
    let ways: [End; 5] = [
        ("by the person", &end),
        ("by who may suspend the agent", &|w, id| {
            by_security(w, &["delegations", "end", id])
        }),
        ("its tokens are revoked", &|w, id| {
            by_security(w, &["agents", "revoke", "--chain", id])
        }),
        ("the agent is revoked", &|w, _| {
            by_security(w, &["agents", "revoke", "dev/writer-1"])
        }),
        ("the person is revoked", &|w, _| {
            by_security(w, &["agents", "revoke", "--user", "dev/pat"])
        }),
    ];
    for (what, way) in ways {
        let id = given(&world, PAT, "dev/writer-1", READS);
        let token = traded(&world, WRITER, &id);
        let mut wire = open(&world, &token, SHOP).unwrap();
        assert_eq!(wire.query("SELECT 1").unwrap().texts(), ["1"]);
        let begun = Instant::now();
        let said = way(&world, &id);
        assert!(said.status.success(), "{what}: {said:?}");
        assert!(
            wire.closes(CUT_MAX.saturating_sub(begun.elapsed())),
            "{what}: the session is open"
        );
        assert!(
            open(&world, &token, SHOP).is_none(),
            "{what}: the token counts"
        );
        // The clocks may differ by thirty seconds, so that a fresh proof of whoever was revoked does not count at once.
        let reply = trade(&world, &world.token(WRITER), &id, &[]);
        assert_eq!(
            reply.json()["error"],
            "invalid_grant",
            "{what}: {}",
            reply.text()
        );
        if what.contains("agent is revoked") {
            // What proves them from now on counts again; nothing that was delegated does.
            world = World::of(18);
        }
    }
    // Nor after a restart.
    let mut world = World::of(18);
    let id = given(&world, PAT, "dev/writer-1", READS);
    let token = traded(&world, WRITER, &id);
    assert!(end(&world, &id).status.success());
    world.gateway.kill();
    world.gateway.start_again().unwrap();
    assert!(open(&world, &token, SHOP).is_none());
    assert_eq!(
        trade(&world, &world.token(WRITER), &id, &[]).json()["error"],
        "invalid_grant"
    );
}

#[test]
fn groups_are_those_of_a_proof_that_is_not_too_old() {
    let world = World::start(PostgresOptions::of(18), |bundle| {
        bundle
            .more
            .push_str("[limits]\ndelegation_proof_age_max = \"5s\"\n\n");
    });
    let id = given(&world, PAT, "dev/writer-1", WRITES);
    let mut wire = open(&world, &traded(&world, WRITER, &id), SHOP).unwrap();
    let insert = "INSERT INTO notes VALUES (82, 'x')";
    assert_eq!(wire.query(insert).unwrap().completed(), ["INSERT 0 1"]);
    std::thread::sleep(Duration::from_secs(6));
    let reply = trade(&world, &world.token(WRITER), &id, &[]);
    assert_eq!(
        reply.json()["error"],
        "invalid_grant",
        "an old proof counts: {}",
        reply.text()
    );
    // The person signs in again, and is no writer any more: nor is who acts for them.
    let left = Who {
        groups: &["agents"],
        ..PAT
    };
    let seen = world
        .gateway
        .api("GET", "/api/v1/whoami", &world.token(left), None);
    assert_eq!(seen.unwrap().status, 200);
    let mut wire = open(&world, &traded(&world, WRITER, &id), SHOP).unwrap();
    let said = wire.query("INSERT INTO notes VALUES (83, 'x')").unwrap();
    assert_eq!(said.sqlstate(), "42501", "{said:?}");
}

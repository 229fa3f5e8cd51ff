//! Tokens of the gateway's own: an orchestrator that gives each of its workers less than it has itself.
//!
//! The oracle of what a token can do is the server; of what it says, anybody with the published keys.

use crate::holds::comes_to;
use crate::records::{export_lines, log_dir};
use crate::world::{DBA, PROD, READER, SECURITY, SHOP, WRITER, Who, World};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_testkit::gateway::Reply;
use brattice_testkit::wire::{Wire, WireError};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

fn trade(world: &World, token: &str, more: &[(&str, &str)]) -> Reply {
    let mut fields = vec![
        ("grant_type", GRANT),
        ("subject_token", token),
        ("subject_token_type", ACCESS),
    ];
    fields.extend(more);
    world.gateway.form("/oauth/token", &fields).unwrap()
}

fn traded(world: &World, token: &str, more: &[(&str, &str)]) -> String {
    let reply = trade(world, token, more);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

fn open(world: &World, token: &str, target: &str) -> Result<Wire, WireError> {
    Wire::connect(&world.gateway.login(token, &format!("{target}/app")))
}

#[test]
fn a_worker_has_what_it_was_given_and_nothing_else() {
    let world = World::of(18);
    let parent = world.token(WRITER);
    // The parent itself writes, on both targets.
    let mut own = open(&world, &parent, SHOP).unwrap();
    let insert = |n: u32| format!("INSERT INTO notes VALUES ({n}, 'by a worker')");
    assert_eq!(own.query(&insert(50)).unwrap().completed(), ["INSERT 0 1"]);
    let asked = [("worker", "w1"), ("audience", SHOP), ("scope", "read")];
    let worker = traded(&world, &parent, &asked);
    let mut wire = open(&world, &worker, SHOP).unwrap();
    assert_eq!(
        wire.query("SELECT count(*) FROM notes").unwrap().texts(),
        ["4"]
    );
    let refused = wire.query(&insert(51)).unwrap();
    assert_eq!(refused.sqlstate(), "42501", "{refused:?}");
    assert!(
        format!("{refused:?}").contains("brattice.scope"),
        "{refused:?}"
    );
    assert_eq!(world.ask("SELECT count(*) FROM notes WHERE id = 51"), "0");
    assert!(
        open(&world, &worker, PROD).is_err(),
        "it opens another target"
    );
    // A credential minted with it is as narrow.
    let mint = ["credential", "create", PROD, "--ttl", "5m"];
    assert!(!world.gateway.cli(&mint, &worker).unwrap().status.success());
    // Nothing wider comes of it, by whatever way.
    for more in [
        &[("scope", "read write")][..],
        &[("scope", "write")],
        &[("audience", PROD)],
        &[("worker", "w2"), ("scope", "write")],
    ] {
        let reply = trade(&world, &worker, more);
        assert_eq!(
            reply.json()["error"],
            "invalid_scope",
            "{more:?}: {}",
            reply.text()
        );
    }
    // The record names the whole chain, and the server's own log names the worker.
    let chain = "agent:brattice/dev/writer-1/w1 for agent:dev/writer-1";
    let entries = export_lines(&log_dir(&world));
    let named = |e: &&Value| {
        e["kind"] == "session_opened" && e.to_string().contains("brattice/dev/writer-1/w1")
    };
    assert!(
        entries.iter().any(|e| named(&e)),
        "the session's record names no worker"
    );
    let issued = entries
        .iter()
        .find(|e| e.to_string().contains("token.exchange"));
    assert!(issued.unwrap().to_string().contains(chain), "{issued:?}");
    assert!(
        !entries.iter().any(|e| e.to_string().contains(&worker)),
        "the token is on record"
    );
}

#[test]
fn classes_can_be_taken_away_from_who_may_see_them() {
    let world = World::of(18);
    let owner = world.token(crate::world::OWNER);
    let select = "SELECT ssn FROM customers WHERE id = 1";
    let shows = |token: &str| {
        open(&world, token, SHOP)
            .unwrap()
            .query(select)
            .unwrap()
            .texts()
    };
    assert_eq!(shows(&owner), ["219-09-9991"]);
    let with = traded(&world, &owner, &[("scope", "class:us_ssn")]);
    assert_eq!(shows(&with), ["219-09-9991"]);
    let without = traded(&world, &owner, &[("scope", "class:payment_card")]);
    assert_eq!(shows(&without), ["[masked:us_ssn]"]);
    let mut wire = open(&world, &without, SHOP).unwrap();
    for sql in [
        "SELECT id FROM customers WHERE ssn = '219-09-9991'",
        "SELECT reverse(ssn) FROM customers",
    ] {
        let said = wire.query(sql).unwrap();
        assert!(
            format!("{said:?}").contains("brattice.scope"),
            "{sql}: {said:?}"
        );
    }
}

#[test]
fn what_was_delegated_ends_with_who_delegated_it() {
    let world = World::of(18);
    let parent = world.token(READER);
    let worker = traded(&world, &parent, &[("worker", "w1")]);
    let below = traded(&world, &worker, &[("worker", "w2"), ("scope", "read")]);
    let stranger = world.token(WRITER);
    let mut ends: Vec<Wire> = [&parent, &worker, &below]
        .map(|token| open(&world, token, SHOP).unwrap())
        .into();
    let mut stays = open(&world, &stranger, SHOP).unwrap();
    let revoke = ["agents", "revoke", "dev/reader-1", "--reason", "by a test"];
    let said = world.gateway.cli(&revoke, &world.token(SECURITY)).unwrap();
    assert!(said.status.success(), "{said:?}");
    for wire in &mut ends {
        assert!(
            wire.closes(Duration::from_secs(2)),
            "a session of the chain goes on"
        );
    }
    assert_eq!(stays.query("SELECT 1").unwrap().texts(), ["1"]);
    for token in [&worker, &below] {
        assert!(
            open(&world, token, SHOP).is_err(),
            "a token of the chain still opens"
        );
        assert_eq!(trade(&world, token, &[]).json()["error"], "invalid_grant");
    }
}

#[test]
fn a_token_or_a_whole_provider_can_be_ended() {
    let world = World::of(18);
    let parent = world.token(READER);
    let one = traded(&world, &parent, &[("worker", "w1")]);
    let below = traded(&world, &one, &[("worker", "w2")]);
    let other = traded(&world, &parent, &[("worker", "w3")]);
    let id = |token: &str| {
        let who = world
            .gateway
            .api("GET", "/api/v1/whoami", token, None)
            .unwrap();
        who.json()["token_id"].as_str().unwrap().to_owned()
    };
    let revoke = |what: &[&str]| {
        let said = [&["agents", "revoke"], what].concat();
        let said = world.gateway.cli(&said, &world.token(SECURITY)).unwrap();
        assert!(said.status.success(), "{said:?}");
    };
    let mut gone = [&one, &below].map(|token| open(&world, token, SHOP).unwrap());
    let mut stay = [&parent, &other].map(|token| open(&world, token, SHOP).unwrap());
    revoke(&["--chain", &id(&one)]);
    assert!(
        gone.iter_mut().all(|w| w.closes(Duration::from_secs(2))),
        "it goes on"
    );
    assert!(
        stay.iter_mut().all(|w| w.query("SELECT 1").is_ok()),
        "too much was ended"
    );
    assert!(open(&world, &below, SHOP).is_err());
    assert!(open(&world, &other, SHOP).is_ok());
    revoke(&["--issuer", "dev"]);
    assert!(
        stay.iter_mut().all(|w| w.closes(Duration::from_secs(2))),
        "it goes on"
    );
    assert!(open(&world, &other, SHOP).is_err());
    assert!(open(&world, &parent, SHOP).is_err());
}

#[test]
fn an_agent_acts_for_a_person_with_both_ones_rights_only() {
    let world = World::of(18);
    // A person who may connect and nothing else; the agent reads.
    let (person, agent) = (world.token(DBA), world.token(READER));
    let actor = [
        ("actor_token", agent.as_str()),
        ("actor_token_type", ACCESS),
    ];
    let both = traded(&world, &person, &actor);
    let mut wire = open(&world, &both, SHOP).unwrap();
    let said = wire.query("SELECT count(*) FROM notes").unwrap();
    assert_eq!(
        said.sqlstate(),
        "42501",
        "more than the person may: {said:?}"
    );
    let whoami = world
        .gateway
        .api("GET", "/api/v1/whoami", &both, None)
        .unwrap();
    let chain = &whoami.json()["chain"];
    assert_eq!(chain[0]["id"], "dev/reader-1", "{chain}");
    assert_eq!(chain[1]["id"], "dev/dana", "{chain}");
    // Nobody approves what is done in their own name.
    let writer = world.token(WRITER);
    let reader_writer = Who {
        name: "dana",
        kind: "user",
        groups: &["dba", "agents", "writers"],
    };
    let actor = [
        ("actor_token", writer.as_str()),
        ("actor_token_type", ACCESS),
    ];
    let held = traded(&world, &world.token(reader_writer), &actor);
    let mut wire = open(&world, &held, PROD).unwrap();
    let id = crate::holds::hold_query(&mut wire, "UPDATE notes SET text = 'x' WHERE id = 1");
    let answer = crate::holds::answer(&world, DBA, &id, true);
    assert_eq!(answer.status, 403, "{}", answer.text());
    wire.vanish();
    comes_to(&world, &id, "not_run");
}

#[test]
fn a_token_is_proven_by_the_published_keys_and_by_nothing_else() {
    let mut world = World::of(18);
    let token = traded(&world, &world.token(READER), &[("scope", "read")]);
    let server = "/.well-known/oauth-authorization-server";
    let document = world.gateway.api("GET", server, "", None).unwrap().json();
    let given = document["grant_types_supported"].as_array().unwrap();
    assert!(given.contains(&GRANT.into()), "{given:?}");
    let keys = world.gateway.api("GET", "/oauth/jwks", "", None).unwrap();
    // Somebody else's implementation of JWT.
    let check = "import jwt, sys
token, keys, issuer = sys.argv[1:]
kid = jwt.get_unverified_header(token)['kid']
key = next(k for k in jwt.PyJWKSet.from_json(keys).keys if k.key_id == kid)
said = jwt.decode(token, key.key, algorithms=['ES256'], audience=issuer, issuer=issuer)
assert said['sub'] == 'dev/reader-1', said
assert said['scope'] == 'read', said";
    let said = Command::new(brattice_testkit::client::python_program())
        .args(["-c", check, &token, &keys.text()])
        .arg(document["issuer"].as_str().unwrap())
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let (head, claims) = rest.split_once('.').unwrap();
    let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert!(decoded.contains("\"read\""));
    let wider = URL_SAFE_NO_PAD.encode(decoded.replace("[\"read\"]", "[\"write\"]"));
    assert!(open(&world, &format!("{head}.{wider}.{signature}"), SHOP).is_err());
    // A restart takes neither keys nor tokens away.
    world.gateway.start_again().unwrap();
    assert!(open(&world, &token, SHOP).is_ok());
    let after = world.gateway.api("GET", "/oauth/jwks", "", None).unwrap();
    assert_eq!(after.json(), keys.json());
}

/// An address from which bad tokens come is not thereby closed to good ones.
#[test]
fn bad_tokens_do_not_shut_out_their_neighbours() {
    let world = World::of(18);
    let (own, platform) = (
        traded(&world, &world.token(READER), &[]),
        world.token(WRITER),
    );
    for n in 0..40 {
        assert!(open(&world, &format!("{platform}{n}"), SHOP).is_err());
    }
    for token in [&own, &platform, &world.token(crate::world::OWNER)] {
        assert!(open(&world, token, SHOP).is_ok());
    }
}

//! The ends that come from outside: an agent that is revoked, a credential that ends, a token that runs out, a bundle
//! that is replaced. The server itself is asked whether anything goes on.

use crate::holds::{comes_to, hold_query, world};
use crate::world::{PROD, READER, SECURITY, SHOP, WRITER, Who, World};
use brattice_testkit::postgres::PostgresOptions;
use brattice_testkit::wire::{Login, Wire, frames};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long a revocation may take to end everything.
const CUT_MAX: Duration = Duration::from_secs(2);

const DOOMED: Who = Who {
    name: "doomed-1",
    kind: "agent",
    groups: &["agents", "writers", "owners"],
};

#[test]
fn revoking_an_agent_cuts_whatever_it_is_in() {
    for major in crate::world::majors() {
        cuts_all(&world(major));
    }
}

fn cuts_all(world: &World) {
    world.ask("SET ROLE shop_role; CREATE TABLE wide AS SELECT g AS id, repeat('x', 1000) AS t FROM generate_series(1, 100000) g");
    let connect = |target| world.connect(DOOMED, target);
    let mut all: Vec<(&str, Wire)> = Vec::new();
    all.push(("idle", connect(SHOP)));
    let mut wire = connect(SHOP);
    wire.send(&frames::query(b"SELECT pg_sleep(600)")).unwrap();
    all.push(("in a query", wire));
    let mut wire = connect(SHOP);
    let begun = wire.query("COPY notes FROM STDIN").unwrap();
    assert!(begun.tags().ends_with('G'), "{begun:?}");
    wire.send(&frames::copy_data(b"500\thalf\n")).unwrap();
    all.push(("in a COPY from the client", wire));
    let mut wire = connect(SHOP);
    wire.send(&frames::query(b"COPY wide TO STDOUT")).unwrap();
    wire.until(|m| m.tag == b'd').unwrap();
    all.push(("in a COPY to the client", wire));
    let mut wire = connect(SHOP);
    wire.query("BEGIN").unwrap();
    let said = wire
        .query("UPDATE notes SET text = 'open' WHERE id = 2")
        .unwrap();
    assert_eq!(said.completed(), ["UPDATE 1"]);
    all.push(("in a transaction", wire));
    let mut wire = connect(PROD);
    let id = hold_query(&mut wire, "UPDATE notes SET text = 'held' WHERE id = 1");
    all.push(("waiting for approval", wire));
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop_role' AND state = 'active' AND query LIKE '%pg_sleep%'";
    until(|| world.ask(asleep) == "1");
    let mut neighbour = world.connect(READER, SHOP);

    let revoke = ["agents", "revoke", "dev/doomed-1"];
    let token = world.token(SECURITY);
    let begun = Instant::now();
    let said = world.gateway.cli(&revoke, &token).unwrap();
    assert!(said.status.success(), "{said:?}");
    for (what, wire) in &mut all {
        let left = CUT_MAX.saturating_sub(begun.elapsed());
        assert!(wire.closes(left), "{what}: still open");
    }
    let working = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop_role' AND (state = 'active' OR xact_start IS NOT NULL)";
    until(|| world.ask(working) == "0");
    let took = begun.elapsed();
    assert!(took < CUT_MAX * 2, "the server was at work for {took:?}");
    assert_eq!(
        world.ask("SELECT text FROM notes ORDER BY id"),
        "one\ntwo\nthree"
    );
    comes_to(world, &id, "not_run");
    // What proved it before is good for nothing, and others go on.
    let again = Wire::connect(&world.through(DOOMED, SHOP));
    assert!(
        again.is_err(),
        "a token from before the revocation is taken"
    );
    assert_eq!(neighbour.query("SELECT 1").unwrap().texts(), ["1"]);
    world.ask("DROP TABLE wide");
}

fn until(mut done: impl FnMut() -> bool) {
    let by = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < by, "it does not come to pass");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_minted_credential_ends_with_its_sessions() {
    let world = World::of(18);
    let token = world.token(READER);
    let mint = [
        "credential",
        "create",
        SHOP,
        "--ttl",
        "5m",
        "--format",
        "json",
    ];
    let said = world.gateway.cli(&mint, &token).unwrap();
    assert!(said.status.success(), "{said:?}");
    let minted: Value = serde_json::from_slice(&said.stdout).unwrap();
    let text = |name: &str| minted[name].as_str().unwrap().to_owned();
    let login = Login::new(
        world.gateway.port(),
        &text("user"),
        &text("password"),
        &text("database"),
    );
    let mut wire = Wire::connect(&login).unwrap();
    assert_eq!(
        wire.query("SELECT count(*) FROM notes").unwrap().texts(),
        ["3"]
    );
    let mut wrong = login.clone();
    wrong.password.push('x');
    assert!(Wire::connect(&wrong).is_err());
    let revoke = ["credential", "revoke", &text("user")];
    let said = world.gateway.cli(&revoke, &token).unwrap();
    assert!(said.status.success(), "{said:?}");
    assert!(wire.closes(CUT_MAX), "its session goes on");
    assert!(Wire::connect(&login).is_err(), "it still opens the target");
}

#[test]
fn a_session_ends_with_its_token_when_it_is_idle_and_not_in_a_transaction() {
    let world = World::of(18);
    let mut idle = short(&world, READER);
    let mut busy = short(&world, READER);
    assert_eq!(busy.query("BEGIN").unwrap().ready(), "T");
    let (said, closed) = idle.drain(Duration::from_secs(8));
    assert!(closed, "an idle session outlives its token: {said:?}");
    assert_eq!(said.sqlstate(), "57P01", "{said:?}");
    let said = busy.query("SELECT count(*) FROM notes").unwrap();
    assert_eq!(said.texts(), ["3"], "the grace was not given: {said:?}");
    busy.send(&frames::query(b"COMMIT")).unwrap();
    let (said, closed) = busy.drain(Duration::from_secs(8));
    assert_eq!(said.completed(), ["COMMIT"], "{said:?}");
    assert!(closed, "it goes on after its transaction: {said:?}");
}

#[test]
fn a_busy_session_outlives_its_token_only_by_the_grace_of_the_bundle() {
    let world = World::start(PostgresOptions::of(18), |bundle| {
        bundle.more.push_str("[limits]\nexpiry_grace = \"2s\"\n\n");
    });
    let mut busy = short(&world, WRITER);
    busy.query("BEGIN").unwrap();
    let said = busy.query("UPDATE notes SET text = 'late' WHERE id = 1");
    assert_eq!(said.unwrap().completed(), ["UPDATE 1"]);
    let (said, closed) = busy.drain(Duration::from_secs(12));
    assert!(closed, "it goes on after the grace: {said:?}");
    assert_eq!(said.sqlstate(), "57P01", "{said:?}");
    until(|| world.ask("SELECT count(*) FROM pg_locks WHERE relation = 'notes'::regclass") == "0");
    assert_eq!(world.ask("SELECT text FROM notes WHERE id = 1"), "one");
}

/// A session by a token that ends in four seconds. It counts for as long after its end as the clocks may differ: thirty
/// seconds, unless the bundle says less.
fn short(world: &World, who: Who) -> Wire {
    let now = crate::world::now();
    let token = world
        .idp
        .token(now - 60)
        .claim("sub", who.name)
        .claim("kind", who.kind)
        .claim("groups", serde_json::json!(who.groups))
        .claim("exp", now - 30 + 4)
        .sign()
        .unwrap();
    Wire::connect(&world.gateway.login(&token, &format!("{SHOP}/app"))).unwrap()
}

#[test]
fn a_broken_bundle_is_refused_a_hundred_times_and_the_last_good_one_stays() {
    let world = World::of(18);
    let token = world.token(SECURITY);
    let file = "policies/shop.cedar";
    let good = world.gateway.read(file).unwrap();
    let config = world.gateway.read("brattice.toml").unwrap();
    let broken = [
        (file, "permit (principal, action, resource)".to_owned()),
        (file, good.replace("dev/writers", "nowhere/writers")),
        (file, good.chars().take(good.len() / 2).collect()),
        (file, good.replace("@approval", "@aproval")),
        (
            "brattice.toml",
            config.replace("[targets.shop]", "[targets.shop"),
        ),
        (
            "brattice.toml",
            config.replace("protocol = \"postgres\"", "protocol = \"telnet\""),
        ),
        ("brattice.toml", String::new()),
    ];
    let mut reader = world.connect(READER, SHOP);
    let judged = |reader: &mut Wire, round: usize| {
        let said = reader
            .query("SELECT ssn FROM customers WHERE id = 1")
            .unwrap();
        assert_eq!(said.texts(), ["[masked:us_ssn]"], "round {round}: {said:?}");
        let said = reader.query("DELETE FROM notes").unwrap();
        assert_eq!(said.sqlstate(), "42501", "round {round}: {said:?}");
    };
    let mut applied = 0;
    for round in 0..100 {
        if round % 4 == 3 {
            let changed = format!("{good}\n// round {round}\n");
            world.gateway.write(file, &changed).unwrap();
            let reply = world.gateway.reload(&token).unwrap();
            assert_eq!(reply.status, 200, "{}", reply.text());
            applied += 1;
        } else {
            let (name, text) = &broken[round % broken.len()];
            world.gateway.write(name, text).unwrap();
            let reply = world.gateway.reload(&token).unwrap();
            assert!(
                (400..500).contains(&reply.status),
                "round {round}: {} {}",
                reply.status,
                reply.text()
            );
            world.gateway.write(file, &good).unwrap();
            world.gateway.write("brattice.toml", &config).unwrap();
        }
        judged(&mut reader, round);
    }
    assert_eq!(applied, 25);
    assert_eq!(world.ask("SELECT count(*) FROM notes"), "3");
}

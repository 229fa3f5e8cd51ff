//! Stopping targets: whatever is open on them ends, nothing opens, and only who may lets them go on.
//!
//! The server itself is asked whether anything goes on.

use crate::holds::{comes_to, hold_query, world};
use crate::records::{export_lines, log_dir};
use crate::world::{DATABASE, DBA, PROD, READER, SECURITY, SHOP, WRITER, Who, World};
use brattice_testkit::wire::{Wire, frames};
use serde_json::{Value, json};
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a freeze may take to end everything.
const CUT_MAX: Duration = Duration::from_secs(2);

fn run(world: &World, who: Who, words: &[&str]) -> Output {
    world.gateway.cli(words, &world.token(who)).unwrap()
}

/// Runs a command that is expected to be done; what it printed as JSON.
fn done(world: &World, who: Who, words: &[&str]) -> Value {
    let words: Vec<&str> = words.iter().copied().chain(["--format", "json"]).collect();
    let said = run(world, who, &words);
    assert!(said.status.success(), "{words:?}: {said:?}");
    serde_json::from_slice(&said.stdout).unwrap()
}

fn refused(world: &World, who: Who, target: &str) -> String {
    match Wire::connect(&world.through(who, target)) {
        Ok(_) => panic!("{target} is open to {}", who.name),
        Err(error) => format!("{error:?}"),
    }
}

fn until(mut done: impl FnMut() -> bool) {
    let by = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < by, "it does not come to pass");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_freeze_ends_whatever_is_open_and_only_a_thaw_lets_it_go_on() {
    for major in crate::world::majors() {
        ends_all(&mut world(major));
    }
}

fn ends_all(world: &mut World) {
    world.ask("SET ROLE shop_role; CREATE TABLE wide AS SELECT g AS id, repeat('x', 1000) AS t FROM generate_series(1, 100000) g");
    let doomed = Who {
        name: "doomed-2",
        kind: "agent",
        groups: &["agents", "writers", "owners"],
    };
    let mut all: Vec<(&str, Wire)> = Vec::new();
    all.push(("idle", world.connect(doomed, PROD)));
    let mut wire = world.connect(doomed, PROD);
    wire.send(&frames::query(b"SELECT pg_sleep(600)")).unwrap();
    all.push(("in a query", wire));
    let mut wire = world.connect(doomed, PROD);
    wire.send(&frames::query(b"COPY wide TO STDOUT")).unwrap();
    wire.until(|m| m.tag == b'd').unwrap();
    all.push(("in a COPY to the client", wire));
    let mut wire = world.connect(doomed, PROD);
    let id = hold_query(&mut wire, "UPDATE notes SET text = 'held' WHERE id = 1");
    all.push(("waiting for approval", wire));
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop_role' AND state = 'active' AND query LIKE '%pg_sleep%'";
    until(|| world.ask(asleep) == "1");
    let mut neighbour = world.connect(READER, SHOP);

    let begun = Instant::now();
    let reason = "incident 42 \u{1b}[2J\u{202e}ask #security";
    let freeze = ["freeze", "--target", PROD, "--reason", reason];
    let frozen = done(world, SECURITY, &freeze);
    assert_eq!(frozen["sessions"], 4, "{frozen}");
    let freeze = frozen["freeze"]["id"].as_str().unwrap().to_owned();
    for (what, wire) in &mut all {
        let left = CUT_MAX.saturating_sub(begun.elapsed());
        let (said, closed) = wire.drain(left);
        assert!(closed, "{what}: still open");
        let told = format!("{said:?}");
        assert!(told.contains("brattice.freeze"), "{what}: {told}");
        assert!(
            told.contains("incident 42 ⟪U+001B⟫[2J⟪U+202E⟫ask #security"),
            "{told}"
        );
    }
    let working =
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop_role' AND state = 'active'";
    until(|| world.ask(working) == "0");
    let took = begun.elapsed();
    assert!(took < CUT_MAX * 2, "the server was at work for {took:?}");
    comes_to(world, &id, "not_run");
    assert_eq!(world.ask("SELECT text FROM notes WHERE id = 1"), "one");

    let told = refused(world, READER, PROD);
    for word in ["brattice.freeze", "frozen", "dev/sasha", "incident 42"] {
        assert!(told.contains(word), "{word} is not in {told}");
    }
    // To whom the target is not open, nothing of it is told.
    let stranger = Who {
        name: "stranger",
        kind: "agent",
        groups: &["guests"],
    };
    assert!(!refused(world, stranger, PROD).contains("incident"));
    assert_eq!(neighbour.query("SELECT 1").unwrap().texts(), ["1"]);

    // Neither a restart nor another bundle lets it go on.
    world.gateway.kill();
    world.gateway.start_again().unwrap();
    assert!(refused(world, READER, PROD).contains("brattice.freeze"));
    let listed = done(world, SECURITY, &["freezes"]);
    assert_eq!(listed["freezes"][0]["reason"], reason);
    assert_eq!(listed["freezes"][0]["targets"], json!([PROD]));
    for who in [READER, WRITER, DBA] {
        let said = run(world, who, &["thaw", &freeze]);
        assert!(!said.status.success(), "{} let it go on", who.name);
    }
    done(world, SECURITY, &["thaw", &freeze, "--reason", "over"]);
    let mut again = world.connect(READER, PROD);
    assert_eq!(again.query("SELECT 1").unwrap().texts(), ["1"]);

    let entries = export_lines(&log_dir(world));
    let has = |what: &dyn Fn(&Value) -> bool| assert!(entries.iter().any(what), "{entries:#?}");
    has(&|e| {
        e["act"] == "target.freeze"
            && e["object"] == format!("target {PROD}")
            && e["details"] == reason
    });
    has(&|e| e["act"] == "target.thaw" && e["allowed"] == false);
    has(&|e| {
        e["act"] == "target.thaw"
            && e["allowed"] == true
            && e["details"].as_str().unwrap().contains("over")
    });
    has(&|e| e["kind"] == "session_closed" && e["reason"] == "frozen");
    has(&|e| e["kind"] == "login_refused" && e["code"] == "frozen");
    world.ask("DROP TABLE wide");
}

#[test]
fn only_people_whom_rules_permit_freeze() {
    let world = World::start(
        brattice_testkit::postgres::PostgresOptions::of(18),
        |bundle| {
            bundle.policies.push((
            "policies/freeze.cedar".to_owned(),
            r#"
@id("dbas-stop-tests")
permit (principal in Group::"dev/dba", action == Action::"target.freeze", resource in Label::"env=test");
@id("security-does-not-thaw-production")
forbid (principal, action == Action::"target.thaw", resource in Label::"env=production");
"#
            .to_owned(),
        ));
        },
    );
    let freeze = |who, what: &[&str]| {
        let words: Vec<&str> = ["freeze", "--reason", "x"]
            .iter()
            .chain(what)
            .copied()
            .collect();
        run(&world, who, &words).status.code()
    };
    assert_eq!(freeze(WRITER, &["--target", SHOP]), Some(4));
    assert_eq!(freeze(WRITER, &["--all"]), Some(4));
    assert_eq!(freeze(DBA, &["--target", PROD]), Some(4));
    assert_eq!(freeze(DBA, &["--label", "env=production"]), Some(4));
    // A label that is permitted, and none that some of its targets have beside it.
    assert_eq!(freeze(DBA, &["--label", "team=shop"]), Some(4));
    assert_eq!(freeze(DBA, &["--all"]), Some(4));
    assert_eq!(freeze(SECURITY, &["--target", "typo"]), Some(1));
    assert_eq!(freeze(SECURITY, &[]), Some(2));
    assert_eq!(freeze(SECURITY, &["--all", "--target", SHOP]), Some(2));
    let blank = ["freeze", "--all", "--reason", " "];
    assert_eq!(run(&world, SECURITY, &blank).status.code(), Some(2));
    let long = "x".repeat(1001);
    let long = ["freeze", "--all", "--reason", &long];
    assert_eq!(run(&world, SECURITY, &long).status.code(), Some(2));
    assert_eq!(
        done(&world, SECURITY, &["freezes"]),
        json!({ "freezes": [] })
    );
    // Nor by a token that was traded, however much its holder may.
    let traded = run(&world, SECURITY, &["token", "exchange", "--format", "json"]);
    let traded: Value = serde_json::from_slice(&traded.stdout).unwrap();
    let traded = traded["access_token"].as_str().unwrap();
    let said = world
        .gateway
        .cli(&["freeze", "--all", "--reason", "x"], traded);
    assert_eq!(said.unwrap().status.code(), Some(4));

    assert_eq!(freeze(DBA, &["--label", "env=test"]), Some(0));
    assert_eq!(
        run(&world, DBA, &["thaw", "--label", "env=test"])
            .status
            .code(),
        Some(4)
    );
    // Of everything: what holds back one target holds back all of it.
    assert_eq!(freeze(SECURITY, &["--all"]), Some(0));
    assert_eq!(
        run(&world, SECURITY, &["thaw", "--all"]).status.code(),
        Some(4)
    );
    assert_eq!(
        run(&world, SECURITY, &["thaw", "--label", "env=test"])
            .status
            .code(),
        Some(0)
    );
    assert!(refused(&world, READER, SHOP).contains("brattice.freeze"));
}

#[test]
fn a_label_stops_what_gets_it_later_and_what_had_it_before() {
    let world = World::start(
        brattice_testkit::postgres::PostgresOptions::of(18),
        |bundle| {
            for target in &mut bundle.targets {
                let zone = if target.name == PROD { "a" } else { "b" };
                target.labels.push(("zone".to_owned(), zone.to_owned()));
            }
        },
    );
    let config = world.gateway.read("brattice.toml").unwrap();
    let apply = |from: &str, to: &str| {
        let text = config.replace(from, to);
        assert_ne!(text, config);
        world.gateway.write("brattice.toml", &text).unwrap();
        let reply = world.gateway.reload(&world.token(SECURITY)).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    let mut shop = world.connect(READER, SHOP);
    done(
        &world,
        SECURITY,
        &["freeze", "--label", "zone=a", "--reason", "x"],
    );
    assert!(refused(&world, READER, PROD).contains("brattice.freeze"));
    assert_eq!(shop.query("SELECT 1").unwrap().texts(), ["1"]);
    // The label is taken away from one, and given to the other: its open session ends.
    apply("zone = \"a\"", "zone = \"c\"");
    assert!(refused(&world, READER, PROD).contains("brattice.freeze"));
    apply("zone = \"b\"", "zone = \"a\"");
    assert!(shop.closes(CUT_MAX), "it goes on under a frozen label");
    assert!(refused(&world, READER, SHOP).contains("brattice.freeze"));
    // And it stays stopped once it had the label, also over a restart.
    until(|| done(&world, SECURITY, &["freezes"])["freezes"][0]["targets"] == json!([PROD, SHOP]));
    world.gateway.write("brattice.toml", &config).unwrap();
    let reply = world.gateway.reload(&world.token(SECURITY)).unwrap();
    assert_eq!(reply.status, 200);
    assert!(refused(&world, READER, SHOP).contains("brattice.freeze"));
    done(&world, SECURITY, &["thaw", "--label", "zone=a"]);
    world.connect(READER, SHOP);
    world.connect(READER, PROD);
}

/// Sessions that open as fast as they can, while everything is frozen: none is left, and none does anything afterwards.
#[test]
fn nothing_slips_through_while_freezing() {
    let world = World::of(18);
    world.ask("SET ROLE shop_role; CREATE TABLE opened (n int)");
    let login = world.through(WRITER, SHOP);
    let full = std::env::var_os("BRATTICE_FULL").is_some_and(|v| v == "1");
    let attempts = if full { 125 } else { 20 };
    let (frozen, opened) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut kept = Vec::new();
                for _ in 0..attempts {
                    let late = frozen.load(Ordering::SeqCst);
                    let Ok(mut wire) = Wire::connect(&login) else {
                        continue;
                    };
                    opened.fetch_add(1, Ordering::SeqCst);
                    let said = wire.query("INSERT INTO opened VALUES (1)");
                    let passed = said.is_ok_and(|s| !s.completed().is_empty());
                    assert!(!(late && passed), "a statement passed after the freeze");
                    kept.push(wire);
                    if kept.len() > 3 {
                        kept.clear();
                    }
                }
                for mut wire in kept {
                    assert!(wire.closes(CUT_MAX), "a session is still open");
                }
            });
        }
        until(|| opened.load(Ordering::SeqCst) >= 20);
        done(&world, SECURITY, &["freeze", "--all", "--reason", "race"]);
        frozen.store(true, Ordering::SeqCst);
    });
    let rows = world.ask("SELECT count(*) FROM opened");
    until(|| {
        let left = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop_role' AND datname = '{DATABASE}' AND application_name LIKE 'ses_%'"
        );
        world.ask(&left) == "0"
    });
    assert_eq!(world.ask("SELECT count(*) FROM opened"), rows);
    assert!(refused(&world, READER, SHOP).contains("brattice.freeze"));
}

/// A store that cannot be read: nobody knows whether the target is frozen, so it is not open.
#[test]
fn a_store_that_cannot_be_read_lets_nobody_in() {
    let world = World::of(18);
    world.connect(READER, SHOP);
    let store = std::fs::read_dir(world.gateway.data_dir()).unwrap();
    let file = store
        .flatten()
        .map(|e| e.path())
        .find(|p| p.extension().is_some_and(|e| e == "db" || e == "sqlite"))
        .expect("the store's file");
    let said = std::process::Command::new(std::env::var("PYTHON").unwrap_or("python3".to_owned()))
        .args(["-c", "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('DROP TABLE freezes'); c.commit()"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    until(|| Wire::connect(&world.through(READER, SHOP)).is_err());
    let told = refused(&world, READER, SHOP);
    assert!(
        told.contains("brattice.store") && !told.contains("freezes"),
        "{told}"
    );
}

//! What a chain has used up, as rules read it: never less than it was, however it was used.

use crate::world::{PROD, READER, SHOP, WRITER, Who, World};
use brattice_testkit::postgres::PostgresOptions;
use brattice_testkit::wire::{Wire, WireError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long the figures may take to be kept.
const KEPT_MAX: Duration = Duration::from_secs(3);

/// A read that the rules are asked about: one that touches nothing is not.
const LOOK: &str = "SELECT n FROM tally";

const RULES: &str = r#"
@id("not-so-fast")
forbid (principal == Agent::"dev/racer-1", action in Action::"read", resource)
when { context.budget.commands_last_minute >= 20 };

@id("rows-of-a-day")
@message("Today's rows are used up.")
forbid (principal is Agent, action in Action::"read", resource in Label::"team=shop")
when { context.budget.rows_today >= 100 };

@id("bytes-of-a-day")
forbid (principal is Agent, action in Action::"read", resource in Label::"team=shop")
when { context.budget.bytes_today > 100000 };

@id("changes-of-a-day")
forbid (principal is Agent, action in Action::"write", resource in Label::"team=shop")
when { context.budget.changes_today >= 10 };

@id("those-who-push-are-stopped")
forbid (principal is Agent, action in Action::"read", resource in Label::"team=shop")
when { context.budget.denials_last_hour >= 3 };
"#;

const fn agent(name: &'static str) -> Who {
    Who {
        name,
        kind: "agent",
        groups: &["agents", "writers"],
    }
}

/// With rules besides the usual ones.
fn world(rules: &str) -> World {
    let world = World::start(PostgresOptions::of(18), |bundle| {
        bundle.policies[0].1.push_str(rules);
    });
    world.ask(
        "SET ROLE shop_role; CREATE TABLE tally (n int NOT NULL);
         CREATE VIEW wide AS SELECT g AS n, repeat('x', 3000) AS pad FROM generate_series(1, 60) g",
    );
    world
}

/// Who refuses it; empty where it passes.
fn refused_by(wire: &mut Wire, sql: &str) -> String {
    let said = wire.query(sql).unwrap();
    if said.sqlstate().is_empty() {
        return String::new();
    }
    format!("{said:?}")
}

#[test]
fn of_commands_that_race_no_more_pass_than_the_rule_says() {
    let world = world(RULES);
    let login = world.through(agent("racer-1"), SHOP);
    let passed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut wire = Wire::connect(&login).unwrap();
                for _ in 0..10 {
                    let said = wire.query("SELECT n FROM tally").unwrap();
                    if said.sqlstate().is_empty() {
                        passed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(passed.into_inner(), 20);
    // Somebody else's budget is their own.
    let mut other = world.connect(READER, SHOP);
    assert_eq!(refused_by(&mut other, "SELECT n FROM tally"), "");
}

#[test]
fn what_was_received_and_changed_counts_over_sessions_targets_and_kills() {
    let mut world = world(RULES);
    let on = |world: &World, name: &'static str, target: &str, sql: &str| {
        refused_by(&mut world.connect(agent(name), target), sql)
    };
    // Each way of receiving rows, up to the bound and never past what follows it.
    let sixty = "SELECT n FROM generate_series(1, 60) n";
    let ways: [(&'static str, &[&str]); 4] = [
        ("select-1", &[sixty, sixty]),
        (
            "copy-1",
            &["COPY (SELECT n FROM generate_series(1, 120) n) TO STDOUT"],
        ),
        (
            "cursor-1",
            &[
                "BEGIN; DECLARE c CURSOR FOR SELECT n FROM generate_series(1, 200) n; FETCH 150 FROM c; COMMIT",
            ],
        ),
        (
            "message-1",
            &["SELECT n FROM generate_series(1, 60) n; SELECT n FROM generate_series(1, 60) n"],
        ),
    ];
    for (name, statements) in ways {
        for (at, sql) in statements.iter().enumerate() {
            // Alternating targets and sessions: it is one budget.
            let target = [SHOP, PROD][at % 2];
            assert_eq!(on(&world, name, target, sql), "", "{name} {sql}");
        }
        let said = on(&world, name, SHOP, LOOK);
        assert!(said.contains("Today's rows are used up."), "{name}: {said}");
    }
    let wide = "SELECT pad FROM wide LIMIT 40";
    assert_eq!(on(&world, "bytes-1", SHOP, wide), "");
    let said = on(&world, "bytes-1", SHOP, LOOK);
    assert!(said.contains("bytes-of-a-day"), "{said}");
    for sql in [
        "INSERT INTO tally SELECT g FROM generate_series(1, 5) g",
        "UPDATE tally SET n = n WHERE n <= 3",
        "MERGE INTO tally t USING (SELECT 1 AS n) s ON t.n = s.n WHEN MATCHED THEN UPDATE SET n = t.n",
        "INSERT INTO tally VALUES (7)",
    ] {
        assert_eq!(on(&world, "writer-9", SHOP, sql), "", "{sql}");
    }
    let more = "INSERT INTO tally VALUES (8)";
    assert!(on(&world, "writer-9", SHOP, more).contains("changes-of-a-day"));
    for _ in 0..3 {
        assert!(on(&world, "pusher-1", SHOP, "DROP TABLE tally").contains("not-permitted"));
    }
    let said = on(&world, "pusher-1", SHOP, LOOK);
    assert!(said.contains("those-who-push-are-stopped"), "{said}");
    // A killed gateway remembers.
    std::thread::sleep(KEPT_MAX);
    world.gateway.kill();
    world.gateway.start_again().unwrap();
    for (name, sql, rule) in [
        ("select-1", LOOK, "rows-of-a-day"),
        ("bytes-1", LOOK, "bytes-of-a-day"),
        ("writer-9", more, "changes-of-a-day"),
        ("pusher-1", LOOK, "those-who-push-are-stopped"),
    ] {
        let said = on(&world, name, SHOP, sql);
        assert!(said.contains(rule), "{name}: {said}");
    }
    assert_eq!(refused_by(&mut world.connect(WRITER, SHOP), LOOK), "");
}

/// Trades a token.
fn traded(world: &World, token: &str, words: &[&str]) -> Result<String, String> {
    let words: Vec<&str> = ["token", "exchange"].iter().chain(words).copied().collect();
    let said = world.gateway.cli(&words, token).unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    match said.status.success() {
        true => Ok(text(&said.stdout).trim().to_owned()),
        false => Err(text(&said.stderr)),
    }
}

fn open(world: &World, token: &str, target: &str) -> Wire {
    Wire::connect(&world.gateway.login(token, target)).unwrap()
}

fn rows_of(wire: &mut Wire, sql: &str) -> (usize, String) {
    match wire.query(sql) {
        Ok(said) => (said.rows().len(), said.sqlstate()),
        // Cut off in the middle of it.
        Err(WireError::Closed(said)) => (said.rows().len(), said.sqlstate()),
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

#[test]
fn a_token_with_a_budget_brings_no_row_and_no_command_more() {
    let mut world = world("");
    let own = world.token(agent("parent-1"));
    // Rows: what is within the budget is brought to the last row, what goes beyond is cut off, and nothing comes after.
    let token = traded(&world, &own, &["--rows", "100"]).unwrap();
    let numbers = |n: usize| format!("SELECT n FROM generate_series(1, {n}) n");
    let mut wire = open(&world, &token, SHOP);
    assert_eq!(rows_of(&mut wire, &numbers(60)).0, 60);
    let (rows, state) = rows_of(&mut wire, &numbers(1_000_000));
    assert!(rows <= 40, "{rows} rows more");
    assert_eq!(state, "42501");
    let said = open(&world, &token, PROD).query(LOOK).unwrap();
    assert!(
        format!("{said:?}").contains("budget of 100 rows is used up"),
        "{said:?}"
    );
    // To the last row: none left, and none too many.
    let token = traded(&world, &own, &["--rows", "100"]).unwrap();
    let mut wire = open(&world, &token, SHOP);
    assert_eq!(rows_of(&mut wire, &numbers(100)).0, 100);
    assert_eq!(rows_of(&mut wire, LOOK).1, "42501");
    // Bytes, in one message and by COPY.
    let token = traded(&world, &own, &["--bytes", "50000"]).unwrap();
    let copy = "COPY (SELECT pad FROM wide) TO STDOUT";
    assert_eq!(rows_of(&mut open(&world, &token, SHOP), copy).1, "42501");
    // Commands, with sessions that race.
    let token = traded(&world, &own, &["--commands", "20"]).unwrap();
    let passed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut wire = open(&world, &token, SHOP);
                for _ in 0..6 {
                    if rows_of(&mut wire, LOOK).1.is_empty() {
                        passed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(passed.into_inner(), 20);
    // A credential made with it has no more, and neither has the gateway after it was killed.
    let token = traded(&world, &own, &["--commands", "3"]).unwrap();
    let minted = ["credential", "create", SHOP, "--format", "json"];
    let minted = world.gateway.cli(&minted, &token).unwrap();
    let minted: serde_json::Value = serde_json::from_slice(&minted.stdout).unwrap();
    let word = |name: &str| minted[name].as_str().unwrap().to_owned();
    let mut login = world.gateway.login(&word("password"), SHOP);
    login.user = word("user");
    for _ in 0..2 {
        assert_eq!(rows_of(&mut Wire::connect(&login).unwrap(), LOOK).1, "");
    }
    std::thread::sleep(KEPT_MAX);
    world.gateway.kill();
    world.gateway.start_again().unwrap();
    let mut wire = open(&world, &token, SHOP);
    assert_eq!(rows_of(&mut wire, LOOK).1, "");
    assert_eq!(rows_of(&mut wire, LOOK).1, "42501");
    // A message is as many commands as it has.
    let token = traded(&world, &own, &["--commands", "4"]).unwrap();
    let mut wire = open(&world, &token, SHOP);
    assert_eq!(rows_of(&mut wire, &[LOOK; 3].join(";")).1, "");
    assert_eq!(rows_of(&mut wire, &[LOOK; 2].join(";")).1, "42501");
    assert_eq!(rows_of(&mut wire, LOOK).1, "");
    // What it is in can still be ended.
    let token = traded(&world, &own, &["--commands", "2"]).unwrap();
    let mut wire = open(&world, &token, SHOP);
    for sql in ["BEGIN", LOOK, LOOK, "COMMIT"] {
        wire.query(sql).unwrap();
    }
    assert_eq!(rows_of(&mut wire, "ROLLBACK").1, "");
}

#[test]
fn what_a_worker_gets_is_taken_from_who_spawned_it() {
    let world = world("");
    let own = world.token(agent("parent-2"));
    let parent = traded(&world, &own, &["--rows", "100", "--commands", "50"]).unwrap();
    assert!(traded(&world, &parent, &["--worker", "w0", "--rows", "101"]).is_err());
    let one = traded(&world, &parent, &["--worker", "w1", "--rows", "70"]).unwrap();
    let no = traded(&world, &parent, &["--worker", "w2", "--rows", "31"]).unwrap_err();
    assert!(no.contains("invalid_scope") && no.contains("30"), "{no}");
    let two = traded(&world, &parent, &["--worker", "w2", "--rows", "30"]).unwrap();
    // All of it was given away.
    assert_eq!(rows_of(&mut open(&world, &parent, SHOP), LOOK).1, "42501");
    let rows = |n: usize| format!("SELECT n FROM generate_series(1, {n}) n");
    assert_eq!(rows_of(&mut open(&world, &one, SHOP), &rows(70)).0, 70);
    assert_eq!(rows_of(&mut open(&world, &two, SHOP), &rows(30)).0, 30);
    assert_eq!(rows_of(&mut open(&world, &two, SHOP), LOOK).1, "42501");
    // One without a budget of its own shares its parent's.
    let parent = traded(&world, &own, &["--rows", "100"]).unwrap();
    let three = traded(&world, &parent, &["--worker", "w3"]).unwrap();
    let four = traded(&world, &three, &["--worker", "w4", "--effects", "read"]).unwrap();
    assert_eq!(rows_of(&mut open(&world, &four, SHOP), &rows(60)).0, 60);
    assert_eq!(rows_of(&mut open(&world, &three, SHOP), &rows(40)).0, 40);
    assert_eq!(rows_of(&mut open(&world, &parent, SHOP), LOOK).1, "42501");
}

//! What a chain has used up, as rules read it: never less than it was, however it was used.

use crate::world::{PROD, READER, SHOP, WRITER, Who, World};
use brattice_testkit::postgres::PostgresOptions;
use brattice_testkit::wire::Wire;
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

fn world() -> World {
    let world = World::start(PostgresOptions::of(18), |bundle| {
        bundle.policies[0].1.push_str(RULES);
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
    let world = world();
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
    let mut world = world();
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

//! Attacks by names: a statement, a portal or a cursor that is judged as one thing and is another at the server.
//!
//! The masked values here are such as no detector knows, so that only what was understood keeps them.

use super::{all_good, goes_on, holds};
use crate::world::{PROD, READER, SHOP, WRITER, Who, World, majors};
use brattice_testkit::postgres::PostgresOptions;
use brattice_testkit::wire::{Answer, Wire, WireError, frames};
use std::time::Duration;

/// Reads, and does as it likes with temporary tables.
const BUILDER: Who = Who {
    name: "builder-1",
    kind: "agent",
    groups: &["agents", "builders"],
};

/// Reads, and makes new things in `public`.
const FOUNDER: Who = Who {
    name: "founder-1",
    kind: "agent",
    groups: &["agents", "founders"],
};

const RULES: &str = r#"
@id("founders-create")
permit (
    principal in Group::"dev/founders",
    action == Action::"sql.create",
    resource in Schema::"shop/app/public"
);
@id("founders-create-there")
permit (
    principal in Group::"dev/founders",
    action == Action::"sql.create",
    resource == Schema::"shop/app/public"
);
@id("builders-build-for-themselves")
permit (
    principal in Group::"dev/builders",
    action in [Action::"write", Action::"destroy", Action::"administer"],
    resource in Schema::"shop/app/pg_temp"
);
@id("builders-build-there")
permit (
    principal in Group::"dev/builders",
    action in [Action::"write", Action::"destroy", Action::"administer"],
    resource == Schema::"shop/app/pg_temp"
);
"#;

const SECRET: &str = "plain-secret-1";
/// The value is not where a description of the result would tell it from.
const MASKED: &str =
    "SELECT c.id, (SELECT d.ssn FROM customers d WHERE d.id = c.id) FROM customers c";
const UNION: &str = "SELECT ssn FROM customers UNION ALL SELECT ssn FROM customers";
const ROW: &str = "SELECT to_jsonb(t) FROM customers t";
const SAFE: &str = "SELECT 1, 'x'::text";

/// Messages, each up to its ReadyForQuery, that show the secret or delete a note where nothing stops them.
struct Trick {
    id: &'static str,
    who: Who,
    target: &'static str,
    steps: Vec<Vec<u8>>,
}

fn query(sql: impl AsRef<str>) -> Vec<u8> {
    frames::query(sql.as_ref().as_bytes())
}

fn steps(all: &[&str]) -> Vec<u8> {
    let mut burst: Vec<u8> = all.iter().flat_map(|sql| frames::step(sql, &[])).collect();
    burst.extend(frames::sync());
    burst
}

fn parse(name: &str, sql: &str) -> Vec<u8> {
    frames::parse(name, sql.as_bytes(), &[])
}

fn run(statement: &str) -> Vec<u8> {
    [
        frames::bind("", statement, &[], 0),
        frames::execute("", 0),
        frames::sync(),
    ]
    .concat()
}

fn tricks() -> Vec<Trick> {
    let show = |id, who, steps| Trick {
        id,
        who,
        target: SHOP,
        steps,
    };
    let prepare = |name: &str, sql: &str| format!("PREPARE {name} AS {sql}");
    let declare = |name: &str, sql: &str| format!("DECLARE {name} CURSOR FOR {sql}");
    let warm = || query("CREATE TEMP TABLE warm (id int)");
    let shadow = || query("CREATE TEMP TABLE customers (id int, ssn text)");
    let swap = |delete: &str| {
        [
            frames::step("PREPARE p AS SELECT 1", &[]),
            frames::close(b'S', "p"),
            parse("p", delete),
            frames::sync(),
        ]
        .concat()
    };
    vec![
        show(
            "a name that SQL gives anew within a pipeline, run by SQL",
            READER,
            vec![
                query(prepare("p", SAFE)),
                steps(&["DEALLOCATE p", &prepare("p", MASKED), "EXECUTE p"]),
            ],
        ),
        show(
            "the same after the pipeline",
            READER,
            vec![
                query(prepare("p", SAFE)),
                steps(&["DEALLOCATE p", &prepare("p", MASKED)]),
                query("EXECUTE p"),
            ],
        ),
        show(
            "a name that SQL gives anew within a pipeline, run by the protocol",
            READER,
            vec![
                [parse("n", SAFE), frames::sync()].concat(),
                [
                    frames::step("DEALLOCATE n", &[]),
                    frames::step(&prepare("n", MASKED), &[]),
                    run("n"),
                ]
                .concat(),
            ],
        ),
        show(
            "everything forgotten within a pipeline",
            READER,
            vec![
                [parse("n", SAFE), frames::sync()].concat(),
                [
                    frames::step("DEALLOCATE ALL", &[]),
                    parse("n", MASKED),
                    run("n"),
                ]
                .concat(),
            ],
        ),
        show(
            "a cursor whose CLOSE failed",
            READER,
            vec![
                query(format!("DECLARE c CURSOR WITH HOLD FOR {MASKED}")),
                query("SELECT 1/0; CLOSE c"),
                query(format!("DECLARE c CURSOR WITH HOLD FOR {SAFE}")),
                query("FETCH ALL FROM c"),
            ],
        ),
        show(
            "a cursor whose DECLARE failed",
            READER,
            vec![
                query(format!("SELECT 1/0; {}", declare("z", SAFE))),
                query("BEGIN"),
                query(declare("z", MASKED)),
                query("FETCH ALL FROM z"),
            ],
        ),
        show(
            "a cursor that was rolled back, and a portal of its name",
            READER,
            vec![
                query("BEGIN"),
                query("SAVEPOINT a"),
                query(declare("y", SAFE)),
                query("ROLLBACK TO a"),
                [
                    parse("", MASKED),
                    frames::bind("y", "", &[], 0),
                    frames::sync(),
                ]
                .concat(),
                query("FETCH ALL FROM y"),
            ],
        ),
        show(
            "a portal that SQL closes, and a cursor of its name",
            READER,
            vec![
                query("BEGIN"),
                [
                    parse("", SAFE),
                    frames::bind("c", "", &[], 0),
                    frames::sync(),
                ]
                .concat(),
                [
                    frames::step("CLOSE c", &[]),
                    frames::step(&declare("c", MASKED), &[]),
                    frames::execute("c", 0),
                    frames::sync(),
                ]
                .concat(),
            ],
        ),
        show(
            "a prepared statement over a table that is then shadowed",
            BUILDER,
            vec![
                warm(),
                query(prepare("p", MASKED)),
                shadow(),
                query("EXECUTE p"),
            ],
        ),
        show(
            "the same by the protocol",
            BUILDER,
            vec![
                warm(),
                [parse("p", MASKED), frames::sync()].concat(),
                shadow(),
                run("p"),
            ],
        ),
        show(
            "the same where the table is still named beside it",
            BUILDER,
            vec![
                warm(),
                query(prepare(
                    "p",
                    "SELECT p.id, (SELECT ssn FROM customers ORDER BY id LIMIT 1) FROM public.customers p",
                )),
                shadow(),
                query("EXECUTE p"),
            ],
        ),
        show(
            "a cursor over a table that is then shadowed",
            BUILDER,
            vec![
                warm(),
                query("BEGIN"),
                query(declare("c", MASKED)),
                shadow(),
                query("FETCH ALL FROM c"),
            ],
        ),
        Trick {
            id: "a held statement under a name that SQL takes back",
            who: WRITER,
            target: PROD,
            steps: vec![swap("DELETE FROM notes WHERE id = 1"), run("p")],
        },
        Trick {
            id: "the same run by SQL",
            who: WRITER,
            target: PROD,
            steps: vec![swap("DELETE FROM notes WHERE id = 1"), query("EXECUTE p")],
        },
        show(
            "a statement that was judged over a temporary table",
            BUILDER,
            vec![
                query("CREATE TEMP TABLE notes (id int)"),
                swap("DELETE FROM notes WHERE id = 1"),
                query("DROP TABLE notes"),
                run("p"),
            ],
        ),
        show(
            "a bound EXECUTE, and another statement under its name",
            READER,
            vec![
                query("BEGIN"),
                query(prepare("a", "SELECT text FROM notes")),
                [
                    parse("x", "EXECUTE a"),
                    frames::bind("w", "x", &[], 0),
                    frames::sync(),
                ]
                .concat(),
                query("DEALLOCATE a"),
                query(prepare("a", UNION)),
                [frames::execute("w", 0), frames::sync()].concat(),
            ],
        ),
        show(
            "a bound FETCH, and another cursor under its name",
            READER,
            vec![
                query("BEGIN"),
                query(declare("c", "SELECT text FROM notes")),
                [
                    parse("x", "FETCH ALL FROM c"),
                    frames::bind("w", "x", &[], 0),
                    frames::sync(),
                ]
                .concat(),
                query("CLOSE c"),
                query(declare("c", UNION)),
                [frames::execute("w", 0), frames::sync()].concat(),
            ],
        ),
        show(
            "a bound COPY over a table that goes away",
            BUILDER,
            vec![
                shadow(),
                query("BEGIN"),
                [
                    parse("x", "COPY customers TO STDOUT"),
                    frames::bind("w", "x", &[], 0),
                    frames::sync(),
                ]
                .concat(),
                query("ALTER TABLE pg_temp.customers RENAME TO cc"),
                [frames::execute("w", 0), frames::sync()].concat(),
            ],
        ),
        show(
            "a bound TRUNCATE over a table that goes away",
            BUILDER,
            vec![
                query("CREATE TEMP TABLE notes (id int)"),
                [
                    parse("x", "TRUNCATE notes"),
                    frames::bind("w", "x", &[], 0),
                    frames::step("ALTER TABLE pg_temp.notes RENAME TO nn", &[]),
                    frames::execute("w", 0),
                    frames::sync(),
                ]
                .concat(),
            ],
        ),
        Trick {
            id: "a bound EXECUTE, and a held statement under its name",
            who: WRITER,
            target: PROD,
            steps: vec![
                [parse("s", "SELECT 1"), frames::sync()].concat(),
                [
                    parse("x", "EXECUTE s"),
                    frames::bind("w", "x", &[], 0),
                    frames::close(b'S', "s"),
                    parse("s", "DELETE FROM notes WHERE id = 1"),
                    frames::execute("w", 0),
                    frames::sync(),
                ]
                .concat(),
            ],
        },
        show(
            "a bound ALTER that is run after something was looked up",
            BUILDER,
            vec![
                shadow(),
                [
                    parse("x", "ALTER TABLE pg_temp.customers RENAME TO cq"),
                    frames::bind("w", "x", &[], 0),
                    frames::step(ROW, &[]),
                    frames::execute("w", 0),
                    frames::step(ROW, &[]),
                    frames::sync(),
                ]
                .concat(),
                query(ROW),
            ],
        ),
        show(
            "a bound set_config that is run after something was looked up",
            BUILDER,
            vec![
                shadow(),
                [
                    parse(
                        "x",
                        "SELECT set_config('search_path', 'public, pg_temp', false)",
                    ),
                    frames::bind("w", "x", &[], 0),
                    frames::step(ROW, &[]),
                    frames::execute("w", 0),
                    frames::step(ROW, &[]),
                    frames::sync(),
                ]
                .concat(),
            ],
        ),
        show(
            "a table of an implicit transaction that fails",
            BUILDER,
            vec![
                steps(&[
                    "CREATE TEMP TABLE customers (id int, ssn text)",
                    ROW,
                    "SELECT 1/0",
                ]),
                query(ROW),
            ],
        ),
        show(
            "a table of an implicit transaction that the gateway refuses",
            BUILDER,
            vec![
                steps(&[
                    "CREATE TEMP TABLE customers (id int, ssn text)",
                    ROW,
                    "SELECT ssn || '' FROM public.customers",
                ]),
                query("ROLLBACK"),
                query(ROW),
            ],
        ),
        show(
            "a table that goes at the end of its implicit transaction",
            BUILDER,
            vec![
                steps(&[
                    "CREATE TEMP TABLE customers (id int, ssn text) ON COMMIT DROP",
                    ROW,
                ]),
                query(ROW),
            ],
        ),
        show(
            "ROLLBACK by EXECUTE",
            BUILDER,
            vec![
                [parse("s", "ROLLBACK"), frames::sync()].concat(),
                query("BEGIN"),
                shadow(),
                query(ROW),
                query("EXECUTE s"),
                query(ROW),
            ],
        ),
        show(
            "ALTER by EXECUTE within one message",
            BUILDER,
            vec![
                shadow(),
                [
                    parse("s", "ALTER TABLE pg_temp.customers RENAME TO cc"),
                    frames::sync(),
                ]
                .concat(),
                query("EXECUTE s; COPY customers TO STDOUT"),
            ],
        ),
        show(
            "a table that is dropped at COMMIT within one message",
            BUILDER,
            vec![query(
                "BEGIN; CREATE TEMP TABLE customers (id int) ON COMMIT DROP; COMMIT; COPY customers TO STDOUT",
            )],
        ),
        show(
            "a table that is there already",
            FOUNDER,
            vec![query(
                "CREATE TABLE IF NOT EXISTS public.customers (id int); COPY public.customers TO STDOUT",
            )],
        ),
        show(
            "a sequence that is there already",
            FOUNDER,
            vec![query(
                "CREATE SEQUENCE IF NOT EXISTS public.customers; SELECT ssn || '' FROM public.customers",
            )],
        ),
        show(
            "a cursor declared twice by the same words",
            BUILDER,
            vec![
                shadow(),
                query("BEGIN"),
                query("SAVEPOINT s"),
                query(declare(
                    "c",
                    "SELECT * FROM customers UNION ALL SELECT * FROM customers",
                )),
                query("ROLLBACK TO s"),
                query("ALTER TABLE pg_temp.customers RENAME TO cc"),
                query("SELECT id FROM notes"),
                query(declare(
                    "c",
                    "SELECT * FROM customers UNION ALL SELECT * FROM customers",
                )),
                query("ALTER TABLE pg_temp.cc RENAME TO customers"),
                query("SELECT id FROM notes"),
                query("FETCH ALL FROM c"),
            ],
        ),
        show(
            "the same prepared by SQL",
            BUILDER,
            vec![
                query("CREATE TEMP TABLE notes (id int)"),
                query("PREPARE p AS DELETE FROM notes WHERE id = 1"),
                query("DROP TABLE pg_temp.notes"),
                query("EXECUTE p"),
            ],
        ),
    ]
}

/// Sends all of it, as far as it is answered.
fn play(wire: &mut Wire, trick: &Trick) -> (Answer, bool) {
    let mut all = Answer::default();
    for step in &trick.steps {
        match wire.ask(step) {
            Ok(said) => all.extend(said),
            Err(error) => {
                all.extend(error.said().cloned().unwrap_or_default());
                return (all, matches!(error, WireError::Late(_)));
            }
        }
    }
    (all, true)
}

fn renew(world: &World) {
    world.refill();
    world.ask("UPDATE customers SET ssn = 'plain-secret-' || id");
}

fn works(world: &World, said: &Answer) -> bool {
    holds(said, SECRET) || world.ask("SELECT count(*) FROM notes WHERE id = 1") == "0"
}

fn arena(major: u8) -> World {
    let world = World::start(PostgresOptions::of(major), |bundle| {
        let rules = ("policies/names.cedar".to_owned(), RULES.to_owned());
        bundle.policies.push(rules);
    });
    renew(&world);
    world
}

#[test]
fn no_name_is_judged_as_what_it_is_not() {
    let mut wrong = Vec::new();
    for major in majors() {
        let world = arena(major);
        for trick in tricks() {
            let (said, _) = play(&mut world.connect_directly(), &trick);
            if !works(&world, &said) {
                wrong.push(format!(
                    "- {major} {} does not work directly: {said:?}",
                    trick.id
                ));
            }
            renew(&world);
            let mut wire = world.connect(trick.who, trick.target);
            // A held command is not answered at all.
            wire.set_answer_max(Duration::from_secs(2));
            let (said, open) = play(&mut wire, &trick);
            if works(&world, &said) {
                wrong.push(format!("- {major} {} WORKED: {said:?}", trick.id));
                renew(&world);
            }
            if !open {
                wrong.push(format!(
                    "- {major} {} closed the connection: {said:?}",
                    trick.id
                ));
            }
        }
    }
    all_good(&wrong);
}

/// Names that are used as they are meant to be.
#[test]
fn names_may_be_given_taken_back_and_given_anew() {
    let twins: &[(&str, &[&[&str]], &str)] = &[
        (
            "statements by SQL",
            &[
                &["PREPARE p AS SELECT 1 AS n", "EXECUTE p"],
                &["DEALLOCATE p", "PREPARE p AS SELECT 2 AS n", "EXECUTE p"],
                &["DEALLOCATE ALL", "PREPARE p AS SELECT 3 AS n", "EXECUTE p"],
            ],
            "1 2 3",
        ),
        (
            "cursors",
            &[
                &["BEGIN", "DECLARE c CURSOR FOR SELECT 1", "FETCH c"],
                &["CLOSE c", "DECLARE c CURSOR FOR SELECT 2", "FETCH c"],
                &["CLOSE ALL", "DECLARE c CURSOR FOR SELECT 3", "FETCH c"],
                &["COMMIT"],
                &["BEGIN", "DECLARE c CURSOR FOR SELECT 4", "FETCH c"],
            ],
            "1 2 3 4",
        ),
        (
            "a temporary table that is made anew",
            &[
                &["CREATE TEMP TABLE t AS SELECT 1 AS n"],
                &["PREPARE p AS SELECT n FROM t", "EXECUTE p"],
                &["DROP TABLE t", "CREATE TEMP TABLE t AS SELECT 2 AS n"],
                &["EXECUTE p"],
            ],
            "1 2",
        ),
        (
            "a table that comes to be reached by another path",
            &[
                &["PREPARE p AS SELECT count(*) FROM orders", "EXECUTE p"],
                &["SET search_path = pg_catalog, public"],
                &["EXECUTE p"],
            ],
            "4 4",
        ),
    ];
    let mut wrong = Vec::new();
    for major in majors() {
        let world = arena(major);
        for (id, messages, expected) in twins {
            for pipelined in [false, true] {
                let mut wire = world.connect(BUILDER, SHOP);
                let mut all = Answer::default();
                for message in *messages {
                    if pipelined {
                        all.extend(wire.ask(&steps(message)).unwrap());
                    } else {
                        message
                            .iter()
                            .for_each(|sql| all.extend(wire.query(sql).unwrap()));
                    }
                }
                if !all.errors().is_empty() || all.texts().join(" ") != *expected {
                    wrong.push(format!("- {major} {id}, pipelined {pipelined}: {all:?}"));
                }
                wrong.extend(goes_on(&mut wire).err());
            }
        }
    }
    all_good(&wrong);
}

/// What one session does not know is not held against another.
#[test]
fn a_name_that_one_session_lacks_is_another_ones() {
    let world = arena(18);
    let mut lacks = world.connect(READER, SHOP);
    for sql in ["EXECUTE mine", "FETCH mine"] {
        assert_ne!(lacks.query(sql).unwrap().sqlstate(), "");
    }
    let mut has = world.connect(READER, SHOP);
    has.query("PREPARE mine AS SELECT 5").unwrap();
    assert_eq!(has.query("EXECUTE mine").unwrap().texts(), ["5"]);
    has.query("DECLARE mine CURSOR WITH HOLD FOR SELECT 6")
        .unwrap();
    assert_eq!(has.query("FETCH mine").unwrap().texts(), ["6"]);
}

/// An approval is for what was shown: the statement behind a name, and the table behind a word.
#[test]
fn an_approval_is_not_for_what_its_words_come_to_mean() {
    let world = World::start(PostgresOptions::of(18), |bundle| {
        let rules = RULES.replace("shop/", "prod/");
        bundle
            .policies
            .push(("policies/names.cedar".to_owned(), rules));
        for target in &mut bundle.targets {
            target.more = "holds = { wait_max = \"200ms\" }".to_owned();
        }
    });
    let ticket = |wire: &mut Wire, sql: &str| crate::holds::ticket_in(&wire.query(sql).unwrap());
    let mut wire = world.connect(WRITER, PROD);
    let fine = "UPDATE notes SET text = 'fine' WHERE id = 2";
    wire.ask(&[parse("a", fine), frames::sync()].concat())
        .unwrap();
    let id = ticket(&mut wire, "EXECUTE a");
    let shown = crate::holds::look(&world, crate::world::DBA, &id).text();
    assert!(
        shown.contains("'fine'"),
        "what it runs is not shown: {shown}"
    );
    crate::holds::approve(&world, crate::world::DBA, &id);
    let evil = "UPDATE notes SET text = 'evil' WHERE id > 0";
    let swap = [frames::close(b'S', "a"), parse("a", evil), frames::sync()].concat();
    wire.ask(&swap).unwrap();
    assert_ne!(ticket(&mut wire, "EXECUTE a"), id);
    let both = Who {
        name: "writer-1",
        kind: "agent",
        groups: &["agents", "writers", "builders"],
    };
    let mut wire = world.connect(both, PROD);
    let update = "UPDATE notes SET text = 'shadow' WHERE id > 0";
    wire.query("CREATE TEMP TABLE notes (id int, text text)")
        .unwrap();
    if let Ok(said) = wire.query(update)
        && !said.errors().is_empty()
    {
        let id = crate::holds::ticket_in(&said);
        crate::holds::approve(&world, crate::world::DBA, &id);
    }
    wire.query("DROP TABLE pg_temp.notes").unwrap();
    let mut plain = world.connect(both, PROD);
    plain.query(update).unwrap();
    let untouched = "SELECT string_agg(text, ',' ORDER BY id) FROM notes";
    assert_eq!(world.ask(untouched), "one,two,three");
}

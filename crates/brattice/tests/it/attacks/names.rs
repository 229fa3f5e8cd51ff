//! Attacks by names: a statement, a portal or a cursor that is judged as one thing and is another at the server.
//!
//! The masked values here are such as no detector knows, so that only what was understood keeps them.

mod tricks;

use self::tricks::{BUILDER, Trick, parse, steps, tricks};
use super::{all_good, goes_on, holds};
use crate::world::{PROD, READER, SHOP, WRITER, Who, World, majors};
use brattice_testkit::postgres::PostgresOptions;
use brattice_testkit::wire::{Answer, Wire, WireError, frames};
use std::time::Duration;

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

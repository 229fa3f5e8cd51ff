//! The tricks: what each sends, so that a name is one thing when it is judged and another when it runs.

use crate::world::{PROD, READER, SHOP, WRITER, Who};
use brattice_testkit::wire::frames;

/// Reads, and does as it likes with temporary tables.
pub const BUILDER: Who = Who {
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

/// The value is not where a description of the result would tell it from.
const MASKED: &str =
    "SELECT c.id, (SELECT d.ssn FROM customers d WHERE d.id = c.id) FROM customers c";
const UNION: &str = "SELECT ssn FROM customers UNION ALL SELECT ssn FROM customers";
const ROW: &str = "SELECT to_jsonb(t) FROM customers t";
const SAFE: &str = "SELECT 1, 'x'::text";

/// Messages, each up to its ReadyForQuery, that show the secret or delete a note where nothing stops them.
pub struct Trick {
    pub id: &'static str,
    pub who: Who,
    pub target: &'static str,
    pub steps: Vec<Vec<u8>>,
}

fn query(sql: impl AsRef<str>) -> Vec<u8> {
    frames::query(sql.as_ref().as_bytes())
}

pub fn steps(all: &[&str]) -> Vec<u8> {
    let mut burst: Vec<u8> = all.iter().flat_map(|sql| frames::step(sql, &[])).collect();
    burst.extend(frames::sync());
    burst
}

pub fn parse(name: &str, sql: &str) -> Vec<u8> {
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

/// A portal `w` of a statement.
fn bound(sql: &str) -> Vec<u8> {
    [
        parse("x", sql),
        frames::bind("w", "x", &[], 0),
        frames::sync(),
    ]
    .concat()
}

fn run_bound() -> Vec<u8> {
    [frames::execute("w", 0), frames::sync()].concat()
}

pub fn tricks() -> Vec<Trick> {
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
                bound("EXECUTE a"),
                query("DEALLOCATE a"),
                query(prepare("a", UNION)),
                run_bound(),
            ],
        ),
        show(
            "a bound FETCH, and another cursor under its name",
            READER,
            vec![
                query("BEGIN"),
                query(declare("c", "SELECT text FROM notes")),
                bound("FETCH ALL FROM c"),
                query("CLOSE c"),
                query(declare("c", UNION)),
                run_bound(),
            ],
        ),
        show(
            "a bound COPY over a table that goes away",
            BUILDER,
            vec![
                shadow(),
                query("BEGIN"),
                bound("COPY customers TO STDOUT"),
                query("ALTER TABLE pg_temp.customers RENAME TO cc"),
                run_bound(),
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

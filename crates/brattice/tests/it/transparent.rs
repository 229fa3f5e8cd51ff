//! Who may do everything must not notice the gateway: the bytes of every answer are the server's own.
//!
//! Here live the scripts whose answers are compared, byte for byte. What must differ is left out of them: process ids,
//! keys, clocks, sizes on disk. Refusals are the gateway's, and so is the reason with which a client gives a COPY up: its own
//! words do not reach the server's log.

use crate::attacks::all_good;
use crate::world::{OWNER, SHOP, World, majors};
use brattice_testkit::postgres::PostgresOptions;
use brattice_testkit::wire::{Answer, Wire, frames};

/// Messages of one session, sent as simple queries, then by the extended protocol in text and in binary.
const TEXTS: &[&str] = &[
    "SELECT id, name, email, ssn, card, city FROM customers ORDER BY id",
    "SELECT * FROM orders ORDER BY id",
    "SELECT NULL, '', ' ', 'é', E'\\t\\n', true, 1::smallint, 2::bigint, 1.5::real, 2.5::float8, 12345.678::numeric, 'NaN'::numeric",
    "SELECT '2026-01-02'::date, '03:04:05'::time, '2026-01-02 03:04:05.678901+02'::timestamptz, '1 year 2 days'::interval",
    "SELECT '\\x00ff'::bytea, 'a'::\"char\", 'abc'::char(5), 'abc'::varchar(9), 'f'::bpchar, 'name'::name",
    "SELECT ARRAY[1, NULL, 3], ARRAY[['a', 'b'], ['c', 'd']], '{}'::int[], '[2:3]={7,8}'::int[]",
    "SELECT '{\"a\": [1, 2.50, null]}'::json, '{\"b\": {\"c\": \"d\"}}'::jsonb, '<a/>'::xml, '192.168.0.0/16'::cidr, '10.0.0.1'::inet, '08:00:2b:01:02:03'::macaddr",
    "SELECT '{00000000-0000-0000-0000-000000000001}'::uuid, '101'::bit(3), '(1,2)'::point, '[1,5)'::int4range, 'a & b'::tsquery, 'a b'::tsvector",
    "SELECT ROW(1, 'a', NULL), ROW(), n FROM notes n WHERE id = 1",
    "SELECT repeat('x', 300000), repeat('é', 10)",
    "SELECT n, repeat('r', n) FROM generate_series(1, 500) n",
    "SELECT id FROM notes WHERE false",
    "SELECT",
    "SELECT FROM notes",
    "SELECT count(*), sum(total), avg(total), min(placed_at), max(extra::text) FROM orders",
    "VALUES (1, 'a'), (2, NULL)",
    "EXPLAIN (COSTS off) SELECT * FROM orders WHERE id = 1",
    "SHOW server_version",
    "SELECT 1 / 0",
    "SELECT * FROM notes WHERE id = 'x'",
    "SELECT nothing FROM notes",
    "INSERT INTO notes VALUES (1, 'again')",
    "INSERT INTO notes VALUES (NULL, 'null')",
    "UPDATE notes SET text = text || '!' WHERE id = 2 RETURNING *",
    "DELETE FROM notes WHERE id = 3 RETURNING id, text",
    "INSERT INTO orders (id, customer_id, item, total) VALUES (9, 1, 'pen', 1.20) RETURNING status, placed_at",
    "INSERT INTO orders (id, customer_id, item, total) VALUES (10, 99, 'pen', 1.20)",
    "CREATE TABLE made (a integer GENERATED ALWAYS AS IDENTITY, b text DEFAULT 'd', UNIQUE (b))",
    "INSERT INTO made DEFAULT VALUES RETURNING *",
    "CREATE TABLE made (a integer)",
    "CREATE TABLE IF NOT EXISTS made (a integer)",
    "ALTER TABLE made ADD COLUMN c integer",
    "COMMENT ON TABLE made IS 'made'",
    "CREATE TEMP TABLE mine AS SELECT 1 AS one",
    "SELECT * FROM mine",
    "DROP TABLE mine",
    "DROP TABLE IF EXISTS not_there",
    "TRUNCATE made",
    "DROP TABLE made CASCADE",
    "CREATE FUNCTION shout(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE 'heard %', $1; RAISE WARNING USING MESSAGE = 'loud', DETAIL = 'very', HINT = 'softer', ERRCODE = '01234'; RETURN upper($1); END$$",
    "SELECT shout('a')",
    "DO $$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'XX123', DETAIL = 'd', HINT = 'h'; END$$",
    "DROP FUNCTION shout(text)",
    "BEGIN",
    "SELECT 1",
    "SAVEPOINT s",
    "SELECT 1 / 0",
    "SELECT 2",
    "ROLLBACK TO s",
    "SELECT 3",
    "COMMIT",
    "COMMIT",
    "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
    "INSERT INTO notes VALUES (70, 'ro')",
    "ROLLBACK",
    "SET TIME ZONE 'Asia/Tokyo'",
    "SELECT placed_at FROM orders WHERE id = 1",
    "RESET TIME ZONE",
    "SET DateStyle = 'German'",
    "SELECT date '2026-01-02'",
    "RESET DateStyle",
    "SET statement_timeout = '20s'",
    "SHOW statement_timeout",
    "RESET ALL",
    "PREPARE p(int) AS SELECT text FROM notes WHERE id = $1",
    "EXECUTE p(1)",
    "EXECUTE p(1, 2)",
    "DEALLOCATE p",
    "BEGIN",
    "DECLARE c SCROLL CURSOR FOR SELECT id FROM orders ORDER BY id",
    "FETCH 2 FROM c",
    "MOVE LAST FROM c",
    "FETCH BACKWARD 1 FROM c",
    "CLOSE c",
    "COMMIT",
    "COPY notes TO STDOUT",
    "COPY notes TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *)",
    "COPY (SELECT * FROM customers ORDER BY id) TO STDOUT (FORMAT binary)",
    "LOCK TABLE notes",
    "VACUUM notes",
    "ANALYZE notes",
    "LISTEN here",
    "NOTIFY elsewhere",
    "UNLISTEN *",
    "DISCARD ALL",
    "",
    ";",
    "/* nothing */",
    "SELECT 1; SELECT 2; SELECT 1 / 0; SELECT 3",
    "SELECT 1; INSERT INTO notes VALUES (80, 'x'); SELECT 1 / 0",
    "SELECT count(*) FROM notes",
];

/// What the gateway itself says is not the server's: mask notices do not occur here, and holds neither.
fn compare(wrong: &mut Vec<String>, what: &str, expected: &Answer, got: &Answer) {
    if expected.bytes() != got.bytes() {
        wrong.push(format!(
            "- {what}\n    expected {expected:?}\n    got      {got:?}"
        ));
    }
}

fn said(wire: &mut Wire, bytes: &[u8], ready: usize) -> Answer {
    wire.send(bytes).unwrap();
    match wire.until_ready_times(ready) {
        Ok(answer) => answer,
        Err(error) => error.said().cloned().unwrap_or_default(),
    }
}

/// Nothing is looked for that no rule reveals.
fn permissive(major: u8) -> World {
    World::start(PostgresOptions::of(major), |bundle| {
        bundle.more.push_str("[classes.email]\ndetect = false\n");
    })
}

/// What the gateway refuses itself, since it cannot read it or knows no such name: the server's code and words all the
/// same, and behind them the rule.
#[test]
fn errors_that_the_gateway_finds_first_are_told_in_the_server_s_words() {
    let world = permissive(18);
    let mut server = world.connect_directly();
    let mut gateway = world.connect(OWNER, SHOP);
    for text in [
        "SELEKT",
        "SELECT 'unterminated",
        "SELECT * FROM nowhere",
        "COPY nowhere TO STDOUT",
        "EXECUTE nothing",
        "INSERT INTO nowhere VALUES (1)",
    ] {
        let bytes = frames::query(text.as_bytes());
        let (expected, got) = (said(&mut server, &bytes, 1), said(&mut gateway, &bytes, 1));
        let words = |a: &Answer| (a.sqlstate(), a.errors()[0].message().to_owned(), a.ready());
        assert_eq!(words(&expected), words(&got), "{text}");
    }
}

#[test]
fn no_byte_of_an_answer_is_changed() {
    let mut wrong = Vec::new();
    for major in majors() {
        for way in ["simple", "text", "binary"] {
            let (direct, through) = (permissive(major), permissive(major));
            let mut server = direct.connect_directly();
            let mut gateway = through.connect(OWNER, SHOP);
            for text in TEXTS {
                let bytes = match way {
                    "simple" => frames::query(text.as_bytes()),
                    "text" => frames::extended(text.as_bytes(), &[], 0),
                    _ => frames::extended(text.as_bytes(), &[], 1),
                };
                let (expected, got) = (said(&mut server, &bytes, 1), said(&mut gateway, &bytes, 1));
                compare(
                    &mut wrong,
                    &format!("{major} {way} {text:?}"),
                    &expected,
                    &got,
                );
            }
        }
    }
    all_good(&wrong);
}

fn bursts() -> Vec<(&'static str, Vec<u8>, usize)> {
    let step = |sql: &str| frames::step(sql, &[]);
    vec![
        (
            "a pipeline",
            [
                step("SELECT 1"),
                step("SELECT 2"),
                step("INSERT INTO notes VALUES (90, 'p')"),
                frames::sync(),
            ]
            .concat(),
            1,
        ),
        (
            "two pipelines",
            [
                step("SELECT 1"),
                frames::sync(),
                step("SELECT 2"),
                frames::sync(),
            ]
            .concat(),
            2,
        ),
        (
            "a pipeline that fails in the middle",
            [
                step("INSERT INTO notes VALUES (91, 'p')"),
                step("SELECT 1 / 0"),
                step("SELECT 2"),
                frames::sync(),
                frames::query(b"SELECT count(*) FROM notes"),
            ]
            .concat(),
            2,
        ),
        (
            "descriptions",
            [
                frames::parse("d", b"SELECT id, text FROM notes WHERE id = $1", &[23]),
                frames::describe(b'S', "d"),
                frames::bind("portal", "d", &[Some(b"1")], 1),
                frames::describe(b'P', "portal"),
                frames::execute("portal", 0),
                frames::close(b'P', "portal"),
                frames::close(b'S', "d"),
                frames::close(b'S', "never there"),
                frames::sync(),
            ]
            .concat(),
            1,
        ),
        (
            "a portal in pieces",
            [
                frames::query(b"BEGIN"),
                frames::parse("", b"SELECT n FROM generate_series(1, 10) n", &[]),
                frames::bind("pieces", "", &[], 0),
                frames::execute("pieces", 3),
                frames::execute("pieces", 3),
                frames::execute("pieces", 0),
                frames::sync(),
                frames::query(b"COMMIT"),
            ]
            .concat(),
            3,
        ),
        (
            "parameters of every format",
            [
                frames::parse("", b"SELECT $1::int, $2::text, $3::bytea", &[]),
                frames::bind_of(
                    "",
                    "",
                    &[1, 0, 1],
                    &[Some(&[0, 0, 0, 7]), Some(b"t"), Some(&[0, 1, 2])],
                    &[0, 1, 1],
                ),
                frames::describe(b'P', ""),
                frames::execute("", 0),
                frames::sync(),
            ]
            .concat(),
            1,
        ),
        (
            "too few parameters",
            [
                frames::parse("", b"SELECT $1::int", &[]),
                frames::bind("", "", &[], 0),
                frames::execute("", 0),
                frames::sync(),
            ]
            .concat(),
            1,
        ),
        (
            "a flush",
            [
                frames::parse("", b"SELECT 5", &[]),
                frames::flush(),
                frames::bind("", "", &[], 0),
                frames::execute("", 0),
                frames::sync(),
            ]
            .concat(),
            1,
        ),
        (
            "COPY in",
            [
                frames::query(b"COPY notes FROM STDIN"),
                frames::copy_data(b"100\tone hun"),
                frames::copy_data(b"dred\n101\tmore\n"),
                frames::copy_done(),
            ]
            .concat(),
            1,
        ),
        (
            "COPY in that is wrong",
            [
                frames::query(b"COPY notes FROM STDIN"),
                frames::copy_data(b"no number\tx\n"),
                frames::copy_done(),
            ]
            .concat(),
            1,
        ),
        (
            "COPY in by the extended protocol",
            [
                frames::parse("", b"COPY notes FROM STDIN (FORMAT csv)", &[]),
                frames::bind("", "", &[], 0),
                frames::execute("", 0),
                frames::copy_data(b"120,csv\n"),
                frames::copy_done(),
                frames::sync(),
            ]
            .concat(),
            1,
        ),
        (
            "COPY in two halves of a message",
            [
                frames::query(b"SELECT 1; COPY notes FROM STDIN; SELECT 2"),
                frames::copy_data(b"130\tx\n"),
                frames::copy_done(),
            ]
            .concat(),
            1,
        ),
        (
            "a transaction around a pipeline",
            [
                frames::query(b"BEGIN"),
                step("INSERT INTO notes VALUES (140, 't')"),
                frames::sync(),
                step("SELECT 1 / 0"),
                frames::sync(),
                step("SELECT 1"),
                frames::sync(),
                frames::query(b"ROLLBACK"),
            ]
            .concat(),
            5,
        ),
        (
            "queries one behind the other",
            [
                frames::query(b"SELECT 1"),
                frames::query(b"SELECT 2"),
                frames::query(b"SELECT 1 / 0"),
                frames::query(b"SELECT 3"),
            ]
            .concat(),
            4,
        ),
        (
            "a named statement of SQL run by the protocol",
            [
                frames::query(b"PREPARE s AS SELECT 4"),
                frames::bind("", "s", &[], 0),
                frames::execute("", 0),
                frames::sync(),
                frames::query(b"DEALLOCATE s"),
            ]
            .concat(),
            3,
        ),
        (
            "a named statement of the protocol run by SQL",
            [
                frames::parse("q", b"SELECT 6", &[]),
                frames::sync(),
                frames::query(b"EXECUTE q"),
                frames::query(b"DEALLOCATE ALL"),
            ]
            .concat(),
            3,
        ),
    ]
}

#[test]
fn no_byte_is_changed_however_messages_are_put_together() {
    let mut wrong = Vec::new();
    for major in majors() {
        let (direct, through) = (permissive(major), permissive(major));
        let mut server = direct.connect_directly();
        let mut gateway = through.connect(OWNER, SHOP);
        for (what, bytes, ready) in bursts() {
            let (expected, got) = (
                said(&mut server, &bytes, ready),
                said(&mut gateway, &bytes, ready),
            );
            compare(&mut wrong, &format!("{major} {what}"), &expected, &got);
        }
        let all = "SELECT string_agg(n::text, ',' ORDER BY id) FROM notes n";
        assert_eq!(direct.ask(all), through.ask(all));
    }
    all_good(&wrong);
}

#[test]
fn the_greeting_is_the_server_s() {
    for major in majors() {
        let world = World::of(major);
        let (server, gateway) = (world.connect_directly(), world.connect(OWNER, SHOP));
        let own = |wire: &Wire| {
            let mut all = wire.greeting().parameters();
            all.retain(|(name, _)| name != "application_name");
            all.sort();
            all
        };
        let expected = own(&server);
        let got = own(&gateway);
        for (name, value) in &got {
            assert!(
                expected.contains(&(name.clone(), value.clone())),
                "{name} = {value}: {expected:?}"
            );
        }
        assert_eq!(expected.len(), got.len(), "{expected:?} {got:?}");
    }
}

//! What is said of `psql -c` on a host, held against a real `psql` and a real server.
//!
//! Whatever is said to read is run, and must leave the database, the server's roles and the directory it runs in as they
//! were. The controls change something, each in its own way, and must not be said to read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use brattice_core::action::Effect;
use brattice_core::classify::shell::{Shell, ShellLimits, understand};
use brattice_core::classify::sql::{Pending, unseen_effects};
use brattice_testkit::postgres::{Postgres, PostgresOptions, majors};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const LINES: &[&str] = &[
    include_str!("../../core/tests/shell/corpus/everyday.txt"),
    include_str!("../../core/tests/shell/corpus/honest.txt"),
    include_str!("../../core/tests/shell/corpus/evasions.txt"),
];
const MESSAGES: &[&str] = &[
    include_str!("../../core/tests/classify/corpus/read.txt"),
    include_str!("../../core/tests/classify/corpus/write.txt"),
    include_str!("../../core/tests/classify/corpus/structure.txt"),
    include_str!("../../core/tests/classify/corpus/session.txt"),
    include_str!("../../core/tests/classify/corpus/functions.txt"),
    include_str!("../../core/tests/classify/corpus/messages.txt"),
    include_str!("../../core/tests/classify/corpus/evasions.txt"),
    include_str!("../../core/tests/classify/corpus/twins.txt"),
];

/// Tables for the lines of the corpora, and functions, types and operators that leave a mark when they are used. `wipe` is
/// there for every way that calls a function without brackets, and `any_value` as a
/// database may have it on servers that do not bring it along.
const WORLD: &str = "
    CREATE TABLE marks (at timestamptz DEFAULT clock_timestamp());
    CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'INSERT INTO public.marks DEFAULT VALUES RETURNING 1';
    CREATE FUNCTION wipe(anyelement) RETURNS int LANGUAGE sql AS 'INSERT INTO public.marks DEFAULT VALUES RETURNING 1';
    CREATE FUNCTION wiped(record) RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.marks DEFAULT VALUES; RETURN 1; END';
    CREATE FUNCTION any_value(int) RETURNS int LANGUAGE sql AS 'INSERT INTO public.marks DEFAULT VALUES RETURNING 1';
    CREATE FUNCTION checks(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.marks DEFAULT VALUES; RETURN true; END';
    CREATE DOMAIN amount AS int CHECK (checks(VALUE));
    CREATE FUNCTION differs(int, int) RETURNS bool LANGUAGE sql AS 'INSERT INTO public.marks DEFAULT VALUES RETURNING true';
    CREATE OPERATOR <%> (LEFTARG = int, RIGHTARG = int, FUNCTION = differs);
    CREATE SCHEMA app;
    CREATE OPERATOR app.= (LEFTARG = int, RIGHTARG = int, FUNCTION = differs);
    CREATE FUNCTION app.lower(text) RETURNS int LANGUAGE sql AS 'INSERT INTO public.marks DEFAULT VALUES RETURNING 1';
    CREATE FUNCTION app.now() RETURNS int LANGUAGE sql AS 'INSERT INTO public.marks DEFAULT VALUES RETURNING 1';
    CREATE TABLE x (a int, b int);
    INSERT INTO x VALUES (1, 1), (2, 2);
    CREATE FUNCTION wipe(x) RETURNS int LANGUAGE sql AS 'INSERT INTO public.marks DEFAULT VALUES RETURNING 1';
    CREATE TABLE t (id int PRIMARY KEY, a int, name text);
    INSERT INTO t VALUES (1, 1, 'a');
    CREATE TABLE users (id serial PRIMARY KEY, name text, email text);
    INSERT INTO users (name) VALUES ('a'), ('b');
    CREATE TABLE customers (id int PRIMARY KEY, customer_id int, name text, email text, phone text);
    INSERT INTO customers VALUES (42, 42, 'a', 'a@example.com', NULL);
    CREATE TABLE orders (id serial PRIMARY KEY, customer_id int, total numeric, status text, note text, created_at timestamptz DEFAULT now());
    INSERT INTO orders (customer_id, total, status) VALUES (42, 7, 'open');
    CREATE TABLE jobs (id int);
    CREATE TABLE events (id int, data jsonb);
    CREATE TABLE migrations (version int);
    CREATE TABLE schema_migrations (version int);
    CREATE SEQUENCE s;
    CREATE FUNCTION refund(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
";

/// All rows of all tables, the state of sequences, and which version of each row of the catalogue is there.
const FINGERPRINT: &str = "
    SELECT md5(string_agg(query_to_xml(format('SELECT * FROM %s', c.oid::regclass), true, false, '')::text, '' ORDER BY c.oid))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'app') AND c.relkind IN ('r', 'S');
    SELECT md5(string_agg(v, '' ORDER BY v)) FROM (
        SELECT 'c' || oid || ' ' || xmin FROM pg_class UNION ALL SELECT 'p' || oid || ' ' || xmin FROM pg_proc
        UNION ALL SELECT 't' || oid || ' ' || xmin FROM pg_type UNION ALL SELECT 'n' || oid || ' ' || xmin FROM pg_namespace
        UNION ALL SELECT 'a' || oid || ' ' || xmin FROM pg_authid UNION ALL SELECT 'd' || oid || ' ' || xmin FROM pg_database
        UNION ALL SELECT 'g' || attrelid || ' ' || attnum || ' ' || xmin FROM pg_attribute
        UNION ALL SELECT 's' || setdatabase || ' ' || setrole || ' ' || xmin FROM pg_db_role_setting
        UNION ALL SELECT 'm' || roleid || ' ' || member || ' ' || xmin FROM pg_auth_members
        UNION ALL SELECT 'l' || oid || ' ' || xmin FROM pg_largeobject_metadata) AS all_of_it(v)
        WHERE v NOT LIKE '%pg_temp%';
";

struct World {
    server: Postgres,
    home: tempfile::TempDir,
}

impl World {
    fn start(major: u8) -> Self {
        let server = Postgres::start(PostgresOptions {
            extra_conf: vec![("autovacuum".to_owned(), "off".to_owned())],
            ..PostgresOptions::of(major)
        })
        .unwrap();
        let world = World {
            server,
            home: tempfile::tempdir().unwrap(),
        };
        let setup =
            "CREATE DATABASE app; CREATE DATABASE billing; CREATE ROLE app SUPERUSER LOGIN;";
        world.server.psql("postgres", setup).unwrap();
        for database in ["app", "billing", "postgres"] {
            world.server.psql(database, WORLD).unwrap();
        }
        world
    }

    fn run(&self, line: &str) -> Output {
        Command::new("timeout")
            .args(["10", "sh", "-c", line])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home.path())
            .env("LC_ALL", "C.UTF-8")
            .env("PGHOST", self.server.socket_dir())
            .env("PGPORT", self.server.port().to_string())
            .env("PGUSER", self.server.superuser())
            .env("PGDATABASE", "app")
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Of the database that most lines are at, and of what is in the directory.
    fn fingerprint(&self) -> Vec<String> {
        let mut all = vec![self.server.psql("app", FINGERPRINT).unwrap()];
        all.extend(files(self.home.path()));
        all
    }

    fn others(&self) -> [String; 2] {
        ["billing", "postgres"].map(|other| self.server.psql(other, FINGERPRINT).unwrap())
    }
}

fn files(below: &Path) -> Vec<String> {
    let all = std::fs::read_dir(below).unwrap();
    let mut names: Vec<String> = all
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn effect(line: &str) -> Effect {
    understand(line.as_bytes(), Shell::Sh, &ShellLimits::default()).effect()
}

/// The lines that are `psql` alone, at the server that is there.
fn lines() -> Vec<String> {
    let lines = LINES.iter().flat_map(|text| text.lines());
    let lines = lines.filter_map(|line| line.split_once(' '));
    let lines = lines.map(|(_, line)| line.replace('⏎', "\n"));
    let elsewhere = ["-h ", "//", "host=", "sudo", "su ", "PGHOST", "PGUSER"];
    lines
        .filter(|line| line.contains("psql "))
        .filter(|line| !elsewhere.iter().any(|part| line.contains(part)))
        .collect()
}

/// The messages of the corpora for SQL, which speak of another database.
fn messages() -> Vec<String> {
    let blocks = MESSAGES.iter().flat_map(|text| text.split("\n\n"));
    let is_text = |line: &&str| !["# ", "=> ", "@"].iter().any(|sign| line.starts_with(sign));
    blocks
        .map(|block| block.lines().filter(is_text).collect::<Vec<_>>().join("\n"))
        .filter(|text| !text.trim().is_empty() && !text.contains('\0'))
        .collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[test]
fn what_is_said_to_read_leaves_everything_as_it_was() {
    for major in majors().unwrap() {
        let world = World::start(major);
        let mut all = lines();
        let asked = messages().into_iter().filter(|text| {
            let found = unseen_effects(&[text.as_str()], &mut Pending::default());
            found.keys().eq([&Effect::Read])
        });
        all.extend(asked.map(|text| format!("psql -X -c {}", quoted(&text))));
        all.retain(|line| effect(line) == Effect::Read);
        assert!(all.len() > 200, "{}", all.len());
        let (before, others) = (world.fingerprint(), world.others());
        let mut worked = 0;
        for line in &all {
            worked += usize::from(world.run(line).status.success());
            assert_eq!(world.fingerprint(), before, "PostgreSQL {major}: {line}");
        }
        assert_eq!(world.others(), others, "PostgreSQL {major}");
        assert!(worked > 150, "{worked} of {}", all.len());
    }
}

#[test]
fn what_changes_something_is_not_said_to_read() {
    let controls = [
        "psql -c 'SELECT 1; INSERT INTO x VALUES (3)'",
        "psql -c 'SELECT 1' -c 'INSERT INTO x VALUES (3)'",
        "psql --comm='INSERT INTO x VALUES (3)'",
        "psql -Atc'INSERT INTO x VALUES (3)' app",
        "psql app postgres more -c 'INSERT INTO x VALUES (3)'",
        "psql -c 'SELECT 1 -- ' -c 'INSERT INTO x VALUES (3)'",
        "psql -c 'WITH a AS (INSERT INTO x VALUES (3) RETURNING a) SELECT a FROM a'",
        "psql -c 'EXPLAIN (ANALYZE off, ANALYZE) INSERT INTO x VALUES (3)'",
        "psql -c 'SELECT a INTO y FROM x'",
        "psql -c 'DO $$ BEGIN INSERT INTO x VALUES (3); END $$'",
        "psql -c 'PREPARE p AS INSERT INTO x VALUES (3)' -c 'EXECUTE p'",
        "psql -c \"SELECT nextval('s')\"",
        "psql -c 'SELECT lo_create(0)'",
        "psql -c 'SELECT wipe()'",
        "psql -c 'SELECT x.wipe FROM x'",
        "psql -c 'SELECT (1).wipe'",
        "psql -c 'SELECT y.wiped FROM (SELECT 1 AS a) y'",
        "psql -c 'SELECT c.wipe FROM pg_class c LIMIT 1'",
        "psql -c \"SELECT '1'::amount\"",
        "psql -c 'SELECT CAST(a AS public.amount) FROM x'",
        "psql -c 'SELECT a <%> b FROM x'",
        "psql -c 'SELECT a OPERATOR(app.=) b FROM x'",
        "psql -c \"SELECT app.lower('a')\"",
        "psql -c 'SET search_path = app, pg_catalog' -c 'SELECT now()'",
        "psql -c \"SELECT set_config('search_path', 'app, pg_catalog', false)\" -c 'SELECT now()'",
        "psql -d 'options=-csearch_path=app,pg_catalog' -c 'SELECT now()'",
        "psql 'postgresql:///app?%6fptions=-csearch_path%3Dapp,pg_catalog' -c 'SELECT now()'",
        "PGOPTIONS=-csearch_path=app,pg_catalog psql -c 'SELECT now()'",
        "psql -d 'options=-cstandard_conforming_strings=off' -c \"SELECT '\\\\' || '; INSERT INTO x VALUES (3); --'\"",
        "psql -c \"SELECT '\\'\" -c 'INSERT INTO x VALUES (3)'",
        "psql -c '\\dt `touch made`'",
        "psql -c '\\! touch made'",
        "psql -c 'SELECT 1' -o '|touch made'",
        "psql -c 'SELECT 1' -o made",
        "psql -c 'SELECT 1' -L made",
        "psql -c '\\copy (SELECT 1) TO made'",
        "echo 'INSERT INTO x VALUES (3)' | psql",
        "echo 3,3 | psql -c 'COPY x FROM STDIN WITH CSV'",
        "echo 'INSERT INTO x VALUES (3)' > made; psql -c 'SELECT 1' -f made",
    ];
    let world = World::start(majors().unwrap().remove(0));
    let mut dull = Vec::new();
    for line in controls {
        assert!(effect(line) > Effect::Read, "{line}");
        let before = world.fingerprint();
        let output = world.run(line);
        if world.fingerprint() == before {
            dull.push(format!("{line}: {output:?}"));
        }
        let _ = std::fs::remove_file(world.home.path().join("made"));
        world.server.psql("app", "DROP TABLE IF EXISTS y").unwrap();
    }
    assert!(dull.is_empty(), "changed nothing:\n{}", dull.join("\n"));
}

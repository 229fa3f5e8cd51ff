//! psql and PostgreSQL's other programs.

use super::{WITHIN, same};
use crate::world::{OWNER, READER, SHOP, WRITER, World, majors};
use brattice_testkit::client::{self, Running};
use std::process::Command;
use std::time::Duration;

/// What psql asks to describe things, and what people do with it.
const DESCRIBING: &str = r"
\pset format aligned
\d
\d notes
\d+ notes
\d+ orders
\d customers
\d customer_names
\d+ customer_names
\d pg_class
\d notes_pkey
\dt
\dt+ orders
\dt *.notes
\dv
\di
\ds
\dm
\dn
\dn+
\df
\df+ nothing_*
\da lower
\dT
\dT+ nothing*
\dD
\do ~~
\dC+ nothing*
\dx
\dp
\dp notes
\ddp
\du other
\dg
\db
\dF
\dy
\des
\dew
\dL
\dO nothing*
\drds
\dRp
\sv customer_names
\dconfig work_mem
\encoding
\echo :SERVER_VERSION_NUM
";

const WORKING: &str = r#"
SELECT id, item FROM orders ORDER BY id;
SELECT id, item FROM orders WHERE id = 1 \gx
SELECT 42 AS answer \gset
SELECT :answer + 1;
SELECT 'SELECT ' || g FROM generate_series(1, 3) g \gexec
\set FETCH_COUNT 2
SELECT n FROM generate_series(1, 7) n;
\unset FETCH_COUNT
BEGIN;
SAVEPOINT a;
SELECT 1 / 0;
ROLLBACK TO a;
SELECT 'still here';
COMMIT;
\copy (SELECT id, text FROM notes ORDER BY id) TO STDOUT
\copy notes TO STDOUT CSV HEADER
COPY notes TO STDOUT;
PREPARE one AS SELECT text FROM notes WHERE id = $1;
EXECUTE one(2);
DEALLOCATE one;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM notes ORDER BY id;
FETCH 2 FROM c;
MOVE 1 FROM c;
CLOSE c;
COMMIT;
SELECT repeat('x', 100000);
SELECT NULL, '', 'a|b', E'tab\there';
SELECT count(*) FROM generate_series(1, 20000);
\if true
SELECT 'if';
\endif
SELECT * FROM nowhere;
SELECT 'after';
SELECT $1 + 1 \bind 5 \g
"#;

fn psql(login: &brattice_testkit::wire::Login) -> Command {
    client::psql("psql".as_ref(), login)
}

#[test]
fn psql_describes_what_the_server_has() {
    for major in majors() {
        same(&World::of(major), READER, DESCRIBING, psql);
    }
}

#[test]
fn psql_works_as_on_the_server() {
    for major in majors() {
        same(&World::of(major), READER, WORKING, psql);
    }
}

#[test]
fn psql_copies_in_and_its_word_is_the_server_s() {
    let world = World::of(18);
    let script = "BEGIN;\n\\copy notes FROM STDIN\n10\tten\n11\televen\n\\.\nSELECT count(*) FROM notes;\n\
                  COPY notes FROM STDIN WITH (DELIMITER ',');\n12,twelve\n13,thirteen\n\\.\n\
                  SELECT text FROM notes WHERE id > 9 ORDER BY id;\n\
                  COPY notes FROM STDIN;\n1\tdouble\n\\.\nROLLBACK;\nSELECT count(*) FROM notes;\n";
    let said = same(&world, WRITER, script, psql);
    assert!(said.err.contains("duplicate key"), "{said:?}");
}

#[test]
fn ctrl_c_in_psql_cancels_on_the_server() {
    let world = World::of(18);
    let mut running = Running::start(psql(&world.through(READER, SHOP))).unwrap();
    running.write("SELECT 'begun';\n").unwrap();
    assert!(running.reads("begun", WITHIN).is_some());
    running
        .write("SELECT count(*) FROM generate_series(1, 20000000000) n;\n")
        .unwrap();
    let active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%20000000000%' AND pid <> pg_backend_pid()";
    let until = std::time::Instant::now() + WITHIN;
    while world.ask(active) == "0" {
        assert!(std::time::Instant::now() < until);
        std::thread::sleep(Duration::from_millis(20));
    }
    running.interrupt().unwrap();
    assert!(
        running
            .hears("canceling statement due to user request", WITHIN)
            .is_some()
    );
    // A script that was interrupted ends there.
    assert_eq!(running.wait(WITHIN).status.and_then(|s| s.code()), Some(3));
    assert_eq!(world.ask(active), "0");
}

#[test]
fn pg_dump_takes_the_schema_through_the_gateway() {
    // Debian's pg_dump is of this version; it refuses newer servers.
    let world = World::of(15);
    let dumped = |login: &brattice_testkit::wire::Login| {
        let said = {
            let mut command = Command::new("pg_dump");
            command.args(["--no-sync", "--schema-only"]);
            client::libpq(&mut command, login);
            client::run(command, "", WITHIN).unwrap()
        };
        assert!(said.is_good(), "{said:?}");
        // The key of \\restrict is made anew for each dump.
        let lines = said.out.lines().filter(|l| !l.contains("restrict "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let through = dumped(&world.through(OWNER, SHOP));
    assert_eq!(through, dumped(&world.direct()));
    assert!(
        through
            .iter()
            .any(|l| l.contains("CREATE TABLE public.orders"))
    );
}

#[test]
fn pgbench_runs_its_reads_in_every_protocol() {
    let world = World::of(15);
    world.ask("CREATE TABLE public.pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler text);
        INSERT INTO public.pgbench_accounts SELECT n, 1, n, '' FROM generate_series(1, 100000) n;
        CREATE TABLE public.pgbench_branches (bid int PRIMARY KEY, bbalance int, filler text);
        INSERT INTO public.pgbench_branches VALUES (1, 0, ''); ANALYZE;");
    for protocol in ["simple", "extended", "prepared"] {
        let mut command = Command::new("pgbench");
        command.args([
            "--select-only",
            "--no-vacuum",
            "--transactions=50",
            "--client=2",
            "--protocol",
            protocol,
        ]);
        client::libpq(&mut command, &world.through(READER, SHOP));
        let said = client::run(command, "", WITHIN).unwrap();
        assert!(
            said.is_good() && said.out.contains("100/100"),
            "{protocol}: {said:?}"
        );
    }
}

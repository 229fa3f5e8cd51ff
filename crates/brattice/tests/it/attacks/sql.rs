//! Attacks that are a text: what hides an effect in a statement that looks harmless.

use super::{Arena, Attack, By, Works, all_good, changes, shows};
use crate::world::{READER, majors};

/// Hidden deletes, writes and administration. The reader may do none of these.
const HIDDEN: &[Attack] = &[
    changes("PG1", &["SELECT 1; DELETE FROM notes"]),
    changes("PG1", &["SELECT 1;;;DELETE FROM notes;"]),
    changes("PG1", &["BEGIN; DELETE FROM notes; COMMIT"]),
    changes("PG1", &["BEGIN", "SELECT 1; DELETE FROM notes", "COMMIT"]),
    changes("PG6", &["PREPARE s AS DELETE FROM notes", "EXECUTE s"]),
    changes("PG6", &["PREPARE s(int) AS DELETE FROM notes WHERE id = $1", "EXECUTE s(1)"]),
    changes("PG6", &["PREPARE s AS SELECT wipe()", "EXPLAIN ANALYZE EXECUTE s"]),
    changes("PG6", &["PREPARE s AS SELECT wipe()", "CREATE TABLE made AS EXECUTE s"]),
    changes("PG8", &["DO $$BEGIN DELETE FROM notes; END$$"]),
    changes("PG8", &["DO $$BEGIN EXECUTE 'DEL' || 'ETE FROM notes'; END$$"]),
    changes("PG8", &["DO LANGUAGE plpgsql 'BEGIN PERFORM wipe(); END'"]),
    changes("PG9", &["SELECT wipe()"]),
    changes("PG9", &["SELECT public.wipe()"]),
    changes("PG9", &["SELECT \"wipe\"()"]),
    changes("PG9", &["CALL wipe_procedure()"]),
    changes("PG9", &["SELECT * FROM wipe()"]),
    changes("PG9", &["SELECT * FROM wipe_stable()"]),
    changes("PG9", &["SELECT * FROM ROWS FROM (wipe(), generate_series(1, 2))"]),
    changes("PG9", &["EXPLAIN SELECT 1 WHERE wipe_immutable(1) = 1"]),
    changes("PG9", &["SELECT 1 === 2"]),
    changes("PG9", &["SELECT 1 OPERATOR(public.===) 2"]),
    changes("PG9", &["SELECT wipe_all(id) FROM orders"]),
    changes("PG9", &["SELECT sum(id) OVER (ORDER BY wipe()) FROM orders"]),
    changes("PG9", &["SELECT count(*) FILTER (WHERE wipe() = 1) FROM orders"]),
    changes("PG9", &["SELECT id FROM orders ORDER BY wipe()"]),
    changes("PG9", &["SELECT id FROM orders GROUP BY id HAVING wipe() = 1"]),
    changes("PG9", &["SELECT id FROM orders LIMIT wipe()"]),
    changes("PG9", &["SELECT id FROM orders OFFSET wipe()"]),
    changes("PG9", &["VALUES (wipe())"]),
    changes("PG9", &["SELECT ARRAY[wipe()]"]),
    changes("PG9", &["SELECT ROW(wipe())"]),
    changes("PG9", &["SELECT CASE WHEN wipe() = 1 THEN 1 END"]),
    changes("PG9", &["SELECT coalesce(NULL, wipe())"]),
    changes("PG9", &["SELECT id FROM orders WHERE id IN (SELECT wipe())"]),
    changes("PG9", &["SELECT EXISTS (SELECT 1 FROM orders WHERE wipe() = 1)"]),
    changes("PG9", &["SELECT (SELECT wipe())"]),
    changes("PG9", &["SELECT id FROM orders o JOIN LATERAL (SELECT wipe() FROM orders) l ON true"]),
    changes("PG9", &["WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + wipe() FROM r WHERE n < 2) SELECT n FROM r"]),
    changes("PG9", &["SELECT notes.note_of FROM notes"]),
    changes("PG9", &["SELECT (n).note_of FROM notes n"]),
    changes("PG9", &["SELECT 1::wiping"]),
    changes("PG9", &["SELECT CAST(1 AS public.wiping)"]),
    changes("PG9", &["SELECT '{1}'::wiping[]"]),
    changes("PG9", &["SELECT * FROM json_to_record('{\"a\": 1}') AS r(a wiping)"]),
    changes("PG9", &["SELECT DISTINCT ON (wipe()) id FROM orders"]),
    changes("PG9", &["SELECT id FROM orders TABLESAMPLE bernoulli(wipe() * 100)"]),
    changes("PG9", &["SELECT xmlelement(name a, wipe())"]),
    changes("PG9", &["SELECT extract(year FROM to_timestamp(wipe()))"]),
    changes("PG9", &["SELECT overlay('abc' PLACING wipe()::text FROM 1)"]),
    changes("PG9", &["SELECT query_to_xml('SELECT wipe()', true, true, '')"]),
    changes("PG9", &["SELECT ts_stat('SELECT to_tsvector(wipe()::text)')"]),
    changes("PG9", &["SELECT * FROM ts_stat('SELECT to_tsvector(wipe()::text)')"]),
    changes("PG9", &["SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, (wipe()::text)::tsquery')"]),
    changes("PG9", &["DECLARE c CURSOR WITH HOLD FOR SELECT wipe(); FETCH c"]),
    changes("PG9", &["BEGIN", "DECLARE c CURSOR FOR SELECT wipe()", "FETCH c", "COMMIT"]),
    changes("PG10", &["WITH x AS (DELETE FROM notes RETURNING *) SELECT * FROM x"]),
    changes("PG10", &["WITH x AS (SELECT 1), y AS (UPDATE notes SET text = 'y') SELECT * FROM x"]),
    changes("PG10", &["WITH a AS (WITH b AS (SELECT 1) SELECT 1), c AS (INSERT INTO notes VALUES (9, 'n') RETURNING id) SELECT * FROM a"]),
    changes("PG10", &["MERGE INTO notes n USING (VALUES (1)) v(i) ON n.id = v.i WHEN MATCHED THEN DELETE"]).since(15),
    changes("PG10", &["MERGE INTO notes n USING (VALUES (9)) v(i) ON n.id = v.i WHEN NOT MATCHED THEN INSERT VALUES (9, 'nine')"]).since(15),
    changes("PG10", &["WITH m AS (MERGE INTO notes n USING (VALUES (1)) v(i) ON n.id = v.i WHEN MATCHED THEN DELETE RETURNING n.id) SELECT * FROM m"]).since(17),
    changes("PG10", &["INSERT INTO notes_view VALUES (1, 'x')"]),
    changes("PG10", &["INSERT INTO notes VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET text = 'x'"]),
    changes("PG10", &["UPDATE notes SET text = 'gone'"]),
    changes("PG10", &["DELETE FROM ONLY notes"]),
    changes("PG10", &["DELETE FROM notes USING orders WHERE orders.id = notes.id"]),
    changes("PG10", &["TRUNCATE notes"]),
    changes("PG11", &["EXPLAIN ANALYZE DELETE FROM notes"]),
    changes("PG11", &["EXPLAIN (ANALYZE) DELETE FROM notes"]),
    changes("PG11", &["EXPLAIN (ANALYZE true, FORMAT json) DELETE FROM notes"]),
    changes("PG11", &["EXPLAIN (ANALYZE off, ANALYZE on) DELETE FROM notes"]),
    changes("PG11", &["EXPLAIN ANALYZE SELECT wipe()"]),
    changes("PG11", &["EXPLAIN (ANALYZE 1) CREATE TABLE made AS SELECT 1"]),
    changes("PG12", &["COPY (DELETE FROM notes RETURNING id) TO STDOUT"]),
    changes("PG12", &["COPY (SELECT wipe()) TO STDOUT"]),
    changes("PG12", &["COPY notes FROM PROGRAM 'printf \"7\\tseven\\n\"'"]),
    changes("PG12", &["COPY notes FROM PROGRAM 'printf \"8\\teight\\n\"' WHERE wipe() = 0"]),
    shows("PG12", &["COPY notes TO PROGRAM 'echo reached >&2; exit 3'"], "reached"),
    shows("PG12", &["SELECT 'b' || 'efore'; COPY notes TO '/nowhere/at/all'"], "nowhere"),
    changes("PG13", &["SELECT ssn INTO made FROM customers"]),
    changes("PG13", &["CREATE TABLE made AS SELECT ssn FROM customers"]),
    changes("PG13", &["CREATE VIEW made AS SELECT ssn FROM customers"]),
    changes("PG13", &["CREATE MATERIALIZED VIEW made AS SELECT ssn FROM customers"]),
    shows("PG13", &["CREATE TEMP VIEW made AS SELECT reverse(ssn) AS x FROM customers", "SELECT x FROM made"], "1999-90-912"),
    shows("PG13", &["CREATE TEMP TABLE made AS SELECT ssn AS x FROM customers", "SELECT x FROM made"], "219-09-9991"),
    shows("PG13", &["SELECT ssn AS x INTO TEMP made FROM customers", "SELECT x FROM made"], "219-09-9991"),
    shows("PG14", &["SET ROLE other", "SELECT current_user"], "other"),
    shows("PG14", &["SET LOCAL ROLE other; SELECT current_user"], "other"),
    shows("PG14", &["SELECT set_config('role', 'other', false)", "SELECT current_user"], "other"),
    shows("PG14", &["SELECT pg_catalog.set_config('ro' || 'le', 'other', false)", "SELECT current_user"], "other"),
    shows("PG14", &["SET SESSION AUTHORIZATION other", "SELECT session_user"], "other"),
    shows("PG14", &["SET session_authorization TO other", "SELECT session_user"], "other"),
    changes("PG15", &["SET search_path = evil, public", "SELECT lower('x')", "SELECT text FROM notes"]),
    changes("PG15", &["SELECT set_config('search_path', 'evil', false)", "SELECT text FROM notes"]),
    changes("PG15", &["SELECT evil.lower('X')"]),
    changes("PG15", &["CREATE TEMP VIEW notes AS SELECT wipe() AS id", "SELECT id FROM notes"]),
    changes("PG17", &["/* /* */ SELECT 1 */ DELETE FROM notes"]),
    changes("PG17", &["-- SELECT\nDELETE FROM notes"]),
    changes("PG17", &["SELECT 1 --\r; DELETE FROM notes\n; DELETE FROM notes"]),
    changes("PG18", &["SELECT $$a'$$; DELETE FROM notes; SELECT $$'$$"]),
    changes("PG18", &["SELECT E'O\\'B'; DELETE FROM notes; --'"]),
    changes("PG18", &["SELECT $x$ $$ $x$; DELETE FROM notes; SELECT $x$ $$ $x$"]),
    changes("PG18", &["SELECT U&'\\0041'; DELETE FROM notes; SELECT 'b'"]),
    changes("PG18", &["SELECT 'a'\n'b'; DELETE FROM notes"]),
    changes("PG19", &["SET standard_conforming_strings = off", "SELECT '\\' , '; DELETE FROM notes; --'"]),
    changes("PG19", &["UPDATE pg_settings SET setting = 'off' WHERE name = 'standard_conforming_strings'", "SELECT '\\' , '; DELETE FROM notes; --'"]),
    changes("PG19", &["SELECT set_config('standard_conforming_strings', 'off', false)", "SELECT '\\' , '; DELETE FROM notes; --'"]),
    changes("PG30", &["SELECT lo_create(4711)"]),
    changes("PG30", &["SELECT lo_from_bytea(4712, 'x')"]),
    changes("PG30", &["SELECT lo_import('/etc/hostname')"]),
    shows("PG30", &["SELECT 'file:' || length(pg_read_file('PG_VERSION'))"], "file:"),
    shows("PG30", &["SELECT 'dir:' || count(*)::text FROM pg_ls_dir('.')"], "dir:"),
    shows("PG30", &["SELECT 'size:' || size FROM pg_stat_file('PG_VERSION')"], "size:"),
    shows("PG30", &["SELECT 'bin:' || length(pg_read_binary_file('PG_VERSION'))"], "bin:"),
    changes("PG30", &["CREATE EXTENSION pg_trgm"]),
    changes("PG30", &["CREATE EXTENSION dblink; SELECT dblink_exec('dbname=app user=postgres port=' || current_setting('port') || ' host=' || current_setting('unix_socket_directories'), 'DELETE FROM public.notes')"]),
    shows("PG32", &["LISTEN there", "SELECT 'on:' || pg_listening_channels()"], "on:there"),
    shows("PG32", &["LISTEN there", "NOTIFY there, 'a word'"], "a word"),
    shows("PG32", &["SELECT 'said:' || coalesce(pg_notify('there', 'psst')::text, '')"], "said:"),
    changes("administration", &["GRANT ALL ON notes TO PUBLIC"]),
    changes("administration", &["ALTER TABLE notes DISABLE ROW LEVEL SECURITY, ENABLE ROW LEVEL SECURITY"]),
    changes("administration", &["ALTER TABLE notes RENAME TO noted"]),
    changes("administration", &["COMMENT ON TABLE notes IS 'mine'"]),
    changes("administration", &["CREATE ROLE made_by_attack SUPERUSER"]),
    changes("administration", &["ALTER ROLE other SUPERUSER"]),
    changes("administration", &["ALTER ROLE other SET role = 'shop_role'"]),
    changes("administration", &["ALTER DATABASE app SET work_mem = '1MB'"]),
    changes("administration", &["CREATE TRIGGER t AFTER INSERT ON notes EXECUTE FUNCTION suppress_redundant_updates_trigger()"]),
    changes("administration", &["CREATE INDEX ON notes (text)"]),
    changes("administration", &["CREATE FUNCTION made() RETURNS int LANGUAGE sql AS 'SELECT 1'"]),
    changes("administration", &["CREATE CAST (integer AS wiping) WITH INOUT"]),
    changes("administration", &["CREATE PUBLICATION made"]),
    changes("administration", &["CREATE POLICY made ON notes USING (true)"]),
    changes("administration", &["DROP TABLE orders"]),
    changes("administration", &["DROP SCHEMA evil CASCADE"]),
    changes("administration", &["DROP OWNED BY shop_role"]),
    changes("administration", &["IMPORT FOREIGN SCHEMA public FROM SERVER nobody INTO public; SELECT 1", "CREATE SCHEMA made"]),
    changes("sequences", &["SELECT nextval('counter')"]),
    changes("sequences", &["SELECT setval('counter', 99)"]),
    changes("sequences", &["SELECT nextval('counter'::regclass) FROM orders LIMIT 1"]),
    changes("locks and time", &["BEGIN", "SELECT id FROM notes FOR UPDATE", "DELETE FROM notes", "COMMIT"]),
    shows("locks and time", &["SELECT 'held:' || pg_try_advisory_lock(1)"], "held:t"),
    shows("locks and time", &["SELECT 'slept:' || coalesce(pg_sleep(0)::text, '')"], "slept:"),
    shows("server", &["SELECT 'reloaded:' || pg_reload_conf()"], "reloaded:t"),
    shows("server", &["SELECT 'cancelled:' || pg_cancel_backend(0)"], "cancelled:f"),
    shows("server", &["SELECT 'rotated:' || pg_rotate_logfile()"], "rotated:"),
    shows("server", &["SELECT 'stats:' || coalesce(pg_stat_reset()::text, '')"], "stats:"),
    shows("server", &["SELECT 'wal:' || pg_switch_wal()"], "wal:"),
    shows("server", &["SELECT 'snap:' || pg_export_snapshot()"], "snap:"),
];

/// Halves, so that both processors have something to do.
fn refuses(half: usize) {
    let mut wrong = Vec::new();
    for major in majors() {
        let mut arena = Arena::of(major);
        let here = HIDDEN.iter().skip(half).step_by(2);
        for attack in here.filter(|a| a.since <= major) {
            let Attack { id, messages, .. } = attack;
            let mut note = |how: &str, what: String| {
                wrong.push(format!("- {major} {id} {how} {messages:?}\n    {what}"));
            };
            if let Err(what) = arena.works_directly(attack) {
                note("directly", what);
            }
            for by in [By::Simple, By::Extended] {
                // One statement is all that an extended message takes.
                let several = messages
                    .iter()
                    .any(|m| m.trim_end_matches(';').contains(';'));
                if by == By::Extended && several && !is_one(messages) {
                    continue;
                }
                if let Err(what) = arena.is_stopped(attack, READER, by) {
                    note(&format!("{by:?}"), what);
                }
            }
        }
    }
    all_good(&wrong);
}

#[test]
fn what_hides_an_effect_is_refused_before_the_server_sees_it() {
    refuses(0);
}

#[test]
fn what_hides_an_effect_is_refused_before_the_server_sees_it_too() {
    refuses(1);
}

/// Whether the semicolons are inside one statement.
fn is_one(messages: &[&str]) -> bool {
    messages.iter().all(|m| m.starts_with("DO "))
}

#[test]
fn every_family_has_members() {
    let changing = HIDDEN.iter().filter(|a| matches!(a.works, Works::Changes));
    assert!(changing.count() > 100);
}

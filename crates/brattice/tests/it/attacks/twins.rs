//! What looks like an attack and is none: it passes, and answers as the server itself would.

use super::{Arena, By, all_good, send};
use crate::world::{READER, SHOP, majors};

const BENIGN: &[&str] = &[
    "SELECT 1 AS delete",
    "SELECT 'DELETE FROM notes' AS text",
    "SELECT $$DROP TABLE notes$$",
    "SELECT 1 /* DELETE FROM notes */",
    "SELECT 1 -- ; DELETE FROM notes",
    "/* /* nested */ */ SELECT 2",
    "SELECT \"text\" FROM notes WHERE id = 1",
    "SELECT id, item FROM orders WHERE id = 3; SELECT id FROM notes WHERE id = 2",
    "BEGIN; SELECT count(*) FROM orders; COMMIT",
    "BEGIN READ ONLY; SELECT id FROM notes ORDER BY id; ROLLBACK",
    "SAVEPOINT a",
    "BEGIN; SAVEPOINT a; SELECT 1; ROLLBACK TO a; RELEASE a; COMMIT",
    "EXPLAIN DELETE FROM notes",
    "EXPLAIN (ANALYZE off) UPDATE notes SET text = 'x'",
    "EXPLAIN (COSTS off) SELECT id FROM notes WHERE id = 1",
    "WITH x AS (SELECT id FROM notes) SELECT count(*) FROM x",
    "COPY (SELECT id FROM notes ORDER BY id) TO STDOUT",
    "COPY notes TO STDOUT (FORMAT csv, HEADER)",
    "SHOW server_version_num",
    "SHOW search_path",
    "SET statement_timeout = '5s'",
    "SET application_name = 'twin'",
    "SET TIME ZONE 'Europe/Paris'",
    "RESET statement_timeout",
    "SET standard_conforming_strings = on",
    "SET client_encoding = 'UTF8'",
    "SET search_path = public",
    "SELECT set_config('statement_timeout', '5s', false)",
    "SELECT current_user, session_user, current_database()",
    "SELECT lower('ABC'), upper(item) FROM orders WHERE id = 1",
    "SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.id",
    "SELECT status, count(*), sum(total) FROM orders GROUP BY status HAVING count(*) > 0 ORDER BY 1",
    "SELECT id, row_number() OVER (PARTITION BY status ORDER BY id) FROM orders ORDER BY id",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r",
    "SELECT n FROM generate_series(1, 5) AS n",
    "SELECT extra -> 'a', extra ->> 'b' FROM orders WHERE extra @> '{}' ORDER BY id LIMIT 2",
    "SELECT to_char(placed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') FROM orders WHERE id = 1",
    "SELECT item FROM orders WHERE item LIKE '%a%' OR item ~ '^d' ORDER BY item",
    "SELECT id FROM orders WHERE id = ANY (ARRAY[1, 2]) ORDER BY id",
    "SELECT (ARRAY[1, 2, 3])[2], ROW(1, 'a'), '{\"a\": 1}'::jsonb ? 'a'",
    "VALUES (1, 'one'), (2, 'two')",
    "TABLE notes",
    "SELECT 'notes'::regclass, 'int4'::regtype",
    "SELECT relname FROM pg_class WHERE relname = 'notes'",
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
    "SELECT pg_get_viewdef('customer_names'::regclass)",
    "SELECT id FROM customers WHERE city = 'Porto'",
    "SELECT count(*) FROM customers",
    "SELECT name FROM customer_names ORDER BY id",
    "SELECT id FROM nowhere_to_be_found",
    "SELECT 1 / 0",
    "SELECT 'a'::integer",
    "SELEKT 1",
    "SELECT",
    "",
    ";",
    "PREPARE twin AS SELECT id FROM notes WHERE id = $1; EXECUTE twin(2); DEALLOCATE twin",
    "BEGIN; DECLARE c CURSOR FOR SELECT id FROM notes ORDER BY id; FETCH 2 FROM c; CLOSE c; COMMIT",
    "DISCARD ALL",
];

#[test]
fn what_only_looks_like_an_attack_passes() {
    let mut wrong = Vec::new();
    for major in majors() {
        let arena = Arena::of(major);
        for by in [By::Simple, By::Extended] {
            let mut direct = arena.world.connect_directly();
            let mut through = arena.world.connect(READER, SHOP);
            for text in BENIGN {
                let (expected, _) = send(&mut direct, &[text], by);
                let (got, open) = send(&mut through, &[text], by);
                let same = (
                    expected.texts(),
                    expected.completed(),
                    expected.copied(),
                    expected.ready(),
                ) == (got.texts(), got.completed(), got.copied(), got.ready())
                    && expected.sqlstate() == got.sqlstate();
                if !same || !open {
                    wrong.push(format!(
                        "- {major} {by:?} {text:?}\n    expected {expected:?}\n    got      {got:?}"
                    ));
                }
                if !open {
                    through = arena.world.connect(READER, SHOP);
                }
            }
        }
    }
    all_good(&wrong);
}

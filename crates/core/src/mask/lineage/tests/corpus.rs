//! What each statement shows of masked columns and how it uses them. Only grows.
// tidy: long because it is one table of cases, which only grows

use super::*;

#[test]
fn plain_columns_are_masked_in_place() {
    check(&[
        ("SELECT ssn FROM customers", "[ssn]"),
        ("SELECT id, ssn AS x, name FROM customers", "[- ssn -]"),
        ("SELECT * FROM customers", "[- - email ssn card]"),
        ("TABLE customers", "[- - email ssn card]"),
        ("SELECT c.* FROM customers c", "[- - email ssn card]"),
        ("SELECT public.customers.* FROM public.customers", "[- - email ssn card]"),
        ("SELECT public.customers.ssn FROM public.customers", "[ssn]"),
        ("SELECT app.public.customers.ssn FROM public.customers", "[ssn]"),
        ("SELECT (SELECT 1), c.ssn, o.* FROM customers AS c, orders o", "[- ssn - - - -]"),
        ("SELECT x FROM customers AS c(a, b, d, x, e)", "[ssn]"),
        ("SELECT ssn FROM customers AS c(a, b, ssn, x, e)", "[email]"),
        ("SELECT s.y FROM (SELECT ssn AS y FROM customers) s", "[ssn]"),
        ("SELECT s.z FROM (SELECT id, ssn FROM customers) s(y, z)", "[ssn]"),
        ("SELECT * FROM (SELECT * FROM (SELECT name, card FROM customers) a) b", "[- card]"),
        ("WITH c AS (SELECT id, ssn FROM customers) SELECT * FROM c", "[- ssn]"),
        ("WITH c(i, s) AS (SELECT id, ssn FROM customers), d AS (SELECT s FROM c) SELECT s, 1 FROM d", "[ssn -]"),
        ("WITH customers AS (SELECT 1 AS ssn) SELECT ssn FROM customers", "[-]"),
        ("WITH customers AS (SELECT 1 AS ssn) SELECT ssn FROM public.customers", "[ssn]"),
        ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", "[plain]"),
        ("SELECT (SELECT ssn FROM customers LIMIT 1)", "[ssn]"),
        ("SELECT (SELECT c.ssn) FROM customers c", "[ssn]"),
        ("SELECT (WITH w AS (SELECT c.ssn) SELECT ssn FROM w) FROM customers c", "[ssn]"),
        ("SELECT s.ssn FROM customers c, LATERAL (SELECT c.ssn) s", "[ssn]"),
        ("SELECT s.v FROM customers c CROSS JOIN LATERAL (VALUES (c.ssn), (c.name)) s(v)", "[ssn]"),
        ("SELECT ssn FROM ONLY customers TABLESAMPLE system (1)", "[ssn]"),
        ("SELECT ssn FROM customers FOR UPDATE", "[ssn]"),
        ("SELECT (c).* FROM customers c", "[- - email ssn card]"),
        ("SELECT j.ssn FROM (customers c JOIN orders o ON c.id = o.customer_id) AS j", ""),
    ]
    .iter()
    .filter(|(_, e)| !e.is_empty())
    .copied()
    .collect::<Vec<_>>());
}

#[test]
fn joins_merge_and_hide() {
    check(&[
        (
            "SELECT ssn FROM customers c JOIN orders o ON c.id = o.customer_id",
            "[ssn]",
        ),
        (
            "SELECT j.ssn FROM (customers c JOIN orders o(oid, cid) ON c.id = cid) AS j",
            "[ssn]",
        ),
        (
            "SELECT b FROM (customers c CROSS JOIN (SELECT 1 AS one) o) AS j(a, n, e, b)",
            "[ssn]",
        ),
        (
            "SELECT * FROM customers JOIN orders USING (id)",
            "[- - email ssn card - - -]",
        ),
        (
            "SELECT u.id FROM customers JOIN orders USING (id) AS u",
            "[-]",
        ),
        ("SELECT id FROM customers NATURAL JOIN orders", "[-]"),
        (
            "SELECT ssn FROM customers a JOIN customers b USING (ssn)",
            "[ssn] filter:ssn",
        ),
        (
            "SELECT ssn FROM (SELECT 'x' AS ssn) a FULL JOIN customers b USING (ssn)",
            "[ssn] filter:ssn",
        ),
        (
            "SELECT u.ssn FROM (SELECT 'x' AS ssn) a JOIN customers b USING (ssn) AS u",
            "[ssn] filter:ssn",
        ),
        (
            "SELECT 1 FROM customers a NATURAL JOIN customers_archive b",
            "[-] filter:card filter:email filter:ssn",
        ),
        (
            "SELECT 1 FROM customers a JOIN orders b ON a.ssn = b.note",
            "[-] filter:ssn",
        ),
        (
            "SELECT 1 FROM customers c JOIN (VALUES ('1')) v(s) ON c.ssn = v.s",
            "[-] filter:ssn",
        ),
        (
            "SELECT a.ssn FROM (SELECT note AS ssn FROM orders) a, customers b",
            "[-]",
        ),
        (
            "SELECT ssn FROM orders o LEFT JOIN (customers c JOIN orders p ON p.id = c.id) ON o.id = c.id",
            "[ssn]",
        ),
    ]);
}

#[test]
fn inner_names_win_over_outer_ones() {
    check(&[
        (
            "SELECT (SELECT ssn FROM (SELECT 1 AS ssn) x) FROM customers",
            "[-]",
        ),
        (
            "SELECT (SELECT note FROM orders WHERE ssn IS NULL LIMIT 1) FROM customers",
            "[-] filter:ssn",
        ),
        ("SELECT s.ssn FROM customers c, (SELECT 1 AS ssn) s", "[-]"),
        (
            "SELECT (SELECT s.ssn FROM (SELECT ssn) s) FROM customers",
            "[ssn]",
        ),
        // A subquery that is not LATERAL does not see its neighbour, but the level around.
        (
            "SELECT (SELECT s.x FROM orders c, (SELECT c.ssn AS x) s LIMIT 1) FROM customers c",
            "[ssn]",
        ),
        (
            "SELECT (SELECT s.x FROM orders c, LATERAL (SELECT c.note AS x) s LIMIT 1) FROM customers c",
            "[-]",
        ),
    ]);
}

#[test]
fn predicates_sorting_and_grouping_are_filters() {
    check(&[
        (
            "SELECT id FROM customers WHERE ssn = '123-45-6789'",
            "[-] filter:ssn",
        ),
        ("SELECT id FROM customers WHERE $1 = ssn", "[-] filter:ssn"),
        (
            "SELECT count(*) FROM customers WHERE ssn LIKE '1%'",
            "[-] filter:ssn",
        ),
        (
            "SELECT 1 FROM customers WHERE NOT (ssn IS NULL OR email > 'm')",
            "[-] filter:email filter:ssn",
        ),
        (
            "SELECT 1 FROM customers WHERE ssn IN ('a', 'b')",
            "[-] filter:ssn",
        ),
        (
            "SELECT 1 FROM customers WHERE ssn = ANY ($1)",
            "[-] filter:ssn",
        ),
        (
            "SELECT 1 FROM customers WHERE (id, ssn) = (1, 'x')",
            "[-] filter:ssn",
        ),
        (
            "SELECT 1 FROM orders WHERE note IN (SELECT ssn FROM customers)",
            "[-] filter:ssn",
        ),
        (
            "SELECT 1 FROM customers WHERE ssn BETWEEN 'a' AND 'b'",
            "[-] filter:ssn",
        ),
        (
            "SELECT 1 FROM customers WHERE ssn IS DISTINCT FROM 'x'",
            "[-] filter:ssn",
        ),
        ("SELECT id FROM customers ORDER BY ssn", "[-] filter:ssn"),
        (
            "SELECT id, ssn FROM customers ORDER BY 2",
            "[- ssn] filter:ssn",
        ),
        (
            "SELECT id, ssn AS s FROM customers ORDER BY s DESC",
            "[- ssn] filter:ssn",
        ),
        ("SELECT id AS ssn FROM customers ORDER BY ssn", "[-]"),
        (
            "SELECT id AS ssn FROM customers GROUP BY ssn, id",
            "[-] filter:ssn",
        ),
        (
            "SELECT count(*) FROM customers GROUP BY ssn",
            "[-] filter:ssn",
        ),
        (
            "SELECT ssn, count(*) FROM customers GROUP BY 1",
            "[ssn -] filter:ssn",
        ),
        (
            "SELECT count(*) FROM customers GROUP BY ROLLUP (id, ssn)",
            "[-] filter:ssn",
        ),
        ("SELECT DISTINCT ssn FROM customers", "[ssn] filter:ssn"),
        (
            "SELECT DISTINCT ON (ssn) id FROM customers",
            "[-] filter:ssn",
        ),
        ("SELECT DISTINCT id FROM customers", "[-]"),
        (
            "SELECT row_number() OVER (PARTITION BY ssn ORDER BY card) FROM customers",
            "[-] filter:card filter:ssn",
        ),
        (
            "SELECT rank() OVER w FROM customers WINDOW w AS (ORDER BY ssn)",
            "[-] filter:ssn",
        ),
        (
            "SELECT count(*) FILTER (WHERE ssn = 'x') FROM customers",
            "[-] filter:ssn",
        ),
        (
            "SELECT string_agg(name, ',' ORDER BY ssn) FROM customers",
            "[-] filter:ssn",
        ),
        (
            "SELECT 1 FROM customers GROUP BY id HAVING min(id) > 1",
            "[-]",
        ),
        (
            "EXPLAIN ANALYZE SELECT 1 FROM customers WHERE ssn = 'x'",
            "[plain] filter:ssn",
        ),
        ("EXPLAIN SELECT ssn FROM customers", "[plain]"),
    ]);
}

#[test]
fn expressions_derive() {
    check(&[
        (
            "SELECT c FROM customers c",
            "[-] derive:card derive:email derive:ssn",
        ),
        (
            "SELECT customers FROM customers",
            "[-] derive:card derive:email derive:ssn",
        ),
        (
            "SELECT c::text FROM customers c",
            "[-] derive:card derive:email derive:ssn",
        ),
        (
            "SELECT row_to_json(c) FROM customers c",
            "[-] derive:card derive:email derive:ssn",
        ),
        (
            "SELECT c.row_to_json FROM customers c",
            "[-] derive:card derive:email derive:ssn",
        ),
        (
            "SELECT to_jsonb(c.*) FROM customers c",
            "[-] derive:card derive:email derive:ssn",
        ),
        (
            "SELECT count(c) FROM customers c",
            "[-] derive:card derive:email derive:ssn",
        ),
        (
            "SELECT ROW(c.*) FROM customers c",
            "[-] derive:card derive:email derive:ssn",
        ),
        (
            "SELECT s FROM (SELECT ssn FROM customers) s",
            "[-] derive:ssn",
        ),
        ("SELECT (c).ssn FROM customers c", "[ssn]"),
        ("SELECT (c).ssn || '' FROM customers c", "[-] derive:ssn"),
        ("SELECT (c.*).ssn FROM customers c", "[ssn]"),
        (
            "SELECT 1 FROM customers c WHERE (c).ssn = 'x'",
            "[-] filter:ssn",
        ),
        ("SELECT (c).id FROM customers c", "[-]"),
        (
            "SELECT ssn(c) FROM customers c",
            "[-] derive:card derive:email derive:ssn",
        ),
        (
            "SELECT string_agg(ssn, ',') FROM customers",
            "[-] derive:ssn",
        ),
        ("SELECT max(ssn) FROM customers", "[-] derive:ssn"),
        ("SELECT array_agg(ssn) FROM customers", "[-] derive:ssn"),
        (
            "SELECT encode(ssn::bytea, 'base64') FROM customers",
            "[-] derive:ssn",
        ),
        (
            "SELECT reverse(ssn), translate(card, '0', 'a') FROM customers",
            "[- -] derive:card derive:ssn",
        ),
        (
            "SELECT ascii(substr(ssn, i, 1)) FROM customers, generate_series(1, 11) i",
            "[-] derive:ssn",
        ),
        (
            "SELECT 1 FROM customers WHERE ascii(substr(ssn, 1, 1)) > 50",
            "[-] derive:ssn",
        ),
        ("SELECT ssn || '' FROM customers", "[-] derive:ssn"),
        ("SELECT ssn::varchar FROM customers", "[-] derive:ssn"),
        ("SELECT ssn COLLATE \"C\" FROM customers", "[-] derive:ssn"),
        ("SELECT coalesce(ssn, '') FROM customers", "[-] derive:ssn"),
        ("SELECT nullif(ssn, '') FROM customers", "[-] derive:ssn"),
        (
            "SELECT greatest(ssn, card) FROM customers",
            "[-] derive:card derive:ssn",
        ),
        (
            "SELECT CASE WHEN ssn = 'x' THEN 1 END FROM customers",
            "[-] derive:ssn",
        ),
        (
            "SELECT CASE WHEN true THEN ssn END FROM customers",
            "[-] derive:ssn",
        ),
        ("SELECT ssn = 'x' FROM customers", "[-] derive:ssn"),
        ("SELECT ssn IS NULL FROM customers", "[-] derive:ssn"),
        ("SELECT ARRAY[ssn] FROM customers", "[-] derive:ssn"),
        ("SELECT ARRAY(SELECT ssn FROM customers)", "[-] derive:ssn"),
        ("SELECT (ARRAY[ssn])[1] FROM customers", "[-] derive:ssn"),
        (
            "SELECT lower((SELECT ssn FROM customers LIMIT 1))",
            "[-] derive:ssn",
        ),
        (
            "SELECT 'x' IN (SELECT ssn FROM customers)",
            "[-] derive:ssn",
        ),
        (
            "SELECT xmlelement(name x, ssn) FROM customers",
            "[-] derive:ssn",
        ),
        ("SELECT xmlforest(ssn) FROM customers", "[-] derive:ssn"),
        (
            "SELECT json_object('a': ssn) FROM customers",
            "[-] derive:ssn",
        ),
        (
            "SELECT json_arrayagg(ssn ORDER BY card) FROM customers",
            "[-] filter:card derive:ssn",
        ),
        (
            "SELECT json_array(SELECT ssn FROM customers)",
            "[-] derive:ssn",
        ),
        (
            "SELECT * FROM json_each(to_json((SELECT c FROM customers c LIMIT 1)))",
            "[- -] derive:card derive:email derive:ssn",
        ),
        (
            "SELECT u FROM customers c, unnest(ARRAY[c.ssn]) u",
            "[-] derive:ssn",
        ),
        (
            "SELECT t.x FROM customers c, json_table(c.ssn::jsonb, '$' COLUMNS (x text PATH '$')) t",
            "[-] derive:ssn",
        ),
        (
            "SELECT lag(ssn) OVER (ORDER BY id) FROM customers",
            "[-] derive:ssn",
        ),
        (
            "SELECT 1 FROM customers LIMIT (SELECT length(ssn) FROM customers LIMIT 1)",
            "[-] derive:ssn",
        ),
        (
            "SELECT id FROM customers ORDER BY lower(ssn)",
            "[-] derive:ssn",
        ),
        (
            "SELECT grouping(ssn) FROM customers GROUP BY ssn",
            "[-] filter:ssn",
        ),
        (
            "SELECT count(ssn), count(DISTINCT card) FROM customers",
            "[- -] count:card count:ssn",
        ),
        (
            "SELECT 1 FROM customers HAVING count(ssn) > 1",
            "[-] count:ssn",
        ),
        ("SELECT count(lower(ssn)) FROM customers", "[-] derive:ssn"),
    ]);
}

#[test]
fn set_operations() {
    check(&[
        (
            "SELECT ssn FROM customers UNION ALL SELECT note FROM orders",
            "[ssn]",
        ),
        (
            "SELECT note FROM orders UNION ALL SELECT ssn FROM customers",
            "[ssn]",
        ),
        (
            "SELECT note, id FROM orders UNION ALL SELECT ssn, id FROM customers ORDER BY 1",
            "[ssn -] filter:ssn",
        ),
        (
            "SELECT note FROM orders UNION ALL SELECT ssn FROM customers ORDER BY note",
            "[ssn] filter:ssn",
        ),
        (
            "SELECT ssn FROM customers UNION ALL SELECT email FROM customers",
            "[email+ssn]",
        ),
        (
            "SELECT note FROM orders UNION SELECT ssn FROM customers",
            "[ssn] filter:ssn",
        ),
        (
            "SELECT note FROM orders INTERSECT SELECT ssn FROM customers",
            "[ssn] filter:ssn",
        ),
        (
            "SELECT note FROM orders EXCEPT ALL SELECT ssn FROM customers",
            "[ssn] filter:ssn",
        ),
        (
            "SELECT x FROM (SELECT 'a' AS x UNION ALL SELECT ssn FROM customers) s",
            "[ssn]",
        ),
        (
            "SELECT id FROM orders UNION SELECT id FROM customers",
            "[-]",
        ),
        (
            "VALUES ('a'), ((SELECT ssn FROM customers LIMIT 1))",
            "[ssn]",
        ),
        (
            "SELECT column2 FROM (VALUES (1, (SELECT ssn FROM customers LIMIT 1))) v",
            "[ssn]",
        ),
    ]);
}

#[test]
fn recursion_reaches_a_fixpoint() {
    check(&[
        (
            "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
            "[-]",
        ),
        (
            "WITH RECURSIVE r(a, b) AS (SELECT 'x', ssn FROM customers UNION ALL SELECT b, a FROM r) SELECT * FROM r",
            "[ssn ssn]",
        ),
        (
            "WITH RECURSIVE r(a, b, c) AS (SELECT 'x', 'y', ssn FROM customers UNION ALL SELECT b, c, a FROM r) SELECT a FROM r",
            "[ssn]",
        ),
        (
            "WITH RECURSIVE r(a) AS (SELECT ssn FROM customers UNION SELECT a FROM r) SELECT a FROM r",
            "[ssn] filter:ssn",
        ),
        (
            "WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT ssn FROM customers) SELECT * FROM a",
            "[ssn]",
        ),
        (
            "WITH RECURSIVE r(a) AS (SELECT ssn FROM customers UNION ALL SELECT a || 'x' FROM r) SELECT 1 FROM r",
            "[-] derive:ssn",
        ),
        (
            "WITH RECURSIVE r(i, s) AS (SELECT id, ssn FROM customers UNION ALL SELECT i, s FROM r) SEARCH DEPTH FIRST BY s SET o SELECT o FROM r",
            "[-] derive:ssn",
        ),
        (
            "WITH RECURSIVE r(i, s) AS (SELECT id, ssn FROM customers UNION ALL SELECT i, s FROM r) CYCLE s SET c USING p SELECT p FROM r",
            "[-] derive:ssn",
        ),
    ]);
}

#[test]
fn writes_must_not_carry_masked_values_away() {
    check(&[
        (
            "INSERT INTO orders (note) SELECT ssn FROM customers",
            "[] derive:ssn",
        ),
        (
            "INSERT INTO orders (note) VALUES ((SELECT ssn FROM customers LIMIT 1))",
            "[] derive:ssn",
        ),
        (
            "INSERT INTO customers_archive SELECT * FROM customers",
            "[] derive:card derive:email derive:ssn",
        ),
        (
            "INSERT INTO customers (id, name) SELECT id, ssn FROM customers",
            "[] derive:ssn",
        ),
        (
            "INSERT INTO customers (id, ssn) SELECT id + 1, ssn FROM customers",
            "[]",
        ),
        (
            "INSERT INTO customers (email, ssn) SELECT ssn, email FROM customers",
            "[] derive:email derive:ssn",
        ),
        (
            "INSERT INTO customers (id, ssn) VALUES (1, '123-45-6789')",
            "[]",
        ),
        (
            "INSERT INTO customers (id, ssn) VALUES (1, 'x') RETURNING id, ssn AS s",
            "[- ssn]",
        ),
        (
            "INSERT INTO customers (id) VALUES (1) RETURNING *",
            "[- - email ssn card]",
        ),
        (
            "INSERT INTO customers (id, email) VALUES (1, 'x') ON CONFLICT (email) DO NOTHING",
            "[] filter:email",
        ),
        (
            "INSERT INTO customers (id, email) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET email = excluded.email",
            "[]",
        ),
        (
            "INSERT INTO customers (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = customers.ssn",
            "[] derive:ssn",
        ),
        (
            "INSERT INTO customers (id, ssn) SELECT id, ssn FROM customers ON CONFLICT (id) DO UPDATE SET name = excluded.ssn",
            "[] derive:ssn",
        ),
        (
            "INSERT INTO customers (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'x' WHERE customers.ssn = 'y'",
            "[] filter:ssn",
        ),
        ("UPDATE customers SET name = ssn", "[] derive:ssn"),
        ("UPDATE customers SET ssn = ssn, email = 'x'", "[]"),
        (
            "UPDATE customers SET name = 'x' WHERE ssn = 'y'",
            "[] filter:ssn",
        ),
        (
            "UPDATE orders SET note = c.ssn FROM customers c WHERE c.id = customer_id",
            "[] derive:ssn",
        ),
        (
            "UPDATE orders SET note = (SELECT ssn FROM customers LIMIT 1)",
            "[] derive:ssn",
        ),
        (
            "UPDATE orders SET (total, note) = (SELECT 1, ssn FROM customers LIMIT 1)",
            "[] derive:ssn",
        ),
        (
            "UPDATE orders SET (total, note) = (1, (SELECT ssn FROM customers LIMIT 1))",
            "[] derive:ssn",
        ),
        (
            "UPDATE customers SET (name, ssn) = ('a', 'b') RETURNING ssn, name",
            "[ssn -]",
        ),
        (
            "UPDATE customers SET name = 'x' RETURNING old.ssn, new.email",
            "[ssn email]",
        ),
        (
            "UPDATE customers SET name = 'x' RETURNING WITH (OLD AS o) o.ssn",
            "[ssn]",
        ),
        (
            "UPDATE customers SET name = 'x' RETURNING old",
            "[-] derive:card derive:email derive:ssn",
        ),
        (
            "UPDATE orders SET note = 'x' FROM customers c RETURNING c.ssn",
            "[ssn]",
        ),
        (
            "DELETE FROM customers WHERE card = 'x' RETURNING card",
            "[card] filter:card",
        ),
        (
            "DELETE FROM orders USING customers c WHERE c.ssn = note RETURNING c.ssn",
            "[ssn] filter:ssn",
        ),
        (
            "WITH d AS (DELETE FROM customers RETURNING ssn) SELECT * FROM d",
            "[ssn]",
        ),
        (
            "WITH i AS (INSERT INTO orders (note) SELECT ssn FROM customers RETURNING id) SELECT id FROM i",
            "[-] derive:ssn",
        ),
        (
            "MERGE INTO orders o USING customers c ON o.customer_id = c.id WHEN MATCHED THEN UPDATE SET note = c.ssn",
            "[] derive:ssn",
        ),
        (
            "MERGE INTO orders o USING customers c ON o.note = c.ssn WHEN MATCHED AND c.card = 'x' THEN DELETE",
            "[] filter:card filter:ssn",
        ),
        (
            "MERGE INTO orders o USING customers c ON o.id = c.id WHEN NOT MATCHED THEN INSERT (id, note) VALUES (c.id, c.ssn)",
            "[] derive:ssn",
        ),
        (
            "MERGE INTO orders o USING customers c ON o.id = c.id WHEN MATCHED THEN DO NOTHING RETURNING c.ssn, o.id",
            "[ssn -]",
        ),
        ("SELECT ssn INTO x FROM customers", "[] derive:ssn"),
        (
            "CREATE TABLE x AS SELECT ssn FROM customers",
            "[] derive:ssn",
        ),
        ("CREATE TABLE x AS SELECT id FROM customers", "[]"),
        (
            "CREATE VIEW v AS SELECT ssn FROM customers",
            "[] derive:ssn",
        ),
        (
            "CREATE VIEW v AS SELECT id FROM customers WHERE ssn = 'x'",
            "[] filter:ssn",
        ),
        (
            "CREATE MATERIALIZED VIEW v AS TABLE customers",
            "[] derive:card derive:email derive:ssn",
        ),
        ("CREATE TABLE x AS EXECUTE p", "[] unclear"),
    ]);
}

#[test]
fn copy_cursors_and_prepared_statements() {
    check(&[
        ("COPY customers TO STDOUT", "[- - email ssn card]"),
        (
            "COPY customers (ssn, id) TO STDOUT (FORMAT binary)",
            "[ssn -]",
        ),
        (
            "COPY (SELECT id, card FROM customers) TO STDOUT",
            "[- card]",
        ),
        (
            "COPY (DELETE FROM customers RETURNING ssn) TO STDOUT",
            "[ssn]",
        ),
        ("COPY customers FROM STDIN", "[]"),
        ("COPY customers FROM STDIN WHERE ssn = 'x'", "[] filter:ssn"),
        ("DECLARE c CURSOR FOR SELECT ssn FROM customers", "[]"),
        ("FETCH ALL FROM c", "[cursor c]"),
        ("MOVE 5 IN c", "[]"),
        (
            "PREPARE p AS SELECT ssn FROM customers WHERE card = $1",
            "[] filter:card",
        ),
        ("EXECUTE p ('x')", "[prepared p]"),
    ]);
}

#[test]
fn views_over_masked_columns_are_uses() {
    check(&[
        ("SELECT s FROM customer_ssns", "[-] derive:ssn"),
        ("SELECT id FROM customer_ssns", "[-] derive:ssn"),
        (
            "SELECT 1 FROM orders WHERE id IN (SELECT id FROM customer_ssns)",
            "[-] derive:ssn",
        ),
        ("SELECT * FROM customer_names", "[- -]"),
        ("COPY customer_ssns TO STDOUT", "[- -] derive:ssn"),
    ]);
}

#[test]
fn what_cannot_be_told_is_said() {
    check(&[
        ("SELECT nosuch FROM customers", "[-] unclear"),
        ("SELECT x.ssn FROM customers c", "[-] unclear"),
        ("SELECT c.ssn FROM customers c, gone g", "[ssn] unclear"),
        (
            "SELECT c.ssn, f.* FROM customers c, myfunc() f",
            "[unknown]",
        ),
        ("SELECT c.id, f.* FROM customers c, myfunc() f", "[plain]"),
        (
            "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ssn FROM customers'",
            "[plain] unclear",
        ),
        (
            "DO $$ BEGIN PERFORM ssn FROM customers; END $$",
            "[plain] unclear",
        ),
        (
            "CREATE RULE r AS ON INSERT TO orders DO ALSO SELECT ssn FROM customers",
            "[plain] unclear",
        ),
        (
            "ALTER TABLE customers RENAME COLUMN ssn TO notes",
            "[plain] unclear",
        ),
        ("ALTER TABLE customers RENAME TO clients", "[plain] unclear"),
        ("ALTER TABLE customers SET SCHEMA other", "[plain] unclear"),
        (
            "CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW WHEN (old.ssn = 'x') EXECUTE FUNCTION f()",
            "[plain] unclear",
        ),
        (
            "CREATE POLICY p ON customers USING (ssn = 'x')",
            "[plain] unclear",
        ),
        (
            "ALTER TABLE customers ADD COLUMN s2 text GENERATED ALWAYS AS (ssn) STORED",
            "[] derive:ssn",
        ),
        (
            "ALTER TABLE customers ADD CHECK (ssn < 'x')",
            "[] derive:ssn",
        ),
        (
            "ALTER TABLE customers ALTER COLUMN name TYPE text USING ssn",
            "[] derive:ssn",
        ),
        (
            "ALTER TABLE customers ADD COLUMN extra text DEFAULT 'x'",
            "[]",
        ),
        ("CREATE INDEX ON customers (lower(ssn))", "[] derive:ssn"),
        ("CREATE INDEX ON customers (ssn)", "[]"),
    ]);
}

#[test]
fn the_rest_is_left_alone() {
    check(&[
        ("SELECT 1", "[-]"),
        ("SELECT count(*) FROM customers", "[-]"),
        (
            "SELECT id, lower(name), c.ctid FROM customers c WHERE id = 3",
            "[- - -]",
        ),
        (
            "SELECT note FROM orders WHERE lower(note) = 'x' GROUP BY note ORDER BY 1",
            "[-]",
        ),
        ("SELECT nosuch FROM gone", "[-]"),
        ("SELECT o FROM orders o", "[-]"),
        (
            "SELECT EXISTS (SELECT ssn FROM customers WHERE id = 3)",
            "[-]",
        ),
        ("SELECT * FROM pg_class", "[plain]"),
        (
            "SELECT relname FROM pg_catalog.pg_class WHERE relname = 'x'",
            "[-]",
        ),
        ("SELECT g FROM generate_series(1, 3) g", "[-]"),
        ("BEGIN", "[]"),
        ("SET search_path = public", "[]"),
        ("SHOW server_version", "[plain]"),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "[plain]",
        ),
        ("DROP TABLE customers", "[]"),
        ("TRUNCATE customers", "[]"),
        ("CREATE TABLE t (LIKE customers)", "[]"),
        ("ANALYZE customers", "[]"),
    ]);
}

/// Each round of this one would double its columns.
#[test]
fn columns_that_multiply_end_in_a_doubt() {
    check(&[
        (
            "WITH RECURSIVE r AS (SELECT *, ssn FROM customers, r AS a, r AS b) SELECT 1 FROM r",
            "[-] unclear",
        ),
        (
            "WITH RECURSIVE r AS (UPDATE customers SET name = 'x' FROM r a, r b RETURNING *) SELECT 1 FROM r",
            "[-] unclear",
        ),
    ]);
}

#[test]
fn messages_say_where() {
    let catalogue = fixture::catalogue();
    let masked = fixture::masked(&catalogue);
    let what = |sql: &str| {
        let tree = pg_query::parse(sql, pg_query::ParserOptions::default()).unwrap();
        let found = lineage(&tree.protobuf, &catalogue, &fixture::path(), &masked);
        found
            .uses()
            .map(|u| u.what.clone())
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert_eq!(
        what("SELECT lower(ssn) FROM customers"),
        "inside lower(…) in the select list"
    );
    assert_eq!(what("SELECT 1 FROM customers WHERE ssn = 'x'"), "in WHERE");
    assert_eq!(
        what("SELECT 1 FROM customers WHERE ssn::int = 1"),
        "inside a cast to int4 in WHERE"
    );
    assert_eq!(
        what("UPDATE orders SET note = ssn FROM customers"),
        "written to orders.note"
    );
    assert_eq!(
        what("SELECT 1 FROM customer_ssns"),
        "read by the view public.customer_ssns"
    );
    assert!(what("SELECT c FROM customers c").starts_with("inside the whole row of c"));
}

#[test]
fn deep_statements_end_in_a_doubt_not_in_a_crash() {
    let catalogue = fixture::catalogue();
    let masked = fixture::masked(&catalogue);
    let run = move || {
        let sql = format!(
            "SELECT {}ssn{} FROM customers",
            "(".repeat(60),
            ")".repeat(60)
        );
        let nested = (0..25).fold("SELECT ssn FROM customers".to_owned(), |q, i| {
            format!("SELECT * FROM ({q}) s{i}")
        });
        let unions = vec!["SELECT ssn FROM customers"; 40].join(" UNION ALL ");
        for sql in [sql, nested, unions] {
            let Ok(tree) = pg_query::parse(&sql, pg_query::ParserOptions::default()) else {
                continue;
            };
            let found = lineage(&tree.protobuf, &catalogue, &fixture::path(), &masked);
            assert_eq!(show(found.statements.first().unwrap()), "[ssn]");
        }
    };
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

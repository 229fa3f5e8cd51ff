//! Leaks: each shows a value, or a part of one, on the bare server. Through the gateway it shows none.

use super::{By, EACH, through, traces, world, world_with};
use crate::attacks::all_good;
use crate::world::{READER, WRITER, Who, World, majors};
use brattice_testkit::wire::Answer;

/// What is sent, and what of the value it shows; empty when one of the known traces does.
struct Leak {
    who: Who,
    texts: &'static [&'static str],
    shows: &'static str,
    since: u8,
}

const fn leak(texts: &'static [&'static str], shows: &'static str) -> Leak {
    Leak {
        who: READER,
        texts,
        shows,
        since: 13,
    }
}

const fn written(texts: &'static [&'static str], shows: &'static str) -> Leak {
    Leak {
        who: WRITER,
        texts,
        shows,
        since: 13,
    }
}

impl Leak {
    const fn since(mut self, major: u8) -> Leak {
        self.since = major;
        self
    }
}

const LEAKS: &[Leak] = &[
    // MK1: other names for the same column.
    leak(&["SELECT ssn FROM customers"], ""),
    leak(&["SELECT ssn AS x, card AS y FROM customers"], ""),
    leak(&["SELECT x.a FROM (SELECT ssn AS a FROM customers) x"], ""),
    leak(&["SELECT b FROM customers AS c(a, n, e, b, d, f)"], ""),
    leak(&["WITH c AS (SELECT ssn FROM customers) SELECT * FROM c"], ""),
    leak(&["WITH RECURSIVE c AS (SELECT id, ssn FROM customers WHERE id = 1 UNION ALL SELECT k.id, k.ssn FROM customers k JOIN c ON k.id = c.id + 1) SELECT * FROM c"], ""),
    leak(&["SELECT * FROM customers"], ""),
    leak(&["TABLE customers"], ""),
    leak(&["SELECT c.* FROM customers c"], ""),
    leak(&["SELECT ssn FROM ONLY customers"], ""),
    leak(&["SELECT l.ssn FROM orders o, LATERAL (SELECT ssn FROM customers c WHERE c.id = o.customer_id) l"], ""),
    leak(&["SELECT (SELECT ssn FROM customers WHERE id = 1)"], ""),
    leak(&["SELECT ARRAY(SELECT ssn FROM customers)"], ""),
    leak(&["SELECT ssn FROM customers UNION ALL SELECT name FROM customers"], ""),
    leak(&["SELECT name FROM customers UNION SELECT ssn FROM customers"], ""),
    leak(&["SELECT ssn FROM customers INTERSECT SELECT ssn FROM customers"], ""),
    leak(&["SELECT ssn FROM customers EXCEPT SELECT name FROM customers"], ""),
    leak(&["VALUES ((SELECT ssn FROM customers WHERE id = 1))"], ""),
    leak(&["SELECT * FROM customers NATURAL JOIN customers AS c"], ""),
    leak(&["SELECT ssn FROM customers JOIN archive USING (ssn) RIGHT JOIN customers c USING (ssn)"], ""),
    leak(&["SELECT DISTINCT ssn FROM customers"], ""),
    leak(&["SELECT ssn FROM customers GROUP BY ssn"], ""),
    leak(&["SELECT id, ssn FROM customers ORDER BY 2 LIMIT 1"], ""),
    leak(&["BEGIN", "DECLARE c CURSOR FOR SELECT ssn FROM customers", "FETCH ALL FROM c"], ""),
    leak(&["BEGIN", "DECLARE c SCROLL CURSOR FOR SELECT ssn FROM customers", "FETCH LAST FROM c", "FETCH FIRST FROM c"], ""),
    leak(&["PREPARE p AS SELECT ssn FROM customers", "EXECUTE p"], ""),
    leak(&["PREPARE p(text) AS SELECT $1 || ssn FROM customers", "EXECUTE p('')"], ""),
    // MK2: views and copies.
    leak(&["SELECT number FROM customers_view"], ""),
    leak(&["SELECT number FROM customers_reversed"], ""),
    leak(&["TABLE customers_reversed"], ""),
    leak(&["SELECT ssn FROM older"], "219-09-9999"),
    // MK4: the whole row, and what is made of it.
    leak(&["SELECT c FROM customers c"], ""),
    leak(&["SELECT customers FROM customers"], ""),
    leak(&["SELECT c::text FROM customers c"], ""),
    leak(&["SELECT (c).ssn FROM customers c"], ""),
    leak(&["SELECT (c.*)::text FROM customers c"], ""),
    leak(&["SELECT ROW(c.*) FROM customers c"], ""),
    leak(&["SELECT row_to_json(c) FROM customers c"], ""),
    leak(&["SELECT to_jsonb(c) -> 'ssn' FROM customers c"], ""),
    leak(&["SELECT json_agg(c) FROM customers c"], ""),
    leak(&["SELECT array_agg(c) FROM customers c"], ""),
    leak(&["SELECT (jsonb_each_text(to_jsonb(c))).value FROM customers c"], ""),
    leak(&["SELECT j.value FROM customers c, jsonb_each_text(to_jsonb(c)) j"], ""),
    leak(&["SELECT x FROM customers c, LATERAL (SELECT c.*) x"], ""),
    leak(&["SELECT string_agg(ssn, ',') FROM customers"], ""),
    leak(&["SELECT max(ssn) FROM customers"], "219-09-9999"),
    leak(&["SELECT min(ssn) FROM customers"], ""),
    leak(&["SELECT min(card::text) FROM customers WHERE id = 1"], ""),
    leak(&["SELECT array_agg(ssn ORDER BY id) FROM customers"], ""),
    leak(&["SELECT first_value(ssn) OVER (ORDER BY id) FROM customers"], ""),
    leak(&["SELECT lag(ssn) OVER (ORDER BY id) FROM customers"], ""),
    leak(&["SELECT mode() WITHIN GROUP (ORDER BY ssn) FROM customers"], ""),
    leak(&["SELECT percentile_disc(0) WITHIN GROUP (ORDER BY card) FROM customers WHERE id = 1"], ""),
    leak(&["SELECT query_to_xml('SELECT ssn FROM customers', true, true, '')"], ""),
    leak(&["SELECT table_to_xml('customers', true, true, '')"], ""),
    leak(&["SELECT schema_to_xml('public', true, true, '')"], ""),
    leak(&["SELECT xmlforest(ssn) FROM customers"], ""),
    leak(&["SELECT xmlelement(name a, ssn) FROM customers"], ""),
    leak(&["SELECT json_build_object('a', ssn) FROM customers"], ""),
    leak(&["SELECT format('%s', ssn) FROM customers"], ""),
    leak(&["SELECT concat(ssn) FROM customers"], ""),
    leak(&["SELECT concat_ws('', ssn, '') FROM customers"], ""),
    leak(&["SELECT coalesce(ssn, '') FROM customers"], ""),
    leak(&["SELECT greatest(ssn, '') FROM customers"], ""),
    leak(&["SELECT nullif(ssn, '') FROM customers"], ""),
    leak(&["SELECT CASE WHEN true THEN ssn END FROM customers"], ""),
    leak(&["SELECT ssn || '' FROM customers"], ""),
    leak(&["SELECT ssn COLLATE \"C\" FROM customers"], ""),
    leak(&["SELECT ssn::varchar(20) FROM customers"], ""),
    leak(&["SELECT CAST(ssn AS bytea) FROM customers"], "\\x3231392d30392d39393931"),
    leak(&["SELECT ssn::name FROM customers"], ""),
    leak(&["SELECT card + 0 FROM customers"], ""),
    leak(&["SELECT -(-card) FROM customers"], ""),
    leak(&["SELECT card::numeric FROM customers"], ""),
    leak(&["SELECT to_char(card, 'FM9999999999999999') FROM customers"], ""),
    leak(&["SELECT ARRAY[ssn] FROM customers"], ""),
    leak(&["SELECT unnest(ARRAY[ssn]) FROM customers"], ""),
    leak(&["SELECT unnest(string_to_array(ssn, ' ')) FROM customers"], ""),
    leak(&["SELECT regexp_replace(ssn, '-', '', 'g') FROM customers"], ""),
    leak(&["SELECT regexp_matches(ssn, '.*') FROM customers"], ""),
    leak(&["SELECT replace(ssn, '-', '') FROM customers"], ""),
    // MK5: transformed.
    leak(&["SELECT encode(ssn::bytea, 'base64') FROM customers"], ""),
    leak(&["SELECT encode(ssn::bytea, 'hex') FROM customers"], ""),
    leak(&["SELECT reverse(ssn) FROM customers"], ""),
    leak(&["SELECT translate(ssn, '0123456789', 'abcdefghij') FROM customers"], "cbj-aj-jjjb"),
    leak(&["SELECT overlay(ssn PLACING 'x' FROM 4 FOR 1) FROM customers"], "219x09-9991"),
    leak(&["SELECT to_hex(card) FROM customers"], "e9b08a568f1c7"),
    // MK6: in parts.
    leak(&["SELECT 'n:' || ascii(substr(ssn, 11, 1)) FROM customers WHERE id = 1"], "n:49"),
    leak(&["SELECT 'p:' || substr(ssn, 8) FROM customers WHERE id = 1"], "p:9991"),
    leak(&["SELECT 'l:' || left(ssn, 3) FROM customers WHERE id = 1"], "l:219"),
    leak(&["SELECT 's:' || split_part(ssn, '-', 3) FROM customers WHERE id = 1"], "s:9991"),
    leak(&["SELECT 'y:' || length(ssn) FROM customers WHERE id = 1"], "y:11"),
    leak(&["SELECT 'm:' || card % 10 FROM customers WHERE id = 1"], "m:1"),
    leak(&["SELECT 'b:' || get_bit(card::bit(64), 63) FROM customers WHERE id = 1"], "b:1"),
    leak(&["SELECT 'c:' || (ssn = '219-09-9991') FROM customers WHERE id = 1"], "c:true"),
    leak(&["SELECT 'g:' || g FROM customers, generate_series(1, 9999) g WHERE id = 1 AND split_part(ssn, '-', 3)::int = g"], "g:9991"),
    leak(&["SELECT 'w:' || width_bucket(card, 0, 9999999999999999, 9999) FROM customers WHERE id = 1"], "w:4111"),
    leak(&["SELECT 'h:' || hashtext(ssn) FROM customers WHERE id = 1"], "h:"),
    leak(&["SELECT 'md5:' || md5(ssn) FROM customers WHERE id = 1"], "md5:"),
    leak(&["SELECT 'sum:' || sum(card) FROM customers WHERE id = 1"], ""),
    leak(&["SELECT 'bit:' || bit_or(card) FROM customers WHERE id = 1"], ""),
    // MK8: COPY.
    leak(&["COPY customers TO STDOUT"], ""),
    leak(&["COPY customers TO STDOUT (FORMAT csv)"], ""),
    leak(&["COPY customers TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *)"], ""),
    leak(&["COPY customers TO STDOUT (FORMAT csv, QUOTE '''', DELIMITER ';')"], ""),
    leak(&["COPY customers TO STDOUT (FORMAT binary)"], ""),
    leak(&["COPY customers (ssn) TO STDOUT"], ""),
    leak(&["COPY customers (card, ssn) TO STDOUT (DELIMITER '|')"], ""),
    leak(&["COPY (SELECT ssn FROM customers) TO STDOUT"], ""),
    leak(&["COPY (SELECT reverse(ssn) FROM customers) TO STDOUT"], ""),
    leak(&["COPY (SELECT c FROM customers c) TO STDOUT"], ""),
    leak(&["COPY (TABLE customers) TO STDOUT (FORMAT csv)"], ""),
    // MK9: in errors and notices.
    leak(&["SELECT ssn::int FROM customers"], ""),
    leak(&["SELECT 1 / (card - 4111111111111111) FROM customers WHERE id = 1"], "division by zero"),
    leak(&["SELECT ('x' || ssn)::uuid FROM customers"], ""),
    leak(&["SELECT ssn::regclass FROM customers"], ""),
    leak(&["SELECT to_date(ssn, 'YYYY') FROM customers; SELECT ssn::date FROM customers"], ""),
    leak(&["SELECT set_config('application_name', ssn, false) FROM customers"], ""),
    leak(&["SELECT * FROM pg_stat_get_activity(NULL) WHERE query = (SELECT ssn::int::text FROM customers LIMIT 1)"], ""),
    // MK14: conditions, order, joins.
    leak(&["SELECT 'n:' || count(*) FROM customers WHERE ssn LIKE '219-09-9991'"], "n:1"),
    leak(&["SELECT 'id:' || id FROM customers WHERE ssn = '219-09-9991'"], "id:1"),
    leak(&["SELECT 'id:' || id FROM customers WHERE card BETWEEN 4111111111111111 AND 4111111111111112"], "id:1"),
    leak(&["SELECT 'id:' || id FROM customers WHERE ssn ~ '9991$'"], "id:1"),
    leak(&["SELECT 'id:' || id FROM customers WHERE starts_with(ssn, '219')"], "id:1"),
    leak(&["SELECT 'id:' || id FROM customers ORDER BY ssn LIMIT 1"], "id:1"),
    leak(&["SELECT 'id:' || id FROM customers GROUP BY id, ssn HAVING max(ssn) > '2'"], "id:1"),
    leak(&["SELECT 'id:' || c.id FROM customers c JOIN (VALUES ('219-09-9991')) v(s) ON v.s = c.ssn"], "id:1"),
    leak(&["SELECT 'id:' || c.id FROM customers c JOIN (VALUES ('219-09-9991')) v(ssn) USING (ssn)"], "id:1"),
    leak(&["SELECT 'id:' || c.id FROM customers c NATURAL JOIN (VALUES ('219-09-9991')) v(ssn)"], "id:1"),
    leak(&["SELECT 'id:' || id FROM customers WHERE (id, ssn) = (1, '219-09-9991')"], "id:1"),
    leak(&["SELECT 'id:' || id FROM customers WHERE ssn IN ('219-09-9991')"], "id:1"),
    leak(&["SELECT 'id:' || id FROM customers WHERE EXISTS (SELECT 1 WHERE ssn = '219-09-9991')"], "id:1"),
    leak(&["SELECT 'id:' || id FROM customers c WHERE c = (SELECT k FROM customers k WHERE id = 1)"], "id:1"),
    leak(&["SELECT 'id:' || id FROM customers WHERE '219-09-9991' = ANY (ARRAY[ssn])"], "id:1"),
    leak(&["SELECT 'r:' || rank() OVER (ORDER BY ssn) FROM customers WHERE id = 1"], "r:1"),
    leak(&["SELECT 'f:' || count(*) FILTER (WHERE ssn < '219-09-9992') FROM customers"], "f:1"),
    leak(&["SELECT 'd:' || count(DISTINCT ssn) FROM customers"], "d:"),
    leak(&["SELECT 'id:' || id FROM customers WHERE ssn IS DISTINCT FROM 'x' AND id = 1"], "id:1"),
    leak(&["EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT id FROM customers WHERE ssn = '219-09-9991'"], "actual rows=1"),
    // MK19 and the server's own copies.
    leak(&["SELECT tells(1)"], ""),
    leak(&["SELECT * FROM tells(1)"], ""),
    leak(&["SELECT histogram_bounds FROM pg_stats WHERE attname = 'ssn' AND tablename = 'customers'"], ""),
    leak(&["SELECT stavalues1 FROM pg_statistic WHERE starelid = 'customers'::regclass"], ""),
    leak(&["SELECT ctid, xmin, ssn FROM customers"], ""),
    // By writing.
    written(&["UPDATE customers SET city = city WHERE id = 1 RETURNING ssn"], ""),
    written(&["UPDATE customers SET city = city WHERE id = 1 RETURNING reverse(ssn)"], ""),
    written(&["UPDATE customers SET city = ssn WHERE id = 1 RETURNING city"], ""),
    written(&["UPDATE customers SET city = ssn WHERE id = 1", "SELECT city FROM customers WHERE id = 1"], ""),
    written(&["UPDATE orders o SET item = c.ssn FROM customers c WHERE c.id = 1 RETURNING item"], ""),
    written(&["UPDATE orders SET item = (SELECT ssn FROM customers WHERE id = 1) RETURNING item"], ""),
    written(&["INSERT INTO notes SELECT 7, ssn FROM customers WHERE id = 1 RETURNING text"], ""),
    written(&["INSERT INTO notes VALUES (7, (SELECT ssn FROM customers WHERE id = 1)) RETURNING text"], ""),
    written(&["INSERT INTO archive TABLE customers", "TABLE archive"], ""),
    written(&["DELETE FROM older WHERE id = 9 RETURNING ssn"], "219-09-9999"),
    written(&["UPDATE customers SET name = NULL WHERE id = 1"], ""),
    written(&["UPDATE customers SET id = NULL WHERE id = 1"], ""),
    written(&["INSERT INTO customers SELECT id + 10, name, email, ssn, card, city FROM customers"], ""),
    written(&["INSERT INTO customers (id, name, email, ssn, card, city) VALUES (1, 'a', 'a', 'b', 1, 'c') ON CONFLICT (id) DO UPDATE SET city = customers.ssn RETURNING city"], ""),
    written(&["UPDATE customers SET city = 'x' WHERE id = 1"], "1999-90-912"),
    written(&["UPDATE customers SET city = 'x' WHERE ssn = '219-09-9991' RETURNING 'id:' || id"], "id:1"),
    written(&["MERGE INTO notes n USING customers c ON c.id = n.id WHEN MATCHED THEN UPDATE SET text = c.ssn", "TABLE notes"], "").since(15),
    written(&["MERGE INTO notes n USING customers c ON c.id = n.id AND c.id = 1 WHEN MATCHED THEN UPDATE SET text = 'm' RETURNING c.ssn"], "").since(17),
    written(&["MERGE INTO notes n USING customers c ON c.id = n.id AND c.id = 1 WHEN MATCHED THEN UPDATE SET text = 'm' RETURNING *"], "").since(17),
    written(&["MERGE INTO customers c USING notes n ON c.id = n.id AND c.id = 1 WHEN MATCHED THEN UPDATE SET city = 'm' RETURNING *"], "").since(17),
    written(&["UPDATE customers SET city = 'x' WHERE id = 1 RETURNING old.ssn, new.ssn"], "").since(18),
    written(&["UPDATE customers SET city = 'x' WHERE id = 1 RETURNING WITH (OLD AS o) o"], "").since(18),
    written(&["COPY notes FROM STDIN WHERE (SELECT ssn::int FROM customers LIMIT 1) = 1"], "subquery"),
];

fn shown(answer: &Answer, leak: &Leak) -> Vec<String> {
    let bytes = answer.bytes();
    let mut shown = traces(answer);
    let what = leak.shows.as_bytes();
    if !what.is_empty() && bytes.windows(what.len()).any(|w| w == what) {
        shown.push(leak.shows.to_owned());
    }
    shown
}

/// Straight at the server, inside a transaction that is rolled back, so that each begins with the same data.
fn directly(world: &World, leak: &Leak) -> Answer {
    let mut wire = world.connect_directly();
    let mut all = Answer::default();
    if !leak.texts.contains(&"BEGIN") {
        wire.query("BEGIN").unwrap();
    }
    for text in leak.texts {
        all.extend(wire.query(text).unwrap());
    }
    all
}

fn hides(half: usize) {
    let mut wrong = Vec::new();
    for major in majors() {
        let world = world(major);
        for leak in LEAKS
            .iter()
            .skip(half)
            .step_by(2)
            .filter(|l| l.since <= major)
        {
            let texts = leak.texts;
            let direct = directly(&world, leak);
            if shown(&direct, leak).is_empty() {
                wrong.push(format!(
                    "- {major} {texts:?} shows nothing directly: {direct:?}"
                ));
            }
            for by in EACH {
                if by != By::Simple && texts.iter().any(|t| t.contains(';')) {
                    continue;
                }
                match through(&world, leak.who, texts, by) {
                    Err(what) => wrong.push(format!("- {major} {by:?} {texts:?}: {what}")),
                    Ok(answer) => {
                        let shown = shown(&answer, leak);
                        if !shown.is_empty() {
                            wrong.push(format!(
                                "- {major} {by:?} {texts:?} SHOWS {shown:?}: {answer:?} {:?}",
                                answer.texts()
                            ));
                        }
                    }
                }
                if leak.who.name == WRITER.name {
                    world.ask(&format!("{}\n{}", World::shop(), include_str!("setup.sql")));
                }
            }
        }
    }
    all_good(&wrong);
}

#[test]
fn values_of_a_class_leave_in_no_shape() {
    hides(0);
}

#[test]
fn values_of_a_class_leave_in_no_other_shape() {
    hides(1);
}

/// Leaks of a value that looks like nothing: what a detector would catch is not what keeps these.
const UNDETECTED: &[Leak] = &[
    leak(&["SELECT (SELECT ordinality FROM unnest(ARRAY[1]) WITH ORDINALITY f(a, b)) FROM (SELECT ssn AS ordinality FROM customers) o"], ""),
    leak(&["SELECT (SELECT coalesce(generate_series::text) FROM ROWS FROM (generate_series(1, 1), unnest(ARRAY[1])) f(a, b)) FROM (SELECT ssn AS generate_series FROM customers) o"], ""),
    leak(&["SELECT (SELECT coalesce(value::text) FROM ROWS FROM (json_array_elements('[1]'), unnest(ARRAY[1])) s(a, c)) FROM (SELECT ssn AS value FROM customers) o"], ""),
    leak(&["SELECT (SELECT coalesce(nm) FROM ((SELECT 'k' AS nm) a CROSS JOIN unnest(ARRAY[1]) u) j(z)) FROM (SELECT ssn AS nm FROM customers) o"], ""),
    leak(&["SELECT (SELECT coalesce(id::text) FROM (notes n CROSS JOIN unnest(ARRAY[1]) u) j(a) LIMIT 1) FROM (SELECT ssn AS id FROM customers) o"], ""),
    leak(&["SELECT o FROM (SELECT unnest.*, 'k' AS o FROM unnest(ARRAY['a'])) q(x, z), customers o"], ""),
    leak(&["SELECT f FROM (SELECT * FROM unnest(ARRAY['k']) f UNION ALL SELECT ssn FROM customers) s"], ""),
    leak(&["SELECT upper(f) FROM (SELECT * FROM unnest(ARRAY['k']) f UNION ALL SELECT ssn FROM customers) s"], ""),
    leak(&["SELECT coalesce(q.c) FROM (SELECT j.*, p.ssn FROM ((SELECT (SELECT n.* FROM (SELECT 'k' aa) n)::text) l NATURAL JOIN (SELECT 'k' AS aa, 'x' AS tgt) r) j, customers p) q(a, b, c)"], ""),
    leak(&["SELECT coalesce(zz) FROM ((SELECT (SELECT f.* FROM (SELECT 'k' zz) f)::text) UNION ALL SELECT ssn FROM customers) b, (SELECT (SELECT zz.* FROM (SELECT 'k' f) zz)::text) a"], ""),
    leak(&["SELECT coalesce(s.zz) FROM (SELECT x.*, y.* FROM ((SELECT (SELECT f.* FROM (SELECT 'k' zz) f)::text) UNION ALL SELECT ssn FROM customers) x, (SELECT (SELECT zz.* FROM (SELECT 'k' f) zz)::text) y) s"], ""),
    leak(&["SELECT coalesce(s.f) FROM (SELECT (SELECT * FROM unnest(ARRAY[]::text[]) f UNION ALL SELECT ssn FROM customers LIMIT 1), (SELECT f.* FROM (SELECT 'k' zz) f)::text) s"], ""),
    leak(&["SELECT coalesce(f) FROM (SELECT (SELECT f.* FROM (SELECT 'k' zz) f)::text) a, (SELECT * FROM unnest(ARRAY['k']) f UNION ALL SELECT ssn FROM customers) b"], ""),
    leak(&["SELECT coalesce(q.ssn) FROM (SELECT m.* AS a, u.* AS ssn FROM (SELECT ssn FROM customers) m, (SELECT 1 AS z) u) q"], ""),
    leak(&["SELECT coalesce(q.ssn) FROM (SELECT (m).* AS a, u.* AS ssn FROM (SELECT ssn FROM customers) m, (SELECT 1 AS z) u) q"], ""),
    leak(&["COPY (SELECT q.ssn FROM (SELECT m.* AS a, u.* AS ssn FROM (SELECT ssn FROM customers) m, (SELECT 1 AS z) u) q) TO STDOUT"], ""),
    leak(&["SELECT 'hit:' || count(*) FROM (SELECT m.* AS a, u.* AS ssn FROM (SELECT ssn FROM customers) m, (SELECT 1 AS z) u) q WHERE q.ssn LIKE 'plain-secret-1%'"], "hit:1"),
    leak(&["SELECT n FROM (SELECT c.* AS n FROM (SELECT 'k' AS zz) c) s, customers n"], ""),
    leak(&["SELECT (n).ssn || '' FROM (SELECT c.* AS n FROM (SELECT 'k' AS zz) c) s, customers n"], ""),
    leak(&["SELECT coalesce((SELECT n.ssn FROM CAST((SELECT n.* FROM (SELECT 'k'::text AS zz) n) AS text))) FROM customers n"], ""),
    leak(&["SELECT (SELECT n FROM CAST((SELECT n.* FROM (SELECT 'k'::text AS zz) n) AS text))::text FROM customers n"], ""),
    leak(&["SELECT n FROM (SELECT (SELECT n.* FROM (SELECT 'k' zz) n)::text) s, customers n"], ""),
    leak(&["SELECT n FROM (SELECT CASE WHEN false THEN 'x' ELSE (SELECT n.* FROM (SELECT 'k' zz) n) END) s, customers n"], ""),
    leak(&["SELECT n FROM (SELECT (SELECT n.* FROM (SELECT 'k' zz) n) COLLATE \"C\") s, customers n"], ""),
    leak(&["SELECT coalesce(q.e) FROM (SELECT * FROM CAST((SELECT 'x'::text AS json_each) AS text) f, customers p) q(a, b, c, d, e, g, h)"], ""),
    leak(&["SELECT coalesce(ssn) FROM (SELECT * FROM (SELECT e.* AS a FROM (SELECT ssn FROM customers) e) r FULL JOIN (SELECT 'x' AS ssn) l USING (ssn)) q"], ""),
    leak(&["SELECT coalesce(q.e) FROM (SELECT * FROM (SELECT c.* AS aa FROM (SELECT 'k'::text AS zz) c) l JOIN (SELECT 'k'::text AS zz, p.* FROM customers p) r USING (zz)) q(a, b, c, d, e, g, h)"], ""),
    leak(&["SELECT coalesce(q.e) FROM (SELECT * FROM (SELECT (SELECT * FROM unnest(ARRAY['k']) zz)) l JOIN (SELECT 'k'::text zz, p.* FROM customers p) r USING (zz)) q(a, b, c, d, e, g, h)"], ""),
    // What the server calls a column is not what it seems to be called.
    leak(&["SELECT (SELECT ssn FROM jsonb_array_elements('[1]') AS ssn) FROM customers"], ""),
    leak(&["SELECT (SELECT ssn FROM ROWS FROM (json_array_elements('[1]')) AS ssn) FROM customers"], ""),
    leak(&["SELECT (SELECT ssn FROM json_array_elements_text('[1]') WITH ORDINALITY AS ssn) FROM customers"], ""),
    leak(&["SELECT (SELECT jsonb_array_elements FROM jsonb_array_elements('[1]') LIMIT 1) FROM (SELECT ssn AS jsonb_array_elements FROM customers) c"], ""),
    leak(&["SELECT (SELECT column4 FROM (VALUES (c.*)) v LIMIT 1) FROM customers c, (SELECT 1 AS column4) o"], ""),
    leak(&["SELECT (SELECT column1 FROM (VALUES ((q).*)) v LIMIT 1) FROM (SELECT ssn, id FROM customers) q, (SELECT 1 AS column1) o"], ""),
    leak(&["SELECT (SELECT column1 FROM (SELECT (VALUES (c.ssn))) s) FROM customers c, (SELECT 1 AS column1) o"], ""),
    leak(&["SELECT (SELECT x FROM (SELECT (SELECT s.* FROM (SELECT c.ssn AS x) s)) q) FROM customers c, (SELECT 1 AS x) o"], ""),
    leak(&["WITH o2 AS (SELECT ssn AS x FROM customers WHERE id = 1) SELECT (SELECT x FROM (SELECT (TABLE o2)) s) FROM (SELECT 1 AS x) o"], ""),
    leak(&["SELECT g, 'hit:' || id FROM customers NATURAL JOIN (SELECT (SELECT x.* FROM (SELECT 'plain-secret-3' AS ssn) x)) q, generate_series(1, 1) g"], "hit:3"),
    leak(&["SELECT string_agg(id::text, '>') FROM (SELECT (SELECT ssn.* FROM (SELECT 1 AS z) ssn), id FROM customers WHERE id < 4 ORDER BY ssn DESC) s"], "3>2>1"),
    leak(&["SELECT (SELECT ssn FROM json_table('[1]', '$[*]' COLUMNS (NESTED PATH '$' COLUMNS (a text PATH '$'), ssn text PATH '$')) AS j(x)) FROM customers"], "").since(17),
    leak(&["WITH RECURSIVE r(v) AS (SELECT 'x'::text UNION ALL SELECT z.y FROM r, LATERAL (SELECT r.*, c.ssn FROM customers c) z(x, y) WHERE r.v = 'x') SEARCH DEPTH FIRST BY v SET seq SELECT v FROM r"], "").since(14),
    leak(&["WITH RECURSIVE r(v) AS (SELECT 'x'::text UNION ALL SELECT z.y FROM r, LATERAL (SELECT r.*, c.ssn FROM customers c) z(x, y) WHERE r.v = 'x') CYCLE v SET cyc USING pth SELECT v FROM r"], "").since(14),
    leak(&["COPY (SELECT (SELECT ssn FROM jsonb_array_elements('[1]') AS ssn) FROM customers) TO STDOUT"], ""),
    leak(&["SELECT 'hit:' || id FROM customers WHERE (SELECT ssn FROM jsonb_array_elements('[1]') AS ssn) LIKE '%-3'"], "hit:3"),
    leak(&["SELECT e, 1 AS y, 'hit:' || max(g) FROM (SELECT ssn AS e, 0 AS g FROM customers UNION ALL SELECT 'plain-secret-' || n, n FROM generate_series(1, 1000) n) s GROUP BY (1, 2) HAVING count(*) > 1"], "hit:1"),
    leak(&["SELECT 'hit:' || max(g) FROM (SELECT ssn AS e, 0 AS g FROM customers UNION ALL SELECT 'plain-secret-' || n, n FROM generate_series(1, 1000) n) s GROUP BY ROLLUP ((e, e)) HAVING count(*) = 2"], "hit:1"),
    leak(&["SELECT upper_ssn FROM generated"], "PLAIN-SECRET-1"),
    leak(&["SELECT h FROM statistics WHERE tablename = 'customers' AND attname = 'ssn'"], ""),
    leak(&["SELECT table_to_xml('customers', true, false, '')"], ""),
    leak(
        &["SELECT table_to_xml_and_xmlschema('public.customers', true, true, '')"],
        "",
    ),
    leak(
        &[
            "SELECT x.* FROM xmltable('/customers/row' PASSING table_to_xml('customers', true, false, '') COLUMNS ssn text PATH 'ssn') x",
        ],
        "",
    ),
    leak(
        &["SELECT table_to_xml('customers_view', true, false, '')"],
        "",
    ),
    leak(
        &[
            "SELECT u.e AS zz, max(u.id), max(u.guess) FROM (SELECT id, ssn e, NULL AS guess FROM customers UNION ALL SELECT NULL, 'plain-secret-' || g, 'plain-secret-' || g FROM generate_series(1, 3) g) u, unnest(ARRAY[1]) f GROUP BY zz HAVING max(u.id) IS NOT NULL",
        ],
        "",
    ),
    leak(
        &[
            "SELECT u.e AS ctid, max(u.id), max(u.guess) FROM (SELECT id, ssn e, NULL AS guess FROM customers UNION ALL SELECT NULL, 'plain-secret-' || g, 'plain-secret-' || g FROM generate_series(1, 3) g) u, pg_tables f GROUP BY ctid HAVING max(u.id) IS NOT NULL",
        ],
        "",
    ),
    leak(
        &[
            "SELECT u.e AS tableoid, max(u.guess) FROM (SELECT id, ssn e, NULL AS guess FROM customers UNION ALL SELECT NULL, 'plain-secret-1', 'plain-secret-1') u, customer_names f GROUP BY ROLLUP (tableoid) HAVING max(u.id) IS NOT NULL",
        ],
        "",
    ),
    written(
        &[
            "INSERT INTO customers VALUES (77, 'x', 'e', 'plain-secret-1', 4, 'c') ON CONFLICT ON CONSTRAINT customers_ssn_key DO UPDATE SET city = 'x' RETURNING 'hit:' || customers.name",
        ],
        "hit:Ada Okafor",
    ),
    written(
        &[
            "INSERT INTO customers SELECT 77, 'x', 'e', 'plain-secret-1', 4, 'c' ON CONFLICT DO NOTHING",
        ],
        "INSERT 0 0",
    ),
    // Names in places where the server sees other entries than those around them.
    leak(&["SELECT upper((s.*).zz) FROM (SELECT x.*, y.* FROM ((SELECT (SELECT f.* FROM (SELECT 'k' zz) f)::text) UNION ALL SELECT ssn FROM customers) x, (SELECT (SELECT zz.* FROM (SELECT 'k' f) zz)::text) y) s"], ""),
    leak(&["SELECT (s.*).zz FROM (SELECT x.*, y.* FROM ((SELECT (SELECT f.* FROM (SELECT 'k' zz) f)::text) UNION ALL SELECT ssn FROM customers) x, (SELECT (SELECT zz.* FROM (SELECT 'k' f) zz)::text) y) s"], ""),
    leak(&["SELECT (SELECT 'hit:' || v.column2 FROM (VALUES ((SELECT ssn FROM customers WHERE id = 1), 1), ('plain-secret-0', 2) ORDER BY lower(column1) DESC LIMIT 1) v) FROM (SELECT 'z' AS column1) o"], "hit:1"),
    leak(&["SELECT (SELECT 'hit:' || v.column2 FROM (VALUES ((SELECT ssn FROM customers WHERE id = 1), 1), ('plain-secret-0', 2) ORDER BY (SELECT column1) DESC LIMIT 1) v) FROM (SELECT 'z' AS column1) o"], "hit:1"),
    leak(&["SELECT (SELECT 'hit:' || v.column2 FROM (VALUES ((SELECT ssn FROM customers WHERE id = 1), 1), ('plain-secret-0', 2) ORDER BY lower(\"*VALUES*\".column1) DESC LIMIT 1) v) FROM (SELECT 'z' AS column1) \"*VALUES*\""], "hit:1"),
    leak(&["SELECT (SELECT 'hit:' || v.column2 FROM (VALUES ((SELECT ssn FROM customers WHERE id = 1), 1), ('plain-secret-0', 2) ORDER BY \"*VALUES*\" DESC LIMIT 1) v) FROM (SELECT 'z' AS column1) \"*VALUES*\""], "hit:1"),
    leak(&["SELECT 'hit:' || max(d) FROM (SELECT dense_rank() OVER w d FROM (SELECT ssn FROM customers UNION ALL SELECT 'plain-secret-1') q WINDOW o AS (ORDER BY q), w AS (o)) r"], "hit:4"),
    leak(&["WITH customers AS (SELECT 1 AS a) SELECT upper(ssn) FROM public.customers"], ""),
    leak(&["WITH a AS (WITH customers AS (SELECT 1 i) TABLE customers), b AS (SELECT upper(ssn) u FROM customers) TABLE b"], ""),
    leak(&["COPY generated TO STDOUT"], ""),
    written(&["INSERT INTO bag (id, a[(SELECT length(ssn) - 3 FROM customers WHERE id = 1)]) VALUES (5, 7)", "SELECT 'hit:' || array_lower(a, 1) FROM bag WHERE id = 5"], "hit:11"),
    written(&["MERGE INTO bag b USING (SELECT 5 AS i) s ON b.id = s.i WHEN NOT MATCHED THEN INSERT (id, a[(SELECT length(ssn) - 3 FROM customers WHERE id = 1)]) VALUES (5, 7)", "SELECT 'hit:' || array_lower(a, 1) FROM bag WHERE id = 5"], "hit:11").since(15),
    written(&["MERGE INTO notes n USING (SELECT 98 AS k1, (SELECT f.* FROM (SELECT 'k' AS text) f)::text UNION ALL SELECT 99, ssn FROM customers WHERE id = 1) s ON n.id = s.k1 WHEN NOT MATCHED THEN INSERT (id, text) VALUES (k1, text || '')", "TABLE notes"], "").since(15),
    written(&["MERGE INTO notes n USING (SELECT 98 AS k1, (SELECT f.* FROM (SELECT 'k' AS text) f)::text UNION ALL SELECT 99, ssn FROM customers WHERE id = 1) s ON n.id = s.k1 WHEN NOT MATCHED AND text LIKE '%-1' THEN INSERT (id, text) VALUES (k1, 'hit')", "TABLE notes"], "hit").since(15),
    // A row that a foreign key's action writes to, of a table that the statement does not name.
    written(&["UPDATE owners SET id = 2 WHERE id = 1"], ""),
];

#[test]
fn values_that_no_detector_knows_leave_in_no_shape() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for major in majors() {
        let columns = "shop/app/public.generated.ssn\", \"shop/app/public.kept.ssn";
        let world = world_with(major, columns);
        let plain = "UPDATE customers SET ssn = 'plain-secret-' || id; ANALYZE customers;
            CREATE TABLE generated (id int, ssn text, upper_ssn text GENERATED ALWAYS AS (upper(ssn)) STORED);
            INSERT INTO generated SELECT id, ssn FROM customers;
            CREATE TABLE bag (id int, a int[]);
            CREATE TABLE owners (id int PRIMARY KEY);
            CREATE TABLE kept (id int, owner int NOT NULL REFERENCES owners ON UPDATE SET NULL, ssn text);
            INSERT INTO owners VALUES (1); INSERT INTO kept VALUES (1, 1, 'plain-secret-1');
            CREATE VIEW statistics AS SELECT histogram_bounds::text AS h, tablename, attname FROM pg_stats";
        world.ask(plain);
        let known = LEAKS.iter().filter(|l| l.who.name == READER.name);
        for leak in known.chain(UNDETECTED).filter(|l| l.since <= major) {
            let texts = leak.texts;
            // Most of what is known shows this value too; the rest is about the look of another.
            if plain_shown(&directly(&world, leak), leak).is_empty() {
                if UNDETECTED.iter().any(|u| u.texts == leak.texts) {
                    wrong.push(format!("- {major} {texts:?} shows nothing directly"));
                }
                continue;
            }
            tried += 1;
            match through(&world, leak.who, texts, By::Simple) {
                Err(what) => wrong.push(format!("- {major} {texts:?}: {what}")),
                Ok(answer) => {
                    let shown = plain_shown(&answer, leak);
                    if !shown.is_empty() {
                        wrong.push(format!("- {major} {texts:?} SHOWS {shown:?}: {answer:?}"));
                    }
                }
            }
            if leak.who.name == WRITER.name {
                world.ask(&format!("{}\n{}", World::shop(), include_str!("setup.sql")));
                world.ask(plain);
            }
        }
    }
    all_good(&wrong);
    assert!(tried > 50 * majors().len(), "only {tried} leaks were tried");
}

fn plain_shown(answer: &Answer, leak: &Leak) -> Vec<String> {
    let mut wanted = vec![
        "plain-secret-1",
        "PLAIN-SECRET-1",
        "1-terces-nialp",
        "cGxhaW4tc2VjcmV0LT",
        "706c61696e2d7365637265742d31",
    ];
    wanted.extend(Some(leak.shows).filter(|s| !s.is_empty()));
    let bytes = answer.bytes();
    let found = |w: &&str| bytes.windows(w.len()).any(|part| part == w.as_bytes());
    wanted
        .into_iter()
        .filter(found)
        .map(str::to_owned)
        .collect()
}

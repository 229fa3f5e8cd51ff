//! What may pass: masked in place, in every format, with what the server itself would send around it.

use super::{By, EACH, send, through, traces, world};
use crate::attacks::all_good;
use crate::world::{OWNER, READER, SHOP, WRITER, majors};
use brattice_testkit::wire::frames;

/// Texts with masked columns in them, whose other cells must be the server's.
const MASKED: &[&str] = &[
    "SELECT id, name, ssn, card, city FROM customers ORDER BY id",
    "SELECT * FROM customers ORDER BY id",
    "TABLE customers",
    "SELECT c.city, c.ssn AS number FROM customers c ORDER BY c.id",
    "WITH c AS (SELECT * FROM customers) SELECT id, ssn FROM c ORDER BY id",
    "SELECT o.id, c.ssn, o.item FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.id",
    "SELECT id, ssn FROM customers WHERE city = 'Porto'",
    "SELECT id, card FROM customers WHERE id IN (1, 2) ORDER BY id DESC",
    // As tools write them, and the benign twins of what may not pass.
    "SELECT id, ssn, true AS yes FROM customers c ORDER BY name",
    "SELECT id, true, ssn FROM customers c ORDER BY name",
    "SELECT count(c), count(c.*) FROM customers c LEFT JOIN notes n ON n.id = c.id",
    "SELECT c.id, c.ssn, v.x FROM (VALUES (1, 'a'), (2, 'b') ORDER BY lower(column2) DESC) v(id, x) JOIN customers c ON c.id = v.id ORDER BY x",
    "SELECT v.column1 FROM (VALUES ((SELECT name FROM customers WHERE id = 1)), ('x') ORDER BY lower(\"*VALUES*\".column1)) v",
    "SELECT (c.*).city, (c).id FROM customers c ORDER BY 2",
    "SELECT anon_1.customers_id AS anon_1_customers_id, anon_1.number, o.item FROM (SELECT customers.id AS customers_id, customers.ssn AS number FROM customers LIMIT 5) AS anon_1 LEFT OUTER JOIN orders AS o ON anon_1.customers_id = o.customer_id ORDER BY o.id",
    "SELECT date_trunc('month', o.placed_at) AS month, c.city, count(*) FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY month, c.city ORDER BY 1, 2",
    "SELECT c.id, (SELECT json_agg(x) FROM (SELECT o.id, o.item FROM orders o WHERE o.customer_id = c.id) x) AS orders, c.ssn FROM customers c ORDER BY c.id",
    "SELECT c.id, c.ssn, t.tag FROM customers c, unnest(string_to_array(c.city, 'o')) AS t(tag) ORDER BY c.id, tag",
];

#[test]
fn masked_columns_are_masked_and_their_neighbours_are_not() {
    let mut wrong = Vec::new();
    for major in majors() {
        let world = world(major);
        let mut direct = world.connect_directly();
        let mut through = world.connect(READER, SHOP);
        for text in MASKED {
            for by in EACH {
                let (expected, got) = (
                    send(&mut direct, &[text], by).unwrap(),
                    send(&mut through, &[text], by).unwrap(),
                );
                let columns = expected.columns().concat();
                let hidden =
                    |i: usize| matches!(columns[i].as_str(), "ssn" | "card" | "number" | "email");
                let same = expected.rows().len() == got.rows().len()
                    && expected.rows().iter().zip(got.rows()).all(|(e, g)| {
                        e.len() == g.len()
                            && e.iter()
                                .zip(&g)
                                .enumerate()
                                .all(|(i, (e, g))| hidden(i) != (e == g))
                    });
                if !same || !traces(&got).is_empty() || got.columns() != expected.columns() {
                    wrong.push(format!(
                        "- {major} {by:?} {text}\n    {:?}\n    {:?}",
                        expected.rows(),
                        got.rows()
                    ));
                }
            }
        }
    }
    all_good(&wrong);
}

#[test]
fn a_cursor_that_the_same_message_declares_is_masked_as_any() {
    for major in majors() {
        let world = world(major);
        let mut direct = world.connect_directly();
        for text in [
            "BEGIN; DECLARE c CURSOR FOR SELECT id, ssn FROM customers ORDER BY id; FETCH 2 FROM c; FETCH NEXT FROM c; COMMIT",
            "BEGIN; DECLARE \"C\" CURSOR FOR SELECT ssn FROM customers; DECLARE c CURSOR FOR SELECT name FROM customers; FETCH 1 FROM \"C\"; FETCH 1 FROM c; CLOSE \"C\"; COMMIT",
            "BEGIN; DECLARE c CURSOR FOR SELECT name FROM customers; CLOSE c; DECLARE c CURSOR FOR SELECT ssn FROM customers; FETCH ALL FROM c; COMMIT",
            "BEGIN; DECLARE c CURSOR FOR SELECT name FROM customers; FETCH 1 FROM c; CLOSE c; DECLARE c CURSOR FOR SELECT ssn FROM customers; FETCH 1 FROM c; COMMIT",
        ] {
            let expected = direct.query(text).unwrap();
            let got = world.connect(READER, SHOP).query(text).unwrap();
            assert!(!traces(&expected).is_empty(), "{text} shows nothing");
            assert_eq!(traces(&got), Vec::<String>::new(), "{text}");
            assert_eq!(got.rows().len(), expected.rows().len(), "{text}: {got:?}");
            assert_eq!(got.completed(), expected.completed(), "{text}");
        }
        // Where it may or may not be the one that was declared, it is refused, and the session goes on.
        let mut wire = world.connect(READER, SHOP);
        wire.query("BEGIN; DECLARE c CURSOR FOR SELECT name FROM customers")
            .unwrap();
        let said = wire
            .query("CLOSE c; DECLARE c CURSOR FOR SELECT ssn FROM customers; FETCH ALL FROM c")
            .unwrap();
        assert_eq!(traces(&said), Vec::<String>::new(), "{said:?}");
        assert!(wire.query("ROLLBACK").unwrap().sqlstate().is_empty());
        assert_eq!(wire.query("SELECT 1").unwrap().texts(), ["1"]);
    }
}

#[test]
fn a_mask_is_a_value_of_its_column_s_type() {
    for major in majors() {
        let world = world(major);
        let mut wire = world.connect(READER, SHOP);
        let text = send(
            &mut wire,
            &["SELECT ssn, card FROM customers WHERE id = 1"],
            By::Text,
        )
        .unwrap();
        let [row] = text.rows().try_into().unwrap();
        assert_eq!(row[0].as_deref(), Some(&b"[masked:us_ssn]"[..]));
        if let Some(card) = &row[1] {
            let card = String::from_utf8(card.clone()).unwrap();
            card.parse::<i64>().unwrap();
        }
        let binary = send(
            &mut wire,
            &["SELECT ssn, card FROM customers WHERE id = 1"],
            By::Binary,
        )
        .unwrap();
        let [row] = binary.rows().try_into().unwrap();
        assert_eq!(row[0].as_deref(), Some(&b"[masked:us_ssn]"[..]));
        assert!(
            row[1].as_ref().is_none_or(|card| card.len() == 8),
            "{row:?}"
        );
    }
}

#[test]
fn the_client_is_told_once_what_was_masked() {
    let world = world(18);
    let mut wire = world.connect(READER, SHOP);
    let first = wire.query("SELECT ssn FROM customers").unwrap();
    let notices = first.notices();
    assert!(
        notices
            .iter()
            .any(|n| n.message().contains("public.customers.ssn (us_ssn)")),
        "{first:?}"
    );
    let second = wire.query("SELECT ssn FROM customers").unwrap();
    assert!(second.notices().is_empty(), "{second:?}");
}

#[test]
fn who_may_see_everything_sees_everything() {
    let world = world(18);
    let answer = through(
        &world,
        OWNER,
        &["SELECT ssn, card FROM customers WHERE id = 1"],
        By::Text,
    )
    .unwrap();
    assert_eq!(answer.texts(), ["219-09-9991|4111111111111111"]);
    let answer = through(
        &world,
        OWNER,
        &["SELECT reverse(ssn) FROM customers WHERE ssn LIKE '%9991'"],
        By::Text,
    )
    .unwrap();
    assert_eq!(answer.texts(), ["1999-90-912"]);
}

#[test]
fn a_mask_is_not_written_back() {
    let world = world(18);
    let before = world.ask("SELECT string_agg(c::text, ',' ORDER BY id) FROM customers c");
    let mut wire = world.connect(WRITER, SHOP);
    let refused = wire
        .query("UPDATE customers SET city = '[masked:us_ssn]' WHERE id = 1")
        .unwrap();
    assert_eq!(
        refused.errors()[0].told("code").as_deref(),
        Some("masked"),
        "{refused:?}"
    );
    let bound = [
        frames::parse("", b"UPDATE customers SET city = $1 WHERE id = 1", &[]),
        frames::bind("", "", &[Some(b"[masked:us_ssn]")], 0),
        frames::execute("", 0),
        frames::sync(),
    ]
    .concat();
    let refused = wire.ask(&bound).unwrap();
    assert_eq!(
        refused.errors()[0].told("code").as_deref(),
        Some("masked"),
        "{refused:?}"
    );
    assert_eq!(
        world.ask("SELECT string_agg(c::text, ',' ORDER BY id) FROM customers c"),
        before
    );
}

/// The second net: values by their look, wherever they come from.
#[test]
fn values_are_found_by_their_look_in_every_message() {
    let world = world(18);
    world.ask("INSERT INTO public.notes VALUES (4, 'pay 4012888888881881 now'), (5, 'mail jo@example.org')");
    let mut wire = world.connect(READER, SHOP);
    for text in [
        "SELECT text FROM notes WHERE id = 4",
        "SELECT upper(text) FROM notes WHERE id = 4",
        "COPY (SELECT text FROM notes WHERE id = 4) TO STDOUT",
        "COPY notes TO STDOUT (FORMAT csv)",
        "SELECT to_jsonb(n) FROM notes n WHERE id = 4",
        "SELECT ARRAY[text] FROM notes WHERE id = 4",
        "SELECT text::integer FROM notes WHERE id = 4",
        "SET application_name = '4012888888881881'",
        "SELECT '4012' || '888888881881' AS card",
    ] {
        for by in EACH {
            let answer = send(&mut wire, &[text], by).unwrap();
            let bytes = answer.bytes();
            let found = bytes.windows(16).any(|w| w == b"4012888888881881");
            assert!(!found, "{by:?} {text}: {answer:?}");
        }
    }
    let mail = send(
        &mut wire,
        &["SELECT text FROM notes WHERE id = 5"],
        By::Simple,
    )
    .unwrap();
    assert_eq!(mail.texts(), ["mail [masked:email]"]);
}

//! An observed target: no rule is enforced, and masks stay.

use super::{EACH, through, traces};
use crate::attacks::{all_good, is_ours};
use crate::world::{READER, World};
use brattice_testkit::postgres::PostgresOptions;

#[test]
fn an_observed_target_enforces_no_rule_and_keeps_its_masks() {
    let world = World::start(PostgresOptions::default(), |bundle| {
        for target in &mut bundle.targets {
            target.more = "observe = true".to_owned();
        }
    });
    let mut wrong = Vec::new();
    for by in EACH {
        // Nothing permits it, and it passes.
        let written = through(
            &world,
            READER,
            &["UPDATE notes SET text = 'observed' WHERE id = 1"],
            by,
        )
        .unwrap();
        if !written.errors().is_empty()
            || world.ask("SELECT text FROM notes WHERE id = 1") != "observed"
        {
            wrong.push(format!("- {by:?}: {written:?}"));
        }
        world.refill();
        for text in [
            "SELECT ssn FROM customers",
            "SELECT * FROM customers",
            "SELECT c FROM customers c",
            "COPY customers TO STDOUT",
            "SELECT reverse(ssn) FROM customers",
            "SELECT ssn FROM customers WHERE nonsense(id) = 1 OR id = 1",
            "SELECT ssn FROM customers WHERE id = 1 -- \u{1}\u{2}",
        ] {
            match through(&world, READER, &[text], by) {
                Ok(answer) if traces(&answer).is_empty() => {}
                other => wrong.push(format!("- {by:?} {text}: {other:?}")),
            }
        }
        // Code, samples and what is not understood could show a value in any shape.
        world.ask("UPDATE customers SET ssn = 'plain-secret-' || id; ANALYZE customers");
        for texts in [
            &[
                "SELECT most_common_vals::text FROM pg_stats WHERE tablename = 'customers' AND attname = 'ssn'",
            ][..],
            &[
                "SELECT histogram_bounds::text FROM pg_stats WHERE tablename = 'customers' AND attname = 'ssn'",
            ],
            &["SELECT query_to_xml('SELECT ssn FROM customers', true, false, '')"],
            &["SELECT table_to_xml('customers', true, false, '')"],
            &[
                "BEGIN",
                "DECLARE zz CURSOR FOR SELECT ssn FROM customers",
                "SELECT cursor_to_xml('zz', 10, true, false, '')",
            ],
            &[
                "DO $$ DECLARE v text; BEGIN SELECT ssn INTO v FROM customers; RAISE NOTICE '%', v; END $$",
            ],
            &[
                "CREATE FUNCTION pg_temp.g() RETURNS text LANGUAGE sql AS 'SELECT ssn FROM customers LIMIT 1'",
                "SELECT pg_temp.g()",
            ],
        ] {
            let answer = through(&world, READER, texts, by).unwrap();
            let bytes = answer.bytes();
            if bytes.windows(12).any(|w| w == b"plain-secret") {
                wrong.push(format!("- {by:?} {texts:?}: {answer:?}"));
            }
        }
        world.refill();
        // What cannot be read, or changes how it is read, is no question of rules.
        for text in [
            "SELECT ssn FROM customers WHERE",
            "SET client_encoding = 'SJIS'",
            "SET ROLE other",
        ] {
            let answer = through(&world, READER, &[text], by).unwrap();
            if !answer.errors().iter().any(is_ours) {
                wrong.push(format!("- {by:?} {text}: {answer:?}"));
            }
        }
    }
    all_good(&wrong);
}

//! People who look on at an agent's statements while it makes them.

use crate::world::{AUDITOR, READER, SHOP, World};
use brattice_testkit::client::Running;
use std::time::Duration;

const SEEN_MAX: Duration = Duration::from_secs(10);

#[test]
fn a_person_sees_statements_and_masked_rows_as_they_pass() {
    let world = World::of(18);
    let mut wire = world.connect(READER, SHOP);
    let first = wire.query("SELECT 'before anybody looked'").unwrap();
    assert_eq!(first.texts(), ["before anybody looked"]);
    let open = world.gateway.api(
        "GET",
        "/api/v1/sessions?state=live",
        &world.token(AUDITOR),
        None,
    );
    let open = open.unwrap().json();
    let id = open["sessions"][0]["id"].as_str().unwrap();
    let watch = |more: &[&str]| {
        let words = [&["sessions", "watch", id], more].concat();
        let watch = world.gateway.command(&words, &world.token(AUDITOR));
        let watch = Running::start(watch).unwrap();
        assert!(watch.hears("looking on at", SEEN_MAX).is_some());
        watch
    };
    let (seen, all) = (watch(&[]), watch(&["--from-start"]));
    let rows = wire
        .query("SELECT id, ssn FROM customers WHERE id = 1")
        .unwrap();
    assert_eq!(rows.texts(), ["1|[masked:us_ssn]"]);
    for watch in [&seen, &all] {
        assert!(watch.reads("FROM customers", SEEN_MAX).is_some());
        assert!(watch.reads("1 | [masked:us_ssn]", SEEN_MAX).is_some());
    }
    let refused = wire.query("DROP TABLE customers").unwrap();
    assert_ne!(refused.sqlstate(), "");
    assert!(seen.reads("refused  DROP TABLE", SEEN_MAX).is_some());
    wire.query("SELECT E'\\x1b]52;c;ZXZpbA==\\x07' AS harm")
        .unwrap();
    assert!(seen.reads("harm", SEEN_MAX).is_some());
    drop(wire);
    let (seen, all) = (seen.wait(SEEN_MAX), all.wait(SEEN_MAX));
    for said in [&seen, &all] {
        assert!(said.is_good(), "{said:?}");
        assert!(said.err.contains("the session has ended"), "{said:?}");
        assert!(!said.out.contains("219-09-9991"), "{said:?}");
        let live = said.out.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(live, None, "{said:?}");
    }
    assert!(!seen.out.contains("before anybody looked"), "{seen:?}");
    assert!(all.out.contains("before anybody looked"), "{all:?}");
}

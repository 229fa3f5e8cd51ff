//! A yes that stands for a while, and throttling.

use super::{GRANTED, QUICK, approve, hold_query, world, world_with};
use crate::world::{DBA, OTHER_DBA, SHOP, WRITER, Who, World};

const ADD: &str = "INSERT INTO notes VALUES (9, 'nine')";
const SEE: &str = "SELECT ssn FROM customers WHERE id = 1";

#[test]
fn a_grant_lifts_its_rule_for_a_while() {
    grant(&world(18));
}

#[test]
fn a_grant_ends_with_its_givers_right() {
    giver_demoted(&world(18));
}

fn agent(name: &'static str) -> Who {
    Who { name, ..WRITER }
}

fn grant(world: &World) {
    let who = agent("granted-1");
    let mut wire = world.connect(who, GRANTED);
    assert_eq!(wire.query(SEE).unwrap().texts(), ["[masked:us_ssn]"]);
    let id = hold_query(&mut wire, ADD);
    approve(world, DBA, &id);
    let said = wire.until_ready().unwrap();
    assert_eq!(said.completed(), ["INSERT 0 1"], "{said:?}");
    let said = wire.query("INSERT INTO notes VALUES (10, 'ten')").unwrap();
    assert_eq!(said.completed(), ["INSERT 0 1"], "asked again: {said:?}");
    assert_eq!(wire.query(SEE).unwrap().texts(), ["219-09-9991"]);
    let said = wire.extended(SEE.as_bytes(), 1).unwrap();
    assert_eq!(said.texts(), ["219-09-9991"]);
    // Nobody else's, and on no other target.
    let mut other = world.connect(agent("granted-2"), GRANTED);
    assert_eq!(other.query(SEE).unwrap().texts(), ["[masked:us_ssn]"]);
    let mut elsewhere = world.connect(who, SHOP);
    assert_eq!(elsewhere.query(SEE).unwrap().texts(), ["[masked:us_ssn]"]);
    assert_eq!(world.ask("SELECT count(*) FROM notes WHERE id > 8"), "2");
}

fn giver_demoted(world: &World) {
    let mut wire = world.connect(agent("granted-3"), GRANTED);
    let id = hold_query(&mut wire, ADD);
    approve(world, OTHER_DBA, &id);
    assert_eq!(wire.until_ready().unwrap().completed(), ["INSERT 0 1"]);
    assert_eq!(wire.query(SEE).unwrap().texts(), ["219-09-9991"]);
    let token = world.token(Who {
        groups: &[],
        ..OTHER_DBA
    });
    let seen = world.gateway.api("GET", "/api/v1/whoami", &token, None);
    assert_eq!(seen.unwrap().status, 200);
    assert_eq!(wire.query(SEE).unwrap().texts(), ["[masked:us_ssn]"]);
    hold_query(&mut wire, "INSERT INTO notes VALUES (11, 'eleven')");
    assert_eq!(world.ask("SELECT count(*) FROM notes WHERE id = 11"), "0");
}

#[test]
fn a_thousand_questions_reach_people_only_as_many_as_are_allowed() {
    let world = world_with(18, "questions_per_minute_max = 10");
    let mut wire = world.connect(WRITER, QUICK);
    let mut asked = 0;
    let mut throttled = 0;
    for n in 0..1000 {
        let sql = format!("UPDATE notes SET text = 'x' WHERE id = 1 AND text <> '{n}'");
        if n >= 10 {
            wire.set_answer_max(std::time::Duration::from_secs(5));
        }
        let said = wire.query(&sql).unwrap();
        assert!(said.completed().is_empty(), "{said:?}");
        match said.errors().first().and_then(|e| e.told("approval")) {
            Some(_) => asked += 1,
            None => throttled += 1,
        }
    }
    assert_eq!((asked, throttled), (10, 990));
    let open = world
        .gateway
        .api(
            "GET",
            "/api/v1/approvals?state=pending&limit=1000",
            &world.token(DBA),
            None,
        )
        .unwrap()
        .json();
    assert_eq!(open["approvals"].as_array().map(Vec::len), Some(10));
    assert_eq!(super::note(&world, 1), "one");
}

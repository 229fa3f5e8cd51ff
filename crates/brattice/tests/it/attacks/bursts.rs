//! Attacks by the order of messages: pipelines with something forbidden in them, names that two protocols share, calls
//! that are no statements, and policy that changes in between.

use super::{Arena, all_good, goes_on, is_ours};
use crate::world::{READER, SECURITY, SHOP, WRITER, Who, majors};
use brattice_testkit::wire::{Answer, Wire, frames};

/// One burst and what must come of it.
struct Burst {
    id: &'static str,
    who: Who,
    bytes: Vec<u8>,
    /// ReadyForQuery messages that are owed.
    ready: usize,
}

fn bursts() -> Vec<Burst> {
    let update = |id: u8| {
        frames::step(
            &format!("UPDATE orders SET status = 'burst' WHERE id = {id}"),
            &[],
        )
    };
    let delete = "DELETE FROM notes WHERE id = 1 RETURNING wipe()";
    let burst = |id, who, bytes: Vec<u8>, ready| Burst {
        id,
        who,
        bytes,
        ready,
    };
    vec![
        burst(
            "PG3: two writes around a refused one",
            WRITER,
            [
                update(1),
                frames::step(delete, &[]),
                update(2),
                frames::sync(),
            ]
            .concat(),
            1,
        ),
        burst(
            "PG4: a refused Parse, then Bind and Execute of the stale unnamed statement",
            WRITER,
            [
                update(1),
                frames::parse("", delete.as_bytes(), &[]),
                frames::bind("", "", &[], 0),
                frames::execute("", 0),
                frames::sync(),
            ]
            .concat(),
            1,
        ),
        burst(
            "PG4: the stale statement again behind the Sync",
            WRITER,
            [
                update(1),
                frames::parse("", delete.as_bytes(), &[]),
                frames::sync(),
                frames::bind("", "", &[], 0),
                frames::execute("", 0),
                frames::sync(),
            ]
            .concat(),
            2,
        ),
        burst(
            "PG6: named by the protocol, run by SQL",
            READER,
            [
                frames::parse("s1", b"DELETE FROM notes", &[]),
                frames::sync(),
                frames::query(b"EXECUTE s1"),
            ]
            .concat(),
            2,
        ),
        burst(
            "PG6: named by SQL, run by the protocol",
            READER,
            [
                frames::query(b"PREPARE s2 AS SELECT wipe()"),
                frames::bind("", "s2", &[], 0),
                frames::execute("", 0),
                frames::sync(),
            ]
            .concat(),
            2,
        ),
        burst(
            "PG6: closed and named anew within one pipeline",
            READER,
            [
                frames::parse("s3", b"SELECT 1", &[]),
                frames::close(b'S', "s3"),
                frames::parse("s3", b"SELECT wipe()", &[]),
                frames::bind("", "s3", &[], 0),
                frames::execute("", 0),
                frames::sync(),
            ]
            .concat(),
            1,
        ),
        burst(
            "PG9: a function that runs when it is bound",
            READER,
            [
                frames::parse("", b"SELECT wipe_immutable(1)", &[]),
                frames::bind("", "", &[], 0),
                frames::sync(),
            ]
            .concat(),
            1,
        ),
        burst(
            "PG14: a setting among harmless ones",
            READER,
            [
                frames::step("SET application_name = 'a'", &[]),
                frames::step("SET ROLE other", &[]),
                frames::step("SELECT set_config('role', $1, false)", &[Some(b"other")]),
                frames::sync(),
            ]
            .concat(),
            1,
        ),
        burst(
            "PG21: a function call by its number",
            READER,
            // set_config(text, text, boolean)
            frames::function_call(2078, &[Some(b"role"), Some(b"other"), Some(b"f")]),
            1,
        ),
        burst(
            "a refused statement before COMMIT",
            WRITER,
            [
                frames::step("BEGIN", &[]),
                update(1),
                frames::step(delete, &[]),
                frames::step("COMMIT", &[]),
                frames::sync(),
            ]
            .concat(),
            1,
        ),
        burst(
            "a simple query behind a pipeline that failed",
            WRITER,
            [
                update(1),
                frames::step("TRUNCATE notes", &[]),
                frames::sync(),
                frames::query(b"TRUNCATE notes"),
            ]
            .concat(),
            2,
        ),
    ]
}

fn ask(wire: &mut Wire, burst: &Burst) -> Result<Answer, String> {
    wire.send(&burst.bytes).map_err(|e| e.to_string())?;
    wire.until_ready_times(burst.ready)
        .map_err(|e| format!("{e}: {:?}", e.said()))
}

#[test]
fn a_refused_part_of_a_burst_takes_its_transaction_with_it() {
    let mut wrong = Vec::new();
    for major in majors() {
        let mut arena = Arena::of(major);
        for burst in bursts() {
            let mut note = |what: String| wrong.push(format!("- {major} {}\n    {what}", burst.id));
            // Straight at the server everything in it happens.
            let direct = ask(&mut arena.world.connect_directly(), &burst);
            let works = match &direct {
                Ok(answer) => answer.errors().is_empty(),
                Err(_) => false,
            };
            if !works {
                note(format!("does not work directly: {direct:?}"));
            }
            arena.renew();
            let mut wire = arena.world.connect(burst.who, SHOP);
            match ask(&mut wire, &burst) {
                Err(error) => note(error),
                Ok(answer) => {
                    if !answer.errors().iter().any(is_ours) {
                        note(format!("no refusal: {answer:?}"));
                    }
                    if answer.ready().len() != burst.ready
                        || answer.ready().contains('E') && burst.id.contains("simple")
                    {
                        note(format!("ends wrongly: {answer:?}"));
                    }
                }
            }
            if let Err(error) = goes_on(&mut wire) {
                note(error);
            }
            if !arena.is_unchanged() {
                note("CHANGED THE SERVER".to_owned());
                arena.renew();
            }
        }
    }
    all_good(&wrong);
}

/// Wherever TCP cuts a burst, it means the same.
#[test]
fn a_burst_means_the_same_wherever_it_is_cut() {
    let mut arena = Arena::of(18);
    let all = bursts();
    let mut wrong = Vec::new();
    for burst in all
        .iter()
        .filter(|b| b.id.starts_with("PG3") || b.id.starts_with("PG6: closed"))
    {
        let mut whole = arena.world.connect(burst.who, SHOP);
        let expected = ask(&mut whole, burst).unwrap();
        let mut wire = arena.world.connect(burst.who, SHOP);
        for at in 1..burst.bytes.len() {
            let (first, second) = burst.bytes.split_at(at);
            wire.send(first).unwrap();
            wire.send(second).unwrap();
            let got = wire.until_ready_times(burst.ready).unwrap();
            if got.tags() != expected.tags() {
                wrong.push(format!("- {} cut at {at}: {got:?}", burst.id));
            }
        }
        assert!(arena.is_unchanged(), "{}", burst.id);
        arena.renew();
    }
    all_good(&wrong);
}

/// PG5: what was prepared under one policy is judged by the one in force when it runs.
#[test]
fn a_statement_prepared_before_the_policy_changed_is_judged_anew() {
    let arena = Arena::of(18);
    let gateway = &arena.world.gateway;
    let mut wire = arena.world.connect(WRITER, SHOP);
    let update = b"UPDATE notes SET text = 'after' WHERE id = 1";
    let prepared = wire
        .ask(&[frames::parse("later", update, &[]), frames::sync()].concat())
        .unwrap();
    assert!(prepared.errors().is_empty(), "{prepared:?}");
    let bound = [frames::bind("waiting", "later", &[], 0), frames::flush()].concat();
    wire.send(&bound).unwrap();
    wire.until(|m| m.tag == b'2').unwrap();

    let rules = gateway.read("policies/shop.cedar").unwrap();
    let without = rules.replace(
        "principal in Group::\"dev/writers\", action in Action::\"write\"",
        "principal in Group::\"dev/nobody\", action in Action::\"write\"",
    );
    assert_ne!(rules, without);
    gateway.write("policies/shop.cedar", &without).unwrap();
    let reloaded = gateway.reload(&arena.world.token(SECURITY)).unwrap();
    assert_eq!(reloaded.status, 200, "{}", reloaded.text());

    let executed = wire
        .ask(&[frames::execute("waiting", 0), frames::sync()].concat())
        .unwrap();
    assert!(executed.errors().iter().any(is_ours), "{executed:?}");
    let again = wire
        .ask(
            &[
                frames::bind("", "later", &[], 0),
                frames::execute("", 0),
                frames::sync(),
            ]
            .concat(),
        )
        .unwrap();
    assert!(again.errors().iter().any(is_ours), "{again:?}");
    goes_on(&mut wire).unwrap();
    assert!(arena.is_unchanged());
}

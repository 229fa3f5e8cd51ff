//! The machine between a scripted client, the real gate and a small stand-in for a target.
//!
//! Here live transcripts: what the client sends, what the target is asked to run, what the client sees. The stand-in keeps
//! transactions and skips to Sync after an error as PostgreSQL does; the same cases run against real servers in the
//! integration tests.

mod bench;
mod fuzz;
mod target;

use bench::Bench;

#[test]
fn forwards_a_permitted_query_once_and_shows_its_end() {
    let mut b = Bench::new();
    b.client.query("SELECT name FROM t");
    let seen = b.run();
    assert_eq!(b.target.ran, ["SELECT name FROM t"]);
    assert_eq!(seen.tags(), "TCZ");
    assert_eq!(b.intents(), 1);
}

#[test]
fn judges_by_the_picture_that_it_found_fresh_though_another_session_replaces_it() {
    let mut b = Bench::new();
    // The search path is known from then on.
    b.client.query("SELECT id FROM t");
    b.run();
    b.another_reads_the_catalogue();
    b.client.query("SELECT name FROM t");
    let seen = b.run();
    assert_eq!(b.target.ran, ["SELECT id FROM t", "SELECT name FROM t"]);
    assert_eq!(seen.tags(), "TCZ");
}

#[test]
fn refuses_a_denied_query_without_a_byte_to_the_target() {
    let mut b = Bench::new();
    b.client.query("DROP TABLE t");
    let seen = b.run();
    assert!(b.target.asked.is_empty(), "{:?}", b.target.asked);
    assert_eq!(seen.tags(), "EZ");
    assert_eq!(seen.states(), ["42501"]);
    assert_eq!(b.intents(), 0);
    let recorded = b.verdicts.0.join("\n");
    assert!(
        recorded.contains("\"command\":\"DROP TABLE t\"")
            && recorded.contains("\"code\":\"forbidden\""),
        "{recorded}"
    );
}

#[test]
fn judges_every_statement_of_a_message_before_the_first_is_sent() {
    let mut b = Bench::new();
    b.client
        .query("SELECT name FROM t; DELETE FROM t WHERE id = 1");
    let seen = b.run();
    assert!(b.target.ran.is_empty());
    assert_eq!(seen.tags(), "EZ");
}

#[test]
fn aborts_the_open_transaction_when_a_query_in_it_is_denied() {
    let mut b = Bench::new();
    b.client.query("BEGIN");
    b.run();
    b.client.query("DROP TABLE t");
    let seen = b.run();
    assert_eq!(seen.tags(), "EZ");
    assert_eq!(seen.last_status(), b'E');
    assert_eq!(b.target.ran, ["BEGIN"]);
    b.client.query("SELECT name FROM t");
    assert_eq!(b.run().states(), ["25P02"]);
    b.client.query("ROLLBACK");
    assert_eq!(b.run().last_status(), b'I');
}

#[test]
fn fails_a_pipeline_in_place_of_its_denied_statement() {
    let mut b = Bench::new();
    b.client
        .parse("", "INSERT INTO t VALUES (1)")
        .bind("", "")
        .execute("");
    b.client
        .parse("", "DELETE FROM t WHERE id = 1")
        .bind("", "")
        .execute("");
    b.client
        .parse("", "INSERT INTO t VALUES (2)")
        .bind("", "")
        .execute("")
        .sync();
    let seen = b.run();
    assert_eq!(b.target.ran, ["INSERT INTO t VALUES (1)"]);
    assert!(b.target.aborted, "the first insert must not be committed");
    assert_eq!(seen.tags(), "12CEZ");
    assert_eq!(seen.states(), ["42501"]);
}

#[test]
fn never_runs_a_stale_statement_after_a_denied_parse() {
    let mut b = Bench::new();
    b.client.parse("", "INSERT INTO t VALUES (1)").sync();
    b.run();
    b.client
        .parse("", "DELETE FROM t WHERE id = 1")
        .bind("", "")
        .execute("")
        .sync();
    let seen = b.run();
    assert!(b.target.ran.is_empty(), "{:?}", b.target.ran);
    assert_eq!(seen.tags(), "EZ");
}

#[test]
fn forgets_names_whose_parse_was_skipped() {
    let mut b = Bench::new();
    b.client
        .parse("bad", "SELECT fails_at_parse")
        .parse("s", "SELECT name FROM t")
        .sync();
    b.run();
    b.client.bind("", "s").execute("").sync();
    let seen = b.run();
    assert_eq!(seen.states(), ["26000"]);
    assert!(b.target.ran.is_empty());
}

#[test]
fn shares_names_between_parse_and_prepare() {
    let mut b = Bench::new();
    b.client.query("PREPARE s AS SELECT name FROM t");
    b.run();
    b.client.bind("", "s").execute("").sync();
    assert_eq!(b.run().tags(), "2CZ");
    b.client.parse("s", "SELECT 1").sync();
    assert_eq!(b.run().states(), ["42P05"]);
    b.client.query("DEALLOCATE s");
    b.run();
    b.client.parse("s", "SELECT 1").sync();
    assert_eq!(b.run().tags(), "1Z");
}

#[test]
fn refuses_to_execute_names_it_does_not_know() {
    let mut b = Bench::new();
    b.client.query("EXECUTE nothing");
    let seen = b.run();
    assert!(b.target.asked.is_empty(), "{:?}", b.target.asked);
    assert_eq!(seen.tags(), "EZ");
}

#[test]
fn refuses_the_function_call_interface_and_goes_on() {
    let mut b = Bench::new();
    b.client.raw(b'F', &[0; 10]);
    assert_eq!(b.run().tags(), "EZ");
    b.client.query("SELECT 1");
    assert_eq!(b.run().last_status(), b'I');
}

#[test]
fn answers_the_same_at_every_split_of_the_stream() {
    let script = |b: &mut Bench| {
        b.client.query("SELECT name FROM t");
        b.client
            .parse("a", "SELECT name FROM t")
            .bind("", "a")
            .execute("")
            .sync();
        b.client.query("DROP TABLE t");
    };
    let mut whole = Bench::new();
    script(&mut whole);
    let expected = whole.run().bytes;
    let length = {
        let mut b = Bench::new();
        script(&mut b);
        b.client.bytes.len()
    };
    for at in 1..length {
        let mut b = Bench::new();
        script(&mut b);
        let rest = b.client.bytes.split_off(at);
        let mut seen = b.run().bytes;
        b.client.bytes = rest;
        seen.extend(b.run().bytes);
        assert_eq!(seen, expected, "split at {at}");
    }
}

#[test]
fn ends_the_session_when_the_target_moves_a_setting_that_parsing_stands_on() {
    let mut b = Bench::new();
    b.client.query("SELECT name FROM t");
    b.target.speaks_out_of_turn = Some(bench::parameter_status(
        "standard_conforming_strings",
        "off",
    ));
    assert!(b.try_run().is_err());
}

#[test]
fn ends_the_session_when_the_target_answers_what_nobody_asked() {
    let mut b = Bench::new();
    b.target.speaks_out_of_turn = Some(b"D\0\0\0\x06\0\0".to_vec());
    b.client.query("SELECT name FROM t");
    assert!(b.try_run().is_err());
}

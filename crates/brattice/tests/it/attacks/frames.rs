//! Attacks by bytes that are no messages, or too many of them: the connection ends, the gateway and its other sessions
//! do not.

use super::{Arena, SOON, all_good, goes_on};
use crate::world::{READER, SHOP};
use brattice_testkit::wire::{Wire, frames};

/// Sent before login; the gateway must close without having said more than an error.
fn before_login() -> Vec<(&'static str, Vec<u8>)> {
    let start = |body: &[u8]| frames::packet(body);
    let parameters = |pairs: &[(&str, &str)]| {
        let owned: Vec<(String, String)> = pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        frames::startup(0, &owned)
    };
    vec![
        ("a length of 0", vec![0, 0, 0, 0]),
        ("a length of 3", vec![0, 0, 0, 3, 1]),
        ("a length of 4", vec![0, 0, 0, 4]),
        ("a length of 2^31", vec![0x80, 0, 0, 0, 0, 3, 0, 0]),
        (
            "a length of 2^32-1",
            vec![0xff, 0xff, 0xff, 0xff, 0, 3, 0, 0],
        ),
        ("a length of 1 MiB", vec![0, 0x10, 0, 0, 0, 3, 0, 0]),
        ("protocol 2", start(&[0, 2, 0, 0])),
        ("protocol 4", start(&[0, 4, 0, 0, 0])),
        (
            "no end of the parameters",
            start(b"\0\x03\0\0user\0a\0database\0shop/app\0"),
        ),
        ("a name without a value", start(b"\0\x03\0\0user\0")),
        ("bytes behind the end", start(b"\0\x03\0\0user\0a\0\0more")),
        ("no user", parameters(&[("database", "shop/app")])),
        (
            "two users",
            parameters(&[("user", "a"), ("user", "b"), ("database", "shop/app")]),
        ),
        (
            "two TLS requests",
            [frames::ssl_request(), frames::ssl_request()].concat(),
        ),
        (
            "a GSS request behind a TLS request, again and again",
            [frames::ssl_request(), frames::gss_request()]
                .concat()
                .repeat(1000),
        ),
        (
            "text before TLS",
            [frames::ssl_request(), frames::query(b"SELECT 1")].concat(),
        ),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        (
            "a second start-up packet instead of a password",
            [
                parameters(&[("user", "a"), ("database", "shop/app")]),
                parameters(&[("user", "b"), ("database", "shop/app")]),
            ]
            .concat(),
        ),
        (
            "a query instead of a password",
            [
                parameters(&[("user", "a"), ("database", "shop/app")]),
                frames::query(b"SELECT 1"),
            ]
            .concat(),
        ),
        (
            "a password that is no text",
            [
                parameters(&[("user", "a"), ("database", "shop/app")]),
                frames::frame(b'p', b"no end"),
            ]
            .concat(),
        ),
        (
            "a password of a megabyte",
            [
                parameters(&[("user", "a"), ("database", "shop/app")]),
                frames::password(&vec![b'x'; 1 << 20]),
            ]
            .concat(),
        ),
        (
            "a cancel request with a short key",
            frames::packet(&80_877_102_u32.to_be_bytes()),
        ),
    ]
}

#[test]
fn nonsense_before_login_ends_that_connection_alone() {
    let arena = Arena::of(18);
    let mut neighbour = arena.world.connect(READER, SHOP);
    let mut wrong = Vec::new();
    for (what, bytes) in before_login() {
        let mut wire = Wire::open(arena.world.gateway.port()).unwrap();
        // It may close before everything was written.
        let _ = wire.send(&bytes);
        if what == "two TLS requests"
            || what.starts_with("text before")
            || what.starts_with("a GSS")
        {
            // Answered with one byte, then the rest is no TLS.
            let _ = wire.byte();
        }
        if !wire.closes(SOON + SOON + SOON) {
            wrong.push(format!("- {what}: the connection stays open"));
        }
        if let Err(error) = goes_on(&mut neighbour) {
            wrong.push(format!("- {what}: the neighbour: {error}"));
        }
    }
    all_good(&wrong);
    assert!(arena.is_unchanged());
}

/// Sent inside a session, which must end.
fn inside() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a length of 0", frames::frame_of(b'Q', 0, b"")),
        ("a length of 3", frames::frame_of(b'Q', 3, b"")),
        (
            "a length of 2^31",
            frames::frame_of(b'Q', 1 << 31, b"SELECT 1\0"),
        ),
        (
            "a length of 2^32-1",
            frames::frame_of(b'Q', u32::MAX, b"SELECT 1\0"),
        ),
        (
            "text behind the end",
            frames::frame(b'Q', b"SELECT 1\0; DELETE FROM notes\0"),
        ),
        ("a query without an end", frames::frame(b'Q', b"SELECT 1")),
        (
            "a Parse without an end",
            frames::frame(b'P', b"s\0SELECT 1"),
        ),
        (
            "a Parse with bytes behind",
            frames::frame(b'P', b"s\0SELECT 1\0\0\0more"),
        ),
        ("a Bind with a length of -2", {
            let mut body = b"\0\0\0\0\0\x01".to_vec();
            body.extend((-2_i32).to_be_bytes());
            body.extend([0, 0]);
            frames::frame(b'B', &body)
        }),
        (
            "a Bind with more values than it has",
            frames::frame(b'B', b"\0\0\0\0\xff\xff"),
        ),
        ("a Sync with a body", frames::frame(b'S', b"x")),
        (
            "a Terminate with a body, then a query",
            [
                frames::frame(b'X', b"x"),
                frames::query(b"DELETE FROM notes"),
            ]
            .concat(),
        ),
        (
            "a Describe of nothing known",
            frames::frame(b'D', b"Xname\0"),
        ),
        (
            "a start-up packet",
            frames::startup(0, &[("user".into(), "b".into())]),
        ),
        ("a TLS request", frames::ssl_request()),
        ("a TLS handshake", b"\x16\x03\x01\0\x05hello".to_vec()),
        ("a password", frames::password(b"x")),
        ("a type that does not exist", frames::frame(b'z', b"")),
        ("a type of the server's", frames::frame(b'T', b"\0\0")),
    ]
}

#[test]
fn nonsense_inside_a_session_ends_it_alone() {
    let arena = Arena::of(18);
    let mut neighbour = arena.world.connect(READER, SHOP);
    let mut wrong = Vec::new();
    for (what, bytes) in inside() {
        let mut wire = arena.world.connect(READER, SHOP);
        let _ = wire.send(&bytes);
        if !wire.closes(SOON) {
            wrong.push(format!("- {what}: the connection stays open"));
        }
        if let Err(error) = goes_on(&mut neighbour) {
            wrong.push(format!("- {what}: the neighbour: {error}"));
        }
    }
    all_good(&wrong);
    assert!(arena.is_unchanged());
}

/// PG29, AV17: what would take a parser down, or for ever.
#[test]
fn texts_that_are_too_much_are_refused_and_the_session_goes_on() {
    let arena = Arena::of(18);
    let mut neighbour = arena.world.connect(READER, SHOP);
    let mut wrong = Vec::new();
    let texts = [
        (
            "brackets",
            format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        ),
        ("sums", format!("SELECT 1{}", "+1".repeat(64_000))),
        ("casts", format!("SELECT 1{}", "::int".repeat(20_000))),
        (
            "subqueries",
            format!("{}SELECT 1{}", "SELECT (".repeat(2_000), ")".repeat(2_000)),
        ),
        ("NOT", format!("SELECT {} true", "NOT ".repeat(50_000))),
        (
            "CASE",
            format!(
                "SELECT {} 1 {}",
                "CASE WHEN true THEN ".repeat(3_000),
                "END ".repeat(3_000)
            ),
        ),
        (
            "joins",
            format!(
                "SELECT 1 FROM notes {}",
                "NATURAL JOIN notes ".repeat(3_000)
            ),
        ),
        ("statements", "SELECT 1;".repeat(20_000)),
        ("a long name", format!("SELECT 1 AS {}", "a".repeat(70))),
        ("two megabytes", format!("SELECT '{}'", "x".repeat(2 << 20))),
        ("comments", format!("{} SELECT 1", "/*".repeat(100_000))),
        ("stars", format!("{}SELECT 1", "/**/*".repeat(100_000))),
        ("dollars", "$a$".repeat(50_001)),
    ];
    for (what, text) in texts {
        let mut wire = arena.world.connect(READER, SHOP);
        match wire.query(&text) {
            Ok(answer) if answer.errors().len() == 1 => {
                if let Err(error) = goes_on(&mut wire) {
                    wrong.push(format!("- {what}: {error}"));
                }
            }
            other => wrong.push(format!("- {what}: {other:?}")),
        }
        if let Err(error) = goes_on(&mut neighbour) {
            wrong.push(format!("- {what}: the neighbour: {error}"));
        }
    }
    all_good(&wrong);
}

/// AV17: while a statement is read that takes long, nobody else waits.
#[test]
fn a_long_statement_keeps_no_neighbour_waiting() {
    let arena = Arena::of(18);
    // One on every thread there may be.
    let mut neighbours: Vec<Wire> = (0..8).map(|_| arena.world.connect(READER, SHOP)).collect();
    let mut heavy = arena.world.connect(READER, SHOP);
    let text = format!("SELECT {}1", "a+1,".repeat(70_000));
    heavy.send(&frames::query(text.as_bytes())).unwrap();
    for neighbour in &mut neighbours {
        let answer = neighbour.query("SELECT 7").unwrap();
        assert_eq!(answer.texts(), ["7"]);
    }
    let (early, closed) = heavy.drain(std::time::Duration::from_millis(1));
    assert!(
        early.messages().is_empty() && !closed,
        "it was read too quickly to tell: {early:?}"
    );
    assert!(!heavy.until_ready().unwrap().errors().is_empty());
}

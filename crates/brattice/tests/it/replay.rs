//! A recording shows what the agent saw, byte for byte, and does nothing to whoever looks at it.

use crate::world::{AUDITOR, OWNER, READER, SHOP, World};
use brattice_testkit::postgres::PostgresOptions;
use brattice_testkit::wire::{Answer, frames};
use serde_json::Value;
use std::process::Command;

#[test]
fn a_replay_is_what_the_agent_received() {
    let world = World::of(18);
    let mut wire = world.connect(READER, SHOP);
    let mut received: Vec<u8> = Vec::new();
    let mut take = |answer: Answer| {
        // A transaction's status is the gateway's own word, and no data.
        for message in answer.messages().iter().filter(|m| m.tag != b'Z') {
            received.extend(message.bytes());
        }
    };
    take(
        wire.query("SELECT id, ssn, card, name FROM customers ORDER BY id")
            .unwrap(),
    );
    take(wire.extended(b"SELECT id, card FROM customers", 1).unwrap());
    take(
        wire.query("SELECT '\\xdeadbeef00ff'::bytea, 1.5::float8")
            .unwrap(),
    );
    take(
        wire.extended(b"SELECT '\\xdeadbeef00ff'::bytea, 1.5::float8", 1)
            .unwrap(),
    );
    take(wire.query("COPY notes TO STDOUT").unwrap());
    take(wire.query("SELECT nothing_here FROM notes").unwrap());
    drop(wire);
    let replayed = outputs(&world, &session_of(&world, READER.name));
    let seen: Vec<u8> = messages(&replayed)
        .into_iter()
        .filter(|m| m.first() != Some(&b'Z'))
        .flatten()
        .copied()
        .collect();
    assert!(
        seen == received,
        "the recording has {} bytes, the agent saw {}:\n{}\n{}",
        seen.len(),
        received.len(),
        String::from_utf8_lossy(&seen),
        String::from_utf8_lossy(&received)
    );
    let clear = |text: &[u8]| text.windows(11).any(|w| w == b"219-09-9991");
    assert!(!clear(&replayed), "what was masked is in the recording");
}

/// When the disk is full the session ends, and what did not get onto it was not shown either: but for the block that was
/// being filled.
#[test]
fn what_cannot_be_recorded_is_not_shown() {
    // A message may have begun in the block before.
    const BLOCK: usize = 64 * 1024 + 1024;
    let world = World::start(PostgresOptions::of(18), |_| {});
    let mut wire = world.connect(READER, SHOP);
    let pid = world.gateway.pid().unwrap().to_string();
    let bound = |bytes: &str| {
        let limit = format!("--fsize={bytes}:");
        let said = Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .status();
        assert!(said.unwrap().success());
    };
    bound("3000000");
    let sql = "SELECT md5(n::text) || md5((-n)::text) AS x FROM generate_series(1, 300000) n";
    wire.send(&frames::query(sql.as_bytes())).unwrap();
    let (mut received, mut rows, mut ended) = (0, 0, String::new());
    while let Ok(message) = wire.receive() {
        // The last words are the gateway's own.
        if message.tag == b'E' {
            ended = String::from_utf8_lossy(&message.body).into_owned();
        } else {
            received += message.bytes().len();
        }
        rows += usize::from(message.tag == b'D');
    }
    bound("unlimited");
    assert!(ended.contains("cannot keep its record"), "{ended}");
    assert!(rows > 10_000 && rows < 300_000, "{rows}");
    let replayed = outputs(&world, &session_of(&world, READER.name)).len();
    assert!(
        received <= replayed + BLOCK,
        "{received} bytes were shown, {replayed} are on record"
    );
}

#[test]
fn what_was_recorded_does_nothing_to_a_terminal() {
    let world = World::of(18);
    let mut wire = world.connect(OWNER, SHOP);
    let hostile = [
        "SELECT '\u{1b}]52;c;ZXZpbA==\u{7}' AS x",
        "SELECT '\u{1b}]8;;javascript:alert(1)\u{1b}\\here' AS x",
        "SELECT '\u{1b}[8;9999;9999t\u{9b}2J' AS x",
        "SELECT '\u{202e}drawer\u{2066}' AS x",
        "SELECT E'a\\r\\n{\"kind\":\"intent\",\"text\":\"forged\"}' AS x",
        "SELECT '\n{\"kind\":\"intent\",\"text\":\"forged\"}\n' AS x",
        "SELECT '=cmd|''/c calc''!A1' AS \"<script>alert(1)</script>\"",
    ];
    for sql in hostile {
        let said = wire.query(sql).unwrap();
        assert_eq!(said.sqlstate(), "", "{sql:?}: {said:?}");
    }
    wire.ask(&frames::extended(hostile[0].as_bytes(), &[], 0))
        .unwrap();
    drop(wire);
    let session = session_of(&world, OWNER.name);
    let token = world.token(AUDITOR);
    for arguments in [
        ["sessions", "replay", &session].as_slice(),
        &["sessions", "replay", &session, "--output"],
        &["sessions", "show", &session],
        &["audit", "tail", "-n", "200"],
    ] {
        let said = world.gateway.cli(arguments, &token).unwrap();
        assert!(said.status.success(), "{said:?}");
        let text = String::from_utf8(said.stdout).unwrap();
        let live = |c: char| {
            (c.is_control() && c != '\n')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert_eq!(
            text.chars().find(|c| live(*c)),
            None,
            "{arguments:?} prints it live"
        );
        let forged = text.lines().any(|l| l.starts_with("{\"kind\":\"intent\""));
        assert!(!forged, "{arguments:?} prints a forged line");
    }
}

fn session_of(world: &World, agent: &str) -> String {
    let token = world.token(AUDITOR);
    let closed = |body: &Value| {
        let all = body["sessions"].as_array()?;
        let of = |s: &&Value| s["chain"].to_string().contains(agent) && s["state"] == "closed";
        all.iter().find(of)?["id"].as_str().map(str::to_owned)
    };
    let by = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let reply = world
            .gateway
            .api("GET", "/api/v1/sessions?limit=100", &token, None)
            .unwrap();
        if let Some(id) = closed(&reply.json()) {
            return id;
        }
        assert!(std::time::Instant::now() < by, "{}", reply.text());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// The bytes of all output, in order.
fn outputs(world: &World, session: &str) -> Vec<u8> {
    let replay = [
        "sessions", "replay", session, "--output", "--format", "json",
    ];
    let said = world.gateway.cli(&replay, &world.token(AUDITOR)).unwrap();
    assert!(said.status.success(), "{said:?}");
    let mut bytes = Vec::new();
    for line in String::from_utf8(said.stdout).unwrap().lines() {
        let frame: Value = serde_json::from_str(line).unwrap();
        if frame["kind"] == "output" {
            match (frame["text"].as_str(), frame["hex"].as_str()) {
                (Some(text), _) => bytes.extend(text.as_bytes()),
                (None, Some(hex)) => bytes.extend(unhex(hex)),
                _ => panic!("{frame}"),
            }
        }
    }
    bytes
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

/// Whole messages of the protocol.
fn messages(bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let length: [u8; 4] = bytes[at + 1..at + 5].try_into().unwrap();
        let end = at + 1 + usize::try_from(u32::from_be_bytes(length)).unwrap();
        found.push(&bytes[at..end]);
        at = end;
    }
    found
}

//! What is on record: every statement that reached the server, nothing else, verifiable by anybody with the public key.
//!
//! The oracle is the server's own statement log and its rows. The audit log is read from its files, as an auditor would
//! who has only those and the public key.

use crate::world::{OWNER, SECURITY, SHOP, World};
use brattice_testkit::postgres::{Mark, PostgresOptions};
use brattice_testkit::wire::frames;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The audit log's files of a gateway.
pub fn log_dir(world: &World) -> PathBuf {
    world.gateway.data_dir().join("audit")
}

/// A copy of the gateway's public key.
pub fn public_key(world: &World) -> PathBuf {
    log_dir(world).join("signing.pub")
}

/// What `brattice audit verify` says of a directory, with nothing but a public key: whether it is good, and its words.
pub fn verify(dir: &Path, key: &Path) -> (bool, Value) {
    let said = Command::new(env!("CARGO_BIN_EXE_brattice"))
        .args(["--format", "json", "audit", "verify"])
        .arg(dir)
        .arg("--key")
        .arg(key)
        .env_clear()
        .output()
        .unwrap();
    let words = serde_json::from_slice(&said.stdout).unwrap_or(Value::Null);
    (said.status.success(), words)
}

/// How often each text stands in intents.
fn intents(entries: &[Value]) -> BTreeMap<String, usize> {
    let mut texts = BTreeMap::new();
    for entry in entries {
        if entry["kind"] == "intent" {
            let text = entry["text"].as_str().unwrap().to_owned();
            *texts.entry(text).or_default() += 1;
        }
    }
    texts
}

fn server_log(world: &World, since: Mark) -> BTreeMap<String, usize> {
    let mut texts = BTreeMap::new();
    for text in world.postgres.statements_since(since) {
        *texts.entry(text).or_default() += 1;
    }
    texts
}

#[test]
fn the_record_and_the_servers_own_log_name_the_same_statements() {
    for major in crate::world::majors() {
        same_statements(&World::of(major));
    }
}

fn same_statements(world: &World) {
    let mark = world.postgres.mark();
    let mut wire = world.connect(OWNER, SHOP);
    let mut forwarded: Vec<String> = Vec::new();
    let mut simple = |wire: &mut brattice_testkit::wire::Wire, sql: &str| {
        let said = wire.query(sql).unwrap();
        assert_eq!(said.sqlstate(), "", "{sql}: {said:?}");
        forwarded.push(sql.to_owned());
    };
    for n in 0..20 {
        simple(&mut wire, &format!("SELECT {n} AS simple_{n}"));
        simple(
            &mut wire,
            &format!("INSERT INTO notes VALUES ({}, 'n{n}')", 100 + n),
        );
    }
    simple(&mut wire, "BEGIN");
    simple(
        &mut wire,
        "DECLARE walk CURSOR FOR SELECT id FROM notes ORDER BY id",
    );
    simple(&mut wire, "FETCH 2 FROM walk");
    simple(&mut wire, "COMMIT");
    simple(&mut wire, "PREPARE counted AS SELECT count(*) FROM notes");
    simple(&mut wire, "EXECUTE counted");
    simple(&mut wire, "COPY notes TO STDOUT");
    let begun = wire.query("COPY notes FROM STDIN").unwrap();
    assert!(begun.tags().ends_with('G'), "{begun:?}");
    let mut data = frames::copy_data(b"900\tcopied\n");
    data.extend(frames::copy_done());
    assert_eq!(wire.ask(&data).unwrap().completed(), ["COPY 1"]);
    forwarded.push("COPY notes FROM STDIN".to_owned());
    let sql = "UPDATE notes SET text = $1 WHERE id = 1";
    let said = wire
        .ask(&frames::extended(sql.as_bytes(), &[Some(b"x")], 0))
        .unwrap();
    assert_eq!(said.completed(), ["UPDATE 1"]);
    forwarded.push(sql.to_owned());
    let mut burst = Vec::new();
    for n in 0..10 {
        let sql = format!("UPDATE notes SET text = text || $1 WHERE id = {n}");
        burst.extend(frames::step(&sql, &[Some(b"p")]));
        forwarded.push(sql);
    }
    burst.extend(frames::sync());
    assert_eq!(wire.ask(&burst).unwrap().completed().len(), 10);
    // Run twice from one prepared statement.
    let mut twice = frames::parse("again", b"SELECT count(*) FROM notes", &[]);
    for _ in 0..2 {
        twice.extend(frames::bind("", "again", &[], 0));
        twice.extend(frames::execute("", 0));
        forwarded.push("SELECT count(*) FROM notes".to_owned());
    }
    twice.extend(frames::sync());
    assert_eq!(wire.ask(&twice).unwrap().completed().len(), 2);
    // What is refused reaches nobody.
    let refused = "SELECT pg_read_file('/etc/passwd') AS refused";
    let said = world
        .connect(crate::world::READER, SHOP)
        .query(refused)
        .unwrap();
    assert_ne!(said.sqlstate(), "");
    drop(wire);

    let recorded = intents(&export_lines(&log_dir(world)));
    let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
    for text in forwarded {
        *wanted.entry(text).or_default() += 1;
    }
    assert_eq!(recorded, wanted, "the record differs from what was sent");
    let mut seen = server_log(world, mark);
    // The gateway's own reads of the catalogue are its own, each named so; nothing else is there that is not recorded.
    seen.retain(|text, _| {
        let own = text.contains("pg_catalog.") || text.starts_with("SET ");
        recorded.contains_key(text) || !own
    });
    assert_eq!(seen, recorded, "the server ran something else");
}

#[test]
fn a_burst_of_statements_leaves_exactly_as_many_entries() {
    let full = std::env::var_os("BRATTICE_FULL").is_some_and(|v| v == "1");
    let statements: usize = if full { 300_000 } else { 20_000 };
    let options = PostgresOptions::of(18);
    let world = World::start(options, |_| {});
    let sessions = 4;
    std::thread::scope(|scope| {
        for session in 0..sessions {
            let world = &world;
            scope.spawn(move || {
                let mut wire = world.connect(OWNER, SHOP);
                let each = statements / sessions;
                let mut sent = 0;
                while sent < each {
                    let now = (each - sent).min(250);
                    let mut burst = Vec::new();
                    for n in sent..sent + now {
                        burst.extend(frames::step(&format!("SELECT {n} AS of_{session}"), &[]));
                    }
                    burst.extend(frames::sync());
                    let said = wire.ask(&burst).unwrap();
                    assert_eq!(said.completed().len(), now, "{:?}", said.errors());
                    sent += now;
                }
            });
        }
    });
    let mut gateway = world.gateway;
    gateway.stop().unwrap();
    let dir = gateway.data_dir().join("audit");
    let out = export_lines(&dir);
    let kinds = |kind: &str| out.iter().filter(|e| e["kind"] == kind).count();
    assert_eq!(kinds("intent"), statements);
    assert_eq!(kinds("session_opened"), sessions);
    assert_eq!(kinds("session_closed"), sessions);
    let mut texts: Vec<&str> = out
        .iter()
        .filter(|e| e["kind"] == "intent")
        .filter_map(|e| e["text"].as_str())
        .collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), statements, "an entry stands in for another");
    // Without gaps: in the chain, and in each session.
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    for (position, entry) in out.iter().enumerate() {
        assert_eq!(entry["position"], position);
        if let Some(session) = entry["session"].as_str() {
            let expected = next.entry(session.to_owned()).or_default();
            assert_eq!(entry["sequence"], *expected, "{entry}");
            *expected += 1;
        }
    }
}

const AUDITORS: &str = r#"
@id("security-reads-the-log")
permit (
    principal in Group::"dev/security",
    action == Action::"audit.read",
    resource
);
"#;

/// The export itself is on record, and others go on working: what is taken away fits together all the same.
#[test]
fn what_is_taken_away_is_vouched_for_to_its_last_entry() {
    let world = World::start(PostgresOptions::of(18), |bundle| {
        let rules = ("policies/auditors.cedar".to_owned(), AUDITORS.to_owned());
        bundle.policies.push(rules);
    });
    let mut wire = world.connect(OWNER, SHOP);
    let token = world.token(SECURITY);
    for round in 0..3 {
        let sql = format!("INSERT INTO notes VALUES ({}, 'taken away')", 200 + round);
        assert_eq!(wire.query(&sql).unwrap().completed(), ["INSERT 0 1"]);
        let dir = world.gateway.dir().join(format!("taken-away-{round}"));
        let export = ["audit", "export", "--out", dir.to_str().unwrap()];
        let said = world.gateway.cli(&export, &token).unwrap();
        assert!(said.status.success(), "{said:?}");
        let (good, words) = verify(&dir, &public_key(&world));
        assert!(good, "{words}");
        let (entries, signed) = (
            &words["report"]["entries"],
            &words["report"]["signed_below"],
        );
        assert_eq!(entries, signed, "{words}");
        let taken = export_lines(&dir);
        assert_eq!(entries.as_u64(), Some(taken.len() as u64));
        assert_eq!(
            intents(&taken).get(&sql),
            Some(&1),
            "it lacks what was done"
        );
    }
}

/// Every entry of a log's files.
pub fn export_lines(dir: &Path) -> Vec<Value> {
    let mut out = Vec::new();
    brattice_store::audit::export(dir, brattice_store::audit::Filter::default(), &mut out).unwrap();
    String::from_utf8(out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

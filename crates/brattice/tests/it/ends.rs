//! A gateway that must stop: because its disk is full, or because it is told to.

use crate::records::{export_lines, log_dir, public_key, verify};
use crate::world::{OWNER, READER, SHOP, World};
use brattice_testkit::gateway::Gateway;
use brattice_testkit::postgres::PostgresOptions;
use brattice_testkit::wire::{Wire, WireError, frames};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A small disk of memory. Mounting it takes root, or a kernel that lets this process have a mount namespace; CI runs as
/// root in its container.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> SmallDisk {
        let dir = tempfile::tempdir().unwrap();
        let said = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(dir.path())
            .output()
            .unwrap();
        assert!(
            said.status.success(),
            "a full disk is tried on a small one, which this user may not mount: {said:?}"
        );
        SmallDisk(dir)
    }

    /// Leaves not a byte.
    fn fill(&self) {
        let mut filler = fs::File::create(self.filler()).unwrap();
        for piece in [1 << 20, 1 << 12, 1] {
            while filler.write_all(&vec![b'x'; piece]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> std::path::PathBuf {
        self.0.path().join("filler")
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there keeps only that.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn nothing_passes_that_a_full_disk_cannot_record() {
    let disk = SmallDisk::new();
    let mut world = World::start_with(
        PostgresOptions::of(18),
        |_| {},
        |bundle| Gateway::start_in(bundle, disk.path()).unwrap(),
    );
    let mut wire = world.connect(OWNER, SHOP);
    let insert = |n: usize| format!("INSERT INTO notes VALUES ({n}, 'full disk {n}')");
    assert_eq!(
        wire.query(&insert(100)).unwrap().completed(),
        ["INSERT 0 1"]
    );
    disk.fill();
    let mut last = None;
    for n in 101..20_000 {
        match wire.query(&insert(n)) {
            Ok(said) if said.sqlstate().is_empty() => {}
            Ok(said) => {
                last = Some(said);
                break;
            }
            Err(gone) => {
                last = gone.said().cloned();
                break;
            }
        }
    }
    let last = last.unwrap();
    let state = last.sqlstate();
    assert!(state.starts_with("5"), "no clear error: {last:?}");
    assert!(wire.closes(Duration::from_secs(5)), "the session goes on");
    let refused = Wire::connect(&world.through(READER, SHOP));
    assert!(refused.is_err(), "a new session is let in");
    let written = world.ask("SELECT text FROM notes WHERE id >= 100");
    let recorded: BTreeSet<String> = export_lines(&log_dir(&world))
        .iter()
        .filter(|e| e["kind"] == "intent")
        .filter_map(|e| e["text"].as_str().map(str::to_owned))
        .collect();
    for text in written.lines() {
        let n: usize = text.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(recorded.contains(&insert(n)), "{text} is not on record");
    }
    disk.empty();
    world.gateway.start_again().unwrap();
    let (good, words) = verify(&log_dir(&world), &public_key(&world));
    assert!(good, "{words}");
    let mut wire = world.connect(READER, SHOP);
    assert_eq!(wire.query("SELECT 1").unwrap().texts(), ["1"]);
    drop(wire);
    world.gateway.kill();
}

#[test]
fn told_to_stop_it_closes_every_record_of_many_sessions() {
    let mut world = World::start(PostgresOptions::of(18), |bundle| {
        bundle.more.push_str("[limits]\ndrain_max = \"1s\"\n\n");
    });
    let mut sessions: Vec<Wire> = (0..40).map(|_| world.connect(OWNER, SHOP)).collect();
    for (n, wire) in sessions.iter_mut().enumerate() {
        let sql = format!("INSERT INTO notes VALUES ({}, 'drained')", 1000 + n);
        assert_eq!(wire.query(&sql).unwrap().completed(), ["INSERT 0 1"]);
    }
    // Some are in the middle of something that lasts longer than the gateway waits.
    for wire in sessions.iter_mut().take(5) {
        wire.send(&frames::query(b"SELECT pg_sleep(600)")).unwrap();
    }
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(600)'";
    let by = Instant::now() + Duration::from_secs(10);
    while world.ask(asleep) != "5" {
        assert!(Instant::now() < by, "they do not begin to sleep");
    }
    let begun = Instant::now();
    let status = world.gateway.stop().unwrap();
    assert!(status.is_some_and(|s| s.success()), "{status:?}");
    assert!(begun.elapsed() < Duration::from_secs(15));
    let told = sessions
        .iter_mut()
        .map(|wire| wire.drain(Duration::from_secs(2)))
        .filter(|(said, closed)| *closed && said.sqlstate() == "57P01")
        .count();
    assert_eq!(told, 40, "not all were told why");
    let (good, words) = verify(&log_dir(&world), &public_key(&world));
    assert!(good, "{words}");
    let entries = export_lines(&log_dir(&world));
    let closed: Vec<_> = entries
        .iter()
        .filter(|e| e["kind"] == "session_closed")
        .collect();
    assert_eq!(closed.len(), 40);
    assert!(
        closed.iter().all(|e| e["recording"].is_string()),
        "a recording is not sealed: {closed:?}"
    );
    assert_eq!(
        world.ask("SELECT count(*) FROM notes WHERE text = 'drained'"),
        "40"
    );
    let working = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop_role'";
    let by = Instant::now() + Duration::from_secs(5);
    while world.ask(working) != "0" {
        assert!(Instant::now() < by, "a session is left on the server");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn more_connections_than_a_target_takes_are_refused_with_its_own_code() {
    let world = World::start(PostgresOptions::of(18), |bundle| {
        for target in &mut bundle.targets {
            target.more.push_str("connections_max = 2\n");
        }
    });
    let first = world.connect(READER, SHOP);
    let _second = world.connect(READER, SHOP);
    match Wire::connect(&world.through(READER, SHOP)) {
        Err(WireError::Refused(fields)) => assert_eq!(fields.sqlstate(), "53300", "{fields}"),
        other => panic!("{other:?}"),
    }
    drop(first);
    // As soon as one has left there is room again.
    let by = Instant::now() + Duration::from_secs(10);
    while Wire::connect(&world.through(READER, SHOP)).is_err() {
        assert!(Instant::now() < by, "no room though one has left");
    }
}

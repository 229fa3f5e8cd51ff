//! A gateway that is killed in the middle of writing: nothing that it did is missing from the record.
//!
//! Each round lets agents write as fast as they can, kills the gateway without a word, looks at what the server has and
//! at what the dead gateway's files say, and starts it again. A few rounds by default, a hundred in the full suite.

use crate::holds::{approve, ticket_in};
use crate::records::{export_lines, log_dir, public_key, verify};
use crate::world::{AUDITOR, DBA, SHOP, WRITER, World};
use brattice_testkit::wire::{Login, Wire};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WRITERS: usize = 4;
const TICKETS: usize = 3;

#[test]
fn what_reached_the_server_is_on_record_after_every_kill() {
    let full = std::env::var_os("BRATTICE_FULL").is_some_and(|v| v == "1");
    let rounds = if full { 100 } else { 5 };
    let mut world = crate::holds::world(18);
    world.ask("SET ROLE shop_role; CREATE TABLE marks (mark text NOT NULL)");
    for round in 0..rounds {
        play(&mut world, round);
    }
}

fn play(world: &mut World, round: usize) {
    let tickets = tickets(world, round);
    let logins: Vec<Login> = (0..WRITERS).map(|_| world.through(WRITER, SHOP)).collect();
    let racing = world.through(WRITER, crate::holds::QUICK);
    let begun = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (writer, login) in logins.iter().enumerate() {
            let begun = &begun;
            scope.spawn(move || write(login, &format!("{round}-{writer}"), begun));
        }
        for _ in 0..2 {
            let (tickets, racing) = (&tickets, &racing);
            scope.spawn(move || use_up(racing, tickets));
        }
        while !begun.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        // Anywhere in the first instants of writing: different in each round, and the same each time.
        let after = (round * 37) % 150;
        std::thread::sleep(Duration::from_millis(after.try_into().unwrap()));
        world.gateway.kill();
    });
    let cut = look_at_the_dead(world, round);
    world.gateway.start_again().unwrap();
    look_at_the_living(world, round, &tickets, &cut);
}

/// Commands that were approved and not used yet.
fn tickets(world: &World, round: usize) -> Vec<String> {
    (0..TICKETS)
        .map(|n| {
            let sql = format!("INSERT INTO marks VALUES ('ticket-{round}-{n}')");
            let said = world
                .connect(WRITER, crate::holds::QUICK)
                .query(&sql)
                .unwrap();
            approve(world, DBA, &ticket_in(&said));
            sql
        })
        .collect()
}

fn write(login: &Login, name: &str, begun: &AtomicBool) {
    let Ok(mut wire) = Wire::connect(login) else {
        return;
    };
    for n in 0.. {
        let sql = format!("INSERT INTO marks VALUES ('mark-{name}-{n}')");
        match wire.query(&sql) {
            Ok(said) => assert_eq!(said.sqlstate(), "", "{said:?}"),
            Err(_) => return,
        }
        begun.store(true, Ordering::Release);
    }
}

fn use_up(login: &Login, tickets: &[String]) {
    let Ok(mut wire) = Wire::connect(login) else {
        return;
    };
    for sql in tickets {
        if wire.query(sql).is_err() {
            return;
        }
    }
}

/// What the server has, what the files say, and nobody else to ask. Gives the sessions that were open at the kill: how
/// many of the writers had got that far is the machine's affair, not the gateway's.
fn look_at_the_dead(world: &World, round: usize) -> BTreeSet<String> {
    let wait = "SELECT count(*) FROM pg_stat_activity
                WHERE usename = 'shop_role' AND state <> 'idle' AND backend_type = 'client backend'";
    while world.ask(wait) != "0" {
        std::thread::sleep(Duration::from_millis(5));
    }
    let marks = world.ask("SELECT mark FROM marks");
    let dir = log_dir(world);
    let (good, words) = verify(&dir, &public_key(world));
    assert!(good, "round {round}: {words}");
    let entries = export_lines(&dir);
    let recorded: BTreeSet<String> = entries
        .iter()
        .filter(|e| e["kind"] == "intent")
        .filter_map(|e| e["text"].as_str().map(str::to_owned))
        .collect();
    let missing: Vec<&str> = marks
        .lines()
        .filter(|mark| !recorded.contains(&format!("INSERT INTO marks VALUES ('{mark}')")))
        .collect();
    assert!(
        missing.is_empty(),
        "round {round}: not on record: {missing:?}"
    );
    let written = marks
        .lines()
        .filter(|m| m.starts_with(&format!("mark-{round}-")))
        .count();
    assert!(
        written > 0,
        "round {round} wrote nothing, so it proves nothing"
    );
    let ended = ended(&entries);
    sessions(&entries, "session_opened")
        .into_iter()
        .filter(|session| !ended.contains(session))
        .map(str::to_owned)
        .collect()
}

/// Used approvals stay used, the sessions that were cut off end as such, and their recordings can be read.
fn look_at_the_living(world: &World, round: usize, tickets: &[String], cut: &BTreeSet<String>) {
    for sql in tickets {
        let mut wire = world.connect(WRITER, crate::holds::QUICK);
        wire.query(sql).unwrap();
        wire.query(sql).unwrap();
    }
    let twice = "SELECT mark FROM marks GROUP BY mark HAVING count(*) > 1";
    assert_eq!(world.ask(twice), "", "round {round}: ran twice");
    let entries = export_lines(&log_dir(world));
    let used: Vec<&str> = entries
        .iter()
        .filter(|e| e["kind"] == "intent")
        .filter_map(|e| e["approvals"][0].as_str())
        .collect();
    let distinct: BTreeSet<&str> = used.iter().copied().collect();
    assert_eq!(used.len(), distinct.len(), "an approval was used twice");
    let boot = entries.iter().rfind(|e| e["kind"] == "boot").unwrap();
    let interrupted: BTreeSet<&str> = boot["interrupted"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|s| s.as_str())
        .collect();
    // A session may have begun in the store and not in the log yet, so there can be more.
    let unsaid: Vec<&String> = cut
        .iter()
        .filter(|session| !interrupted.contains(session.as_str()))
        .collect();
    assert!(unsaid.is_empty(), "round {round}: {unsaid:?} of {boot}");
    assert!(!cut.is_empty(), "round {round}: a writer was writing");
    every_session_ends(world, round);
    let token = world.token(AUDITOR);
    let one = interrupted.first().unwrap();
    let shown = world
        .gateway
        .cli(&["sessions", "show", one, "--format", "json"], &token)
        .unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["state"], "interrupted", "{shown}");
    let replay = world.gateway.cli(&["sessions", "replay", one], &token);
    let replay = replay.unwrap();
    assert!(replay.status.success(), "{replay:?}");
}

/// Each has an end on record, or the boot after it says that it was interrupted.
fn every_session_ends(world: &World, round: usize) {
    // Those that were opened last may still be closing.
    let by = Instant::now() + Duration::from_secs(10);
    loop {
        let entries = export_lines(&log_dir(world));
        let opened = sessions(&entries, "session_opened");
        let ended = ended(&entries);
        let endless: Vec<&&str> = opened.difference(&ended).collect();
        if endless.is_empty() {
            return;
        }
        assert!(Instant::now() < by, "round {round}: no end: {endless:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Closed, or said by a boot to have been interrupted.
fn ended(entries: &[serde_json::Value]) -> BTreeSet<&str> {
    let boots = entries.iter().filter(|e| e["kind"] == "boot");
    let interrupted = boots
        .flat_map(|e| e["interrupted"].as_array().unwrap())
        .filter_map(|s| s.as_str());
    let mut ended = sessions(entries, "session_closed");
    ended.extend(interrupted);
    ended
}

fn sessions<'e>(entries: &'e [serde_json::Value], kind: &str) -> BTreeSet<&'e str> {
    entries
        .iter()
        .filter(|e| e["kind"] == kind)
        .filter_map(|e| e["session"].as_str())
        .collect()
}

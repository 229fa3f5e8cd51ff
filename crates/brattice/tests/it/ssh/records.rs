//! What is on record of SSH: commands, both streams, terminals as films, and what a crash leaves.

use super::{WEB, World};
use crate::world::{AUDITOR, OWNER};
use brattice_testkit::client::Running;
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn values_are_masked_across_any_cut_of_both_streams() {
    let world = World::new();
    let owner = world.client(OWNER, WEB);
    for line in [
        "printf 41111111; sleep 0.3; printf 11111111; sleep 0.3; echo",
        "printf '4111 1111 1111 11'; sleep 0.5; echo 11 >&1",
        "for d in 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1; do printf $d; sleep 0.05; done; echo",
        "echo 4111111111111111 >&2",
        "printf 4111111111111111",
    ] {
        let said = owner.ssh(&[], line, b"").unwrap();
        let seen = format!("{}{}", said.text(), said.err);
        assert!(
            said.is_good() && seen.contains("[masked:payment_card]"),
            "{line}: {said:?}"
        );
        assert!(!seen.contains("1111"), "{line}: {said:?}");
    }
}

#[test]
fn a_terminal_replays_as_a_film_without_what_could_harm_its_viewer() {
    let world = World::new();
    let owner = world.client(OWNER, WEB);
    let line = "printf '\\033[1mbold\\033[0m'; printf '\\033]52;c;cm0=\\007'; stty size";
    let said = owner.ssh(&["-tt"], line, b"").unwrap();
    assert!(said.is_good(), "{said:?}");
    let sessions = world.get(AUDITOR, "/api/v1/sessions").json();
    let id = sessions["sessions"][0]["id"].as_str().unwrap().to_owned();
    let file = world.gateway.dir().join("shell.cast");
    let path = file.display().to_string();
    let replay = ["sessions", "replay", &id, "--asciicast", &path];
    let done = world.gateway.cli(&replay, &world.token(AUDITOR)).unwrap();
    assert!(done.status.success(), "{done:?}");
    let film = fs::read_to_string(&file).unwrap();
    let mut lines = film
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap());
    assert_eq!(lines.next().unwrap()["version"], 3);
    let drawn: String = lines
        .filter(|event| event[1] == "o")
        .map(|event| event[2].as_str().unwrap().to_owned())
        .collect();
    assert!(drawn.contains("\u{1b}[1mbold\u{1b}[0m"), "{drawn:?}");
    assert!(!drawn.contains("]52"), "{drawn:?}");
}

#[test]
fn what_ran_when_the_gateway_was_killed_is_on_record() {
    let mut world = World::new();
    let owner = world.client(OWNER, WEB);
    let line = "echo begun; touch ~/begun; sleep 600";
    let running = Running::start(owner.ssh_command(&[], line)).unwrap();
    let begun = world.sshd.home().join("begun");
    let by = Instant::now() + Duration::from_secs(10);
    while !begun.exists() {
        assert!(Instant::now() < by, "it never ran");
        std::thread::sleep(Duration::from_millis(10));
    }
    world.gateway.kill();
    world.gateway.start_again().unwrap();
    let said = running.wait(Duration::from_secs(10));
    assert!(!said.is_good(), "{said:?}");
    let tail = ["audit", "tail"];
    let log = world.gateway.cli(&tail, &world.token(AUDITOR)).unwrap();
    let text = String::from_utf8_lossy(&log.stdout).into_owned();
    assert!(text.contains("touch ~/begun"), "{log:?}");
    let sessions = world.get(AUDITOR, "/api/v1/sessions").json();
    assert_eq!(
        sessions["sessions"][0]["state"], "interrupted",
        "{sessions}"
    );
}

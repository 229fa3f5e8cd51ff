//! Held commands on their open channels: approved, refused, stopped, left, and turned into tickets.

use super::{PROD, World};
use crate::world::{DBA, SECURITY, WRITER};
use brattice_testkit::client::Running;
use brattice_testkit::ssh_client::SshLibrary;
use brattice_testkit::sshd::Ran;
use serde_json::json;
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(10);

/// Starts it and waits until it is held; the question's id.
fn held(world: &World, command: &str) -> (Running, String) {
    let client = world.client(WRITER, PROD);
    let running = Running::start(client.ssh_command(&[], command)).unwrap();
    let said = running
        .hears("brattice: code=held approval=", WITHIN)
        .unwrap();
    let id = id_in(&said);
    // What it runs from must outlive it.
    std::mem::forget(client);
    (running, id)
}

fn id_in(said: &str) -> String {
    let (_, rest) = said.split_once("approval=").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

fn answer(world: &World, id: &str, yes: bool) {
    world.answer(DBA, id, yes);
}

fn comes_to(world: &World, id: &str, wanted: &str) {
    let by = Instant::now() + WITHIN;
    loop {
        let reply = world.get(DBA, &format!("/api/v1/approvals/{id}"));
        if reply.json()["state"] == wanted {
            return;
        }
        assert!(Instant::now() < by, "{} and not {wanted}", reply.text());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether the host's shell was ever given this.
fn arrived(world: &World, text: &str) -> bool {
    let start = brattice_testkit::sshd::Mark::start();
    let ran = world.sshd.ran_since(start);
    ran.iter()
        .any(|r| matches!(r, Ran::Command(c) if c == text))
}

#[test]
fn a_held_command_runs_once_approved_and_never_when_refused_or_left() {
    let world = World::new();
    let home = world.sshd.home();

    let (mut running, id) = held(&world, "tee ~/approved");
    running.write("sent while it was held\n").unwrap();
    running.close();
    assert!(!arrived(&world, "tee ~/approved"));
    answer(&world, &id, true);
    let said = running.wait(WITHIN);
    assert!(said.is_good(), "{said:?}");
    let text = std::fs::read_to_string(home.join("approved")).unwrap();
    assert_eq!(text, "sent while it was held\n");

    let (running, id) = held(&world, "touch ~/refused");
    answer(&world, &id, false);
    let said = running.wait(WITHIN);
    assert!(said.err.contains("was refused: by a test"), "{said:?}");
    assert!(!arrived(&world, "touch ~/refused"));

    // Whoever leaves wants nothing any more.
    let (mut running, id) = held(&world, "touch ~/left");
    running.kill();
    comes_to(&world, &id, "not_run");
    assert!(!arrived(&world, "touch ~/left"));

    // However much is sent to it meanwhile arrives once it may: more than a window waits with its sender.
    let client = world.client(WRITER, PROD);
    let much = vec![b'x'; 5 << 20];
    let said = std::thread::scope(|scope| {
        let running = scope.spawn(|| client.ssh(&[], "tee ~/much | wc -c", &much).unwrap());
        let id = world.question(DBA);
        std::thread::sleep(Duration::from_millis(300));
        answer(&world, &id, true);
        running.join().unwrap()
    });
    assert_eq!(said.text().trim(), much.len().to_string(), "{said:?}");
    assert!(std::fs::read(home.join("much")).unwrap() == much);
}

#[test]
fn who_is_asked_sees_all_that_a_yes_is_bound_to() {
    let world = World::new();
    let client = world.client(WRITER, PROD);
    let running =
        Running::start(client.ssh_command(&["-tt", "-o", "SetEnv=LANG=C.UTF-8"], "touch ~/bound"));
    let mut running = running.unwrap();
    let id = world.question(DBA);
    let seen = world.get(DBA, &format!("/api/v1/approvals/{id}")).json();
    let text = seen["text"].as_str().unwrap_or_else(|| panic!("{seen}"));
    assert_eq!(
        text, "touch ~/bound\n(with LANG=C.UTF-8)\n(on a terminal)",
        "{seen}"
    );
    running.kill();
}

#[test]
fn a_hold_that_nobody_decides_becomes_a_ticket_for_the_identical_command() {
    let world = World::of(
        &brattice_testkit::sshd::SshdOptions::default(),
        |_, bundle| {
            let prod = bundle.hosts.iter_mut().find(|h| h.name == PROD).unwrap();
            prod.more = "holds = { wait_max = \"1s\" }".to_owned();
        },
    );
    let client = world.client(WRITER, PROD);
    let said = client.ssh(&[], "touch ~/ticket", b"").unwrap();
    assert_eq!(said.code(), Some(75), "{said:?}");
    assert!(said.err.contains("code=approval_required"), "{said:?}");
    answer(&world, &id_in(&said.err), true);
    // Another command is not the one that was approved.
    let said = client.ssh(&[], "touch ~/ticket2", b"").unwrap();
    assert_eq!(said.code(), Some(75), "{said:?}");
    let said = client.ssh(&["-tt"], "touch ~/ticket", b"").unwrap();
    assert_eq!(said.code(), Some(75), "{said:?}");
    let said = client.ssh(&[], "touch ~/ticket", b"").unwrap();
    assert!(said.is_good(), "{said:?}");
    assert!(world.sshd.home().join("ticket").exists());
    let said = client.ssh(&[], "touch ~/ticket", b"").unwrap();
    assert_eq!(said.code(), Some(75), "once: {said:?}");
}

#[test]
fn channels_of_one_connection_are_judged_apart_and_do_not_wait_for_each_other() {
    let world = World::of(
        &brattice_testkit::sshd::SshdOptions::default(),
        |_, bundle| {
            let prod = bundle.hosts.iter_mut().find(|h| h.name == PROD).unwrap();
            prod.more = "holds = { wait_max = \"3s\" }".to_owned();
        },
    );
    let client = world.client(WRITER, PROD);
    let mut orders = vec![
        json!({ "do": "run", "command": "touch ~/held" }),
        json!({ "do": "run", "command": "frobnicate" }),
    ];
    orders.extend((0..8).map(|n| json!({ "do": "run", "command": format!("echo neighbour {n}") })));
    let began = Instant::now();
    let told = client
        .library(
            SshLibrary::Asyncssh,
            json!({ "do": "many", "orders": orders }),
        )
        .unwrap();
    let results = told["results"]
        .as_array()
        .unwrap_or_else(|| panic!("{told}"));
    assert_eq!(results[0]["exit"], 75, "{told}");
    assert_eq!(results[1]["exit"], 77, "{told}");
    for (n, result) in results[2..].iter().enumerate() {
        assert_eq!(result["stdout"], format!("neighbour {n}\n"), "{told}");
    }
    assert!(began.elapsed() < WITHIN);
    assert!(!arrived(&world, "touch ~/held") && !arrived(&world, "frobnicate"));
}

#[test]
fn a_channel_whose_input_nobody_takes_stops_no_other_of_its_connection() {
    let world = World::new();
    let client = world.client(WRITER, PROD);
    let socket = client.home().join("control");
    let control = ["-S", socket.to_str().unwrap()];
    // Far more than a window, to a program that never reads: the connection is its own, and others share it.
    let mut stuck =
        Running::start(client.ssh_command(&["-M", control[0], control[1]], "sleep 60.25e4"))
            .unwrap();
    becomes("60.25e4", true);
    std::thread::scope(|scope| {
        let much = "x".repeat(16 << 20);
        let stuck = &mut stuck;
        let writing = scope.spawn(move || {
            let _ = stuck.write(&much);
            stuck.kill();
        });
        let by = Instant::now() + WITHIN;
        while !socket.exists() {
            assert!(Instant::now() < by, "no connection is shared");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(500));
        for n in 0..3 {
            let began = Instant::now();
            let line = format!("echo neighbour {n}; wc -c");
            let said = client.ssh(&control, &line, &vec![b'y'; 3 << 20]).unwrap();
            assert_eq!(
                said.text(),
                format!("neighbour {n}\n{}\n", 3 << 20),
                "{said:?}"
            );
            assert!(
                began.elapsed() < Duration::from_secs(5),
                "{:?}",
                began.elapsed()
            );
        }
        assert!(!writing.is_finished(), "the input was taken by somebody");
        // The one that shares is told to go, and with it what waits on it.
        let _ = client.ssh(&[control[0], control[1], "-O", "exit"], "", b"");
    });
    becomes("60.25e4", false);
}

#[test]
fn a_revoked_agent_loses_what_runs_and_what_waits_at_once() {
    let world = World::new();
    let client = world.client(WRITER, PROD);
    let (waiting, id) = held(&world, "touch ~/revoked");
    let reading = Running::start(client.ssh_command(&["-v"], "sleep 60.25e1")).unwrap();
    assert!(reading.hears("Sending command", WITHIN).is_some());
    becomes("60.25e1", true);
    let revoke = ["agents", "revoke", "dev/writer-1"];
    let done = world.gateway.cli(&revoke, &world.token(SECURITY)).unwrap();
    assert!(done.status.success(), "{done:?}");
    let began = Instant::now();
    for running in [waiting, reading] {
        let said = running.wait(Duration::from_secs(3));
        assert!(said.err.contains("revoked"), "{said:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(3));
    becomes("60.25e1", false);
    comes_to(&world, &id, "not_run");
    assert!(!arrived(&world, "touch ~/revoked"));
}

#[test]
fn what_runs_does_not_outlive_its_client_unless_it_is_told_to() {
    let world = World::new();
    let client = world.client(WRITER, PROD);
    for (command, seconds, lives_on) in [
        ("sleep 60.25e2", "60.25e2", false),
        ("nohup sleep 60.25e3", "60.25e3", true),
    ] {
        let running = Running::start(client.ssh_command(&["-v"], command)).unwrap();
        assert!(running.hears("Sending command", WITHIN).is_some());
        becomes(seconds, true);
        drop(running);
        if lives_on {
            std::thread::sleep(Duration::from_secs(1));
        }
        becomes(seconds, lives_on);
    }
    for pid in sleeping("60.25e3") {
        let done = std::process::Command::new("kill").arg(pid).status();
        assert!(done.unwrap().success());
    }
}

/// Waits until a `sleep` of this length runs, or runs no more. The ways to write a number are many: each test has its own.
fn becomes(seconds: &str, runs: bool) {
    let by = Instant::now() + WITHIN;
    while sleeping(seconds).is_empty() == runs {
        assert!(Instant::now() < by, "sleep {seconds} runs: {}", !runs);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The processes that sleep so long.
fn sleeping(seconds: &str) -> Vec<String> {
    let wanted = format!("sleep\0{seconds}\0");
    let sleeps = |pid: &String| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == wanted)
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(sleeps)
        .collect()
}

//! What a connection may do in the middle: change keys, again and again, or break off.

use super::{WEB, World};
use crate::world::{AUDITOR, OWNER};
use brattice_testkit::ssh_client::SshLibrary;
use serde_json::{Value, json};
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(20);

/// Bytes that no detector takes for anything.
fn noise(len: u32) -> Vec<u8> {
    (0..len)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80)
        .collect()
}

#[test]
fn keys_change_in_the_middle_of_streams_and_nothing_is_lost() {
    let world = World::new();
    let owner = world.client(OWNER, WEB);
    let bytes = noise(8 << 20);
    let said = owner
        .ssh(&["-v", "-o", "RekeyLimit=512K"], "cat", &bytes)
        .unwrap();
    let changes = said.err.matches("rekeying in progress").count()
        + said.err.matches("SSH2_MSG_KEXINIT sent").count();
    assert!(changes > 4, "keys were not changed: {}", said.err);
    assert!(
        said.is_good() && said.out == bytes,
        "{} of {}",
        said.out.len(),
        bytes.len()
    );

    // Many times a second, while something runs.
    let order = json!({ "do": "rekey", "every": 0.05, "command": "for i in $(seq 20); do seq 1 5000; sleep 0.05; done" });
    let bare = world
        .direct()
        .library(SshLibrary::Paramiko, order.clone())
        .unwrap();
    let told = owner.library(SshLibrary::Paramiko, order).unwrap();
    assert_eq!(
        told["stdout_sha256"], bare["stdout_sha256"],
        "{bare} {told}"
    );
    assert!(told["changed"].as_u64().unwrap() > 5, "{}", told["changed"]);
    assert_eq!(told["exit"], 0, "{told}");
}

/// What the recording of the latest session with that target holds of a command's output, once it is closed.
fn recorded(world: &World) -> Vec<u8> {
    let by = Instant::now() + WITHIN;
    let id = loop {
        let sessions = world.get(AUDITOR, "/api/v1/sessions").json();
        let last = sessions["sessions"][0].clone();
        if last["state"] == "closed" {
            break last["id"].as_str().unwrap().to_owned();
        }
        assert!(Instant::now() < by, "{sessions}");
        std::thread::sleep(Duration::from_millis(20));
    };
    let replay = ["sessions", "replay", &id, "--output", "--format", "json"];
    let said = world.gateway.cli(&replay, &world.token(AUDITOR)).unwrap();
    assert!(said.status.success(), "{said:?}");
    let mut bytes = Vec::new();
    for line in said.stdout.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let frame: Value = serde_json::from_slice(line).unwrap();
        if frame["kind"] != "output" {
            continue;
        }
        match (frame["text"].as_str(), frame["hex"].as_str()) {
            (Some(text), _) => bytes.extend_from_slice(text.as_bytes()),
            (None, Some(hex)) => bytes.extend(hex::decode(hex).unwrap()),
            (None, None) => panic!("{frame}"),
        }
    }
    bytes
}

#[test]
fn whatever_was_delivered_before_a_client_broke_off_is_on_record() {
    let world = World::new();
    for wanted in [1, 100_000, 3 << 20] {
        let owner = world.client(OWNER, WEB);
        let mut command = owner.ssh_command(&[], "seq 1 3000000");
        let mut client = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut seen = vec![0; wanted];
        client
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut seen)
            .unwrap();
        // With much unread, so that the connection is reset and not closed.
        client.kill().unwrap();
        // What was on its way to it counts as well.
        client
            .stdout
            .take()
            .unwrap()
            .read_to_end(&mut seen)
            .unwrap();
        client.wait().unwrap();
        let recorded = recorded(&world);
        assert!(
            recorded.len() >= seen.len(),
            "{} of {}",
            recorded.len(),
            seen.len()
        );
        assert!(recorded.starts_with(&seen), "another thing is on record");
    }
}

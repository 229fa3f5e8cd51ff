//! Tools that work over ssh, each unchanged: rsync, git, scp's old protocol, and libraries.

use super::{WEB, World};
use crate::world::{OWNER, READER, WRITER};
use brattice_testkit::ssh_client::{SshClient, SshLibrary, SshLogin, SshProof};
use brattice_testkit::sshd::{KeyKind, SshKey};
use serde_json::json;
use std::fs;
use std::process::Command;
use std::time::Duration;

/// What masks would spoil.
const TEXT: &str = "card 4111 1111 1111 1111, sam@example.com\n";

#[test]
fn files_are_copied_both_ways_byte_by_byte_by_those_who_may() {
    let world = World::new();
    let (writer, reader) = (world.client(WRITER, WEB), world.client(READER, WEB));
    let home = world.sshd.home();
    fs::create_dir_all(home.join("src/deep")).unwrap();
    fs::write(home.join("src/deep/text"), TEXT).unwrap();
    fs::write(
        home.join("src/bytes"),
        (0..=255).cycle().take(1 << 20).collect::<Vec<u8>>(),
    )
    .unwrap();
    let place = reader.home().join("place");
    let there = format!("target:{}/src", home.display());

    let to = place.display().to_string();
    for name in ["scp", "rsync"] {
        let said = match name {
            "scp" => reader.scp(&["-O", "-r"], &there, &to).unwrap(),
            _ => reader.rsync(&["-a"], &format!("{there}/"), &to).unwrap(),
        };
        assert!(said.is_good(), "{name}: {said:?}");
        let got = fs::read_to_string(place.join("deep/text")).unwrap_or_default();
        assert_eq!(got, TEXT, "{name}");
        fs::remove_dir_all(&place).unwrap();
    }
    fs::create_dir_all(writer.home().join("up")).unwrap();
    let local = writer.home().join("up/text");
    fs::write(&local, TEXT).unwrap();
    let up = format!("{}/", writer.home().join("up").display());
    let to = format!("target:{}/by-", home.display());
    let said = reader
        .scp(
            &["-O"],
            &local.display().to_string(),
            &format!("{to}reader"),
        )
        .unwrap();
    assert!(
        !said.is_good() && !home.join("by-reader").exists(),
        "{said:?}"
    );
    let said = reader.rsync(&["-a"], &up, &format!("{to}reader")).unwrap();
    assert!(
        !said.is_good() && !home.join("by-reader").exists(),
        "{said:?}"
    );
    let said = writer
        .scp(&["-O"], &local.display().to_string(), &format!("{to}scp"))
        .unwrap();
    assert!(said.is_good(), "{said:?}");
    assert_eq!(fs::read_to_string(home.join("by-scp")).unwrap(), TEXT);
    let said = writer.rsync(&["-a"], &up, &format!("{to}rsync")).unwrap();
    assert!(said.is_good(), "{said:?}");
    assert_eq!(
        fs::read_to_string(home.join("by-rsync/text")).unwrap(),
        TEXT
    );
    // A trick of rsync's own is not one of its plain server modes.
    let said = reader
        .rsync(
            &["-a", "--rsync-path=rm -rf by-scp; rsync"],
            &format!("{there}/"),
            "x/",
        )
        .unwrap();
    assert!(!said.is_good() && home.join("by-scp").exists(), "{said:?}");
}

#[test]
fn git_clones_for_readers_and_pushes_for_writers() {
    let world = World::new();
    let home = world.sshd.home();
    let repo = home.join("repo.git");
    let made = Command::new("git")
        .args(["init", "-q", "--bare", "-b", "main"])
        .arg(&repo)
        .status()
        .unwrap();
    assert!(made.success());
    // The account on the host is another user than the one who made it.
    let open = Command::new("chmod")
        .args(["-R", "a+rwX"])
        .arg(&repo)
        .status()
        .unwrap();
    assert!(open.success());
    let direct = world
        .direct()
        .ssh(&[], "git config --global --add safe.directory '*'", b"")
        .unwrap();
    assert!(direct.is_good(), "{direct:?}");
    let url = format!("target:{}", repo.display());
    let writer = world.client(WRITER, WEB);
    let said = writer.git(".", &["clone", "-q", &url, "work"]).unwrap();
    assert!(said.is_good(), "{said:?}");
    fs::write(writer.home().join("work/file"), TEXT).unwrap();
    for arguments in [
        &["checkout", "-q", "-b", "main"][..],
        &["add", "file"],
        &["commit", "-q", "-m", "one"],
        &["push", "-q", "origin", "main"],
    ] {
        let said = writer.git("work", arguments).unwrap();
        assert!(said.is_good(), "{arguments:?}: {said:?}");
    }
    let reader = world.client(READER, WEB);
    let said = reader.git(".", &["clone", "-q", &url, "work"]).unwrap();
    assert!(said.is_good(), "{said:?}");
    assert_eq!(
        fs::read_to_string(reader.home().join("work/file")).unwrap(),
        TEXT
    );
    fs::write(reader.home().join("work/file"), "changed").unwrap();
    assert!(
        reader
            .git("work", &["commit", "-qam", "two"])
            .unwrap()
            .is_good()
    );
    let said = reader
        .git("work", &["push", "-q", "origin", "main"])
        .unwrap();
    assert!(
        !said.is_good() && said.err.contains("nothing permits"),
        "{said:?}"
    );
}

#[test]
fn libraries_run_commands_as_they_would_on_the_host() {
    let world = World::new();
    let owner = world.client(OWNER, WEB);
    for library in [SshLibrary::Asyncssh, SshLibrary::Paramiko] {
        let run = |command: &str, pty: bool| {
            let order = json!({ "do": "run", "command": command, "stdin": "aGVsbG8=", "pty": pty });
            owner.library(library, order).unwrap()
        };
        let told = run("cat; echo err >&2; exit 3", false);
        assert_eq!(told["exit"], 3, "{library:?}: {told}");
        assert_eq!(told["stdout"], "hello", "{library:?}: {told}");
        assert_eq!(told["stderr"], "err\n", "{library:?}: {told}");
        let told = run("test -t 1 && echo terminal", true);
        assert!(
            told["stdout"].as_str().unwrap().contains("terminal"),
            "{library:?}: {told}"
        );
    }
    // A token is a password, too, where the client takes one that long.
    let token = world.token(READER);
    let client = world.client_as(&format!("deploy@{WEB}"), &token);
    let told = client
        .library(
            SshLibrary::Asyncssh,
            json!({ "do": "run", "command": "echo by token" }),
        )
        .unwrap();
    assert_eq!(told["stdout"], "by token\n", "{told}");
}

#[test]
fn ansible_runs_its_modules_for_those_who_may_run_code() {
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    let key = SshKey::create(&dir.path().join("key"), KeyKind::Ed25519).unwrap();
    let body = json!({ "target": WEB, "public_key": key.public(), "ttl_seconds": 900 });
    let token = world.token(OWNER);
    let reply = world
        .gateway
        .api("POST", "/api/v1/ssh/certificates", &token, Some(&body))
        .unwrap();
    let certificate = dir.path().join("key-cert.pub");
    fs::write(&certificate, reply.json()["certificate"].as_str().unwrap()).unwrap();
    let client = SshClient::new(SshLogin {
        port: world.gateway.ssh_port(),
        user: format!("deploy@{WEB}"),
        proof: SshProof::Certificate {
            key: key.private().to_owned(),
            certificate,
        },
        known_hosts: world.gateway.known_hosts().unwrap(),
    })
    .unwrap()
    .within(Duration::from_secs(90));
    for (module, arguments, told) in [
        ("raw", "echo raw", "raw"),
        ("ping", "", "pong"),
        ("command", "echo from a module", "from a module"),
        ("copy", "content=copied dest=copied", "changed"),
    ] {
        let said = client.ansible(module, arguments).unwrap();
        assert!(
            said.is_good() && said.text().contains(told),
            "{module}: {said:?}"
        );
    }
    assert_eq!(
        fs::read_to_string(world.sshd.home().join("copied")).unwrap(),
        "copied"
    );
}

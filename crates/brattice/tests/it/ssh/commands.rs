//! `brattice ssh` as people type it, with the clients, the agent and the host that it is meant for.

use super::{WEB, World};
use crate::world::READER;
use brattice_testkit::ssh_client::SshAgent;
use brattice_testkit::sshd::{KeyKind, SshKey};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// Somebody at a terminal of their own.
struct Person<'a> {
    world: &'a World,
    home: TempDir,
    token: String,
}

impl<'a> Person<'a> {
    fn new(world: &'a World) -> Self {
        Self {
            world,
            home: tempfile::tempdir().unwrap(),
            token: world.token(READER),
        }
    }

    /// The program, or another in its place, at their home.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.gateway.command(arguments, &self.token);
        command
            .env("HOME", self.home.path())
            .env("BRATTICE_HOME", self.home.path().join("brattice"))
            .env_remove("SSH_AUTH_SOCK")
            .current_dir(self.home.path());
        command
    }

    fn says(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn told(&self, arguments: &[&str]) -> String {
        let said = self.says(arguments);
        assert!(said.status.success(), "{arguments:?}: {said:?}");
        String::from_utf8(said.stdout).unwrap()
    }

    /// The stock client at their home, by a configuration.
    fn ssh(&self, config: &Path, arguments: &[&str]) -> Output {
        Command::new("ssh")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home.path())
            .arg("-F")
            .arg(config)
            .args(arguments)
            .output()
            .unwrap()
    }
}

fn text(said: &Output) -> String {
    String::from_utf8_lossy(&said.stdout).into_owned()
}

#[test]
fn going_to_a_host_takes_one_command() {
    let world = World::new();
    let person = Person::new(&world);
    let said = person.says(&["ssh", WEB, "--", "echo", "in;", "exit 7"]);
    assert_eq!(
        (said.status.code(), text(&said).as_str()),
        (Some(7), "in\n"),
        "{said:?}"
    );
    let account = format!("{}@{WEB}", world.sshd.user());
    let said = person.says(&["ssh", &account, "--", "echo", "as an account"]);
    assert_eq!(text(&said), "as an account\n", "{said:?}");
    let said = person.says(&["ssh", WEB, "--", "rm -rf x"]);
    assert_eq!(said.status.code(), Some(77), "{said:?}");
    // One that was revoked is not mended by waiting.
    let listed = world.get(READER, "/api/v1/credentials").json();
    let id = listed["credentials"][0]["id"].as_str().unwrap();
    person.told(&["credential", "revoke", id]);
    let said = person.says(&["ssh", WEB, "--", "echo in"]);
    assert_eq!(said.status.code(), Some(255), "{said:?}");
    let said = person.says(&["ssh", "--fresh", WEB, "--", "echo in"]);
    assert_eq!(text(&said), "in\n", "{said:?}");
    // One certificate does for one token, and another token gets its own.
    let kept = || {
        fs::read_dir(person.home.path().join("brattice/ssh"))
            .unwrap()
            .count()
    };
    assert_eq!(kept(), 1);
    let other = Person {
        world: &world,
        home: tempfile::tempdir().unwrap(),
        token: world.token(READER),
    };
    let mut command = other.command(&["ssh", WEB, "--", "echo", "in"]);
    command.env("BRATTICE_HOME", person.home.path().join("brattice"));
    assert_eq!(text(&command.output().unwrap()), "in\n");
    assert_eq!(kept(), 2);

    for (target, exit) in [("no-such-host", 4), (&*format!("root@{WEB}"), 4)] {
        let said = person.says(&["ssh", target]);
        assert_eq!(said.status.code(), Some(exit), "{said:?}");
    }
    assert_eq!(person.says(&["ssh"]).status.code(), Some(2));
}

#[test]
fn a_configuration_makes_names_for_every_client() {
    let world = World::new();
    let person = Person::new(&world);
    let dir = person.home.path().join("ssh");
    let at = dir.to_str().unwrap();
    let told = person.told(&["ssh", "config", "--write", at]);
    assert!(told.contains("Include"), "{told}");
    let key = dir.join(WEB);
    let told = person.told(&[
        "ssh",
        "cert",
        WEB,
        "--out",
        key.to_str().unwrap(),
        "--ttl",
        "5m",
    ]);
    assert!(told.contains(WEB), "{told}");
    assert_eq!(
        fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let name = format!("{WEB}.brattice");
    let config = dir.join("config");
    let said = person.ssh(&config, &[&name, "echo in"]);
    assert_eq!(text(&said), "in\n", "{said:?}");
    let other = format!("{}@{WEB}", world.sshd.user());
    let said = person.ssh(&config, &["-l", &other, &name, "echo as an account"]);
    assert_eq!(text(&said), "as an account\n", "{said:?}");
    // Anew over the old one, but never over a key of somebody's own.
    person.told(&["ssh", "cert", WEB, "--out", key.to_str().unwrap()]);
    let own = SshKey::create(&dir.join("own"), KeyKind::Ed25519).unwrap();
    let said = person.says(&["ssh", "cert", WEB, "--out", own.private().to_str().unwrap()]);
    assert_eq!(said.status.code(), Some(2), "{said:?}");

    // A key of one's own is certified where it is, and found by ssh beside it.
    let public = format!("{}.pub", own.private().display());
    person.told(&["ssh", "cert", WEB, "--key", &public]);
    let own = own.private().to_str().unwrap().to_owned();
    let said = person.ssh(
        &config,
        &["-i", &own, "-o", "IdentitiesOnly=yes", &name, "echo own"],
    );
    assert_eq!(text(&said), "own\n", "{said:?}");
    let said = person.says(&["ssh", "cert", WEB, "--key", &own]);
    assert_eq!(
        said.status.code(),
        Some(2),
        "a private key is sent nowhere: {said:?}"
    );

    // As machines read it.
    let json: serde_json::Value =
        serde_json::from_str(&person.told(&["ssh", "list", "--format", "json"])).unwrap();
    assert_eq!(json["targets"].as_array().unwrap().len(), 2, "{json}");
    let printed = person.told(&["ssh", "config"]);
    assert!(
        printed.contains("@cert-authority [127.0.0.1]:"),
        "{printed}"
    );
}

#[test]
fn the_agent_holds_a_key_for_as_long_as_its_certificate() {
    let world = World::new();
    let person = Person::new(&world);
    let said = person.says(&["ssh", "cert", WEB]);
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    let before = world.get(READER, "/api/v1/credentials").json();
    assert!(
        before["credentials"].as_array().unwrap().is_empty(),
        "{before}"
    );

    let own = SshKey::create(&person.home.path().join("own"), KeyKind::Ed25519).unwrap();
    let agent = SshAgent::start(&[own.private()]).unwrap();
    let listed = || {
        let listed = Command::new("ssh-add")
            .arg("-L")
            .env("SSH_AUTH_SOCK", agent.socket())
            .output()
            .unwrap();
        text(&listed).contains("-cert-v01@openssh.com")
    };
    let mut command = person.command(&["ssh", "cert", WEB]);
    let said = command
        .env("SSH_AUTH_SOCK", agent.socket())
        .output()
        .unwrap();
    assert!(said.status.success() && listed(), "{said:?}");
    let dir = person.home.path().join("ssh");
    person.told(&["ssh", "config", "--write", dir.to_str().unwrap()]);
    let said = Command::new("ssh")
        .env("HOME", person.home.path())
        .env("SSH_AUTH_SOCK", agent.socket())
        .arg("-F")
        .arg(dir.join("config"))
        .args([&format!("{WEB}.brattice"), "echo by agent"])
        .output()
        .unwrap();
    assert_eq!(text(&said), "by agent\n", "{said:?}");
}

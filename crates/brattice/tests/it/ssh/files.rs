//! Files by SFTP and scp: judged by operation and settled path, on record with size and digest.

use super::{PROD, WEB, World};
use crate::world::{DBA, READER, WRITER};
use brattice_testkit::ssh_client::{SshClient, SshLibrary};
use serde_json::json;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

fn get(client: &SshClient, from: &str) -> (String, Vec<u8>) {
    let to = client.home().join("got");
    let _ = fs::remove_file(&to);
    let said = client
        .sftp(&format!("get {from} {}\n", to.display()))
        .unwrap();
    (said.err, fs::read(&to).unwrap_or_default())
}

fn put(client: &SshClient, bytes: &[u8], to: &str) -> String {
    let from = client.home().join("put");
    fs::write(&from, bytes).unwrap();
    client
        .sftp(&format!("put {} {to}\n", from.display()))
        .unwrap()
        .err
}

#[test]
fn each_operation_is_judged_by_the_path_that_the_host_settles() {
    let world = World::of(&Default::default(), |_, bundle| {
        bundle.policies.push((
            "policies/files.cedar".to_owned(),
            "@id(\"the-vault-is-shut\") forbid (principal, action in [Action::\"ssh.download\", \
             Action::\"ssh.upload\", Action::\"ssh.rename\"], resource is File) \
             when { resource.path like \"*/vault/*\" };"
                .to_owned(),
        ));
    });
    let home = world.sshd.home();
    fs::create_dir_all(home.join("vault")).unwrap();
    fs::write(home.join("vault/key"), "secret").unwrap();
    fs::write(home.join("open"), "open").unwrap();
    std::os::unix::fs::symlink("vault/key", home.join("link")).unwrap();
    std::os::unix::fs::symlink("vault", home.join("way")).unwrap();

    let (direct, reader) = (world.direct(), world.client(READER, WEB));
    for path in [
        "vault/key",
        "link",
        "way/key",
        "./vault/../way/key",
        "vault//key",
    ] {
        assert_eq!(get(&direct, path).1, b"secret", "the control: {path}");
        let (err, got) = get(&reader, path);
        assert!(
            got.is_empty() && err.contains("Permission denied") || err.contains("the-vault"),
            "{path}: {err}"
        );
        assert!(got.is_empty(), "{path}");
    }
    let (err, got) = get(&reader, "open");
    assert_eq!(got, b"open", "{err}");
    assert!(!put(&reader, b"x", "new").is_empty());
    assert!(!home.join("new").exists());

    let writer = world.client(WRITER, WEB);
    assert_eq!(put(&writer, b"new", "new"), "");
    assert_eq!(fs::read(home.join("new")).unwrap(), b"new");
    // What decides what runs is not written by who may only write, by whatever way.
    for path in [
        ".bashrc",
        ".ssh/authorized_keys",
        ".profile",
        "repo/.git/config",
    ] {
        let _ = fs::create_dir_all(home.join(path).parent().unwrap());
        let err = put(&writer, b"id > /tmp/x", path);
        assert!(err.contains("ssh.run"), "{path}: {err}");
        assert!(!home.join(path).exists(), "{path}");
        let said = writer.sftp(&format!("rename new {path}\n")).unwrap();
        assert!(
            !said.is_good() && !home.join(path).exists(),
            "{path}: {said:?}"
        );
    }
    for batch in [
        "ln -s vault/key trick\n",
        "ln vault/key trick\n",
        "rename vault/key trick\n",
        "rename new vault/new\n",
    ] {
        let said = writer.sftp(batch).unwrap();
        assert!(!said.is_good(), "{batch}: {said:?}");
        assert!(fs::symlink_metadata(home.join("trick")).is_err(), "{batch}");
    }
    assert!(
        writer
            .sftp("rename new newer\nmkdir d\nls d\nrmdir d\nrm newer\n")
            .unwrap()
            .is_good()
    );
    assert!(!home.join("newer").exists());
    assert_eq!(fs::read(home.join("vault/key")).unwrap(), b"secret");
}

#[test]
fn large_files_arrive_whole_by_every_client_and_are_on_record() {
    let world = World::new();
    let writer = world.client(WRITER, WEB);
    let bytes: Vec<u8> = (0..6_u32 << 20)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let local = writer.home().join("large");
    fs::write(&local, &bytes).unwrap();
    let home = world.sshd.home();
    let there = home.join("large");

    let said = writer
        .scp(&[], &local.display().to_string(), "target:large")
        .unwrap();
    assert!(said.is_good(), "{said:?}");
    assert!(fs::read(&there).unwrap() == bytes, "scp up");
    let back = writer.home().join("back");
    let said = writer
        .scp(&[], "target:large", &back.display().to_string())
        .unwrap();
    assert!(
        said.is_good() && fs::read(&back).unwrap() == bytes,
        "scp down: {said:?}"
    );
    for library in [SshLibrary::Asyncssh, SshLibrary::Paramiko] {
        let _ = fs::remove_file(&there);
        let told = writer
            .library(
                library,
                json!({ "do": "sftp", "local": local, "remote": "large", "back": back, "link": "to-large" }),
            )
            .unwrap();
        // In the order in which OpenSSH has it, not the draft.
        assert_eq!(
            fs::read_link(home.join("to-large")).unwrap(),
            Path::new("large"),
            "{told}"
        );
        fs::remove_file(home.join("to-large")).unwrap();
        assert_eq!(told["put_sha256"], told["got_sha256"], "{told}");
        assert!(fs::read(&there).unwrap() == bytes);
        // The names and digests are in the recording.
        let digest = told["put_sha256"].as_str().unwrap().to_owned();
        let recorded = world.replayed();
        let path = format!("{}/large", fs::canonicalize(&home).unwrap().display());
        assert!(
            recorded.contains(&path) && recorded.matches(&digest).count() >= 2,
            "{recorded}"
        );
    }
}

#[test]
fn an_upload_waits_for_people_and_goes_on() {
    let world = World::new();
    let writer = world.client(WRITER, PROD);
    let putting = std::thread::spawn(move || put(&writer, b"held", "held"));
    let id = world.question(DBA);
    assert!(!world.sshd.home().join("held").exists());
    world.answer(DBA, &id, true);
    let said = putting.join().unwrap();
    assert!(
        said.contains("held for approval") && !said.contains("refused"),
        "{said}"
    );
    assert_eq!(fs::read(world.sshd.home().join("held")).unwrap(), b"held");
}

/// The digest of a file, by the machine's own program.
fn sha256(path: &Path) -> String {
    let said = std::process::Command::new("sha256sum").arg(path).output();
    let said = String::from_utf8(said.unwrap().stdout).unwrap();
    said.split(' ').next().unwrap().to_owned()
}

#[test]
fn a_large_file_arrives_whole_both_ways_and_its_digest_is_on_record() {
    let full = std::env::var_os("BRATTICE_FULL").is_some_and(|v| v == "1");
    let mib: u64 = if full { 1024 } else { 12 };
    let world = World::new();
    let local = world.sshd.home().join("sent");
    let mut random = fs::File::open("/dev/urandom").unwrap().take(mib << 20);
    std::io::copy(&mut random, &mut fs::File::create(&local).unwrap()).unwrap();
    let digest = sha256(&local);
    let writer = world.client(WRITER, WEB).within(Duration::from_secs(300));
    for (options, name) in [(&[][..], "by-sftp"), (&["-O"][..], "by-scp")] {
        let back = writer.home().join("back");
        let (there, here) = (format!("target:{name}"), back.display().to_string());
        let said = writer
            .scp(options, &local.display().to_string(), &there)
            .unwrap();
        assert!(said.is_good(), "{name}: {said:?}");
        assert_eq!(sha256(&world.sshd.home().join(name)), digest, "{name}, up");
        let said = writer.scp(options, &there, &here).unwrap();
        assert!(said.is_good(), "{name}: {said:?}");
        assert_eq!(sha256(&back), digest, "{name}, down");
        if options.is_empty() {
            let said = world.replayed();
            assert!(said.matches(&digest).count() >= 2, "{digest}: {said}");
        }
    }
}

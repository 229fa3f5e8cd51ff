//! The controls for what is tested with the gateway in front: each client that people use, straight at an SSH server, where
//! everything works, attacks too.
//!
//! Here live the clients and the server alone. That the gateway lets through no more than it should is its own test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use brattice_testkit::client::Running;
use brattice_testkit::ssh_client::{
    HOST, SshAgent, SshClient, SshLibrary, SshLogin, SshProof, SshSaid,
};
use brattice_testkit::sshd::{Mark, Ran, Sshd, SshdOptions};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(20);
const MEBIBYTE: usize = 1 << 20;

fn start() -> (Sshd, SshClient) {
    let sshd = Sshd::start_now(&SshdOptions::default()).unwrap();
    let client = client(&sshd, SshProof::Key(sshd.key().private().to_owned()));
    (sshd, client)
}

fn client(sshd: &Sshd, proof: SshProof) -> SshClient {
    let login = SshLogin {
        port: sshd.port(),
        user: sshd.user().to_owned(),
        proof,
        known_hosts: sshd.known_hosts(),
    };
    SshClient::new(login).unwrap()
}

fn good(said: &SshSaid) -> String {
    assert!(said.is_good(), "{said:?}");
    said.text()
}

/// Bytes of every value, that no compression or line discipline leaves alone by chance.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Says a word to each who connects; gives the port.
fn speaker() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().write_all(b"reached\n").unwrap();
        }
    });
    port
}

#[test]
fn commands_end_as_they_do_on_the_target() {
    let (sshd, client) = start();
    type Case<'a> = (&'a [&'a str], &'a str, &'a str, i32, &'a str, &'a str);
    let cases: [Case<'_>; 8] = [
        (&[], "true", "", 0, "", ""),
        (&[], "exit 7", "", 7, "", ""),
        (&[], "exit 255", "", 255, "", ""),
        (&[], "kill -KILL $$", "", 255, "", ""),
        (&[], "echo out; echo err >&2", "", 0, "out\n", "err\n"),
        (
            &[],
            "printf '%s|' 'a  b' \"$HOME\" >/dev/null; cat",
            "in",
            0,
            "in",
            "",
        ),
        (
            &["-o", "SetEnv=LANG=de_AT.UTF-8"],
            "echo $LANG",
            "",
            0,
            "de_AT.UTF-8\n",
            "",
        ),
        (
            &["-o", "SetEnv=OTHER=x"],
            "echo \"<$OTHER>\"",
            "",
            0,
            "<>\n",
            "",
        ),
    ];
    for (options, command, input, code, out, err) in cases {
        let mark = sshd.mark();
        let said = client.ssh(options, command, input.as_bytes()).unwrap();
        let found = (said.code(), said.text(), said.err.clone());
        assert_eq!(
            found,
            (Some(code), out.to_owned(), err.to_owned()),
            "{command}"
        );
        assert_eq!(sshd.ran_since(mark), [Ran::Command(command.to_owned())]);
    }
    // Without a command a shell reads them.
    let mark = sshd.mark();
    assert_eq!(
        good(&client.ssh(&["-T"], "", b"echo $((6 * 7))\n").unwrap()),
        "42\n"
    );
    assert_eq!(sshd.ran_since(mark), [Ran::Shell]);
    // A terminal: lines end as a terminal's do.
    let said = client
        .ssh(&["-tt"], "test -t 0 && stty size && echo so", b"")
        .unwrap();
    assert_eq!(good(&said), "0 0\r\nso\r\n");
}

#[test]
fn eight_mebibytes_come_back_as_they_went() {
    let (_sshd, client) = start();
    let bytes = noise(8 * MEBIBYTE);
    let said = client.ssh(&[], "cat", &bytes).unwrap();
    assert!(said.is_good(), "{}", said.err);
    assert!(said.out == bytes, "{} bytes", said.out.len());
}

#[test]
fn whatever_an_attack_could_use_works_without_the_gateway() {
    let (sshd, client) = start();
    let port = speaker();
    let mark = sshd.mark();
    // direct-tcpip
    let stdio = format!("127.0.0.1:{port}");
    let said = client.ssh(&["-W", &stdio], "", b"").unwrap();
    assert_eq!(said.text(), "reached\n", "{said:?}");
    assert!(sshd.log_since(mark).contains("direct-tcpip"));
    // tcpip-forward
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let forward = format!("{free}:127.0.0.1:{port}");
    let connect = format!("cat </dev/tcp/127.0.0.1/{free}");
    let said = client.ssh(&["-R", &forward], &connect, b"").unwrap();
    assert_eq!(good(&said), "reached\n");
    // direct-streamlocal@openssh.com
    assert_eq!(through_a_socket(&sshd, &client), "reached\n");
    // A program of the caller's, before any script; bash that sshd itself starts reads its own start-up file instead.
    fs::write(sshd.home().join("planted"), "echo planted").unwrap();
    let plant = format!("SetEnv=BASH_ENV={}/planted", sshd.home().display());
    let said = client
        .ssh(&["-o", &plant], "bash -c true; true", b"")
        .unwrap();
    assert_eq!(good(&said), "planted\n");
}

/// A socket on the target's side, as Docker has one, reached by a client through a socket on its own.
fn through_a_socket(sshd: &Sshd, client: &SshClient) -> String {
    let theirs = sshd.home().join("theirs");
    let listener = std::os::unix::net::UnixListener::bind(&theirs).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(&theirs, open).unwrap();
    thread::spawn(move || listener.accept().unwrap().0.write_all(b"reached\n"));
    let ours = client.home().join("ours");
    let forward = format!("{}:{}", ours.display(), theirs.display());
    let command = client.ssh_command(&["-L", &forward], "echo ready; cat");
    let running = Running::start(command).unwrap();
    assert!(running.reads("ready", WITHIN).is_some());
    let mut heard = String::new();
    let mut stream = UnixStream::connect(ours).unwrap();
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    stream.read_to_string(&mut heard).unwrap();
    heard
}

#[test]
fn an_agent_of_the_caller_s_can_be_used_on_the_target() {
    let sshd = Sshd::start_now(&SshdOptions::default()).unwrap();
    let agent = SshAgent::start(&[sshd.key().private()]).unwrap();
    let client = client(&sshd, SshProof::Agent(agent.socket()));
    let list = "ssh-add -L | cut -d' ' -f1,2";
    let said = client.ssh(&["-A"], list, b"").unwrap();
    assert_eq!(good(&said).trim(), sshd.key().public());
    let said = client.ssh(&[], list, b"").unwrap();
    assert_eq!(said.text(), "");
}

#[test]
fn files_are_copied_in_every_way_that_people_copy_them() {
    let (sshd, client) = start();
    let bytes = noise(3 * MEBIBYTE + 5);
    fs::write(client.home().join("file"), &bytes).unwrap();
    let there = |name: &str| format!("{HOST}:{name}");
    type Copy<'a> = (&'a str, Box<dyn Fn(&str, &str) -> SshSaid + 'a>, &'a str);
    let sftp = |name: &str, back: &str| {
        let batch = format!("put file {name}\nget {name} {back}\n");
        client.sftp(&batch).unwrap()
    };
    let twice = |copy: &dyn Fn(&str, &str) -> SshSaid, name: &str, back: &str| {
        good(&copy("file", &there(name)));
        copy(&there(name), back)
    };
    let scp = |options: &'static [&str]| {
        let client = &client;
        move |from: &str, to: &str| client.scp(options, from, to).unwrap()
    };
    let rsync = |from: &str, to: &str| client.rsync(&["-a"], from, to).unwrap();
    let ways: [Copy<'_>; 4] = [
        ("sftp", Box::new(sftp), "sftp"),
        ("scp", Box::new(|n, b| twice(&scp(&[]), n, b)), "sftp"),
        (
            "scp-O",
            Box::new(|n, b| twice(&scp(&["-O"]), n, b)),
            "scp -t scp-O",
        ),
        (
            "rsync",
            Box::new(|n, b| twice(&rsync, n, b)),
            "rsync --server ",
        ),
    ];
    for (name, copy, ran) in ways {
        let mark = sshd.mark();
        let back = format!("{name}.back");
        good(&copy(name, &back));
        assert!(fs::read(sshd.home().join(name)).unwrap() == bytes, "{name}");
        assert!(
            fs::read(client.home().join(&back)).unwrap() == bytes,
            "{name}"
        );
        let first = sshd.ran_since(mark).into_iter().next();
        let is_right = match &first {
            Some(Ran::Sftp) => ran == "sftp",
            Some(Ran::Command(command)) => command.starts_with(ran),
            _ => false,
        };
        assert!(is_right, "{name}: {first:?}");
        if ran == "sftp" {
            let log = sshd.sftp_log_since(mark);
            assert!(
                log.contains("open \"") && log.contains("written 3145733"),
                "{log}"
            );
        }
    }
}

#[test]
fn git_clones_and_pushes() {
    let (sshd, client) = start();
    good(&client.ssh(&[], "git init -q --bare it.git", b"").unwrap());
    let mark = sshd.mark();
    let origin = format!("{HOST}:it.git");
    good(&client.git("", &["clone", "-q", &origin, "it"]).unwrap());
    good(
        &client
            .git("it", &["commit", "-q", "--allow-empty", "-m", "one"])
            .unwrap(),
    );
    good(
        &client
            .git("it", &["push", "-q", "origin", "HEAD:main"])
            .unwrap(),
    );
    good(
        &client
            .git("", &["clone", "-q", "-b", "main", &origin, "again"])
            .unwrap(),
    );
    let log = client.git("again", &["log", "--format=%s"]).unwrap();
    assert_eq!(good(&log), "one\n");
    let packs = ["upload", "receive", "upload"];
    let expected = packs.map(|pack| Ran::Command(format!("git-{pack}-pack 'it.git'")));
    assert_eq!(sshd.ran_since(mark), expected);
}

#[test]
fn python_s_libraries_run_many_things_on_one_connection() {
    let (sshd, client) = start();
    let bytes = noise(MEBIBYTE);
    fs::write(client.home().join("file"), &bytes).unwrap();
    for library in [SshLibrary::Asyncssh, SshLibrary::Paramiko] {
        let tell = |order: Value| client.library(library, order).unwrap();
        let said =
            tell(json!({"do": "run", "command": "cat; echo err >&2; exit 7", "stdin": "aGVsbG8="}));
        let parts = ["exit", "stdout", "stderr", "stdout_bytes"].map(|part| said[part].clone());
        assert_eq!(
            parts,
            [json!(7), json!("hello"), json!("err\n"), json!(5)],
            "{said}"
        );
        let said = tell(json!({"do": "run", "command": "kill -TERM $$"}));
        let signal = (library == SshLibrary::Asyncssh).then_some("TERM");
        assert_eq!(said["signal"], json!(signal), "{said}");
        let said = tell(
            json!({"do": "run", "command": "test -t 1 && echo $LANG", "pty": true, "env": {"LANG": "C"}}),
        );
        assert_eq!(said["stdout"], "C\r\n", "{said}");

        let said = tell(json!({"do": "channels", "command": "cat", "count": 100}));
        assert_eq!(
            (&said["opened"], &said["ended_well"]),
            (&json!(100), &json!(100)),
            "{said}"
        );

        let remote = format!("{library:?}");
        let back = client.home().join("back");
        let said = tell(
            json!({"do": "sftp", "local": client.home().join("file"), "remote": remote, "back": back}),
        );
        assert_eq!(said["put_sha256"], said["got_sha256"], "{said}");
        assert!(
            said["names"].as_array().unwrap().contains(&json!(remote)),
            "{said}"
        );
        assert!(fs::read(sshd.home().join(&remote)).unwrap() == bytes);

        let said = tell(json!({"do": "many", "orders": [
            {"do": "run", "command": "echo one"},
            {"do": "run", "command": "exit 2"},
        ]}));
        assert_eq!(said["results"][0]["stdout"], "one\n", "{said}");
        assert_eq!(said["results"][1]["exit"], 2, "{said}");
    }
    let stranger = crate::client(&sshd, SshProof::Key(sshd.stranger().private().to_owned()));
    for library in [SshLibrary::Asyncssh, SshLibrary::Paramiko] {
        let said = stranger.library(library, json!({"do": "run", "command": "true"}));
        assert!(said.as_ref().unwrap()["error"].is_string(), "{said:?}");
    }
}

#[test]
fn ansible_reaches_the_host() {
    let (sshd, client) = start();
    let said = client.ansible("ansible.builtin.ping", "").unwrap();
    assert!(good(&said).contains("\"ping\": \"pong\""), "{said:?}");
    let said = client
        .ansible("ansible.builtin.command", "echo so it runs")
        .unwrap();
    assert!(good(&said).ends_with("so it runs\n"), "{said:?}");
    assert!(sshd.ran_since(Mark::start()).len() > 2);
}

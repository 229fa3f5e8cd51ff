//! Ways round the gate that SSH has: each works at the bare host, and not through the gateway; its honest twin does.

use super::{WEB, World};
use crate::world::{OWNER, READER};
use brattice_testkit::client::Running;
use brattice_testkit::ssh_client::{SshAgent, SshLibrary};
use brattice_testkit::sshd::{Mark, Ran, SshKey, SshdOptions};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// What a service says that should not be reached.
const SECRET: &str = "reached the inside\n";

/// A service on loopback, as a database or a cloud's metadata would be.
fn inside() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.and_then(|mut s| s.write_all(SECRET.as_bytes()));
        }
    });
    port
}

#[test]
fn variables_change_nothing_but_the_language() {
    let world = World::new();
    let (direct, owner) = (world.direct(), world.client(OWNER, WEB));
    for (name, value) in [
        ("FOO", "bar"),
        ("BASH_ENV", "/tmp/x"),
        ("LD_PRELOAD", "x.so"),
        ("GIT_SSH", "x"),
        ("LC_ALL", "ja_JP.SJIS"),
    ] {
        let set = format!("SetEnv={name}={value}");
        let line = format!("printenv {name}");
        let bare = direct.ssh(&["-o", &set], &line, b"").unwrap();
        assert_eq!(bare.text().trim(), value, "the control: {bare:?}");
        let said = owner.ssh(&["-o", &set], &line, b"").unwrap();
        assert_eq!(said.text(), "", "{said:?}");
    }
    let said = owner
        .ssh(&["-o", "SetEnv=LC_ALL=C.UTF-8"], "printenv LC_ALL", b"")
        .unwrap();
    assert_eq!(said.text(), "C.UTF-8\n", "{said:?}");
}

#[test]
fn connections_go_only_where_policy_lets_them_and_never_past_another_gate() {
    let world = World::new();
    let port = inside();
    let to = format!("127.0.0.1:{port}");
    let bare = world.direct().ssh(&["-W", &to], "", b"").unwrap();
    assert_eq!(bare.text(), SECRET, "the control: {bare:?}");
    let said = world
        .client(READER, WEB)
        .ssh(&["-W", &to], "", b"")
        .unwrap();
    assert!(!said.is_good() && said.text().is_empty(), "{said:?}");
    let owner = world.client(OWNER, WEB);
    let said = owner.ssh(&["-W", &to], "", b"").unwrap();
    assert_eq!(said.text(), SECRET, "who may, may: {said:?}");

    // To the host itself, which is another target's address, by any name that it has.
    for host in [
        "127.0.0.1",
        "localhost",
        "127.0.0.2",
        "127.1",
        "2130706433",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "[::]",
        "0",
    ] {
        let to = format!("{host}:{}", world.sshd.port());
        let said = owner.ssh(&["-W", &to], "", b"").unwrap();
        assert!(said.text().is_empty(), "{host}: {said:?}");
    }
    // To what only the host may know, on record with why.
    let said = owner.ssh(&["-W", "no-such.invalid:80"], "", b"").unwrap();
    assert!(!said.is_good() && said.text().is_empty(), "{said:?}");
    assert!(world.replayed().contains("leads to no address"));
    // Listening at a socket of the host.
    let options = [
        "-o",
        "ExitOnForwardFailure=yes",
        "-R",
        "/tmp/brattice-test.sock:/tmp/y",
    ];
    let said = owner.ssh(&options, "echo through", b"").unwrap();
    assert!(!said.is_good(), "{said:?}");
    let log = world.sshd.log();
    assert!(!log.contains("brattice-test.sock"));
}

#[test]
fn an_agent_of_keys_is_not_lent_to_the_host() {
    let world = World::new();
    let agent = SshAgent::start(&[world.sshd.key().private()]).unwrap();
    let line = "test -S \"$SSH_AUTH_SOCK\" && echo lent";
    let socket = format!("IdentityAgent={}", agent.socket().display());
    let options = ["-o", "ForwardAgent=yes", "-o", &socket];
    let with_agent = |client: &brattice_testkit::ssh_client::SshClient| {
        let mut command = client.ssh_command(&options, line);
        command.env("SSH_AUTH_SOCK", agent.socket());
        client.run(command, b"").unwrap()
    };
    let bare = with_agent(&world.direct());
    assert_eq!(bare.text(), "lent\n", "the control: {bare:?}");
    let said = with_agent(&world.client(OWNER, WEB));
    assert_eq!(said.text(), "", "{said:?}");
}

#[test]
fn bytes_that_are_no_command_line_are_refused_and_the_connection_goes_on() {
    let world = World::new();
    let owner = world.client(OWNER, WEB);
    let mark = world.sshd.mark();
    for line in [
        &b"echo \xff"[..],
        b"echo a\rb",
        b"echo \x1b[31m",
        b"a() { id; }; a",
        b"alias ls=rm; ls",
        b"echo ${x@P}",
        "echo caf\u{e9}".as_bytes(),
    ] {
        use std::os::unix::ffi::OsStrExt;
        let mut command = owner.ssh_command(&[], "");
        command.arg(std::ffi::OsStr::from_bytes(line));
        let said = owner.run(command, b"").unwrap();
        assert_eq!(said.code(), Some(77), "{line:?}: {said:?}");
        assert!(said.err.contains("code=unknown"), "{said:?}");
    }
    let said = owner.ssh(&["-s"], "netconf", b"").unwrap();
    assert!(!said.is_good(), "{said:?}");
    assert!(world.sshd.ran_since(mark).is_empty());
    assert!(owner.ssh(&[], "true", b"").unwrap().is_good());
}

#[test]
fn a_host_with_another_key_is_told_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let other = SshKey::create(
        &dir.path().join("key"),
        brattice_testkit::sshd::KeyKind::Ed25519,
    )
    .unwrap();
    let world = World::of(&SshdOptions::default(), |_, bundle| {
        for host in &mut bundle.hosts {
            host.keys = vec![other.public().trim().to_owned()];
        }
    });
    let said = world.client(OWNER, WEB).ssh(&[], "true", b"").unwrap();
    assert_eq!(said.code(), Some(77), "{said:?}");
    assert!(said.err.contains("do not accept each other"), "{said:?}");
    let log = world.sshd.log();
    assert!(
        !log.contains("Accepted") && !log.contains("Failed publickey"),
        "{log}"
    );
}

#[test]
fn channels_are_bounded_and_each_is_judged() {
    let world = World::new();
    let order = json!({ "do": "channels", "command": "cat", "count": 40 });
    let bare = world
        .direct()
        .library(SshLibrary::Asyncssh, order.clone())
        .unwrap();
    assert_eq!(bare["opened"], 40, "the control: {bare}");
    let owner = world.client(OWNER, WEB);
    let told = owner.library(SshLibrary::Asyncssh, order).unwrap();
    assert_eq!(told["opened"], 32, "{told}");
    let ran = world.sshd.ran_since(Mark::start());
    let cats = ran
        .iter()
        .filter(|r| matches!(r, Ran::Command(c) if c == "cat"));
    assert_eq!(cats.count(), 40 + 32);
    assert!(owner.ssh(&[], "true", b"").unwrap().is_good());
}

#[test]
fn peers_that_speak_nonsense_are_hung_up_on_and_nobody_else_is() {
    let world = World::new();
    let port = world.gateway.ssh_port();
    let mut long = b"SSH-2.0-x\r\n".to_vec();
    long.extend(u32::MAX.to_be_bytes());
    long.extend([0; 64]);
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 4096],
        &b"x".repeat(1 << 20),
        &long,
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let _ = stream.write_all(bytes);
        let mut said = Vec::new();
        let closed = stream.read_to_end(&mut said);
        assert!(
            closed.is_ok() || closed.unwrap_err().kind() == std::io::ErrorKind::ConnectionReset,
            "{:?}",
            &bytes[..8]
        );
    }
    assert!(
        world
            .client(READER, WEB)
            .ssh(&[], "true", b"")
            .unwrap()
            .is_good()
    );
}

#[test]
fn only_a_good_proof_for_this_target_opens_it() {
    let world = World::new();
    let (user, password) = world.credential(READER, WEB);
    let opens = |user: &str, password: &str| {
        let said = world
            .client_as(user, password)
            .ssh(&[], "true", b"")
            .unwrap();
        said.is_good()
    };
    assert!(opens(&user, &password));
    let (id, secret) = password.split_once(':').unwrap();
    for (user, password) in [
        (user.as_str(), secret.to_owned()),
        (user.as_str(), format!("{id}:{}", &secret[1..])),
        (user.as_str(), format!("{id}:")),
        (user.as_str(), id.to_owned()),
        (user.as_str(), "x".to_owned()),
        ("deploy@prod-1", password.clone()),
        ("root@web-1", password.clone()),
        ("deploy", password.clone()),
        ("@web-1", password.clone()),
    ] {
        assert!(!opens(user, &password), "{user}");
    }
    // The host's own key is nobody's proof here.
    let key = brattice_testkit::ssh_client::SshLogin {
        port: world.gateway.ssh_port(),
        user,
        proof: brattice_testkit::ssh_client::SshProof::Key(world.sshd.key().private().to_owned()),
        known_hosts: world.gateway.known_hosts().unwrap(),
    };
    let client = brattice_testkit::ssh_client::SshClient::new(key).unwrap();
    assert!(!client.ssh(&[], "true", b"").unwrap().is_good());
}

#[test]
fn neither_strangers_nor_one_agent_take_all_the_room() {
    let world = World::of(&SshdOptions::default(), |_, bundle| {
        let limits = "[limits]\nconnections_max = 12\nconnections_of_one_max = 3\n";
        bundle.more = bundle.more.replacen("[limits]\n", limits, 1);
    });
    let reader = world.client(READER, WEB);
    let address = ("127.0.0.1", world.gateway.ssh_port());
    // Far more than there is room for, which say nothing, and stay.
    let silent: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let mut running: Vec<_> = (0..3)
        .map(|_| {
            let mut one = Running::start(reader.ssh_command(&[], "cat")).unwrap();
            one.write("here\n").unwrap();
            assert!(
                one.reads("here", Duration::from_secs(10)).is_some(),
                "strangers keep it out"
            );
            one
        })
        .collect();
    let said = reader.ssh(&[], "true", b"").unwrap();
    assert!(
        !said.is_good() && said.err.contains("brattice.connections"),
        "{said:?}"
    );
    let said = world.client(OWNER, WEB).ssh(&[], "true", b"").unwrap();
    assert!(said.is_good(), "another is kept out: {said:?}");
    // Those who are in are not sent away by any number of strangers.
    let more: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    for one in &mut running {
        one.write("still\n").unwrap();
        assert!(one.reads("still", Duration::from_secs(10)).is_some());
        one.kill();
    }
    drop((silent, more));
    let by = Instant::now() + Duration::from_secs(10);
    while !reader.ssh(&[], "true", b"").unwrap().is_good() {
        assert!(Instant::now() < by, "its places are not given back");
    }
}

//! A host that knows the gateway's authority and none of its keys.

use super::{World, host};
use crate::world::{OWNER, READER, SECURITY};
use brattice_testkit::sshd::{Sshd, SshdOptions};
use std::io::Write;
use std::net::TcpListener;

#[test]
fn a_host_lets_the_gateway_in_by_certificates_alone_and_logs_who_came() {
    let world = World::new();
    // As an operator would: the key goes to the host, then the host into the bundle.
    let said = world
        .gateway
        .cli(&["ssh", "ca"], &world.token(READER))
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    let authority = String::from_utf8(said.stdout).unwrap();
    let sshd = Sshd::start_now(&SshdOptions {
        user_ca: Some(authority),
        extra_conf: vec!["AuthorizedKeysFile none".to_owned()],
        ..SshdOptions::default()
    })
    .unwrap();
    let mut trusted = host(&sshd, "trusted-1", "test");
    trusted.proof = "certificate = \"gateway\"".to_owned();
    let bundle = world.gateway.read("brattice.toml").unwrap();
    world
        .gateway
        .write("brattice.toml", &(bundle + "\n" + &trusted.toml()))
        .unwrap();
    let reloaded = world.gateway.reload(&world.token(SECURITY)).unwrap();
    assert_eq!(reloaded.status, 200, "{reloaded:?}");

    let mark = sshd.mark();
    let client = world.client(READER, "trusted-1");
    for _ in 0..2 {
        let said = client.ssh(&[], "echo in", b"").unwrap();
        assert_eq!(said.text(), "in\n", "{said:?}");
    }
    let log = sshd.log_since(mark);
    let named = "brattice session=ses_";
    assert!(
        log.contains(named) && log.contains("agent=reader-1"),
        "{log}"
    );
    // A terminal, which a certificate may forbid.
    let said = client
        .ssh(&["-tt"], "test -t 0 && echo on a terminal", b"")
        .unwrap();
    assert!(said.text().contains("on a terminal"), "{said:?}");

    // A connection beyond the host, for who may have one.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = { stream }.write_all(b"beyond");
        }
    });
    let owner = world.client(OWNER, "trusted-1");
    let said = owner.ssh(&["-W", &to], "", b"").unwrap();
    assert_eq!(said.text(), "beyond", "{said:?}");

    // The key of callers' certificates opens no host.
    let front = world.get(READER, "/api/v1/ssh").json();
    assert_ne!(front["user_ca"], front["target_ca"]);
    let listed = front["targets"].as_array().unwrap();
    let of = |name: &str| listed.iter().find(|t| t["target"] == name).unwrap()["certified"].clone();
    assert_eq!((of("trusted-1"), of("web-1")), (true.into(), false.into()));
}

#[test]
fn a_host_of_another_authority_is_not_entered() {
    let world = World::new();
    // The authority that certifies callers is another than the one that hosts trust.
    let front = world.get(READER, "/api/v1/ssh").json();
    let sshd = Sshd::start_now(&SshdOptions {
        user_ca: Some(front["user_ca"].as_str().unwrap().to_owned()),
        ..SshdOptions::default()
    })
    .unwrap();
    let mut trusted = host(&sshd, "strange-1", "test");
    trusted.proof = "certificate = \"gateway\"".to_owned();
    let bundle = world.gateway.read("brattice.toml").unwrap();
    world
        .gateway
        .write("brattice.toml", &(bundle + "\n" + &trusted.toml()))
        .unwrap();
    assert_eq!(
        world.gateway.reload(&world.token(SECURITY)).unwrap().status,
        200
    );
    let said = world
        .client(READER, "strange-1")
        .ssh(&[], "echo in", b"")
        .unwrap();
    assert!(!said.is_good() && said.text().is_empty(), "{said:?}");
}

#[test]
fn a_host_is_known_by_the_authority_that_certifies_it() {
    let options = SshdOptions {
        host_certificate: true,
        ..SshdOptions::default()
    };
    let stranger = Sshd::start_now(&options).unwrap();
    let other = stranger.host_ca().unwrap().public().trim().to_owned();
    let world = World::of(&options, |sshd, bundle| {
        let ca = sshd.host_ca().unwrap().public().trim().to_owned();
        let listed = |keys: &str| format!("host_authorities = [\"{keys}\"]");
        let mut with = |name: &str, keys: Vec<String>, more: String| {
            let mut host = host(sshd, name, "test");
            (host.keys, host.more) = (keys, more);
            bundle.hosts.push(host);
        };
        with("by-ca", Vec::new(), listed(&ca));
        with("by-other-ca", Vec::new(), listed(&other));
        // A key that is listed does not make up for a certificate of somebody else, nor the other way round.
        let key = stranger.host_key().public().trim().to_owned();
        with("by-other-key", vec![key], listed(&other));
    });
    let said = world
        .client(READER, "by-ca")
        .ssh(&[], "echo in", b"")
        .unwrap();
    assert_eq!(said.text(), "in\n", "{said:?}");
    for target in ["by-other-ca", "by-other-key"] {
        let said = world
            .client(READER, target)
            .ssh(&[], "echo in", b"")
            .unwrap();
        assert_eq!(said.code(), Some(77), "{target}: {said:?}");
        assert!(said.err.contains("do not accept each other"), "{said:?}");
    }
    let said = world
        .client(READER, super::WEB)
        .ssh(&[], "echo in", b"")
        .unwrap();
    assert_eq!(said.text(), "in\n", "by its key, as ever: {said:?}");
}

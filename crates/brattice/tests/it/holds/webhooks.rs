//! Questions announced to webhooks, and decisions that come back from them.

use super::{approve, hold_query, note, state, world_of};
use crate::world::{DBA, PROD, WRITER, World};
use brattice_testkit::client::python_program;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

const SECRET: &str = "a-secret-of-webhooks-that-is-long-enough";

#[test]
fn an_announcement_is_signed_and_a_decision_is_judged_like_any_other() {
    let receiver = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = receiver.local_addr().unwrap().port();
    let world = world_of(18, |bundle| {
        bundle.more.push_str(&format!(
            "[routes.chat]\nurl = \"http://127.0.0.1:{port}/hook\"\nsecret = \"env:HOOK\"\n\
             decisions = true\nmatch = {{ labels = [\"env=production\"] }}\n\n"
        ));
        bundle
            .environment
            .push(("HOOK".to_owned(), SECRET.to_owned()));
    });
    let mut wire = world.connect(WRITER, PROD);
    let id = hold_query(&mut wire, "UPDATE notes SET text = 'A' WHERE id = 1");
    let (headers, body) = heard(&receiver);
    let header = |name: &str| {
        let line = headers.iter().find(|(n, _)| n == name);
        line.unwrap_or_else(|| panic!("no {name}: {headers:?}"))
            .1
            .clone()
    };
    let wanted = sign(
        &header("brattice-timestamp"),
        &header("brattice-nonce"),
        "approval.asked",
        &body,
    );
    assert_eq!(header("brattice-signature"), wanted);
    assert!(body.contains(&id), "{body}");

    let action = super::look(&world, DBA, &id).json()["action"].clone();
    let decision = |person: &str| {
        json!({ "decision": "approve", "person": person, "action": action }).to_string()
    };
    // Known to the gateway, so that policy is what refuses her.
    assert_eq!(super::look(&world, crate::world::AUDITOR, &id).status, 200);
    let now = crate::world::now();
    let mut sent = 0;
    let mut send = |person: &str, at: i64, spoil: bool, nonce: Option<&str>| {
        sent += 1;
        let fresh = format!("nonce-{sent}");
        let nonce = nonce.unwrap_or(&fresh);
        let body = decision(person);
        let purpose = format!("decision:{id}");
        let mut signature = sign(&at.to_string(), nonce, &purpose, &body);
        if spoil {
            signature = signature.replace("v1=", "v1=0");
        }
        decide(&world, &id, (&at.to_string(), nonce, &signature), &body)
    };
    for (what, status) in [
        ("a bad signature", send("dev/dana", now, true, None)),
        ("an old one", send("dev/dana", now - 3600, false, None)),
        ("a future one", send("dev/dana", now + 3600, false, None)),
        ("somebody unknown", send("dev/nobody", now, false, None)),
        ("the asker", send("dev/writer-1", now, false, None)),
        ("an auditor", send("dev/avery", now, false, None)),
    ] {
        assert!((400..500).contains(&status), "{what}: {status}");
        assert_eq!(state(&world, &id), "pending", "{what}");
    }
    assert_eq!(note(&world, 1), "one");
    assert_eq!(send("dev/dana", now, false, Some("once")), 200);
    assert_eq!(wire.until_ready().unwrap().completed(), ["UPDATE 1"]);
    let again = hold_query(&mut wire, "UPDATE notes SET text = 'A' WHERE id = 1");
    let replayed = send("dev/dana", now, false, Some("once"));
    assert!((400..500).contains(&replayed), "replayed: {replayed}");
    assert_eq!(state(&world, &again), "pending");
    // The receiver is gone: nothing is approved by that, and people still can.
    drop(receiver);
    approve(&world, DBA, &again);
    assert_eq!(wire.until_ready().unwrap().completed(), ["UPDATE 1"]);
}

/// One announcement.
fn heard(receiver: &TcpListener) -> (Vec<(String, String)>, String) {
    let (mut stream, _) = receiver.accept().unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut text = String::new();
    loop {
        let mut piece = [0; 4096];
        let n = stream.read(&mut piece).unwrap();
        text.push_str(std::str::from_utf8(&piece[..n]).unwrap());
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let headers: Vec<(String, String)> = head
                .lines()
                .filter_map(|l| l.split_once(": "))
                .map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()))
                .collect();
            let length = headers.iter().find(|(n, _)| n == "content-length");
            if length.is_some_and(|(_, l)| l.parse() == Ok(body.len())) {
                let body = body.to_owned();
                stream
                    .write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
                    .unwrap();
                return (headers, body);
            }
        }
        assert!(n > 0, "cut off: {text}");
    }
}

/// The signature as the reference says, by an implementation that is not the gateway's.
fn sign(timestamp: &str, nonce: &str, purpose: &str, body: &str) -> String {
    let script = "import hmac,sys;k,m=sys.argv[1:];print('v1='+hmac.new(k.encode(),m.encode(),'sha256').hexdigest())";
    let message = format!("{timestamp}.{nonce}.{purpose}.{body}");
    let said = Command::new(python_program())
        .args(["-c", script, SECRET, &message])
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

fn decide(world: &World, id: &str, (at, nonce, signature): (&str, &str, &str), body: &str) -> u16 {
    let port = world.gateway.admin_port();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    write!(
        stream,
        "POST /api/v1/approvals/{id}/decision HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
         Content-Type: application/json\r\nbrattice-route: chat\r\nbrattice-timestamp: {at}\r\n\
         brattice-nonce: {nonce}\r\nbrattice-signature: {signature}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let status = reply.split(' ').nth(1).unwrap_or_default();
    status.parse().unwrap_or(0)
}

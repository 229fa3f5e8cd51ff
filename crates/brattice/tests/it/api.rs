//! The REST API against those who may not: every route of its own description, without a token, with a bad one, with an
//! agent's, and from a foreign page. A route that is not played here fails the test.

use crate::holds::{hold_query, state, world};
use crate::world::{AUDITOR, DBA, PROD, READER, SECURITY, SHOP, WRITER, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

/// Routes by which an agent learns of itself, or gets something for itself.
const OWN: &[(&str, &str)] = &[
    ("GET", "/api/v1/whoami"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/api/v1/approvals"),
    ("GET", "/api/v1/sessions"),
    ("GET", "/api/v1/freezes"),
    ("GET", "/api/v1/grants"),
    ("GET", "/api/v1/delegations"),
    ("POST", "/api/v1/grants/requests"),
    ("GET", "/api/v1/credentials"),
    ("POST", "/api/v1/credentials"),
    ("GET", "/api/v1/ssh"),
    ("POST", "/api/v1/ssh/certificates"),
];

struct Things {
    session: String,
    approval: String,
    credential: String,
}

impl Things {
    fn fill(&self, path: &str) -> String {
        let id = match path {
            p if p.contains("/sessions/") => &self.session,
            p if p.contains("/approvals/") => &self.approval,
            p if p.contains("/credentials/") => &self.credential,
            p if p.contains("/freezes/") => "frz_0123456789abcdef",
            p if p.contains("/delegations/") => "dlg_0123456789abcdef",
            p if p.contains("/grants/") => "grt_0123456789abcdef",
            _ => "signing.pub",
        };
        path.replace("{id}", id).replace("{name}", "signing.pub")
    }
}

fn body_for(path: &str, action: &Value) -> Option<Value> {
    Some(match path {
        p if p.contains("/bundle") || p.contains("/credentials/") => return None,
        p if p.ends_with("/approve") || p.ends_with("/deny") => {
            json!({ "action": action })
        }
        p if p.ends_with("/decision") => {
            json!({ "decision": "approve", "person": "dev/dana", "action": action })
        }
        p if p.ends_with("/agents/revoke") => json!({ "kind": "agent", "id": "dev/writer-1" }),
        p if p.ends_with("/delegations") => {
            json!({ "to": "dev/reader-1", "targets": [SHOP], "effects": ["read"], "seconds": 60, "reason": "x" })
        }
        p if p.ends_with("/grants/requests") => {
            json!({ "target": SHOP, "effects": ["write"], "minutes": 1, "reason": "x" })
        }
        p if p.ends_with("/freezes") => json!({ "all": true, "reason": "x" }),
        p if p.ends_with("/credentials") => json!({ "target": SHOP, "ttl_seconds": 60 }),
        _ => json!({}),
    })
}

#[test]
fn every_route_refuses_those_who_may_not() {
    let world = world(18);
    let mut wire = world.connect(WRITER, PROD);
    let approval = hold_query(&mut wire, "UPDATE notes SET text = 'A' WHERE id = 1");
    let question = crate::holds::look(&world, DBA, &approval).json();
    let session = question["session"].as_str().unwrap().to_owned();
    let action = question["action"].clone();
    let mint = ["credential", "create", SHOP, "--format", "json"];
    let said = world.gateway.cli(&mint, &world.token(WRITER)).unwrap();
    let minted: Value = serde_json::from_slice(&said.stdout).unwrap();
    let things = Things {
        session,
        approval,
        credential: minted["user"].as_str().unwrap().to_owned(),
    };
    let routes = routes(&world);
    assert!(routes.len() >= 20, "{routes:?}");
    let mut wrong = Vec::new();
    for (method, route) in &routes {
        let path = things.fill(route);
        let body = body_for(route, &action);
        let body = (method == "POST").then_some(body.as_ref()).flatten();
        let ask = |token: &str| {
            world
                .gateway
                .api(method, &path, token, body)
                .unwrap()
                .status
        };
        let status = ask("");
        check(
            &mut wrong,
            format!("{method} {route} with no token"),
            status,
            status == 401,
        );
        let own = OWN.contains(&(method.as_str(), route.as_str()));
        let status = ask(&world.token(READER));
        let refused = matches!(status, 401 | 403 | 404);
        check(
            &mut wrong,
            format!("{method} {route} with another agent's token"),
            status,
            own || refused,
        );
        // Who asked sees the question and the session, and can do nothing about the question.
        if route.contains("/approvals/{id}/") {
            let status = ask(&world.token(WRITER));
            check(
                &mut wrong,
                format!("{method} {route} by who asked"),
                status,
                matches!(status, 401 | 403 | 404),
            );
        }
        if method == "POST" {
            for (name, value) in [
                ("Origin", "https://evil.example"),
                ("Origin", "null"),
                ("Sec-Fetch-Site", "cross-site"),
            ] {
                let status = foreign(&world, &path, &world.token(SECURITY), (name, value), body);
                check(
                    &mut wrong,
                    format!("{method} {route} with {name}: {value}"),
                    status,
                    (400..500).contains(&status),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(state(&world, &things.approval), "pending");
    // Those who may: the twins of the refusals.
    let reply = |method: &str, path: &str, who| {
        let token = world.token(who);
        world
            .gateway
            .api(method, path, &token, None)
            .unwrap()
            .status
    };
    let session = format!("/api/v1/sessions/{}", things.session);
    assert_eq!(reply("GET", &session, WRITER), 200);
    assert_eq!(reply("GET", &session, AUDITOR), 200);
    assert_eq!(reply("GET", &format!("{session}/replay"), AUDITOR), 200);
    assert_eq!(reply("GET", "/api/v1/audit", AUDITOR), 200);
    assert_eq!(reply("POST", "/api/v1/bundle/reload", SECURITY), 200);
    assert_eq!(state(&world, &things.approval), "pending");
    // Last, since whoever sends many bad tokens is not listened to for a while.
    for (method, route) in &routes {
        let path = things.fill(route);
        let body = body_for(route, &action);
        let body = (method == "POST").then_some(body.as_ref()).flatten();
        for (what, token) in [
            ("a garbled token", "e30.e30.e30".to_owned()),
            ("an expired token", world.token_for(SECURITY, -600)),
        ] {
            let reply = world.gateway.api(method, &path, &token, body).unwrap();
            let status = reply.status;
            check(
                &mut wrong,
                format!("{method} {route} with {what}"),
                status,
                matches!(status, 401 | 429),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What lists show of others: nothing.
#[test]
fn lists_show_an_agent_nothing_of_others() {
    let world = world(18);
    let mut wire = world.connect(WRITER, PROD);
    let approval = hold_query(&mut wire, "UPDATE notes SET text = 'A' WHERE id = 1");
    let list = |path: &str, who| {
        let token = world.token(who);
        world.gateway.api("GET", path, &token, None).unwrap().json()
    };
    let questions = |who| list("/api/v1/approvals", who)["approvals"].clone();
    assert_eq!(questions(READER), json!([]));
    assert_eq!(questions(WRITER)[0]["id"], json!(approval));
    let sessions = |who| list("/api/v1/sessions", who)["sessions"].clone();
    assert_eq!(sessions(READER), json!([]));
    assert_eq!(sessions(WRITER).as_array().map(Vec::len), Some(1));
}

fn check(wrong: &mut Vec<String>, what: String, status: u16, good: bool) {
    if !good {
        wrong.push(format!("{what}: {status}"));
    }
}

/// Every route of the API's own description.
fn routes(world: &World) -> BTreeSet<(String, String)> {
    let token = world.token(SECURITY);
    let reply = world
        .gateway
        .api("GET", "/api/v1/openapi.json", &token, None)
        .unwrap();
    let document = reply.json();
    let mut routes = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            if matches!(method.as_str(), "get" | "post" | "put" | "delete" | "patch") {
                routes.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    routes
}

fn foreign(
    world: &World,
    path: &str,
    token: &str,
    (name, value): (&str, &str),
    body: Option<&Value>,
) -> u16 {
    let body = body.map(Value::to_string).unwrap_or_default();
    let port = world.gateway.admin_port();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\n{name}: {value}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let status = reply.split(' ').nth(1).unwrap_or_default();
    status.parse().unwrap_or(0)
}

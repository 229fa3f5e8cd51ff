//! Every route against callers who may and callers who may not, and against odd requests.

use super::world::*;
use crate::body::{CertificateBody, SshBody};

#[test]
fn no_route_is_without_an_authorization_test() {
    let tested: BTreeSet<&str> = cases()
        .iter()
        .map(|(id, ..)| *id)
        .chain(["approvals.decision", "grants.request", "delegations.create"])
        .collect();
    let untested: Vec<&str> = ROUTES
        .iter()
        .map(|r| r.id)
        .filter(|id| !tested.contains(id))
        .collect();
    assert_eq!(untested, Vec::<&str>::new());
}

#[tokio::test]
async fn every_route_refuses_who_proves_nothing() {
    for (id, body, _) in cases() {
        let world = World::new(&[
            "approve",
            "approval.read",
            "session.read",
            "credential.revoke",
            "replay",
            "watch",
            "session.end",
            "audit.read",
            "policy.read",
            "policy.apply",
            "identity.suspend",
            "target.freeze",
            "target.thaw",
            "grant.end",
            "credential.revoke",
            "connect",
        ]);
        for token in [None, Some("nobody"), Some("")] {
            let response = world.send(request(route(id), &body, token)).await;
            assert_eq!(
                response.status(),
                StatusCode::UNAUTHORIZED,
                "{id} {token:?}"
            );
            assert_eq!(
                response.headers()[header::CONTENT_TYPE],
                "application/problem+json"
            );
        }
        assert!(world.done.lock().unwrap().is_empty(), "{id}");
    }
}

#[tokio::test]
async fn every_route_refuses_whom_policy_does_not_permit() {
    for (id, body, _) in cases() {
        let world = World::new(&[]);
        let response = world.send(request(route(id), &body, Some("alice"))).await;
        let status = response.status();
        match id {
            "whoami" | "openapi" => assert_eq!(status, StatusCode::OK),
            "approvals.list" => assert!(read::<ApprovalsBody>(response).await.approvals.is_empty()),
            "delegations.list" => {
                assert!(
                    read::<DelegationsBody>(response)
                        .await
                        .delegations
                        .is_empty()
                )
            }
            "credentials.list" => {
                assert!(
                    read::<CredentialsBody>(response)
                        .await
                        .credentials
                        .is_empty()
                )
            }
            "ssh.get" => assert!(read::<SshBody>(response).await.targets.is_empty()),
            "grants.list" => assert!(read::<GrantsBody>(response).await.grants.is_empty()),
            "freezes.list" => assert!(read::<FreezesBody>(response).await.freezes.is_empty()),
            "sessions.list" => assert!(read::<SessionsBody>(response).await.sessions.is_empty()),
            _ => assert!(
                status == StatusCode::FORBIDDEN || status == StatusCode::NOT_FOUND,
                "{id}: {status}"
            ),
        }
        assert!(
            world.done.lock().unwrap().is_empty(),
            "{id} did {:?}",
            world.done.lock().unwrap()
        );
    }
}

#[tokio::test]
async fn every_route_serves_whom_policy_permits_just_that() {
    for (id, body, does) in cases() {
        // Each of these opens it.
        let keys: Vec<Vec<&str>> = match route(id).right {
            Right::Policy(actions) | Right::OwnOr(actions) => {
                actions.iter().map(|a| vec![*a]).collect()
            }
            Right::All(actions) => vec![actions.to_vec()],
            _ => vec![vec!["none"]],
        };
        for action in keys {
            let world = World::new(&action);
            let response = world.send(request(route(id), &body, Some("alice"))).await;
            assert!(
                response.status().is_success(),
                "{id} with {action:?}: {}",
                response.status()
            );
            assert!(response.headers().contains_key("x-request-id"));
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
            if let Some(does) = does {
                assert_eq!(*world.done.lock().unwrap(), [does], "{id}");
                assert!(
                    !world.record.lock().unwrap().is_empty(),
                    "{id} left no trace"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_agent_or_a_delegate_does_nothing_that_is_for_people() {
    let everything = [
        "approve",
        "approval.read",
        "session.read",
        "credential.revoke",
        "replay",
        "watch",
        "session.end",
        "audit.read",
        "policy.read",
        "policy.apply",
        "identity.suspend",
        "target.freeze",
        "target.thaw",
        "grant.end",
        "credential.revoke",
        "connect",
    ];
    for token in ["agent", "delegate"] {
        for (id, body, _) in cases() {
            let world = World::new(&everything);
            let response = world.send(request(route(id), &body, Some(token))).await;
            let for_people = [
                "approvals.approve",
                "approvals.deny",
                "sessions.replay",
                "sessions.watch",
                "agents.revoke",
                "delegations.end",
                "freezes.create",
                "freezes.thaw",
                "audit.tail",
                "audit.files",
                "audit.export",
                "bundle.get",
                "bundle.check",
                "bundle.reload",
            ];
            if for_people.contains(&id) {
                assert!(
                    response.status().is_client_error(),
                    "{token} {id}: {}",
                    response.status()
                );
                assert!(world.done.lock().unwrap().is_empty(), "{token} {id}");
            }
        }
    }
}

#[tokio::test]
async fn whoever_asks_ahead_is_on_record_and_asks_for_nobody_else() {
    let wish = |more: &str| {
        let wish = format!("{{\"target\":\"orders-db\",\"minutes\":30,\"reason\":\"x\"{more}}}");
        Some(wish)
    };
    let good = wish(",\"effects\":[\"write\"]");
    let ask = async |body: &Option<String>, token| {
        let world = World::new(&[]);
        let response = world
            .send(request(route("grants.request"), body, token))
            .await;
        let did = !world.done.lock().unwrap().is_empty();
        (response.status(), did, world.record.lock().unwrap().len())
    };
    for token in [None, Some("nobody")] {
        assert_eq!(
            ask(&good, token).await,
            (StatusCode::UNAUTHORIZED, false, 0)
        );
    }
    assert_eq!(
        ask(&good, Some("etl")).await,
        (StatusCode::CREATED, true, 1)
    );
    // Beyond what the token was narrowed to.
    assert_eq!(ask(&good, Some("narrow")).await.0, StatusCode::FORBIDDEN);
    for bad in [
        wish(""),
        wish(",\"effects\":[\"unknown\"]"),
        wish(",\"connect\":true,\"chain\":\"agent:okta/other\""),
        good.clone().map(|g| g.replace("30", "0")),
        good.clone().map(|g| g.replace("30", "100000")),
        good.clone().map(|g| g.replace("\"x\"", "\" \"")),
    ] {
        let (status, did, _) = ask(&bad, Some("etl")).await;
        assert_eq!((status, did), (StatusCode::BAD_REQUEST, false), "{bad:?}");
    }
}

#[tokio::test]
async fn only_a_person_with_a_whole_token_of_their_own_delegates() {
    let wish = |targets: &str, effects: &str, seconds: u64| {
        Some(format!(
            "{{\"to\":\"okta/other\",\"targets\":[{targets}],\"effects\":[{effects}],\"seconds\":{seconds},\"reason\":\"x\"}}"
        ))
    };
    let good = wish("\"orders-db\"", "\"read\"", 60);
    let ask = async |body: &Option<String>, token| {
        let world = World::new(&[]);
        let response = world
            .send(request(route("delegations.create"), body, Some(token)))
            .await;
        let did = !world.done.lock().unwrap().is_empty();
        (response.status(), did)
    };
    for token in ["agent", "etl", "delegate", "narrow"] {
        assert_eq!(
            ask(&good, token).await,
            (StatusCode::FORBIDDEN, false),
            "{token}"
        );
    }
    assert_eq!(ask(&good, "alice").await, (StatusCode::CREATED, true));
    for bad in [
        wish("", "\"read\"", 60),
        wish("\"orders-db\"", "", 60),
        wish("\"a target:b\"", "\"read\"", 60),
        wish("\"orders-db\"", "\"unknown\"", 60),
        wish("\"orders-db\"", "\"class:email\"", 60),
        wish("\"orders-db\"", "\"read\"", 0),
        wish("\"orders-db\"", "\"read\"", 10_000_000),
        good.clone().map(|g| g.replace("okta/other", "other")),
        good.clone().map(|g| g.replace("okta/other", "okta/*")),
    ] {
        let answer = ask(&bad, "alice").await;
        assert_eq!(answer, (StatusCode::BAD_REQUEST, false), "{bad:?}");
    }
}

#[tokio::test]
async fn an_expired_proof_is_good_for_nothing() {
    let world = World::new(&["policy.read"]);
    let response = world
        .send(request(route("bundle.get"), &None, Some("expired")))
        .await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_happen() {
    let everything = [
        "approve",
        "replay",
        "watch",
        "session.end",
        "audit.read",
        "policy.apply",
        "identity.suspend",
        "target.freeze",
        "target.thaw",
        "grant.end",
        "credential.revoke",
        "connect",
    ];
    for (id, body, does) in cases() {
        if does.is_none() {
            continue;
        }
        let world = World::new(&everything);
        world.record_works.store(false, Ordering::SeqCst);
        let response = world.send(request(route(id), &body, Some("alice"))).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{id}");
        assert!(world.done.lock().unwrap().is_empty(), "{id}");
    }
}

#[tokio::test]
async fn an_asker_sees_its_own_question_and_session_but_not_the_recording() {
    let world = World::new(&[]);
    let response = world
        .send(request(route("approvals.get"), &None, Some("etl")))
        .await;
    assert_eq!(
        read::<ApprovalBody>(response).await.id,
        approval_id().to_string()
    );
    let response = world
        .send(request(route("sessions.get"), &None, Some("etl")))
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    let response = world
        .send(request(route("sessions.replay"), &None, Some("etl")))
        .await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let response = world
        .send(request(route("credentials.revoke"), &None, Some("etl")))
        .await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_credential_is_told_once_and_never_in_the_record() {
    let world = World::new(&["connect"]);
    let body = Some("{\"target\":\"orders-db\",\"ttl_seconds\":60}".to_owned());
    let response = world
        .send(request(route("credentials.create"), &body, Some("agent")))
        .await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(read::<CredentialBody>(response).await.password, "pw");
    assert!(!format!("{:?}", world.record.lock().unwrap()).contains("pw"));
    let long = Some("{\"target\":\"orders-db\",\"ttl_seconds\":999999}".to_owned());
    let response = world
        .send(request(route("credentials.create"), &long, Some("agent")))
        .await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_certificate_is_for_a_key_that_can_be_read_and_for_a_bounded_time() {
    let world = World::new(&["connect"]);
    let ask = |key: &str, seconds: u32| {
        let body = format!(
            "{{\"target\":\"web-1\",\"public_key\":\"{key}\",\"ttl_seconds\":{seconds},\"single_use\":true}}"
        );
        request(route("ssh.certify"), &Some(body), Some("agent"))
    };
    for (key, seconds) in [
        ("ssh-rsa AAAA", 60),
        ("ssh-ed25519 AAAA", 0),
        ("ssh-ed25519 AAAA", 999_999),
    ] {
        let response = world.send(ask(key, seconds)).await;
        assert_eq!(
            response.status(),
            StatusCode::BAD_REQUEST,
            "{key} {seconds}"
        );
    }
    assert!(world.done.lock().unwrap().is_empty());
    let response = world.send(ask("ssh-ed25519 AAAA", 60)).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(read::<CertificateBody>(response).await.users, ["web-1"]);
    let record = format!("{:?}", world.record.lock().unwrap());
    assert!(
        record.contains("certificate of SHA256:x for 60 s, one login"),
        "{record}"
    );
}

#[tokio::test]
async fn pages_of_other_origins_and_other_names_are_refused() {
    let world = World::new(&["policy.read"]);
    let mut foreign = request(route("bundle.get"), &None, Some("alice"));
    foreign
        .headers_mut()
        .insert(header::ORIGIN, "https://evil.example".parse().unwrap());
    assert_eq!(world.send(foreign).await.status(), StatusCode::FORBIDDEN);
    let mut rebound = request(route("bundle.get"), &None, Some("alice"));
    rebound
        .headers_mut()
        .insert(header::HOST, "evil.example".parse().unwrap());
    assert_eq!(
        world.send(rebound).await.status(),
        StatusCode::MISDIRECTED_REQUEST
    );
    let mut own = request(route("bundle.get"), &None, Some("alice"));
    own.headers_mut()
        .insert(header::ORIGIN, format!("https://{HOST}").parse().unwrap());
    assert_eq!(world.send(own).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn forms_are_strict() {
    let everything = ["approve", "session.end", "policy.read"];
    let world = World::new(&everything);
    let mut form = request(
        route("sessions.kill"),
        &Some("{}".to_owned()),
        Some("alice"),
    );
    form.headers_mut()
        .insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
    assert_eq!(
        world.send(form).await.status(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let unknown = request(
        route("sessions.kill"),
        &Some("{\"raison\":\"x\"}".to_owned()),
        Some("alice"),
    );
    assert_eq!(world.send(unknown).await.status(), StatusCode::BAD_REQUEST);
    let huge = format!("{{\"reason\":\"{}\"}}", "x".repeat(70_000));
    let huge = request(route("sessions.kill"), &Some(huge), Some("alice"));
    assert_eq!(
        world.send(huge).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let mut in_url = request(route("bundle.get"), &None, None);
    *in_url.uri_mut() = "/api/v1/bundle?access_token=alice".parse().unwrap();
    assert_eq!(world.send(in_url).await.status(), StatusCode::BAD_REQUEST);
    let mut twice = request(route("bundle.get"), &None, Some("alice"));
    twice
        .headers_mut()
        .append(header::AUTHORIZATION, "Bearer carol".parse().unwrap());
    assert_eq!(world.send(twice).await.status(), StatusCode::UNAUTHORIZED);
    let mut nowhere = request(route("bundle.get"), &None, Some("alice"));
    *nowhere.uri_mut() = "/api/v2/bundle".parse().unwrap();
    assert_eq!(world.send(nowhere).await.status(), StatusCode::NOT_FOUND);
    let mut head = request(route("bundle.get"), &None, Some("alice"));
    *head.method_mut() = "HEAD".parse().unwrap();
    assert_eq!(
        world.send(head).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert!(world.done.lock().unwrap().is_empty());
}

#[tokio::test]
async fn only_listed_files_of_the_audit_log_are_opened() {
    let world = World::new(&["audit.read"]);
    let mut other = request(route("audit.export"), &None, Some("alice"));
    *other.uri_mut() = "/api/v1/audit/files/..%2F..%2Fetc%2Fpasswd"
        .parse()
        .unwrap();
    assert_eq!(world.send(other).await.status(), StatusCode::NOT_FOUND);
}

#[test]
fn the_document_has_every_route_and_resolves_its_references() {
    let document = openapi::document("https://gateway.example.com");
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.as_str()];
        assert_eq!(operation["operationId"], route.id);
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    let ids: BTreeSet<&str> = ROUTES.iter().map(|r| r.id).collect();
    assert_eq!(ids.len(), ROUTES.len());
}

#[tokio::test]
async fn an_approval_link_tells_how_to_decide_and_nothing_else() {
    let world = World::new(&[]);
    let get = |path: &str| {
        Request::builder()
            .uri(path)
            .header(header::HOST, HOST)
            .body(Body::empty())
            .unwrap()
    };
    let there = world
        .send(get(&format!("/approvals/{}", approval_id())))
        .await;
    assert_eq!(there.status(), StatusCode::OK);
    assert_eq!(
        there.headers()[header::CONTENT_TYPE],
        "text/plain; charset=utf-8"
    );
    let bytes = axum::body::to_bytes(there.into_body(), 1 << 16)
        .await
        .unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains("brattice approvals show") && !text.contains("delete from"));
    let other = world.send(get("/approvals/%3Cscript%3E")).await;
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
}

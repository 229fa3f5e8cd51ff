//! Who answers questions, and what an answer is bound to.

use super::world::*;
#[tokio::test]
async fn nobody_in_the_chain_answers() {
    for (token, expected) in [("bob", "brattice.not-asked"), ("etl", "brattice.people")] {
        let world = World::new(&["approve"]);
        let body = Some(format!("{{\"action\":\"{}\"}}", action()));
        let response = world
            .send(request(route("approvals.approve"), &body, Some(token)))
            .await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{token}");
        let problem: Problem = read(response).await;
        assert_eq!(problem.rules, [expected]);
        assert!(world.answers.lock().unwrap().is_empty());
        let recorded = world.record.lock().unwrap();
        assert!(matches!(
            recorded.as_slice(),
            [Event::Administered { allowed: false, .. }]
        ));
    }
}

#[tokio::test]
async fn who_is_not_asked_does_not_answer() {
    let body = Some(format!("{{\"action\":\"{}\"}}", action()));
    let answering = || request(route("approvals.approve"), &body, Some("carol"));
    let world = World::new(&["approve", "approval.read"]);
    let problem: Problem = read(world.send(answering()).await).await;
    assert_eq!(problem.rules, ["brattice.not-asked"]);
    assert!(world.answers.lock().unwrap().is_empty());
    let world = World::new(&["approve"]);
    assert_eq!(
        world.send(answering()).await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn an_answer_names_the_action_it_is_for() {
    let world = World::new(&["approve"]);
    let other = Some(format!("{{\"action\":\"{}\"}}", Digest::of(b"another")));
    let response = world
        .send(request(route("approvals.approve"), &other, Some("alice")))
        .await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert!(world.answers.lock().unwrap().is_empty());
    let missing = Some("{}".to_owned());
    let response = world
        .send(request(route("approvals.approve"), &missing, Some("alice")))
        .await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_question_that_is_closed_stays_closed() {
    for state in [
        ApprovalState::Denied,
        ApprovalState::Expired,
        ApprovalState::Consumed,
    ] {
        let world = World::new(&["approve"]);
        *world.state.lock().unwrap() = state;
        let body = Some(format!("{{\"action\":\"{}\"}}", action()));
        let response = world
            .send(request(route("approvals.approve"), &body, Some("alice")))
            .await;
        assert_eq!(response.status(), StatusCode::CONFLICT);
        assert!(world.answers.lock().unwrap().is_empty());
        assert!(world.record.lock().unwrap().is_empty());
    }
}

fn decision(person: &str, nonce: &str, at: i64, key: u8) -> Request<Body> {
    let body = format!(
        "{{\"decision\":\"approve\",\"action\":\"{}\",\"person\":\"{person}\"}}",
        action()
    );
    let purpose = format!("decision:{}", approval_id());
    let signed = Signed {
        timestamp: at,
        nonce,
        purpose: &purpose,
        body: body.as_bytes(),
    };
    let signature = signed.sign(&Secret::new(vec![key; 32]));
    let mut request = request(route("approvals.decision"), &Some(body), None);
    for (name, value) in [
        (signature::ROUTE_HEADER, "chat".to_owned()),
        (signature::TIMESTAMP_HEADER, at.to_string()),
        (signature::NONCE_HEADER, nonce.to_owned()),
        (signature::SIGNATURE_HEADER, signature),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn a_signed_decision_is_judged_as_the_person_it_names() {
    let at = NOW.seconds();
    let world = World::new(&["approve"]);
    let response = world.send(decision("okta/alice", "n1", at, 9)).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(world.answers.lock().unwrap()[0].via, "webhook:chat");
    for (person, permitted, status) in [
        ("okta/bob", vec!["approve"], StatusCode::FORBIDDEN),
        ("okta/alice", vec![], StatusCode::NOT_FOUND),
        ("okta/mallory", vec!["approve"], StatusCode::FORBIDDEN),
    ] {
        let world = World::new(&permitted);
        let response = world.send(decision(person, "n", at, 9)).await;
        assert_eq!(response.status(), status, "{person}");
        assert!(world.answers.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_decision_is_signed_fresh_and_new() {
    let at = NOW.seconds();
    let world = World::new(&["approve"]);
    for stale in [
        decision("okta/alice", "a", at - 301, 9),
        decision("okta/alice", "b", at + 301, 9),
        decision("okta/alice", "c", at, 8),
    ] {
        assert_eq!(world.send(stale).await.status(), StatusCode::UNAUTHORIZED);
    }
    let admin = world.admin();
    let twice = [
        decision("okta/alice", "d", at, 9),
        decision("okta/alice", "d", at, 9),
    ];
    let mut statuses = Vec::new();
    for request in twice {
        statuses.push(
            router(admin.clone())
                .oneshot(request)
                .await
                .unwrap()
                .status(),
        );
    }
    assert_eq!(statuses, [StatusCode::OK, StatusCode::UNAUTHORIZED]);
}

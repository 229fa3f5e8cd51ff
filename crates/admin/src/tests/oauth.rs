//! The token endpoint: OAuth's form, and OAuth's refusals.

use super::world::{HOST, World};
use crate::oauth::{ACCESS_TOKEN, GRANT};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use brattice_core::audit::Event;
use serde_json::Value;
use std::sync::atomic::Ordering;

const FORM: &str = "application/x-www-form-urlencoded";

fn encoded(fields: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields).finish()
}

async fn trade(
    world: &std::sync::Arc<World>,
    media: &str,
    body: String,
) -> (StatusCode, Value, bool) {
    let request = Request::post("/oauth/token")
        .header(header::HOST, HOST)
        .header(header::CONTENT_TYPE, media)
        .body(Body::from(body))
        .unwrap();
    let response = world.send(request).await;
    let status = response.status();
    let kept = response.headers()[header::CACHE_CONTROL] == "no-store";
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap(), kept)
}

fn asking(token: &str, more: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("grant_type", GRANT),
        ("subject_token", token),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    fields.extend(more);
    encoded(&fields)
}

#[tokio::test]
async fn a_token_is_traded_for_a_narrower_one() {
    let world = World::new(&[]);
    let body = asking("agent", &[("scope", "read"), ("audience", "orders-db")]);
    let (status, answer, kept) = trade(&world, FORM, body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(kept, "an answer with a token may be kept");
    assert_eq!(answer["access_token"], "a-new-token");
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["issued_token_type"], ACCESS_TOKEN);
    assert_eq!(answer["scope"], "target:orders-db read");
    assert_eq!(answer["expires_in"], 900);
    let record = format!("{:?}", world.record.lock().unwrap());
    assert!(record.contains("token.exchange"), "{record}");
    assert!(!record.contains("a-new-token"), "{record}");
}

#[tokio::test]
async fn what_is_not_understood_is_refused_in_oauths_words() {
    let with = |more: &[(&str, &str)]| asking("agent", more);
    let twice = format!("{}&scope=read&scope=write", asking("agent", &[]));
    let cases = [
        (
            FORM,
            encoded(&[("grant_type", "password")]),
            "unsupported_grant_type",
        ),
        (FORM, encoded(&[]), "unsupported_grant_type"),
        (FORM, encoded(&[("grant_type", GRANT)]), "invalid_request"),
        (FORM, asking("nobody", &[]), "invalid_grant"),
        (FORM, with(&[("scope", "everything")]), "invalid_scope"),
        (
            FORM,
            asking("narrow", &[("scope", "write")]),
            "invalid_scope",
        ),
        (FORM, with(&[("audience", "a b")]), "invalid_target"),
        (FORM, with(&[("audience", "../admin")]), "invalid_scope"),
        (FORM, with(&[("lifetime", "0")]), "invalid_request"),
        (FORM, with(&[("lifetime", "soon")]), "invalid_request"),
        (
            FORM,
            with(&[("resource", "https://elsewhere")]),
            "invalid_request",
        ),
        (FORM, with(&[("actor_token", "agent")]), "invalid_request"),
        (
            FORM,
            with(&[
                ("actor_token", "nobody"),
                ("actor_token_type", ACCESS_TOKEN),
            ]),
            "invalid_grant",
        ),
        (
            FORM,
            with(&[(
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:refresh_token",
            )]),
            "invalid_request",
        ),
        (FORM, twice, "invalid_request"),
        ("application/json", "{}".to_owned(), "invalid_request"),
    ];
    for (media, body, expected) in cases {
        let world = World::new(&[]);
        let (status, answer, _) = trade(&world, media, body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {answer}");
        assert_eq!(answer["error"], expected, "{body}: {answer}");
        assert!(answer["error_description"].is_string());
        assert!(world.done.lock().unwrap().is_empty(), "{body}");
    }
}

#[tokio::test]
async fn who_asks_for_more_than_it_has_is_on_record() {
    let world = World::new(&[]);
    let (_, answer, _) = trade(&world, FORM, asking("narrow", &[("scope", "write")])).await;
    assert_eq!(answer["error"], "invalid_scope");
    let record = world.record.lock().unwrap();
    let [Event::Administered { act, allowed, .. }] = record.as_slice() else {
        panic!("{record:?}");
    };
    assert_eq!((act.as_str(), *allowed), ("token.exchange", false));
}

#[tokio::test]
async fn no_token_is_given_that_cannot_be_recorded() {
    let world = World::new(&[]);
    world.record_works.store(false, Ordering::SeqCst);
    let (status, answer, _) = trade(&world, FORM, asking("agent", &[])).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer["error"], "temporarily_unavailable");
    assert!(answer.get("access_token").is_none());
}

#[tokio::test]
async fn the_documents_are_for_everyone_at_the_right_host() {
    let world = World::new(&[]);
    let get = |path: &str, host: &str| {
        let request = Request::get(path).header(header::HOST, host);
        request.body(Body::empty()).unwrap()
    };
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resource",
        "/oauth/jwks",
    ] {
        let response = world.send(get(path, HOST)).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let response = world.send(get(path, "elsewhere.example.com")).await;
        assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn a_narrowed_token_governs_nothing() {
    let world = World::new(&["policy.read"]);
    let ask = |token: &str| {
        Request::get("/api/v1/bundle")
            .header(header::HOST, HOST)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(world.send(ask("alice")).await.status(), StatusCode::OK);
    assert_eq!(
        world.send(ask("narrow")).await.status(),
        StatusCode::FORBIDDEN
    );
}

//! ID5: floods of key ids, rotation, providers that are away or answer nonsense, keys that were removed.

use crate::support::{World, config_of, world, world_with};
use brattice_core::ports::{AuthError, Authenticator};
use brattice_core::secret::Secret;
use brattice_core::sender::Sender;
use brattice_testkit::idp::{Answer, DISCOVERY_PATH, Idp, JWKS_PATH, SigningKey};
use serde_json::json;
use std::sync::Arc;

fn key(kid: &str) -> SigningKey {
    SigningKey::es256(kid).unwrap()
}

/// Verifies many tokens at once.
async fn all_at_once(w: &World, tokens: Vec<String>) -> Vec<bool> {
    let tasks: Vec<_> = tokens
        .into_iter()
        .map(|t| {
            let oidc = Arc::clone(&w.oidc);
            tokio::spawn(async move {
                oidc.verify_token(&Secret::new(t), &Sender::default(), "192.0.2.7")
                    .await
            })
        })
        .collect();
    let mut out = Vec::new();
    for task in tasks {
        out.push(task.await.unwrap().is_ok());
    }
    out
}

#[tokio::test]
async fn nothing_is_fetched_before_a_token_comes() {
    let w = world().await;
    assert_eq!(w.idp.fetches(DISCOVERY_PATH) + w.idp.fetches(JWKS_PATH), 0);
}

#[tokio::test]
async fn many_first_tokens_make_one_fetch() {
    let w = world().await;
    let tokens = (0..50)
        .map(|n| w.token().claim("jti", format!("t{n}")).sign().unwrap())
        .collect();
    assert!(all_at_once(&w, tokens).await.iter().all(|ok| *ok));
    assert_eq!(w.idp.fetches(JWKS_PATH), 1);
    assert_eq!(w.idp.fetches(DISCOVERY_PATH), 1);
}

#[tokio::test]
async fn a_storm_of_unknown_key_ids_makes_one_fetch_per_interval() {
    let w = world().await;
    w.accepts(&w.token()).await;
    let storm = || {
        (0..100)
            .map(|n| {
                w.token()
                    .header("kid", format!("storm-{n}"))
                    .sign()
                    .unwrap()
            })
            .collect::<Vec<_>>()
    };
    assert!(all_at_once(&w, storm()).await.iter().all(|ok| !ok));
    assert_eq!(w.idp.fetches(JWKS_PATH), 1, "a fetch was just made");
    for interval in 1..=3 {
        w.clock.step(10);
        assert!(all_at_once(&w, storm()).await.iter().all(|ok| !ok));
        assert_eq!(w.idp.fetches(JWKS_PATH), 1 + interval);
    }
    w.accepts(&w.token()).await;
}

#[tokio::test]
async fn a_new_key_is_found_when_it_is_first_used() {
    let w = world().await;
    w.accepts(&w.token()).await;
    let new = key("key-2");
    w.idp.publish(&[w.idp.key().clone(), new.clone()]);
    w.clock.step(11);
    w.accepts(&w.token().signed_by(&new)).await;
    w.accepts(&w.token()).await;
    assert_eq!(w.idp.fetches(JWKS_PATH), 2);
}

#[tokio::test]
async fn a_removed_key_is_good_no_longer_once_keys_are_refreshed() {
    let w = world().await;
    let long = w
        .token()
        .claim("exp", w.clock.seconds() + 3600)
        .kept()
        .unwrap();
    w.accepts(&long).await;
    w.idp.publish(&[key("key-2")]);
    w.clock.step(301);
    w.rejects(&long, "no such key").await;
    w.rejects(&w.token(), "no such key").await;
}

#[tokio::test]
async fn a_key_replaced_under_the_same_id_takes_its_tokens_with_it() {
    let w = world().await;
    let long = w
        .token()
        .claim("exp", w.clock.seconds() + 3600)
        .kept()
        .unwrap();
    w.accepts(&long).await;
    let replaced = key("key-1");
    w.idp.publish(std::slice::from_ref(&replaced));
    w.clock.step(301);
    w.rejects(&long, "signature").await;
    w.accepts(&w.token().signed_by(&replaced)).await;
}

#[tokio::test]
async fn known_keys_bridge_an_outage_for_a_bounded_time() {
    let w = world().await;
    w.accepts(&w.token()).await;
    w.idp.set_down(true);
    w.clock.step(3500);
    w.accepts(&w.token()).await;
    w.cannot_tell(&w.token().header("kid", "key-2")).await;
    w.clock.step(101);
    w.cannot_tell(&w.token()).await;
    w.idp.set_down(false);
    w.cannot_tell(&w.token()).await;
    w.clock.step(10);
    w.accepts(&w.token()).await;
}

#[tokio::test]
async fn a_token_verified_before_is_not_good_on_stale_keys_either() {
    let w = world_with(|c| c.lifetime_max = std::time::Duration::from_secs(86_400)).await;
    let long = w
        .token()
        .claim("exp", w.clock.seconds() + 86_000)
        .kept()
        .unwrap();
    w.accepts(&long).await;
    w.idp.set_down(true);
    w.clock.step(3601);
    w.cannot_tell(&long).await;
}

#[tokio::test]
async fn an_outage_at_first_use_refuses_and_is_retried_at_intervals() {
    let w = world().await;
    w.idp.set_down(true);
    for _ in 0..20 {
        w.cannot_tell(&w.token()).await;
    }
    assert_eq!(w.idp.fetches(DISCOVERY_PATH), 1);
    w.clock.step(10);
    w.idp.set_down(false);
    w.accepts(&w.token()).await;
}

#[tokio::test]
async fn nonsense_from_the_provider_is_an_outage() {
    let answers = [
        Answer::status(500),
        Answer::status(404),
        Answer::status(204),
        Answer::text(""),
        Answer::text("<html>"),
        Answer::text("[]"),
        Answer::text("{\"keys\":[]}"),
        Answer::text("{\"keys\":{}}"),
        Answer::text("{\"keys\":[],\"keys\":[]}"),
        Answer::json(&json!({"keys": [{"kty": "oct", "kid": "key-1", "k": "c2VjcmV0"}]})),
        Answer::text(&format!(
            "{{\"keys\":[],\"pad\":\"{}\"}}",
            "x".repeat(600_000)
        )),
    ];
    let w = world().await;
    let good = Answer::json(&json!({"keys": [w.idp.key().jwk()]}));
    for answer in answers {
        w.idp.answer(JWKS_PATH, answer);
        w.cannot_tell(&w.token()).await;
        w.clock.step(10);
    }
    w.idp.answer(JWKS_PATH, good);
    w.accepts(&w.token()).await;
}

#[tokio::test]
async fn nonsense_does_not_displace_good_keys() {
    let w = world().await;
    w.accepts(&w.token()).await;
    w.idp.answer(JWKS_PATH, Answer::text("{\"keys\":[]}"));
    w.clock.step(600);
    w.accepts(&w.token()).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let w = world().await;
    let evil = Idp::start().await.unwrap();
    for path in [JWKS_PATH, DISCOVERY_PATH] {
        w.idp
            .answer(path, Answer::redirect(&format!("{}{path}", evil.issuer())));
        w.cannot_tell(&w.token()).await;
        w.clock.step(10);
    }
    assert_eq!(evil.fetches(JWKS_PATH) + evil.fetches(DISCOVERY_PATH), 0);
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_refused() {
    let w = world().await;
    let issuer = w.idp.issuer();
    let keys = format!("{issuer}{JWKS_PATH}");
    for document in [
        json!({"issuer": format!("{issuer}/"), "jwks_uri": keys}),
        json!({"issuer": "https://evil.example", "jwks_uri": keys}),
        json!({"jwks_uri": keys}),
        json!({"issuer": issuer}),
        json!({"issuer": issuer, "jwks_uri": "http://169.254.169.254/latest"}),
        json!({"issuer": issuer, "jwks_uri": "file:///etc/passwd"}),
        json!({"issuer": issuer, "jwks_uri": "/keys"}),
        json!({"issuer": issuer, "jwks_uri": [keys]}),
    ] {
        w.idp.answer(DISCOVERY_PATH, Answer::json(&document));
        w.cannot_tell(&w.token()).await;
        w.clock.step(10);
    }
    assert_eq!(w.idp.fetches(JWKS_PATH), 0);
}

#[tokio::test]
async fn a_given_jwks_uri_needs_no_discovery() {
    let w = world().await;
    let mut config = config_of(&w.idp);
    config.jwks_uri = Some(format!("{}/other", w.idp.issuer()));
    w.oidc.reconfigure(vec![config]).unwrap();
    w.idp.answer(
        "/other",
        Answer::json(&json!({"keys": [w.idp.key().jwk()]})),
    );
    w.accepts(&w.token()).await;
    assert_eq!(w.idp.fetches(DISCOVERY_PATH) + w.idp.fetches(JWKS_PATH), 0);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_undo_the_fetch() {
    let w = world().await;
    w.idp.answer(JWKS_PATH, Answer::never());
    for _ in 0..5 {
        let oidc = Arc::clone(&w.oidc);
        let token = Secret::new(w.token().sign().unwrap());
        let caller = tokio::spawn(async move {
            oidc.verify_token(&token, &Sender::default(), "192.0.2.7")
                .await
        });
        while w.idp.fetches(JWKS_PATH) == 0 {
            tokio::task::yield_now().await;
        }
        caller.abort();
    }
    assert_eq!(
        w.idp.fetches(JWKS_PATH),
        1,
        "one fetch goes on for whoever comes next"
    );
}

#[tokio::test]
async fn an_ambiguous_key_id_names_no_key() {
    let w = world().await;
    w.idp
        .publish(&[w.idp.key().clone(), key("key-1"), key("key-2")]);
    w.rejects(&w.token(), "its key is not for its algorithm")
        .await;
}

#[tokio::test]
async fn outages_are_not_held_against_the_source() {
    let w = crate::support::world_limited(
        brattice_identity::throttle::ThrottleLimits {
            failures_max: 3,
            ..Default::default()
        },
        |_| {},
    )
    .await;
    w.idp.set_down(true);
    for _ in 0..10 {
        w.cannot_tell(&w.token()).await;
    }
    w.idp.set_down(false);
    w.clock.step(10);
    let known = w.token().kept().unwrap();
    w.accepts(&known).await;
    for n in 0..3 {
        w.rejects(&w.token().claim("sub", json!(n)), "sub").await;
    }
    let fresh = w.token().claim("jti", "fresh");
    let wrong = w.token().claim("sub", json!(4));
    assert!(matches!(w.verify(&wrong).await, Err(AuthError::Throttled)));
    w.accepts(&known).await;
    w.accepts(&fresh).await;
    let elsewhere = Secret::new(wrong.sign().unwrap());
    let said = w
        .oidc
        .verify_token(&elsewhere, &Sender::default(), "192.0.2.8")
        .await;
    assert!(matches!(said, Err(AuthError::Rejected(_))), "{said:?}");
    w.clock.step(3);
    w.rejects(&wrong, "sub").await;
}

//! Tokens that come again: from memory, after a change of settings, after being told to forget.

use crate::support::{config_of, world, world_limited};
use brattice_core::ports::AuthError;
use brattice_identity::throttle::ThrottleLimits;
use brattice_testkit::idp::{JWKS_PATH, SigningKey};
use std::time::Duration;

#[tokio::test]
async fn the_same_token_is_verified_from_memory() {
    let w = world().await;
    let token = w.token().kept().unwrap();
    let first = w.accepts(&token).await;
    let again = w.accepts(&token).await;
    assert_eq!(first.chain, again.chain);
    assert_eq!(first.expires_at, again.expires_at);
    assert_eq!(w.idp.fetches(JWKS_PATH), 1);
}

#[tokio::test]
async fn a_near_copy_of_a_known_token_is_not_known() {
    let w = world().await;
    let signed = w.token().sign().unwrap();
    w.verify_text(&signed).await.unwrap();
    for near in [
        format!("{signed}A"),
        format!("{signed}="),
        signed.to_lowercase(),
        format!(" {signed}"),
    ] {
        assert!(w.verify_text(&near).await.is_err());
    }
}

#[tokio::test]
async fn a_provider_taken_out_takes_its_tokens_with_it() {
    let w = world().await;
    let token = w.token().kept().unwrap();
    w.accepts(&token).await;
    w.oidc.reconfigure(Vec::new()).unwrap();
    w.rejects(&token, "no configured provider").await;
}

#[tokio::test]
async fn tightened_settings_count_for_known_tokens() {
    let w = world().await;
    let token = w.token().kept().unwrap();
    w.accepts(&token).await;
    let mut config = config_of(&w.idp);
    config.lifetime_max = Duration::from_secs(60);
    w.oidc.reconfigure(vec![config]).unwrap();
    w.rejects(&token, "lives longer").await;
}

#[tokio::test]
async fn settings_that_cannot_be_change_nothing() {
    let w = world().await;
    let mut config = config_of(&w.idp);
    config.leeway = Duration::from_secs(600);
    let error = w.oidc.reconfigure(vec![config]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`okta`: leeway: at most 60 seconds")
    );
    w.accepts(&w.token()).await;
}

#[tokio::test]
async fn a_provider_whose_settings_stay_keeps_its_keys() {
    let w = world().await;
    w.accepts(&w.token()).await;
    w.oidc.reconfigure(vec![config_of(&w.idp)]).unwrap();
    w.accepts(&w.token()).await;
    assert_eq!(w.idp.fetches(JWKS_PATH), 1);
}

#[tokio::test]
async fn what_was_verified_can_be_forgotten() {
    let w = world().await;
    w.accepts(&w.token()).await;
    w.oidc.forget_verified();
    w.accepts(&w.token()).await;
}

#[tokio::test]
async fn guessing_is_throttled_by_source_and_good_tokens_still_pass() {
    let limits = ThrottleLimits {
        failures_max: 5,
        ..ThrottleLimits::default()
    };
    let w = world_limited(limits, |_| {}).await;
    let known = w.token().kept().unwrap();
    w.accepts(&known).await;
    let forger = SigningKey::es256("key-1").unwrap();
    let mut throttled = 0;
    for n in 0..10_000 {
        let guess = format!("{}.{n}", w.token().unsigned());
        match w.verify_text(&guess).await {
            Err(AuthError::Rejected(_)) => {}
            Err(AuthError::Throttled) => throttled += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(throttled, 9_995);
    let forged = w.token().signed_by(&forger);
    assert!(matches!(w.verify(&forged).await, Err(AuthError::Throttled)));
    w.accepts(&known).await;
    w.accepts(&w.token().claim("jti", "never seen before"))
        .await;
}

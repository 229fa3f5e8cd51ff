//! ID6: clocks that differ, clocks that go back, dates that are none, lives that are too long.

use crate::support::{NOW, minutes, world, world_with};
use brattice_core::time::Timestamp;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn thirty_seconds_of_difference_are_tolerated_and_ten_minutes_are_not() {
    let w = world().await;
    let expired = |ago: i64| w.token().claim("iat", NOW - 900).claim("exp", NOW - ago);
    w.accepts(&expired(29)).await;
    w.rejects(&expired(30), "expired").await;
    w.rejects(&expired(31), "expired").await;
    w.rejects(&expired(600), "expired").await;
    w.accepts(&w.token().claim("iat", NOW + 30)).await;
    w.rejects(&w.token().claim("iat", NOW + 31), "not valid yet")
        .await;
    w.rejects(&w.token().claim("iat", NOW + 200), "not valid yet")
        .await;
    w.accepts(&w.token().claim("nbf", NOW + 30)).await;
    w.rejects(&w.token().claim("nbf", NOW + 31), "not valid yet")
        .await;
    w.rejects(&w.token().claim("nbf", NOW + 600), "not valid yet")
        .await;
}

#[tokio::test]
async fn without_leeway_the_instant_of_expiry_is_too_late() {
    let w = world_with(|c| c.leeway = Duration::ZERO).await;
    let until = |exp: i64| w.token().claim("iat", NOW - 60).claim("exp", exp);
    w.rejects(&until(NOW), "expired").await;
    w.accepts(&until(NOW + 1)).await;
    w.rejects(&w.token().claim("iat", NOW + 1), "not valid yet")
        .await;
}

#[tokio::test]
async fn the_proof_ends_when_the_token_would_be_refused() {
    let w = world().await;
    let identity = w.accepts(&w.token()).await;
    assert_eq!(identity.expires_at, Timestamp::from_seconds(NOW + 300 + 30));
    assert_eq!(identity.authenticated_at, Timestamp::from_seconds(NOW));
    let token = w.token().kept().unwrap();
    w.accepts(&token).await;
    w.clock.step(329);
    w.accepts(&token).await;
    w.clock.step(1);
    w.rejects(&token, "expired").await;
}

#[tokio::test]
async fn a_clock_that_goes_back_brings_no_expired_token_back() {
    let w = world().await;
    let old = w.token().kept().unwrap();
    w.accepts(&old).await;
    w.clock.step(331);
    w.rejects(&old, "expired").await;
    w.clock.step(-300);
    w.rejects(&old, "expired").await;
    w.clock.step(-100_000);
    w.rejects(&old, "expired").await;
    let fresh = w.idp.token(NOW + 331);
    w.accepts(&fresh).await;
}

#[tokio::test]
async fn dates_are_json_numbers_in_a_sensible_range() {
    let w = world().await;
    for claim in ["exp", "iat", "nbf", "auth_time"] {
        for value in [
            json!((NOW + 100).to_string()),
            json!(null),
            json!([NOW + 100]),
            json!(true),
            json!(-1),
            json!(-0.5),
            json!(u64::MAX),
            json!(1e300),
            json!("2027-01-15T08:00:00Z"),
        ] {
            w.rejects(&w.token().claim(claim, value), "is not a number of seconds")
                .await;
        }
    }
    w.rejects(&w.token().without("exp"), "`exp` is missing")
        .await;
    w.rejects(&w.token().without("iat"), "`iat` is missing")
        .await;
    for raw in ["1e999", "NaN", "Infinity", "0x7fffffff", "1_800_000_100"] {
        let claims = w
            .token()
            .claims_text()
            .replace(&format!("\"exp\":{}", NOW + 300), &format!("\"exp\":{raw}"));
        assert!(claims.contains(raw));
        w.rejects(&w.token().raw_claims(&claims), "not one JSON object")
            .await;
    }
}

#[tokio::test]
async fn fractions_of_a_second_are_read() {
    let w = world_with(|c| c.leeway = Duration::ZERO).await;
    let token = w
        .token()
        .claim("iat", NOW as f64 - 0.5)
        .claim("exp", NOW as f64 + 100.25);
    let identity = w.accepts(&token).await;
    assert_eq!(
        identity.expires_at,
        Timestamp(NOW * 1_000_000 + 100_250_000)
    );
}

#[tokio::test]
async fn a_token_that_lives_too_long_is_refused() {
    let w = world_with(|c| c.lifetime_max = minutes(15)).await;
    w.accepts(&w.token().claim("exp", NOW + 900)).await;
    w.rejects(&w.token().claim("exp", NOW + 901), "lives longer")
        .await;
    w.rejects(&w.token().claim("exp", 253_402_300_799_i64), "lives longer")
        .await;
    w.rejects(&w.token().claim("iat", 0), "lives longer").await;
}

#[tokio::test]
async fn a_token_that_ends_before_it_begins_is_refused() {
    let w = world().await;
    w.rejects(
        &w.token().claim("iat", NOW + 10).claim("exp", NOW + 10),
        "is not after iat",
    )
    .await;
    w.rejects(
        &w.token().claim("iat", NOW + 10).claim("exp", NOW + 5),
        "is not after iat",
    )
    .await;
}

#[tokio::test]
async fn when_somebody_authenticated_is_not_in_the_future() {
    let w = world().await;
    let identity = w.accepts(&w.token().claim("auth_time", NOW - 5000)).await;
    assert_eq!(
        identity.authenticated_at,
        Timestamp::from_seconds(NOW - 5000)
    );
    w.rejects(&w.token().claim("auth_time", NOW + 31), "in the future")
        .await;
}

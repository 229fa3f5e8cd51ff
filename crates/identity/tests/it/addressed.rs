//! ID2 and ID4: tokens of another issuer, for another audience, of another sort or client.

use crate::support::{config_of, world, world_with};
use brattice_testkit::idp::Idp;
use serde_json::{Value, json};

#[tokio::test]
async fn the_issuer_is_compared_as_it_is_written() {
    let w = world().await;
    let issuer = w.idp.issuer().to_owned();
    for other in [
        format!("{issuer}/"),
        issuer.to_uppercase(),
        format!("{issuer} "),
        issuer.replace("127.0.0.1", "localhost"),
        format!("{issuer}#"),
        "https://evil.example".to_owned(),
        String::new(),
    ] {
        w.rejects(&w.token().claim("iss", other), "no configured provider")
            .await;
    }
    for other in [json!([issuer]), json!(null), json!({"iss": issuer})] {
        w.rejects(&w.token().claim("iss", other), "no configured provider")
            .await;
    }
    w.rejects(&w.token().without("iss"), "no configured provider")
        .await;
}

#[tokio::test]
async fn one_provider_cannot_speak_for_another() {
    let w = world().await;
    let other = Idp::start().await.unwrap();
    let mut second = config_of(&other);
    second.name = "other".into();
    w.oidc.reconfigure(vec![config_of(&w.idp), second]).unwrap();
    let as_of = w.clock.seconds();
    assert_eq!(
        w.accepts(&w.token()).await.chain.to_string(),
        "agent:okta/etl-7"
    );
    assert_eq!(
        w.accepts(&other.token(as_of)).await.chain.to_string(),
        "agent:other/etl-7"
    );
    let forged = other.token(as_of).claim("iss", w.idp.issuer());
    w.rejects(&forged, "signature").await;
    let crossed = w.token().claim("iss", other.issuer());
    w.rejects(&crossed, "signature").await;
}

#[tokio::test]
async fn the_audience_is_this_gateway() {
    let w = world().await;
    for aud in [
        json!("other"),
        json!("brattice "),
        json!("BRATTICE"),
        json!("brattice.example"),
        json!("brattice,other"),
        json!(""),
        json!([]),
        json!(["other"]),
        json!([["brattice"]]),
        json!(null),
        json!(true),
        json!({"brattice": true}),
        json!(["brattice", 7]),
        json!(["brattice", null]),
    ] {
        w.rejects(&w.token().claim("aud", aud), "not for this gateway")
            .await;
    }
    w.rejects(&w.token().without("aud"), "not for this gateway")
        .await;
    w.accepts(&w.token().claim("aud", json!(["brattice"])))
        .await;
}

#[tokio::test]
async fn a_token_for_others_too_is_refused_unless_they_are_known() {
    let w = world_with(|c| c.audience_beside = vec!["account".into()]).await;
    w.accepts(&w.token().claim("aud", json!(["account", "brattice"])))
        .await;
    w.rejects(
        &w.token().claim("aud", json!(["brattice", "wiki"])),
        "also for somebody else",
    )
    .await;
    w.rejects(
        &w.token().claim("aud", json!(["account"])),
        "not for this gateway",
    )
    .await;
}

#[tokio::test]
async fn an_id_token_is_no_access_token() {
    let w = world().await;
    for (claim, value) in [
        ("nonce", json!("n")),
        ("at_hash", json!("h")),
        ("c_hash", json!("h")),
        ("s_hash", json!("h")),
        ("nonce", json!(null)),
        (
            "events",
            json!({"http://schemas.openid.net/event/backchannel-logout": {}}),
        ),
        ("typ", json!("ID")),
        ("typ", json!("Refresh")),
        ("typ", json!(7)),
        ("token_use", json!("id")),
    ] {
        w.rejects(&w.token().claim(claim, value), "not an access token")
            .await;
    }
    w.accepts(
        &w.token()
            .claim("typ", "Bearer")
            .claim("token_use", "access"),
    )
    .await;
}

#[tokio::test]
async fn a_token_of_another_type_is_refused() {
    let w = world().await;
    for typ in [
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "id+jwt",
        "at+jwt2",
        "",
        "JWE",
    ] {
        w.rejects(&w.token().header("typ", typ), "not an access token")
            .await;
    }
    w.rejects(
        &w.token().header("typ", json!(["at+jwt"])),
        "typ that is no text",
    )
    .await;
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "JWT", "jwt"] {
        w.accepts(&w.token().header("typ", typ)).await;
    }
    w.accepts(&w.token().without_header("typ")).await;
}

#[tokio::test]
async fn at_jwt_can_be_required() {
    let w = world_with(|c| c.access_token_type_required = true).await;
    w.accepts(&w.token()).await;
    w.accepts(&w.token().header("typ", "application/at+jwt"))
        .await;
    w.rejects(&w.token().header("typ", "JWT"), "typ is not at+jwt")
        .await;
    w.rejects(&w.token().without_header("typ"), "typ is not at+jwt")
        .await;
}

#[tokio::test]
async fn only_listed_clients_count_when_clients_are_listed() {
    let w = world_with(|c| c.clients = vec!["agents".into(), "console".into()]).await;
    w.rejects(&w.token(), "client").await;
    for claim in ["azp", "client_id", "cid", "appid"] {
        w.accepts(&w.token().claim(claim, "agents")).await;
        for other in [
            json!("wiki"),
            json!(""),
            json!("Agents"),
            json!(null),
            json!(["agents"]),
        ] {
            w.rejects(&w.token().claim(claim, other), "client").await;
        }
    }
    let both = |azp: &str, id: &str| w.token().claim("azp", azp).claim("client_id", id);
    w.accepts(&both("agents", "console")).await;
    w.rejects(&both("agents", "wiki"), "client").await;
    w.rejects(&both("wiki", "agents"), "client").await;
}

#[tokio::test]
async fn a_token_bound_in_an_unknown_way_is_refused() {
    let w = world().await;
    for cnf in [
        json!({"jkt": "x"}),
        json!({"x5t#S256": "x"}),
        json!({}),
        Value::Null,
    ] {
        w.rejects(&w.token().claim("cnf", cnf), "bound to something")
            .await;
    }
}

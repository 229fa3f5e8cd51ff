//! How the provider is reached: over TLS, with a certificate that the right authority vouches for.

use crate::support::world_over_tls;
use brattice_testkit::idp::{Answer, DISCOVERY_PATH, Idp, JWKS_PATH};
use serde_json::json;

fn pem(idp: &Idp) -> Option<Vec<u8>> {
    idp.certificate().map(|c| c.as_bytes().to_vec())
}

#[tokio::test]
async fn an_authority_that_was_named_is_trusted() {
    let idp = Idp::start_tls().await.unwrap();
    let ca = pem(&idp);
    let w = world_over_tls(idp, |c| c.ca = ca);
    w.accepts(&w.token()).await;
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_an_outage() {
    let w = world_over_tls(Idp::start_tls().await.unwrap(), |_| {});
    w.cannot_tell(&w.token()).await;
    assert_eq!(w.idp.fetches(DISCOVERY_PATH), 0);
}

#[tokio::test]
async fn the_named_authority_is_the_only_one() {
    let other = pem(&Idp::start_tls().await.unwrap());
    let w = world_over_tls(Idp::start_tls().await.unwrap(), |c| c.ca = other);
    w.cannot_tell(&w.token()).await;
    assert_eq!(w.idp.fetches(DISCOVERY_PATH), 0);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let idp = Idp::start_tls().await.unwrap();
    let ca = pem(&idp);
    let elsewhere = idp.issuer().replace("127.0.0.1", "localhost");
    let document = json!({"issuer": elsewhere, "jwks_uri": format!("{elsewhere}{JWKS_PATH}")});
    idp.answer(DISCOVERY_PATH, Answer::json(&document));
    let w = world_over_tls(idp, |c| {
        c.ca = ca;
        c.issuer = elsewhere.clone();
    });
    w.cannot_tell(&w.token().claim("iss", elsewhere)).await;
    assert_eq!(w.idp.fetches(DISCOVERY_PATH), 0);
}

#[tokio::test]
async fn discovery_does_not_lead_from_https_to_http() {
    let plain = Idp::start().await.unwrap();
    let idp = Idp::start_tls().await.unwrap();
    plain.publish(std::slice::from_ref(idp.key()));
    let keys = format!("{}{JWKS_PATH}", plain.issuer());
    let document = json!({"issuer": idp.issuer(), "jwks_uri": keys});
    idp.answer(DISCOVERY_PATH, Answer::json(&document));
    let ca = pem(&idp);
    let w = world_over_tls(idp, |c| c.ca = ca);
    w.cannot_tell(&w.token()).await;
    assert_eq!(plain.fetches(JWKS_PATH), 0);
}

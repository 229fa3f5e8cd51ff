//! ID1: tokens that nobody with the provider's key signed as they are.

use crate::support::{world, world_with};
use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use brattice_identity::oidc::SigningAlgorithm;
use brattice_testkit::idp::{JWKS_PATH, SigningKey};
use jsonwebtoken::Algorithm;
use serde_json::json;
use std::sync::OnceLock;

fn rsa() -> SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::rsa("rsa-1").unwrap())
        .clone()
}

#[tokio::test]
async fn a_good_token_proves_its_subject() {
    let w = world().await;
    let identity = w.accepts(&w.token()).await;
    assert_eq!(identity.chain.to_string(), "agent:okta/etl-7");
    assert_eq!(identity.token_id.as_deref(), Some("token-1"));
    assert!(!identity.binding.is_any() && !identity.mfa && identity.credential.is_none());
}

#[tokio::test]
async fn every_pinned_algorithm_verifies() {
    let keys = [
        rsa(),
        rsa().named("rsa-2").signing_by(Algorithm::RS384),
        rsa().named("rsa-3").signing_by(Algorithm::RS512),
        rsa().named("rsa-4").signing_by(Algorithm::PS256),
        rsa().named("rsa-5").signing_by(Algorithm::PS384),
        rsa().named("rsa-6").signing_by(Algorithm::PS512),
        SigningKey::es256("es-1").unwrap(),
        SigningKey::es384("es-2").unwrap(),
        SigningKey::eddsa("ed-1").unwrap(),
    ];
    let w = world_with(|c| c.algorithms = SigningAlgorithm::ALL.to_vec()).await;
    w.idp.publish(&keys);
    for key in &keys {
        w.accepts(&w.token().signed_by(key)).await;
    }
}

#[tokio::test]
async fn no_spelling_of_none_is_an_algorithm() {
    let w = world_with(|c| c.algorithms = SigningAlgorithm::ALL.to_vec()).await;
    for alg in ["none", "None", "nOnE", "NONE", "", "none ", "\0none"] {
        let token = w.token().header("alg", alg);
        w.rejects(&token, "algorithm").await;
        w.rejects_text(&format!("{}.", token.unsigned()), "not a signed token")
            .await;
        w.rejects_text(&token.unsigned(), "not a signed token")
            .await;
    }
    for alg in [
        json!(null),
        json!(0),
        json!(["ES256"]),
        json!({"a": "ES256"}),
    ] {
        w.rejects(&w.token().header("alg", alg), "algorithm").await;
    }
    w.rejects(&w.token().without_header("alg"), "algorithm")
        .await;
    assert_eq!(
        w.idp.fetches(JWKS_PATH),
        0,
        "nobody is asked about such a token"
    );
}

#[tokio::test]
async fn a_public_key_is_never_a_shared_secret() {
    let w = world_with(|c| c.algorithms = SigningAlgorithm::ALL.to_vec()).await;
    w.idp.publish(&[rsa()]);
    let jwk = rsa().jwk();
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    for secret in [rsa().public_pem().as_bytes(), &modulus, b""] {
        let forger = SigningKey::hs256("rsa-1", secret);
        w.rejects(&w.token().signed_by(&forger), "algorithm").await;
        for alg in ["RS256", "HS256", "HS384", "hs256"] {
            let token = w.token().signed_by(&forger).header("alg", alg);
            assert!(w.verify(&token).await.is_err(), "{alg}");
        }
    }
}

#[tokio::test]
async fn a_shared_secret_in_the_key_set_is_no_key() {
    let w = world_with(|c| c.algorithms = SigningAlgorithm::ALL.to_vec()).await;
    let shared = SigningKey::hs256("shared", b"secret");
    w.idp.publish(&[w.idp.key().clone(), shared.clone()]);
    w.accepts(&w.token()).await;
    w.rejects(&w.token().signed_by(&shared), "algorithm").await;
    w.rejects(
        &w.token().signed_by(&shared).header("alg", "ES256"),
        "no such key",
    )
    .await;
}

#[tokio::test]
async fn an_algorithm_that_was_not_pinned_is_refused_though_its_key_is_right() {
    let w = world_with(|c| c.algorithms = vec![SigningAlgorithm::PS256]).await;
    w.idp.publish(&[rsa()]);
    w.rejects(&w.token().signed_by(&rsa()), "algorithm").await;
    w.accepts(&w.token().signed_by(&rsa().signing_by(Algorithm::PS256)))
        .await;
}

#[tokio::test]
async fn a_key_of_one_sort_is_not_taken_for_another() {
    let w = world_with(|c| c.algorithms = SigningAlgorithm::ALL.to_vec()).await;
    let ed = SigningKey::eddsa("key-1").unwrap();
    w.rejects(
        &w.token().signed_by(&ed),
        "its key is not for its algorithm",
    )
    .await;
    let p384 = SigningKey::es384("key-1").unwrap();
    w.rejects(
        &w.token().signed_by(&p384),
        "its key is not for its algorithm",
    )
    .await;
    w.rejects(
        &w.token().signed_by(&rsa().named("key-1")),
        "its key is not for its algorithm",
    )
    .await;
}

#[tokio::test]
async fn a_sender_does_not_choose_the_key() {
    let w = world().await;
    let own = SigningKey::es256("key-1").unwrap();
    w.rejects(&w.token().signed_by(&own), "signature").await;
    let uri = format!("{}/evil", w.idp.issuer());
    for (name, value) in [
        ("jku", json!(uri)),
        ("x5u", json!(uri)),
        ("jwk", own.jwk()),
        ("x5c", json!(["AAAA"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("enc", json!("A128GCM")),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
    ] {
        let token = w.token().signed_by(&own).header(name, value.clone());
        w.rejects(&token, "never accepted").await;
        let honest = w.token().header(name, value);
        w.rejects(&honest, "never accepted").await;
    }
    assert_eq!(w.idp.fetches("/evil"), 0);
}

#[tokio::test]
async fn a_key_id_names_a_key_of_the_set_and_nothing_else() {
    let w = world().await;
    for kid in [
        "../../dev/null",
        "/dev/null",
        "key-1' OR '1'='1",
        "KEY-1",
        "key-1 ",
        "key-1\0",
        "http://127.0.0.1/keys",
    ] {
        w.rejects(&w.token().header("kid", kid), "no such key")
            .await;
    }
    w.rejects(&w.token().without_header("kid"), "names no key")
        .await;
    w.rejects(&w.token().header("kid", ""), "names no key")
        .await;
    w.rejects(&w.token().header("kid", "k".repeat(300)), "names no key")
        .await;
    w.rejects(&w.token().header("kid", json!(["key-1"])), "names no key")
        .await;
}

#[tokio::test]
async fn a_changed_token_is_refused() {
    let w = world().await;
    let token = w.token();
    let signed = token.sign().unwrap();
    let (_, signature) = signed.rsplit_once('.').unwrap();
    let other = w.token().claim("sub", "admin").unsigned();
    w.rejects_text(&format!("{other}.{signature}"), "signature")
        .await;

    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let unsigned = token.unsigned();
    for i in [0, 31, 32, 63] {
        bytes[i] ^= 1;
        let changed = URL_SAFE_NO_PAD.encode(&bytes);
        w.rejects_text(&format!("{unsigned}.{changed}"), "signature")
            .await;
        bytes[i] ^= 1;
    }
    for wrong in [
        vec![0; 64],
        vec![0; 63],
        Vec::new(),
        vec![0; 10_000],
        vec![0x30, 0x06, 2, 1, 0, 2, 1, 0],
    ] {
        let text = format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(wrong));
        assert!(w.verify_text(&text).await.is_err());
    }
    w.accepts(&token).await;
}

#[tokio::test]
async fn every_changed_byte_of_a_token_is_noticed() {
    let w = world().await;
    let good = w.token().sign().unwrap();
    for i in 0..good.len() {
        let mut changed = good.clone().into_bytes();
        changed[i] = if changed[i] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(w.verify_text(&changed).await.is_err(), "byte {i}");
        assert!(
            w.verify_text(good.get(..i).unwrap()).await.is_err(),
            "cut at {i}"
        );
    }
    w.verify_text(&good).await.unwrap();
}

#[tokio::test]
async fn what_is_not_a_compact_token_is_refused() {
    let w = world().await;
    let good = w.token().sign().unwrap();
    let padded = format!("{}.{}", w.token().unsigned(), URL_SAFE.encode([1; 64]));
    let long = format!("{good}{}", "A".repeat(20_000));
    for text in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "hunter2",
        &format!("Bearer {good}"),
        &format!("{good}."),
        &format!("{good}.e30"),
        &format!("{good} "),
        &format!("{good}\n"),
        &format!(".{good}"),
        &padded,
        &long,
        "{\"payload\":\"e30\",\"signatures\":[]}",
    ] {
        assert!(
            w.verify_text(text).await.is_err(),
            "{}",
            text.get(..40).unwrap_or(text)
        );
    }
    let invalid = brattice_core::secret::Secret::new(vec![0xff, 0xfe]);
    use brattice_core::ports::Authenticator;
    assert!(
        w.oidc
            .verify_token(&invalid, &Default::default(), "x")
            .await
            .is_err()
    );
    w.verify_text(&good).await.unwrap();
}

#[tokio::test]
async fn a_repeated_claim_or_header_is_refused_though_it_was_signed() {
    let w = world().await;
    let claims = w.token().claims_text();
    for extra in [
        r#","sub":"admin"}"#,
        r#","s\u0075b":"admin"}"#,
        r#","aud":"other"}"#,
        r#","exp":9999999999}"#,
    ] {
        let doubled = format!("{}{extra}", claims.strip_suffix('}').unwrap());
        w.rejects(&w.token().raw_claims(&doubled), "not one JSON object")
            .await;
    }
    let header = r#"{"alg":"ES256","kid":"key-1","kid":"key-1"}"#;
    w.rejects(&w.token().raw_header(header), "not one JSON object")
        .await;
    for raw in ["[]", "null", "\"x\"", "", "{", "{}{}", "{\"a\":1}x"] {
        w.rejects(&w.token().raw_claims(raw), "not one JSON object")
            .await;
        w.rejects(&w.token().raw_header(raw), "not one JSON object")
            .await;
    }
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(3_000), "]".repeat(3_000));
    w.rejects(&w.token().raw_claims(&deep), "not one JSON object")
        .await;
}

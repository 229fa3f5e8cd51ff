//! Tokens that are bound to the key of DPoP proofs (RFC 9449). The proofs are PyJWT's.

use super::{ACCESS, GRANT, Place, token_request};
use crate::world::{READER, SHOP};
use serde_json::{Value, json};

const COUNT: &str = "SELECT count(*) FROM notes;";

impl Place {
    /// A proof that Python makes with the key of this name, of a fresh one if there is none.
    fn wish(&self, key: &str) -> Value {
        json!({ "key_file": self.file(key) })
    }

    /// A token that was traded with a proof by this key, and the key's thumbprint.
    fn bound(&self, key: &str, alg: &str) -> (String, String) {
        let parent = self.world.token(READER);
        let mut asked = token_request(&[
            ("grant_type", GRANT),
            ("subject_token", &parent),
            ("subject_token_type", ACCESS),
            ("scope", "read"),
        ]);
        asked["dpop"] = self.wish(key);
        asked["dpop"]["alg"] = alg.into();
        let said = self.ask(None, asked);
        assert_eq!(said["status"], 200, "{said}");
        assert_eq!(said["json"]["token_type"], "DPoP");
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        (
            text(&said["json"]["access_token"]),
            text(&said["thumbprint"]),
        )
    }

    /// `whoami` with this token, this scheme and a proof that was changed by this.
    fn shown(
        &self,
        token: &str,
        scheme: &str,
        key: &str,
        change: impl FnOnce(&mut Value),
    ) -> Value {
        let mut asked = json!({
            "method": "GET",
            "path": "/api/v1/whoami",
            "headers": {"authorization": format!("{scheme} {token}")},
            "dpop": self.wish(key),
        });
        asked["dpop"]["token"] = token.into();
        change(&mut asked);
        self.ask(None, asked)
    }
}

#[test]
fn a_bound_token_is_worth_nothing_without_its_key() {
    let place = Place::new();
    for alg in ["ES256", "ES384", "EdDSA", "PS256"] {
        let (token, thumbprint) = place.bound(alg, alg);
        let claims = token.split('.').nth(1).unwrap();
        let claims: Value = {
            use base64::Engine;
            let raw = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims);
            serde_json::from_slice(&raw.unwrap()).unwrap()
        };
        assert_eq!(claims["cnf"], json!({ "jkt": thumbprint }));
        let said = place.shown(&token, "DPoP", alg, |a| a["dpop"]["alg"] = alg.into());
        assert_eq!(said["status"], 200, "{alg}: {said}");
        assert_eq!(said["json"]["chain"][0]["id"], "dev/reader-1");
    }
    let (token, _) = place.bound("ours", "ES256");
    place.bound("theirs", "ES256");
    type Change = fn(&mut Value);
    let ours: [(&str, Change); 10] = [
        ("another method", |a| {
            a["dpop"]["claims"] = json!({"htm": "POST"})
        }),
        ("another address", |a| {
            a["dpop"]["claims"] = json!({"htu": "https://127.0.0.1/api/v1/whoami"})
        }),
        ("another token", |a| a["dpop"]["token"] = "x".into()),
        ("no token", |a| a["dpop"]["token"] = Value::Null),
        ("too old", |a| {
            a["dpop"]["claims"] = json!({"iat": 1_700_000_000})
        }),
        ("from the future", |a| {
            a["dpop"]["claims"] = json!({"iat": 4_000_000_000_u32})
        }),
        ("another sort", |a| {
            a["dpop"]["header"] = json!({"typ": "JWT"})
        }),
        ("a key from elsewhere", |a| {
            a["dpop"]["header"] = json!({"jku": "https://evil.example"})
        }),
        ("used twice", |a| a["times"] = 2.into()),
        ("none", |a| drop(a.as_object_mut().unwrap().remove("dpop"))),
    ];
    for (what, change) in ours {
        let said = place.shown(&token, "DPoP", "ours", change);
        assert_eq!(said["status"], 401, "{what}: {said}");
    }
    for (what, scheme, key) in [
        ("another's key", "DPoP", "theirs"),
        ("as bearer", "Bearer", "ours"),
    ] {
        let said = place.shown(&token, scheme, key, |_| {});
        assert_eq!(said["status"], 401, "{what}: {said}");
    }
    let said = place.shown(&place.world.token(READER), "DPoP", "ours", |_| {});
    assert_eq!(said["status"], 401, "a token that is not bound: {said}");
    assert_eq!(place.shown(&token, "DPoP", "ours", |_| {})["status"], 200);
}

#[test]
fn where_no_key_can_be_shown_a_credential_is_minted_with_it() {
    let place = Place::new();
    let (token, _) = place.bound("ours", "ES256");
    for user in ["agent", "reader-1"] {
        let said = place.psql(user, &token, None, COUNT);
        assert!(
            !said.is_good() && said.err.contains("mint a credential"),
            "{said:?}"
        );
    }
    let mint = |key: &str, scheme: &str| {
        let mut asked = json!({
            "method": "POST",
            "path": "/api/v1/credentials",
            "headers": {"authorization": format!("{scheme} {token}"), "content-type": "application/json"},
            "body": json!({"target": SHOP, "ttl_seconds": 60, "single_use": true}).to_string(),
            "dpop": place.wish(key),
        });
        asked["dpop"]["token"] = json!(token);
        place.ask(None, asked)
    };
    for (key, scheme) in [("theirs", "DPoP"), ("ours", "Bearer")] {
        assert_eq!(mint(key, scheme)["status"], 401);
    }
    let minted = mint("ours", "DPoP");
    assert_eq!(minted["status"], 201, "{minted}");
    let text = |name: &str| minted["json"][name].as_str().unwrap().to_owned();
    let said = place.psql(&text("id"), &text("password"), None, COUNT);
    assert!(said.is_good(), "{said:?}");
    assert!(
        !place
            .psql(&text("id"), &text("password"), None, COUNT)
            .is_good()
    );
}

#[test]
fn what_comes_of_a_bound_token_is_bound() {
    let place = Place::new();
    let (token, _) = place.bound("ours", "ES256");
    let (_, worker) = place.bound("workers", "ES256");
    let trade = |more: &[(&str, &str)], key: Option<&str>, change: fn(&mut Value)| {
        let mut fields = vec![
            ("grant_type", GRANT),
            ("subject_token", token.as_str()),
            ("subject_token_type", ACCESS),
            ("worker", "w1"),
        ];
        fields.extend(more);
        let mut asked = token_request(&fields);
        if let Some(key) = key {
            asked["dpop"] = place.wish(key);
        }
        change(&mut asked);
        place.ask(None, asked)
    };
    let below = trade(&[], Some("ours"), |_| {});
    let below = below["json"]["access_token"].as_str().unwrap();
    assert_eq!(place.shown(below, "DPoP", "ours", |_| {})["status"], 200);
    assert_eq!(place.shown(below, "Bearer", "ours", |_| {})["status"], 401);
    // Given to a worker's own key, by who holds the parent's.
    let to = format!("jkt:{worker}");
    let given = trade(&[("bind_to", &to)], Some("ours"), |_| {});
    let given = given["json"]["access_token"].as_str().unwrap();
    assert_eq!(place.shown(given, "DPoP", "workers", |_| {})["status"], 200);
    assert_eq!(place.shown(given, "DPoP", "ours", |_| {})["status"], 401);
    for (said, error) in [
        (trade(&[], None, |_| {}), "invalid_grant"),
        (trade(&[("bind_to", &to)], None, |_| {}), "invalid_grant"),
        (
            trade(&[("bind_to", &to)], Some("workers"), |_| {}),
            "invalid_grant",
        ),
        (
            trade(&[], Some("ours"), |a| {
                a["dpop"]["claims"] = json!({"htm": "GET"})
            }),
            "invalid_dpop_proof",
        ),
        (
            trade(&[], Some("ours"), |a| a["times"] = 2.into()),
            "invalid_dpop_proof",
        ),
    ] {
        assert_eq!(
            (&said["status"], &said["json"]["error"]),
            (&400.into(), &error.into()),
            "{said}"
        );
    }
}

#[test]
fn a_proof_is_not_used_again_after_a_restart_or_a_new_bundle() {
    let mut place = Place::new();
    let (token, _) = place.bound("ours", "ES256");
    let said = place.shown(&token, "DPoP", "ours", |_| {});
    assert_eq!(said["status"], 200, "{said}");
    let again = |place: &Place| {
        let proof = said["proof"].as_str().unwrap();
        place.ask(
            None,
            json!({
                "method": "GET",
                "path": "/api/v1/whoami",
                "headers": {"authorization": format!("DPoP {token}"), "DPoP": proof},
            }),
        )
    };
    let refused = again(&place);
    assert_eq!(refused["json"]["code"], "invalid_dpop_proof", "{refused}");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    place.world.gateway.start_again().unwrap();
    let refused = again(&place);
    assert_eq!(refused["json"]["code"], "invalid_dpop_proof", "{refused}");
    assert_eq!(place.shown(&token, "DPoP", "ours", |_| {})["status"], 200);
}

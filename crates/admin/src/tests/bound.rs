//! Tokens that are bound, and how requests show what they are bound to.

use super::world::*;
use crate::oauth::{ACCESS_TOKEN, GRANT};
use crate::ports::proofs::{ProofRefused, ProofsApi};
use axum::body::to_bytes;
use axum::http::HeaderMap;
use brattice_core::sender::{KeyProof, ProofWanted};
use serde_json::Value;

const WHOAMI: &str = "https://gateway.example.com/api/v1/whoami";

/// A proof is `key METHOD URL`, and good for that.
impl ProofsApi for World {
    fn check(&self, proof: &str, wanted: ProofWanted<'_>) -> Result<KeyProof, ProofRefused> {
        let wrong = |why: &str| Err(ProofRefused::Wrong(why.to_owned()));
        let [key, method, url]: [&str; 3] = match proof.split(' ').collect::<Vec<_>>().try_into() {
            Ok(parts) => parts,
            Err(_) => return wrong("it is not a signed proof"),
        };
        if method != wanted.method || !wanted.urls.iter().any(|u| u == url) {
            return wrong("it is for another address");
        }
        self.did("check a proof");
        Ok(KeyProof {
            key: Digest::of(key.as_bytes()),
            id: Digest::of(proof.as_bytes()),
            until: NOW,
        })
    }
    fn use_up(&self, _: &KeyProof, _: IpAddr) -> Result<(), ProofRefused> {
        self.did("use up a proof");
        Ok(())
    }
}

async fn answered(world: &Arc<World>, request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
    let response = world.send(request).await;
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    (parts.status, parts.headers, body)
}

async fn asked(world: &Arc<World>, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Value) {
    let mut request = Request::get("/api/v1/whoami").header(header::HOST, HOST);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answered(world, request.body(Body::empty()).unwrap()).await
}

fn uses(world: &World) -> usize {
    let done = world.done.lock().unwrap();
    done.iter().filter(|d| **d == "use up a proof").count()
}

#[tokio::test]
async fn a_bound_token_comes_with_its_keys_proof_and_not_without() {
    let world = World::new(&[]);
    let proof = format!("key GET {WHOAMI}");
    let good = [("authorization", "DPoP bound"), ("dpop", &*proof)];
    assert_eq!(asked(&world, &good).await.0, StatusCode::OK);
    assert_eq!(uses(&world), 1);
    let other = format!("other GET {WHOAMI}");
    let post = format!("key POST {WHOAMI}");
    let cases: [&[(&str, &str)]; 11] = [
        &[("authorization", "Bearer bound")],
        &[("authorization", "Bearer bound"), ("dpop", &proof)],
        &[("authorization", "DPoP bound")],
        &[("authorization", "DPoP bound"), ("dpop", &other)],
        &[("authorization", "DPoP bound"), ("dpop", &post)],
        &[
            ("authorization", "DPoP bound"),
            ("dpop", "key GET https://elsewhere.example/api/v1/whoami"),
        ],
        &[("authorization", "DPoP bound"), ("dpop", "nonsense")],
        &[
            ("authorization", "DPoP bound"),
            ("dpop", &proof),
            ("dpop", &proof),
        ],
        &[
            ("authorization", "DPoP bound"),
            ("authorization", "DPoP bound"),
            ("dpop", &proof),
        ],
        // What is not bound is not what its sender thinks it is.
        &[("authorization", "DPoP alice"), ("dpop", &proof)],
        &[("dpop", &proof)],
    ];
    for headers in cases {
        let (status, said, body) = asked(&world, headers).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{headers:?}: {body}");
        let challenges: Vec<_> = said.get_all(header::WWW_AUTHENTICATE).iter().collect();
        assert_eq!(challenges[0], "Bearer");
        let dpop = challenges[1].to_str().unwrap();
        assert!(
            dpop.contains("algs=\"ES256 ES384 EdDSA PS256 RS256\""),
            "{dpop}"
        );
        let invalid = body["code"] == "invalid_dpop_proof";
        assert_eq!(
            invalid,
            dpop.contains("error=\"invalid_dpop_proof\""),
            "{body}"
        );
    }
    assert_eq!(
        uses(&world),
        1,
        "a proof of a request that was refused was remembered"
    );
    // A free token needs no proof, and is not disturbed by one.
    assert_eq!(
        asked(&world, &[("authorization", "Bearer alice")]).await.0,
        StatusCode::OK
    );
    let beside = [("authorization", "Bearer alice"), ("dpop", "nonsense")];
    assert_eq!(asked(&world, &beside).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_token_that_is_traded_with_a_proof_is_bound_to_its_key() {
    let world = World::new(&[]);
    let trade = async |token: &str, proof: Option<&str>, bind_to: Option<&str>| {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", GRANT)
            .append_pair("subject_token", token)
            .append_pair("subject_token_type", ACCESS_TOKEN);
        form.extend_pairs(bind_to.map(|to| ("bind_to", to)));
        let mut request = Request::post("/oauth/token")
            .header(header::HOST, HOST)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        answered(&world, request.body(Body::from(form.finish())).unwrap()).await
    };
    let url = "https://gateway.example.com/oauth/token";
    let proof = format!("key POST {url}");
    let (_, _, said) = trade("agent", Some(&proof), None).await;
    assert_eq!(said["token_type"], "DPoP", "{said}");
    let (_, _, said) = trade("bound", Some(&proof), None).await;
    assert_eq!(said["token_type"], "DPoP", "{said}");
    assert_eq!(uses(&world), 2);
    let jkt = format!("jkt:{}", "A".repeat(43));
    let (_, _, said) = trade("agent", None, Some(&jkt)).await;
    assert_eq!(said["token_type"], "DPoP", "{said}");
    let cert = format!("x5t#S256:{}", "A".repeat(43));
    let (_, _, said) = trade("agent", None, Some(&cert)).await;
    assert_eq!(said["token_type"], "Bearer", "{said}");
    for (token, proof, bind_to, error) in [
        ("bound", None, None, "invalid_grant"),
        ("bound", None, Some(&*jkt), "invalid_grant"),
        (
            "bound",
            Some(format!("other POST {url}")),
            None,
            "invalid_grant",
        ),
        (
            "bound",
            Some(format!("key GET {url}")),
            None,
            "invalid_dpop_proof",
        ),
        (
            "agent",
            Some("nonsense".to_owned()),
            None,
            "invalid_dpop_proof",
        ),
        ("agent", None, Some("jkt:AAAA"), "invalid_request"),
        ("agent", None, Some("kid:x"), "invalid_request"),
    ] {
        let (status, _, said) = trade(token, proof.as_deref(), bind_to).await;
        assert_eq!(
            (status, &said["error"]),
            (StatusCode::BAD_REQUEST, &error.into()),
            "{said}"
        );
    }
    assert_eq!(uses(&world), 2);
}

#[tokio::test]
async fn documents_say_how_tokens_are_bound() {
    let world = World::new(&[]);
    for path in ["oauth-authorization-server", "oauth-protected-resource"] {
        let request = Request::get(format!("/.well-known/{path}")).header(header::HOST, HOST);
        let (_, _, said) = answered(&world, request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            said["dpop_signing_alg_values_supported"][0], "ES256",
            "{said}"
        );
        assert_eq!(said["tls_client_certificate_bound_access_tokens"], false);
    }
}

/// A stranger's key costs nothing: were proofs remembered of whoever sends one, anybody could fill the memory of them.
#[tokio::test]
async fn only_proofs_of_whoever_is_signed_in_are_remembered() {
    let world = World::new(&[]);
    let ask = async |fields: &[(&str, &str)]| {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = Request::post("/oauth/token")
            .header(header::HOST, HOST)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("dpop", "key POST https://gateway.example.com/oauth/token");
        answered(&world, request.body(Body::from(form)).unwrap())
            .await
            .0
    };
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", "brattice-cli"),
        ("refresh_token", "garbage"),
    ];
    assert_eq!(ask(&refresh).await, StatusCode::BAD_REQUEST);
    let poll = [
        ("grant_type", crate::oauth::DEVICE_GRANT),
        ("client_id", "brattice-cli"),
        ("device_code", "not answered yet"),
    ];
    assert_eq!(ask(&poll).await, StatusCode::BAD_REQUEST);
    assert_eq!(uses(&world), 0);
    let code = [
        ("grant_type", "authorization_code"),
        ("client_id", "brattice-cli"),
        ("redirect_uri", "http://127.0.0.1:1/"),
        ("code", "good"),
        ("code_verifier", "a"),
    ];
    assert_eq!(ask(&code).await, StatusCode::OK);
    assert_eq!(uses(&world), 1);
}

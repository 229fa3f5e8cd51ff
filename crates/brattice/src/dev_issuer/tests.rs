//! The dev provider over HTTP, and the gateway's own reading of its tokens.

use super::*;
use brattice_core::ids::CredentialId;
use brattice_core::ports::{Authenticator, BoxFuture, MintedCredential, StoreError};
use brattice_core::principal::Identity;
use brattice_core::time::Timestamp;
use brattice_identity::oidc::{
    ClaimIs, ClaimPath, ClientConfig, IssuerConfig, KindRule, MintedLookup, Oidc, SignInRequest,
};
use reqwest::header::{HOST, ORIGIN};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use std::sync::atomic::{AtomicU8, Ordering};

struct Still;
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000)
    }
}

#[derive(Default)]
struct Counting(AtomicU8);
impl Randomness for Counting {
    fn fill(&self, buf: &mut [u8]) -> Result<(), RecordFailed> {
        buf.fill(self.0.fetch_add(1, Ordering::SeqCst));
        Ok(())
    }
}

struct NothingMinted;
impl MintedLookup for NothingMinted {
    fn minted<'a>(
        &'a self,
        _: &'a CredentialId,
    ) -> BoxFuture<'a, Result<Option<MintedCredential>, StoreError>> {
        Box::pin(async { Ok(None) })
    }
    fn spend<'a>(&'a self, _: &'a CredentialId) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async { Ok(false) })
    }
}

fn setup() -> DevSetup {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    DevSetup {
        address: "127.0.0.1:0".parse().unwrap(),
        audience: "brattice".into(),
        people: vec![
            DevParty::new("ana", &["support"]),
            DevParty::new("bo", &["dba"]),
        ],
        agents: vec![
            DevParty::new("etl-7", &["etl"]),
            DevParty::new("planner-2", &[]),
        ],
        delegations: BTreeSet::from([pair("etl-7", "planner-2"), pair("planner-2", "ana")]),
        token_lifetime: Duration::from_secs(300),
    }
}

async fn start_with(setup: DevSetup) -> Result<DevIssuer, DevIssuerError> {
    DevIssuer::start(setup, Arc::new(Still), Arc::new(Counting::default())).await
}

async fn start() -> DevIssuer {
    start_with(setup()).await.unwrap()
}

fn gateway(dev: &DevIssuer) -> Oidc {
    let is = |value: &str| ClaimIs {
        claim: ClaimPath::parse("kind").unwrap(),
        equals: value.into(),
    };
    let kind = KindRule {
        agent_when: vec![is("agent")],
        user_when: vec![is("user")],
        otherwise: None,
    };
    let mut config = IssuerConfig::new("dev", &dev.issuer_url, "brattice", kind);
    config.allow_loopback_http = true;
    config.client = Some(ClientConfig {
        id: CLIENT.into(),
        secret: None,
        scopes: Vec::new(),
        recheck_max: Duration::from_secs(3600),
    });
    config.access_token_type_required = true;
    Oidc::new(
        vec![config],
        Arc::new(NothingMinted),
        Arc::new(Still),
        Default::default(),
    )
    .unwrap()
}

async fn identity(dev: &DevIssuer, token: &Secret) -> Identity {
    gateway(dev)
        .verify_token(token, &Default::default(), "127.0.0.1")
        .await
        .unwrap()
}

fn secret_of(dev: &DevIssuer, name: &str) -> String {
    let client = dev.clients.iter().find(|c| c.name == name).unwrap();
    client.secret.expose_str().unwrap().to_owned()
}

async fn ask(dev: &DevIssuer, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let answer = Client::new()
        .post(format!("{}/token", dev.issuer_url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test]
async fn the_gateway_accepts_its_tokens_as_any_providers() {
    let dev = start().await;
    let agent = identity(&dev, &dev.issue("etl-7").unwrap()).await;
    assert_eq!(agent.chain.to_string(), "agent:dev/etl-7");
    assert!(agent.chain.acting.groups.contains("dev/etl") && !agent.mfa);
    let person = identity(&dev, &dev.issue("ana").unwrap()).await;
    assert_eq!(person.chain.to_string(), "user:dev/ana");
    assert!(person.mfa);
}

#[tokio::test]
async fn a_client_gets_its_token_with_its_secret_only() {
    let dev = start().await;
    let secret = secret_of(&dev, "etl-7");
    let form = |client: &'static str, secret: &str| {
        vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", client.to_owned()),
            ("client_secret", secret.to_owned()),
        ]
    };
    for (client, given, good) in [
        ("etl-7", secret.as_str(), true),
        ("etl-7", "", false),
        ("etl-7", "wrong", false),
        ("ana", secret.as_str(), false),
        ("nobody", "", false),
    ] {
        let form = form(client, given);
        let form: Vec<_> = form.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let (status, answer) = ask(&dev, &form).await;
        assert_eq!(status == StatusCode::OK, good, "{client}");
        if good {
            let token = Secret::new(answer["access_token"].as_str().unwrap());
            assert_eq!(
                identity(&dev, &token).await.chain.to_string(),
                "agent:dev/etl-7"
            );
            assert_eq!(answer["expires_in"], 300);
        } else {
            assert_eq!(answer["error"], "invalid_client");
            assert_eq!(status, StatusCode::UNAUTHORIZED);
        }
    }
}

#[tokio::test]
async fn the_secret_may_come_by_the_basic_scheme() {
    let dev = start().await;
    let ask = |name: &str, secret: String, body: &'static str| {
        Client::new()
            .post(format!("{}/token", dev.issuer_url))
            .basic_auth(name, Some(secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
    };
    let form = "grant_type=client_credentials";
    let good = ask("ana", secret_of(&dev, "ana"), form).await.unwrap();
    assert_eq!(good.status(), StatusCode::OK);
    let wrong = ask("ana", secret_of(&dev, "bo"), form).await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    let twice = "grant_type=client_credentials&client_id=bo&client_secret=x";
    let both = ask("ana", secret_of(&dev, "ana"), twice).await.unwrap();
    assert_eq!(both.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn delegation_is_for_pairs_that_were_set_up() {
    let dev = start().await;
    let token = dev.issue_on_behalf("etl-7", &["planner-2", "ana"]).unwrap();
    let identity = identity(&dev, &token).await;
    assert_eq!(
        identity.chain.to_string(),
        "agent:dev/etl-7 for agent:dev/planner-2 for user:dev/ana"
    );
    assert!(identity.chain.acting.groups.contains("dev/etl"));
    for (actor, of) in [
        ("etl-7", &["ana"][..]),
        ("ana", &["planner-2"]),
        ("planner-2", &["bo"]),
        ("etl-7", &["planner-2", "bo"]),
    ] {
        let refused = dev.issue_on_behalf(actor, of);
        assert!(
            matches!(refused, Err(DevIssuerError::Delegation { .. })),
            "{actor} for {of:?}"
        );
    }
}

#[tokio::test]
async fn delegation_over_http_names_its_links_nearest_first() {
    let dev = start().await;
    let secret = secret_of(&dev, "etl-7");
    let base = [
        ("grant_type", "client_credentials"),
        ("client_id", "etl-7"),
        ("client_secret", secret.as_str()),
    ];
    let with = |more: &[(&'static str, &'static str)]| {
        let mut form = base.to_vec();
        form.extend_from_slice(more);
        form
    };
    let (status, _) = ask(
        &dev,
        &with(&[("on_behalf_of", "planner-2"), ("on_behalf_of", "ana")]),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = ask(
        &dev,
        &with(&[("actor", "etl-7"), ("on_behalf_of", "planner-2")]),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    for (more, error) in [
        (&[("on_behalf_of", "bo")][..], "unauthorized_client"),
        (&[("on_behalf_of", "nobody")], "unauthorized_client"),
        (
            &[("actor", "planner-2"), ("on_behalf_of", "ana")],
            "invalid_request",
        ),
        (&[("client_id", "ana")], "invalid_request"),
        (&[("audience", "other")], "invalid_target"),
        (
            &[
                ("on_behalf_of", "a"),
                ("on_behalf_of", "b"),
                ("on_behalf_of", "c"),
                ("on_behalf_of", "d"),
            ],
            "invalid_request",
        ),
    ] {
        let (status, answer) = ask(&dev, &with(more)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(answer["error"], error, "{more:?}");
    }
}

#[tokio::test]
async fn other_grants_are_refused() {
    let dev = start().await;
    for grant in [
        "password",
        "refresh_token",
        "",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ] {
        let (status, answer) = ask(&dev, &[("grant_type", grant)]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(answer["error"], "unsupported_grant_type");
    }
}

#[tokio::test]
async fn a_foreign_name_or_page_gets_nothing() {
    let dev = start().await;
    let get = |host: Option<&'static str>, origin: Option<&'static str>| {
        let mut request = Client::new().get(format!("{}/jwks", dev.issuer_url));
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        request.send()
    };
    let status = |r: Result<reqwest::Response, reqwest::Error>| r.unwrap().status();
    assert_eq!(status(get(None, None).await), StatusCode::OK);
    for host in ["rebound.example", "127.0.0.1", "127.0.0.1:1", "localhost"] {
        assert_eq!(
            status(get(Some(host), None).await),
            StatusCode::MISDIRECTED_REQUEST,
            "{host}"
        );
    }
    for origin in ["https://evil.example", "null"] {
        assert_eq!(status(get(None, Some(origin)).await), StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let mut wide = setup();
    wide.address = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(
        start_with(wide).await,
        Err(DevIssuerError::NotLoopback(_))
    ));
}

#[tokio::test]
async fn what_cannot_be_is_refused_at_the_start() {
    fn allow(setup: &mut DevSetup, actor: &str, subject: &str) {
        setup.delegations.insert((actor.into(), subject.into()));
    }
    let broken: [fn(&mut DevSetup); 7] = [
        |s| s.people.push(DevParty::new("etl-7", &[])),
        |s| s.people.push(DevParty::new("<b>", &[])),
        |s| s.people.push(DevParty::new("", &[])),
        |s| s.people.push(DevParty::new("cy", &["a b"])),
        |s| s.token_lifetime = Duration::from_secs(3600),
        |s| allow(s, "ana", "bo"),
        |s| allow(s, "etl-7", "nobody"),
    ];
    for (n, spoil) in broken.into_iter().enumerate() {
        let mut setup = setup();
        spoil(&mut setup);
        assert!(start_with(setup).await.is_err(), "case {n}");
    }
}

#[tokio::test]
async fn the_page_tells_who_exists_and_no_secret() {
    let dev = start().await;
    let answer = reqwest::get(&dev.issuer_url).await.unwrap();
    assert!(answer.headers().contains_key("content-security-policy"));
    let page = answer.text().await.unwrap();
    for client in &dev.clients {
        assert!(page.contains(&client.name));
        assert!(!page.contains(client.secret.expose_str().unwrap()));
        assert!(!format!("{client:?}").contains(client.secret.expose_str().unwrap()));
    }
}

#[tokio::test]
async fn every_start_has_another_key_and_every_party_another_secret() {
    let (one, two) = (start().await, start().await);
    assert_ne!(one.desk.signer.jwk(), two.desk.signer.jwk());
    let secrets: BTreeSet<_> = one
        .clients
        .iter()
        .map(|c| secret_of(&one, &c.name))
        .collect();
    assert_eq!(secrets.len(), 4);
    let netrc = one.clients[0].netrc("127.0.0.1");
    let text = netrc.expose_str().unwrap();
    assert!(text.starts_with("machine 127.0.0.1 login etl-7 password ") && text.ends_with('\n'));
}

#[tokio::test]
async fn dropping_it_stops_it() {
    let dev = start().await;
    let url = dev.issuer_url.clone();
    drop(dev);
    while reqwest::get(&url).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_person_signs_in_by_choosing_who_they_are() {
    let dev = start().await;
    let oidc = gateway(&dev);
    let back = "http://127.0.0.1:8443/oauth/callback/dev";
    let begin = async |nonce: &'static str| {
        let request = SignInRequest {
            redirect_uri: back,
            state: "state",
            nonce,
            verifier: "verifier",
            again: false,
        };
        oidc.begin_sign_in("dev", &request).await.unwrap()
    };
    let browser = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let page = browser.get(begin("n").await).send().await.unwrap();
    let html = page.text().await.unwrap();
    assert!(html.contains("as=ana") && html.contains("as=bo"), "{html}");
    assert!(!html.contains("etl-7"), "an agent is offered: {html}");
    let choose = async |name: &str, nonce: &'static str| {
        let url = format!("{}&as={name}", begin(nonce).await);
        let answer = browser.get(url).send().await.unwrap();
        let to = answer.headers().get("location");
        to.map(|to| url::Url::parse(to.to_str().unwrap()).unwrap())
    };
    assert!(choose("etl-7", "n").await.is_none());
    assert!(choose("nobody", "n").await.is_none());
    let code = |to: &url::Url| {
        let code = to.query_pairs().find(|(n, _)| n == "code").unwrap();
        code.1.into_owned()
    };
    let to = choose("bo", "n").await.unwrap();
    assert!(to.as_str().starts_with(back), "{to}");
    let signed_in = oidc
        .finish_sign_in("dev", None, back, &code(&to), ("n", "verifier"))
        .await
        .unwrap();
    let who = &signed_in.identity.chain.acting;
    assert_eq!(
        (who.id().as_str(), who.kind),
        ("dev/bo", PrincipalKind::User)
    );
    assert!(who.groups.contains("dev/dba") && signed_in.identity.mfa);
    // A code is good once, for its verifier, and what it gives is for its nonce.
    for (again, nonce, verifier) in [
        (Some(code(&to)), "n", "verifier"),
        (None, "n", "another"),
        (None, "another", "verifier"),
    ] {
        let code = match again {
            Some(code) => code,
            None => code(&choose("bo", "n").await.unwrap()),
        };
        let refused = oidc
            .finish_sign_in("dev", None, back, &code, (nonce, verifier))
            .await;
        assert!(refused.is_err(), "{nonce} {verifier}");
    }
    // Nobody is sent elsewhere.
    let elsewhere = begin("n")
        .await
        .to_string()
        .replace("127.0.0.1%3A8443", "evil.example");
    let answer = browser
        .get(format!("{elsewhere}&as=bo"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

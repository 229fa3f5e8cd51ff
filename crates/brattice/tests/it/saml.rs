//! People who sign in by a SAML provider that others wrote (pysaml2 with xmlsec1), in a browser.

use crate::sign_in::{BACK, CHALLENGE, CLIENT, VERIFIER, parameter, url_encoded};
use crate::world::World;
use brattice_testkit::client::python_program;
use brattice_testkit::postgres::PostgresOptions;
use brattice_testkit::signing_in::Person;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// The provider, as a process that does what it is told.
struct Idp {
    child: Child,
    from: BufReader<ChildStdout>,
    _home: tempfile::TempDir,
}

impl Idp {
    fn start() -> Idp {
        let home = tempfile::tempdir().unwrap();
        let script = include_str!("../../../identity/tests/it/saml/idp.py");
        let mut child = Command::new(python_program())
            .args(["-W", "ignore", "-c", script])
            .args([home.path(), &home.path().join("keys")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo xtask setup` makes the environment that has pysaml2");
        let from = BufReader::new(child.stdout.take().unwrap());
        Idp {
            child,
            from,
            _home: home,
        }
    }

    fn tell(&mut self, order: &Value) -> Value {
        writeln!(self.child.stdin.as_ref().unwrap(), "{order}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        assert!(said.get("error").is_none(), "{said} to {order}");
        said
    }
}

impl Drop for Idp {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

struct Desk {
    world: World,
    idp: Mutex<Idp>,
    _metadata: tempfile::TempDir,
}

/// How far clocks may be apart: what was proved so soon after a revocation is void as well.
const LEEWAY: Duration = Duration::from_secs(1);

impl Desk {
    fn open() -> Desk {
        let mut idp = Idp::start();
        let said = idp.tell(&json!({"do": "start"}));
        let home = tempfile::tempdir().unwrap();
        let metadata = home.path().join("corp.xml");
        std::fs::write(&metadata, said["metadata"].as_str().unwrap()).unwrap();
        let world = World::start(PostgresOptions::of(18), |bundle| {
            bundle.more.push_str(&format!(
                "\n[saml.corp]\nmetadata = \"{}\"\nleeway = \"{}s\"\n",
                metadata.display(),
                LEEWAY.as_secs()
            ));
            crate::sign_in::short_leeway(bundle);
        });
        let desk = Desk {
            world,
            idp: Mutex::new(idp),
            _metadata: home,
        };
        let ours = Person::new()
            .unwrap()
            .go(&desk.url("/oauth/metadata/corp"), "", "", "")
            .unwrap();
        assert_eq!(ours["status"], 200, "{ours}");
        let ours = desk.raw("/oauth/metadata/corp");
        desk.tell(&json!({"do": "meet", "metadata": ours}));
        desk
    }

    fn tell(&self, order: &Value) -> Value {
        self.idp.lock().unwrap().tell(order)
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.world.gateway.admin_port())
    }

    fn raw(&self, path: &str) -> String {
        let reply = self.world.gateway.api("GET", path, "", None).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.text()
    }

    /// A person whose browser is at the provider: what was asked there, and the relay state.
    fn away(&self, person: &Person) -> (Value, String) {
        let query = url_encoded(&[
            ("client_id", CLIENT),
            ("response_type", "code"),
            ("redirect_uri", BACK),
            ("state", "s"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("provider", "corp"),
        ]);
        let url = self.url(&format!("/oauth/authorize?{query}"));
        let saw = person.go(&url, "", "yes", "^https://idp.example").unwrap();
        self.asked(saw["stopped"].as_str().unwrap())
    }

    /// What a browser that is at this address of the provider's asks there, and the relay state.
    fn asked(&self, at: &str) -> (Value, String) {
        let state = parameter(at, "RelayState").unwrap();
        let asked = self.tell(&json!({
            "do": "asked",
            "request": parameter(at, "SAMLRequest").unwrap(),
            "relay_state": state,
            "algorithm": parameter(at, "SigAlg"),
            "signature": parameter(at, "Signature"),
        }));
        (asked, state)
    }

    /// A response to what was asked, changed by this.
    fn response(&self, asked: &Value, changes: &Value) -> String {
        let mut order = json!({
            "do": "edited",
            "in_response_to": asked["id"],
            "destination": asked["destination"],
            "sp": asked["sp"],
        });
        let all = order.as_object_mut().unwrap();
        all.extend(changes.as_object().unwrap().clone());
        self.tell(&order)["response"].as_str().unwrap().to_owned()
    }

    fn post(&self, person: &Person, response: &str, state: &str) -> Value {
        let form = url_encoded(&[("SAMLResponse", response), ("RelayState", state)]);
        let url = self.url("/oauth/callback/corp");
        person
            .posts(
                &url,
                &form,
                "yes",
                "^http://127.0.0.1:9/|^https://idp.example",
            )
            .unwrap()
    }
}

#[test]
fn a_person_signs_in_by_a_saml_provider() {
    let desk = Desk::open();
    let person = Person::new().unwrap();
    let (asked, state) = desk.away(&person);
    assert_eq!(asked["sp"], desk.url("/oauth/metadata/corp"));
    let response = desk.response(&asked, &json!({}));
    let saw = desk.post(&person, &response, &state);
    let code = parameter(saw["stopped"].as_str().unwrap(), "code").unwrap();
    let given = desk
        .world
        .gateway
        .form(
            "/oauth/token",
            &[
                ("grant_type", "authorization_code"),
                ("client_id", CLIENT),
                ("redirect_uri", BACK),
                ("code", &code),
                ("code_verifier", VERIFIER),
            ],
        )
        .unwrap();
    assert_eq!(given.status, 200, "{}", given.text());
    let token = given.json()["access_token"].as_str().unwrap().to_owned();
    let who = desk
        .world
        .gateway
        .api("GET", "/api/v1/whoami", &token, None)
        .unwrap()
        .json();
    assert_eq!(who["by"], "saml", "{who}");
    assert_eq!(who["chain"][0]["id"], "corp/ana-7f3c");
    assert_eq!(who["chain"][0]["kind"], "user");
    assert_eq!(
        who["chain"][0]["groups"],
        json!(["corp/dba", "corp/on-call"])
    );
    // It is renewed while the provider's word holds, without the person.
    let refresh = given.json()["refresh_token"].as_str().unwrap().to_owned();
    let renewed = desk
        .world
        .gateway
        .form(
            "/oauth/token",
            &[
                ("grant_type", "refresh_token"),
                ("client_id", CLIENT),
                ("refresh_token", &refresh),
            ],
        )
        .unwrap();
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    // The same response again signs nobody in, in whatever browser.
    let saw = desk.post(&person, &response, &state);
    assert_eq!(saw["title"], "Nobody signed in · Brattice", "{saw}");
}

#[test]
fn a_revoked_person_shows_the_saml_provider_anew_who_they_are() {
    let desk = Desk::open();
    let revoke = ["agents", "revoke", "--user", "corp/ana-7f3c"];
    let token = desk.world.token(crate::world::SECURITY);
    let said = desk.world.gateway.cli(&revoke, &token).unwrap();
    assert!(said.status.success(), "{said:?}");
    let person = Person::new().unwrap();
    let (asked, state) = desk.away(&person);
    assert_ne!(asked["again"], "true", "{asked}");
    // The provider remembers them, from before.
    let response = desk.response(&asked, &json!({"session_age": 60}));
    let saw = desk.post(&person, &response, &state);
    let (asked, state) = desk.asked(saw["stopped"].as_str().unwrap());
    assert_eq!(asked["again"], "true", "{asked}");
    // One that does not do as it was asked signs nobody in, and is not asked for ever.
    let response = desk.response(&asked, &json!({"session_age": 60}));
    let saw = desk.post(&person, &response, &state);
    let back = saw["stopped"].as_str().unwrap();
    assert_eq!(
        parameter(back, "error").as_deref(),
        Some("access_denied"),
        "{saw}"
    );
    // One that does, does.
    let (asked, state) = desk.away(&person);
    let response = desk.response(&asked, &json!({"session_age": 60}));
    let saw = desk.post(&person, &response, &state);
    let (asked, state) = desk.asked(saw["stopped"].as_str().unwrap());
    std::thread::sleep(LEEWAY + Duration::from_secs(1));
    let saw = desk.post(&person, &desk.response(&asked, &json!({})), &state);
    let code = parameter(saw["stopped"].as_str().unwrap(), "code");
    assert!(code.is_some(), "{saw}");
}

#[test]
fn a_response_of_another_browser_or_of_nobody_signs_nobody_in() {
    let desk = Desk::open();
    // The attacker signs in as themselves, and has the victim's browser post the response.
    let attacker = Person::new().unwrap();
    let (asked, state) = desk.away(&attacker);
    let response = desk.response(&asked, &json!({"name": "mallory"}));
    let victim = Person::new().unwrap();
    let _ = desk.away(&victim);
    let saw = desk.post(&victim, &response, &state);
    assert_eq!(saw["title"], "Nobody signed in · Brattice", "{saw}");
    // The attacker begins, and the victim, led to the provider's page, posts what the provider says of them.
    let (asked, state) = desk.away(&attacker);
    let response = desk.response(&asked, &json!({"name": "victim"}));
    let posting = std::thread::scope(|scope| {
        let posting = scope.spawn(|| desk.post(&victim, &response, &state));
        for posted in [state.as_str(), asked["id"].as_str().unwrap()] {
            for _ in 0..20 {
                let url = desk.url(&format!("/oauth/callback/corp?posted={posted}"));
                let saw = attacker
                    .go(&url, "", "yes", "^http://127.0.0.1:9/")
                    .unwrap();
                assert_eq!(saw["title"], "Nobody signed in · Brattice", "{saw}");
            }
        }
        posting.join().unwrap()
    });
    assert_eq!(posting["title"], "Nobody signed in · Brattice", "{posting}");
    // Forged, for another, or for a request that was not this browser's.
    let ours = format!("{}</", desk.url("/oauth/metadata/corp"));
    for changes in [
        json!({"key": "mallory"}),
        json!({"sign": "response"}),
        json!({"edits": [[ours, "https://other.example/saml</"]]}),
        json!({"destination": "https://other.example/acs"}),
        json!({"in_response_to": "_0123456789abcdef"}),
        json!({"edits_signed": [["ana-7f3c", "root"]]}),
        json!({"attributes": {"mail": "ana@corp.example"}}),
    ] {
        let person = Person::new().unwrap();
        let (asked, state) = desk.away(&person);
        let response = desk.response(&asked, &changes);
        let saw = desk.post(&person, &response, &state);
        let back = saw["stopped"].as_str().unwrap_or_default();
        let error = (!back.is_empty()).then(|| parameter(back, "error"));
        assert_eq!(
            error.flatten().as_deref(),
            Some("access_denied"),
            "{changes}: {saw}"
        );
    }
    // What nobody asked for is refused where it stands.
    let saw = desk.post(&victim, &response, "nothing");
    assert_eq!(saw["title"], "Nobody signed in · Brattice", "{saw}");
}

//! Tokens that are bound to a client certificate (RFC 8705).

use super::{ACCESS, GRANT, Place, WITHIN, thumbprint};
use crate::world::{DBA, READER, World, now};
use brattice_testkit::client;
use brattice_testkit::postgres::ClientCertificate;
use brattice_testkit::workload::self_signed;
use serde_json::{Value, json};

const COUNT: &str = "SELECT count(*) FROM notes;";

fn own(place: &Place) -> ClientCertificate {
    self_signed(place.dir.path()).unwrap()
}

/// A token of the provider with this confirmation.
fn confirmed(world: &World, cnf: &Value) -> String {
    let token = world.idp.token(now());
    let token = token.claim("sub", READER.name).claim("kind", READER.kind);
    let token = token
        .claim("groups", json!(READER.groups))
        .claim("cnf", cnf.clone());
    token.claim("jti", format!("bound-{cnf}")).sign().unwrap()
}

fn traded<'f>(token: &'f str, more: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let mut fields = vec![
        ("grant_type", GRANT),
        ("subject_token", token),
        ("subject_token_type", ACCESS),
    ];
    fields.extend(more);
    fields
}

#[test]
fn a_token_that_was_traded_with_a_certificate_is_worth_nothing_without() {
    let place = Place::new();
    let (ours, thief) = (own(&place), own(&place));
    let parent = place.world.token(READER);
    let given = place.trade(Some(&ours), &traded(&parent, &[("worker", "w1")]));
    assert_eq!(given["status"], 200, "{given}");
    let token = given["json"]["access_token"].as_str().unwrap();
    let bearer = format!("Bearer {token}");
    for (shown, gets_in) in [(Some(&ours), true), (None, false), (Some(&thief), false)] {
        let said = place.psql("agent", token, shown, COUNT);
        assert_eq!(said.is_good(), gets_in, "{said:?}");
        assert!(
            gets_in || said.err.contains("bound to a client certificate"),
            "{said:?}"
        );
        let who = place.whoami(shown, Some(&bearer));
        assert_eq!(who["status"], if gets_in { 200 } else { 401 }, "{who}");
        // Nor is it traded for another.
        let more = place.trade(shown, &traded(token, &[("worker", "w2")]));
        assert_eq!(more["status"], if gets_in { 200 } else { 400 }, "{more}");
        assert!(
            gets_in || more["json"]["error"] == "invalid_grant",
            "{more}"
        );
    }
    // What comes of it is bound as well.
    let below = place.trade(Some(&ours), &traded(token, &[("worker", "w2")]));
    let below = below["json"]["access_token"].as_str().unwrap();
    assert!(place.psql("agent", below, Some(&ours), COUNT).is_good());
    assert!(!place.psql("agent", below, None, COUNT).is_good());
    // Or given to the hands of another, and then to those alone.
    let to = format!("x5t#S256:{}", thumbprint(&thief.certificate));
    let given = place.trade(
        Some(&ours),
        &traded(token, &[("worker", "w3"), ("bind_to", &to)]),
    );
    let given = given["json"]["access_token"].as_str().unwrap();
    assert!(place.psql("agent", given, Some(&thief), COUNT).is_good());
    assert!(!place.psql("agent", given, Some(&ours), COUNT).is_good());
    for wrong in ["", "x5t#S256:", "jkt:AAAA", "kid:a", "nonsense"] {
        let said = place.trade(Some(&ours), &traded(token, &[("bind_to", wrong)]));
        let refused = said["json"]["error"] == "invalid_request";
        assert!(
            refused || wrong.is_empty() && said["status"] == 200,
            "{wrong}: {said}"
        );
    }
}

#[test]
fn a_providers_own_binding_is_enforced() {
    let place = Place::new();
    let (ours, thief) = (own(&place), own(&place));
    let token = confirmed(
        &place.world,
        &json!({"x5t#S256": thumbprint(&ours.certificate)}),
    );
    for (shown, gets_in) in [(Some(&ours), true), (None, false), (Some(&thief), false)] {
        let said = place.psql("agent", &token, shown, COUNT);
        assert_eq!(said.is_good(), gets_in, "{said:?}");
        let said = place.oauthbearer(shown, &token);
        assert_eq!(said.trim() == "in", gets_in, "{said}");
        assert!(
            gets_in || said.contains("bound to a client certificate"),
            "{said}"
        );
        let who = place.whoami(shown, Some(&format!("Bearer {token}")));
        assert_eq!(who["status"], if gets_in { 200 } else { 401 }, "{who}");
    }
    // A way of binding that is not known is one that nobody could ask for.
    let strange = confirmed(
        &place.world,
        &json!({"x5t#S256": thumbprint(&ours.certificate), "kid": "k"}),
    );
    assert!(!place.psql("agent", &strange, Some(&ours), COUNT).is_good());
    // A key cannot be shown here: what else to do is said.
    let by_key = confirmed(&place.world, &json!({"jkt": thumbprint(&ours.certificate)}));
    let said = place.psql("agent", &by_key, Some(&ours), COUNT);
    assert!(said.err.contains("mint a credential"), "{said:?}");
    let said = place.oauthbearer(Some(&ours), &by_key);
    assert!(said.contains("mint a credential"), "{said}");
    let who = place.whoami(Some(&ours), Some(&format!("Bearer {by_key}")));
    assert_eq!(who["status"], 401, "{who}");
}

#[test]
fn a_person_and_an_agent_are_bound_by_who_trades() {
    let place = Place::new();
    let ours = own(&place);
    let (person, agent) = (place.world.token(DBA), place.world.token(READER));
    let both = [
        ("actor_token", agent.as_str()),
        ("actor_token_type", ACCESS),
    ];
    let given = place.trade(Some(&ours), &traded(&person, &both));
    let token = given["json"]["access_token"].as_str().unwrap();
    assert_eq!(
        place.whoami(Some(&ours), Some(&format!("Bearer {token}")))["status"],
        200
    );
    assert_eq!(
        place.whoami(None, Some(&format!("Bearer {token}")))["status"],
        401
    );
}

#[test]
fn a_provider_can_be_taken_with_bound_tokens_alone() {
    let mut place = Place::new();
    let ours = own(&place);
    let parent = place.world.token(READER);
    let before = place.trade(Some(&ours), &traded(&parent, &[]));
    let bound = before["json"]["access_token"].as_str().unwrap().to_owned();
    let free = place.trade(None, &traded(&parent, &[]));
    let free = free["json"]["access_token"].as_str().unwrap().to_owned();
    let text = place.world.gateway.read("brattice.toml").unwrap();
    let stricter = text.replace(
        "development = true",
        "development = true\nbinding_required = true",
    );
    place
        .world
        .gateway
        .write("brattice.toml", &stricter)
        .unwrap();
    place.world.gateway.start_again().unwrap();
    // Neither the provider's own tokens nor those that were given for them, whatever the connection shows.
    for token in [&parent, &free, &place.world.token(READER)] {
        assert!(!place.psql("agent", token, Some(&ours), COUNT).is_good());
        assert_eq!(
            place.whoami(Some(&ours), Some(&format!("Bearer {token}")))["status"],
            401
        );
        let said = place.trade(Some(&ours), &traded(token, &[]));
        assert_eq!(said["json"]["error"], "invalid_grant", "{said}");
    }
    assert!(place.psql("agent", &bound, Some(&ours), COUNT).is_good());
    let own = confirmed(
        &place.world,
        &json!({"x5t#S256": thumbprint(&ours.certificate)}),
    );
    assert!(place.psql("agent", &own, Some(&ours), COUNT).is_good());
    // A workload's certificate is its own binding.
    let etl = place.svid("/agents/etl");
    assert!(place.psql("spiffe", "", Some(&etl), COUNT).is_good());
}

/// As docs/guide/identity/binding.md has it: certificates by openssl, the trade by curl.
#[test]
fn what_the_guide_says_works_with_openssl_and_curl() {
    let place = Place::new();
    std::fs::write(place.file("token.txt"), place.world.token(READER)).unwrap();
    let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=worker \\
  -keyout own.key -out own.pem 2>/dev/null
curl -sS --cacert \"$CA\" --cert own.pem --key own.key \"$URL/oauth/token\" \\
  -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange \\
  -d subject_token_type=urn:ietf:params:oauth:token-type:access_token \\
  --data-urlencode subject_token@token.txt -d scope=read
printf '\\n'
openssl x509 -in own.pem -outform der | openssl dgst -sha256 -binary | basenc --base64url | tr -d =
";
    let mut command = std::process::Command::new("sh");
    command
        .args(["-euc", script])
        .current_dir(place.dir.path())
        .env("CA", place.world.gateway.ca_certificate())
        .env(
            "URL",
            format!("https://localhost:{}", place.world.gateway.admin_port()),
        );
    let said = client::run(command, "", WITHIN).unwrap();
    let (answer, print) = said.out.trim().split_once('\n').unwrap();
    let answer: Value = serde_json::from_str(answer).unwrap();
    let token = answer["access_token"].as_str().unwrap();
    let shown = ClientCertificate {
        certificate: place.file("own.pem"),
        key: place.file("own.key"),
    };
    assert_eq!(print, thumbprint(&shown.certificate));
    assert!(place.psql("worker", token, Some(&shown), COUNT).is_good());
    assert!(!place.psql("worker", token, None, COUNT).is_good());
}

#[test]
fn nobody_is_asked_for_a_certificate_where_none_is_wanted() {
    let plain = World::of(18);
    let asks = |world: &World| {
        let said = std::process::Command::new("openssl")
            .args(["s_client", "-starttls", "postgres", "-connect"])
            .arg(format!("127.0.0.1:{}", world.gateway.port()))
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(text.contains("Server certificate"), "{text}");
        !text.contains("No client certificate CA names sent")
            || text.contains("Requested Signature Algorithms")
    };
    assert!(!asks(&plain));
    assert!(asks(&Place::new().world));
}

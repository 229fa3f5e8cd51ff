//! Workloads that show an X.509-SVID and nothing else.

use super::{ACCESS, GRANT, Place};
use crate::records::{export_lines, log_dir};
use crate::world::{READER, SECURITY, SHOP};
use brattice_testkit::workload::{TrustDomain, self_signed};
use serde_json::json;
use std::time::Duration;

const COUNT: &str = "SELECT count(*) FROM notes;";
const INSERT: &str = "INSERT INTO notes VALUES (70, 'by a workload');";

#[test]
fn a_workload_gets_in_with_its_certificate_and_no_password() {
    let place = Place::new();
    let etl = place.svid("/agents/etl");
    for user in ["spiffe", "spiffe://prod.example.com/agents/etl"] {
        let said = place.psql(user, "", Some(&etl), COUNT);
        assert!(said.is_good(), "{user}: {said:?}");
        assert_eq!(said.out.trim(), "3");
    }
    // It may what its groups may, and no more.
    let said = place.psql("spiffe", "", Some(&etl), INSERT);
    assert!(said.err.contains("nothing permits sql.insert"), "{said:?}");
    assert_eq!(
        place.world.ask("SELECT count(*) FROM notes WHERE id = 70"),
        "0"
    );
    // The record names it, as the API does.
    let opened = export_lines(&log_dir(&place.world));
    let named = |e: &&serde_json::Value| {
        e["kind"] == "session_opened"
            && e.to_string()
                .contains("dev/spiffe://prod.example.com/agents/etl")
            && e.to_string().contains("certificate")
    };
    assert!(opened.iter().any(|e| named(&e)), "{opened:?}");
    let who = place.whoami(Some(&etl), None);
    assert_eq!(who["status"], 200, "{who}");
    assert_eq!(
        who["json"]["chain"][0]["id"],
        "dev/spiffe://prod.example.com/agents/etl"
    );
    assert_eq!(who["json"]["chain"][0]["groups"], json!(["dev/agents"]));
    // A credential of its own is as bound as it is.
    let minted = place.ask(
        Some(&etl),
        json!({
            "method": "POST",
            "path": "/api/v1/credentials",
            "headers": {"content-type": "application/json"},
            "body": json!({"target": SHOP, "ttl_seconds": 60}).to_string(),
        }),
    );
    assert_eq!(minted["status"], 201, "{minted}");
    let (user, password) = (&minted["json"]["id"], &minted["json"]["password"]);
    let (user, password) = (user.as_str().unwrap(), password.as_str().unwrap());
    assert!(place.psql(user, password, Some(&etl), COUNT).is_good());
    assert!(!place.psql(user, password, None, COUNT).is_good());
    assert!(
        !place
            .psql(user, password, Some(&place.svid("/agents/etl")), COUNT)
            .is_good()
    );
}

#[test]
fn a_certificate_that_names_nobody_opens_nothing() {
    let place = Place::new();
    let other = TrustDomain::create(place.dir.path()).unwrap();
    let ours = "spiffe://prod.example.com/agents/etl";
    let cases = [
        ("another authority", other.svid(ours, 600).unwrap()),
        (
            "another trust domain",
            place
                .prod
                .svid("spiffe://other.example.com/agents/etl", 600)
                .unwrap(),
        ),
        (
            "no id at all",
            place
                .prod
                .svid("https://prod.example.com/agents/etl", 600)
                .unwrap(),
        ),
        ("signed by itself", self_signed(place.dir.path()).unwrap()),
        ("too long a life", place.prod.svid(ours, 8 * 86400).unwrap()),
        ("it has ended", place.prod.svid(ours, 0).unwrap()),
    ];
    for (what, shown) in &cases {
        let said = place.psql("spiffe", "", Some(shown), COUNT);
        assert!(
            !said.is_good() && said.err.contains("was not accepted"),
            "{what}: {said:?}"
        );
        let who = place.whoami(Some(shown), None);
        assert_eq!(who["status"], 401, "{what}: {who}");
        // It is no harm to a token that is not bound: the token alone decides.
        let token = place.world.token(READER);
        assert!(
            place.psql("agent", &token, Some(shown), COUNT).is_good(),
            "{what}"
        );
    }
    let said = place.psql("spiffe", "", None, COUNT);
    assert!(
        !said.is_good() && said.err.contains("was not accepted"),
        "{said:?}"
    );
    // Nobody calls themselves what they are not.
    let etl = place.svid("/agents/etl");
    let said = place.psql(
        "spiffe://prod.example.com/agents/other",
        "",
        Some(&etl),
        COUNT,
    );
    assert!(!said.is_good(), "{said:?}");
    // A workload in no group connects to nothing.
    let stranger = place.svid("/strangers/etl");
    let said = place.psql("spiffe", "", Some(&stranger), COUNT);
    assert!(!said.is_good(), "{said:?}");
    // Each refusal is on record.
    let refused = export_lines(&log_dir(&place.world));
    for why in [
        "does not vouch",
        "another workload's",
        "no client certificate",
    ] {
        let told = refused.iter().any(|e| e.to_string().contains(why));
        assert!(told, "{why} is not on record");
    }
}

#[test]
fn a_token_decides_where_there_is_one() {
    let place = Place::new();
    let etl = place.svid("/agents/etl");
    let token = place.world.token(READER);
    let who = place.whoami(Some(&etl), Some(&format!("Bearer {token}")));
    assert_eq!(who["json"]["chain"][0]["id"], "dev/reader-1", "{who}");
    // A token that is no good is not made up for by a certificate.
    for bad in ["Bearer nonsense", "Basic eDp5", "Bearer"] {
        assert_eq!(place.whoami(Some(&etl), Some(bad))["status"], 401, "{bad}");
    }
    // A JWT-SVID under the workload's own name, without a certificate.
    let own = "spiffe://prod.example.com/agents/etl";
    assert!(place.psql(own, &token, None, COUNT).is_good());
    let said = place.psql("agent", "nonsense", Some(&etl), COUNT);
    assert!(!said.is_good(), "{said:?}");
    let said = place.psql("agent", "", Some(&etl), COUNT);
    assert!(
        !said.is_good(),
        "a certificate got in under another name: {said:?}"
    );
}

#[test]
fn a_session_ends_with_its_certificate_and_with_its_revocation() {
    let place = Place::with("\n[limits]\nexpiry_grace = \"1s\"\n");
    let short = place
        .prod
        .svid("spiffe://prod.example.com/agents/short", 4)
        .unwrap();
    let etl = place.svid("/agents/etl");
    let sleep = "SELECT 'in'; \\! sleep 8\nSELECT 'still in';";
    let said = std::thread::scope(|threads| {
        let long = threads.spawn(|| place.psql("spiffe", "", Some(&etl), sleep));
        let said = place.psql("spiffe", "", Some(&short), sleep);
        let long = long.join().unwrap();
        assert!(long.out.contains("still in"), "{long:?}");
        said
    });
    assert!(
        said.out.contains("in") && !said.out.contains("still in"),
        "{said:?}"
    );
    // Whoever was revoked comes back with a certificate that was made since, and with no other.
    let sasha = place.world.token(SECURITY);
    let revoke = place.ask(None, json!({
        "method": "POST",
        "path": "/api/v1/agents/revoke",
        "headers": {"content-type": "application/json", "authorization": format!("Bearer {sasha}")},
        "body": json!({"kind": "agent", "id": "dev/spiffe://prod.example.com/agents/etl", "reason": "by a test"}).to_string(),
    }));
    assert_eq!(revoke["status"], 200, "{revoke}");
    assert!(!place.psql("spiffe", "", Some(&etl), COUNT).is_good());
    assert_eq!(place.whoami(Some(&etl), None)["status"], 401);
}

#[test]
fn authorities_are_rotated_while_the_gateway_runs() {
    let place = Place::new();
    let next = TrustDomain::create(place.dir.path()).unwrap();
    let (old, new) = (
        place.svid("/agents/etl"),
        next.svid("spiffe://prod.example.com/agents/etl", 600)
            .unwrap(),
    );
    let gets_in = |shown| place.psql("spiffe", "", Some(shown), COUNT).is_good();
    assert!(gets_in(&old) && !gets_in(&new));
    let both = format!("{}{}", place.prod.pem(), next.pem());
    std::fs::write(place.file("prod.pem"), both).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    assert!(gets_in(&old) && gets_in(&new));
    next.write_bundle(&place.file("prod.pem")).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    assert!(!gets_in(&old) && gets_in(&new));
}

#[test]
fn a_workload_trades_its_certificate_for_a_token() {
    let place = Place::new();
    let etl = place.svid("/agents/etl");
    let id = "spiffe://prod.example.com/agents/etl";
    let kind = "urn:brattice:params:oauth:token-type:x509-svid";
    let fields = |id| {
        [
            ("grant_type", GRANT),
            ("subject_token", id),
            ("subject_token_type", kind),
            ("scope", "read"),
            ("worker", "w1"),
        ]
    };
    let given = place.trade(Some(&etl), &fields(id));
    assert_eq!(given["status"], 200, "{given}");
    assert_eq!(given["json"]["token_type"], "Bearer");
    let token = given["json"]["access_token"].as_str().unwrap();
    let who = place.whoami(Some(&etl), Some(&format!("Bearer {token}")));
    let chain = &who["json"]["chain"];
    assert_eq!(chain[1]["id"], format!("dev/{id}"), "{who}");
    // Bound to that certificate, as it is itself.
    assert!(place.psql("agent", token, Some(&etl), COUNT).is_good());
    assert!(!place.psql("agent", token, None, COUNT).is_good());
    for (shown, id) in [
        (None, id),
        (Some(&etl), "spiffe://prod.example.com/agents/other"),
    ] {
        let said = place.trade(shown, &fields(id));
        assert_eq!(said["json"]["error"], "invalid_grant", "{said}");
    }
    // With a token's type it is no token.
    let mut wrong = fields(id);
    wrong[2].1 = ACCESS;
    assert_eq!(
        place.trade(Some(&etl), &wrong)["json"]["error"],
        "invalid_grant"
    );
}

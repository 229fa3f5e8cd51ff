//! What we send: requests and metadata, as the provider reads them.

use super::*;
use url::Url;

#[test]
fn a_provider_reads_our_metadata_and_our_request() {
    let w = strict_world();
    let now = time("2026-01-02T03:04:05Z");
    let request = LoginRequest {
        relay_state: Some("a state & more"),
        again: true,
        ..login()
    };
    let url = Url::parse(&w.gateway.begin(&request, now).unwrap()).unwrap();
    assert!(
        url.as_str()
            .starts_with("https://idp.example/sso?SAMLRequest=")
    );
    let query = |name: &str| {
        let mut found = url.query_pairs().filter(|(n, _)| n == name);
        found.next().map(|(_, value)| value.into_owned())
    };
    assert_eq!(query("RelayState").as_deref(), Some("a state & more"));
    // pysaml2 refuses requests that are older than a while.
    let said = w.made_of_request(&w.gateway.begin(&request, w.real_now()).unwrap());
    assert_eq!(
        said,
        json!({"id": REQUEST, "again": "true", "destination": ACS, "sp": ENTITY,
            "binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
            "format": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"})
    );
}

/// The order to read a redirect.
fn reading(url: &Url) -> Value {
    let query = |name: &str| {
        let mut found = url.query_pairs().filter(|(n, _)| n == name);
        found.next().map(|(_, value)| value.into_owned())
    };
    json!({"do": "asked", "request": query("SAMLRequest"), "relay_state": query("RelayState"),
        "algorithm": query("SigAlg"), "signature": query("Signature")})
}

#[test]
fn a_provider_that_wants_signed_requests_gets_them() {
    let w = world();
    let signing = w.other(|c| c.signing = Some(pair(&w.said, "next")));
    let metadata = signing.metadata();
    assert!(
        metadata.contains("AuthnRequestsSigned=\"true\"")
            && metadata.contains(&certificate(&w.said, "next"))
    );
    w.tell(&json!({"do": "meet", "metadata": metadata, "signed": true}));
    let request = LoginRequest {
        relay_state: Some("a state & more"),
        ..login()
    };
    let url = Url::parse(&signing.begin(&request, w.real_now()).unwrap()).unwrap();
    assert_eq!(w.tell(&reading(&url))["id"], REQUEST);
    // The provider does check: unsigned, changed and otherwise signed ones it refuses.
    let unsigned = Url::parse(&w.gateway.begin(&request, w.real_now()).unwrap()).unwrap();
    let other = w.other(|c| c.signing = Some(pair(&w.said, "mallory")));
    let forged = Url::parse(&other.begin(&request, w.real_now()).unwrap()).unwrap();
    let mut changed = reading(&url);
    changed["relay_state"] = "another".into();
    for order in [reading(&unsigned), reading(&forged), changed] {
        assert!(w.refused_by_provider(&order));
    }
}

impl World {
    /// Whether the provider did not do what it was told.
    fn refused_by_provider(&self, order: &Value) -> bool {
        self.python
            .lock()
            .unwrap()
            .ask(order)
            .get("error")
            .is_some()
    }
    /// What the provider reads in a redirect of ours.
    pub fn made_of_request(&self, url: &str) -> Value {
        let url = Url::parse(url).unwrap();
        self.tell(&reading(&url))
    }
    /// The provider's clock.
    pub fn real_now(&self) -> Timestamp {
        issued(&self.good())
    }
}

#[test]
fn a_request_keeps_the_providers_own_query_and_its_bounds() {
    let w = world();
    let now = time("2026-01-02T03:04:05Z");
    let with_query = w.other(|c| {
        let metadata = String::from_utf8(c.idp_metadata.clone()).unwrap();
        c.idp_metadata = metadata
            .replace(
                "https://idp.example/sso",
                "https://idp.example/sso?tenant=a&amp;b=c",
            )
            .into_bytes();
    });
    let url = with_query.begin(&login(), now).unwrap();
    assert!(
        url.starts_with("https://idp.example/sso?tenant=a&b=c&SAMLRequest="),
        "{url}"
    );
    let ask = |id: &str, relay_state: Option<&str>| {
        let request = LoginRequest {
            id,
            relay_state,
            again: false,
        };
        w.gateway.begin(&request, now).map(|_| ())
    };
    let wrong_id = Err(SamlRefused::Request("its id is not one of XML"));
    for id in [
        "",
        "1a",
        "-a",
        "a b",
        "a\"b",
        "a<",
        "é",
        "a:b",
        &"a".repeat(257),
    ] {
        assert_eq!(ask(id, None), wrong_id, "{id}");
    }
    assert_eq!(ask("_-0.Aa", Some(&"s".repeat(80))), Ok(()));
    let too_long = Err(SamlRefused::Request(
        "its relay state is longer than 80 bytes",
    ));
    assert_eq!(ask(REQUEST, Some(&"s".repeat(81))), too_long);
}

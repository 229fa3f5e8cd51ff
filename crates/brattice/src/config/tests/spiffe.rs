//! Trust domains, client certificates, bound tokens.

use super::*;

const TLS: &str = "address = \"127.0.0.1:8443\"\ntls = { cert = \"a.pem\", key = \"a.key\" }";
const SPIFFE: &str = r#"
[spiffe.prod]
trust_domain = "prod.example.com"
bundle = "prod.pem"
claims.group_when = { payments = ["sub=spiffe://prod.example.com/ns/payments/sa/*"] }
"#;

/// The minimal bundle with TLS on the API, and with these tables.
fn with(tables: &str) -> String {
    let plain = "address = \"127.0.0.1:8443\"\nallow_plaintext_loopback = true";
    format!("{}\n{tables}", MINIMAL.replace(plain, TLS))
}

#[test]
fn a_trust_domain_has_clients_asked_for_certificates() {
    let bundle = checked(&with(SPIFFE)).unwrap();
    assert!(bundle.listen.client_certificates);
    let [domain] = bundle.spiffe.as_slice() else {
        panic!("{:?}", bundle.spiffe)
    };
    assert_eq!(domain.bundle, PathBuf::from("/bundle/prod.pem"));
    assert_eq!(domain.svid_lifetime_max, Duration::from_secs(86400));
    assert_eq!(domain.group_when[0].0, "payments");
    assert!(!checked(MINIMAL).unwrap().listen.client_certificates);
    let asked = checked(&with("[listen]\nclient_certificates = true\n")).unwrap();
    assert!(asked.listen.client_certificates);
    // One that has the name of an issuer names the same workloads.
    let same = SPIFFE.replace("spiffe.prod", "spiffe.okta");
    assert!(checked(&with(&same)).is_ok());
    let owned =
        format!("{SPIFFE}\n[owners]\n\"prod/spiffe://prod.example.com/a\" = \"okta/alice\"\n");
    assert!(checked(&with(&owned)).is_ok());
}

#[test]
fn what_contradicts_or_misses_its_aim_is_told() {
    let no_tls = format!("{MINIMAL}{SPIFFE}");
    assert_eq!(paths(&no_tls), ["spiffe.prod"]);
    let no_tls = format!("{MINIMAL}\n[listen]\nclient_certificates = true\n");
    assert_eq!(paths(&no_tls), ["listen.client_certificates"]);
    let no = with(&format!(
        "{SPIFFE}\n[listen]\nclient_certificates = false\n"
    ));
    assert_eq!(paths(&no), ["listen.client_certificates"]);
    for (from, to, at) in [
        (
            "trust_domain = \"prod",
            "trust_domain = \"spiffe://prod",
            "spiffe.prod.trust_domain",
        ),
        (
            "trust_domain = \"prod",
            "trust_domain = \"Prod",
            "spiffe.prod.trust_domain",
        ),
        ("bundle = \"prod.pem\"", "", "spiffe.prod"),
        ("[spiffe.prod]", "[spiffe.brattice]", "spiffe.brattice"),
        (
            "sub=spiffe://prod.example.com/",
            "sub=spiffe://prod.example.com",
            "spiffe.prod.claims.group_when.payments[0]",
        ),
        ("sub=", "iss=", "spiffe.prod.claims.group_when.payments[0]"),
        (
            "bundle",
            "svid_lifetime_max = \"200h\"\nbundle",
            "spiffe.prod.svid_lifetime_max",
        ),
    ] {
        let text = with(&SPIFFE.replacen(from, to, 1));
        let found = paths(&text);
        assert!(
            found.iter().any(|p| p.starts_with(at)),
            "{from} -> {to}: {found:?}"
        );
    }
    let twice = format!("{SPIFFE}{}", SPIFFE.replace("spiffe.prod", "spiffe.other"));
    assert!(!paths(&with(&twice)).is_empty());
}

#[test]
fn binding_is_required_where_it_is_said() {
    assert!(!checked(MINIMAL).unwrap().issuers[0].binding_required);
    let text = MINIMAL.replace("principals =", "binding_required = true\nprincipals =");
    assert!(checked(&text).unwrap().issuers[0].binding_required);
}

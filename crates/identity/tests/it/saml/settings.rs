//! Settings, and the metadata of providers.

use super::{ACS, ENTITY, KeyConfig, certificate, element, finish_at, issued, pair, value, world};
use brattice_core::secret::Secret;
use brattice_identity::saml::{SamlConfig, SamlProvider, SamlRefused, SubjectFrom};
use std::time::Duration;

const METADATA: &str = include_str!("seeds/metadata.xml");

fn good() -> SamlConfig {
    SamlConfig::new("corp", METADATA.as_bytes(), ENTITY, ACS)
}

fn problems(config: &SamlConfig) -> Vec<(&'static str, &'static str)> {
    let found = config.problems();
    found.iter().map(|p| (p.setting, p.why)).collect()
}

/// What is wrong when the metadata is this.
fn with_metadata(metadata: &str) -> Vec<(&'static str, &'static str)> {
    let mut config = good();
    config.idp_metadata = metadata.as_bytes().to_vec();
    problems(&config)
}

#[test]
fn defaults_have_no_problems() {
    assert_eq!(problems(&good()), []);
}

#[test]
fn all_problems_are_told_together() {
    let mut config = good();
    config.name = "Corp/x".into();
    config.idp_metadata = b"<x/>".to_vec();
    config.entity_id = "gateway".into();
    config.acs_url = "http://gateway.example/acs".into();
    let key = Secret::new(b"hunter2".to_vec());
    config.decryption = vec![KeyConfig {
        key: key.clone(),
        certificate: Vec::new(),
    }];
    config.signing = Some(KeyConfig {
        key,
        certificate: Vec::new(),
    });
    config.subject = SubjectFrom::Attribute(" ".into());
    config.groups = Some(String::new());
    config.mfa_when = vec![String::new()];
    config.clock_skew = Duration::from_secs(61);
    config.session_max = Duration::ZERO;
    config.authentication_max_age = Some(Duration::ZERO);
    let found: Vec<_> = problems(&config)
        .into_iter()
        .map(|(setting, _)| setting)
        .collect();
    assert_eq!(
        found,
        [
            "name",
            "idp_metadata",
            "entity_id",
            "acs_url",
            "decryption",
            "signing",
            "subject",
            "groups",
            "mfa_when",
            "clock_skew",
            "session_max",
            "authentication_max_age"
        ]
    );
    let error = SamlProvider::new(config.clone(), Default::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("identity provider `Corp/x`: acs_url: must begin with https://")
    );
    assert!(!error.to_string().contains("hunter2") && !format!("{config:?}").contains("hunter2"));
}

#[test]
fn addresses_are_safe_and_written_in_one_way() {
    for (acs, good_one) in [
        (ACS, true),
        ("https://gateway.example:8443/acs?x=1", true),
        ("https://gateway.example", false),
        ("https://gateway.example:443/acs", false),
        ("https://GATEWAY.example/acs", false),
        ("https://user@gateway.example/acs", false),
        ("https://gateway.example/acs#x", false),
        ("http://127.0.0.1:8080/acs", false),
    ] {
        let mut config = good();
        config.acs_url = acs.into();
        assert_eq!(problems(&config).is_empty(), good_one, "{acs}");
    }
    let mut config = good();
    config.acs_url = "http://127.0.0.1:8080/acs".into();
    config.allow_loopback_http = true;
    assert_eq!(problems(&config), []);
    config.entity_id = "https://idp.example/metadata".into();
    assert_eq!(
        problems(&config),
        [("entity_id", "this is the provider's own")]
    );
    let wrong = with_metadata(&METADATA.replace("https://idp.example/sso", "javascript:alert(1)"));
    assert_eq!(
        wrong,
        [(
            "idp_metadata",
            "its SingleSignOnService must be an https:// address"
        )]
    );
}

#[test]
fn metadata_says_all_that_is_needed_of_one_provider() {
    let descriptor = element(METADATA, "ns0:KeyDescriptor");
    let service = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
    let cert = element(METADATA, "ns2:X509Certificate");
    let text = cert.split(['<', '>']).nth(2).unwrap();
    let cut = text.get(..text.len() - 400).unwrap();
    let entity = element(METADATA, "ns0:EntityDescriptor");
    let two = format!(
        "<x:EntitiesDescriptor xmlns:x=\"urn:oasis:names:tc:SAML:2.0:metadata\">{entity}{entity}</x:EntitiesDescriptor>"
    );
    let key = "has a signing certificate whose key is not RSA of 2048 bits or more, P-256 or P-384";
    for (metadata, why) in [
        (
            METADATA.replace(descriptor, ""),
            "must have a KeyDescriptor for signing with a certificate",
        ),
        (
            METADATA.replace("use=\"signing\"", "use=\"encryption\""),
            "must have a KeyDescriptor for signing with a certificate",
        ),
        (METADATA.replace(text, ""), key),
        (METADATA.replace(text, cut), key),
        (METADATA.replace(text, "AAAA"), key),
        (
            METADATA.replace(text, "*"),
            "has a certificate that is not base64",
        ),
        (
            METADATA.replace(service, "urn:oasis:names:tc:SAML:2.0:bindings:SOAP"),
            "must have a SingleSignOnService with the binding HTTP-Redirect",
        ),
        (
            METADATA.replace("SAML:2.0:protocol", "SAML:1.1:protocol"),
            "must have one IDPSSODescriptor for SAML 2.0",
        ),
        (
            METADATA.replace("IDPSSODescriptor", "SPSSODescriptor"),
            "must have one IDPSSODescriptor for SAML 2.0",
        ),
        (
            METADATA.replace("entityID=", "x="),
            "must have an entityID of at most 1024 bytes",
        ),
        (
            METADATA.replace("entityID=", "validUntil=\"soon\" entityID="),
            "has a validUntil that is no time in UTC",
        ),
        (two, "must describe one entity, and only one"),
        (
            "<EntityDescriptor/>".into(),
            "must describe one entity, and only one",
        ),
        (
            "<!DOCTYPE x><x/>".into(),
            "it has a DTD, a CDATA section or a processing instruction",
        ),
        (
            format!("{METADATA}{}", " ".repeat(1 << 20)),
            "is longer than 1 MiB",
        ),
        (String::new(), "it ends too soon"),
    ] {
        assert_eq!(with_metadata(&metadata), [("idp_metadata", why)]);
    }
    for metadata in [
        METADATA.replace(" use=\"signing\"", ""),
        METADATA.replace(descriptor, &format!("{descriptor}{descriptor}")),
        METADATA.replace(descriptor, &format!("<!-- ours -->{descriptor}")),
        METADATA.replace(
            text,
            &text
                .as_bytes()
                .chunks(64)
                .map(|l| format!("\n  {}", String::from_utf8_lossy(l)))
                .collect::<String>(),
        ),
        format!("\u{feff}{METADATA}\n"),
        format!(
            "<x:EntitiesDescriptor xmlns:x=\"urn:oasis:names:tc:SAML:2.0:metadata\">{entity}</x:EntitiesDescriptor>"
        ),
        METADATA.replace(
            "WantAuthnRequestsSigned=\"false\"",
            "WantAuthnRequestsSigned=\"true\"",
        ),
    ] {
        assert_eq!(with_metadata(&metadata), []);
    }
}

#[test]
fn a_key_and_its_certificate_are_a_pair() {
    let w = world();
    let why = |key: KeyConfig| {
        let mut config = good();
        config.decryption = vec![key.clone()];
        config.signing = Some(key);
        let found = problems(&config);
        assert!(
            found.is_empty() || (found.len() == 2 && found[0].1 == found[1].1),
            "{found:?}"
        );
        found.first().map(|(_, why)| *why)
    };
    let (sp, next, curve) = (
        pair(&w.said, "sp"),
        pair(&w.said, "next"),
        pair(&w.said, "curve"),
    );
    assert_eq!(why(sp.clone()), None);
    let crossed = KeyConfig {
        key: sp.key.clone(),
        certificate: next.certificate,
    };
    assert_eq!(why(crossed), Some("the certificate is not that of the key"));
    assert_eq!(
        why(curve),
        Some("the key is not an RSA key of 2048 bits or more")
    );
    let turned = KeyConfig {
        key: Secret::new(sp.certificate.clone()),
        certificate: sp.certificate,
    };
    assert_eq!(
        why(turned),
        Some("the key is no PKCS #8 private key in PEM")
    );
    let bare = KeyConfig {
        key: sp.key,
        certificate: certificate(&w.said, "sp").into_bytes(),
    };
    assert_eq!(why(bare), Some("the certificate is not one in PEM"));
}

/// Responses that were kept: pysaml2's, signed by xmlsec1, with which the fuzz target begins; and one of another
/// provider's software, samlify, with an implementation of XML signatures of its own (xml-crypto).
#[test]
fn responses_that_were_kept_are_verified() {
    let samlify = include_str!("seeds/samlify-metadata.xml");
    for (metadata, xml) in [
        (METADATA, include_str!("seeds/assertion.xml")),
        (METADATA, include_str!("seeds/both.xml")),
        (samlify, include_str!("seeds/samlify.xml")),
    ] {
        let config = SamlConfig::new("corp", metadata.as_bytes(), ENTITY, ACS);
        let gateway = SamlProvider::new(config, Default::default()).unwrap();
        let changed = xml.replace(">ana-7f3c<", ">admin<");
        let refused = finish_at(&gateway, &changed, issued(xml)).unwrap_err();
        assert_eq!(refused, SamlRefused::Signature);
        let proof = finish_at(&gateway, xml, issued(xml)).unwrap();
        assert_eq!(proof.identity.chain.acting.id(), "corp/ana-7f3c");
        assert!(proof.identity.chain.acting.groups.contains("corp/dba"));
        assert!(xml.contains(&format!("ID=\"{}\"", proof.assertion_id)));
        assert_ne!(proof.assertion_id, value(xml, "ID"), "the response's");
    }
}

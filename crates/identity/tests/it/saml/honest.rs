//! What an honest provider and an honest browser do.

use super::*;
use brattice_core::principal::{LoginBy, PrincipalKind};
use brattice_identity::saml::{NameIdFormat, SubjectFrom};
use std::time::Duration;

const MFA: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken";
const PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";

#[test]
fn a_signed_assertion_proves_who_somebody_is() {
    let w = world();
    let xml = w
        .made(json!({"do": "answer", "options": {"sign_assertion": true, "sign_response": false}}));
    let proof = w.accepts(&xml);
    let identity = &proof.identity;
    let who = &identity.chain.acting;
    assert!(identity.chain.on_behalf_of.is_empty());
    assert_eq!(
        (who.kind, who.id()),
        (PrincipalKind::User, "corp/ana-7f3c".to_owned())
    );
    assert_eq!(Vec::from_iter(&who.groups), ["corp/dba", "corp/on-call"]);
    assert_eq!(identity.by, LoginBy::Saml);
    assert!(!identity.mfa && !identity.binding.is_any() && identity.credential.is_none());
    assert!(identity.scope.is_whole());
    assert_eq!(identity.authenticated_at, time(value(&xml, "AuthnInstant")));
    assert_eq!(
        identity.expires_at,
        issued(&xml).plus(Duration::from_secs(8 * 3600))
    );
    assert_eq!(identity.token_id.as_ref(), Some(&proof.assertion_id));
    assert!(element(&xml, "ns1:Assertion").contains(&proof.assertion_id));
    let ends = time(value(&xml, "NotOnOrAfter"));
    assert_eq!(proof.valid_until, ends.plus(w.config.clock_skew));
}

#[test]
fn what_an_honest_provider_may_do_otherwise_is_accepted() {
    let w = world();
    let sha = |n: u32| format!("http://www.w3.org/2001/04/xmldsig-more#rsa-sha{n}");
    let statement_end = "</ns1:AttributeStatement>";
    let empty = "<ns1:Attribute Name=\"other\"><ns1:AttributeValue><x:y xmlns:x=\"urn:x\">z</x:y></ns1:AttributeValue></ns1:Attribute>";
    for order in [
        json!({"sign": "both"}),
        json!({"do": "answer", "options": {"sign_assertion": true, "sign_response": true}}),
        json!({"key_info": false}),
        json!({"sign_alg": sha(384), "digest_alg": "http://www.w3.org/2001/04/xmldsig-more#sha384"}),
        json!({"sign_alg": sha(512), "digest_alg": "http://www.w3.org/2001/04/xmlenc#sha512"}),
        json!({"attributes": {"groups": ["José Núñez & Söhne <\"x\">", "山田"]}}),
        // White space, prefixes, the default namespace, references and an unread attribute with anything in it.
        json!({"edits": [["<ns1:Subject>", "\n  <ns1:Subject>\r\n\t"], ["ana-7f3c", "an&#x61;-7f3c"]]}),
        json!({"edits": [[statement_end, format!("{empty}{statement_end}")]]}),
        json!({"edits": [["<ns1:Assertion ", "<ns1:Assertion xmlns=\"urn:unused\" xmlns:zz=\"urn:z\" "]]}),
        json!({"edits": [[" Destination=\"https://gateway.example/login/saml/acs\"", ""]]}),
        json!({"edits": [["</ns1:AudienceRestriction>", "</ns1:AudienceRestriction><ns1:OneTimeUse/>"]]}),
        json!({"edits": [["<ns1:AuthnContext>", "<ns1:SubjectLocality Address=\"192.0.2.1\"/><ns1:AuthnContext>"]]}),
        json!({"edits": [["<ns2:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\" />",
            "<ns2:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"><ec:InclusiveNamespaces \
             xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"xs xsi ns0 #default\"/></ns2:Transform>"],
            ["<ns0:Response ", "<ns0:Response xmlns=\"urn:unused\" "]]}),
        json!({"edits": [["<ns2:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\" />",
            "<ns2:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"><ec:InclusiveNamespaces \
             xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"xsi ns1\"/></ns2:CanonicalizationMethod>"]]}),
        json!({"attributes": {"groups": []}}),
        json!({"edits": [["<ns1:AuthnStatement", format!("<ns1:AttributeStatement>{empty}</ns1:AttributeStatement>\
            <ns1:AuthnStatement")]]}),
    ] {
        let proof = w.accepts(&w.made(order.clone()));
        assert_eq!(proof.identity.chain.acting.name, "ana-7f3c", "{order}");
    }
}

#[test]
fn while_keys_are_rolled_over_each_signs() {
    let w = world_with(|config, said| {
        let metadata = String::from_utf8(config.idp_metadata.clone()).unwrap();
        let descriptor = element(&metadata, "ns0:KeyDescriptor").to_owned();
        let other = |name| descriptor.replace(&certificate(said, "idp"), &certificate(said, name));
        let all = format!("{descriptor}{}{}", other("next"), other("curve"));
        config.idp_metadata = metadata.replace(&descriptor, &all).into_bytes();
    });
    let ecdsa = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
    w.accepts(&w.made(json!({"key": "idp"})));
    w.accepts(&w.made(json!({"key": "next"})));
    w.accepts(&w.made(json!({"key": "curve", "sign_alg": ecdsa})));
    w.refuses(&w.made(json!({"key": "mallory"})), SamlRefused::Signature);
    // When the new metadata has one key alone, the old one is nobody's.
    let after = w.other(|config| {
        let metadata = w.said["metadata"].as_str().unwrap();
        let next = metadata.replace(&certificate(&w.said, "idp"), &certificate(&w.said, "next"));
        config.idp_metadata = next.into_bytes();
    });
    let old = w.good();
    assert_eq!(
        finish_at(&after, &old, issued(&old)).err(),
        Some(SamlRefused::Signature)
    );
    let new = w.made(json!({"key": "next"}));
    finish_at(&after, &new, issued(&new)).unwrap();
}

#[test]
fn a_second_factor_is_what_the_operator_says() {
    let w = world_with(|config, _| config.mfa_when = vec![MFA.to_owned()]);
    assert!(!w.accepts(&w.good()).identity.mfa);
    assert!(
        w.accepts(&w.made(json!({"edits": [[PASSWORD, MFA]]})))
            .identity
            .mfa
    );
    let similar = w.made(json!({"edits": [[PASSWORD, format!("{MFA}/x")]]}));
    assert!(!w.accepts(&similar).identity.mfa);
}

#[test]
fn a_subject_is_named_as_the_operator_says() {
    let w = world();
    let by = |subject: SubjectFrom| w.other(|config| config.subject = subject);
    let name = |gateway: &SamlProvider, xml: &str| {
        finish_at(gateway, xml, issued(xml)).map(|p| p.identity.chain.acting.name)
    };
    let format = |f: &str| w.made(json!({"format": f, "name": "ana@corp.example"}));
    let (email, unspecified, transient) = (
        format("urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"),
        format("urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"),
        format("urn:oasis:names:tc:SAML:2.0:nameid-format:transient"),
    );
    let wrong = Err(SamlRefused::Subject(
        "is a NameID of another format than is set",
    ));
    for other in [&email, &unspecified, &transient] {
        assert_eq!(w.finish(other).map(|p| p.assertion_id), wrong);
    }
    let by_email = by(SubjectFrom::NameId(NameIdFormat::EmailAddress));
    assert_eq!(name(&by_email, &email).as_deref(), Ok("ana@corp.example"));
    assert_eq!(name(&by_email, &unspecified), wrong);
    assert_eq!(name(&by_email, &w.good()), wrong);
    let by_any = by(SubjectFrom::NameId(NameIdFormat::Unspecified));
    assert_eq!(
        name(&by_any, &unspecified).as_deref(),
        Ok("ana@corp.example")
    );
    assert_eq!(name(&by_any, &transient), wrong);
    let by_attribute = by(SubjectFrom::Attribute(
        "urn:mace:dir:attribute-def:mail".to_owned(),
    ));
    assert_eq!(
        name(&by_attribute, &transient).as_deref(),
        Ok("ana@corp.example")
    );
}

#[test]
fn groups_that_are_absent_are_not_none() {
    let w = world();
    let absent = w.made(json!({"attributes": {"mail": "ana@corp.example"}}));
    w.refuses(
        &absent,
        SamlRefused::Groups("are absent, which is not the same as none"),
    );
    let nothing = w.made(json!({"attributes": {}}));
    w.refuses(
        &nothing,
        SamlRefused::Groups("are absent, which is not the same as none"),
    );
    let elsewhere = w.made(
        json!({"edits": [["Name=\"urn:mace:dir:attribute-def:mail\"",
        "Name=\"http://schemas.microsoft.com/claims/groups.link\""]]}),
    );
    w.refuses(
        &elsewhere,
        SamlRefused::Groups("are not listed: the provider found them too many"),
    );
    let declared = w.other(|config| config.groups = None);
    let proof = finish_at(&declared, &absent, issued(&absent)).unwrap();
    assert!(proof.identity.chain.acting.groups.is_empty());
}

#[test]
fn a_session_ends_when_the_provider_says_or_we_do() {
    let w = world();
    let ends = |xml: &str| w.accepts(xml).identity.expires_at;
    let until = |text: &str| {
        let edit = [
            "<ns1:AuthnStatement ",
            &format!("<ns1:AuthnStatement SessionNotOnOrAfter=\"{text}\" "),
        ];
        w.made(json!({"edits": [edit]}))
    };
    let now = issued(&w.good());
    let soon = now.plus(Duration::from_secs(600)).to_string();
    assert_eq!(ends(&until(&soon)).to_string(), soon);
    let late = until("2999-01-01T00:00:00Z");
    assert_eq!(
        ends(&late),
        issued(&late).plus(Duration::from_secs(8 * 3600))
    );
    w.refuses(&until("2026-01-01T00:00:00Z"), SamlRefused::Expired);
}

#[test]
fn an_old_session_at_the_provider_needs_a_new_authentication() {
    let w = world_with(|c, _| c.authentication_max_age = Some(Duration::from_secs(3600)));
    w.accepts(&w.made(json!({"session_age": 3500})));
    w.refuses(&w.made(json!({"session_age": 3700})), SamlRefused::TooOld);
    let begun = w.gateway.begin(
        &LoginRequest {
            again: true,
            ..login()
        },
        w.real_now(),
    );
    assert_eq!(w.made_of_request(&begun.unwrap())["again"], "true");
    let begun = w.gateway.begin(&login(), w.real_now());
    assert_eq!(w.made_of_request(&begun.unwrap())["again"], Value::Null);
}

#[test]
fn what_a_provider_begins_by_itself_is_refused() {
    let w = world();
    let edits = json!([[format!(" InResponseTo=\"{REQUEST}\""), ""]]);
    let unasked = w.made(json!({"edits": edits}));
    w.refuses(&unasked, SamlRefused::Unasked);
}

#[test]
fn a_failure_at_the_provider_is_told() {
    let w = world();
    let failed = w.made(json!({"do": "failed"}));
    w.refuses(
        &failed,
        SamlRefused::Status("it could not authenticate the person"),
    );
}

#[test]
fn the_value_of_a_form_may_be_in_lines() {
    let w = world();
    let xml = w.good();
    let value = STANDARD.encode(&xml);
    let lines: Vec<&str> = value
        .as_bytes()
        .chunks(76)
        .map(|l| std::str::from_utf8(l).unwrap())
        .collect();
    for (separator, good) in [("\r\n", true), (" ", false), ("\n\n", true), ("\t", false)] {
        let text = lines.join(separator);
        let gateway = w.other(|_| {});
        let found = gateway.finish(&text, REQUEST, issued(&xml));
        assert_eq!(found.is_ok(), good, "{separator:?}");
    }
}

/// Signed by xmlsec1 over its own canonical form: ours must be the same, byte for byte.
#[test]
fn odd_writing_is_canonicalised_as_others_do() {
    let w = world();
    let exclusive = "<ns2:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\" />";
    let lists = [
        "",
        "xs",
        "b",
        "#default",
        "a b #default ns0",
        "missing b",
        "xsi ns1 ns2 xml",
    ];
    let contents = [
        "<a xmlns='urn:a' xmlns:b='urn:b' xmlns:a='urn:c' b:z='1' a:z='2' z='3' y='&#9;&#10;&#13;\"&lt;&amp;>&apos;'/>",
        "<a xmlns='urn:a'><c xmlns=''/><c xmlns=''><d xmlns='urn:a'/></c></a>",
        "<a>&#13;&lt;&gt;&amp;\"'\t\r\n\r &#xA0;\u{e9}\u{1f600}</a>",
        "<b:a xmlns:b='urn:1'><b:a xmlns:b='urn:2'><b:a xmlns:b='urn:1'/></b:a><b:c/></b:a>",
        "<b:a xmlns:b='urn:1' xmlns:unused='urn:u'><c unused:x='1'/><c/></b:a>",
        "<a xmlns:b='urn:z' xmlns:c='urn:a' b:y='1' c:z='2' b:a='3' c:b='4' xml:lang='en' a='0'/>",
        "<a xml:space=' x\ty ' b='\n\n'><xml/></a>",
        "<b:x xmlns:b='urn:1' xmlns='urn:d'><y/><z xmlns='urn:e'><b:w/></z></b:x>",
    ];
    for list in lists {
        let all: String = contents
            .iter()
            .map(|c| format!("<ns1:Attribute Name=\"x\"><ns1:AttributeValue>{c}</ns1:AttributeValue></ns1:Attribute>"))
            .collect();
        let transform = format!(
            "{}<ec:InclusiveNamespaces xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"{list}\"/></ns2:Transform>",
            exclusive.replace(" />", ">")
        );
        let edits = json!([
            [
                "<ns1:AttributeStatement>",
                format!("<ns1:AttributeStatement>{all}")
            ],
            [
                exclusive,
                if list.is_empty() {
                    exclusive
                } else {
                    &transform
                }
            ],
            [
                "<ns0:Response ",
                "<ns0:Response xmlns=\"urn:outer\" xmlns:a=\"urn:outer-a\" xmlns:b=\"urn:outer-b\" "
            ],
        ]);
        let proof = w.accepts(&w.made(json!({"edits": edits, "sign": "both"})));
        assert_eq!(proof.identity.chain.acting.name, "ana-7f3c", "{list}");
    }
}

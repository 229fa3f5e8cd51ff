//! Assertions that are genuine and not for this gateway, this request or this moment.

use super::*;
use brattice_identity::saml::ASSERTION_AGE_MAX;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Everything here is signed by the provider as it stands.
fn signed(w: &World, old: &str, new: &str) -> String {
    w.made(json!({"edits": [[old, new]]}))
}

#[test]
fn an_assertion_for_somebody_else_is_refused() {
    let w = world();
    let audience = format!("<ns1:Audience>{ENTITY}</ns1:Audience>");
    let restriction = format!("<ns1:AudienceRestriction>{audience}</ns1:AudienceRestriction>");
    let other = "<ns1:Audience>https://other.example</ns1:Audience>";
    let of = |inside: &str| format!("<ns1:AudienceRestriction>{inside}</ns1:AudienceRestriction>");
    for (new, why) in [
        (of(other), SamlRefused::Audience),
        (of(""), SamlRefused::Audience),
        (String::new(), SamlRefused::Audience),
        ("<ns1:OneTimeUse/>".to_owned(), SamlRefused::Audience),
        (
            of(&audience.replace(ENTITY, &format!("{ENTITY}/"))),
            SamlRefused::Audience,
        ),
        (
            of(&audience.replace(ENTITY, &ENTITY.to_uppercase())),
            SamlRefused::Audience,
        ),
        (
            of(&audience.replace(ENTITY, "https://gateway.example")),
            SamlRefused::Audience,
        ),
        (
            of(&format!("{audience}{other}")),
            SamlRefused::AudienceBeside,
        ),
        (format!("{restriction}{}", of(other)), SamlRefused::Audience),
        (
            format!("{restriction}<ns1:Condition/>"),
            SamlRefused::Shape("a condition that is not known"),
        ),
        (
            format!("{restriction}<x:y xmlns:x=\"urn:x\"/>"),
            SamlRefused::Shape("a condition that is not known"),
        ),
    ] {
        w.refuses(&signed(&w, &restriction, &new), why);
    }
    let spaced = format!("<ns1:Audience>\n  {ENTITY}\n</ns1:Audience>");
    w.accepts(&signed(&w, &audience, &spaced));
    w.accepts(&signed(
        &w,
        &restriction,
        &format!("{restriction}{restriction}"),
    ));
}

#[test]
fn an_assertion_for_another_address_is_refused() {
    let w = world();
    let recipient = format!("Recipient=\"{ACS}\"");
    for other in [
        "https://other.example/acs",
        "",
        &ACS.to_uppercase(),
        &format!("{ACS}/"),
        &format!("{ACS}?x"),
        "http://gateway.example/login/saml/acs",
    ] {
        let xml = signed(&w, &recipient, &format!("Recipient=\"{other}\""));
        w.refuses(&xml, SamlRefused::Recipient);
        let xml = signed(
            &w,
            &format!("Destination=\"{ACS}\""),
            &format!("Destination=\"{other}\""),
        );
        w.refuses(&xml, SamlRefused::Destination);
    }
    w.refuses(&signed(&w, &recipient, ""), SamlRefused::Shape("Recipient"));
    let bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
    for method in [
        "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key",
        "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches",
        "",
    ] {
        w.refuses(
            &signed(&w, bearer, method),
            SamlRefused::Shape("SubjectConfirmation"),
        );
    }
    w.accepts(&w.good());
}

#[test]
fn an_assertion_of_another_provider_is_refused() {
    let w = world();
    for other in [
        "https://evil.example/metadata",
        "",
        &format!("{IDP}/"),
        &format!("x{IDP}"),
    ] {
        let xml = signed(&w, &format!(">{IDP}<"), &format!(">{other}<"));
        w.refuses(&xml, SamlRefused::Issuer);
    }
    let format = "Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:entity\"";
    w.refuses(&signed(&w, format, "Format=\"urn:x\""), SamlRefused::Issuer);
    // Only the one in the assertion.
    let inner = format!("{format}>{IDP}</ns1:Issuer><ns2:Signature");
    let edit = [&inner, &inner.replace(IDP, "https://evil.example")];
    w.refuses(&w.made(json!({"edits": [edit]})), SamlRefused::Issuer);
    w.accepts(&signed(&w, format, ""));
}

#[test]
fn an_answer_to_another_request_is_refused() {
    let w = world();
    let asked = format!("InResponseTo=\"{REQUEST}\"");
    let in_data = format!("{asked} />");
    for other in [
        "InResponseTo=\"_other\"",
        "InResponseTo=\"\"",
        &asked.to_uppercase().replace("INRESPONSETO", "InResponseTo"),
    ] {
        w.refuses(&signed(&w, &asked, other), SamlRefused::InResponseTo);
        w.refuses(
            &signed(&w, &in_data, &format!("{other} />")),
            SamlRefused::InResponseTo,
        );
    }
    w.refuses(&signed(&w, &in_data, " />"), SamlRefused::InResponseTo);
    w.refuses(&signed(&w, &asked, ""), SamlRefused::Unasked);
    // The forger changes what is not signed to fit.
    let other = w.made(json!({"in_response_to": "_of-another-browser"}));
    w.refuses(&other, SamlRefused::InResponseTo);
    w.refuses(
        &other.replacen("_of-another-browser", REQUEST, 1),
        SamlRefused::InResponseTo,
    );
    w.accepts(&w.good());
}

#[test]
fn an_assertion_holds_for_a_while_and_no_longer() {
    let w = world();
    let xml = w.good();
    let skew = w.config.clock_skew;
    let (begin, end) = (issued(&xml), time(value(&xml, "NotOnOrAfter")));
    let at = |now| finish_at(&w.other(|_| {}), &xml, now).map(|p| p.valid_until);
    assert_eq!(at(begin.minus(skew)), Ok(end.plus(skew)));
    assert_eq!(
        at(begin.minus(skew).minus(SECOND)),
        Err(SamlRefused::NotYet)
    );
    assert_eq!(at(end.plus(skew).minus(SECOND)), Ok(end.plus(skew)));
    assert_eq!(at(end.plus(skew)), Err(SamlRefused::Expired));
    let strict = w.other(|c| c.clock_skew = Duration::ZERO);
    assert_eq!(
        finish_at(&strict, &xml, end).err(),
        Some(SamlRefused::Expired)
    );
    finish_at(&strict, &xml, end.minus(SECOND)).unwrap();
}

#[test]
fn each_of_its_times_counts() {
    let w = world();
    let (past, future) = ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z");
    for (tag, attribute, new, why) in [
        (
            "ns1:SubjectConfirmationData",
            "NotOnOrAfter",
            past,
            SamlRefused::Expired,
        ),
        ("ns1:Conditions", "NotOnOrAfter", past, SamlRefused::Expired),
        ("ns1:Conditions", "NotBefore", future, SamlRefused::NotYet),
        (
            "ns1:AuthnStatement",
            "AuthnInstant",
            future,
            SamlRefused::NotYet,
        ),
        ("ns1:Assertion", "IssueInstant", future, SamlRefused::NotYet),
        ("ns1:Assertion", "IssueInstant", past, SamlRefused::Expired),
        (
            "ns1:Conditions",
            "NotOnOrAfter",
            "2026-13-01T00:00:00Z",
            SamlRefused::Time,
        ),
        (
            "ns1:Conditions",
            "NotOnOrAfter",
            "2999-01-01T00:00:00+00:00",
            SamlRefused::Time,
        ),
        ("ns1:Conditions", "NotBefore", "", SamlRefused::Time),
        (
            "ns1:AuthnStatement",
            "AuthnInstant",
            "now",
            SamlRefused::Time,
        ),
    ] {
        let made = w.made(json!({"retime": [[tag, attribute, new]]}));
        let now = time(value(&made, "IssueInstant"));
        assert_eq!(finish_at(&w.gateway, &made, now).err(), Some(why), "{made}");
    }
    for (tag, attribute, why) in [
        (
            "ns1:SubjectConfirmationData",
            "NotOnOrAfter",
            SamlRefused::Shape("NotOnOrAfter"),
        ),
        (
            "ns1:Conditions",
            "NotOnOrAfter",
            SamlRefused::Shape("NotOnOrAfter"),
        ),
        (
            "ns1:AuthnStatement",
            "AuthnInstant",
            SamlRefused::Shape("AuthnInstant"),
        ),
        (
            "ns1:Assertion",
            "IssueInstant",
            SamlRefused::Shape("IssueInstant"),
        ),
    ] {
        w.refuses(&w.made(json!({"retime": [[tag, attribute, null]]})), why);
    }
    let early = w.made(json!({"edits": [["<ns1:SubjectConfirmationData ",
        "<ns1:SubjectConfirmationData NotBefore=\"2020-01-01T00:00:00Z\" "]]}));
    w.refuses(&early, SamlRefused::Shape("attributes"));
    // A provider that gives a year gives ten minutes.
    let long = w.made(
        json!({"retime": [["ns1:Conditions", "NotOnOrAfter", future],
        ["ns1:SubjectConfirmationData", "NotOnOrAfter", future]]}),
    );
    let end = issued(&long)
        .plus(ASSERTION_AGE_MAX)
        .plus(w.config.clock_skew);
    assert_eq!(
        finish_at(&w.gateway, &long, end).err(),
        Some(SamlRefused::Expired)
    );
    let proof = finish_at(&w.gateway, &long, end.minus(SECOND)).unwrap();
    assert_eq!(proof.valid_until, end);
}

#[test]
fn an_assertion_is_used_once() {
    let w = world();
    let xml = w.good();
    w.accepts(&xml);
    w.refuses(&xml, SamlRefused::Replayed);
    // In another document, written otherwise, it is the same assertion.
    let other = xml
        .replacen(value(&xml, "ID"), "_another-response", 1)
        .replace("Version=\"2.0\"", "Version='2.0'");
    w.refuses(&other, SamlRefused::Replayed);
    let end = time(value(&xml, "NotOnOrAfter")).plus(w.config.clock_skew);
    assert_eq!(
        finish_at(&w.gateway, &xml, end.minus(SECOND)).err(),
        Some(SamlRefused::Replayed)
    );
    assert_eq!(
        finish_at(&w.gateway, &xml, end).err(),
        Some(SamlRefused::Expired)
    );
    assert_eq!(
        finish_at(&w.gateway, &xml, issued(&xml)).err(),
        Some(SamlRefused::Replayed)
    );
}

#[test]
fn what_was_used_is_remembered_when_the_settings_change() {
    let w = world();
    let used = Arc::new(UsedAssertions::with_room_for(1));
    let make = || SamlProvider::new(w.config.clone(), used.clone()).unwrap();
    let (first, second) = (w.good(), w.good());
    let now = issued(&second);
    finish_at(&make(), &first, now).unwrap();
    assert_eq!(
        finish_at(&make(), &first, now).err(),
        Some(SamlRefused::Replayed)
    );
    assert_eq!(
        finish_at(&make(), &second, now).err(),
        Some(SamlRefused::Busy)
    );
}

#[test]
fn a_refused_response_uses_nothing_up() {
    let w = world();
    let xml = w.good();
    w.refuses_all("changed", &xml.replace("ana-7f3c", "admin"));
    let wrong = w
        .gateway
        .finish(&STANDARD.encode(&xml), "_other", issued(&xml));
    assert_eq!(wrong.err(), Some(SamlRefused::InResponseTo));
    w.accepts(&xml);
}

#[test]
fn a_status_other_than_success_is_refused_whatever_stands_beside_it() {
    let w = world();
    let success = "<ns0:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\" />";
    for code in [
        "Responder",
        "Requester",
        "AuthnFailed",
        "success",
        "",
        "Success ",
    ] {
        let xml = signed(&w, success, &success.replace("Success", code));
        w.refuses(
            &xml,
            SamlRefused::Status("it gives no reason that is known"),
        );
    }
    w.refuses(&signed(&w, success, ""), SamlRefused::Shape("StatusCode"));
    let nested = format!("<ns0:StatusCode Value=\"urn:x\">{success}</ns0:StatusCode>");
    w.refuses(
        &signed(&w, success, &nested),
        SamlRefused::Status("it gives no reason that is known"),
    );
    w.accepts(&signed(
        &w,
        success,
        &format!("{success}<ns0:StatusMessage>well</ns0:StatusMessage>"),
    ));
}

#[test]
fn metadata_ends() {
    let w = world();
    let until = |at: &str| {
        w.other(|c| {
            let metadata = String::from_utf8(c.idp_metadata.clone()).unwrap();
            let entity = format!("<ns0:EntityDescriptor validUntil=\"{at}\"");
            c.idp_metadata = metadata
                .replacen("<ns0:EntityDescriptor", &entity, 1)
                .into_bytes();
        })
    };
    let xml = w.good();
    let over = until("2026-01-01T00:00:00Z");
    assert_eq!(
        finish_at(&over, &xml, issued(&xml)).err(),
        Some(SamlRefused::Metadata)
    );
    assert_eq!(
        over.begin(&login(), issued(&xml)).err(),
        Some(SamlRefused::Metadata)
    );
    finish_at(&until("2999-01-01T00:00:00Z"), &xml, issued(&xml)).unwrap();
}

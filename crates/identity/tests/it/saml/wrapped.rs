//! Signature wrapping: a signed assertion is kept where its signature still verifies, and another is put where it
//! might be read (Somorovsky and others, "On Breaking SAML", 2012).

use super::*;

/// What is cut out of a good response, and what a forger makes of it.
struct Cut {
    xml: String,
    /// The signed assertion, whole.
    good: String,
    signature: String,
    good_id: String,
}

impl Cut {
    fn of(xml: String) -> Self {
        let good = element(&xml, "ns1:Assertion").to_owned();
        let signature = element(&good, "ns2:Signature").to_owned();
        let good_id = value(&good, "ID").to_owned();
        Self {
            xml,
            good,
            signature,
            good_id,
        }
    }
    /// The same for the administrator, without a signature.
    fn evil(&self, id: &str) -> String {
        self.bare()
            .replace(&self.good_id, id)
            .replace(">ana-7f3c<", ">admin<")
    }
    /// The good one without its signature.
    fn bare(&self) -> String {
        self.good.replace(&self.signature, "")
    }
    /// The response with something else instead of its assertion.
    fn with(&self, assertions: &str) -> String {
        self.xml.replace(&self.good, assertions)
    }
}

/// Puts `inner` into `outer` right after (or before) the first place of `at`.
fn put(outer: &str, at: &str, inner: &str) -> String {
    assert!(outer.contains(at), "{at} in {outer}");
    outer.replacen(at, &format!("{at}{inner}"), 1)
}

fn put_before(outer: &str, at: &str, inner: &str) -> String {
    assert!(outer.contains(at), "{at} in {outer}");
    outer.replacen(at, &format!("{inner}{at}"), 1)
}

const ISSUER_END: &str = "</ns1:Issuer>";
const ASSERTION_END: &str = "</ns1:Assertion>";
const SIGNATURE_END: &str = "</ns2:Signature>";
const RESPONSE_END: &str = "</ns0:Response>";

fn object(inside: &str) -> String {
    format!("<ns2:Object>{inside}</ns2:Object>")
}

#[test]
fn the_eight_known_ways_to_wrap_a_signature_are_refused() {
    let w = world();
    let c = Cut::of(w.good());
    let evil = c.evil("_evil");
    let signed_evil = put(&evil, ISSUER_END, &c.signature);
    let whole = w.made(json!({"sign": "both"}));
    let response = element(&whole, "ns0:Response");
    let (before, after) = response.split_once(SIGNATURE_END).unwrap();
    let start = before.find("<ns2:Signature ").unwrap();
    let response_signature = &format!("{}{SIGNATURE_END}", before.get(start..).unwrap());
    assert!(after.contains(SIGNATURE_END));
    let bare = response.replace(response_signature, "");
    let evil_response = |signature: &str| {
        let evil = bare.replace(">ana-7f3c<", ">admin<");
        put(
            &evil.replacen(value(&bare, "ID"), "_evil", 1),
            ISSUER_END,
            signature,
        )
    };
    let second = SamlRefused::Shape("a second assertion, response or signature");
    for (name, xml, why) in [
        (
            "1: the signed response within the signature of another",
            evil_response(&put_before(
                response_signature,
                SIGNATURE_END,
                &object(&bare),
            )),
            SamlRefused::Shape("an identifier stands twice"),
        ),
        (
            "2: the signed response before the signature in another",
            evil_response(&format!("{bare}{response_signature}")),
            SamlRefused::Shape("Status"),
        ),
        (
            "3: another assertion before the signed one",
            c.with(&format!("{evil}{}", c.good)),
            SamlRefused::Shape("order or number of elements"),
        ),
        (
            "4: the signed assertion within another",
            c.with(&put_before(&evil, ASSERTION_END, &c.good)),
            SamlRefused::Unsigned,
        ),
        (
            "5: another assertion with the signature, then the signed one without",
            c.with(&format!("{signed_evil}{}", c.bare())),
            SamlRefused::Shape("order or number of elements"),
        ),
        (
            "6: the signed assertion within the signature of another",
            c.with(&put(
                &evil,
                ISSUER_END,
                &put_before(&c.signature, SIGNATURE_END, &c.bare()),
            )),
            second,
        ),
        (
            "7: another assertion in extensions",
            put(
                &c.xml,
                ISSUER_END,
                &format!("<ns0:Extensions>{evil}</ns0:Extensions>"),
            ),
            SamlRefused::Shape("Status"),
        ),
        (
            "8: the signed assertion in an object of the signature of another",
            c.with(&put(
                &evil,
                ISSUER_END,
                &put_before(&c.signature, SIGNATURE_END, &object(&c.bare())),
            )),
            second,
        ),
    ] {
        assert_eq!(w.refuses_all(name, &xml), why, "{name}");
    }
    w.accepts(&c.xml);
}

/// Every place for the second assertion, with every identifier and every signature.
#[test]
fn wherever_a_second_assertion_stands_it_is_refused() {
    let w = world();
    let c = Cut::of(w.made(json!({"sign": "both"})));
    let c_single = Cut::of(w.good());
    let mut tried = 0;
    for c in [c, c_single] {
        for id in ["_evil", &c.good_id, ""] {
            for (in_evil, in_good) in [(false, true), (true, true), (true, false), (false, false)] {
                let evil = c.evil(id);
                let evil = match in_evil {
                    true => put(&evil, ISSUER_END, &c.signature),
                    false => evil,
                };
                let good = match in_good {
                    true => c.good.clone(),
                    false => c.bare(),
                };
                for (outer, inner) in [(&evil, &good), (&good, &evil)] {
                    for (place, xml) in places(&c, outer, inner) {
                        let what = format!("{place}; id {id:?}, signed {in_evil} {in_good}");
                        w.refuses_all(&what, &xml);
                        tried += 1;
                    }
                }
            }
        }
        w.accepts(&c.xml);
    }
    assert!(tried > 700, "{tried}");
}

/// A response whose assertion is `outer`, with `inner` somewhere.
fn places(c: &Cut, outer: &str, inner: &str) -> Vec<(&'static str, String)> {
    let extensions = |inside: &str| format!("<ns0:Extensions>{inside}</ns0:Extensions>");
    let advice = format!("<ns1:Advice>{inner}</ns1:Advice>");
    let value = format!(
        "<ns1:Attribute Name=\"x\"><ns1:AttributeValue>{inner}</ns1:AttributeValue></ns1:Attribute>"
    );
    let statement = "<ns1:AttributeStatement>";
    let mut all = vec![
        ("before it", c.with(&format!("{inner}{outer}"))),
        ("after it", c.with(&format!("{outer}{inner}"))),
        ("first in the response", {
            let xml = c.with(outer);
            put_before(&xml, "<ns1:Issuer", inner)
        }),
        (
            "in extensions",
            put(&c.with(outer), ISSUER_END, &extensions(inner)),
        ),
        (
            "in a status detail",
            put_before(
                &c.with(outer),
                "</ns0:Status>",
                &format!("<ns0:StatusDetail>{inner}</ns0:StatusDetail>"),
            ),
        ),
        (
            "in the status",
            put_before(&c.with(outer), "</ns0:Status>", inner),
        ),
        (
            "at the end in something unknown",
            put_before(
                &c.with(outer),
                RESPONSE_END,
                &format!("<x:y xmlns:x=\"urn:x\">{inner}</x:y>"),
            ),
        ),
        (
            "in the subject",
            c.with(&put(outer, "<ns1:Subject>", inner)),
        ),
        (
            "in the confirmation",
            c.with(&put_before(outer, "</ns1:SubjectConfirmation>", inner)),
        ),
        (
            "in the name",
            c.with(&put_before(outer, "</ns1:NameID>", inner)),
        ),
        (
            "in the conditions",
            c.with(&put_before(outer, "</ns1:Conditions>", inner)),
        ),
        (
            "as advice",
            c.with(&put(outer, "</ns1:Conditions>", &advice)),
        ),
        ("in an attribute", c.with(&put(outer, statement, &value))),
        (
            "at its end",
            c.with(&put_before(outer, ASSERTION_END, inner)),
        ),
        (
            "at its beginning",
            c.with(&put_before(outer, "<ns1:Issuer", inner)),
        ),
        (
            "in an encrypted assertion",
            c.with(&format!(
                "<ns1:EncryptedAssertion>{inner}</ns1:EncryptedAssertion>{outer}"
            )),
        ),
        (
            "around, of another namespace",
            c.with(&format!(
                "<x:Assertion xmlns:x=\"urn:x\">{inner}</x:Assertion>{outer}"
            )),
        ),
    ];
    if outer.contains(SIGNATURE_END) {
        all.push((
            "in an object",
            c.with(&put_before(outer, SIGNATURE_END, &object(inner))),
        ));
        all.push((
            "in the signature",
            c.with(&put_before(outer, SIGNATURE_END, inner)),
        ));
        all.push((
            "in the key",
            c.with(&put_before(outer, "</ns2:KeyInfo>", inner)),
        ));
        all.push((
            "in the reference",
            c.with(&put_before(outer, "</ns2:Reference>", inner)),
        ));
        all.push((
            "before the signature",
            c.with(&put_before(outer, "<ns2:Signature ", inner)),
        ));
    }
    all
}

#[test]
fn a_signature_over_another_element_is_none() {
    let w = world();
    let c = Cut::of(w.good());
    let reference = format!("URI=\"#{}\"", c.good_id);
    let response_id = value(&c.xml, "ID").to_owned();
    for uri in [
        "",
        "#",
        &format!("#{response_id}"),
        "#_other",
        &c.good_id,
        &format!("##{}", c.good_id),
        &format!("#xpointer(id('{}'))", c.good_id),
        "#xpointer(/)",
        "file:///etc/passwd",
        "https://attacker.example/x",
        &format!("#{} ", c.good_id),
    ] {
        let xml = c.xml.replace(&reference, &format!("URI=\"{uri}\""));
        w.refuses(&xml, SamlRefused::Covers);
    }
    w.refuses(&c.xml.replace(&reference, ""), SamlRefused::Shape("URI"));
    // A signature that is good, but the response's, moved into the assertion.
    let signed = w.made(json!({"sign": "response"}));
    let signature = element(&signed, "ns2:Signature").to_owned();
    let bare = signed.replace(&signature, "");
    let moved = bare.replacen("<ns1:Subject>", &format!("{signature}<ns1:Subject>"), 1);
    w.refuses(&moved, SamlRefused::Covers);
    // Two references, of which one is good.
    let one = element(&c.xml, "ns2:Reference").to_owned();
    for both in [
        format!("{one}{one}"),
        format!("{}{one}", one.replace(&c.good_id, &response_id)),
    ] {
        w.refuses(
            &c.xml.replace(&one, &both),
            SamlRefused::Shape("order or number of elements"),
        );
    }
    w.accepts(&c.xml);
}

#[test]
fn a_signed_response_does_not_sign_its_assertion() {
    let w = world();
    w.refuses(&w.made(json!({"sign": "response"})), SamlRefused::Unsigned);
    w.refuses(&w.made(json!({"sign": "none"})), SamlRefused::Unsigned);
    // The response's signature is checked all the same.
    let both = w.made(json!({"sign": "both"}));
    let changed = both.replacen("IssueInstant=\"2", "IssueInstant=\"1", 1);
    let now = issued(&both);
    assert_eq!(
        finish_at(&w.gateway, &changed, now).err(),
        Some(SamlRefused::Signature)
    );
    let outer = both.replacen("Destination=", "Consent=\"urn:x\" Destination=", 1);
    w.refuses(&outer, SamlRefused::Signature);
    w.accepts(&both);
}

#[test]
fn an_identifier_that_stands_twice_is_refused() {
    let w = world();
    let c = Cut::of(w.good());
    let twice = SamlRefused::Shape("an identifier stands twice");
    let response_id = value(&c.xml, "ID").to_owned();
    w.refuses(&c.xml.replace(&response_id, &c.good_id), twice);
    for attribute in ["ID", "Id", "id", "x:id", "x:ID"] {
        let edit = format!(
            "<ns2:KeyInfo xmlns:x=\"urn:x\" {attribute}=\"{}\"><ns2:X509Data>",
            c.good_id
        );
        w.refuses(&c.xml.replace("<ns2:KeyInfo><ns2:X509Data>", &edit), twice);
    }
    w.refuses(
        &c.xml.replace(
            "<ns2:KeyInfo>",
            &format!("<ns2:KeyInfo xml:id=\"{}\">", c.good_id),
        ),
        twice,
    );
    w.accepts(&c.xml);
}

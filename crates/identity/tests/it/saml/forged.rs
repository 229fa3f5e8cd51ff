//! Forged signatures and algorithms that must not be taken; and that a good one is, right beside.

use super::*;

const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
const EXC: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const METHOD: SamlRefused = SamlRefused::Algorithm("a method");
const DIGEST: SamlRefused = SamlRefused::Algorithm("a digest");
const TRANSFORM: SamlRefused = SamlRefused::Algorithm("a transform");
const CANONICAL: SamlRefused = SamlRefused::Algorithm("a canonicalisation or transform");

#[test]
fn a_forger_does_not_bring_the_key() {
    let w = world();
    // Signed well, with the forger's certificate right there in KeyInfo; then with the provider's; then with none.
    let own = w.made(json!({"key": "mallory"}));
    w.refuses(&own, SamlRefused::Signature);
    let mine = certificate(&w.said, "mallory");
    let theirs = certificate(&w.said, "idp");
    w.refuses(&own.replace(&mine, &theirs), SamlRefused::Signature);
    w.refuses(
        &w.made(json!({"key": "mallory", "key_info": false})),
        SamlRefused::Signature,
    );
    w.refuses(
        &w.made(json!({"key": "mallory", "sign": "both"})),
        SamlRefused::Signature,
    );
    // The provider's own signature counts whatever certificate stands beside it.
    let good = w.good();
    w.accepts(&good.replace(&theirs, &mine));
    // Nothing is hidden in KeyInfo either, though nobody reads it.
    for hidden in ["<x:y xmlns:x=\"urn:x\"/>", "<ns1:NameID>admin</ns1:NameID>"] {
        let xml = good.replace("<ns2:KeyInfo>", &format!("<ns2:KeyInfo>{hidden}"));
        w.refuses(&xml, SamlRefused::Shape("KeyInfo"));
    }
    // The certificate that assertions are encrypted to is no key for signatures.
    w.refuses(&w.made(json!({"key": "sp"})), SamlRefused::Signature);
}

#[test]
fn weak_algorithms_are_refused_though_the_provider_signed_with_them() {
    let w = world();
    for (order, why) in [
        (
            json!({"sign_alg": "http://www.w3.org/2000/09/xmldsig#rsa-sha1"}),
            METHOD,
        ),
        (
            json!({"sign_alg": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha224"}),
            METHOD,
        ),
        (
            json!({"digest_alg": "http://www.w3.org/2000/09/xmldsig#sha1"}),
            DIGEST,
        ),
        (
            json!({"digest_alg": "http://www.w3.org/2001/04/xmldsig-more#sha224"}),
            DIGEST,
        ),
    ] {
        w.refuses(&w.made(order), why);
    }
    w.accepts(&w.good());
}

#[test]
fn an_algorithm_that_needs_no_private_key_is_refused() {
    let w = world();
    let good = w.good();
    for method in [
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
        "http://www.w3.org/2001/04/xmlenc#sha256",
        "none",
        "",
        "http://www.w3.org/2001/04/xmldsig-more#RSA-SHA256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256 ",
    ] {
        w.refuses(&good.replace(RSA_SHA256, method), METHOD);
    }
    let method = format!("<ns2:SignatureMethod Algorithm=\"{RSA_SHA256}\"/>");
    let truncated = format!(
        "<ns2:SignatureMethod Algorithm=\"{RSA_SHA256}\"><ns2:HMACOutputLength>0</ns2:HMACOutputLength></ns2:SignatureMethod>"
    );
    w.refuses(
        &good.replace(&method, &truncated),
        SamlRefused::Shape("order or number of elements"),
    );
    // Another kind of key than the method's.
    let ecdsa = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
    w.refuses(&good.replace(RSA_SHA256, ecdsa), SamlRefused::Signature);
    for digest in [
        "http://www.w3.org/2001/04/xmldsig-more#md5",
        "",
        "http://www.w3.org/2001/04/xmlenc#ripemd160",
    ] {
        let method = format!("<ns2:DigestMethod Algorithm=\"{SHA256}\"/>");
        w.refuses(
            &good.replace(&method, &method.replace(SHA256, digest)),
            DIGEST,
        );
    }
    w.accepts(&good);
}

#[test]
fn transforms_are_the_two_that_saml_has() {
    let w = world();
    let enveloped =
        "<ns2:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\" />";
    let exclusive = format!("<ns2:Transform Algorithm=\"{EXC}\" />");
    let xpath = "<ns2:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ns2:XPath>\
        not(ancestor-or-self::*[local-name()='Subject'])</ns2:XPath></ns2:Transform>";
    // The provider's own, good signature, over less than the whole.
    for (edit, why) in [
        (
            [enveloped.to_owned(), format!("{enveloped}{xpath}")],
            CANONICAL,
        ),
        (
            [exclusive.clone(), format!("{exclusive}{xpath}")],
            TRANSFORM,
        ),
        (
            [exclusive.clone(), format!("{exclusive}{exclusive}")],
            TRANSFORM,
        ),
        (
            [exclusive.clone(), String::new()],
            SamlRefused::Shape("Transform"),
        ),
        (
            [
                exclusive.clone(),
                exclusive.replace(EXC, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
            ],
            CANONICAL,
        ),
        (
            [
                exclusive.clone(),
                exclusive.replace(EXC, &format!("{EXC}WithComments")),
            ],
            CANONICAL,
        ),
    ] {
        w.refuses(&w.made(json!({"edits": [edit]})), why);
    }
    // What nobody would sign: these run code, or read files, where they are carried out.
    let good = w.good();
    let exclusive = format!("<ns2:Transform Algorithm=\"{EXC}\"/>");
    for algorithm in [
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/2002/06/xmldsig-filter2",
        "http://www.w3.org/2000/09/xmldsig#base64",
        "http://www.w3.org/2001/04/xmlenc#decryption",
        "",
    ] {
        let xslt = format!(
            "<ns2:Transform Algorithm=\"{algorithm}\"><xsl:stylesheet xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\"/></ns2:Transform>"
        );
        w.refuses(&good.replace(&exclusive, &xslt), CANONICAL);
        w.refuses(
            &good.replace(&exclusive, &format!("{exclusive}{xslt}")),
            TRANSFORM,
        );
    }
    let enveloped = enveloped.replace(" />", "/>");
    let turned = good.replace(
        &format!("{enveloped}{exclusive}"),
        &format!("{exclusive}{enveloped}"),
    );
    w.refuses(&turned, TRANSFORM);
    let transforms = element(&good, "ns2:Transforms").to_owned();
    w.refuses(
        &good.replace(&transforms, ""),
        SamlRefused::Shape("Transforms"),
    );
    w.accepts(&good);
}

/// A canonical form that fails must not be an empty one, whose digest anybody knows.
#[test]
fn an_empty_canonical_form_is_nobodys_digest() {
    let w = world();
    let good = w.good();
    let digest = element(&good, "ns2:DigestValue").to_owned();
    let empty = STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b""));
    let forged = good
        .replace(
            &digest,
            &format!("<ns2:DigestValue>{empty}</ns2:DigestValue>"),
        )
        .replace("ana-7f3c", "admin");
    w.refuses(&forged, SamlRefused::Signature);
    // Relative namespaces are what some canonicalisers fail on.
    for (at, namespace) in [
        ("ns0:Response", "1"),
        ("ns1:Assertion", "x"),
        ("ns2:SignedInfo", "../x"),
        ("ns1:Assertion", ":x"),
    ] {
        let declared = format!("<{at} xmlns:rel=\"{namespace}\"");
        let xml = forged.replacen(&format!("<{at}"), &declared, 1);
        w.refuses(
            &xml,
            SamlRefused::Xml("a namespace is declared that may not be"),
        );
    }
    w.accepts(&good);
}

#[test]
fn every_part_of_a_signature_must_be_there_once_and_whole() {
    let w = world();
    let good = w.good();
    let without = |name: &str| good.replace(element(&good, name), "");
    let twice = |name: &str| {
        let one = element(&good, name).to_owned();
        good.replace(&one, &format!("{one}{one}"))
    };
    for name in [
        "ns2:SignedInfo",
        "ns2:SignatureValue",
        "ns2:Reference",
        "ns2:DigestValue",
    ] {
        w.refuses_all(name, &without(name));
        w.refuses_all(name, &twice(name));
    }
    w.refuses_all("two signatures", &twice("ns2:Signature"));
    w.refuses(&without("ns2:Signature"), SamlRefused::Unsigned);
    w.refuses_all("two keys", &twice("ns2:KeyInfo"));
    let value = element(&good, "ns2:SignatureValue").to_owned();
    for other in [
        "",
        "AAAA",
        &STANDARD.encode([0; 256]),
        &STANDARD.encode([0xff; 256]),
    ] {
        let xml = good.replace(
            &value,
            &format!("<ns2:SignatureValue>{other}</ns2:SignatureValue>"),
        );
        w.refuses(&xml, SamlRefused::Signature);
    }
    for other in ["*", "A", "AAAA====", "AA=A"] {
        let xml = good.replace(
            &value,
            &format!("<ns2:SignatureValue>{other}</ns2:SignatureValue>"),
        );
        w.refuses(&xml, SamlRefused::NotBase64);
    }
    // Without the key's hint it is as good.
    w.accepts(&without("ns2:KeyInfo"));
}

#[test]
fn every_changed_value_of_a_signed_assertion_is_noticed() {
    let w = world();
    let good = w.good();
    for (old, new) in [
        (">ana-7f3c<", ">admin<"),
        (">ana-7f3c<", ">ana-7f3c <"),
        (">dba<", ">sre<"),
        ("Name=\"groups\"", "Name=\"group\""),
        ("PasswordProtectedTransport", "TimeSyncToken"),
        ("<ns1:Subject>", "<ns1:Subject> "),
        ("xsi:type=\"xs:string\"", "xsi:type=\"xs:int\""),
        ("SessionIndex=\"", "SessionIndex=\"x"),
        (
            "<ns1:AuthnStatement ",
            "<ns1:AuthnStatement SessionNotOnOrAfter=\"2999-01-01T00:00:00Z\" ",
        ),
        (
            "</ns1:AttributeStatement>",
            "<ns1:Attribute Name=\"x\"/></ns1:AttributeStatement>",
        ),
    ] {
        assert!(good.contains(old), "{old}");
        w.refuses(&good.replace(old, new), SamlRefused::Signature);
    }
    // What only the way of writing changes is not: canonical forms are there for that.
    let same = good
        .replace(">ana-7f3c<", ">&#97;na-7f3&#x63;<")
        .replace("Version=\"2.0\"", "Version = '2.0'")
        .replace("<ns1:AudienceRestriction>", "<ns1:AudienceRestriction\n >");
    assert_eq!(w.accepts(&same).identity.chain.acting.name, "ana-7f3c");
}

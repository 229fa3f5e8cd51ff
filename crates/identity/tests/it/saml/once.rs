//! What is read stands there once, and as what it is; all of it the provider signed.

use super::*;

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

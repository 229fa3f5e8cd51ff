//! Documents that are too much, and those that are packed.

use super::*;
use std::time::Instant;

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
            .finish(&STANDARD.encode(&xml), REQUEST, issued(&good));
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
            .finish(&STANDARD.encode(compressed), REQUEST, issued(&good));
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
        let found = w.gateway.finish(text, REQUEST, issued(&good));
        assert!(
            matches!(found, Err(SamlRefused::NotBase64 | SamlRefused::Xml(_))),
            "{found:?}"
        );
    }
    w.accepts(&good);
}

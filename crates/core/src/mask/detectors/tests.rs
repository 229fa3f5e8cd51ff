//! Values that are found, and their twins that are not.

use super::*;

fn detector() -> Detector {
    Detector::new(&Classes::builtin()).unwrap()
}

fn found(text: &str) -> Vec<(String, String)> {
    detector()
        .scan(text.as_bytes())
        .map(|h| (h.class.to_string(), text.get(h.range).unwrap().to_owned()))
        .collect()
}

#[track_caller]
fn finds(text: &str, class: &str, value: &str) {
    assert_eq!(
        found(text),
        [(class.to_owned(), value.to_owned())],
        "{text}"
    );
}

#[track_caller]
fn finds_nothing(text: &str) {
    assert_eq!(found(text), [], "{text}");
}

#[test]
fn emails() {
    finds("jo@example.org", "email", "jo@example.org");
    finds(
        "<jo.o'x+y@mail.example.co.uk>, hi",
        "email",
        "x+y@mail.example.co.uk",
    );
    finds(
        "at jürgen@bücher.example.",
        "email",
        "jürgen@bücher.example",
    );
    finds(
        "{\"e\":\"a_b%c@x-y.example\"}",
        "email",
        "a_b%c@x-y.example",
    );
    finds("jo@example.org\u{e9}t", "email", "jo@example.org\u{e9}t");
    for no in [
        "@",
        "a@",
        "@b.example",
        "a@b",
        "a@b.",
        "a@.example",
        "a@1.2",
        "user@localhost",
        "..@x.example",
    ] {
        finds_nothing(no);
    }
}

#[test]
fn cards() {
    for yes in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "378282246310005",
        "3782 822463 10005",
        "5555555555554444",
        "2223003122003222",
        "6011111111111117",
        "3056 930902 5904",
        "3530111333300000",
        "6200000000000005",
    ] {
        finds(yes, "payment_card", yes);
        finds(&format!("12 {yes} 99"), "payment_card", yes);
        finds(&format!("card:{yes}, exp 12/28"), "payment_card", yes);
    }
    for no in [
        "4111111111111112",
        "1111111111111117",
        "41111111111111111111111",
        "a4111111111111111",
        "4111111111111111b",
        "0.4111111111111111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "2026-11-23 18:42:49.123456+00",
        "550e8400-e29b-41d4-a716-446655440000",
    ] {
        finds_nothing(no);
    }
}

#[test]
fn cards_among_many_numbers() {
    for count in 0..40 {
        let before: String = (0..count).map(|i| format!("{} ", i % 7)).collect();
        let text = format!("{before}4111 1111 1111 1111 5 6");
        finds(&text, "payment_card", "4111 1111 1111 1111");
        finds(&format!("{before}123-45-6789 8 9"), "us_ssn", "123-45-6789");
    }
}

#[test]
fn social_security_numbers() {
    finds("123-45-6789", "us_ssn", "123-45-6789");
    finds("ssn 123 45 6789.", "us_ssn", "123 45 6789");
    finds("(123-45-6789)", "us_ssn", "123-45-6789");
    for no in [
        "000-45-6789",
        "666-45-6789",
        "900-45-6789",
        "123-00-6789",
        "123-45-0000",
        "123456789",
        "123-45 6789",
        "1-123-45-6789",
        "123-45-6789-1",
        "x123-45-6789",
        "123-45-67890",
    ] {
        finds_nothing(no);
    }
}

#[test]
fn ibans() {
    for yes in [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "NO9386011117947",
        "MT84MALT011000012345MTLCAST001S",
        "fr1420041010050500013m02606",
    ] {
        finds(yes, "iban", yes);
        finds(&format!("IBAN: {yes} BIC"), "iban", yes);
    }
    for no in [
        "DE89370400440532013001",
        "DE8937040044053201300",
        "XX89370400440532013000",
        "ADE89370400440532013000",
    ] {
        finds_nothing(no);
    }
}

#[test]
fn phones_and_addresses_only_report() {
    for (text, class) in [
        ("+49 30 1234567", "phone"),
        ("(555) 123-4567", "phone"),
        ("192.168.7.20", "ip_address"),
        ("at 2001:db8::7:1 now", "ip_address"),
        ("fe80::1ff:fe23:4567:890a", "ip_address"),
    ] {
        let hits: Vec<Hit> = detector().scan(text.as_bytes()).collect();
        assert_eq!(hits.len(), 1, "{text}: {hits:?}");
        assert_eq!(
            (&*hits[0].class, hits[0].action),
            (class, OnHit::Report),
            "{text}"
        );
        let (mut out, mut tally) = (Vec::new(), Tally::default());
        assert!(!detector().redact(text.as_bytes(), &mut out, &mut tally));
        assert_eq!((out.len(), tally.reported.get(class)), (0, Some(&1)));
    }
    for no in [
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "12:34:56",
        "::",
        "::1",
        "a::b::c",
        "v1.2.3.4",
    ] {
        finds_nothing(no);
    }
}

#[test]
fn tokens_and_keys() {
    let jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    finds(jwt, "jwt", jwt);
    finds(&format!("Authorization: Bearer {jwt}\""), "jwt", jwt);
    finds_nothing("eyJub3QiOiJhIHRva2VuIn0.eyJzdWIiOiIxIn0.abc");
    finds_nothing("eyJhbGciOiJIUzI1NiJ9 alone");
    let aws = ["AKIA", "IOSFODNN7EXAMPLE"].concat();
    finds(&format!("key={aws};"), "cloud_key", &aws);
    for (head, tail) in [
        ("ghp_", "0123456789abcdefghijABCDEFGHIJ012345"),
        ("AIza", "SyA1234567890abcdefghijklmnopqrstuv"),
        ("xoxb-", "123456789012-abcdefghij"),
        ("glpat-", "abcdefghij0123456789"),
        ("sk_live_", "abcdefghij0123456789"),
    ] {
        let key = format!("{head}{tail}");
        finds(&format!("'{key}'"), "cloud_key", &key);
        finds_nothing(&format!("x{key}"));
    }
}

#[test]
fn private_keys_to_their_end() {
    let key = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIEabc+/=\nxyz\n-----END RSA PRIVATE KEY-----";
    finds(key, "private_key", key);
    finds(&format!("a {key}\nrest"), "private_key", key);
    let json = key.replace('\n', "\\n");
    finds(&format!("{{\"k\":\"{json}\"}}"), "private_key", &json);
    let cut = "-----BEGIN PRIVATE KEY-----\nMIIEabc";
    finds(cut, "private_key", cut);
    finds_nothing("-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----");
}

#[test]
fn url_passwords_without_the_rest() {
    finds(
        "postgres://app:s3cr:et@db.example.org:5432/x",
        "secret",
        "s3cr:et",
    );
    finds("redis://:pw@cache/0", "secret", "pw");
    finds_nothing("https://user@host/a:b@c");
    finds_nothing("https://example.org:8080/");
}

#[test]
fn redacts_in_place_and_keeps_utf8() {
    let text = "Größe: jo@example.org, 4111111111111111 ✓";
    let (mut out, mut tally) = (Vec::new(), Tally::default());
    assert!(detector().redact(text.as_bytes(), &mut out, &mut tally));
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "Größe: [masked:email], [masked:payment_card] ✓"
    );
    assert_eq!(tally.masked.values().sum::<u64>(), 2);
}

#[test]
fn classes_that_may_be_seen_are_only_reported() {
    let detector = detector().showing(|class| class == "email");
    let (mut out, mut tally) = (Vec::new(), Tally::default());
    assert!(detector.redact(b"jo@example.org 123-45-6789", &mut out, &mut tally));
    assert_eq!(out, b"jo@example.org [masked:us_ssn]");
    assert_eq!(tally.reported.get("email"), Some(&1));
    // A key that is only reported hides nothing that stands in it.
    let key = "-----BEGIN PRIVATE KEY-----\n123-45-6789\n-----END PRIVATE KEY-----";
    let all = self::detector().showing(|class| class == "private_key");
    let mut out = Vec::new();
    assert!(all.redact(key.as_bytes(), &mut out, &mut tally));
    assert!(out.starts_with(b"-----BEGIN") && !out.windows(5).any(|w| w == b"45-67"));
}

#[test]
fn markers_are_left_alone() {
    finds_nothing("[masked:email] [masked:payment_card] ************1234");
}

#[test]
fn overlapping_hits_are_joined_and_masking_wins() {
    let class = |name: &str, pattern: &str, on_hit| crate::mask::ClassSpec {
        name: name.into(),
        within: None,
        detectors: None,
        patterns: Some(vec![pattern.into()]),
        on_hit: Some(on_hit),
    };
    let classes = Classes::with(&[
        class("a", "bcd", OnHit::Mask),
        class("z", "abc", OnHit::Mask),
        class("r", "cde", OnHit::Report),
    ])
    .unwrap();
    // One alternation finds the leftmost of overlapping patterns.
    let hits: Vec<Hit> = Detector::new(&classes).unwrap().scan(b"abcde").collect();
    assert_eq!(hits.len(), 1, "{hits:?}");
    let hit = |range, action| Hit {
        range,
        class: Arc::from("x"),
        action,
    };
    let joined = settle(vec![
        hit(0..4, OnHit::Mask),
        hit(2..6, OnHit::Mask),
        hit(5..9, OnHit::Report),
        hit(9..10, OnHit::Report),
    ]);
    assert_eq!(joined, [hit(0..6, OnHit::Mask), hit(9..10, OnHit::Report)]);
}

#[test]
fn a_password_in_a_url_is_no_address_where_keys_are_only_reported() {
    let detector = detector().showing(|class| class == "private_key");
    let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----\n";
    let urls = "db://a:secret@h.example.com/ db://b:other@h.example.com/ ";
    let mut hits: Vec<Hit> = detector.scan(urls.as_bytes()).collect();
    let keys = key.repeat(5);
    let text = format!("{urls}{keys}");
    let of_keys = detector.scan(keys.as_bytes()).map(|hit| Hit {
        range: hit.range.start + urls.len()..hit.range.end + urls.len(),
        ..hit
    });
    hits.extend(of_keys);
    assert_eq!(detector.scan(text.as_bytes()).collect::<Vec<_>>(), hits);
}

#[test]
fn custom_patterns_never_split_a_character() {
    let spec = crate::mask::ClassSpec {
        name: "odd".into(),
        within: None,
        detectors: None,
        patterns: Some(vec!["x.".into()]),
        on_hit: None,
    };
    let detector = Detector::new(&Classes::with(&[spec]).unwrap()).unwrap();
    let mut out = Vec::new();
    assert!(detector.redact("xé!".as_bytes(), &mut out, &mut Tally::default()));
    assert_eq!(String::from_utf8(out).unwrap(), "[masked:odd]!");
}

//! Masks of single values, type by type and form by form.

use super::*;

fn run(
    oid: u32,
    modifier: i32,
    format: Format,
    form: Form,
    value: &[u8],
) -> (Replacement, Vec<u8>) {
    let key = TokenKey::new(&[7; 32]);
    let mut out = Vec::new();
    let of = ValueType {
        oid,
        modifier,
        format,
    };
    let done = mask("payment_card", form, Some(&key), of, value, &mut out);
    (done, out)
}

fn text(oid: u32, modifier: i32, form: Form, value: &str) -> String {
    let (done, out) = run(oid, modifier, Format::Text, form, value.as_bytes());
    assert_eq!(done, Replacement::Bytes);
    String::from_utf8(out).unwrap()
}

#[test]
fn text_carries_a_marker_cut_to_the_declared_length() {
    assert_eq!(text(25, -1, Form::Masked, "4111"), "[masked:payment_card]");
    assert_eq!(text(1043, 12, Form::Masked, "4111"), "[masked:");
    assert_eq!(
        text(1042, 28, Form::Masked, "4111"),
        "[masked:payment_card]   "
    );
    assert_eq!(text(1042, 5, Form::Masked, "4"), "[");
}

#[test]
fn last4_shows_four_and_never_half_of_a_short_value() {
    assert_eq!(
        text(25, -1, Form::Last4, "4111-1111-1111-1234"),
        "************1234"
    );
    assert_eq!(text(25, -1, Form::Last4, "12345"), "[masked:payment_card]");
    assert_eq!(text(20, -1, Form::Last4, "4111111111110034"), "34");
    assert_eq!(text(1082, -1, Form::Last4, "1980-12-31"), "1900-01-01");
    let (_, out) = run(
        20,
        -1,
        Format::Binary,
        Form::Last4,
        &4111111111111234_i64.to_be_bytes(),
    );
    assert_eq!(out, 1234_i64.to_be_bytes());
}

#[test]
fn tokens_are_stable_across_formats_and_differ_by_class_and_key() {
    let one = text(25, -1, Form::Token, "4111");
    assert!(
        one.starts_with("tok_payment_card_") && one.len() == 33,
        "{one}"
    );
    assert_eq!(text(1042, 14, Form::Token, "4111      ").len(), 10);
    assert_eq!(text(1042, 104, Form::Token, "4111   ").trim_end(), one);
    let number = text(20, -1, Form::Token, "4111");
    let (_, binary) = run(20, -1, Format::Binary, Form::Token, &4111_i64.to_be_bytes());
    assert_eq!(binary, number.parse::<i64>().unwrap().to_be_bytes());
    let mut other = Vec::new();
    let key = TokenKey::new(&[8; 32]);
    mask(
        "payment_card",
        Form::Token,
        Some(&key),
        ValueType {
            oid: 25,
            ..ValueType::TEXT
        },
        b"4111",
        &mut other,
    );
    assert_ne!(other, one.as_bytes());
    let uuid = text(
        2950,
        -1,
        Form::Token,
        "6f1b9ad0-5d6b-4f0e-8a52-0d6d5e1f0001",
    );
    assert_eq!((uuid.len(), uuid.as_bytes().get(14)), (36, Some(&b'8')));
}

#[test]
fn every_known_type_has_a_value_in_both_formats() {
    let sizes: &[(u32, usize)] = &[
        (16, 1),
        (18, 1),
        (20, 8),
        (21, 2),
        (23, 4),
        (26, 4),
        (700, 4),
        (701, 8),
        (790, 8),
        (829, 6),
        (774, 8),
        (869, 8),
        (650, 8),
        (1082, 4),
        (1083, 8),
        (1114, 8),
        (1184, 8),
        (1186, 16),
        (1266, 12),
        (1700, 8),
        (2950, 16),
        (3220, 8),
        (600, 16),
        (1007, 12),
        (1009, 12),
        (3904, 1),
        (3614, 4),
    ];
    for (oid, size) in sizes {
        let (done, out) = run(*oid, -1, Format::Binary, Form::Masked, b"");
        assert_eq!((done, out.len()), (Replacement::Bytes, *size), "{oid}");
        assert_eq!(
            run(*oid, -1, Format::Text, Form::Masked, b"").0,
            Replacement::Bytes
        );
    }
    assert_eq!(
        run(1560, 10, Format::Binary, Form::Masked, b"").1,
        [0, 0, 0, 10, 0, 0]
    );
    assert_eq!(
        run(3802, -1, Format::Binary, Form::Masked, b"\x01{}").1,
        b"\x01\"[masked:payment_card]\""
    );
}

#[test]
fn an_unknown_type_in_binary_becomes_null() {
    assert_eq!(
        run(99_999, -1, Format::Binary, Form::Masked, b"abc"),
        (Replacement::Null, Vec::new())
    );
    assert_eq!(
        run(99_999, -1, Format::Text, Form::Masked, b"abc").1,
        b"[masked:payment_card]"
    );
}

#[test]
fn masks_that_come_back_are_recognised() {
    for form in [Form::Masked, Form::Last4, Form::Token] {
        for (oid, modifier) in [(25, -1), (1042, 104), (1043, 44), (114, -1), (17, -1)] {
            let shown = text(oid, modifier, form, "4111111111111111");
            assert!(looks_like_mask(shown.as_bytes()), "{shown}");
        }
    }
    for yes in [
        "[masked:email]",
        "to: [masked:email], hi",
        "[mask",
        "[masked:",
        "[masked:ema",
        "UPDATE t SET email = '[masked:em' WHERE id = 1",
        "{\"a\":\"[masked:us_ssn]\"}",
    ] {
        assert!(looks_like_mask(yes.as_bytes()), "{yes}");
    }
    for no in [
        "",
        "[",
        "masked",
        "[masked:]",
        "tok_",
        "tok_abc",
        "****",
        "************",
        "a@b.example",
        "[mas",
    ] {
        assert!(!looks_like_mask(no.as_bytes()), "{no}");
    }
}

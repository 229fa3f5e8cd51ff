//! Streams cut at every offset.

use super::*;
use crate::mask::classes::{ClassSpec, Classes};

fn run(detector: &Arc<Detector>, chunks: &[&[u8]]) -> (String, u64) {
    let mut masker = StreamMasker::new(Arc::clone(detector));
    let (mut out, mut tally) = (Vec::new(), Tally::default());
    for chunk in chunks {
        masker.push(chunk, &mut out, &mut tally);
        assert!(masker.held() < PIECE_BYTES_MAX + BEYOND_BYTES);
    }
    masker.finish(&mut out, &mut tally);
    (String::from_utf8(out).unwrap(), tally.masked.values().sum())
}

fn builtin() -> Arc<Detector> {
    Arc::new(Detector::new(&Classes::builtin()).unwrap())
}

const PEM: &str =
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc+/=\nDEF0123\n-----END RSA PRIVATE KEY-----";

fn samples() -> Vec<String> {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    vec![
        "jo@example.org wrote 4111 1111 1111 1111\tto \"DE89 3704 0044 0532 0130 00\" and 123-45-6789.\n".into(),
        format!("id\tkey\n1\t{PEM}\n2\tplain text\n"),
        format!("{{\"k\":\"{}\"}} then jo@example.org", PEM.replace('\n', "\\n")),
        format!("Authorization: Bearer {jwt}\r\nHost: x\r\n\r\n"),
        "postgres://app:s3cret@db.example.org/x größe jürgen@bücher.example ✓ +49 30 1234567 10.0.0.1".into(),
        "ghp_0123456789abcdefghijABCDEFGHIJ012345 MT84 MALT 0110 0001 2345 MTLC AST0 01S".into(),
        "nothing here, only words and 12 numbers 3 4 5 at 12:34:56.789".into(),
    ]
}

#[test]
fn every_split_gives_what_the_whole_gives() {
    let detector = builtin();
    for text in samples() {
        let bytes = text.as_bytes();
        let mut whole = Vec::new();
        if !detector.redact(bytes, &mut whole, &mut Tally::default()) {
            whole = bytes.to_vec();
        }
        let whole = String::from_utf8(whole).unwrap();
        assert_eq!(run(&detector, &[bytes]).0, whole, "{text}");
        for at in 0..=bytes.len() {
            let (a, b) = bytes.split_at(at);
            assert_eq!(run(&detector, &[a, b]).0, whole, "{at} of {text}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(run(&detector, &single).0, whole, "{text}");
    }
}

#[test]
fn the_bundles_patterns_are_found_across_splits_too() {
    let spec = ClassSpec {
        name: "patient".into(),
        within: None,
        detectors: None,
        patterns: Some(vec![r"patient number [0-9]{4}".into()]),
        on_hit: None,
    };
    let detector = Arc::new(Detector::new(&Classes::with(&[spec]).unwrap()).unwrap());
    let text = b"a\nthe patient number 1234 came\nb";
    for at in 0..=text.len() {
        let (a, b) = text.split_at(at);
        assert_eq!(run(&detector, &[a, b]).0, "a\nthe [masked:patient] came\nb");
    }
}

/// A value on both sides of the place where a piece without any cut is cut.
#[test]
fn long_pieces_are_cut_at_the_same_place_however_they_come() {
    let detector = builtin();
    for shift in [0, 5, 17, 40] {
        let mut text = "x".repeat(PIECE_BYTES_MAX - shift);
        text.push_str(",jo.doe@mail.example.org,");
        text.push_str(&"y".repeat(BEYOND_BYTES * 2));
        text.push_str(",4111111111111111,");
        text.push_str(&"z".repeat(PIECE_BYTES_MAX * 2));
        let expected = text
            .replace("jo.doe@mail.example.org", "[masked:email]")
            .replace("4111111111111111", "[masked:payment_card]");
        for size in [1 << 20, 65_536, 65_535, 4_093, 777] {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let (found, count) = run(&detector, &chunks);
            assert!(found == expected && count == 2, "shift {shift} size {size}");
        }
    }
}

#[test]
fn a_token_longer_than_a_piece_is_hidden_to_its_end() {
    let detector = builtin();
    let text = format!("a eyJhbGciOiJub25lIn0.{}.sig end", "A".repeat(200_000));
    for size in [1 << 20, 10_000, 999] {
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        assert!(run(&detector, &chunks).0 == "a [masked:jwt] end", "{size}");
    }
}

#[test]
fn a_pause_lets_a_prompt_through() {
    let mut masker = StreamMasker::new(builtin());
    let (mut out, mut tally) = (Vec::new(), Tally::default());
    masker.push(b"password:", &mut out, &mut tally);
    masker.pause(&mut out, &mut tally);
    assert_eq!((out.as_slice(), masker.held()), (&b"password:"[..], 0));
}

/// Pieces of values and of what stands between them, in any order.
#[test]
fn any_mixture_gives_the_same_however_it_is_split() {
    const PARTS: &[&str] = &[
        "jo@example.org",
        "@example.org",
        "4111 1111 1111 1111",
        "4111",
        "1111-",
        "123-45-6789",
        "DE89 3704 0044 0532 0130 00",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN RSA ",
        "-----END PRIVATE KEY-----",
        "MIIEabc/+=",
        "\\n",
        "eyJhbGciOiJub25lIn0.e30.",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "http://u:p",
        "://",
        ":",
        "2001:db8::7",
        "10.0.0.1",
        "+49 30 1234567",
        "é",
        "x",
        "word",
        "7",
        "-----",
        "-",
        ".",
        "_",
        " ",
        " ",
        "\n",
        "\"",
        "\t",
    ];
    let detector = builtin();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for _ in 0..400 {
        let text: String = (0..=next(10)).map(|_| PARTS[next(PARTS.len())]).collect();
        let bytes = text.as_bytes();
        let mut whole = Vec::new();
        if !detector.redact(bytes, &mut whole, &mut Tally::default()) {
            whole = bytes.to_vec();
        }
        let whole = String::from_utf8(whole).unwrap();
        assert_eq!(run(&detector, &[bytes]).0, whole, "whole {text:?}");
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(run(&detector, &single).0, whole, "bytes {text:?}");
        for _ in 0..6 {
            let (a, b) = bytes.split_at(next(bytes.len() + 1));
            assert_eq!(run(&detector, &[a, b]).0, whole, "{} {text:?}", a.len());
        }
    }
}

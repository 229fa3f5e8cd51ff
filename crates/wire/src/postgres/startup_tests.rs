//! The opening of a connection, honest and hostile.

use bytes::{BufMut, Bytes, BytesMut};

use super::super::mangle::{Lcg, mangle};
use super::{ALPN, Opening, StartupMessage, Step};
use crate::postgres::{CancelKey, encode};
use crate::{Limits, PeerMisbehaved};

fn limits() -> Limits {
    Limits::default()
}

fn step(opening: &mut Opening, buf: &mut BytesMut) -> Result<Option<Step>, PeerMisbehaved> {
    opening.next(buf, &limits())
}

fn request(code: u32) -> BytesMut {
    let mut buf = BytesMut::new();
    buf.put_u32(8);
    buf.put_u32(code);
    buf
}

fn startup(minor: u16, parameters: &[(&str, &str)]) -> BytesMut {
    let mut buf = BytesMut::new();
    encode::startup(&mut buf, minor, parameters).unwrap();
    buf
}

fn message(step: Option<Step>) -> StartupMessage {
    match step {
        Some(Step::Startup(message)) => message,
        other => panic!("not a start-up message: {other:?}"),
    }
}

#[test]
fn reads_a_start_up_message_byte_by_byte() {
    let bytes = startup(0, &[("user", "agent"), ("database", "orders-db/app")]);
    let mut opening = Opening::new(true);
    let mut buf = BytesMut::new();
    let mut last = None;
    for byte in &bytes {
        assert_eq!(last, None);
        buf.put_u8(*byte);
        last = step(&mut opening, &mut buf).unwrap();
    }
    let message = message(last);
    assert_eq!(message.minor, 0);
    assert!(!message.negotiate && !message.encrypted);
    assert_eq!(message.parameters[1].1, "orders-db/app");
    assert!(buf.is_empty());
}

#[test]
fn goes_over_to_tls_when_asked_and_remembers_it() {
    let mut opening = Opening::new(true);
    let asked = step(&mut opening, &mut request(encode::SSL_REQUEST)).unwrap();
    assert_eq!(asked, Some(Step::StartTls { answer: b"S" }));
    opening.tls_established(None).unwrap();
    let message = message(step(&mut opening, &mut startup(0, &[("user", "a")])).unwrap());
    assert!(message.encrypted);
}

#[test]
fn declines_tls_it_does_not_have() {
    let mut opening = Opening::new(false);
    let asked = step(&mut opening, &mut request(encode::SSL_REQUEST)).unwrap();
    assert_eq!(asked, Some(Step::Answer(b"N")));
    let message = message(step(&mut opening, &mut startup(0, &[("user", "a")])).unwrap());
    assert!(!message.encrypted);
}

#[test]
fn one_request_of_each_kind_and_no_more() {
    for order in [
        [encode::SSL_REQUEST, encode::GSSENC_REQUEST],
        [encode::GSSENC_REQUEST, encode::SSL_REQUEST],
    ] {
        let mut opening = Opening::new(false);
        for code in order {
            let answer = step(&mut opening, &mut request(code)).unwrap();
            assert_eq!(answer, Some(Step::Answer(b"N")));
        }
        for code in order {
            let refused = step(&mut opening, &mut request(code)).unwrap_err();
            assert!(matches!(refused, PeerMisbehaved::NegotiatedTwice { .. }));
        }
    }
}

#[test]
fn no_encryption_request_inside_tls() {
    for code in [encode::SSL_REQUEST, encode::GSSENC_REQUEST] {
        let mut opening = Opening::new(true);
        step(&mut opening, &mut request(encode::SSL_REQUEST)).unwrap();
        opening.tls_established(Some(ALPN)).unwrap();
        let refused = step(&mut opening, &mut request(code)).unwrap_err();
        assert!(matches!(refused, PeerMisbehaved::NegotiatedTwice { .. }));
    }
}

#[test]
fn refuses_bytes_in_clear_behind_a_request_to_encrypt() {
    for offered in [true, false] {
        for code in [encode::SSL_REQUEST, encode::GSSENC_REQUEST] {
            let mut buf = request(code);
            buf.extend_from_slice(&startup(0, &[("user", "injected")]));
            let refused = step(&mut Opening::new(offered), &mut buf).unwrap_err();
            assert!(matches!(refused, PeerMisbehaved::BytesBeforeTls { .. }));
        }
    }
}

#[test]
fn refuses_packets_before_the_handshake_is_done() {
    let mut opening = Opening::new(true);
    step(&mut opening, &mut request(encode::SSL_REQUEST)).unwrap();
    let refused = step(&mut opening, &mut startup(0, &[("user", "a")])).unwrap_err();
    assert!(matches!(refused, PeerMisbehaved::Unexpected { .. }));
}

#[test]
fn direct_tls_needs_the_protocol_named() {
    for (alpn, fits) in [
        (Some(ALPN), true),
        (None, false),
        (Some(&b"http/1.1"[..]), false),
    ] {
        let mut opening = Opening::new(true);
        let mut buf = BytesMut::from(&b"\x16\x03\x01"[..]);
        let begun = step(&mut opening, &mut buf).unwrap();
        assert_eq!(begun, Some(Step::StartTls { answer: b"" }));
        assert_eq!(buf.len(), 3, "the handshake is left to TLS");
        assert_eq!(opening.tls_established(alpn).is_ok(), fits);
    }
}

#[test]
fn negotiated_tls_may_leave_the_protocol_unnamed_but_not_misname_it() {
    for (alpn, fits) in [(Some(ALPN), true), (None, true), (Some(&b"h2"[..]), false)] {
        let mut opening = Opening::new(true);
        step(&mut opening, &mut request(encode::SSL_REQUEST)).unwrap();
        assert_eq!(opening.tls_established(alpn).is_ok(), fits);
    }
}

#[test]
fn tls_out_of_place_is_refused() {
    let hello = || BytesMut::from(&b"\x16\x03\x01\x02\x00\x01\x00\x01"[..]);
    assert!(step(&mut Opening::new(false), &mut hello()).is_err());
    let mut opening = Opening::new(true);
    step(&mut opening, &mut request(encode::GSSENC_REQUEST)).unwrap();
    assert!(step(&mut opening, &mut hello()).is_err());
    assert!(Opening::new(true).tls_established(Some(ALPN)).is_err());
}

#[test]
fn reads_cancel_requests_with_short_and_long_secrets() {
    for (length, fits) in [(0, false), (3, false), (4, true), (256, true), (257, false)] {
        let mut buf = BytesMut::new();
        buf.put_u32(12 + length);
        buf.put_u32(encode::CANCEL_REQUEST);
        buf.put_i32(-7);
        buf.put_bytes(9, usize::try_from(length).unwrap());
        let read = step(&mut Opening::new(true), &mut buf);
        assert_eq!(read.is_ok(), fits, "{length} bytes");
        if let Ok(Some(step)) = read {
            let secret = Bytes::from(vec![9; usize::try_from(length).unwrap()]);
            assert_eq!(step, Step::Cancel(CancelKey { pid: -7, secret }));
        }
    }
}

#[test]
fn nothing_follows_a_start_up_or_cancel_request() {
    let mut opening = Opening::new(true);
    let mut buf = startup(0, &[("user", "a")]);
    step(&mut opening, &mut buf).unwrap();
    let again = step(&mut opening, &mut startup(0, &[("user", "dba")]));
    assert!(matches!(again, Err(PeerMisbehaved::Unexpected { .. })));
    let mut buf = BytesMut::new();
    let key = CancelKey {
        pid: 1,
        secret: Bytes::from_static(b"abcd"),
    };
    encode::cancel_request(&mut buf, &key).unwrap();
    encode::cancel_request(&mut buf, &key).unwrap();
    assert!(step(&mut Opening::new(true), &mut buf).is_err());
}

#[test]
fn negotiates_minor_versions_and_options_it_does_not_know() {
    let table: [(u16, u16, bool); 5] = [
        (0, 0, false),
        (1, 0, true),
        (2, 2, false),
        (3, 2, true),
        (9_999, 2, true),
    ];
    for (asked, spoken, negotiate) in table {
        let mut buf = startup(asked, &[("user", "a")]);
        let message = message(step(&mut Opening::new(true), &mut buf).unwrap());
        assert_eq!((message.minor, message.negotiate), (spoken, negotiate));
    }
    let mut buf = startup(2, &[("user", "a"), ("_pq_.grease", "x")]);
    let message = message(step(&mut Opening::new(true), &mut buf).unwrap());
    assert!(message.negotiate);
    assert_eq!(message.unknown_options, ["_pq_.grease"]);
    assert_eq!(message.parameters.len(), 1);
    let mut out = BytesMut::new();
    message.answer_version(&mut out).unwrap();
    assert!(out.starts_with(b"v") && out.ends_with(b"_pq_.grease\0"));
}

#[test]
fn refuses_other_major_versions() {
    for version in [0_u32, 2 << 16, 4 << 16, 1234 << 16 | 5681] {
        let mut buf = BytesMut::new();
        buf.put_u32(9);
        buf.put_u32(version);
        buf.put_u8(0);
        let refused = step(&mut Opening::new(true), &mut buf).unwrap_err();
        assert!(matches!(refused, PeerMisbehaved::UnsupportedVersion { .. }));
    }
}

#[test]
fn refuses_impossible_lengths_at_once() {
    for length in [0_u32, 3, 7, 10_001, 1 << 31, u32::MAX] {
        let mut buf = BytesMut::new();
        buf.put_u32(length);
        assert!(step(&mut Opening::new(true), &mut buf).is_err(), "{length}");
    }
}

#[test]
fn refuses_malformed_parameter_lists() {
    let lists: [&[u8]; 7] = [
        b"",
        b"user\0a\0",
        b"user\0a\0\0x\0",
        b"user\0a",
        b"user\0\xff\0\0",
        b"user\0a\0user\0dba\0\0",
        b"user\0a\0USER\0dba\0\0",
    ];
    for list in lists {
        let mut buf = BytesMut::new();
        buf.put_u32(u32::try_from(8 + list.len()).unwrap());
        buf.put_u32(3 << 16);
        buf.put_slice(list);
        let refused = step(&mut Opening::new(true), &mut buf);
        assert!(refused.is_err(), "{:?}", Bytes::from_static(list));
    }
}

#[test]
fn mangled_packets_never_panic() {
    let mut lcg = Lcg(7);
    let bytes = startup(
        2,
        &[("user", "a"), ("database", "b"), ("options", "-c a=b")],
    );
    for _ in 0..4_000 {
        let hostile = mangle(&bytes, &mut lcg);
        let mut buf = BytesMut::from(&hostile[..]);
        let mut opening = Opening::new(lcg.below(2) == 0);
        while let Ok(Some(_)) = step(&mut opening, &mut buf) {
            if buf.is_empty() {
                break;
            }
        }
    }
}

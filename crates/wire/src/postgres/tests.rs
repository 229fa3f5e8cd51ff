//! The client's side of the codec against honest round trips and hostile bytes, fed whole and byte by
//! byte.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Backend, CancelKey, Frontend, NameKind, encode, frontend};
use crate::{Limits, PeerMisbehaved, Side, Unencodable};

pub(super) fn limits() -> Limits {
    Limits::default()
}

pub(super) fn frame(tag: u8, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_u8(tag);
    out.put_u32(u32::try_from(body.len() + 4).unwrap());
    out.put_slice(body);
    out
}

pub(super) fn announced(tag: u8, length: u32) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_u8(tag);
    out.put_u32(length);
    out
}

/// Decodes everything in `bytes`, handing it over in two pieces split at `split`.
fn decode_split(bytes: &[u8], split: usize) -> Result<Vec<Frontend>, PeerMisbehaved> {
    let mut buf = BytesMut::new();
    let mut found = Vec::new();
    let (first, second) = bytes.split_at(split);
    for piece in [first, second] {
        buf.extend_from_slice(piece);
        while let Some(message) = frontend::next(&mut buf, &limits())? {
            found.push(message);
        }
    }
    assert!(buf.is_empty(), "bytes left over");
    Ok(found)
}

pub(super) fn conversation() -> (BytesMut, Vec<Frontend>) {
    let b = Bytes::from_static;
    let mut out = BytesMut::new();
    let mut bind_raw = BytesMut::new();
    let params = [Some(b(b"7")), None, Some(b(b""))];
    encode::query(&mut out, b"SELECT 1").unwrap();
    encode::parse(&mut out, b"s", b"SELECT $1", &[23, 0]).unwrap();
    encode::bind(&mut out, b"p", b"s", &[0, 1, 0], &params, &[1]).unwrap();
    encode::bind(&mut bind_raw, b"p", b"s", &[0, 1, 0], &params, &[1]).unwrap();
    encode::describe(&mut out, NameKind::Portal, b"p").unwrap();
    encode::execute(&mut out, b"p", 50).unwrap();
    encode::close(&mut out, NameKind::Statement, b"s").unwrap();
    encode::flush(&mut out);
    encode::sync(&mut out);
    encode::copy_data(&mut out, b"1\t2\n").unwrap();
    encode::copy_done(&mut out);
    encode::copy_fail(&mut out, b"no").unwrap();
    encode::sasl_response(&mut out, b"c=biws").unwrap();
    encode::terminate(&mut out);
    let messages = vec![
        Frontend::Query {
            sql: b(b"SELECT 1"),
        },
        Frontend::Parse {
            name: b(b"s"),
            sql: b(b"SELECT $1"),
            param_types: vec![23, 0],
        },
        Frontend::Bind {
            portal: b(b"p"),
            statement: b(b"s"),
            param_formats: vec![0, 1, 0],
            params: params.to_vec(),
            result_formats: vec![1],
            raw: bind_raw.freeze().slice(5..),
        },
        Frontend::Describe {
            kind: NameKind::Portal,
            name: b(b"p"),
        },
        Frontend::Execute {
            portal: b(b"p"),
            rows_max: 50,
        },
        Frontend::Close {
            kind: NameKind::Statement,
            name: b(b"s"),
        },
        Frontend::Flush,
        Frontend::Sync,
        Frontend::CopyData(b(b"1\t2\n")),
        Frontend::CopyDone,
        Frontend::CopyFail { reason: b(b"no") },
        Frontend::Password(b(b"c=biws")),
        Frontend::Terminate,
    ];
    (out, messages)
}

#[test]
fn every_client_message_comes_back_as_it_was_written_at_every_split() {
    let (bytes, expected) = conversation();
    for split in 0..=bytes.len() {
        assert_eq!(decode_split(&bytes, split).unwrap(), expected, "at {split}");
    }
}

#[test]
fn client_messages_fed_byte_by_byte_equal_the_whole() {
    let (bytes, expected) = conversation();
    let mut buf = BytesMut::new();
    let mut found = Vec::new();
    for byte in &bytes {
        buf.put_u8(*byte);
        found.extend(frontend::next(&mut buf, &limits()).unwrap());
    }
    assert_eq!(found, expected);
}

#[test]
fn refuses_impossible_lengths_before_anything_is_buffered() {
    for tag in *b"QPBDECSHXdcfFp" {
        for length in [0, 3] {
            let refused = frontend::next(&mut announced(tag, length), &limits()).unwrap_err();
            assert!(matches!(refused, PeerMisbehaved::FrameTooShort { .. }));
            assert_eq!(refused.side(), Side::Client);
        }
        for length in [1 << 31, u32::MAX, (16 << 20) + 1] {
            let mut buf = announced(tag, length);
            let capacity = buf.capacity();
            let refused = frontend::next(&mut buf, &limits()).unwrap_err();
            assert!(matches!(refused, PeerMisbehaved::FrameTooLong { .. }));
            assert_eq!(buf.capacity(), capacity);
        }
    }
}

#[test]
fn copy_data_has_a_maximum_of_its_own() {
    let limits = Limits {
        copy_frame_bytes_max: 100,
        ..limits()
    };
    assert_eq!(
        frontend::next(&mut announced(b'd', 100), &limits),
        Ok(None),
        "within the maximum, the rest is awaited"
    );
    assert!(
        frontend::next(&mut announced(b'd', 101), &limits)
            .unwrap_err()
            .is_excess()
    );
    assert_eq!(frontend::next(&mut announced(b'Q', 101), &limits), Ok(None));
}

#[test]
fn refuses_text_behind_its_nul_and_text_without_one() {
    let behind = frontend::next(&mut frame(b'Q', b"SELECT 1\0; DELETE\0"), &limits());
    assert!(matches!(
        behind,
        Err(PeerMisbehaved::TrailingBytes { extra: 9, .. })
    ));
    let without = frontend::next(&mut frame(b'Q', b"SELECT 1"), &limits());
    assert!(matches!(without, Err(PeerMisbehaved::Unterminated { .. })));
    let empty = frontend::next(&mut frame(b'Q', b""), &limits());
    assert!(matches!(empty, Err(PeerMisbehaved::Unterminated { .. })));
}

#[test]
fn refuses_a_negative_parameter_length_other_than_null() {
    for length in [-2_i32, i32::MIN] {
        let mut body = BytesMut::from(&b"\0\0\0\0\0\x01"[..]);
        body.put_i32(length);
        body.put_i16(0);
        let refused = frontend::next(&mut frame(b'B', &body), &limits()).unwrap_err();
        assert!(matches!(refused, PeerMisbehaved::NegativeLength { .. }));
    }
}

#[test]
fn refuses_a_parameter_that_reaches_past_its_message() {
    for length in [3_i32, i32::MAX] {
        let mut body = BytesMut::from(&b"\0\0\0\0\0\x01"[..]);
        body.put_i32(length);
        body.put_i16(0);
        let refused = frontend::next(&mut frame(b'B', &body), &limits()).unwrap_err();
        assert!(matches!(refused, PeerMisbehaved::Truncated { .. }));
    }
}

#[test]
fn refuses_counts_that_the_message_could_not_hold() {
    let bind = frontend::next(&mut frame(b'B', b"\0\0\0\0\xff\xff\0\0"), &limits());
    assert!(matches!(
        bind,
        Err(PeerMisbehaved::TooMany { count: 65_535, .. })
    ));
    let parse = frontend::next(&mut frame(b'P', b"\0x\0\xff\xff"), &limits());
    assert!(matches!(parse, Err(PeerMisbehaved::TooMany { .. })));
}

#[test]
fn takes_as_many_parameters_as_the_protocol_counts() {
    let params = vec![None::<&[u8]>; 65_535];
    let mut buf = BytesMut::new();
    encode::bind(&mut buf, b"", b"", &[], &params, &[]).unwrap();
    let bound = frontend::next(&mut buf, &limits()).unwrap().unwrap();
    assert!(matches!(bound, Frontend::Bind { params, .. } if params.len() == 65_535));
    let more = vec![None::<&[u8]>; 65_536];
    let refused = encode::bind(&mut buf, b"", b"", &[], &more, &[]);
    assert_eq!(refused, Err(Unencodable::TooMany));
    assert!(
        buf.is_empty(),
        "nothing is left of a frame that was refused"
    );
}

#[test]
fn refuses_format_codes_and_their_counts_that_do_not_exist() {
    let code = frontend::next(&mut frame(b'B', b"\0\0\0\x01\0\x02\0\0\0\0"), &limits());
    assert!(matches!(code, Err(PeerMisbehaved::BadValue { .. })));
    let count = b"\0\0\0\x02\0\0\0\0\0\x01\xff\xff\xff\xff\0\0";
    let count = frontend::next(&mut frame(b'B', count), &limits());
    assert!(matches!(count, Err(PeerMisbehaved::BadValue { .. })));
}

#[test]
fn refuses_a_negative_row_limit() {
    let refused = frontend::next(&mut frame(b'E', b"\0\xff\xff\xff\xff"), &limits());
    assert!(matches!(refused, Err(PeerMisbehaved::BadValue { .. })));
}

#[test]
fn refuses_names_the_target_would_confuse() {
    let mut long = vec![b'a'; 63];
    let mut buf = BytesMut::new();
    encode::describe(&mut buf, NameKind::Statement, &long).unwrap();
    assert!(frontend::next(&mut buf, &limits()).unwrap().is_some());
    long.push(b'x');
    encode::describe(&mut buf, NameKind::Statement, &long).unwrap();
    let refused = frontend::next(&mut buf, &limits()).unwrap_err();
    assert!(matches!(refused, PeerMisbehaved::FieldTooLong { .. }));
}

#[test]
fn refuses_a_statement_beyond_its_maximum() {
    let limits = Limits {
        statement_bytes_max: 8,
        ..limits()
    };
    assert!(frontend::next(&mut frame(b'Q', b"SELECT 1\0"), &limits).is_ok());
    let refused = frontend::next(&mut frame(b'Q', b"SELECT 12\0"), &limits).unwrap_err();
    assert!(refused.is_excess());
}

#[test]
fn an_unknown_type_is_told_at_its_first_byte_and_empties_the_buffer() {
    for tag in [0, b'z', 0xff, 0x16] {
        let mut buf = BytesMut::from(&[tag, 1, 2, 3][..]);
        let found = frontend::next(&mut buf, &limits()).unwrap();
        assert_eq!(found, Some(Frontend::Unknown(tag)));
        assert!(buf.is_empty());
    }
}

#[test]
fn a_second_start_up_packet_during_authentication_is_refused() {
    let mut buf = BytesMut::new();
    encode::startup(&mut buf, 0, &[("user", "dba")]).unwrap();
    let refused = frontend::next_auth(&mut buf, &limits()).unwrap_err();
    assert!(matches!(refused, PeerMisbehaved::Unexpected { .. }));
}

#[test]
fn reads_answers_to_authentication_requests() {
    let mut buf = BytesMut::new();
    encode::password(&mut buf, b"secret").unwrap();
    encode::sasl_initial(&mut buf, "SCRAM-SHA-256", b"n,,n=,r=x").unwrap();
    let body = frontend::next_auth(&mut buf, &limits()).unwrap().unwrap();
    assert_eq!(
        frontend::plain_password(body).unwrap(),
        Bytes::from("secret")
    );
    let body = frontend::next_auth(&mut buf, &limits()).unwrap().unwrap();
    let (mechanism, first) = frontend::sasl_initial(body).unwrap();
    assert_eq!(mechanism, Bytes::from("SCRAM-SHA-256"));
    assert_eq!(first, Some(Bytes::from("n,,n=,r=x")));
    let tail = frontend::plain_password(Bytes::from_static(b"a\0b\0"));
    assert!(matches!(tail, Err(PeerMisbehaved::TrailingBytes { .. })));
}

#[test]
fn function_calls_are_framed_and_their_content_dropped() {
    let mut buf = frame(b'F', b"\0\0\0\x01junk");
    encode::sync(&mut buf);
    assert_eq!(
        frontend::next(&mut buf, &limits()),
        Ok(Some(Frontend::FunctionCall))
    );
    assert_eq!(
        frontend::next(&mut buf, &limits()),
        Ok(Some(Frontend::Sync))
    );
}

#[test]
fn statement_text_must_be_utf8() {
    assert_eq!(
        frontend::sql_text("SELECT 'é'".as_bytes()).unwrap(),
        "SELECT 'é'"
    );
    assert!(frontend::sql_text(b"SELECT E'\x95\x5c'").is_err());
}

#[test]
fn never_writes_a_text_that_holds_a_nul() {
    let mut out = BytesMut::from(&b"before"[..]);
    assert_eq!(
        encode::query(&mut out, b"SELECT 1\0; DELETE"),
        Err(Unencodable::NulInText)
    );
    assert_eq!(
        encode::startup(&mut out, 0, &[("", "x")]),
        Err(Unencodable::NulInText)
    );
    assert_eq!(out, b"before"[..]);
}

#[test]
fn debug_output_shows_no_contents() {
    let (_, messages) = conversation();
    let shown = format!("{messages:?}");
    assert!(!shown.contains("SELECT"));
    assert!(!shown.contains("biws"));
    let key = CancelKey {
        pid: 1,
        secret: Bytes::from_static(b"hush"),
    };
    assert!(!format!("{:?}", Backend::BackendKeyData(key)).contains("hush"));
}

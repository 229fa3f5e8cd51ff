//! The codec against honest round trips and hostile bytes, fed whole and byte by byte.

use bytes::{BufMut, Bytes, BytesMut};

use super::backend::{self, Auth, CopyShape, DataRow, FieldDescription};
use super::frame::{data_row_run, next_frame, peek};
use super::{
    Backend, CancelKey, ErrorFields, Fields, Frontend, NameKind, Severity, TxStatus, encode,
    frontend, reply,
};
use crate::{Limits, PeerMisbehaved, Side, Unencodable};

fn limits() -> Limits {
    Limits::default()
}

fn frame(tag: u8, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_u8(tag);
    out.put_u32(u32::try_from(body.len() + 4).unwrap());
    out.put_slice(body);
    out
}

fn announced(tag: u8, length: u32) -> BytesMut {
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

fn conversation() -> (BytesMut, Vec<Frontend>) {
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

fn replies() -> (BytesMut, Vec<Backend>) {
    let b = Bytes::from_static;
    let mut out = BytesMut::new();
    let column = FieldDescription {
        name: b(b"id"),
        table_oid: 16_384,
        column: 1,
        type_oid: 23,
        type_size: 4,
        type_modifier: -1,
        format: 0,
    };
    let key = CancelKey {
        pid: 42,
        secret: Bytes::from(vec![9; 256]),
    };
    let shape = CopyShape {
        binary: true,
        columns: vec![1, 1],
    };
    let mut row = BytesMut::new();
    reply::data_row(&mut row, [Some(&b"1"[..]), None].into_iter()).unwrap();
    let fields = Fields(vec![
        (b'S', b(b"FATAL")),
        (b'C', b(b"57P01")),
        (b'z', b(b"?")),
    ]);

    reply::authentication_sasl(&mut out, &["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]).unwrap();
    reply::authentication_sasl_continue(&mut out, b"r=").unwrap();
    reply::authentication_sasl_final(&mut out, b"v=").unwrap();
    reply::authentication_cleartext(&mut out);
    reply::authentication_ok(&mut out);
    reply::negotiate_protocol_version(&mut out, 2, &["_pq_.x"]).unwrap();
    reply::parameter_status(&mut out, b"TimeZone", b"UTC").unwrap();
    reply::backend_key_data(&mut out, &key).unwrap();
    reply::row_description(&mut out, std::slice::from_ref(&column)).unwrap();
    out.extend_from_slice(&row);
    reply::parameter_description(&mut out, &[23, 25]).unwrap();
    reply::copy_in_response(&mut out, &shape).unwrap();
    reply::copy_out_response(&mut out, &shape).unwrap();
    reply::copy_data(&mut out, b"x").unwrap();
    reply::copy_done(&mut out);
    reply::notification(&mut out, 7, b"ch", b"hello").unwrap();
    reply::target_error(&mut out, &fields).unwrap();
    reply::target_notice(&mut out, &fields).unwrap();
    reply::parse_complete(&mut out);
    reply::bind_complete(&mut out);
    reply::close_complete(&mut out);
    reply::no_data(&mut out);
    reply::portal_suspended(&mut out);
    reply::empty_query_response(&mut out);
    reply::command_complete(&mut out, b"SELECT 1").unwrap();
    reply::ready_for_query(&mut out, TxStatus::Failed);

    let messages = vec![
        Backend::Authentication(Auth::Sasl {
            mechanisms: vec!["SCRAM-SHA-256-PLUS".into(), "SCRAM-SHA-256".into()],
        }),
        Backend::Authentication(Auth::SaslContinue(b(b"r="))),
        Backend::Authentication(Auth::SaslFinal(b(b"v="))),
        Backend::Authentication(Auth::CleartextPassword),
        Backend::Authentication(Auth::Ok),
        Backend::NegotiateProtocolVersion {
            version: 3 << 16 | 2,
            unknown_options: vec![b(b"_pq_.x")],
        },
        Backend::ParameterStatus {
            name: b(b"TimeZone"),
            value: b(b"UTC"),
        },
        Backend::BackendKeyData(key),
        Backend::RowDescription(vec![column]),
        Backend::DataRow(DataRow::read(row.freeze().slice(5..), &limits()).unwrap()),
        Backend::ParameterDescription(vec![23, 25]),
        Backend::CopyInResponse(shape.clone()),
        Backend::CopyOutResponse(shape),
        Backend::CopyData(b(b"x")),
        Backend::CopyDone,
        Backend::NotificationResponse {
            pid: 7,
            channel: b(b"ch"),
            payload: b(b"hello"),
        },
        Backend::ErrorResponse(fields.clone()),
        Backend::NoticeResponse(fields),
        Backend::ParseComplete,
        Backend::BindComplete,
        Backend::CloseComplete,
        Backend::NoData,
        Backend::PortalSuspended,
        Backend::EmptyQueryResponse,
        Backend::CommandComplete(b(b"SELECT 1")),
        Backend::ReadyForQuery(TxStatus::Failed),
    ];
    (out, messages)
}

#[test]
fn every_target_message_comes_back_as_it_was_written_at_every_split() {
    let (bytes, expected) = replies();
    for split in 0..=bytes.len() {
        let mut buf = BytesMut::new();
        let mut found = Vec::new();
        let (first, second) = bytes.split_at(split);
        for piece in [first, second] {
            buf.extend_from_slice(piece);
            while let Some(message) = backend::next(&mut buf, &limits()).unwrap() {
                found.push(message);
            }
        }
        assert_eq!(found, expected, "at {split}");
    }
}

#[test]
fn frames_from_the_target_are_written_again_as_they_came() {
    let (bytes, _) = replies();
    let mut buf = bytes.clone();
    let mut again = BytesMut::new();
    while let Some(frame) = next_frame(&mut buf, &limits()).unwrap() {
        frame.encode(&mut again).unwrap();
    }
    assert_eq!(again, bytes);
}

#[test]
fn a_target_with_impossible_lengths_is_refused() {
    for tag in *b"RSKZTDCIENA123ntsGHWdcvV?" {
        for length in [0, 3, 1 << 31, u32::MAX] {
            let refused = next_frame(&mut announced(tag, length), &limits()).unwrap_err();
            assert_eq!(refused.side(), Side::Target);
        }
    }
}

#[test]
fn counts_runs_of_whole_rows_only() {
    let mut rows = BytesMut::new();
    for _ in 0..3 {
        reply::data_row(&mut rows, [Some(&b"abc"[..])].into_iter()).unwrap();
    }
    let whole = rows.len();
    let one = whole / 3;
    for cut in 0..=whole {
        assert_eq!(data_row_run(&rows[..cut]), cut / one * one, "cut at {cut}");
    }
    reply::command_complete(&mut rows, b"SELECT 3").unwrap();
    assert_eq!(data_row_run(&rows), whole);
    assert_eq!(peek(&rows), Some((b'D', one)));
}

#[test]
fn a_run_of_rows_stops_at_an_impossible_length() {
    let mut rows = frame(b'D', b"\0\0");
    let whole = rows.len();
    rows.extend_from_slice(&announced(b'D', 3));
    rows.extend_from_slice(&[0; 64]);
    assert_eq!(data_row_run(&rows), whole);
    let mut wrap = announced(b'D', u32::MAX);
    wrap.extend_from_slice(&[0; 64]);
    assert_eq!(data_row_run(&wrap), 0);
}

#[test]
fn reads_cells_and_refuses_rows_that_lie_about_them() {
    let read = |body: &'static [u8]| {
        let row = DataRow::read(Bytes::from_static(body), &limits())?;
        row.cells()
            .map(|cell| cell.map(|cell| cell.map(<[u8]>::to_vec)))
            .collect::<Result<Vec<_>, _>>()
    };
    assert_eq!(
        read(b"\0\x02\0\0\0\x01x\xff\xff\xff\xff").unwrap(),
        vec![Some(b"x".to_vec()), None]
    );
    assert_eq!(read(b"\0\0").unwrap(), Vec::<Option<Vec<u8>>>::new());
    assert!(matches!(
        read(b"\0\x01\xff\xff\xff\xfe"),
        Err(PeerMisbehaved::NegativeLength { length: -2, .. })
    ));
    assert!(matches!(
        read(b"\0\x01\0\0\0\x09x"),
        Err(PeerMisbehaved::Truncated { .. })
    ));
    assert!(matches!(
        read(b"\0\x01\0\0\0\0y"),
        Err(PeerMisbehaved::TrailingBytes { .. })
    ));
    assert!(matches!(
        read(b"\0\x02\0\0\0\0"),
        Err(PeerMisbehaved::TooMany { .. })
    ));
    assert!(matches!(read(b"\0"), Err(PeerMisbehaved::Truncated { .. })));
}

#[test]
fn rows_are_built_cell_by_cell_or_not_at_all() {
    let mut built = BytesMut::new();
    let mut row = reply::RowBuilder::new(&mut built);
    row.cell(Some(b"1")).unwrap();
    row.cell(None).unwrap();
    row.finish().unwrap();
    let mut whole = BytesMut::new();
    reply::data_row(&mut whole, [Some(&b"1"[..]), None].into_iter()).unwrap();
    assert_eq!(built, whole);
    let mut abandoned = reply::RowBuilder::new(&mut built);
    abandoned.cell(Some(b"half")).unwrap();
    drop(abandoned);
    assert_eq!(built, whole);
}

#[test]
fn the_gateways_errors_are_always_well_formed() {
    let mut out = BytesMut::new();
    let long = "é".repeat(100_000);
    let fields = ErrorFields::new(Severity::Error, "42501", "denied\0by rule")
        .detail(long)
        .hint("ask");
    reply::error(&mut out, &fields);
    let Some(Backend::ErrorResponse(read)) = backend::next(&mut out, &limits()).unwrap() else {
        panic!("not an error response");
    };
    assert_eq!(read.sqlstate(), "42501");
    assert_eq!(read.get(Fields::MESSAGE).unwrap(), &b"denied by rule"[..]);
    let detail = read.get(Fields::DETAIL).unwrap();
    assert!(detail.len() <= 64 << 10 && std::str::from_utf8(detail).is_ok());
    assert!(!read.is_fatal());
}

#[test]
fn secrets_of_cancel_keys_are_bounded() {
    for (length, fits) in [(3, false), (4, true), (32, true), (256, true), (257, false)] {
        let body = vec![0; 4 + length];
        let read = backend::next(&mut frame(b'K', &body), &limits());
        assert_eq!(read.is_ok(), fits, "{length} bytes");
    }
}

#[test]
fn cancel_keys_match_only_themselves() {
    let key = |pid, secret: &'static [u8]| CancelKey {
        pid,
        secret: Bytes::from_static(secret),
    };
    assert!(key(1, b"abcd").matches(&key(1, b"abcd")));
    assert!(!key(1, b"abcd").matches(&key(2, b"abcd")));
    assert!(!key(1, b"abcd").matches(&key(1, b"abce")));
    assert!(!key(1, b"abcd").matches(&key(1, b"abcde")));
}

#[test]
fn a_version_negotiation_cannot_announce_more_options_than_it_holds() {
    for count in [-1_i32, i32::MAX, 2] {
        let mut body = BytesMut::new();
        body.put_u32(3 << 16);
        body.put_i32(count);
        body.put_slice(b"\0");
        assert!(backend::next(&mut frame(b'v', &body), &limits()).is_err());
    }
}

/// A fixed sequence of pseudo-random numbers: the same bytes on every run.
pub(super) struct Lcg(pub(super) u64);

impl Lcg {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next()).unwrap() % bound
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Flips, cuts and inserts bytes of a valid conversation.
pub(super) fn mangle(bytes: &[u8], lcg: &mut Lcg) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=lcg.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = lcg.below(bytes.len());
        match lcg.below(4) {
            0 => bytes[at] = lcg.byte(),
            1 => bytes.truncate(at),
            2 => bytes.insert(at, lcg.byte()),
            _ => bytes[at] = [0, 0x7f, 0x80, 0xff][lcg.below(4)],
        }
    }
    bytes
}

#[test]
fn mangled_bytes_never_panic_and_read_the_same_at_any_split() {
    let mut lcg = Lcg(20_261_122);
    let (client, _) = conversation();
    let (target, _) = replies();
    for _ in 0..4_000 {
        let hostile = mangle(&client, &mut lcg);
        let whole = drain(&hostile, hostile.len(), frontend::next);
        let split = drain(&hostile, lcg.below(hostile.len() + 1), frontend::next);
        assert_eq!(whole, split);
        let hostile = mangle(&target, &mut lcg);
        let whole = drain(&hostile, hostile.len(), backend::next);
        let split = drain(&hostile, lcg.below(hostile.len() + 1), backend::next);
        assert_eq!(whole, split);
    }
}

/// Everything that can be read before the first error, and that error.
fn drain<M>(
    bytes: &[u8],
    split: usize,
    next: impl Fn(&mut BytesMut, &Limits) -> Result<Option<M>, PeerMisbehaved>,
) -> (Vec<M>, Option<PeerMisbehaved>)
where
    M: PartialEq + Stops,
{
    let mut buf = BytesMut::new();
    let mut found = Vec::new();
    let (first, second) = bytes.split_at(split);
    for piece in [first, second] {
        buf.extend_from_slice(piece);
        loop {
            match next(&mut buf, &limits()) {
                Ok(Some(message)) => {
                    let stops = message.stops();
                    found.push(message);
                    if stops {
                        return (found, None);
                    }
                }
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

/// Whether nothing behind this message can be read.
trait Stops {
    fn stops(&self) -> bool;
}

impl Stops for Frontend {
    fn stops(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

impl Stops for Backend {
    fn stops(&self) -> bool {
        false
    }
}

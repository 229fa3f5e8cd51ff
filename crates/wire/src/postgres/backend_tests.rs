//! The target's side of the codec, honest and rogue, and what is written to clients.

use bytes::{BufMut, Bytes, BytesMut};

use super::super::frame::{Run, data_row_run, next_frame, peek};
use super::super::tests::{announced, frame, limits};
use super::super::{Backend, CancelKey, ErrorFields, Fields, Severity, TxStatus, reply};
use super::{Auth, CopyShape, DataRow, FieldDescription};
use crate::postgres::backend;
use crate::{PeerMisbehaved, Side};

pub(in crate::postgres) fn replies() -> (BytesMut, Vec<Backend>) {
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
        let run = data_row_run(&rows[..cut]);
        assert_eq!(run.bytes, cut / one * one, "cut at {cut}");
        assert_eq!(run.frames, (cut / one) as u64, "cut at {cut}");
    }
    reply::command_complete(&mut rows, b"SELECT 3").unwrap();
    assert_eq!(data_row_run(&rows).bytes, whole);
    assert_eq!(peek(&rows), Some((b'D', one)));
}

#[test]
fn a_run_of_rows_stops_at_an_impossible_length() {
    let mut rows = frame(b'D', b"\0\0");
    let whole = rows.len();
    rows.extend_from_slice(&announced(b'D', 3));
    rows.extend_from_slice(&[0; 64]);
    assert_eq!(data_row_run(&rows).bytes, whole);
    let mut wrap = announced(b'D', u32::MAX);
    wrap.extend_from_slice(&[0; 64]);
    assert_eq!(data_row_run(&wrap), Run::default());
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

//! Logging in to honest and rogue targets.

use brattice_core::secret::Secret;
use bytes::{Bytes, BytesMut};

use super::super::mangle::{Lcg, mangle};
use super::{Channel, LoggedIn, Login, LoginFailed, TlsAnswer, UpstreamLogin, tls_answer};
use crate::postgres::scram::{Exchange, ITERATIONS, Mechanism, Verifier};
use crate::postgres::{CancelKey, ErrorFields, Severity, TxStatus, frontend, reply};
use crate::{Limits, PeerMisbehaved};

const STATUSES: [(&str, &str); 5] = [
    ("server_version", "16.4 (Debian 16.4-1)"),
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("standard_conforming_strings", "on"),
    ("integer_datetimes", "on"),
];

fn tls(end_point: Option<&[u8]>) -> Channel {
    Channel::Tls {
        verified: true,
        end_point: end_point.map(<[u8]>::to_vec),
    }
}

fn login(channel: Channel) -> Login {
    Login {
        user: "app".to_owned(),
        database: "orders".to_owned(),
        password: Some(Secret::new("s3cret")),
        application_name: "brattice".to_owned(),
        settings: vec![("timezone".to_owned(), "UTC".to_owned())],
        channel,
    }
}

fn start(login: Login) -> (UpstreamLogin, BytesMut) {
    let mut out = BytesMut::new();
    let started = UpstreamLogin::start(login, &Limits::default(), &mut out).unwrap();
    out.clear();
    (started, out)
}

/// What a target says from AuthenticationOk to readiness.
fn settle(statuses: &[(&str, &str)]) -> BytesMut {
    let mut bytes = BytesMut::new();
    reply::authentication_ok(&mut bytes);
    for (name, value) in statuses {
        reply::parameter_status(&mut bytes, name.as_bytes(), value.as_bytes()).unwrap();
    }
    let key = CancelKey {
        pid: 7,
        secret: Bytes::from_static(b"abcd"),
    };
    reply::backend_key_data(&mut bytes, &key).unwrap();
    reply::ready_for_query(&mut bytes, TxStatus::Idle);
    bytes
}

fn feed(login: Login, bytes: &[u8]) -> (Result<Option<LoggedIn>, LoginFailed>, BytesMut) {
    let (mut login, mut out) = start(login);
    let fed = login.input(&mut BytesMut::from(bytes), &mut out);
    (fed, out)
}

#[test]
fn pins_the_parsing_context_in_the_start_up_packet() {
    let mut out = BytesMut::new();
    UpstreamLogin::start(login(Channel::Clear), &Limits::default(), &mut out).unwrap();
    let text = String::from_utf8_lossy(&out).into_owned();
    for pair in [
        "user\0app\0",
        "database\0orders\0",
        "application_name\0brattice\0",
        "client_encoding\0UTF8\0",
        "standard_conforming_strings\0on\0",
        "backslash_quote\0safe_encoding\0",
        "transform_null_equals\0off\0",
        "timezone\0UTC\0",
    ] {
        assert!(text.contains(pair), "{pair:?}");
    }
}

#[test]
fn refuses_settings_that_would_override_the_pinned_ones() {
    for name in [
        "client_encoding",
        "Backslash_Quote",
        "USER",
        "options",
        "replication",
    ] {
        let mut login = login(Channel::Clear);
        login.settings.push((name.to_owned(), "x".to_owned()));
        let mut out = BytesMut::new();
        let refused = UpstreamLogin::start(login, &Limits::default(), &mut out);
        assert!(matches!(refused, Err(LoginFailed::Pinned(_))), "{name}");
        assert!(out.is_empty());
    }
}

#[test]
fn logs_in_where_the_target_asks_for_nothing_byte_by_byte() {
    let bytes = settle(&STATUSES);
    let (mut login, mut out) = start(login(Channel::Clear));
    let mut buf = BytesMut::new();
    let mut done = None;
    for byte in &bytes {
        assert!(done.is_none());
        buf.extend_from_slice(&[*byte]);
        done = login.input(&mut buf, &mut out).unwrap();
    }
    let done = done.unwrap();
    assert_eq!(done.server_major, 16);
    assert_eq!(done.parameters.len(), STATUSES.len());
    assert_eq!(done.cancel_key.unwrap().pid, 7);
    assert!(out.is_empty());
}

#[test]
fn answers_md5_with_the_hash_through_verified_tls_alone() {
    let request = b"R\0\0\0\x0c\0\0\0\x05\x01\x02\x03\x04";
    let unverified = Channel::Tls {
        verified: false,
        end_point: None,
    };
    for channel in [Channel::Clear, unverified] {
        let (fed, out) = feed(login(channel), request);
        assert!(matches!(fed, Err(LoginFailed::Md5)));
        assert!(out.is_empty());
    }
    let (fed, mut out) = feed(login(tls(None)), request);
    assert!(fed.unwrap().is_none());
    let body = frontend::next_auth(&mut out, &Limits::default()).unwrap();
    let sent = frontend::plain_password(body.unwrap()).unwrap();
    let expected = postgres_protocol::authentication::md5_hash(b"app", b"s3cret", [1, 2, 3, 4]);
    assert_eq!(sent, expected.as_bytes());
}

#[test]
fn gives_the_password_in_clear_only_through_verified_tls() {
    let mut request = BytesMut::new();
    reply::authentication_cleartext(&mut request);
    let unverified = Channel::Tls {
        verified: false,
        end_point: None,
    };
    for channel in [Channel::Clear, unverified] {
        let (fed, out) = feed(login(channel), &request);
        assert!(matches!(fed, Err(LoginFailed::Cleartext)));
        assert!(out.is_empty());
    }
    let (fed, out) = feed(login(tls(None)), &request);
    assert!(fed.is_ok());
    assert_eq!(out, b"p\0\0\0\x0bs3cret\0"[..]);
}

/// Plays the target's side of SCRAM; `rogue` may change what the target sends last.
fn scram(
    channel: Channel,
    offered: &[&str],
    end_point: Option<&[u8]>,
    rogue: impl Fn(&mut String),
) -> Result<Option<LoggedIn>, LoginFailed> {
    let limits = Limits::default();
    let (mut login, mut out) = start(login(channel));
    let mut buf = BytesMut::new();
    reply::authentication_sasl(&mut buf, offered).unwrap();
    login.input(&mut buf, &mut out)?;
    let body = frontend::next_auth(&mut out, &limits).unwrap().unwrap();
    let (name, first) = frontend::sasl_initial(body).unwrap();
    let mechanism = Mechanism::choose(&name, end_point).unwrap();
    let verifier = Verifier::derive(b"s3cret", b"salt", ITERATIONS).unwrap();
    let exchange = Exchange::new(verifier, mechanism, end_point, &[3; 18]);
    let (server_first, awaits) = exchange.client_first(&first.unwrap()).unwrap();
    reply::authentication_sasl_continue(&mut buf, server_first.as_bytes()).unwrap();
    login.input(&mut buf, &mut out)?;
    let body = frontend::next_auth(&mut out, &limits).unwrap().unwrap();
    let mut last = awaits.client_final(&body).unwrap();
    rogue(&mut last);
    if !last.is_empty() {
        reply::authentication_sasl_final(&mut buf, last.as_bytes()).unwrap();
    }
    buf.extend_from_slice(&settle(&STATUSES));
    login.input(&mut buf, &mut out)
}

#[test]
fn logs_in_by_scram_with_and_without_channel_binding() {
    let both = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"];
    let plain = ["SCRAM-SHA-256"];
    let hash = Some(&b"hash"[..]);
    let honest = |_: &mut String| {};
    for done in [
        scram(Channel::Clear, &plain, None, honest),
        scram(tls(hash), &both, hash, honest),
        scram(tls(hash), &plain, None, honest),
        scram(tls(None), &both, hash, honest),
    ] {
        assert!(done.unwrap().is_some());
    }
}

#[test]
fn refuses_a_target_that_cannot_prove_itself() {
    let plain = ["SCRAM-SHA-256"];
    let wrong = scram(Channel::Clear, &plain, None, |last| {
        *last = "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned();
    });
    assert!(matches!(wrong, Err(LoginFailed::Scram(_))));
    let skipped = scram(Channel::Clear, &plain, None, String::clear);
    assert!(matches!(skipped, Err(LoginFailed::Misbehaved(_))));
}

#[test]
fn refuses_success_in_the_middle_of_scram() {
    let mut bytes = BytesMut::new();
    reply::authentication_sasl(&mut bytes, &["SCRAM-SHA-256"]).unwrap();
    bytes.extend_from_slice(&settle(&STATUSES));
    let (fed, _) = feed(login(Channel::Clear), &bytes);
    assert!(matches!(fed, Err(LoginFailed::Misbehaved(_))));
}

#[test]
fn refuses_a_target_that_would_burn_our_time() {
    let (mut login, mut out) = start(login(Channel::Clear));
    let mut buf = BytesMut::new();
    reply::authentication_sasl(&mut buf, &["SCRAM-SHA-256"]).unwrap();
    login.input(&mut buf, &mut out).unwrap();
    let body = frontend::next_auth(&mut out, &Limits::default()).unwrap();
    let (_, first) = frontend::sasl_initial(body.unwrap()).unwrap();
    let first = String::from_utf8(first.unwrap().to_vec()).unwrap();
    let nonce = first.rsplit_once("r=").unwrap().1;
    let challenge = format!("r={nonce}xyz,s=c2FsdA==,i=4000000000");
    reply::authentication_sasl_continue(&mut buf, challenge.as_bytes()).unwrap();
    let refused = login.input(&mut buf, &mut out);
    assert!(matches!(refused, Err(LoginFailed::Scram(_))));
}

#[test]
fn refuses_methods_it_does_not_speak() {
    for number in [2_u8, 6, 7, 8, 9, 13, 255] {
        let (fed, out) = feed(login(tls(None)), &[b'R', 0, 0, 0, 8, 0, 0, 0, number]);
        assert!(matches!(fed, Err(LoginFailed::Method(_))), "{number}");
        assert!(out.is_empty());
    }
    let mut bytes = BytesMut::new();
    reply::authentication_sasl(&mut bytes, &["OAUTHBEARER"]).unwrap();
    let (fed, _) = feed(login(tls(None)), &bytes);
    assert!(matches!(fed, Err(LoginFailed::Method(_))));
}

#[test]
fn refuses_to_answer_twice() {
    let md5 = b"R\0\0\0\x0c\0\0\0\x05\x01\x02\x03\x04";
    let (fed, _) = feed(login(tls(None)), &[&md5[..], md5].concat());
    assert!(matches!(fed, Err(LoginFailed::Misbehaved(_))));
}

#[test]
fn a_password_that_is_not_there_is_not_made_up() {
    for password in [None, Some(Secret::new(""))] {
        let mut login = login(tls(None));
        login.password = password;
        let mut bytes = BytesMut::new();
        reply::authentication_sasl(&mut bytes, &["SCRAM-SHA-256"]).unwrap();
        let (fed, _) = feed(login, &bytes);
        assert!(matches!(fed, Err(LoginFailed::NoPassword)));
    }
}

#[test]
fn refuses_a_context_other_than_the_pinned_one() {
    for (changed, value) in [
        ("server_encoding", "SQL_ASCII"),
        ("client_encoding", "SJIS"),
        ("standard_conforming_strings", "off"),
        ("integer_datetimes", "off"),
    ] {
        let differing: Vec<_> = STATUSES
            .iter()
            .map(|(name, old)| (*name, if *name == changed { value } else { old }))
            .collect();
        let missing: Vec<_> = STATUSES
            .iter()
            .copied()
            .filter(|(name, _)| *name != changed)
            .collect();
        let twice = [&STATUSES[..], &[(changed, value)]].concat();
        for statuses in [differing, missing, twice] {
            let (fed, _) = feed(login(Channel::Clear), &settle(&statuses));
            assert!(
                matches!(fed, Err(LoginFailed::Context { name, .. }) if name == changed),
                "{changed}"
            );
        }
    }
    let (fed, _) = feed(login(Channel::Clear), &settle(&STATUSES[1..]));
    assert!(matches!(fed, Err(LoginFailed::Version)));
}

#[test]
fn passes_on_why_the_target_refused() {
    let mut bytes = BytesMut::new();
    let fields = ErrorFields::new(Severity::Fatal, "28P01", "password authentication failed");
    reply::error(&mut bytes, &fields);
    let (fed, _) = feed(login(Channel::Clear), &bytes);
    assert!(matches!(fed, Err(LoginFailed::Refused(fields)) if fields.sqlstate() == "28P01"));
}

#[test]
fn refuses_messages_that_have_no_place_in_a_login() {
    let mut ok = BytesMut::new();
    reply::authentication_ok(&mut ok);
    let with_ok = |more: &[u8]| [&ok[..], more].concat();
    let mut status = BytesMut::new();
    reply::parameter_status(&mut status, b"a", b"b").unwrap();
    for bytes in [
        status.to_vec(),
        b"Z\0\0\0\x05I".to_vec(),
        b"S\0\0\0\x05\0".to_vec(),
        b"K\0\0\0\x0c\0\0\0\x01abcd".to_vec(),
        b"v\0\0\0\x0c\0\x03\0\0\0\0\0\0".to_vec(),
        with_ok(&ok),
        with_ok(b"Z\0\0\0\x05T"),
        with_ok(b"Z\0\0\0\x05E"),
        with_ok(b"D\0\0\0\x06\0\0"),
        with_ok(b"1\0\0\0\x04"),
        with_ok(b"G\0\0\0\x07\0\0\0"),
        with_ok(b"K\0\0\0\x0c\0\0\0\x01abcdK\0\0\0\x0c\0\0\0\x01abcd"),
        b"H\x7f\xff\xff\xff".to_vec(),
        b"HTTP/1.1 400 Bad Request\r\n".to_vec(),
    ] {
        let (fed, _) = feed(login(Channel::Clear), &bytes);
        assert!(
            matches!(fed, Err(LoginFailed::Misbehaved(_))),
            "{:?}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn a_target_cannot_talk_for_ever() {
    let mut notices = BytesMut::new();
    let fields = ErrorFields::new(Severity::Notice, "00000", "wait");
    for _ in 0..1_000 {
        reply::notice(&mut notices, &fields);
    }
    let (fed, _) = feed(login(Channel::Clear), &notices);
    let expected = PeerMisbehaved::TooManyMessages {
        side: crate::Side::Target,
        state: "login",
        max: 256,
    };
    assert!(matches!(fed, Err(LoginFailed::Misbehaved(found)) if found == expected));
}

#[test]
fn bytes_behind_the_readiness_are_left_alone() {
    let mut buf = settle(&STATUSES);
    buf.extend_from_slice(b"N");
    let (mut login, mut out) = start(login(Channel::Clear));
    assert!(login.input(&mut buf, &mut out).unwrap().is_some());
    assert_eq!(buf, b"N"[..]);
}

#[test]
fn reads_the_answer_to_a_request_for_tls() {
    let answer = |bytes: &[u8]| tls_answer(&mut BytesMut::from(bytes));
    assert_eq!(answer(b""), Ok(None));
    assert_eq!(answer(b"S"), Ok(Some(TlsAnswer::Yes)));
    assert_eq!(answer(b"N"), Ok(Some(TlsAnswer::No)));
    for behind in [&b"SR\0\0\0\x08\0\0\0\0"[..], b"NE"] {
        assert!(matches!(
            answer(behind),
            Err(PeerMisbehaved::BytesBeforeTls { .. })
        ));
    }
    for other in [&b"E\0\0\0\x05\0"[..], b"H", b"\0"] {
        assert!(answer(other).is_err());
    }
}

#[test]
fn secrets_are_never_shown() {
    let (started, _) = start(login(Channel::Clear));
    let shown = format!("{started:?} {:?}", login(Channel::Clear));
    assert!(!shown.contains("s3cret"));
}

#[test]
fn mangled_logins_never_panic() {
    let mut lcg = Lcg(11);
    let honest = settle(&STATUSES);
    for _ in 0..2_000 {
        let _either = feed(login(Channel::Clear), &mangle(&honest, &mut lcg));
    }
}

//! Fuzz targets: the codecs and the ways to log in, fed from strangers. The session's is beside its tests.

use bytes::BytesMut;
use std::fmt::Debug;

use super::backend::tests::replies;
use super::login::{Claim, ClientLogin, LoginRefused, Method};
use super::oauthbearer::Discovery;
use super::scram::{ITERATIONS, Verifier};
use super::startup::{Opening, Step};
use super::tests::conversation;
use super::{Frontend, backend, encode, frame, frontend};
use crate::{Limits, PeerMisbehaved};
use brattice_fuzz::{Fuzz, Rng, digest};

/// Lower than those in use, so that inputs reach them.
fn limits() -> Limits {
    Limits {
        frame_bytes_max: 4_096,
        statement_bytes_max: 512,
        bind_bytes_max: 2_048,
        params_max: 64,
        columns_max: 64,
        reply_frame_bytes_max: 4_096,
        ..Limits::default()
    }
}

/// All that is read before an error, with that error, must not depend on how the bytes arrived.
fn same_at_any_split<M: PartialEq + Debug>(
    input: &[u8],
    rng: &mut Rng,
    next: impl Fn(&mut BytesMut) -> Result<Option<M>, PeerMisbehaved>,
    last: impl Fn(&M) -> bool,
) -> Result<(Vec<M>, Option<PeerMisbehaved>), String> {
    let read = |pieces: &[&[u8]]| {
        let mut buf = BytesMut::new();
        let mut found = Vec::new();
        for piece in pieces {
            buf.extend_from_slice(piece);
            loop {
                match next(&mut buf) {
                    Ok(Some(message)) => {
                        found.push(message);
                        if found.last().is_some_and(&last) {
                            return (found, None);
                        }
                    }
                    Ok(None) => break,
                    Err(error) => return (found, Some(error)),
                }
            }
        }
        (found, None)
    };
    let whole = read(&[input]);
    let split = read(&rng.pieces(input));
    if whole == split {
        Ok(whole)
    } else {
        Err(format!("whole: {whole:?}\nin pieces: {split:?}"))
    }
}

#[test]
fn fuzz_wire_frontend() {
    let (client, _) = conversation();
    Fuzz::new("wire-frontend", env!("CARGO_MANIFEST_DIR"))
        .seed(&client)
        .smoke(3_000)
        .run(|input, rng| {
            let next = |buf: &mut BytesMut| frontend::next(buf, &limits());
            let last = |m: &Frontend| matches!(m, Frontend::Unknown(_));
            let (found, error) = same_at_any_split(input, rng, next, last)?;
            for message in &found {
                rewritten_as_read(message)?;
            }
            Ok(digest(format!("{found:?} {error:?}").len()))
        });
}

/// What is written for the target reads as what the client sent.
fn rewritten_as_read(message: &Frontend) -> Result<(), String> {
    let mut out = BytesMut::new();
    let written = match message {
        Frontend::Query { sql } => encode::query(&mut out, sql),
        Frontend::Parse {
            name,
            sql,
            param_types,
        } => encode::parse(&mut out, name, sql, param_types),
        Frontend::Bind {
            portal,
            statement,
            param_formats,
            params,
            result_formats,
            ..
        } => encode::bind(
            &mut out,
            portal,
            statement,
            param_formats,
            params,
            result_formats,
        ),
        Frontend::Execute { portal, rows_max } => encode::execute(&mut out, portal, *rows_max),
        _ => return Ok(()),
    };
    written.map_err(|e| format!("{message:?} cannot be written: {e}"))?;
    let again = frontend::next(&mut out, &limits());
    match again {
        Ok(Some(again)) if again == *message && out.is_empty() => Ok(()),
        other => Err(format!("{message:?} was written, and read as {other:?}")),
    }
}

#[test]
fn fuzz_wire_backend() {
    let (target, _) = replies();
    Fuzz::new("wire-backend", env!("CARGO_MANIFEST_DIR"))
        .seed(&target)
        .smoke(3_000)
        .run(|input, rng| {
            let next = |buf: &mut BytesMut| backend::next(buf, &limits());
            let (found, error) = same_at_any_split(input, rng, next, |_| false)?;
            let run = frame::data_row_run(input);
            if run.bytes > input.len() {
                return Err(format!("{run:?} in {} bytes", input.len()));
            }
            Ok(digest((found.len(), format!("{error:?}"))))
        });
}

#[test]
fn fuzz_wire_startup() {
    let seed = |write: &dyn Fn(&mut BytesMut)| {
        let mut out = BytesMut::new();
        write(&mut out);
        out
    };
    let parameters = [
        ("user", "agent"),
        ("database", "db/app"),
        ("options", "-c search_path=a,b"),
        ("_pq_.x", "y"),
    ];
    Fuzz::new("wire-startup", env!("CARGO_MANIFEST_DIR"))
        .seed(seed(&|out| encode::startup(out, 2, &parameters).unwrap()))
        .seed([0, 0, 0, 8, 4, 210, 22, 47])
        .seed([0, 0, 0, 8, 4, 210, 22, 48])
        .seed([0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 9, 9, 9, 9])
        .words(&[
            "user\0",
            "replication\0true\0",
            "_pq_.",
            "\0\0",
            "options\0",
        ])
        .smoke(3_000)
        .run(|input, rng| {
            // In clear only: what follows a TLS handshake is another stream.
            let first = read_opening(&[input]);
            let second = read_opening(&rng.pieces(input));
            // What stands behind a request for TLS (CVE-2021-23214) or to cancel is refused if it came with it, and never
            // read if it comes later.
            let behind = ["BytesBeforeTls", "message: \"CancelRequest\", extra"];
            let together = [&first, &second]
                .iter()
                .any(|said| behind.iter().any(|error| said.contains(error)));
            if first != second && !together {
                return Err(format!("whole: {first}\nin pieces: {second}"));
            }
            Ok(digest(first.len()))
        });
}

/// All steps of an opening, up to an error.
fn read_opening(pieces: &[&[u8]]) -> String {
    let mut opening = Opening::new(false);
    let (mut buf, mut said) = (BytesMut::new(), String::new());
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            match opening.next(&mut buf, &limits()) {
                Ok(Some(Step::Answer(answer))) => said.push_str(&format!("{answer:?} ")),
                Ok(Some(step)) => return format!("{said}{step:?}"),
                Ok(None) => break,
                Err(error) => return format!("{said}{error:?}"),
            }
        }
    }
    said
}

#[test]
fn fuzz_wire_login() {
    let message = |mechanism: &str, first: &str| {
        let mut out = BytesMut::new();
        encode::sasl_initial(&mut out, mechanism, first.as_bytes()).unwrap();
        out
    };
    let mut scram = message("SCRAM-SHA-256", "n,,n=,r=rOprNGfwEbeRWgbNEkqO");
    let proof = b"c=biws,r=rOprNGfwEbeRWgbNEkqOCAgICAgICAgICAgICAgICAgICAgI,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    encode::sasl_response(&mut scram, proof).unwrap();
    let mut bearer = message("OAUTHBEARER", "n,,\x01auth=Bearer a.b.c\x01\x01");
    encode::sasl_response(&mut bearer, b"\x01").unwrap();
    Fuzz::new("wire-login", env!("CARGO_MANIFEST_DIR"))
        .seed(&scram)
        .seed(&bearer)
        .words(&[
            "n,,",
            "y,,",
            "p=tls-server-end-point,,",
            "a=x,",
            "\x01auth=Bearer ",
            "m=1,",
            "SCRAM-SHA-256-PLUS\0",
        ])
        .smoke(2_000)
        .run(|input, rng| {
            let whole = logged_in(&[input])?;
            let split = logged_in(&rng.pieces(input))?;
            if whole != split {
                return Err(format!("whole: {whole}\nin pieces: {split}"));
            }
            Ok(digest(whole.len()))
        });
}

/// What a login comes to that can prove nothing: its user's password is known to nobody.
fn logged_in(pieces: &[&[u8]]) -> Result<String, String> {
    let method = Method::Sasl {
        scram: true,
        end_point: Some(b"hash".to_vec()),
        oauth: Some(Discovery {
            openid_configuration: "https://id.example/".to_owned(),
            scope: "openid".to_owned(),
        }),
    };
    let (mut buf, mut out) = (BytesMut::new(), BytesMut::new());
    let mut login = ClientLogin::begin(method, &mut out).unwrap();
    let mut said = String::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            let step = login.input(&mut buf, &limits(), &mut out);
            let went: Result<(), LoginRefused> = match step {
                Ok(None) => break,
                Ok(Some(Claim::Scram)) => {
                    said.push_str("scram ");
                    let verifier = Verifier::mock(&[3; 32], "agent", ITERATIONS);
                    login.verifier(verifier, &[8; 18], &mut out)
                }
                Ok(Some(Claim::Token(_))) => {
                    said.push_str("token ");
                    login.refuse_token(&mut out)
                }
                Ok(Some(claim)) => return Err(format!("{claim:?} of nothing")),
                Err(refused) => Err(refused),
            };
            if let Err(refused) = went {
                return Ok(format!("{said}{refused:?} {out:?}"));
            }
        }
    }
    Ok(format!("{said}{out:?}"))
}

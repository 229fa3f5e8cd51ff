//! Clients that prove themselves, and clients that try to get around it.

use bytes::BytesMut;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

use super::super::mangle::{Lcg, mangle};
use super::{Claim, ClientLogin, Discovery, LoginRefused, Method, OauthMalformed};
use crate::Limits;
use crate::postgres::backend::{self, Auth, Backend};
use crate::postgres::encode;
use crate::postgres::scram::{ITERATIONS, ScramRefused, Verifier};

const NONCE: [u8; 18] = [8; 18];
const OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";

fn discovery() -> Discovery {
    Discovery {
        openid_configuration: "https://id.example/.well-known/openid-configuration".to_owned(),
        scope: "openid".to_owned(),
    }
}

fn everything() -> Method {
    Method::Sasl {
        scram: true,
        end_point: Some(b"hash".to_vec()),
        oauth: Some(discovery()),
    }
}

fn begin(method: Method) -> (ClientLogin, Auth) {
    let mut out = BytesMut::new();
    let login = ClientLogin::begin(method, &mut out).unwrap();
    let asked = auth(&mut out);
    (login, asked)
}

fn auth(out: &mut BytesMut) -> Auth {
    match backend::next(out, &Limits::default()).unwrap() {
        Some(Backend::Authentication(auth)) => auth,
        other => panic!("not an authentication message: {other:?}"),
    }
}

fn send(
    login: &mut ClientLogin,
    write: impl FnOnce(&mut BytesMut),
) -> (Result<Option<Claim>, LoginRefused>, BytesMut) {
    let (mut buf, mut out) = (BytesMut::new(), BytesMut::new());
    write(&mut buf);
    let claim = login.input(&mut buf, &Limits::default(), &mut out);
    (claim, out)
}

#[test]
fn a_password_in_clear_is_handed_out_to_be_judged() {
    let (mut login, asked) = begin(Method::Clear);
    assert_eq!(asked, Auth::CleartextPassword);
    let (claim, _) = send(&mut login, |buf| encode::password(buf, b"token").unwrap());
    let Ok(Some(Claim::Password(password))) = claim else {
        panic!("not a password: {claim:?}");
    };
    assert!(password.equals(b"token"));
    let mut out = BytesMut::new();
    login.accept(&mut out).unwrap();
    assert_eq!(out, OK);
    assert_eq!(login.accept(&mut out), Err(LoginRefused::OutOfStep));
}

#[test]
fn offers_what_the_method_has_best_first() {
    let (_, asked) = begin(everything());
    let mechanisms = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "OAUTHBEARER"];
    let mechanisms = mechanisms.map(str::to_owned).to_vec();
    assert_eq!(asked, Auth::Sasl { mechanisms });
    let nothing = Method::Sasl {
        scram: false,
        end_point: Some(b"hash".to_vec()),
        oauth: None,
    };
    assert!(ClientLogin::begin(nothing, &mut BytesMut::new()).is_err());
}

/// Logs in by SCRAM with the password `s3cret`, against this verifier.
fn scram(verifier: Verifier) -> Result<BytesMut, LoginRefused> {
    let (mut login, _) = begin(everything());
    let binding = ChannelBinding::tls_server_end_point(b"hash".to_vec());
    let mut client = ScramSha256::new(b"s3cret", binding);
    let (claim, _) = send(&mut login, |buf| {
        encode::sasl_initial(buf, "SCRAM-SHA-256-PLUS", client.message()).unwrap();
    });
    assert!(matches!(claim, Ok(Some(Claim::Scram))));
    let mut out = BytesMut::new();
    login.verifier(verifier, &NONCE, &mut out).unwrap();
    let Auth::SaslContinue(challenge) = auth(&mut out) else {
        panic!("not a challenge");
    };
    client.update(&challenge).unwrap();
    let (claim, mut out) = send(&mut login, |buf| {
        encode::sasl_response(buf, client.message()).unwrap();
    });
    assert!(matches!(claim?, Some(Claim::Proven)));
    let Auth::SaslFinal(last) = auth(&mut out) else {
        panic!("not a last message");
    };
    client.finish(&last).unwrap();
    login.accept(&mut out)?;
    Ok(out)
}

#[test]
fn a_scram_client_logs_in_with_the_channel_bound() {
    let verifier = Verifier::derive(b"s3cret", b"salt", ITERATIONS).unwrap();
    assert_eq!(scram(verifier).unwrap(), OK);
}

#[test]
fn wrong_passwords_and_unknown_users_get_the_same_refusal() {
    let wrong = scram(Verifier::derive(b"other", b"salt", ITERATIONS).unwrap()).unwrap_err();
    let unknown = scram(Verifier::mock(&[4; 32], "nobody", ITERATIONS)).unwrap_err();
    assert_eq!(wrong, LoginRefused::Scram(ScramRefused::Proof));
    assert_eq!(wrong, unknown);
    assert_eq!(wrong.sqlstate(), "28P01");
}

#[test]
fn a_token_is_handed_out_to_be_judged_and_refused_with_directions() {
    let (mut login, _) = begin(everything());
    let (claim, _) = send(&mut login, |buf| {
        encode::sasl_initial(buf, "OAUTHBEARER", b"n,,\x01auth=Bearer abc\x01\x01").unwrap();
    });
    assert!(matches!(claim, Ok(Some(Claim::Token(token))) if token.equals(b"abc")));
    let mut out = BytesMut::new();
    login.refuse_token(&mut out).unwrap();
    assert!(matches!(auth(&mut out), Auth::SaslContinue(json) if json.starts_with(b"{\"status\"")));
    let (ended, _) = send(&mut login, |buf| {
        encode::sasl_response(buf, b"\x01").unwrap();
    });
    assert_eq!(ended.unwrap_err(), LoginRefused::Token);
}

#[test]
fn a_client_without_a_token_is_told_where_to_get_one() {
    let (mut login, _) = begin(everything());
    let (claim, mut out) = send(&mut login, |buf| {
        encode::sasl_initial(buf, "OAUTHBEARER", b"n,,\x01auth=\x01\x01").unwrap();
    });
    assert!(matches!(claim, Ok(None)));
    assert!(matches!(auth(&mut out), Auth::SaslContinue(_)));
    let (ended, _) = send(&mut login, |buf| {
        encode::sasl_response(buf, b"n,,\x01auth=Bearer abc\x01\x01").unwrap();
    });
    assert_eq!(ended.unwrap_err(), LoginRefused::Oauth(OauthMalformed));
}

#[test]
fn a_mechanism_that_was_not_offered_is_refused() {
    let only_oauth = || Method::Sasl {
        scram: false,
        end_point: None,
        oauth: Some(discovery()),
    };
    let only_scram = || Method::Sasl {
        scram: true,
        end_point: None,
        oauth: None,
    };
    for (method, name) in [
        (only_oauth(), "SCRAM-SHA-256"),
        (only_scram(), "OAUTHBEARER"),
        (only_scram(), "SCRAM-SHA-256-PLUS"),
        (everything(), "PLAIN"),
    ] {
        let (mut login, _) = begin(method);
        let (claim, _) = send(&mut login, |buf| {
            encode::sasl_initial(buf, name, b"n,,n=,r=abc").unwrap();
        });
        let refused = LoginRefused::Scram(ScramRefused::Mechanism);
        assert_eq!(claim.unwrap_err(), refused, "{name}");
    }
}

#[test]
fn nothing_but_an_answer_is_read_before_the_client_is_known() {
    let others: [fn(&mut BytesMut); 4] = [
        |buf| encode::startup(buf, 0, &[("user", "dba")]).unwrap(),
        |buf| encode::query(buf, b"SELECT 1").unwrap(),
        encode::ssl_request,
        encode::terminate,
    ];
    for method in [Method::Clear, everything()] {
        for other in others {
            let (mut login, _) = begin(method.clone());
            let (claim, out) = send(&mut login, other);
            assert!(matches!(claim, Err(LoginRefused::Misbehaved(_))));
            assert!(out.is_empty());
        }
    }
}

#[test]
fn a_start_up_packet_in_the_middle_of_scram_is_refused() {
    let (mut login, _) = begin(everything());
    send(&mut login, |buf| {
        encode::sasl_initial(buf, "SCRAM-SHA-256", b"n,,n=,r=abc").unwrap();
    })
    .0
    .unwrap();
    let verifier = Verifier::derive(b"s3cret", b"salt", ITERATIONS).unwrap();
    let mut out = BytesMut::new();
    login.verifier(verifier, &NONCE, &mut out).unwrap();
    let (claim, _) = send(&mut login, |buf| {
        encode::startup(buf, 0, &[("user", "dba")]).unwrap();
    });
    assert!(matches!(claim, Err(LoginRefused::Misbehaved(_))));
}

#[test]
fn nothing_is_read_while_a_claim_is_judged() {
    let (mut login, _) = begin(Method::Clear);
    let (mut buf, mut out) = (BytesMut::new(), BytesMut::new());
    encode::password(&mut buf, b"one").unwrap();
    encode::password(&mut buf, b"two").unwrap();
    let limits = Limits::default();
    assert!(login.input(&mut buf, &limits, &mut out).unwrap().is_some());
    let left = buf.len();
    assert!(login.input(&mut buf, &limits, &mut out).unwrap().is_none());
    assert_eq!(buf.len(), left);
}

#[test]
fn steps_out_of_order_accept_nobody() {
    let (mut login, _) = begin(everything());
    let mut out = BytesMut::new();
    assert_eq!(login.accept(&mut out), Err(LoginRefused::OutOfStep));
    let (mut login, _) = begin(Method::Clear);
    assert_eq!(login.refuse_token(&mut out), Err(LoginRefused::OutOfStep));
    assert_eq!(login.accept(&mut out), Err(LoginRefused::OutOfStep));
    assert!(out.is_empty());
}

#[test]
fn an_over_long_answer_is_refused_when_it_is_announced() {
    let (mut login, _) = begin(Method::Clear);
    let (claim, _) = send(&mut login, |buf| {
        buf.extend_from_slice(b"p\x7f\xff\xff\xff");
    });
    assert!(matches!(claim, Err(LoginRefused::Misbehaved(error)) if error.is_excess()));
}

#[test]
fn mangled_answers_never_panic_and_prove_nothing() {
    let mut lcg = Lcg(3);
    let mut honest = BytesMut::new();
    encode::sasl_initial(&mut honest, "SCRAM-SHA-256", b"n,,n=,r=abc").unwrap();
    encode::sasl_response(&mut honest, b"c=biws,r=abcxyz,p=AAAA").unwrap();
    let mock = Verifier::mock(&[4; 32], "nobody", ITERATIONS);
    for _ in 0..1_000 {
        let (mut login, _) = begin(everything());
        let mut buf = BytesMut::from(&mangle(&honest, &mut lcg)[..]);
        let mut out = BytesMut::new();
        let limits = Limits::default();
        while let Ok(Some(claim)) = login.input(&mut buf, &limits, &mut out) {
            assert!(!matches!(claim, Claim::Proven));
            if login.verifier(mock.clone(), &NONCE, &mut out).is_err() {
                break;
            }
        }
    }
}

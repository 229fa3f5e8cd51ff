//! The server's side of SCRAM against a published exchange, another implementation and liars.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use std::num::NonZeroU32;

use super::super::mangle::{Lcg, mangle};
use super::{Exchange, ITERATIONS, Mechanism, ScramRefused, UnfitPassword, Verifier};

const NONCE: [u8; 18] = [5; 18];

fn verifier(password: &str) -> Verifier {
    Verifier::derive(password.as_bytes(), b"salt of 16 bytes", ITERATIONS).unwrap()
}

/// Lets another implementation's client log in; gives our verdict, and whether it believes us.
fn log_in(
    verifier: Verifier,
    password: &str,
    mechanism: Mechanism,
    server: Option<&[u8]>,
    client: ChannelBinding,
) -> Result<bool, ScramRefused> {
    let mut scram = ScramSha256::new(password.as_bytes(), client);
    let exchange = Exchange::new(verifier, mechanism, server, &NONCE);
    let (first, awaits) = exchange.client_first(scram.message())?;
    scram.update(first.as_bytes()).unwrap();
    let last = awaits.client_final(scram.message())?;
    Ok(scram.finish(last.as_bytes()).is_ok())
}

#[test]
fn gives_the_exchange_of_rfc_7677() {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let verifier = Verifier::derive(b"pencil", &salt, ITERATIONS).unwrap();
    let exchange = Exchange {
        verifier,
        mechanism: Mechanism::Plain,
        end_point: None,
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned(),
    };
    let (first, awaits) = exchange
        .client_first(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
        .unwrap();
    assert_eq!(
        first,
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
         s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let last = awaits
        .client_final(
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
              p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        )
        .unwrap();
    assert_eq!(last, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

#[test]
fn another_implementations_client_logs_in_and_believes_us() {
    let proven = log_in(
        verifier("s3cret"),
        "s3cret",
        Mechanism::Plain,
        None,
        ChannelBinding::unsupported(),
    );
    assert_eq!(proven, Ok(true));
    let proven = log_in(
        verifier("s3cret"),
        "s3cret",
        Mechanism::Plus,
        Some(b"certificate hash"),
        ChannelBinding::tls_server_end_point(b"certificate hash".to_vec()),
    );
    assert_eq!(proven, Ok(true));
}

#[test]
fn a_wrong_password_and_an_unknown_user_fail_alike() {
    let wrong = log_in(
        verifier("s3cret"),
        "guess",
        Mechanism::Plain,
        None,
        ChannelBinding::unsupported(),
    );
    assert_eq!(wrong, Err(ScramRefused::Proof));
    let unknown = log_in(
        Verifier::mock(&[1; 32], "nobody", ITERATIONS),
        "guess",
        Mechanism::Plain,
        None,
        ChannelBinding::unsupported(),
    );
    assert_eq!(unknown, Err(ScramRefused::Proof));
}

#[test]
fn an_unknown_user_has_a_salt_of_the_same_shape_that_never_changes() {
    let first = |verifier: Verifier| {
        Exchange::new(verifier, Mechanism::Plain, None, &NONCE)
            .client_first(b"n,,n=,r=abc")
            .unwrap()
            .0
    };
    let mock = |user| first(Verifier::mock(&[1; 32], user, ITERATIONS));
    assert_eq!(mock("nobody"), mock("nobody"));
    assert_ne!(mock("nobody"), mock("noone"));
    assert_eq!(mock("nobody").len(), first(verifier("s3cret")).len());
}

#[test]
fn a_mock_fails_even_with_a_proof_that_fits() {
    let mut mocked = verifier("s3cret");
    mocked.mock = true;
    assert_eq!(mocked.format(), None);
    let refused = log_in(
        mocked,
        "s3cret",
        Mechanism::Plain,
        None,
        ChannelBinding::unsupported(),
    );
    assert_eq!(refused, Err(ScramRefused::Proof));
}

#[test]
fn refuses_another_channel_and_a_removed_offer() {
    let other = log_in(
        verifier("s3cret"),
        "s3cret",
        Mechanism::Plus,
        Some(b"our certificate"),
        ChannelBinding::tls_server_end_point(b"their certificate".to_vec()),
    );
    assert_eq!(other, Err(ScramRefused::Binding));
    let removed = log_in(
        verifier("s3cret"),
        "s3cret",
        Mechanism::Plain,
        Some(b"our certificate"),
        ChannelBinding::unrequested(),
    );
    assert_eq!(removed, Err(ScramRefused::Binding));
    let unrequested = log_in(
        verifier("s3cret"),
        "s3cret",
        Mechanism::Plain,
        None,
        ChannelBinding::unrequested(),
    );
    assert_eq!(unrequested, Ok(true), "nothing was offered, as it says");
}

#[test]
fn the_flag_must_go_with_the_mechanism() {
    let flags: [(Mechanism, &[u8]); 5] = [
        (Mechanism::Plain, b"p=tls-server-end-point,,n=,r=a"),
        (Mechanism::Plus, b"n,,n=,r=a"),
        (Mechanism::Plus, b"y,,n=,r=a"),
        (Mechanism::Plus, b"p=tls-unique,,n=,r=a"),
        (Mechanism::Plain, b"x,,n=,r=a"),
    ];
    for (mechanism, message) in flags {
        let exchange = Exchange::new(verifier("x"), mechanism, Some(b"hash"), &NONCE);
        let refused = exchange.client_first(message).map(|_| ());
        assert_eq!(refused, Err(ScramRefused::Binding));
    }
}

#[test]
fn the_mechanism_with_binding_is_chosen_only_where_it_was_offered() {
    let choose = Mechanism::choose;
    assert_eq!(choose(b"SCRAM-SHA-256", None), Ok(Mechanism::Plain));
    assert_eq!(
        choose(b"SCRAM-SHA-256-PLUS", Some(b"x")),
        Ok(Mechanism::Plus)
    );
    for name in [&b"SCRAM-SHA-256-PLUS"[..], b"SCRAM-SHA-1", b"", b"PLAIN"] {
        assert_eq!(choose(name, None), Err(ScramRefused::Mechanism));
    }
}

#[test]
fn refuses_malformed_first_messages() {
    let messages: [&[u8]; 12] = [
        b"",
        b"n",
        b"n,",
        b"n,,",
        b"n,,n=",
        b"n,,n=,r=",
        b"n,,r=abc",
        b"n,a=other,n=,r=abc",
        b"n,,m=must,n=,r=abc",
        b"n,,n=,r=a\0b",
        b"n,,n=,r=\xff",
        b"n,,n=,r=a b",
    ];
    for message in messages {
        let exchange = Exchange::new(verifier("x"), Mechanism::Plain, None, &NONCE);
        let refused = exchange.client_first(message).map(|_| ());
        assert_eq!(refused, Err(ScramRefused::Malformed), "{message:?}");
    }
    let long = format!("n,,n=,r={}", "a".repeat(4_096));
    let exchange = Exchange::new(verifier("x"), Mechanism::Plain, None, &NONCE);
    assert!(exchange.client_first(long.as_bytes()).is_err());
}

#[test]
fn refuses_final_messages_of_another_exchange_or_shape() {
    let (nonce, proof) = (STANDARD.encode(NONCE), STANDARD.encode([0; 32]));
    let refused = |message: String| {
        let exchange = Exchange::new(verifier("x"), Mechanism::Plain, None, &NONCE);
        let (_, awaits) = exchange.client_first(b"n,,n=,r=abc").unwrap();
        awaits.client_final(message.as_bytes()).unwrap_err()
    };
    assert_eq!(
        refused(format!("c=biws,r=abd{nonce},p={proof}")),
        ScramRefused::Nonce
    );
    assert_eq!(
        refused(format!("c=biws,r=abc,p={proof}")),
        ScramRefused::Nonce
    );
    assert_eq!(
        refused(format!("c=eSws,r=abc{nonce},p={proof}")),
        ScramRefused::Binding
    );
    for malformed in [
        String::new(),
        format!("c=biws,r=abc{nonce}"),
        format!("r=abc{nonce},c=biws,p={proof}"),
        format!("c=biws,r=abc{nonce},p=AAAA"),
        format!("c=biws,r=abc{nonce},p=!!!!"),
        format!("c=biws,p={proof}"),
    ] {
        assert_eq!(refused(malformed), ScramRefused::Malformed);
    }
    assert_eq!(
        refused(format!("c=biws,r=abc{nonce},p={proof}")),
        ScramRefused::Proof
    );
}

#[test]
fn verifiers_are_kept_in_postgresqls_own_form() {
    let kept = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
                WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
                wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let derived = Verifier::derive(b"pencil", &salt, ITERATIONS).unwrap();
    assert_eq!(derived.format().unwrap(), kept);
    assert_eq!(Verifier::parse(kept).unwrap().format().unwrap(), kept);
    for broken in [
        "",
        "md5abc",
        "SCRAM-SHA-256$0:AA==$AA==:AA==",
        "SCRAM-SHA-256$4096:AA==$AA==:AA==",
        &kept.replace("4096", "0"),
        &kept.replace("4096", "-1"),
        &kept.replace("SHA-256", "SHA-1"),
        &format!("{kept}$x"),
    ] {
        assert!(Verifier::parse(broken).is_none(), "{broken}");
    }
}

#[test]
fn derives_nothing_from_a_password_it_would_have_to_prepare() {
    let derive = |password: &[u8]| Verifier::derive(password, b"salt", NonZeroU32::MIN);
    for password in ["", "é", "a\u{ad}b", "tab\t"] {
        assert_eq!(derive(password.as_bytes()).unwrap_err(), UnfitPassword);
    }
    assert!(derive(b"with space ~").is_ok());
}

#[test]
fn mangled_messages_never_panic_and_never_pass() {
    let mut lcg = Lcg(99);
    for round in 0..500 {
        let mut scram = ScramSha256::new(b"x", ChannelBinding::unsupported());
        let verifier = Verifier::derive(b"x", b"salt", NonZeroU32::MIN).unwrap();
        let exchange = Exchange::new(verifier, Mechanism::Plain, None, &NONCE);
        let honest = scram.message().to_vec();
        if round % 2 == 0 {
            let _either = exchange.client_first(&mangle(&honest, &mut lcg));
            continue;
        }
        let (first, awaits) = exchange.client_first(&honest).unwrap();
        scram.update(first.as_bytes()).unwrap();
        let honest = scram.message().to_vec();
        let hostile = mangle(&honest, &mut lcg);
        assert!(hostile == honest || awaits.client_final(&hostile).is_err());
    }
}

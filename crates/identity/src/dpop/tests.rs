//! Proofs as they should be, and each as it should not be in one respect.

use super::*;
use crate::sts::Signer;
use brattice_core::secret::Secret;
use serde_json::json;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000);
const URL: &str = "https://gw.example/api/v1/whoami";

fn proofs() -> Proofs {
    Proofs::new(NOW.minus(Duration::from_secs(3600)))
}

fn urls() -> Vec<String> {
    vec![
        URL.to_owned(),
        "https://127.0.0.1:8443/api/v1/whoami".to_owned(),
    ]
}

fn token() -> Secret {
    Secret::new("a-token")
}

/// A proof with header and claims changed before it is signed.
struct Maker {
    signer: Signer,
    header: Value,
    claims: Value,
}

impl Maker {
    fn new() -> Self {
        let signer = Signer::generate().unwrap();
        let jwk = signer.jwk();
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": jwk["x"], "y": jwk["y"]});
        Self {
            header: json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}),
            claims: json!({
                "jti": "one",
                "htm": "GET",
                "htu": URL,
                "iat": NOW.seconds(),
                "ath": spelled(&Digest::of(b"a-token")),
            }),
            signer,
        }
    }
    fn made(&self) -> String {
        let made = self.signer.sign_under(&self.header, &self.claims).unwrap();
        made.expose_str().unwrap().to_owned()
    }
}

fn checked(proof: &str) -> Result<KeyProof, ProofRefused> {
    let token = token();
    let wanted = ProofWanted {
        method: "GET",
        urls: &urls(),
        token: Some(&token),
    };
    proofs().check(proof, wanted, NOW)
}

#[test]
fn an_honest_proof_names_its_key() {
    let maker = Maker::new();
    let proof = checked(&maker.made()).unwrap();
    let jwk = maker.header["jwk"].as_object().unwrap();
    assert_eq!(Some(proof.key), key::thumbprint(jwk));
    // Our own maker makes no others.
    let holder = Holder::generate().unwrap();
    let (token, url) = (token(), format!("{URL}?x=1"));
    let made = holder.prove("GET", &url, Some(&token), "two", NOW).unwrap();
    let proof = checked(made.expose_str().unwrap()).unwrap();
    assert_eq!(spelled(&proof.key), holder.thumbprint());
    let kept = Holder::from_pkcs8(holder.to_pkcs8().unwrap().expose()).unwrap();
    assert_eq!(kept.thumbprint(), holder.thumbprint());
}

#[test]
fn a_proof_that_breaks_a_rule_proves_nothing() {
    use ProofRefused as R;
    type Spoil = fn(&mut Maker);
    let seconds = |n: i64| NOW.seconds() + n;
    assert_eq!((seconds(-60), seconds(30)), (1_799_999_940, 1_800_000_030));
    let cases: [(Spoil, Option<R>); 42] = [
        (|m| m.header["typ"] = "DPoP+JWT".into(), None),
        (|m| m.header["typ"] = "JWT".into(), Some(R::Header)),
        (|m| m.header["typ"] = "at+jwt".into(), Some(R::Header)),
        (|m| m.header["typ"] = json!(null), Some(R::Header)),
        (
            |m| drop(m.header.as_object_mut().unwrap().remove("typ")),
            Some(R::Header),
        ),
        (|m| m.header["crit"] = json!(["b64"]), Some(R::Header)),
        (|m| m.header["kid"] = "k".into(), Some(R::Header)),
        (
            |m| m.header["jku"] = "https://evil.example".into(),
            Some(R::Header),
        ),
        (|m| m.header["x5c"] = json!([]), Some(R::Header)),
        (|m| m.header["b64"] = json!(false), Some(R::Header)),
        (|m| m.header["alg"] = "none".into(), Some(R::Algorithm)),
        (|m| m.header["alg"] = "HS256".into(), Some(R::Algorithm)),
        (|m| m.header["alg"] = "ES512".into(), Some(R::Algorithm)),
        (|m| m.header["alg"] = "RS512".into(), Some(R::Algorithm)),
        (
            |m| drop(m.header.as_object_mut().unwrap().remove("alg")),
            Some(R::Algorithm),
        ),
        (|m| m.header["alg"] = "ES384".into(), Some(R::Key)),
        (|m| m.header["alg"] = "RS256".into(), Some(R::Key)),
        (
            |m| drop(m.header.as_object_mut().unwrap().remove("jwk")),
            Some(R::Key),
        ),
        (|m| m.header["jwk"] = json!("x"), Some(R::Key)),
        (|m| m.header["jwk"]["d"] = "AQ".into(), Some(R::Key)),
        (|m| m.header["jwk"]["p"] = "AQ".into(), Some(R::Key)),
        (|m| m.header["jwk"]["k"] = "AQ".into(), Some(R::Key)),
        (|m| m.header["jwk"]["kty"] = "oct".into(), Some(R::Key)),
        (
            |m| m.header["jwk"]["crv"] = "secp256k1".into(),
            Some(R::Key),
        ),
        (|m| m.header["jwk"]["use"] = "enc".into(), Some(R::Key)),
        (
            |m| m.header["jwk"] = Maker::new().header["jwk"].clone(),
            Some(R::Signature),
        ),
        (
            |m| m.signer = Signer::generate().unwrap(),
            Some(R::Signature),
        ),
        (|m| m.claims["htm"] = "POST".into(), Some(R::Method)),
        (|m| m.claims["htm"] = "get".into(), Some(R::Method)),
        (
            |m| m.claims["htu"] = "https://other.example/api/v1/whoami".into(),
            Some(R::Url),
        ),
        (
            |m| m.claims["htu"] = "https://gw.example/api/v1/credentials".into(),
            Some(R::Url),
        ),
        (
            |m| m.claims["htu"] = "https://GW.example:443/api/v1/whoami?q#f".into(),
            None,
        ),
        (
            |m| m.claims["ath"] = spelled(&Digest::of(b"another")).into(),
            Some(R::Token),
        ),
        (|m| m.claims["iat"] = 1_799_999_940_i64.into(), None),
        (
            |m| m.claims["iat"] = 1_799_999_939_i64.into(),
            Some(R::Time),
        ),
        (|m| m.claims["iat"] = 1_800_000_030_i64.into(), None),
        (
            |m| m.claims["iat"] = 1_800_000_031_i64.into(),
            Some(R::Time),
        ),
        (|m| m.claims["iat"] = json!("1800000000"), Some(R::Claims)),
        (|m| m.claims["iat"] = (-1).into(), Some(R::Claims)),
        (|m| m.claims["jti"] = "".into(), Some(R::Claims)),
        (
            |m| m.claims["jti"] = "j".repeat(257).into(),
            Some(R::Claims),
        ),
        (|m| m.claims["nonce"] = "unasked for".into(), None),
    ];
    for (n, (spoil, why)) in cases.into_iter().enumerate() {
        let mut maker = Maker::new();
        spoil(&mut maker);
        let made = maker.made();
        assert_eq!(
            checked(&made).err(),
            why,
            "case {n}: {} {}",
            maker.header,
            maker.claims
        );
    }
    for claim in ["jti", "htm", "htu", "iat", "ath"] {
        let mut maker = Maker::new();
        maker.claims.as_object_mut().unwrap().remove(claim);
        assert_eq!(checked(&maker.made()), Err(R::Claims), "{claim}");
    }
}

#[test]
fn a_proof_cut_or_changed_is_none() {
    let made = Maker::new().made();
    let long = format!("{made}{}", "A".repeat(PROOF_BYTES_MAX));
    let [header, claims, signature]: [&str; 3] =
        made.split('.').collect::<Vec<_>>().try_into().unwrap();
    let none = URL_SAFE_NO_PAD.encode(r#"{"typ":"dpop+jwt","typ":"dpop+jwt","alg":"ES256"}"#);
    for wrong in [
        "",
        ".",
        "..",
        "a.b.c",
        &long,
        &format!("{header}.{claims}"),
        &format!("{header}.{claims}."),
        &format!("{header}.{claims}.{signature}.x"),
        &format!("{none}.{claims}.{signature}"),
        &format!("{header}=.{claims}.{signature}"),
    ] {
        assert!(checked(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn where_no_token_is_sent_no_digest_of_one_is_wanted() {
    let mut maker = Maker::new();
    maker.claims.as_object_mut().unwrap().remove("ath");
    let wanted = ProofWanted {
        method: "GET",
        urls: &urls(),
        token: None,
    };
    assert!(proofs().check(&maker.made(), wanted, NOW).is_ok());
}

#[test]
fn a_proof_is_good_once_even_across_a_restart() {
    let from = IpAddr::from([192, 0, 2, 1]);
    let made = Maker::new().made();
    let proof = checked(&made).unwrap();
    let proofs = proofs();
    assert_eq!(proofs.use_up(&proof, from, NOW), Ok(()));
    assert_eq!(proofs.use_up(&proof, from, NOW), Err(ProofRefused::Again));
    let last = NOW.plus(AGE_MAX);
    assert_eq!(proofs.use_up(&proof, from, last), Err(ProofRefused::Again));
    let started = Proofs::new(NOW.plus(Duration::from_secs(1)));
    let token = token();
    let wanted = ProofWanted {
        method: "GET",
        urls: &urls(),
        token: Some(&token),
    };
    let said = started.check(&made, wanted, NOW.plus(Duration::from_secs(2)));
    assert_eq!(said, Err(ProofRefused::BeforeStart));
}

#[test]
fn a_clock_that_steps_back_makes_no_used_proof_fresh() {
    let from = IpAddr::from([192, 0, 2, 1]);
    let made = Maker::new().made();
    let (proofs, token) = (proofs(), token());
    let wanted = ProofWanted {
        method: "GET",
        urls: &urls(),
        token: Some(&token),
    };
    let proof = proofs.check(&made, wanted, NOW).unwrap();
    assert_eq!(proofs.use_up(&proof, from, NOW), Ok(()));
    // Another's use makes the memory forget what is too old.
    let later = NOW.plus(AGE_MAX + Duration::from_secs(2));
    let mut other = Maker::new();
    other.claims["iat"] = json!(later.seconds());
    let other = proofs.check(&other.made(), wanted, later).unwrap();
    assert_eq!(proofs.use_up(&other, from, later), Ok(()));
    assert_eq!(proofs.check(&made, wanted, NOW), Err(ProofRefused::Time));
}

/// Whatever is sent: no proof but one that its key signed, and one key has one name.
#[test]
fn fuzz_dpop() {
    let maker = Maker::new();
    let honest = maker.made();
    let name = checked(&honest).unwrap().key;
    brattice_fuzz::Fuzz::new("dpop", env!("CARGO_MANIFEST_DIR"))
        .seed(&honest)
        .words(&[
            ".",
            "=",
            "e30",
            "eyJ",
            "bnVsbA",
            "ImQiOiJBUSI",
            "\0",
            "+",
            "/",
        ])
        .run(|input, _| {
            let Ok(text) = std::str::from_utf8(input) else {
                return Ok(0);
            };
            match checked(text) {
                Err(why) => Ok(1 + why as u64),
                Ok(proof) if text == honest && proof.key == name => Ok(100),
                Ok(_) => Err("what nobody signed is taken for a proof".to_owned()),
            }
        });
}

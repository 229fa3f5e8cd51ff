//! Tokens that are bound: in whose hands they count (ID12).

use crate::support::{World, config_of, world, world_with};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_core::ids::Digest;
use brattice_core::ports::{AuthError, Authenticator};
use brattice_core::principal::Identity;
use brattice_core::secret::Secret;
use brattice_core::sender::{Binding, Certificate, Missing, Sender};
use brattice_identity::oidc::Beside;
use serde_json::{Value, json};

fn spelled(of: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Digest::of(of).0)
}

fn holding(certificate: Option<&[u8]>, key: Option<&[u8]>) -> Sender {
    Sender {
        certificate: certificate.and_then(|c| Certificate::of([c])),
        key: key.map(Digest::of),
    }
}

async fn shown(w: &World, cnf: &Value, sender: &Sender) -> Result<Identity, AuthError> {
    let token = w.token().claim("cnf", cnf.clone()).sign().unwrap();
    // The second time from memory, where it must be refused or taken all the same.
    let first = w
        .oidc
        .verify_token(&Secret::new(token.clone()), sender, "192.0.2.7")
        .await;
    let again = w
        .oidc
        .verify_token(&Secret::new(token), sender, "192.0.2.7")
        .await;
    assert_eq!(first.is_ok(), again.is_ok());
    first
}

fn misses(said: &Result<Identity, AuthError>) -> Option<Missing> {
    match said {
        Err(AuthError::Unheld(missing)) => Some(*missing),
        Ok(_) => None,
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_bound_token_counts_in_its_own_hands_alone() {
    let w = world().await;
    let (cert, key) = (spelled(b"cert"), spelled(b"key"));
    let (by_cert, by_key) = (json!({"x5t#S256": cert}), json!({"jkt": key}));
    let by_both = json!({"x5t#S256": cert, "jkt": key});
    let (c, k): (Option<&[u8]>, Option<&[u8]>) = (Some(b"cert"), Some(b"key"));
    let (c2, k2): (Option<&[u8]>, Option<&[u8]>) = (Some(b"other"), Some(b"other"));
    let (lacks_cert, lacks_key) = (Some(Missing::Certificate), Some(Missing::Key));
    for (cnf, sender, lacks) in [
        (&by_cert, holding(c, None), None),
        (&by_cert, holding(c, k2), None),
        (&by_cert, holding(None, None), lacks_cert),
        (&by_cert, holding(c2, None), lacks_cert),
        (&by_cert, holding(None, k), lacks_cert),
        (&by_key, holding(None, k), None),
        (&by_key, holding(c2, k), None),
        (&by_key, holding(None, None), lacks_key),
        (&by_key, holding(None, k2), lacks_key),
        (&by_key, holding(c, None), lacks_key),
        (&by_both, holding(c, k), None),
        (&by_both, holding(c, None), lacks_key),
        (&by_both, holding(None, k), lacks_cert),
    ] {
        let said = shown(&w, cnf, &sender).await;
        assert_eq!(misses(&said), lacks, "{cnf} {sender:?}");
    }
    let who = shown(&w, &by_both, &holding(c, k)).await.unwrap();
    let both = Binding {
        certificate: Some(Digest::of(b"cert")),
        key: Some(Digest::of(b"key")),
    };
    assert_eq!(who.binding, both);
    // Keys and certificates of any sort do no harm to what is not bound.
    let token = Secret::new(w.token().sign().unwrap());
    let free = w
        .oidc
        .verify_token(&token, &holding(c, k), "192.0.2.7")
        .await;
    assert!(!free.unwrap().binding.is_any());
}

#[tokio::test]
async fn one_who_showed_the_key_opens_nothing_for_one_who_does_not() {
    let w = world().await;
    let token = w.token().claim("cnf", json!({"jkt": spelled(b"key")}));
    let token = Secret::new(token.sign().unwrap());
    let own = holding(None, Some(b"key"));
    assert!(w.oidc.verify_token(&token, &own, "192.0.2.7").await.is_ok());
    let thief = w
        .oidc
        .verify_token(&token, &Sender::default(), "192.0.2.8")
        .await;
    assert_eq!(misses(&thief), Some(Missing::Key));
}

#[tokio::test]
async fn a_provider_can_be_taken_with_bound_tokens_alone() {
    let w = world_with(|c| c.binding_required = true).await;
    w.rejects(&w.token(), "bound to nothing").await;
    let cnf = json!({"jkt": spelled(b"key")});
    assert!(shown(&w, &cnf, &holding(None, Some(b"key"))).await.is_ok());
    let who = shown(&w, &cnf, &holding(None, Some(b"key"))).await.unwrap();
    assert!(w.oidc.wants_bound(&who.chain));
    w.oidc.reconfigure(vec![config_of(&w.idp)]).unwrap();
    assert!(!w.oidc.wants_bound(&who.chain));
    w.accepts(&w.token()).await;
    // One whose proofs are checked elsewhere, too.
    w.oidc.reconfigure(Vec::new()).unwrap();
    w.oidc.know_beside(vec![Beside {
        name: "okta".to_owned(),
        binding_required: true,
    }]);
    assert!(w.oidc.wants_bound(&who.chain));
}

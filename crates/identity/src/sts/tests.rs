//! Own tokens: what they prove, what they never do, and the keys behind them.

use super::*;
use crate::lend::{SealingKey, SealingKeys};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_core::ids::Digest;
use brattice_core::ports::{BoxFuture, Randomness, RecordFailed, StoreError};
use brattice_core::principal::{Chain, Identity, LoginBy, Principal, PrincipalKind};
use brattice_core::scope::Scope;
use brattice_core::secret::Secret;
use brattice_core::sender::Binding;
use brattice_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Counting(AtomicU8);
impl Randomness for Counting {
    fn fill(&self, buf: &mut [u8]) -> Result<(), RecordFailed> {
        buf.fill(self.0.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}

#[derive(Default)]
struct Kept(Mutex<BTreeMap<String, Vec<u8>>>);
impl RingStore for Kept {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(async move { Ok(self.0.lock().unwrap().get(name).cloned()) })
    }
    fn keep<'a>(&'a self, name: &'a str, blob: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0
            .lock()
            .unwrap()
            .insert(name.to_owned(), blob.to_vec());
        Box::pin(async { Ok(()) })
    }
}

fn sealing(byte: u8) -> SealingKeys {
    SealingKeys::of(SealingKey::from_bytes(&[byte; 32]).unwrap())
}

async fn ring(kept: &Kept, now: Timestamp) -> Ring {
    let opened = Ring::open(kept, &sealing(1), &Counting::default(), now).await;
    opened.unwrap()
}

async fn own() -> OwnTokens {
    OwnTokens::new(
        "https://gateway".to_owned(),
        ring(&Kept::default(), NOW).await,
    )
}

fn principal(kind: PrincipalKind, name: &str) -> Principal {
    Principal {
        kind,
        issuer: "okta".to_owned(),
        name: name.to_owned(),
        groups: ["okta/agents".to_owned()].into(),
    }
}

fn identity(kind: PrincipalKind, name: &str) -> Identity {
    Identity {
        chain: Chain::of(principal(kind, name)),
        by: LoginBy::Oidc,
        mfa: kind == PrincipalKind::User,
        binding: Binding::default(),
        authenticated_at: NOW,
        expires_at: NOW.plus(30 * MINUTE),
        token_id: Some(format!("of-{name}")),
        credential: None,
        scope: Scope::whole(),
        lineage: Vec::new(),
        sign_in: None,
    }
}

fn agent() -> Identity {
    identity(PrincipalKind::Agent, "etl")
}

fn asked(scope: &str) -> Asked {
    Asked {
        scope: Scope::parse(scope).unwrap(),
        worker: None,
        lifetime: 15 * MINUTE,
        binding: Binding::default(),
    }
}

fn traded(subject: &Identity, actor: Option<&Identity>, asked: Asked) -> Result<Identity, Refused> {
    exchange(subject, actor, asked, NOW, &Counting::default())
}

#[test]
fn a_trade_narrows_and_never_widens_or_lengthens() {
    let first = traded(&agent(), None, asked("target:a target:b read write")).unwrap();
    assert_eq!(first.expires_at, NOW.plus(15 * MINUTE));
    assert_eq!(first.lineage, ["of-etl"]);
    let second = traded(&first, None, asked("target:a read")).unwrap();
    assert_eq!(second.scope, Scope::parse("target:a read").unwrap());
    assert_eq!(second.lineage.len(), 2);
    for wider in ["target:c", "destroy", "target:a target:c"] {
        assert!(
            matches!(traded(&first, None, asked(wider)), Err(Refused::Scope(_))),
            "{wider}"
        );
    }
    let long = Asked {
        lifetime: 600 * MINUTE,
        ..asked("")
    };
    assert_eq!(
        traded(&agent(), None, long).unwrap().expires_at,
        NOW.plus(30 * MINUTE)
    );
    let ended = Identity {
        expires_at: NOW,
        ..agent()
    };
    assert!(matches!(
        traded(&ended, None, asked("")),
        Err(Refused::Grant(_))
    ));
    let lent = Identity {
        by: LoginBy::Minted,
        ..agent()
    };
    assert!(matches!(
        traded(&lent, None, asked("")),
        Err(Refused::Grant(_))
    ));
}

#[test]
fn a_worker_acts_for_its_parent_in_its_parents_groups() {
    let for_worker = |parent: &Identity, name: &str| {
        let asked = Asked {
            worker: Some(name.to_owned()),
            ..asked("")
        };
        traded(parent, None, asked)
    };
    let worker = for_worker(&agent(), "w1").unwrap();
    assert_eq!(
        worker.chain.to_string(),
        "agent:brattice/okta/etl/w1 for agent:okta/etl"
    );
    assert_eq!(worker.chain.acting.groups, agent().chain.acting.groups);
    let below = for_worker(&worker, "w2").unwrap();
    assert_eq!(
        below.chain.to_string(),
        "agent:brattice/okta/etl/w1/w2 for agent:brattice/okta/etl/w1 for agent:okta/etl"
    );
    for name in ["", "a/b", " a", "a\n", &"x".repeat(65)] {
        assert!(for_worker(&agent(), name).is_err(), "{name:?}");
    }
    // Nobody gets round the length of a chain by spawning.
    let mut deep = agent();
    let spawned = (0..10).take_while(|n| match for_worker(&deep, &format!("w{n}")) {
        Ok(next) => {
            deep = next;
            true
        }
        Err(_) => false,
    });
    assert_eq!(spawned.count(), 7);
    assert!(for_worker(&identity(PrincipalKind::User, "dana"), "w").is_err());
}

#[test]
fn an_agent_acts_for_whose_token_it_was_given_with_what_both_have() {
    let mut person = identity(PrincipalKind::User, "dana");
    person.scope = Scope::parse("target:a read").unwrap();
    person.expires_at = NOW.plus(5 * MINUTE);
    person.authenticated_at = Timestamp(NOW.0 - 60_000_000);
    let both = traded(&person, Some(&agent()), asked("")).unwrap();
    assert_eq!(both.chain.to_string(), "agent:okta/etl for user:okta/dana");
    assert_eq!(both.scope, person.scope);
    assert_eq!(both.expires_at, person.expires_at);
    // A proof is as old as the oldest in it, and as strong as the weakest.
    assert_eq!(both.authenticated_at, person.authenticated_at);
    assert!(!both.mfa);
    assert_eq!(both.lineage, ["of-dana", "of-etl"]);
    assert!(
        traded(&agent(), Some(&person), asked("")).is_err(),
        "a person acts for an agent"
    );
    assert!(
        traded(&agent(), Some(&agent()), asked("")).is_err(),
        "one acts for oneself"
    );
}

#[tokio::test]
async fn a_token_proves_what_it_was_issued_for() {
    let own = own().await;
    let asked = Asked {
        worker: Some("w1".to_owned()),
        ..asked("target:a read class:email")
    };
    let wanted = traded(&agent(), None, asked).unwrap();
    let issued = own.issue(wanted.clone(), NOW).unwrap();
    assert!(own.claims_to_be(&issued.token));
    let read = own.read(&issued.token, NOW).unwrap();
    assert_eq!(read.chain, wanted.chain);
    assert_eq!(
        (&read.scope, &read.lineage),
        (&wanted.scope, &wanted.lineage)
    );
    assert_eq!(read.expires_at, wanted.expires_at);
    assert_eq!(read.token_id, wanted.token_id);
    assert!(
        own.read(&issued.token, wanted.expires_at).is_none(),
        "it outlives its end"
    );
    let elsewhere = OwnTokens::new("https://other".to_owned(), (*own.ring()).clone());
    assert!(
        elsewhere.read(&issued.token, NOW).is_none(),
        "another issuer takes it"
    );
}

#[test]
fn what_is_bound_is_traded_for_what_is_bound_alone() {
    let key = Binding::key(Digest::of(b"key"));
    let certificate = Binding::certificate(Digest::of(b"certificate"));
    let bound = |binding| Identity { binding, ..agent() };
    let to = |binding| Asked {
        binding,
        ..asked("read")
    };
    let person = identity(PrincipalKind::User, "bob");
    for held in [key, certificate] {
        let parent = bound(held);
        let fell = traded(&parent, None, asked("read"));
        assert!(matches!(fell, Err(Refused::Request(_))), "{fell:?}");
        let fell = traded(&person, Some(&parent), asked("read"));
        assert!(matches!(fell, Err(Refused::Request(_))), "{fell:?}");
        for wanted in [key, certificate] {
            assert_eq!(traded(&parent, None, to(wanted)).unwrap().binding, wanted);
        }
    }
    assert_eq!(traded(&agent(), None, to(key)).unwrap().binding, key);
}

#[tokio::test]
async fn a_token_says_what_it_is_bound_to() {
    let own = own().await;
    for binding in [
        Binding::default(),
        Binding::key(Digest::of(b"key")),
        Binding::certificate(Digest::of(b"certificate")),
    ] {
        let asked = Asked {
            binding,
            ..asked("read")
        };
        let issued = own
            .issue(traded(&agent(), None, asked).unwrap(), NOW)
            .unwrap();
        assert_eq!(own.read(&issued.token, NOW).unwrap().binding, binding);
        let claims = crate::oidc::token::parts(issued.token.expose_str().unwrap())
            .unwrap()
            .claims;
        assert_eq!(claims.contains_key("cnf"), binding.is_any());
    }
}

#[tokio::test]
async fn a_changed_token_proves_nothing() {
    let own = own().await;
    let token = own
        .issue(traded(&agent(), None, asked("read")).unwrap(), NOW)
        .unwrap()
        .token;
    let text = token.expose_str().unwrap();
    let [header, claims, signature]: [&str; 3] =
        text.split('.').collect::<Vec<_>>().try_into().unwrap();
    let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let wider = URL_SAFE_NO_PAD.encode(decoded.replace("\"read\"", "\"write\""));
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt","kid":"x"}"#);
    let strange = OwnTokens::new(
        "https://gateway".to_owned(),
        ring(&Kept::default(), NOW).await,
    );
    for forged in [
        format!("{header}.{wider}.{signature}"),
        format!("{none}.{claims}.{signature}"),
        format!("{none}.{claims}."),
        format!("{header}.{claims}.AAAA"),
        format!("{header}.{claims}.{signature}A"),
    ] {
        assert!(
            own.read(&Secret::new(forged.as_bytes()), NOW).is_none(),
            "{forged}"
        );
    }
    assert!(strange.read(&token, NOW).is_none(), "another key proves it");
}

#[tokio::test]
async fn keys_are_kept_sealed_and_turned_by_age() {
    let kept = Kept::default();
    let first = ring(&kept, NOW).await;
    let kid = first.signer().unwrap().kid().to_owned();
    assert_eq!(
        ring(&kept, NOW).await.signer().unwrap().kid(),
        kid,
        "a restart makes another"
    );
    let turn = |ring: Ring, now| {
        let kept = &kept;
        async move {
            let turned = ring
                .turned(kept, &sealing(1), &Counting::default(), now)
                .await;
            turned.unwrap()
        }
    };
    let young = NOW.plus(KEY_LIFETIME - MINUTE);
    assert!(turn(first.clone(), young).await.is_none());
    let mut ring_now = first;
    for n in 1..=3 {
        let at = NOW.plus(KEY_LIFETIME * n);
        ring_now = turn(ring_now, at).await.unwrap();
        assert_ne!(ring_now.signer().unwrap().kid(), kid);
        assert_eq!(ring_now.find(&kid).is_some(), n < 3, "after {n}");
    }
    assert_eq!(ring_now.key_set()["keys"].as_array().unwrap().len(), 3);
    let blob = kept.0.lock().unwrap().values().next().unwrap().clone();
    assert!(
        !blob.windows(5).any(|w| w == b"since"),
        "the keys are kept in clear"
    );
    // With another key to seal by, the old ones are gone and the gateway goes on.
    let other = Ring::open(&kept, &sealing(2), &Counting::default(), NOW)
        .await
        .unwrap();
    assert_eq!(other.key_set()["keys"].as_array().unwrap().len(), 1);
    assert!(other.find(ring_now.signer().unwrap().kid()).is_none());
}

//! Credentials, revocations, sessions, sealed blobs, deliveries.

use super::tests::{Fixture, open};
use super::*;
use crate::testing::{START, StepClock, agent, chain, header, session, ten, user};
use brattice_core::ids::Digest;
use brattice_core::ports::{Bounds, MintedCredential, MintedProof};
use brattice_core::principal::{Chain, Identity, LoginBy, PrincipalKind};
use brattice_core::sender::Binding;
use brattice_core::time::Timestamp;

fn minted(n: u64, chain: brattice_core::principal::Chain, until: Timestamp) -> MintedCredential {
    let id = CredentialId::from_bytes(ten(n));
    MintedCredential {
        id: id.clone(),
        proof: MintedProof::Secret("SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy".to_owned()),
        target: "orders-db".to_owned(),
        identity: Identity {
            chain,
            by: LoginBy::Minted,
            mfa: true,
            binding: Binding::default(),
            authenticated_at: START,
            expires_at: until,
            token_id: Some("jti-1".to_owned()),
            credential: Some(id),
            scope: brattice_core::scope::Scope::parse("read").unwrap(),
            lineage: vec!["parent".to_owned()],
            sign_in: Some("in-1".to_owned()),
        },
        bounds: Bounds {
            single_use: true,
            from: vec!["10.0.0.0/24".parse().unwrap()],
        },
        spent: false,
    }
}

#[tokio::test]
async fn a_credential_is_good_until_it_expires_or_is_voided() {
    let f = Fixture::new().await;
    let until = START.plus(Duration::from_secs(600));
    for n in 1..=2 {
        let credential = minted(n, chain("etl-7", "ana"), until);
        f.db.insert_credential(&credential, Some(&session(1)))
            .await
            .unwrap();
    }
    let [one, two] = [1, 2].map(|n| CredentialId::from_bytes(ten(n)));
    let found = f.db.credential(&one, f.now()).await.unwrap().unwrap();
    assert_eq!(found.target, "orders-db");
    assert_eq!(found.identity.chain, chain("etl-7", "ana"));
    assert_eq!(found.identity.token_id.as_deref(), Some("jti-1"));
    assert!(found.bounds.single_use && !found.spent);
    assert!(found.bounds.permit("10.0.0.9".parse().unwrap()));
    assert!(found.bounds.permit("::ffff:10.0.0.9".parse().unwrap()));
    assert!(!found.bounds.permit("10.0.1.9".parse().unwrap()));
    // Of any number who use it up at once, one does.
    let (a, b) = tokio::join!(f.db.spend_credential(&two), f.db.spend_credential(&two));
    assert_eq!([a.unwrap(), b.unwrap()].iter().filter(|s| **s).count(), 1);
    assert!(f.db.credential(&two, f.now()).await.unwrap().unwrap().spent);
    assert!(f.db.revoke_credential(&one).await.unwrap());
    assert!(!f.db.revoke_credential(&one).await.unwrap());
    assert!(f.db.credential(&one, f.now()).await.unwrap().is_none());
    assert!(f.db.credential(&two, f.now()).await.unwrap().is_some());
    let listed = f.db.credentials(None, f.now()).await.unwrap();
    assert_eq!(listed.iter().map(|c| &c.id).collect::<Vec<_>>(), [&two]);
    let look = f.db.credential_summary(&two, f.now()).await.unwrap();
    assert_eq!(look.unwrap().target, listed[0].target);
    let acting = &listed[0].chain.acting;
    let other = Principal {
        name: "other".to_owned(),
        ..acting.clone()
    };
    for (of, many) in [(acting, 1), (&other, 0)] {
        let found = f.db.credentials(Some(of), f.now()).await.unwrap();
        assert_eq!(found.len(), many, "{of}");
    }
    let keyed = MintedCredential {
        proof: MintedProof::Key(Digest::of(b"key")),
        ..minted(3, chain("etl-7", "ana"), until)
    };
    f.db.insert_credential(&keyed, None).await.unwrap();
    let found = f.db.credential(&keyed.id, f.now()).await.unwrap().unwrap();
    assert_eq!(found.proof, keyed.proof);
    f.minutes(10);
    assert!(f.db.credential(&two, f.now()).await.unwrap().is_none());
    assert!(f.db.credentials(None, f.now()).await.unwrap().is_empty());
    let again =
        f.db.insert_credential(&minted(1, chain("x", "y"), until), None)
            .await;
    assert!(again.is_err(), "an id is used once");
}

#[tokio::test]
async fn revoking_anyone_in_the_chain_voids_what_was_minted_before() {
    let f = Fixture::new().await;
    let until = START.plus(Duration::from_secs(600));
    for (n, who) in [(1, "ana"), (2, "eve")] {
        let credential = minted(n, chain("etl-7", who), until);
        f.db.insert_credential(&credential, None).await.unwrap();
    }
    let [anas, eves] = [1, 2].map(|n| CredentialId::from_bytes(ten(n)));
    let mut changes = f.db.changes();
    let voided = f.db.revoke(&user("ana")).await.unwrap();
    assert_eq!((voided.at, voided.credentials), (START, vec![anas.clone()]));
    assert!(matches!(changes.recv().await, Ok(Change::Revoked(who)) if who.is_same(&user("ana"))));
    assert!(f.db.credential(&anas, f.now()).await.unwrap().is_none());
    assert!(f.db.credential(&eves, f.now()).await.unwrap().is_some());
    f.minutes(1);
    let fresh = minted(3, chain("etl-7", "ana"), until);
    f.db.insert_credential(&fresh, None).await.unwrap();
    assert!(f.db.credential(&fresh.id, f.now()).await.unwrap().is_some());
    let mut voided = f.db.revoke(&agent("etl-7")).await.unwrap().credentials;
    voided.sort();
    assert_eq!(voided, vec![eves, fresh.id]);
}

#[tokio::test]
async fn a_revocation_voids_the_past_and_no_step_of_the_clock_shortens_it() {
    let f = Fixture::new().await;
    f.minutes(10);
    let turn = f.db.revocations_turn().await.unwrap();
    let at = f.db.revoke(&agent("etl-7")).await.unwrap().at;
    assert_ne!(f.db.revocations_turn().await.unwrap(), turn);
    let earlier = open(&f.dir, &StepClock::new(), "node-2").await.unwrap();
    assert_eq!(earlier.revoke(&agent("etl-7")).await.unwrap().at, at);
    let all = f.db.revocations().await.unwrap();
    assert_eq!(all.len(), 1);
    assert!(all[0].principal.is_same(&agent("etl-7")) && all[0].at == at);
}

#[tokio::test]
async fn a_revoked_token_is_forgotten_when_nothing_of_it_can_last() {
    let f = Fixture::new().await;
    let token = |n: u8| Principal {
        issuer: "brattice".to_owned(),
        ..agent(&format!("token:{n}"))
    };
    f.db.revoke(&agent("etl-7")).await.unwrap();
    f.db.revoke(&token(1)).await.unwrap();
    f.minutes(8 * 24 * 60 - 1);
    f.db.revoke(&token(2)).await.unwrap();
    assert_eq!(f.db.revocations().await.unwrap().len(), 3);
    f.minutes(1);
    f.db.revoke(&token(3)).await.unwrap();
    let left = f.db.revocations().await.unwrap();
    let names: Vec<&str> = left.iter().map(|r| r.principal.name.as_str()).collect();
    assert_eq!(left.len(), 3, "{names:?}");
    assert!(
        names.contains(&"etl-7") && !names.contains(&"token:1"),
        "{names:?}"
    );
}

#[tokio::test]
async fn sessions_are_listed_with_their_ends() {
    let f = Fixture::new().await;
    for n in 1..=3 {
        let mut header = header(session(n));
        header.started_at = f.now();
        if n == 3 {
            header.target = "billing-db".to_owned();
        }
        f.db.session_opened(&header).await.unwrap();
        f.minutes(1);
    }
    let end = |reason: &str| SessionEnd {
        at: f.now(),
        reason: reason.to_owned(),
        commands: 12,
        bytes_to_client: 3456,
        recording: Some(Digest::of(b"recording")),
    };
    f.db.session_closed(&session(1), &end("client left"))
        .await
        .unwrap();
    f.db.session_closed(&session(1), &end("again"))
        .await
        .unwrap();
    let first = f.db.session(&session(1)).await.unwrap().unwrap();
    let ended = first.end.unwrap();
    assert_eq!(
        (ended.reason.as_str(), ended.commands, ended.bytes_to_client),
        ("client left", 12, 3456)
    );
    assert_eq!(ended.recording, Some(Digest::of(b"recording")));
    let list = async |filter: SessionFilter| {
        let found = f.db.sessions(&filter).await.unwrap();
        found
            .into_iter()
            .map(|s| s.header.session)
            .collect::<Vec<_>>()
    };
    let all = list(SessionFilter::default()).await;
    assert_eq!(all, vec![session(3), session(2), session(1)]);
    let live = SessionFilter {
        state: Some(SessionState::Live),
        target: Some("orders-db".to_owned()),
        actor: Some(agent("etl-7")),
        ..SessionFilter::default()
    };
    assert_eq!(list(live).await, vec![session(2)]);
    f.db.interrupt_sessions().await.unwrap();
    for (state, expected) in [
        (SessionState::Live, vec![]),
        (SessionState::Closed, vec![session(1)]),
        (SessionState::Interrupted, vec![session(3), session(2)]),
    ] {
        let state = Some(state);
        let filter = SessionFilter {
            state,
            ..SessionFilter::default()
        };
        assert_eq!(list(filter).await, expected);
    }
    let page = SessionFilter {
        before: Some(START.plus(Duration::from_secs(60))),
        ..SessionFilter::default()
    };
    assert_eq!(list(page).await, vec![session(1)]);
}

#[tokio::test]
async fn principals_are_remembered_as_they_were_last_seen() {
    let f = Fixture::new().await;
    let proof = |chain| minted(1, chain, START).identity;
    let ana = async || f.db.seen(PrincipalKind::User, "okta", "ana").await.unwrap();
    assert!(ana().await.is_none());
    f.db.note_seen(&proof(chain("etl-7", "ana"))).await.unwrap();
    assert!(
        ana().await.unwrap().identity.is_none(),
        "an agent's proof is not hers"
    );
    f.db.note_seen(&proof(Chain::of(user("ana"))))
        .await
        .unwrap();
    f.minutes(1);
    f.db.note_seen(&proof(chain("etl-7", "ana"))).await.unwrap();
    let seen = ana().await.unwrap();
    assert_eq!(seen.principal, user("ana"));
    assert_eq!(seen.at, f.now());
    assert_eq!(seen.identity.unwrap().chain, Chain::of(user("ana")));
    let agents =
        f.db.seen(PrincipalKind::Agent, "okta", "ana")
            .await
            .unwrap();
    assert!(agents.is_none());
}

#[tokio::test]
async fn sealed_blobs_are_kept_by_name() {
    let f = Fixture::new().await;
    f.db.put_sealed("orders-db", b"one").await.unwrap();
    f.db.put_sealed("orders-db", b"two").await.unwrap();
    assert_eq!(f.db.sealed("orders-db").await.unwrap().unwrap(), b"two");
    assert_eq!(f.db.sealed("other").await.unwrap(), None);
    assert_eq!(f.db.sealed_names().await.unwrap(), ["orders-db"]);
    assert!(f.db.remove_sealed("orders-db").await.unwrap());
    assert!(!f.db.remove_sealed("orders-db").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_delivery_is_redeemed_once_and_in_time() {
    let f = Fixture::new().await;
    let delivery = |nonce: &str| Delivery {
        nonce: nonce.to_owned(),
        approval: ApprovalId::from_bytes(ten(1)),
        route: "chat".to_owned(),
        state: DeliveryState::Pending,
        attempts: 0,
        at: START,
        expires_at: START.plus(Duration::from_secs(600)),
    };
    for nonce in ["a", "b"] {
        f.db.insert_delivery(&delivery(nonce)).await.unwrap();
    }
    assert!(f.db.insert_delivery(&delivery("a")).await.is_err());
    f.db.delivery_tried("a", DeliveryState::Sent, f.now())
        .await
        .unwrap();
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let db = f.db.clone();
            tokio::spawn(async move { db.redeem_delivery("a", START).await.unwrap() })
        })
        .collect();
    let mut redeemed = 0;
    for task in tasks {
        redeemed += usize::from(task.await.unwrap().is_some());
    }
    assert_eq!(redeemed, 1);
    f.db.delivery_tried("a", DeliveryState::Failed, f.now())
        .await
        .unwrap();
    f.minutes(10);
    assert!(f.db.redeem_delivery("b", f.now()).await.unwrap().is_none());
    let approval = ApprovalId::from_bytes(ten(1));
    let states: Vec<DeliveryState> =
        f.db.deliveries(&approval)
            .await
            .unwrap()
            .into_iter()
            .map(|d| d.state)
            .collect();
    assert_eq!(states, [DeliveryState::Answered, DeliveryState::Pending]);
}

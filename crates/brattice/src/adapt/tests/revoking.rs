//! Whoever was revoked is out, and stays out on what was proven before.

use super::world::*;
use crate::adapt::Unrevoked;
use crate::adapt::credentials::Credentials;
use crate::adapt::identities::Identities;
use brattice_admin::ports::{CreateError, CredentialsApi, IdentitiesApi};
use brattice_core::gate::CutReason;
use brattice_core::ids::CredentialId;
use brattice_core::ports::{
    AuthError, Authenticator, Bounds, BoxFuture, MintedCredential, MintedProof,
};
use brattice_core::principal::{Chain, Identity, PrincipalKind};
use brattice_core::secret::Secret;
use brattice_core::sender::Sender;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Proves whatever it was told to.
struct Says(Mutex<Identity>);

impl Authenticator for Says {
    fn verify_token<'a>(
        &'a self,
        _: &'a Secret,
        _: &'a Sender,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        Box::pin(async { Ok(self.0.lock().unwrap().clone()) })
    }
    fn minted<'a>(
        &'a self,
        id: &'a CredentialId,
    ) -> BoxFuture<'a, Result<Option<MintedCredential>, AuthError>> {
        Box::pin(async move {
            Ok(Some(MintedCredential {
                id: id.clone(),
                proof: MintedProof::Secret(String::new()),
                target: "orders-db".to_owned(),
                identity: self.0.lock().unwrap().clone(),
                bounds: Bounds::default(),
                spent: false,
            }))
        })
    }
    fn spend<'a>(&'a self, _: &'a CredentialId) -> BoxFuture<'a, Result<bool, AuthError>> {
        Box::pin(async { Ok(true) })
    }
}

async fn lets_in(world: &World, identity: Identity) -> Result<Identity, AuthError> {
    let says = Arc::new(Says(Mutex::new(identity)));
    let gateway = &world.gateway;
    let door = Unrevoked::new(says, gateway.revocations.clone(), gateway.seen.clone());
    let id = CredentialId::from_bytes([1; 10]);
    let minted = door.minted(&id).await;
    let proven = door
        .verify_token(&Secret::new("token"), &Sender::default(), "127.0.0.1")
        .await;
    // What holds for a token holds for what was minted on its word.
    match &proven {
        Ok(_) => assert!(minted.unwrap().is_some()),
        Err(AuthError::Rejected(_)) => assert!(minted.unwrap().is_none()),
        Err(_) => assert!(minted.is_err()),
    }
    proven
}

#[tokio::test]
async fn a_token_from_before_the_revocation_is_refused_wherever_its_principal_stands_in_the_chain()
{
    let world = World::new().await;
    let (etl, dana) = (agent("etl-7"), user("dana", &["dba"]));
    let old = world.now();
    let chains = [
        Chain::of(etl.clone()),
        Chain {
            acting: agent("planner-2"),
            on_behalf_of: vec![etl.clone()],
        },
        Chain {
            acting: agent("planner-2"),
            on_behalf_of: vec![agent("other"), etl.clone()],
        },
    ];
    for chain in &chains {
        assert!(lets_in(&world, proven(chain.clone(), old)).await.is_ok());
    }
    world.pass(Duration::from_secs(1));
    Identities(world.gateway.clone())
        .suspend(&etl, "leaked")
        .await
        .unwrap();
    for chain in &chains {
        let refused = lets_in(&world, proven(chain.clone(), old)).await;
        assert!(matches!(refused, Err(AuthError::Rejected(_))), "{chain}");
    }
    assert!(
        lets_in(&world, alone(dana, old)).await.is_ok(),
        "others are not touched"
    );
    let namesake = user("etl-7", &[]);
    assert!(
        lets_in(&world, alone(namesake, old)).await.is_ok(),
        "a person of the same name is another"
    );
}

#[tokio::test]
async fn what_is_proven_anew_counts_again_once_no_clock_can_be_ahead_enough() {
    let world = World::new().await;
    Identities(world.gateway.clone())
        .suspend(&agent("etl-7"), "")
        .await
        .unwrap();
    let revoked = world.now();
    let at = |span: Duration| alone(agent("etl-7"), revoked.plus(span));
    assert!(lets_in(&world, at(LEEWAY)).await.is_err());
    assert!(
        lets_in(&world, at(LEEWAY + Duration::from_secs(1)))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_revocation_by_another_process_is_seen_within_a_second() {
    let world = World::new().await;
    let old = world.now();
    assert!(lets_in(&world, alone(agent("etl-7"), old)).await.is_ok());
    // Behind the back of this process' memory.
    world.gateway.db.revoke(&agent("etl-7")).await.unwrap();
    world.pass(Duration::from_millis(1001));
    assert!(lets_in(&world, alone(agent("etl-7"), old)).await.is_err());
}

#[tokio::test]
async fn a_clock_that_goes_back_makes_no_picture_young() {
    let world = World::new().await;
    let old = world.now();
    assert!(lets_in(&world, alone(agent("etl-7"), old)).await.is_ok());
    world.gateway.db.revoke(&agent("etl-7")).await.unwrap();
    world.back(Duration::from_secs(60));
    assert!(lets_in(&world, alone(agent("etl-7"), old)).await.is_err());
}

#[tokio::test]
async fn nobody_gets_in_while_revocations_cannot_be_read() {
    let world = World::new().await;
    world.gateway.db.close().await;
    let refused = lets_in(&world, alone(agent("etl-7"), world.now())).await;
    assert!(matches!(refused, Err(AuthError::Unavailable(_))));
    assert!(world.gateway.cut_voided().await.is_err());
}

#[tokio::test]
async fn revoking_cuts_every_session_with_the_principal_in_its_chain() {
    let world = World::new().await;
    let etl = agent("etl-7");
    let (_own, own) = world.live(1, alone(etl.clone(), world.now()));
    let through = Chain {
        acting: agent("planner-2"),
        on_behalf_of: vec![etl.clone()],
    };
    let (_through, through) = world.live(2, proven(through, world.now()));
    let (_other, other) = world.live(3, alone(agent("planner-2"), world.now()));
    let ended = Identities(world.gateway.clone())
        .suspend(&etl, "")
        .await
        .unwrap();
    assert_eq!(ended.sessions, 2);
    assert_eq!(own.reason(), Some(CutReason::Revoked));
    assert_eq!(through.reason(), Some(CutReason::Revoked));
    assert_eq!(other.reason(), None);
}

#[tokio::test]
async fn a_session_that_was_on_its_way_in_during_the_revocation_is_cut_too() {
    let world = World::new().await;
    let old = world.now();
    world.pass(Duration::from_secs(10));
    Identities(world.gateway.clone())
        .suspend(&agent("etl-7"), "")
        .await
        .unwrap();
    let (_late, late) = world.live(1, alone(agent("etl-7"), old));
    world.pass(LEEWAY + Duration::from_secs(1));
    let (_new, new) = world.live(2, alone(agent("etl-7"), world.now()));
    assert_eq!(world.gateway.cut_voided().await.unwrap(), 1);
    assert_eq!(late.reason(), Some(CutReason::Revoked));
    assert_eq!(new.reason(), None);
}

#[tokio::test]
async fn a_credential_lives_no_longer_than_its_token_or_the_bundle_lets_it() {
    let world = World::new().await;
    let credentials = Credentials(world.gateway.clone());
    let who = alone(agent("etl-7"), world.now());
    let lives = async |who: &Identity, wanted: u64| {
        let minted = credentials
            .create(
                who,
                "orders-db",
                Duration::from_secs(wanted),
                Bounds::default(),
            )
            .await
            .unwrap();
        minted.expires_at.since(world.now()).as_secs()
    };
    assert_eq!(lives(&who, 60).await, 60);
    assert_eq!(lives(&who, 86400).await, 600, "the bundle's bound");
    let mut short = who.clone();
    short.expires_at = world.now().plus(Duration::from_secs(30));
    assert_eq!(lives(&short, 600).await, 30, "the token's own end");
    world.pass(Duration::from_secs(31));
    let refused = credentials
        .create(
            &short,
            "orders-db",
            Duration::from_secs(60),
            Bounds::default(),
        )
        .await;
    assert!(matches!(refused, Err(CreateError::Refused(_))));
}

#[tokio::test]
async fn a_credential_names_where_it_opens_what_and_mints_no_other() {
    let world = World::new().await;
    let credentials = Credentials(world.gateway.clone());
    let who = alone(agent("etl-7"), world.now());
    let minute = Duration::from_secs(60);
    let minted = credentials
        .create(&who, "orders-db", minute, Bounds::default())
        .await
        .unwrap();
    assert_eq!((minted.host.as_str(), minted.port), ("127.0.0.1", 6432));
    assert_eq!(minted.database.as_deref(), Some("orders-db/app"));
    assert!(
        credentials
            .create(&who, "no-such-db", minute, Bounds::default())
            .await
            .is_err()
    );
    let kept = world
        .gateway
        .authenticator
        .minted(&minted.id)
        .await
        .unwrap()
        .unwrap();
    let MintedProof::Secret(verifier) = &kept.proof else {
        panic!("{:?}", kept.proof);
    };
    assert!(!verifier.contains(minted.password.expose_str().unwrap()));
    let again = credentials
        .create(&kept.identity, "orders-db", minute, Bounds::default())
        .await;
    assert!(matches!(again, Err(CreateError::Refused(_))));
}

#[tokio::test]
async fn revoking_ends_credentials_and_a_revoked_credential_ends_its_sessions() {
    let world = World::new().await;
    let credentials = Credentials(world.gateway.clone());
    let who = alone(agent("etl-7"), world.now());
    let minute = Duration::from_secs(60);
    let one = credentials
        .create(&who, "orders-db", minute, Bounds::default())
        .await
        .unwrap();
    let two = credentials
        .create(&who, "orders-db", minute, Bounds::default())
        .await
        .unwrap();
    let opened_with = async |id: &CredentialId| {
        world
            .gateway
            .authenticator
            .minted(id)
            .await
            .unwrap()
            .unwrap()
            .identity
    };
    let (_by_one, by_one) = world.live(1, opened_with(&one.id).await);
    let (_by_two, by_two) = world.live(2, opened_with(&two.id).await);
    assert!(credentials.revoke(&one.id).await.unwrap());
    assert!(!credentials.revoke(&one.id).await.unwrap());
    assert_eq!(
        (by_one.reason(), by_two.reason()),
        (Some(CutReason::Revoked), None)
    );
    assert!(credentials.get(&one.id).await.unwrap().is_none());

    let ended = Identities(world.gateway.clone())
        .suspend(&agent("etl-7"), "")
        .await
        .unwrap();
    assert_eq!(ended.credentials, 1);
    assert!(
        world
            .gateway
            .authenticator
            .minted(&two.id)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_person_counts_as_they_last_proved_themselves_while_that_holds() {
    let world = World::new().await;
    let identities = Identities(world.gateway.clone());
    let dana = user("dana", &["dba"]);
    assert!(identities.person("dev/dana").await.unwrap().is_none());
    lets_in(&world, alone(dana.clone(), world.now()))
        .await
        .unwrap();
    let known = identities.person("dev/dana").await.unwrap().unwrap();
    assert!(known.chain.acting.groups.contains("dev/dba"));
    let seen = identities
        .seen(PrincipalKind::User, "dev", "dana")
        .await
        .unwrap();
    assert_eq!(seen, Some(dana.clone()));
    let unseen = identities
        .seen(PrincipalKind::Agent, "dev", "dana")
        .await
        .unwrap();
    assert!(unseen.is_none());
    for nobody in ["dana", "okta/dana", "dev/", ""] {
        assert!(
            identities.person(nobody).await.unwrap().is_none(),
            "{nobody}"
        );
    }
    identities.suspend(&dana, "").await.unwrap();
    assert!(
        identities.person("dev/dana").await.unwrap().is_none(),
        "revoked"
    );
    let omar = user("omar", &["dba"]);
    lets_in(&world, alone(omar, world.now())).await.unwrap();
    world.pass(Duration::from_secs(3601));
    assert!(
        identities.person("dev/omar").await.unwrap().is_none(),
        "expired"
    );
}

#[tokio::test]
async fn for_whom_somebody_acts_has_not_signed_in() {
    let world = World::new().await;
    let chain = Chain {
        acting: agent("etl-7"),
        on_behalf_of: vec![user("dana", &["dba"])],
    };
    lets_in(&world, proven(chain, world.now())).await.unwrap();
    assert!(
        Identities(world.gateway.clone())
            .person("dev/dana")
            .await
            .unwrap()
            .is_none()
    );
}

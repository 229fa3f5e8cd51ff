//! Certificates of callers' keys, and the gateway's own keys.

use super::world::{World, agent, alone};
use crate::adapt::ssh::Ssh;
use crate::run::SystemRandomness;
use brattice_admin::ports::{Certified, Certify, CreateError, SshApi};
use brattice_core::ports::{Authenticator as _, Bounds, MintedProof};
use brattice_core::principal::Identity;
use brattice_identity::ssh::{Certificate, PublicKey, key_sha256, line, new_key};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

fn key() -> PublicKey {
    new_key(&SystemRandomness).unwrap().public_key().clone()
}

async fn certified(
    world: &World,
    who: &Identity,
    target: &str,
    key: &PublicKey,
    seconds: u64,
) -> Result<Certified, CreateError> {
    let asked = Certify {
        target: target.to_owned(),
        public_key: line(key).unwrap(),
        lifetime: Duration::from_secs(seconds),
        bounds: Bounds::default(),
    };
    Ssh(world.gateway.clone()).certify(who, asked).await
}

#[tokio::test]
async fn a_certificate_belongs_to_a_credential_that_is_proven_by_its_key() {
    let world = World::new().await;
    let (who, key) = (alone(agent("etl-7"), world.now()), key());
    let made = certified(&world, &who, "orders-host", &key, 60)
        .await
        .unwrap();
    let kept = world.gateway.authenticator.minted(&made.id).await;
    let kept = kept.unwrap().unwrap();
    assert_eq!(kept.proof, MintedProof::Key(key_sha256(&key).unwrap()));
    assert_eq!(kept.target, "orders-host");

    let certificate = Certificate::from_openssh(&made.certificate).unwrap();
    assert_eq!(certificate.public_key(), key.key_data());
    assert!(certificate.key_id().starts_with(&format!("{} ", made.id)));
    let users = ["deploy@orders-host", "root@orders-host", "orders-host"];
    assert_eq!(certificate.valid_principals(), users);
    let until = u64::try_from(made.expires_at.seconds()).unwrap();
    assert_eq!(certificate.valid_before(), until);
    let extensions: Vec<_> = certificate.extensions().keys().collect();
    assert_eq!(extensions, ["permit-pty"]);

    // It mints no other, is of hosts alone, and is never good for longer than what it rests on.
    let again = certified(&world, &kept.identity, "orders-host", &key, 60).await;
    assert!(matches!(again, Err(CreateError::Refused(_))));
    for target in ["orders-db", "no-such-host"] {
        let refused = certified(&world, &who, target, &key, 60).await;
        assert!(matches!(refused, Err(CreateError::Refused(_))), "{target}");
    }
    let long = certified(&world, &who, "orders-host", &key, 86_400)
        .await
        .unwrap();
    assert_eq!(
        long.expires_at.since(world.now()).as_secs(),
        600,
        "the bundle's bound"
    );
    let mut short = who.clone();
    short.expires_at = world.now().plus(Duration::from_secs(30));
    let made = certified(&world, &short, "orders-host", &key, 600)
        .await
        .unwrap();
    assert_eq!(made.expires_at, short.expires_at, "the token's own end");
}

#[tokio::test]
async fn the_gateways_keys_are_four_and_its_own_alone() {
    let world = World::new().await;
    let front = Ssh(world.gateway.clone()).front().unwrap();
    let mut keys = vec![
        front.host_key,
        front.host_ca,
        front.user_ca,
        front.target_ca,
    ];
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
    let host = front.targets.iter().find(|t| t.name == "orders-host");
    assert!(host.is_some_and(|h| h.is_certified && h.accounts == ["deploy", "root"]));
    assert_eq!(front.targets.len(), 1, "a database is no host");
    let mut kept = 0;
    for file in std::fs::read_dir(world.dir.path().join("data")).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_string_lossy().starts_with("ssh_") {
            kept += 1;
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    assert_eq!(kept, 4);
}

//! Certificates that a real OpenBao signs for logins over SSH: for how long one is used, by a clock that is stepped.

use crate::support::Forward;
use brattice_core::ids::SessionId;
use brattice_core::ports::{
    Borrower, CredentialSource, KeyCertifier, Purpose, Randomness, RecordFailed,
};
use brattice_core::secret::Secret;
use brattice_identity::lend::{
    Environment, Lender, Parts, Server, Servers, TargetCredential, UpstreamProof, VaultAuth,
    VaultConfig,
};
use brattice_identity::ssh::Certificate;
use brattice_testkit::bao::Bao;
use std::sync::Arc;

/// The gateway's token at the vault.
struct Token(String);
impl Environment for Token {
    fn variable(&self, _: &str) -> Option<Secret> {
        Some(Secret::new(self.0.as_str()))
    }
}

struct Nothing;
impl Servers for Nothing {
    fn of(&self, _: &str) -> Option<Arc<dyn Server>> {
        None
    }
    fn any_place(&self, _: &str) -> Option<String> {
        None
    }
}
impl Randomness for Nothing {
    fn fill(&self, buf: &mut [u8]) -> Result<(), RecordFailed> {
        buf.fill(7);
        Ok(())
    }
}

fn vault() -> Bao {
    let bao = Bao::start(false);
    bao.cli(&["secrets", "enable", "ssh"]);
    bao.cli(&[
        "write",
        "ssh/config/ca",
        "generate_signing_key=true",
        "key_type=ec",
    ]);
    bao.cli(&[
        "write",
        "ssh/roles/deploy",
        "key_type=ca",
        "allow_user_certificates=true",
        "allowed_users=deploy",
        "allowed_extensions=permit-pty,permit-port-forwarding",
        "allow_user_key_ids=true",
    ]);
    bao
}

fn lender(bao: &Bao, clock: Arc<Forward>) -> Lender {
    let lender = Lender::new(Parts {
        environment: Arc::new(Token(bao.root_token().to_owned())),
        sealed: None,
        servers: Arc::new(Nothing),
        randomness: Arc::new(Nothing),
        clock,
        node: "0a1b2c3d".to_owned(),
        leases: "/nonexistent".into(),
        ssh: None,
    });
    let credential = TargetCredential {
        user: "deploy".to_owned(),
        proof: UpstreamProof::Signed("vault:corp/ssh/sign/deploy".parse().unwrap()),
        template: None,
    };
    let config = VaultConfig {
        name: "corp".to_owned(),
        address: bao.address(),
        ca: None,
        namespace: None,
        auth: VaultAuth::Token("env:TOKEN".parse().unwrap()),
    };
    lender.replace(
        [("web-1".to_owned(), credential)].into(),
        vec![config],
        Vec::new(),
    );
    lender
}

async fn certificate(certifier: &dyn KeyCertifier) -> Result<Certificate, String> {
    let text = certifier.certify().await?;
    Ok(Certificate::from_openssh(&text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_used_while_it_is_good_for_clocks_that_differ_and_then_signed_anew() {
    let bao = vault();
    let clock = Arc::new(Forward::default());
    let lender = lender(&bao, clock.clone());
    let session = SessionId::from_bytes([1; 10]);
    let to = Borrower {
        target: "web-1",
        place: "deploy",
        purpose: Purpose::Session {
            id: &session,
            agent: "etl-7\nroot",
        },
    };
    let lease = lender.lend(to).await.unwrap();
    let certifier = lease.certifier.as_deref().unwrap();
    let first = certificate(certifier).await.unwrap();
    let named = format!("brattice session={session} agent=etl-7root");
    assert_eq!(first.key_id(), named);
    assert_eq!(first.valid_principals(), ["deploy"]);
    let lives = first.valid_before() - first.valid_after();
    assert!((300..=330).contains(&lives), "{lives}");

    // Many at once, and a minute later, with the vault away: it is not asked.
    bao.freeze(true);
    clock.step(60);
    for again in [certificate(certifier), certificate(certifier)] {
        assert_eq!(again.await.unwrap().serial(), first.serial());
    }
    bao.freeze(false);
    // A host whose clock is two minutes ahead would no longer take it.
    clock.step(125);
    let second = certificate(certifier).await.unwrap();
    assert_ne!(second.serial(), first.serial());
    assert_eq!(second.public_key(), first.public_key());

    // The gateway's own clock is so far ahead that what the vault signs has ended.
    clock.step(300);
    let why = certificate(certifier).await.unwrap_err();
    assert!(why.contains("clocks are too far apart"), "{why}");
    // Those who wait for it together hear the same.
    bao.cli(&["operator", "seal"]);
    let (one, two) = tokio::join!(certificate(certifier), certificate(certifier));
    for why in [one.unwrap_err(), two.unwrap_err()] {
        assert_eq!(why, "vault:corp/ssh/sign/deploy: it is sealed or not ready");
    }
}

//! No token, no secret of AWS, nor any part of one, in an error or a log.

use crate::support::world;
use brattice_core::ports::{Borrower, CredentialSource, Purpose, Randomness, RecordFailed};
use brattice_core::secret::Secret;
use brattice_identity::lend::{
    AwsConfig, AwsKeys, Environment, Lender, Parts, RdsLogin, Server, Servers, TargetCredential,
    UpstreamProof,
};
use brattice_testkit::aws::Aws;
use brattice_testkit::idp::{Answer, JWKS_PATH, SigningKey};
use serde_json::json;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(buf);
        Ok(buf.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;
    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

/// What is logged by whomever in this process, down to traces.
fn everything() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(log.clone())
            .finish();
        // For the whole process: what a thread's own subscriber hears depends on which test logs first.
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    })
}

#[tokio::test]
async fn neither_errors_nor_logs_hold_any_part_of_a_token() {
    let log = everything();
    let w = world().await;
    let canary = "c4n4ry";
    let forger = SigningKey::es256("key-1").unwrap();
    let base = || {
        w.token()
            .claim("jti", canary)
            .claim("sub", format!("{canary}-sub"))
    };
    let tokens = [
        base(),
        base().signed_by(&forger),
        base().header("kid", canary),
        base().header("alg", canary),
        base().header("typ", canary),
        base().header("jku", format!("https://{canary}.example")),
        base().claim("aud", canary),
        base().claim("iss", format!("https://{canary}.example")),
        base().claim("exp", canary),
        base().claim("exp", 1),
        base().claim("sub", format!("{canary}\n")),
        base().claim("groups", canary),
        base().claim("groups", json!([format!("{canary}\0")])),
        base().claim("act", json!({"sub": [canary]})),
        base().claim("amr", canary),
        base().claim("nonce", canary),
        base().raw_claims(&format!("{{\"{canary}\":")),
        base().raw_header(canary),
    ];
    let mut said = String::new();
    let mut secrets = vec![canary.to_owned()];
    for token in &tokens {
        let text = token.sign().unwrap();
        secrets.extend(text.split('.').filter(|p| p.len() > 8).map(str::to_owned));
        let secret = Secret::new(text);
        said.push_str(&format!("{secret:?}"));
        if let Err(error) = w.verify(token).await {
            said.push_str(&format!("{error} {error:?}\n"));
        }
    }
    // Outages log; they too say nothing of the token that met them.
    w.idp.answer(JWKS_PATH, Answer::status(500));
    w.clock.step(1000);
    let _ = w.verify(&base()).await;
    w.clock.step(-500);
    let _ = w.verify(&base().header("kid", canary)).await;

    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("cannot fetch signing keys") && logged.contains("the clock went back"),
        "{logged}"
    );
    assert!(said.contains("signature") && said.contains("no such key"));
    for secret in secrets {
        assert!(!said.contains(&secret), "an error holds {secret}");
        assert!(!logged.contains(&secret), "the log holds {secret}");
    }
}

struct Key;
impl Environment for Key {
    fn variable(&self, name: &str) -> Option<Secret> {
        let value = match name {
            "ID" => "ASIAIOSFODNN7EXAMPLE",
            "SECRET" => "c4n4ry/of+the/secret",
            "TOKEN" => "c4n4ry/of+the/session==",
            _ => return None,
        };
        Some(Secret::new(value))
    }
}

struct Nothing;
impl Randomness for Nothing {
    fn fill(&self, _: &mut [u8]) -> Result<(), RecordFailed> {
        Ok(())
    }
}
impl Servers for Nothing {
    fn of(&self, _: &str) -> Option<Arc<dyn Server>> {
        None
    }
    fn any_place(&self, _: &str) -> Option<String> {
        None
    }
}

/// The library that signs logs what it signs, and that of HTTP what it sends: not ours.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_and_what_is_read_from_aws_is_in_no_log() {
    let log = everything();
    let aws = Aws::start();
    aws.put("orders", "c4n4ry-of-the-secret");
    let lender = Lender::new(Parts {
        environment: Arc::new(Key),
        sealed: None,
        servers: Arc::new(Nothing),
        randomness: Arc::new(Nothing),
        clock: world().await.clock,
        node: "0a1b2c3d".to_owned(),
        leases: "/nonexistent".into(),
        ssh: None,
    });
    let credential = |proof| TargetCredential {
        user: "app".to_owned(),
        proof,
        template: None,
    };
    let login = RdsLogin {
        aws: "main".to_owned(),
        host: "db.example".to_owned(),
        port: 5432,
        user: "app".to_owned(),
    };
    let secret = "aws:main/orders".parse().unwrap();
    let targets = [
        ("rds", UpstreamProof::RdsIam(login)),
        ("secret", UpstreamProof::Password(secret)),
    ];
    let config = AwsConfig {
        name: "main".to_owned(),
        region: "eu-central-1".to_owned(),
        keys: AwsKeys::Given {
            id: "env:ID".parse().unwrap(),
            secret: "env:SECRET".parse().unwrap(),
            token: Some("env:TOKEN".parse().unwrap()),
        },
        secretsmanager: Some(aws.address().to_owned()),
        sts: None,
        ca: None,
        secret_age_max: Duration::ZERO,
    };
    lender.replace(
        targets.map(|(n, p)| (n.to_owned(), credential(p))).into(),
        Vec::new(),
        vec![config],
    );
    let mut said = String::new();
    for target in ["rds", "secret"] {
        let to = Borrower {
            target,
            place: "app",
            purpose: Purpose::Catalogue,
        };
        let lease = lender.lend(to).await.unwrap();
        assert!(!lease.password.expose().is_empty());
        said.push_str(&format!("{lease:?}"));
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("hyper"), "traces are heard: {logged}");
    for what in ["c4n4ry", "X-Amz-Signature=", "Signature="] {
        assert!(!said.contains(what), "{said}");
        assert!(!logged.contains(what), "{what} is in {logged}");
    }
}

//! Against moto, and against AWS's own library for whatever is signed.

mod failing;
mod keys;
mod secrets;
mod signatures;

use crate::lend::tests::{Counting, Nowhere, to};
use crate::lend::{
    AwsConfig, AwsKeys, Environment, Lender, Parts, RdsLogin, TargetCredential, UpstreamProof,
};
use brattice_core::ports::{CredentialSource, Lease};
use brattice_core::secret::Secret;
use brattice_core::time::{Clock, Timestamp};
use brattice_testkit::aws::Aws;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const REGION: &str = "eu-central-1";

/// The present, moved by so many seconds.
#[derive(Default)]
struct Moved(AtomicI64);
impl Moved {
    fn by(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}
impl Clock for Moved {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(since.as_micros()).unwrap();
        Timestamp(now + self.0.load(Ordering::SeqCst) * 1_000_000)
    }
}

#[derive(Default)]
struct Variables(Mutex<HashMap<String, String>>);
impl Variables {
    fn set(&self, name: &str, value: &str) {
        let mut all = self.0.lock().unwrap();
        all.insert(name.to_owned(), value.to_owned());
    }
}
impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<Secret> {
        self.0
            .lock()
            .unwrap()
            .get(name)
            .map(|v| Secret::new(v.as_str()))
    }
}

/// AWS, and a gateway's lender that knows it.
struct World {
    aws: Aws,
    lender: Lender,
    clock: Arc<Moved>,
    environment: Arc<Variables>,
}

impl World {
    /// With an access key that may do everything.
    fn start() -> Self {
        let (clock, environment) = (Arc::new(Moved::default()), Arc::new(Variables::default()));
        environment.set("KEY_ID", "AKIAIOSFODNN7EXAMPLE");
        environment.set("KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let lender = Lender::new(Parts {
            environment: environment.clone(),
            sealed: None,
            servers: Arc::new(Nowhere),
            randomness: Arc::new(Counting(Mutex::new(0))),
            clock: clock.clone(),
            node: "0a1b2c3d".to_owned(),
            leases: "/nonexistent".into(),
            ssh: None,
        });
        let world = Self {
            aws: Aws::start(),
            lender,
            clock,
            environment,
        };
        world.with(|_| {});
        world
    }

    /// Puts a bundle in force in which AWS is like this.
    fn with(&self, change: impl FnOnce(&mut AwsConfig)) {
        let mut config = AwsConfig {
            name: "main".to_owned(),
            region: REGION.to_owned(),
            keys: AwsKeys::Given {
                id: "env:KEY_ID".parse().unwrap(),
                secret: "env:KEY".parse().unwrap(),
                token: None,
            },
            secretsmanager: Some(self.aws.address().to_owned()),
            sts: Some(self.aws.address().to_owned()),
            ca: None,
            secret_age_max: Duration::from_secs(60),
        };
        change(&mut config);
        let target = |proof| TargetCredential {
            user: "app".to_owned(),
            proof,
            template: None,
        };
        let mut targets = BTreeMap::new();
        for name in [
            "orders", "pending", "deleted", "binary", "plain", "lines", "odd",
        ] {
            for (at, part) in [
                ("whole", ""),
                ("password", "#password"),
                ("other", "#other"),
                ("both", "#username,password"),
            ] {
                let text = format!("aws:main/{name}{part}");
                let proof = match at {
                    "both" => UpstreamProof::AwsSecret(text.parse().unwrap()),
                    _ => UpstreamProof::Password(text.parse().unwrap()),
                };
                targets.insert(format!("{name}-{at}"), target(proof));
            }
        }
        targets.insert(
            "rds".to_owned(),
            target(UpstreamProof::RdsIam(RdsLogin {
                aws: "main".to_owned(),
                host: "orders.abc.eu-central-1.rds.amazonaws.com".to_owned(),
                port: 5432,
                user: "app".to_owned(),
            })),
        );
        self.lender.replace(targets, Vec::new(), vec![config]);
    }

    async fn lend(&self, target: &str) -> Result<Lease, String> {
        self.lender
            .lend(to(target))
            .await
            .map_err(|e| e.to_string())
    }

    async fn password(&self, target: &str) -> String {
        let lease = self.lend(target).await.unwrap();
        lease.password.expose_str().unwrap().to_owned()
    }

    async fn error(&self, target: &str) -> String {
        self.lend(target).await.unwrap_err()
    }
}

fn credentials(user: &str, password: &str) -> String {
    json!({"engine": "postgres", "username": user, "password": password, "port": 5432, "other": 7})
        .to_string()
}

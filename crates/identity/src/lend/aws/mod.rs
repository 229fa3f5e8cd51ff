//! Secrets of AWS Secrets Manager, and logins at RDS that AWS's own keys sign.
//!
//! Lives here: what the bundle names of AWS, what is kept of it and for how long. Never: who may have a credential, a key
//! that the bundle does not name (there is no search through the places where AWS's tools look).

mod error;
mod keys;
mod once;
mod path;
mod platform;
mod region;
mod secret;
mod sign;
mod sts;
mod web;

pub use path::{AwsPart, AwsSecret, NotAnAwsSecret};
pub use platform::is_metadata_address;
pub use region::is_region;

use super::source::{Plain, SecretFrom};
use arc_swap::ArcSwap;
use brattice_core::gate::Cut;
use brattice_core::ports::LeaseHeld;
use brattice_core::secret::Secret;
use brattice_core::time::{Clock, Timestamp};
use error::AwsError;
use once::{Kept, Once};
use reqwest::Client;
use sign::Keys;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// How long is waited before the one further try when AWS was busy.
const AGAIN: Duration = Duration::from_millis(250);
/// Longest wait for all that one login needs.
const ALL_WAIT_MAX: Duration = Duration::from_secs(10);

/// A region of AWS, and who the gateway is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsConfig {
    /// What the bundle calls it.
    pub name: String,
    /// The region.
    pub region: String,
    /// What requests are signed with.
    pub keys: AwsKeys,
    /// Where Secrets Manager answers, if not at its own address in the region.
    pub secretsmanager: Option<String>,
    /// Where STS answers, if not at its own address in the region.
    pub sts: Option<String>,
    /// Certificates, in PEM, that theirs must lead to. Default: the system's.
    pub ca: Option<Vec<u8>>,
    /// How long a secret is kept; zero: not at all.
    pub secret_age_max: Duration,
}

/// What requests to AWS are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwsKeys {
    /// An access key, read anew for each signature.
    Given {
        /// Its id.
        id: SecretFrom,
        /// Its secret.
        secret: SecretFrom,
        /// The session token of a temporary one.
        token: Option<SecretFrom>,
    },
    /// A role that is taken with a signed token of the platform.
    WebIdentity {
        /// The role's ARN.
        role: String,
        /// The token's file, which the platform renews.
        token: SecretFrom,
    },
    /// The role of this container: ECS, or EKS Pod Identity.
    Container,
    /// The role of this machine: EC2.
    Instance {
        /// Where the metadata service answers, if not at its usual address.
        at: Option<String>,
    },
}

/// What of AWS the bundle in force names.
pub(super) struct Accounts {
    by_name: ArcSwap<BTreeMap<String, Arc<Account>>>,
    plain: Plain,
    clock: Arc<dyn Clock>,
    /// This gateway's own name in CloudTrail.
    node: String,
    /// Where requests run: threads of sessions come and go.
    runtime: Handle,
}

/// One of them.
struct Account {
    config: AwsConfig,
    plain: Plain,
    clock: Arc<dyn Clock>,
    node: String,
    services: Option<Client>,
    platform: Option<Client>,
    keys: Arc<Once<Keys>>,
    /// When it was last tried to have new keys.
    tried: Mutex<Option<Timestamp>>,
    secrets: Mutex<HashMap<String, Arc<Once<Secret>>>>,
}

/// A password from a secret, and the user where the secret names it.
pub(super) struct FromSecret {
    pub user: Option<String>,
    pub password: Secret,
    pub held: Box<dyn LeaseHeld>,
}

impl Accounts {
    /// None yet. Runs on the runtime of whoever calls.
    pub(super) fn new(plain: Plain, clock: Arc<dyn Clock>, node: &str) -> Self {
        Self {
            by_name: ArcSwap::default(),
            plain,
            clock,
            node: format!("brattice-{node}"),
            runtime: Handle::current(),
        }
    }

    /// Takes those of a new bundle. One that stays as it is keeps its keys; secrets are read anew.
    pub(super) fn replace(&self, configs: Vec<AwsConfig>) {
        let before = self.by_name.load_full();
        let of = |config: AwsConfig| {
            let kept = before.get(&config.name).filter(|a| a.config == config);
            let account = Account {
                keys: kept.map_or_else(|| Once::new(None), |a| a.keys.clone()),
                tried: Mutex::default(),
                services: services(&config),
                platform: super::web::client(None, true).ok(),
                plain: self.plain.clone(),
                clock: self.clock.clone(),
                node: self.node.clone(),
                secrets: Mutex::default(),
                config,
            };
            (account.config.name.clone(), Arc::new(account))
        };
        self.by_name
            .store(Arc::new(configs.into_iter().map(of).collect()));
    }

    /// What of a secret is named.
    pub(super) async fn secret(&self, from: &AwsSecret) -> Result<FromSecret, String> {
        let account = self.of(&from.aws, from)?;
        let (id, part) = (from.id.clone(), from.part.clone());
        self.aside(from, async move {
            let asked = Instant::now();
            let (once, kept) = account.secret(&id).await?;
            let (user, password) = secret::part(&kept.value, &part)?;
            let held = Box::new(KeptSecret {
                once,
                value: Arc::downgrade(&kept.value),
                was_kept: kept.since < asked,
            });
            Ok(FromSecret {
                user,
                password,
                held,
            })
        })
        .await
    }

    /// A password that RDS takes for a quarter of an hour.
    pub(super) async fn database_login(&self, to: &RdsLogin) -> Result<Secret, String> {
        let account = self.of(&to.aws, to)?;
        let (login, here) = (to.clone(), account.clone());
        self.aside(to, async move {
            let keys = here.keys().await?;
            let (region, at) = (&here.config.region, here.clock.now());
            sign::database_login(
                &keys.value,
                region,
                at,
                (&login.host, login.port),
                &login.user,
            )
        })
        .await
    }

    fn of(&self, name: &str, from: &impl fmt::Display) -> Result<Arc<Account>, String> {
        let found = self.by_name.load().get(name).cloned();
        found.ok_or_else(|| format!("{from}: the bundle has no such [aws] table"))
    }

    async fn aside<T: Send + 'static>(
        &self,
        from: &impl fmt::Display,
        work: impl Future<Output = Result<T, AwsError>> + Send + 'static,
    ) -> Result<T, String> {
        let bounded = async move {
            let slow = |_| AwsError::NoAnswer("it took too long".to_owned());
            let done = tokio::time::timeout(ALL_WAIT_MAX, work).await;
            done.map_err(slow).flatten()
        };
        match self.runtime.spawn(bounded).await {
            Ok(done) => done.map_err(|why| format!("{from}: {why}")),
            Err(_) => Err(format!("{from}: the gateway is stopping")),
        }
    }
}

/// A server of RDS, and who logs in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RdsLogin {
    /// Who signs, as the bundle calls it.
    pub aws: String,
    /// The server's own name: RDS takes a login under no other.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The role on it.
    pub user: String,
}

impl fmt::Display for RdsLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rds-iam:{}", self.aws)
    }
}

fn services(config: &AwsConfig) -> Option<Client> {
    let given = [&config.secretsmanager, &config.sts];
    let clear = given
        .into_iter()
        .flatten()
        .any(|a| !a.starts_with("https://"));
    super::web::client(config.ca.as_deref(), clear).ok()
}

impl Account {
    fn client<'a>(&self, client: &'a Option<Client>) -> Result<&'a Client, AwsError> {
        client
            .as_ref()
            .ok_or(AwsError::Keys("its `ca` cannot be used"))
    }

    fn address(&self, service: &str, given: Option<&String>) -> String {
        let own = || region::address(service, &self.config.region);
        given.cloned().unwrap_or_else(own)
    }

    /// A secret's text, and where it is kept.
    async fn secret(&self, id: &str) -> Result<(Arc<Once<Secret>>, Kept<Secret>), AwsError> {
        let most = self.config.secret_age_max;
        let new = || Once::new(Some(most));
        let once = self
            .secrets()
            .entry(id.to_owned())
            .or_insert_with(new)
            .clone();
        let good = |kept: &Kept<Secret>| kept.since.elapsed() < most;
        let kept = once.get(good, self.read(id)).await?;
        Ok((once, kept))
    }

    fn secrets(&self) -> MutexGuard<'_, HashMap<String, Arc<Once<Secret>>>> {
        match self.secrets.lock() {
            Ok(secrets) => secrets,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// Reads a secret; once more when AWS was busy, or when it no longer takes the keys that were kept.
    async fn read(&self, id: &str) -> Result<Secret, AwsError> {
        let client = self.client(&self.services)?;
        let address = self.address("secretsmanager", self.config.secretsmanager.as_ref());
        let region = &self.config.region;
        let asked = Instant::now();
        let keys = self.keys().await?;
        let ask = |keys: Arc<Keys>| {
            let (now, address) = (self.clock.now(), &address);
            async move { secret::ask(client, address, region, &keys, now, id).await }
        };
        match ask(keys.value.clone()).await {
            Err(why) if why.passes() => {
                tokio::time::sleep(AGAIN).await;
                ask(keys.value).await
            }
            Err(why) if why.is_about_keys() && keys.since < asked => {
                self.keys.forget(&Arc::downgrade(&keys.value));
                ask(self.keys().await?.value).await
            }
            done => done,
        }
    }
}

/// A secret that was lent. Whoever made it keeps it; nothing has to be given back.
struct KeptSecret {
    once: Arc<Once<Secret>>,
    /// Weak: it is not kept any longer because a session lasts.
    value: Weak<Secret>,
    /// Whether it had been read before it was asked for.
    was_kept: bool,
}

impl fmt::Debug for KeptSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret of AWS")
    }
}

impl LeaseHeld for KeptSecret {
    /// PostgreSQL asks for a password at the login only.
    fn ends_with(&self, _: Arc<Cut>) {}

    fn refused(&self) -> bool {
        self.once.forget(&self.value);
        self.was_kept
    }
}

#[cfg(test)]
mod tests;

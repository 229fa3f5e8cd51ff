//! Secrets and users from HashiCorp Vault or OpenBao.
//!
//! Lives here: the vaults that the bundle names, and what is asked of them. Never: a secret that is kept between two
//! lends, who may have one.

pub(super) mod book;
mod client;
mod issued;
mod path;
mod sign;
mod token;

pub use path::{NotAVaultPath, VaultPath};
pub(super) use sign::ToSign;

use super::returns::{Debt, Returns};
use super::source::{Plain, SecretFrom};
use arc_swap::ArcSwap;
use book::{Book, Note};
use brattice_core::ports::Lease;
use brattice_core::secret::Secret;
use client::{Answer, Http, VaultError};
use issued::{Issued, LeaseDebt, Life};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use token::Token;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultConfig {
    /// What the bundle calls it.
    pub name: String,
    /// Where it is: `https`, or `http` on this machine.
    pub address: String,
    /// Certificates, in PEM, that its own must lead to. Default: the system's.
    pub ca: Option<Vec<u8>>,
    /// The namespace that everything is in.
    pub namespace: Option<String>,
    /// How the gateway proves itself to it.
    pub auth: VaultAuth,
}

/// How the gateway proves itself to a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultAuth {
    /// With a token as it is.
    Token(SecretFrom),
    /// With an AppRole.
    AppRole {
        /// Where the method is mounted.
        mount: String,
        /// The role.
        role_id: SecretFrom,
        /// Its secret.
        secret_id: SecretFrom,
    },
    /// With a signed token of the platform: Kubernetes, or any JWT.
    Jwt {
        /// Where the method is mounted.
        mount: String,
        /// The role.
        role: String,
        /// The token's file, which the platform renews.
        token: SecretFrom,
    },
}

/// All vaults of the bundle in force.
pub(super) struct Vaults {
    by_name: ArcSwap<BTreeMap<String, Arc<Vault>>>,
    plain: Plain,
    returns: Arc<Returns>,
    book: Arc<Book>,
    /// Where requests and renewals run: threads of sessions come and go.
    runtime: Handle,
}

/// One vault.
pub(super) struct Vault {
    config: VaultConfig,
    plain: Plain,
    http: Option<Arc<Http>>,
    login: tokio::sync::Mutex<Login>,
}

impl Vaults {
    /// None yet. Runs on the runtime of whoever calls.
    pub(super) fn new(plain: Plain, returns: Arc<Returns>, book: Book) -> Self {
        Self {
            by_name: ArcSwap::default(),
            plain,
            returns,
            book: Arc::new(book),
            runtime: Handle::current(),
        }
    }

    /// Takes those of a new bundle. One that stays as it is keeps its token.
    pub(super) fn replace(&self, configs: Vec<VaultConfig>) {
        let before = self.by_name.load_full();
        let of = |config: VaultConfig| match before.get(&config.name) {
            Some(vault) if vault.config == config => (config.name, vault.clone()),
            _ => (
                config.name.clone(),
                Arc::new(Vault {
                    http: Http::new(&config).ok().map(Arc::new),
                    plain: self.plain.clone(),
                    login: tokio::sync::Mutex::default(),
                    config,
                }),
            ),
        };
        self.by_name
            .store(Arc::new(configs.into_iter().map(of).collect()));
    }

    /// Reads one value of a secret that is kept.
    pub(super) async fn read(&self, from: &VaultPath) -> Result<Secret, String> {
        let vault = self.of(from)?;
        let path = from.clone();
        self.aside(from, async move { vault.read(&path).await })
            .await
    }

    /// Has a user made.
    pub(super) async fn issue(&self, from: &VaultPath) -> Result<Lease, String> {
        let vault = self.of(from)?;
        let (path, book, returns) = (from.clone(), self.book.clone(), self.returns.clone());
        self.aside(from, async move { vault.issue(&path, book, returns).await })
            .await
    }

    /// Revokes what a process before this one left.
    pub(super) async fn sweep(&self) {
        let mut away = HashSet::new();
        let book = self.book.clone();
        let reading = tokio::task::spawn_blocking(move || book.left_behind());
        for note in reading.await.unwrap_or_default() {
            if away.contains(&note.vault) {
                continue;
            }
            let Some(vault) = self.by_name.load().get(&note.vault).cloned() else {
                continue;
            };
            let debt = LeaseDebt {
                vault,
                book: self.book.clone(),
                id: note.lease,
            };
            match debt.pay().await {
                Ok(()) => {
                    tracing::info!(
                        vault = note.vault,
                        "a lease that was left behind is revoked"
                    );
                    debt.settled(true);
                }
                Err(why) => {
                    tracing::error!(
                        vault = note.vault,
                        why,
                        "a lease that was left behind cannot be revoked"
                    );
                    // The next one would wait as long for the same answer.
                    away.insert(note.vault);
                }
            }
        }
    }

    fn of(&self, from: &VaultPath) -> Result<Arc<Vault>, String> {
        let found = self.by_name.load().get(&from.vault).cloned();
        found.ok_or_else(|| format!("{from}: the bundle has no such vault"))
    }

    async fn aside<T: Send + 'static>(
        &self,
        from: &VaultPath,
        work: impl Future<Output = Result<T, VaultError>> + Send + 'static,
    ) -> Result<T, String> {
        match self.runtime.spawn(work).await {
            Ok(done) => done.map_err(|why| format!("{from}: {why}")),
            Err(_) => Err(format!("{from}: the gateway is stopping")),
        }
    }
}

/// Where the gateway stands with a vault.
#[derive(Default)]
struct Login {
    token: Option<Arc<Token>>,
    /// The last login, where it failed.
    failed: Option<(Instant, VaultError)>,
}

#[derive(Deserialize)]
struct Kept {
    data: KeptData,
}

#[derive(Deserialize)]
struct KeptData {
    data: Option<HashMap<String, Value>>,
}

#[derive(Deserialize)]
struct Made {
    lease_id: String,
    lease_duration: u64,
    renewable: bool,
    data: MadeUser,
}

#[derive(Deserialize)]
struct MadeUser {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct Renewed {
    lease_duration: u64,
}

impl Vault {
    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    fn http(&self) -> Result<&Arc<Http>, VaultError> {
        self.http
            .as_ref()
            .ok_or_else(|| VaultError::Credential("its `ca` cannot be used".to_owned()))
    }

    /// The token in use, or a new one. Those who wait while a login fails have its answer: nobody waits for a failure of
    /// their own, one after the other.
    async fn token(&self) -> Result<Arc<Token>, VaultError> {
        let asked_at = Instant::now();
        let mut login = self.login.lock().await;
        if let Some(token) = login.token.as_ref().filter(|t| t.is_good()) {
            return Ok(token.clone());
        }
        if let Some((at, why)) = &login.failed
            && *at >= asked_at
        {
            return Err(why.clone());
        }
        match token::log_in(self.http()?, &self.config, &self.plain).await {
            Ok(fresh) => {
                *login = Login {
                    token: Some(fresh.clone()),
                    failed: None,
                };
                Ok(fresh)
            }
            Err(why) => {
                login.failed = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }

    /// A request with a token, and which; once more with a new one if it was denied, as the one in use may have been revoked.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(Answer, Arc<Token>), VaultError> {
        let token = self.token().await?;
        let http = self.http()?;
        match http
            .send(method.clone(), path, Some(&token.secret), body)
            .await
        {
            Err(VaultError::Denied) => {}
            done => return Ok((done?, token)),
        }
        {
            let mut login = self.login.lock().await;
            if login.token.as_ref().is_some_and(|t| Arc::ptr_eq(t, &token)) {
                login.token = None;
            }
        }
        let token = self.token().await?;
        let answer = http.send(method, path, Some(&token.secret), body).await?;
        Ok((answer, token))
    }

    async fn read(&self, from: &VaultPath) -> Result<Secret, VaultError> {
        let path = format!("{}/data/{}", from.mount, from.path);
        let field = from.field.as_deref().unwrap_or_default();
        let (answer, _) = self.send(Method::GET, &path, None).await?;
        let kept: Kept = answer.read()?;
        let mut data = kept.data.data.ok_or(VaultError::Nothing)?;
        match data.remove(field) {
            Some(Value::String(text)) => Ok(Secret::new(text)),
            Some(_) => Err(VaultError::Unexpected("the field is not a text")),
            None => Err(VaultError::Unexpected("the secret has no such field")),
        }
    }

    async fn issue(
        self: Arc<Self>,
        from: &VaultPath,
        book: Arc<Book>,
        returns: Arc<Returns>,
    ) -> Result<Lease, VaultError> {
        let path = format!("{}/{}", from.mount, from.path);
        let begun = Instant::now();
        let (answer, token) = self.send(Method::GET, &path, None).await?;
        let made: Made = answer.read()?;
        let noted = book.note(&Note {
            vault: self.config.name.clone(),
            lease: made.lease_id.clone(),
        });
        let life = Arc::new(Life {
            vault: self,
            book,
            id: made.lease_id,
            time: Duration::from_secs(made.lease_duration),
            renewable: made.renewable,
            token,
            state: Mutex::default(),
            over: Notify::new(),
        });
        let held = Issued {
            life: life.clone(),
            returns,
        };
        // A lease that a start after a crash would not find is not used, and goes back at once.
        noted.map_err(|why| VaultError::Credential(format!("its lease cannot be noted: {why}")))?;
        tokio::spawn(issued::keep(life, begun));
        Ok(Lease {
            user: made.data.username,
            rights: from.to_string(),
            password: Secret::new(made.data.password),
            private_key: None,
            certifier: None,
            client_certificate: None,
            held: Some(Box::new(held)),
        })
    }

    async fn renew(&self, lease: &str, time: Duration) -> Result<Duration, VaultError> {
        let body = json!({ "lease_id": lease, "increment": time.as_secs() });
        let path = "sys/leases/renew";
        let (answer, _) = self.send(Method::PUT, path, Some(&body)).await?;
        let renewed: Renewed = answer.read()?;
        Ok(Duration::from_secs(renewed.lease_duration))
    }

    /// Ends it, and waits until it has ended.
    async fn revoke(&self, lease: &str) -> Result<(), VaultError> {
        let body = json!({ "lease_id": lease, "sync": true });
        match self
            .send(Method::PUT, "sys/leases/revoke", Some(&body))
            .await
        {
            // What is not there any more has ended.
            Err(VaultError::Nothing) => Ok(()),
            done => done.map(drop),
        }
    }
}

//! Joining the parts: store, identity, gate, data path, API.
//!
//! Lives here: who gets which port. Never: what a part does.

use super::bind;
use super::bundle;
use super::system::{SystemClock, SystemRandomness};
use crate::config::Checked;
use crate::config::checked::SecretSource;
use arc_swap::ArcSwap;
use brattice_core::audit::{Entry, Event};
use brattice_core::gate::{Catalogues, Gate};
use brattice_core::ids::{CredentialId, Revision};
use brattice_core::mask::TokenKey;
use brattice_core::ports::{AuditLog, BoxFuture, MintedCredential, Randomness, StoreError};
use brattice_core::secret::Secret;
use brattice_core::time::Clock;
use brattice_identity::lend::{Environment, ProcessEnvironment};
use brattice_identity::oidc::OidcError;
use brattice_identity::throttle::ThrottleLimits;
use brattice_identity::{Lender, MintedLookup, Oidc};
use brattice_proxy::endpoint::Endpoints;
use brattice_proxy::live::Live;
use brattice_proxy::postgres::cancel::Cancels;
use brattice_proxy::postgres::catalogue::TargetCatalogues;
use brattice_proxy::postgres::{ListenerTls, Service};
use brattice_proxy::tls;
use brattice_store::audit::{Log, Settings as AuditSettings};
use brattice_store::db::{Db, Settings as DbSettings};
use brattice_store::recording::{MasterKeys, Shelf};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Why the gateway cannot start, or a bundle cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The bundle is wrong in ways that only its parts can tell.
    #[error("the bundle cannot be applied:\n  {}", .0.join("\n  "))]
    Bundle(Vec<String>),
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A secret is not there.
    #[error("{what} is not there: {why}")]
    Secret {
        /// Which.
        what: String,
        /// Why.
        why: String,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The audit log cannot be opened.
    #[error("the audit log cannot be opened")]
    Audit(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The recordings cannot be opened.
    #[error("the recordings cannot be opened")]
    Recordings(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database cannot be opened.
    #[error("the database cannot be opened")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The providers cannot be set up.
    #[error(transparent)]
    Identity(#[from] OidcError),
    /// A port cannot be had.
    #[error("the {what} listener cannot be opened")]
    Listen {
        /// Which listener.
        what: &'static str,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
}

/// All parts of a running gateway.
pub struct Gateway {
    /// The configuration in force.
    pub checked: ArcSwap<Checked>,
    /// The gate.
    pub gate: Arc<Gate>,
    /// The audit log.
    pub log: Log,
    /// The recordings.
    pub shelf: Arc<Shelf>,
    /// The database.
    pub db: Db,
    /// The providers.
    pub oidc: Arc<Oidc>,
    /// The credentials.
    pub lender: Arc<Lender>,
    /// The addresses.
    pub endpoints: Arc<Endpoints>,
    /// Open sessions.
    pub live: Arc<Live>,
    /// Cancel keys.
    pub cancels: Arc<Cancels>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub randomness: Arc<dyn Randomness>,
    catalogues: Mutex<HashMap<String, Arc<TargetCatalogues>>>,
    revision: AtomicU64,
    tokens: TokenKey,
}

impl Gateway {
    /// Makes every part from a configuration.
    ///
    /// # Errors
    /// With what is missing or wrong; nothing is served then.
    pub async fn assemble(checked: Checked) -> Result<Self, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let randomness: Arc<dyn Randomness> = Arc::new(SystemRandomness);
        let node = "node-1".to_owned();
        std::fs::create_dir_all(&checked.data_dir).map_err(|cause| StartError::File { path: checked.data_dir.clone(), cause })?;
        let (log, recovered) =
            Log::open(AuditSettings::new(checked.data_dir.join("audit"), &node), randomness.as_ref(), clock.clone())
                .map_err(|e| StartError::Audit(Box::new(e)))?;
        let master = secret(&checked.recording.master_key, "recording.master_key")?;
        let keys = MasterKeys::new(&master).map_err(|e| StartError::Recordings(Box::new(e)))?;
        let shelf = Shelf::open(checked.data_dir.join("recordings"), keys, randomness.clone())
            .map_err(|e| StartError::Recordings(Box::new(e)))?;
        let db = Db::open(DbSettings::new(checked.database.clone(), node), randomness.clone(), clock.clone())
            .await
            .map_err(|e| StartError::Database(Box::new(e)))?;
        let left = db.settle_left_open().await.map_err(|e| StartError::Database(Box::new(e)))?;
        for r in shelf.recover().map_err(|e| StartError::Recordings(Box::new(e)))? {
            tracing::warn!(session = %r.session, "a recording was left open and now ends as interrupted");
        }
        let oidc = Oidc::new(bundle::issuers(&checked)?, Arc::new(MintedIn(db.clone(), clock.clone())), clock.clone(), ThrottleLimits::default())?;
        let lender = Arc::new(Lender::new(bundle::credentials(&checked), Arc::new(ProcessEnvironment), None));
        let endpoints = Arc::new(Endpoints::default());
        endpoints.apply(bundle::endpoints(&checked)?);
        let catalogues = Mutex::new(HashMap::new());
        let maker = CatalogueMaker { endpoints: &endpoints, lender: &lender, clock: &clock, kept: &catalogues };
        let revision = recovered.entries + 1;
        let tokens = token_key(&master)?;
        let in_force = bundle::in_force(&checked, Revision(revision), tokens.clone(), &|t| maker.of(t))?;
        let gate = Gate::new(in_force, clock.clone(), randomness.clone(), Arc::new(log.clone()), Arc::new(db.clone()));
        let gateway = Self {
            gate: Arc::new(gate),
            log,
            shelf: Arc::new(shelf),
            db,
            oidc: Arc::new(oidc),
            lender,
            endpoints,
            live: Arc::default(),
            cancels: Arc::default(),
            clock,
            randomness,
            catalogues,
            revision: AtomicU64::new(revision),
            tokens,
            checked: ArcSwap::from_pointee(checked),
        };
        gateway.note(Event::Boot { version: env!("CARGO_PKG_VERSION").to_owned(), interrupted: left.interrupted })?;
        let digest = gateway.checked.load().digest;
        gateway.note(Event::BundleApplied { digest })?;
        Ok(gateway)
    }

    /// Puts another configuration in force. Listeners and directories stay what they are.
    ///
    /// # Errors
    /// When anything in it is wrong: the one before stays in force then.
    pub fn apply(&self, checked: Checked) -> Result<Revision, StartError> {
        let issuers = bundle::issuers(&checked)?;
        let endpoints = bundle::endpoints(&checked)?;
        let maker = CatalogueMaker { endpoints: &self.endpoints, lender: &self.lender, clock: &self.clock, kept: &self.catalogues };
        let revision = Revision(self.revision.load(Ordering::Acquire) + 1);
        let in_force = bundle::in_force(&checked, revision, self.tokens.clone(), &|t| maker.of(t))?;
        self.oidc.reconfigure(issuers)?;
        self.note(Event::BundleApplied { digest: checked.digest })?;
        self.endpoints.apply(endpoints);
        self.lender.replace(bundle::credentials(&checked));
        self.gate.apply(in_force);
        self.revision.store(revision.0, Ordering::Release);
        self.checked.store(Arc::new(checked));
        tracing::info!(%revision, "a bundle came into force");
        Ok(revision)
    }

    /// The revision in force.
    pub fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Acquire))
    }

    /// Connections that are served at once.
    pub fn connections_max(&self) -> usize {
        usize::try_from(self.checked.load().limits.connections_max).unwrap_or(usize::MAX)
    }

    /// How long sessions may go on after the gateway was told to stop.
    pub fn drain_max(&self) -> Duration {
        self.checked.load().limits.drain_max
    }

    /// Puts an entry about the gateway itself on record.
    pub fn note(&self, event: Event) -> Result<(), StartError> {
        let entry = Entry { at: self.clock.now(), session: None, sequence: None, revision: self.revision(), event };
        self.log.append(&entry).map(drop).map_err(|e| StartError::Audit(Box::new(e)))
    }

    /// The PostgreSQL listener and its service, if there is one.
    pub(super) async fn postgres(&self) -> Result<Option<(TcpListener, Arc<Service>)>, StartError> {
        let checked = self.checked.load_full();
        let Some(wanted) = &checked.listen.postgres else { return Ok(None) };
        let tls = match &wanted.tls {
            Some(files) => {
                let read = |path: &PathBuf| std::fs::read(path).map_err(|cause| StartError::File { path: path.clone(), cause });
                let (config, leaf) = tls::server(&read(&files.cert)?, &read(&files.key)?, &[b"postgresql"])?;
                Some(ListenerTls::new(TlsAcceptor::from(config), leaf.as_ref()))
            }
            None => None,
        };
        let mut mock_key = [0; 32];
        self.randomness.fill(&mut mock_key).map_err(|e| StartError::Audit(Box::new(e)))?;
        let limits = brattice_proxy::postgres::Limits {
            statement_bytes_max: usize::try_from(checked.limits.statement_bytes_max).unwrap_or(usize::MAX),
            ..brattice_proxy::postgres::Limits::default()
        };
        let service = Service {
            gate: self.gate.clone(),
            authenticator: self.oidc.clone(),
            lender: self.lender.clone(),
            recordings: self.shelf.clone(),
            endpoints: self.endpoints.clone(),
            live: self.live.clone(),
            cancels: self.cancels.clone(),
            witness: Arc::new(super::tend::SessionList::new(self.db.clone(), self.clock.clone())),
            randomness: self.randomness.clone(),
            tls,
            plaintext_loopback: wanted.allow_plaintext_loopback,
            oauth: None,
            limits,
            login_max: checked.limits.login_max,
            mock_key,
        };
        Ok(Some((bind("postgres", wanted.addr).await?, Arc::new(service))))
    }

    /// Closes the record. Nothing may be served any more.
    pub(super) async fn close(&self) {
        if let Err(error) = self.log.close().await {
            tracing::error!(%error, "the audit log could not be closed");
        }
        self.db.close().await;
    }
}

/// The value of a secret, for the parts that need it at the start.
pub(crate) fn secret(source: &SecretSource, what: &str) -> Result<Secret, StartError> {
    let missing = |why: String| StartError::Secret { what: what.to_owned(), why };
    match source {
        SecretSource::Env(name) => ProcessEnvironment.variable(name).ok_or_else(|| missing(format!("the variable {name} is not set"))),
        SecretSource::File(path) => std::fs::read(path).map(Secret::new).map_err(|e| missing(format!("{}: {e}", path.display()))),
        SecretSource::Sealed(_) => Err(missing("it cannot be sealed by the gateway that needs it to start".to_owned())),
    }
}

/// The key of stable tokens, derived from the recording's master key so that it survives restarts.
fn token_key(master: &Secret) -> Result<TokenKey, StartError> {
    let mut h = brattice_core::ids::Hasher::new();
    h.field(b"brattice token key 1").field(master.expose());
    Ok(TokenKey::new(&h.finish().0))
}

/// Keeps one reader of catalogues for each target across bundles.
struct CatalogueMaker<'a> {
    endpoints: &'a Arc<Endpoints>,
    lender: &'a Arc<Lender>,
    clock: &'a Arc<dyn Clock>,
    kept: &'a Mutex<HashMap<String, Arc<TargetCatalogues>>>,
}

impl CatalogueMaker<'_> {
    fn of(&self, target: &str) -> Arc<dyn Catalogues> {
        let mut kept = match self.kept.lock() {
            Ok(k) => k,
            Err(poisoned) => poisoned.into_inner(),
        };
        kept.entry(target.to_owned())
            .or_insert_with(|| {
                Arc::new(TargetCatalogues::new(
                    target.to_owned(),
                    self.endpoints.clone(),
                    self.lender.clone(),
                    self.clock.clone(),
                    brattice_proxy::postgres::Limits::default(),
                ))
            })
            .clone()
    }
}

/// Minted credentials as the store keeps them.
struct MintedIn(Db, Arc<dyn Clock>);

impl MintedLookup for MintedIn {
    fn minted<'a>(&'a self, id: &'a CredentialId) -> BoxFuture<'a, Result<Option<MintedCredential>, StoreError>> {
        Box::pin(async move { self.0.credential(id, self.1.now()).await })
    }
}

//! Joining the parts: store, identity, gate, data path.
//!
//! Lives here: who gets which port. Never: what a part does.

use super::certificates::{self, Certificates};
use super::error::{StartError, boxed};
use super::source::Source;
use super::ssh_keys::SshKeys;
use super::tend::SessionList;
use super::{bundle, catalogues, credentials, ended, node};
use crate::adapt::{
    CountedRecordings, Freezes, KeysIn, LastProofs, OwnServers, Revocations, Routes, SealedIn,
    Seen, StepsIn, Tally, Unrevoked, Unvoided, Watchers,
};
use crate::config::{Checked, Report, secrets};
use arc_swap::ArcSwap;
use brattice_admin::ports::Failed;
use brattice_core::approval::ApprovalState;
use brattice_core::audit::{Entry, Event};
use brattice_core::gate::{CutReason, Gate};
use brattice_core::ids::{CredentialId, Revision};
use brattice_core::mask::TokenKey;
use brattice_core::ports::{AuditLog, BoxFuture, MintedCredential, Randomness, StoreError};
use brattice_core::secret::Secret;
use brattice_core::time::{Clock, Timestamp};
use brattice_identity::dpop::Proofs;
use brattice_identity::lend::{Parts, ProcessEnvironment, SealedStore, SealingKey, SealingKeys};
use brattice_identity::login::{LoginParts, Logins};
use brattice_identity::saml::UsedAssertions;
use brattice_identity::sts::{OwnTokens, Ring, RingError, Tokens};
use brattice_identity::throttle::ThrottleLimits;
use brattice_identity::{Lender, MintedLookup, Oidc, Spiffe};
use brattice_proxy::endpoint::Endpoints;
use brattice_proxy::live::Live;
use brattice_proxy::postgres::cancel::Cancels;
use brattice_proxy::postgres::own::KeptOwn;
use brattice_proxy::room::Room;
use brattice_proxy::ssh::Hosts;
use brattice_store::audit::{Log, Settings as AuditSettings};
use brattice_store::db::{Db, Limits as DbLimits, Settings as DbSettings};
use brattice_store::recording::{MasterKeys, Shelf};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;

/// This node's name in the store and in the audit log.
const NODE: &str = "node-1";
/// Where leases are noted while they are out, below the data directory.
const LEASES: &str = "leases";
/// Where the audit log is, below the data directory.
const AUDIT: &str = "audit";

/// All parts of a gateway.
pub struct Gateway {
    /// The configuration in force.
    pub checked: ArcSwap<Checked>,
    /// The gate.
    pub gate: Arc<Gate>,
    /// The audit log.
    pub log: Log,
    /// The same log, counting: what everything is written to.
    pub tally: Arc<Tally>,
    /// The recordings.
    pub shelf: Arc<Shelf>,
    /// The database.
    pub db: Db,
    /// The providers.
    pub oidc: Arc<Oidc>,
    /// The gateway's own tokens.
    pub own_tokens: Arc<OwnTokens>,
    /// The trust domains of workloads that show certificates.
    pub(super) spiffe: Arc<Spiffe>,
    /// DPoP proofs that were used. A bundle that comes into force forgets none.
    pub proofs: Proofs,
    /// Where people sign in.
    pub logins: Arc<Logins>,
    /// SAML assertions that were used.
    pub(super) used_assertions: Arc<UsedAssertions>,
    /// The providers and our own tokens, and nobody who was revoked since.
    pub authenticator: Arc<Unrevoked>,
    /// Whose proofs are void.
    pub revocations: Arc<Revocations>,
    /// What people have stopped.
    pub freezes: Arc<Freezes>,
    /// Who proved who they are lately.
    pub seen: Arc<Seen>,
    /// The credentials.
    pub lender: Arc<Lender>,
    /// Connections of our own to the targets, for what leases need.
    pub(super) own_connections: Arc<KeptOwn>,
    /// The targets' addresses.
    pub endpoints: Arc<Endpoints>,
    /// The hosts.
    pub hosts: Arc<Hosts>,
    /// The gateway's own keys for SSH, where it listens for it.
    pub ssh_keys: Option<Arc<SshKeys>>,
    /// Open sessions.
    pub live: Arc<Live>,
    /// Who looks on at them.
    pub watchers: Arc<Watchers>,
    /// Cancel keys.
    pub cancels: Arc<Cancels>,
    /// Where questions are announced.
    pub routes: ArcSwap<Routes>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub randomness: Arc<dyn Randomness>,
    pub(super) source: Source,
    pub(crate) recordings: Arc<CountedRecordings>,
    pub(crate) list: Arc<SessionList>,
    pub(super) certificates: Certificates,
    pub(super) kept: catalogues::Kept,
    pub(super) connections: bundle::Connections,
    pub(super) key_sealing: Arc<SealingKeys>,
    pub(super) tokens: TokenKey,
    pub(super) revision: AtomicU64,
    pub(super) applied_at: AtomicI64,
    pub(super) applied: watch::Sender<Revision>,
    pub(super) applying: tokio::sync::Mutex<()>,
    pub(super) refused_bundles: AtomicU64,
    pub(super) postgres_at: OnceLock<SocketAddr>,
    pub(super) ssh_at: OnceLock<SocketAddr>,
    pub(super) draining: AtomicBool,
}

impl Gateway {
    /// Makes every part, and reads the first bundle's words into them.
    ///
    /// # Errors
    /// With what is missing or wrong; nothing is served then.
    pub async fn assemble(
        source: Source,
        checked: Checked,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, StartError> {
        private_directory(&checked.data_dir)?;
        let (log, recovered) = Log::open(
            AuditSettings::new(checked.data_dir.join(AUDIT), NODE),
            randomness.as_ref(),
            clock.clone(),
        )
        .map_err(|e| StartError::Audit(boxed(e)))?;
        let tally = Arc::new(Tally::new(log.clone()));
        let master = key(&checked.recording.master_key, "recording.master_key")?;
        let shelf = shelf(&checked, &master, &randomness)?;
        let db = database(&checked, &randomness, &clock).await?;
        let left = db
            .settle_left_open()
            .await
            .map_err(|e| StartError::Database(boxed(e)))?;

        let minted = Arc::new(MintedIn(db.clone(), clock.clone()));
        let issuers = bundle::issuers(&checked)?;
        let oidc = Arc::new(Oidc::new(
            issuers,
            minted,
            clock.clone(),
            ThrottleLimits::default(),
        )?);
        let revocations = Arc::new(Revocations::new(db.clone(), clock.clone()));
        revocations.set_leeway(bundle::leeway(&checked));
        let freezes = Arc::new(Freezes::new(db.clone(), clock.clone()));
        let seen = Arc::new(Seen::new(db.clone(), clock.clone()));
        let key_sealing = Arc::new(key_sealing(&master)?);
        let keys = KeysIn(db.clone());
        let ring = Ring::open(&keys, &key_sealing, randomness.as_ref(), clock.now());
        let ring = ring.await.map_err(|e| StartError::TokenKeys(boxed(e)))?;
        let issuer = checked.listen.admin.public_url.trim_end_matches('/');
        let own_tokens = Arc::new(OwnTokens::new(issuer.to_owned(), ring));
        let spiffe = Arc::new(Spiffe::default());
        spiffe
            .reconfigure(bundle::spiffe(&checked)?)
            .map_err(bundle::wrong)?;
        let authenticator = Arc::new(Unrevoked::new(
            Arc::new(Tokens::new(
                oidc.clone(),
                own_tokens.clone(),
                spiffe.clone(),
            )),
            revocations.clone(),
            seen.clone(),
        ));
        let logins = Arc::new(Logins::new(LoginParts {
            oidc: oidc.clone(),
            own: own_tokens.clone(),
            store: Arc::new(StepsIn(db.clone(), revocations.clone())),
            still_good: Arc::new(Unvoided(revocations.clone())),
            sealing: key_sealing.clone(),
            clock: clock.clone(),
            randomness: randomness.clone(),
        }));
        let limits = &checked.limits;
        logins.set_lifetimes(limits.sign_in_max, limits.own_token_lifetime_max);
        let used_assertions = Arc::new(UsedAssertions::default());
        logins.set_saml(bundle::saml(&checked, &used_assertions)?);
        oidc.know_beside(bundle::beside(&checked));
        let sealed = sealing(&checked, &db)?;
        let endpoints = Arc::new(Endpoints::default());
        let own_connections = Arc::new(KeptOwn::default());
        let ssh_keys = SshKeys::of(&checked, randomness.as_ref())?.map(Arc::new);
        let lender = Arc::new(Lender::new(Parts {
            environment: Arc::new(ProcessEnvironment),
            sealed,
            servers: Arc::new(OwnServers::new(endpoints.clone(), own_connections.clone())),
            randomness: randomness.clone(),
            clock: clock.clone(),
            node: node::name(&checked.data_dir, randomness.as_ref())?,
            leases: checked.data_dir.join(LEASES),
            ssh: ssh_keys.as_ref().map(|k| k.target_ca.clone()),
        }));
        lender.replace(
            credentials::by_target(&checked),
            credentials::vaults(&checked)?,
            credentials::aws(&checked)?,
        );
        let connections = bundle::Connections::default();
        endpoints.apply(bundle::endpoints(&checked, &connections)?);
        let hosts = Arc::new(Hosts::default());
        hosts.apply(bundle::hosts(&checked, &connections));

        let kept = catalogues::Kept::new(endpoints.clone(), lender.clone(), clock.clone());
        // Every bundle that comes into force puts an entry on record, so this is higher than any number given before.
        let revision = Revision(recovered.entries + 1);
        let tokens = token_key(&master);
        let in_force = bundle::in_force(&checked, revision, tokens.clone(), &|t| kept.of(t))?;
        let gate = Gate::new(
            in_force,
            clock.clone(),
            randomness.clone(),
            tally.clone(),
            Arc::new(db.clone()),
            Arc::new(LastProofs::new(seen.clone(), revocations.clone())),
            freezes.clone(),
        );
        let figures = db
            .usage()
            .await
            .map_err(|e| StartError::Database(boxed(e)))?;
        for (chain, of) in figures {
            gate.meters().restore(chain, of);
        }
        let spent = db.spent().await;
        for (budget, amount) in spent.map_err(|e| StartError::Database(boxed(e)))? {
            gate.meters().restore_spent(budget, amount, clock.now());
        }
        let routes = Routes::of(&checked, clock.clone(), randomness.clone())?;
        let asked = certificates::Asked::default();
        let certificates = Certificates::new(certificates::Read::of(&checked, &asked)?, asked);
        let now = clock.now();
        let gateway = Self {
            gate: Arc::new(gate),
            recordings: Arc::new(CountedRecordings::new(shelf.clone(), tally.clone())),
            list: Arc::new(SessionList::new(db.clone(), tally.clone(), clock.clone())),
            routes: ArcSwap::from_pointee(routes),
            live: Arc::default(),
            watchers: Arc::default(),
            cancels: Arc::default(),
            revision: AtomicU64::new(revision.0),
            applied_at: AtomicI64::new(now.0),
            applied: watch::channel(revision).0,
            applying: tokio::sync::Mutex::new(()),
            refused_bundles: AtomicU64::new(0),
            postgres_at: OnceLock::new(),
            ssh_at: OnceLock::new(),
            draining: AtomicBool::new(false),
            checked: ArcSwap::from_pointee(checked),
            log,
            tally,
            shelf,
            db,
            oidc,
            own_tokens,
            spiffe,
            proofs: Proofs::new(now),
            logins,
            used_assertions,
            key_sealing,
            authenticator,
            revocations,
            freezes,
            seen,
            lender,
            own_connections,
            endpoints,
            hosts,
            ssh_keys,
            clock,
            randomness,
            source,
            kept,
            certificates,
            connections,
            tokens,
        };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        gateway.note(Event::Boot {
            version,
            interrupted: left.interrupted,
        })?;
        for id in &left.not_run {
            if let Some(event) = ended::event(id, ApprovalState::NotRun) {
                gateway.note(event)?;
            }
        }
        gateway
            .note_bundle(revision, gateway.checked.load().digest)
            .await?;
        Ok(gateway)
    }

    /// Reads the bundle's files anew. The outer error is of this program, the inner of the bundle.
    pub(crate) async fn read(&self) -> Result<Result<Checked, Report>, Failed> {
        let source = self.source.clone();
        let reading = tokio::task::spawn_blocking(move || source.read());
        reading
            .await
            .map_err(|why| Failed::new("read the bundle", why))
    }

    /// The revision in force.
    pub fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Acquire))
    }

    /// When it came into force.
    pub fn applied_at(&self) -> Timestamp {
        Timestamp(self.applied_at.load(Ordering::Acquire))
    }

    /// Bundles that were read and not applied since the start.
    pub fn refused_bundles(&self) -> u64 {
        self.refused_bundles.load(Ordering::Relaxed)
    }

    /// Whether it is stopping.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Where the audit log's files are.
    pub fn audit_dir(&self) -> PathBuf {
        self.checked.load().data_dir.join(AUDIT)
    }

    /// The host and the port that callers are told to connect to with PostgreSQL's protocol.
    pub fn postgres_address(&self) -> Option<(String, u16)> {
        let checked = self.checked.load();
        let wanted = checked.listen.postgres.as_ref()?;
        let port = self
            .postgres_at
            .get()
            .map_or(wanted.addr.port(), SocketAddr::port);
        Some((wanted.public_host.clone(), port))
    }

    /// The same with SSH.
    pub fn ssh_address(&self) -> Option<(String, u16)> {
        let checked = self.checked.load();
        let wanted = checked.listen.ssh.as_ref()?;
        let port = self
            .ssh_at
            .get()
            .map_or(wanted.addr.port(), SocketAddr::port);
        Some((wanted.public_host.clone(), port))
    }

    /// Room for the connections of one listener.
    pub(super) fn room(&self) -> Arc<Room> {
        let limits = &self.checked.load().limits;
        let count = |max: u32| usize::try_from(max).unwrap_or(usize::MAX);
        Room::new(
            count(limits.connections_max),
            count(limits.connections_of_one_max),
        )
    }

    /// The same on the API.
    pub(super) fn api_connections_max(&self) -> usize {
        usize::try_from(self.checked.load().limits.api_connections_max).unwrap_or(usize::MAX)
    }

    /// How long sessions may go on after the gateway was told to stop.
    pub(super) fn drain_max(&self) -> Duration {
        self.checked.load().limits.drain_max
    }

    /// Cuts every session with someone in its chain who was revoked after the session's proof. Returns how many.
    ///
    /// # Errors
    /// When the revocations cannot be read.
    pub async fn cut_voided(&self) -> Result<usize, StoreError> {
        let held = self.revocations.current().await?;
        let cut = self
            .live
            .cut_where(CutReason::Revoked, |s| held.voids(&s.identity).is_some());
        Ok(cut.len())
    }

    /// Puts an entry about the gateway itself on record.
    pub(super) fn note(&self, event: Event) -> Result<(), StartError> {
        let entry = Entry {
            at: self.clock.now(),
            session: None,
            sequence: None,
            revision: self.revision(),
            event,
        };
        self.tally
            .append(&entry)
            .map(drop)
            .map_err(|e| StartError::Audit(boxed(e)))
    }

    /// Takes a fresh key for tokens into use, when the one that signs is old enough.
    pub(super) async fn turn_token_keys(&self) -> Result<(), RingError> {
        let (store, randomness) = (KeysIn(self.db.clone()), self.randomness.as_ref());
        let ring = self.own_tokens.ring();
        let turned = ring.turned(&store, &self.key_sealing, randomness, self.clock.now());
        if let Some(ring) = turned.await? {
            self.own_tokens.turn(ring);
        }
        Ok(())
    }

    /// Keeps what chains have used up since this was last done.
    pub(super) async fn keep_usage(&self) {
        let meters = self.gate.meters();
        let (figures, spent) = (meters.changed(), meters.changed_spent());
        if figures.is_empty() && spent.is_empty() {
            return;
        }
        if let Err(error) = self.db.keep_usage(&figures, &spent).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "what was used up could not be kept"
            );
            meters.tell_again(&figures, &spent);
        }
    }

    /// Closes the record. Nothing may be served any more.
    pub(super) async fn close(&self) {
        self.list.written().await;
        self.keep_usage().await;
        if let Err(error) = self.log.close().await {
            tracing::error!(%error, "the audit log could not be closed");
        }
        self.db.close().await;
    }
}

fn private_directory(path: &std::path::Path) -> Result<(), StartError> {
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.map_err(|cause| StartError::File {
        path: path.to_owned(),
        cause,
    })
}

fn shelf(
    checked: &Checked,
    master: &Secret,
    randomness: &Arc<dyn Randomness>,
) -> Result<Arc<Shelf>, StartError> {
    let keys = MasterKeys::new(master).map_err(|e| StartError::Recordings(boxed(e)))?;
    let shelf = Shelf::open(
        checked.data_dir.join("recordings"),
        keys,
        randomness.clone(),
    )
    .map_err(|e| StartError::Recordings(boxed(e)))?;
    for left in shelf
        .recover()
        .map_err(|e| StartError::Recordings(boxed(e)))?
    {
        match left.end {
            Ok(_) => {
                tracing::warn!(session = %left.session, "a recording was left open and now ends as interrupted")
            }
            Err(error) => tracing::error!(
                session = %left.session,
                error = &error as &dyn std::error::Error,
                "a recording that was left open cannot be given an end"
            ),
        }
    }
    Ok(Arc::new(shelf))
}

async fn database(
    checked: &Checked,
    randomness: &Arc<dyn Randomness>,
    clock: &Arc<dyn Clock>,
) -> Result<Db, StartError> {
    if let Some(parent) = checked.database.parent() {
        private_directory(parent)?;
    }
    let limits = DbLimits {
        asked_per_minute_max: checked.limits.questions_per_minute_max,
        ..DbLimits::default()
    };
    let settings = DbSettings {
        path: checked.database.clone(),
        node: NODE.to_owned(),
        limits,
    };
    Db::open(settings, randomness.clone(), clock.clone())
        .await
        .map_err(|e| StartError::Database(boxed(e)))
}

/// Sealed secrets and the keys that open them.
type Sealing = (Arc<dyn SealedStore>, SealingKeys);

/// What opens the sealed store, where the bundle has one.
fn sealing(checked: &Checked, db: &Db) -> Result<Option<Sealing>, StartError> {
    let Some(source) = &checked.sealing_key else {
        return Ok(None);
    };
    let missing = |why: String| StartError::Secret {
        what: "store.sealing_key".to_owned(),
        why,
    };
    let text = secrets::read(source).map_err(|e| missing(e.to_string()))?;
    let key = SealingKey::from_text(&text).map_err(|e| missing(e.to_string()))?;
    Ok(Some((Arc::new(SealedIn(db.clone())), SealingKeys::of(key))))
}

/// A key of 32 bytes that the program needs to start.
fn key(source: &crate::config::checked::SecretSource, what: &str) -> Result<Secret, StartError> {
    secrets::read_key(source).map_err(|e| StartError::Secret {
        what: what.to_owned(),
        why: e.to_string(),
    })
}

/// The key of stable tokens, derived from the recordings' master key so that it survives restarts.
fn token_key(master: &Secret) -> TokenKey {
    let mut h = brattice_core::ids::Hasher::new();
    h.field(b"brattice token key 1").field(master.expose());
    TokenKey::new(&h.finish().0)
}

/// The key that seals the keys of tokens, derived from the recordings' master key so that it survives restarts.
fn key_sealing(master: &Secret) -> Result<SealingKeys, StartError> {
    let mut h = brattice_core::ids::Hasher::new();
    h.field(b"brattice key of token keys 1")
        .field(master.expose());
    let key = SealingKey::from_bytes(&h.finish().0);
    key.map(SealingKeys::of)
        .map_err(|e| StartError::TokenKeys(boxed(e)))
}

/// Minted credentials as the store keeps them.
struct MintedIn(Db, Arc<dyn Clock>);

impl MintedLookup for MintedIn {
    fn minted<'a>(
        &'a self,
        id: &'a CredentialId,
    ) -> BoxFuture<'a, Result<Option<MintedCredential>, StoreError>> {
        Box::pin(async move { self.0.credential(id, self.1.now()).await })
    }

    fn spend<'a>(&'a self, id: &'a CredentialId) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(self.0.spend_credential(id))
    }
}

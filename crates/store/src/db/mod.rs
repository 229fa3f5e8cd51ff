//! What is looked up rather than appended: approvals, grants, credentials, revocations, sessions, sealed secrets, who was
//! seen, who is signed in, what was used up.
//!
//! Lives here: all SQL of the gateway, and the mapping between rows and the domain. Never: a decision that needs policy,
//! a clock read, a secret in clear.
//!
//! SQLite in WAL mode with one writer at a time. What must outlive the machine's death before it is relied on (an answer,
//! a consumed approval, a revocation) is committed with a sync; sessions' metadata, which the audit log has too, is not.

mod answer;
mod approvals;
mod credentials;
mod delegations;
mod deliveries;
mod freezes;
mod grants;
mod list;
mod logins;
mod revocations;
mod revoke;
mod row;
mod schema;
mod sealed;
mod seen;
mod sessions;
mod standing;
mod usage;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_rest;

pub use answer::AnswerError;
pub use credentials::CredentialSummary;
pub use deliveries::{Delivery, DeliveryState};
pub use list::ApprovalFilter;
pub use logins::{SignIn, SignInTurn};
pub use revocations::Revocation;
pub use revoke::Voided;
pub use schema::SchemaError;
pub use seen::Seen;
pub use sessions::{SessionEnd, SessionFilter, SessionState, StoredSession};
pub use standing::Ended;

use brattice_core::ids::{ApprovalId, CredentialId, FreezeId, GrantId, SessionId};
use brattice_core::ports::{Randomness, StoreError};
use brattice_core::principal::Principal;
use brattice_core::time::Clock;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{MutexGuard, broadcast};

/// Changes that a slow reader may fall behind by before it has to look for itself.
const CHANGES_MAX: usize = 1024;
/// Connections that only read.
const READERS_MAX: u32 = 4;

/// Where the database is, whose it is, and its bounds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file; it is made if missing.
    pub path: PathBuf,
    /// This node's name: at its start it settles what its last run left open.
    pub node: String,
    /// Bounds on asking.
    pub limits: Limits,
}

/// Bounds on asking people.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Questions that one chain may put in a minute.
    pub asked_per_minute_max: u32,
    /// Questions of one chain that may be open at once.
    pub open_per_chain_max: u32,
    /// How often a waiter looks for itself, behind being woken.
    pub poll_every: Duration,
    /// How long a statement waits for another process that writes.
    pub busy_wait_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            asked_per_minute_max: 30,
            open_per_chain_max: 100,
            poll_every: Duration::from_secs(1),
            busy_wait_max: Duration::from_secs(5),
        }
    }
}

/// Something that others may be waiting for.
#[derive(Debug, Clone)]
pub enum Change {
    /// A question was put.
    Asked(ApprovalId),
    /// A question got an answer that decides nothing yet.
    Answered(ApprovalId),
    /// A question is no longer pending.
    Settled(ApprovalId),
    /// A grant was ended before its time.
    GrantEnded(GrantId),
    /// Everything that this principal proved so far is void.
    Revoked(Principal),
    /// A credential is void.
    CredentialRevoked(CredentialId),
    /// Targets were stopped.
    Frozen(FreezeId),
    /// Stopped targets may go on.
    Thawed(FreezeId),
}

/// What a node's last run left open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOpen {
    /// Questions that were pending: their askers' connections are gone, so they are "not run" now.
    pub not_run: Vec<ApprovalId>,
    /// Sessions that never ended: they are "interrupted" now.
    pub interrupted: Vec<SessionId>,
}

/// Why the database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be used.
    #[error("could not open the database ({})", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was said.
        #[source]
        source: std::io::Error,
    },
    /// SQLite cannot use it.
    #[error("could not open the database ({})", path.display())]
    Sqlite {
        /// Which.
        path: PathBuf,
        /// What was said.
        #[source]
        source: sqlx::Error,
    },
    /// Its tables are not those of this version.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// The database. Clones share it.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    readers: SqlitePool,
    /// One connection; a commit is on the disk.
    durable: SqlitePool,
    /// One connection; a commit survives the process, not the machine.
    quick: SqlitePool,
    /// Held while writing, so that our own writers queue here and not inside SQLite.
    turn: tokio::sync::Mutex<()>,
    node: String,
    limits: Limits,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
    changes: broadcast::Sender<Change>,
}

impl Db {
    /// Opens the database, and brings its tables up to this version.
    pub async fn open(
        settings: Settings,
        random: Arc<dyn Randomness>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let path = settings.path;
        // SQLite gives its companion files the same mode.
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(|source| OpenError::File {
                path: path.clone(),
                source,
            })?;
        let failed = |source| OpenError::Sqlite {
            path: path.clone(),
            source,
        };
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .foreign_keys(true)
            .busy_timeout(settings.limits.busy_wait_max);
        let full = options.clone().synchronous(SqliteSynchronous::Full);
        let normal = options.synchronous(SqliteSynchronous::Normal);
        let one = || SqlitePoolOptions::new().max_connections(1);
        let durable = one().connect_with(full.clone()).await.map_err(failed)?;
        schema::migrate(&durable).await?;
        let quick = one().connect_with(normal).await.map_err(failed)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(full.pragma("query_only", "ON"))
            .await
            .map_err(failed)?;
        Ok(Self(Arc::new(Inner {
            readers,
            durable,
            quick,
            turn: tokio::sync::Mutex::new(()),
            node: settings.node,
            limits: settings.limits,
            clock,
            random,
            changes: broadcast::channel(CHANGES_MAX).0,
        })))
    }

    /// At the gateway's start, before it serves: settles what this node's last run left open. Approved tickets, grants
    /// and consumed approvals stay what they are.
    pub async fn settle_left_open(&self) -> Result<LeftOpen, StoreError> {
        Ok(LeftOpen {
            not_run: self.settle_pending().await?,
            interrupted: self.interrupt_sessions().await?,
        })
    }

    /// What changes from now on. Whoever falls behind is told so and must look.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.0.changes.subscribe()
    }

    /// Whether the database answers. For health checks.
    pub async fn answers(&self) -> Result<(), StoreError> {
        let one: i64 = sqlx::query_scalar("SELECT 1")
            .fetch_one(&self.0.readers)
            .await
            .map_err(failed("ask the database anything"))?;
        debug_assert_eq!(one, 1);
        Ok(())
    }

    /// Ends all connections, once what is running has finished.
    pub async fn close(&self) {
        self.0.readers.close().await;
        self.0.quick.close().await;
        self.0.durable.close().await;
    }

    fn tell(&self, change: Change) {
        // Nobody listening is fine: waiters look for themselves too.
        let _listeners = self.0.changes.send(change);
    }

    async fn write(&self, operation: &'static str) -> Result<Write<'_>, StoreError> {
        self.begin(&self.0.durable, operation).await
    }

    async fn write_quickly(&self, operation: &'static str) -> Result<Write<'_>, StoreError> {
        self.begin(&self.0.quick, operation).await
    }

    async fn begin<'a>(
        &'a self,
        pool: &SqlitePool,
        operation: &'static str,
    ) -> Result<Write<'a>, StoreError> {
        let turn = self.0.turn.lock().await;
        let tx = pool
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(failed(operation))?;
        Ok(Write {
            tx,
            operation,
            _turn: turn,
        })
    }
}

/// A transaction that writes; dropped, it never was.
struct Write<'a> {
    tx: Transaction<'static, Sqlite>,
    operation: &'static str,
    _turn: MutexGuard<'a, ()>,
}

impl Write<'_> {
    async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await.map_err(failed(self.operation))
    }
}

/// Names what failed.
fn failed(operation: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |cause| StoreError {
        operation,
        cause: Box::new(cause),
    }
}

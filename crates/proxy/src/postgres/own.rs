//! Connections of the gateway's own to a target, for the few statements that no caller sent.
//!
//! Lives here: one such connection, and a few that are kept between two uses. Never: a caller's statement, what a
//! statement means.

use super::dial::{self, DialError, Dialled};
use crate::endpoint::Endpoint;
use crate::stream::Stream;
use brattice_core::classify::sql::Rows;
use brattice_core::gate::text_rows;
use brattice_core::ports::Lease;
use brattice_wire::postgres::upstream::LoginFailed;
use brattice_wire::postgres::{Backend, backend, encode};
use brattice_wire::{Limits, PeerMisbehaved, Unencodable};
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Connections of one target at once.
const AT_ONCE_MAX: usize = 4;
/// Those of them that are kept.
const KEPT_MAX: usize = 2;
/// How long one is kept without use.
const KEPT_FOR: Duration = Duration::from_secs(30);
/// How long is waited for one to become free.
const FREE_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long one statement may take.
const STATEMENT_MAX: Duration = Duration::from_secs(10);
/// What of a target's words is repeated to the operator.
const WORDS_CHARS_MAX: usize = 200;

/// Why a statement of the gateway's own was not answered; for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    /// The target could not be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection broke.
    #[error("the connection to the target broke")]
    Network(#[from] std::io::Error),
    /// The target broke the protocol.
    #[error("the target broke the protocol")]
    Misbehaved(#[from] PeerMisbehaved),
    /// The statement cannot be written.
    #[error(transparent)]
    Unencodable(#[from] Unencodable),
    /// The target refused it.
    #[error("the target answered with SQLSTATE {sqlstate}: {words}")]
    Refused {
        /// Its code.
        sqlstate: String,
        /// Its first words, cut short.
        words: String,
    },
    /// The answer is not UTF-8.
    #[error("the target's answer is not UTF-8")]
    NotText,
    /// It took too long.
    #[error("the target did not answer in time")]
    Timeout,
}

impl OwnError {
    /// The target's code, where it refused the statement or the login.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            OwnError::Refused { sqlstate, .. } => Some(sqlstate),
            OwnError::Dial(DialError::Login(LoginFailed::Refused(said))) => Some(said.sqlstate()),
            _ => None,
        }
    }
}

/// A connection of the gateway's own.
pub struct Own {
    stream: Stream,
    input: BytesMut,
    limits: Limits,
    /// The first number of the target's version.
    pub server_major: u16,
}

impl Own {
    /// What was logged in to.
    pub fn of(dialled: Dialled, limits: &Limits) -> Self {
        Self {
            stream: dialled.stream,
            input: dialled.unread,
            limits: limits.clone(),
            server_major: dialled.logged_in.server_major,
        }
    }

    /// Runs a message of the gateway's own and collects the rows of all its statements.
    ///
    /// # Errors
    /// When the target refuses it, or the connection can no longer be used.
    pub async fn query(&mut self, text: &str) -> Result<Rows, OwnError> {
        let mut out = BytesMut::new();
        encode::query(&mut out, text.as_bytes())?;
        self.stream.write_all_buf(&mut out).await?;
        self.stream.flush().await?;
        let mut rows = Vec::new();
        let mut failed = None;
        loop {
            while let Some(message) = backend::next(&mut self.input, &self.limits)? {
                match message {
                    Backend::DataRow(row) => {
                        let mut cells = Vec::with_capacity(row.len());
                        for cell in row.cells() {
                            cells.push(cell?.map(Bytes::copy_from_slice));
                        }
                        rows.push(cells);
                    }
                    Backend::ErrorResponse(fields) => {
                        failed = Some(OwnError::Refused {
                            sqlstate: fields.sqlstate().to_owned(),
                            words: words(fields.get(b'M').map(|said| said.as_ref())),
                        });
                    }
                    Backend::ReadyForQuery(_) => {
                        return match failed {
                            None => text_rows(rows).ok_or(OwnError::NotText),
                            Some(refused) => Err(refused),
                        };
                    }
                    _ => {}
                }
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

fn words(said: Option<&[u8]>) -> String {
    String::from_utf8_lossy(said.unwrap_or_default())
        .chars()
        .filter(|c| !c.is_control())
        .take(WORDS_CHARS_MAX)
        .collect()
}

/// A few connections of the gateway's own, kept for a moment after their use: opening one costs more than what it is for.
#[derive(Default)]
pub struct KeptOwn(Mutex<HashMap<String, OfTarget>>);

/// Those of one target.
struct OfTarget {
    room: Arc<Semaphore>,
    kept: Vec<Kept>,
}

impl Default for OfTarget {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            kept: Vec::new(),
        }
    }
}

struct Kept {
    own: Own,
    endpoint: Arc<Endpoint>,
    database: String,
    user: String,
    since: Instant,
}

impl KeptOwn {
    /// Runs a message on a kept connection of this login, or on a new one.
    ///
    /// # Errors
    /// When the target cannot be reached or refuses it.
    pub async fn query(
        &self,
        endpoint: &Arc<Endpoint>,
        database: &str,
        lease: &Lease,
        text: &str,
    ) -> Result<Rows, OwnError> {
        let room = self
            .all()
            .entry(endpoint.name.clone())
            .or_default()
            .room
            .clone();
        // However many sessions open at once, the target has few connections more than theirs.
        let _room = tokio::time::timeout(FREE_WAIT_MAX, room.acquire())
            .await
            .map_err(|_| OwnError::Timeout)?;
        if let Some(mut own) = self.take(endpoint, database, &lease.user) {
            match bounded(own.query(text)).await {
                // One that has died since it was put by says nothing about the target.
                Err(OwnError::Network(_)) => {}
                done => {
                    self.put(own, endpoint, database, &lease.user, &done);
                    return done;
                }
            }
        }
        let limits = Limits::default();
        // Names and operators are the server's own: whoever may create something in a schema of the usual path could
        // otherwise have it run with the rights of this login.
        let path = vec![("search_path".to_owned(), "pg_catalog".to_owned())];
        let name = "brattice leases";
        let dialled = dial::connect(endpoint, database, lease, name, path, &limits).await?;
        let mut own = Own::of(dialled, &limits);
        let done = bounded(own.query(text)).await;
        self.put(own, endpoint, database, &lease.user, &done);
        done
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, OfTarget>> {
        match self.0.lock() {
            Ok(all) => all,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// The newest kept one for this place and login. A target that was configured anew is dialled anew.
    fn take(&self, endpoint: &Arc<Endpoint>, database: &str, user: &str) -> Option<Own> {
        let mut all = self.all();
        let kept = &mut all.get_mut(&endpoint.name)?.kept;
        kept.retain(|k| k.since.elapsed() < KEPT_FOR && Arc::ptr_eq(&k.endpoint, endpoint));
        let at = kept
            .iter()
            .rposition(|k| k.database == database && k.user == user)?;
        Some(kept.swap_remove(at).own)
    }

    fn put(
        &self,
        own: Own,
        endpoint: &Arc<Endpoint>,
        database: &str,
        user: &str,
        done: &Result<Rows, OwnError>,
    ) {
        if !matches!(done, Ok(_) | Err(OwnError::Refused { .. })) {
            return;
        }
        let mut all = self.all();
        let kept = &mut all.entry(endpoint.name.clone()).or_default().kept;
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push(Kept {
            own,
            endpoint: endpoint.clone(),
            database: database.to_owned(),
            user: user.to_owned(),
            since: Instant::now(),
        });
    }

    /// Closes those that were not used for a while.
    pub fn tidy(&self) {
        for of_target in self.all().values_mut() {
            of_target.kept.retain(|k| k.since.elapsed() < KEPT_FOR);
        }
    }
}

async fn bounded(work: impl Future<Output = Result<Rows, OwnError>>) -> Result<Rows, OwnError> {
    tokio::time::timeout(STATEMENT_MAX, work)
        .await
        .map_err(|_| OwnError::Timeout)?
}

//! Sessions as lists show them.
//!
//! Lives here: metadata. Never: what was done in them; the audit log and the recordings have that, and the truth.

use super::list::ROWS_MAX;
use super::{Db, failed, row};
use brattice_core::ids::{Digest, SessionId};
use brattice_core::ports::StoreError;
use brattice_core::principal::Principal;
use brattice_core::record::Header;
use brattice_core::time::Timestamp;

/// How a session ended.
#[derive(Debug, Clone)]
pub struct SessionEnd {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// Commands judged.
    pub commands: u64,
    /// Bytes sent to the caller.
    pub bytes_to_client: u64,
    /// Digest of the sealed recording.
    pub recording: Option<Digest>,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// It has not ended.
    Live,
    /// It ended, and its end was seen.
    Closed,
    /// Its gateway died under it.
    Interrupted,
}

/// Why a session ended that nobody saw end. The reason `session_closed` is given is never this.
const INTERRUPTED: &str = "interrupted";

/// A session with its end, if it has one.
#[derive(Debug, Clone)]
pub struct StoredSession {
    /// Who, where, from when.
    pub header: Header,
    /// The node that serves it.
    pub node: String,
    /// How it ended; `None` while it lives.
    pub end: Option<SessionEnd>,
}

impl StoredSession {
    /// Where it stands.
    pub fn state(&self) -> SessionState {
        match &self.end {
            None => SessionState::Live,
            Some(end) if end.reason == INTERRUPTED => SessionState::Interrupted,
            Some(_) => SessionState::Closed,
        }
    }
}

/// Which sessions are wanted; what is not set does not matter.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Of this target.
    pub target: Option<String>,
    /// With this principal acting.
    pub actor: Option<Principal>,
    /// In this state.
    pub state: Option<SessionState>,
    /// Begun before this: the last one of the page before.
    pub before: Option<Timestamp>,
    /// At most so many; 500 if more, or none given.
    pub limit: Option<u32>,
}

type SessionRow = (
    String,
    String,
    Option<i64>,
    Option<String>,
    i64,
    i64,
    Option<String>,
);

impl Db {
    /// A session begins.
    pub async fn session_opened(&self, header: &Header) -> Result<(), StoreError> {
        let operation = "note a session's beginning";
        let mut write = self.write_quickly(operation).await?;
        sqlx::query(
            "INSERT INTO sessions (id, node, header, target, actor, started_at, commands,
                                   bytes_to_client)
             VALUES ($1, $2, $3, $4, $5, $6, 0, 0)",
        )
        .bind(header.session.as_str())
        .bind(&self.0.node)
        .bind(row::to_json(operation, header)?)
        .bind(&header.target)
        .bind(header.chain.acting.to_string())
        .bind(header.started_at.0)
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await
    }

    /// A session has ended. The first end stays.
    pub async fn session_closed(&self, id: &SessionId, end: &SessionEnd) -> Result<(), StoreError> {
        let operation = "note a session's end";
        let mut write = self.write_quickly(operation).await?;
        sqlx::query(
            "UPDATE sessions SET ended_at = $1, end_reason = $2, commands = $3, recording = $4,
                    bytes_to_client = $6
             WHERE id = $5 AND ended_at IS NULL",
        )
        .bind(end.at.0)
        .bind(if end.reason == INTERRUPTED {
            "closed: interrupted"
        } else {
            &end.reason
        })
        .bind(i64::try_from(end.commands).unwrap_or(i64::MAX))
        .bind(end.recording.map(|d| d.to_string()))
        .bind(id.as_str())
        .bind(i64::try_from(end.bytes_to_client).unwrap_or(i64::MAX))
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await
    }

    /// One session.
    pub async fn session(&self, id: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let operation = "look for a session";
        let found: Option<SessionRow> = sqlx::query_as(
            "SELECT header, node, ended_at, end_reason, commands, bytes_to_client, recording
             FROM sessions WHERE id = $1",
        )
        .bind(id.as_str())
        .fetch_optional(&self.0.readers)
        .await
        .map_err(failed(operation))?;
        found.map(|r| session(operation, r)).transpose()
    }

    /// Sessions, newest first.
    pub async fn sessions(&self, filter: &SessionFilter) -> Result<Vec<StoredSession>, StoreError> {
        let operation = "list sessions";
        let rows: Vec<SessionRow> = sqlx::query_as(
            "SELECT header, node, ended_at, end_reason, commands, bytes_to_client, recording FROM sessions
             WHERE ($1 IS NULL OR target = $1) AND ($2 IS NULL OR actor = $2)
               AND ($3 IS NULL OR $3 = CASE
                 WHEN ended_at IS NULL THEN 'live'
                 WHEN end_reason = 'interrupted' THEN 'interrupted'
                 ELSE 'closed' END) AND ($4 IS NULL OR started_at < $4)
             ORDER BY started_at DESC, id DESC LIMIT $5",
        )
        .bind(filter.target.as_deref())
        .bind(filter.actor.as_ref().map(ToString::to_string))
        .bind(filter.state.map(state_name))
        .bind(filter.before.map(|at| at.0))
        .bind(i64::from(filter.limit.unwrap_or(ROWS_MAX).min(ROWS_MAX)))
        .fetch_all(&self.0.readers)
        .await
        .map_err(failed(operation))?;
        rows.into_iter().map(|r| session(operation, r)).collect()
    }

    /// Ends what this node's last run left open.
    pub(super) async fn interrupt_sessions(&self) -> Result<Vec<SessionId>, StoreError> {
        let operation = "end sessions of the last run";
        let mut write = self.write(operation).await?;
        let left: Vec<String> = sqlx::query_scalar(
            "UPDATE sessions SET ended_at = $1, end_reason = $3
             WHERE node = $2 AND ended_at IS NULL RETURNING id",
        )
        .bind(self.0.clock.now().0)
        .bind(&self.0.node)
        .bind(INTERRUPTED)
        .fetch_all(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await?;
        row::ids(operation, &left)
    }
}

fn state_name(state: SessionState) -> &'static str {
    match state {
        SessionState::Live => "live",
        SessionState::Closed => "closed",
        SessionState::Interrupted => INTERRUPTED,
    }
}

fn session(operation: &'static str, row: SessionRow) -> Result<StoredSession, StoreError> {
    let (header, node, ended_at, reason, commands, bytes, recording) = row;
    let end = match ended_at {
        None => None,
        Some(at) => Some(SessionEnd {
            at: Timestamp(at),
            reason: reason.unwrap_or_default(),
            commands: u64::try_from(commands).map_err(|_| row::strange(operation, "commands"))?,
            bytes_to_client: u64::try_from(bytes)
                .map_err(|_| row::strange(operation, "bytes_to_client"))?,
            recording: recording.map(|d| row::digest(operation, d)).transpose()?,
        }),
    };
    Ok(StoredSession {
        header: row::from_json(operation, &header)?,
        node,
        end,
    })
}

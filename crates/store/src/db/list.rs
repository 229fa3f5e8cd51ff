//! Lists of approvals, for people.
//!
//! Lives here: filters and paging. Never: who may see which.

use super::row::{self, ApprovalRow, state_name};
use super::{Db, failed};
use brattice_core::approval::{Approval, ApprovalState};
use brattice_core::ids::SessionId;
use brattice_core::ports::StoreError;
use brattice_core::time::Timestamp;

/// No list is longer.
pub(super) const ROWS_MAX: u32 = 500;

/// Which approvals are wanted; what is not set does not matter.
#[derive(Debug, Clone, Default)]
pub struct ApprovalFilter {
    /// In this state, as of now: what has lapsed counts as expired.
    pub state: Option<ApprovalState>,
    /// Of this target.
    pub target: Option<String>,
    /// Asked by this session.
    pub session: Option<SessionId>,
    /// Asked before this: the last one of the page before.
    pub before: Option<Timestamp>,
    /// At most so many; 500 if more, or none given.
    pub limit: Option<u32>,
}

impl Db {
    /// Approvals, newest first.
    pub async fn approvals(&self, filter: &ApprovalFilter) -> Result<Vec<Approval>, StoreError> {
        let operation = "list approvals";
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT id, question, state FROM
               (SELECT id, session, target, question, asked_at,
                       CASE WHEN state IN ('pending', 'approved') AND expires_at <= $1
                            THEN 'expired' ELSE state END AS state
                FROM approvals) AS current
             WHERE ($2 IS NULL OR state = $2) AND ($3 IS NULL OR target = $3)
               AND ($4 IS NULL OR session = $4) AND ($5 IS NULL OR asked_at < $5)
             ORDER BY asked_at DESC, id DESC LIMIT $6",
        )
        .bind(self.0.clock.now().0)
        .bind(filter.state.map(state_name))
        .bind(filter.target.as_deref())
        .bind(filter.session.as_ref().map(SessionId::as_str))
        .bind(filter.before.map(|at| at.0))
        .bind(i64::from(filter.limit.unwrap_or(ROWS_MAX).min(ROWS_MAX)))
        .fetch_all(&self.0.readers)
        .await
        .map_err(failed(operation))?;
        let mut approvals = Vec::with_capacity(rows.len());
        for (id, question, state) in rows {
            approvals.push(self.with_answers(&id, (question, state)).await?);
        }
        Ok(approvals)
    }

    /// How many questions wait for people now.
    pub async fn approvals_pending(&self) -> Result<u64, StoreError> {
        let operation = "count pending approvals";
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM approvals WHERE state = 'pending' AND expires_at > $1",
        )
        .bind(self.0.clock.now().0)
        .fetch_one(&self.0.readers)
        .await
        .map_err(failed(operation))?;
        u64::try_from(count).map_err(|_| row::strange(operation, "count"))
    }

    async fn with_answers(&self, id: &str, found: ApprovalRow) -> Result<Approval, StoreError> {
        let operation = "list approvals";
        let answers =
            sqlx::query_scalar("SELECT answer FROM answers WHERE approval = $1 ORDER BY number")
                .bind(id)
                .fetch_all(&self.0.readers)
                .await
                .map_err(failed(operation))?;
        row::approval(operation, found, answers, self.0.clock.now())
    }
}

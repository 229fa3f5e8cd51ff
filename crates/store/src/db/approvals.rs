//! Questions: asking, waiting, using up.
//!
//! Lives here: the port that the gate holds. Never: who may answer; that is policy's, and is checked before an answer
//! comes here.
//!
//! A pending question ends as "not run" when the last who asked it goes away, when the same action comes back under other rules, or
//! when its node starts again. What was approved before a restart can still be used until it expires, once.

use super::row::{self, ApprovalRow, state_name, to_json};
use super::{Change, Db, Write, failed};
use brattice_core::approval::{Approval, ApprovalState, Asked, Grant, Question};
use brattice_core::ids::{ApprovalId, Digest, SessionId};
use brattice_core::ports::{Approvals, BoxFuture, StoreError};
use brattice_core::principal::Chain;
use brattice_core::time::Timestamp;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// The span that asking is throttled over.
const MINUTE: Duration = Duration::from_secs(60);

impl Approvals for Db {
    fn ask<'a>(
        &'a self,
        question: Question,
    ) -> BoxFuture<'a, Result<Option<Approval>, StoreError>> {
        Box::pin(self.put_question(question))
    }

    fn get<'a>(
        &'a self,
        id: &'a ApprovalId,
    ) -> BoxFuture<'a, Result<Option<Approval>, StoreError>> {
        Box::pin(self.read_approval(id))
    }

    fn decided<'a>(&'a self, id: &'a ApprovalId) -> BoxFuture<'a, Result<Approval, StoreError>> {
        Box::pin(self.wait_for(id))
    }

    fn ticket<'a>(
        &'a self,
        chain: &'a Chain,
        target: &'a str,
        action: Digest,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Approval>, StoreError>> {
        Box::pin(async move {
            let operation = "look for an approved ticket";
            let found: Option<String> = sqlx::query_scalar(
                "SELECT id FROM approvals
                 WHERE chain = $1 AND target = $2 AND action = $3 AND state = 'approved'
                   AND expires_at > $4
                 ORDER BY asked_at DESC, id DESC LIMIT 1",
            )
            .bind(chain.names_digest().to_string())
            .bind(target)
            .bind(action.to_string())
            .bind(now.0)
            .fetch_optional(&self.0.readers)
            .await
            .map_err(failed(operation))?;
            let Some(id) = found else { return Ok(None) };
            let id = id.parse().map_err(|_| row::strange(operation, "id"))?;
            let ticket = self.read_approval(&id).await?;
            // Between the two reads it may have been used.
            Ok(ticket.filter(|a| a.state == ApprovalState::Approved))
        })
    }

    fn consume<'a>(
        &'a self,
        id: &'a ApprovalId,
        session: &'a SessionId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let operation = "consume an approval";
            let mut write = self.write(operation).await?;
            let done = sqlx::query(
                "UPDATE approvals SET state = 'consumed', consumed_by = $1, consumed_at = $2
                 WHERE id = $3 AND state = 'approved' AND expires_at > $2",
            )
            .bind(session.as_str())
            .bind(now.0)
            .bind(id.as_str())
            .execute(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
            write.commit().await?;
            Ok(done.rows_affected() == 1)
        })
    }

    fn abandon<'a>(&'a self, id: &'a ApprovalId) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let operation = "abandon a question";
            let now = self.0.clock.now();
            let mut write = self.write(operation).await?;
            sqlx::query("UPDATE approvals SET askers = askers - 1 WHERE id = $1 AND askers > 0")
                .bind(id.as_str())
                .execute(&mut *write.tx)
                .await
                .map_err(failed(operation))?;
            let done = sqlx::query(
                "UPDATE approvals SET state = 'not_run', settled_at = $1
                 WHERE id = $2 AND state = 'pending' AND askers = 0",
            )
            .bind(now.0)
            .bind(id.as_str())
            .execute(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
            write.commit().await?;
            if done.rows_affected() > 0 {
                self.tell(Change::Settled(id.clone()));
            }
            Ok(())
        })
    }

    fn void<'a>(&'a self, id: &'a ApprovalId) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let operation = "void an approval";
            let mut write = self.write(operation).await?;
            let done = sqlx::query(
                "UPDATE approvals SET state = 'not_run', settled_at = $1
                 WHERE id = $2 AND state = 'approved'",
            )
            .bind(self.0.clock.now().0)
            .bind(id.as_str())
            .execute(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
            write.commit().await?;
            if done.rows_affected() > 0 {
                self.tell(Change::Settled(id.clone()));
            }
            Ok(())
        })
    }

    fn grants<'a>(
        &'a self,
        chain: &'a Chain,
        target: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Grant>, StoreError>> {
        Box::pin(self.grants_in_force(chain.names_digest(), target, now))
    }

    fn open_grant<'a>(&'a self, grant: Grant) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let mut write = self.write("open a grant").await?;
            write.insert_grant(&grant).await?;
            write.commit().await
        })
    }
}

impl Db {
    async fn put_question(&self, question: Question) -> Result<Option<Approval>, StoreError> {
        let operation = "put a question";
        let chain = question.chain.names_digest().to_string();
        let mut write = self.write(operation).await?;
        if let Some(open) = write.open_question(&question, &chain).await? {
            if same_rules(&open.question.asked, &question.asked) {
                write.join(&open.question.id).await?;
                write.commit().await?;
                return Ok(Some(open));
            }
            // The rules have changed: what people would answer is not what is asked now.
            write
                .settle(&open.question.id, ApprovalState::NotRun, question.asked_at)
                .await?;
            self.insert(write, &question, &chain, Some(open.question.id))
                .await
        } else {
            self.insert(write, &question, &chain, None).await
        }
    }

    async fn insert(
        &self,
        mut write: Write<'_>,
        question: &Question,
        chain: &str,
        replaced: Option<ApprovalId>,
    ) -> Result<Option<Approval>, StoreError> {
        let operation = write.operation;
        // Whoever could ask more by spawning workers would have no bound.
        let root = question.chain.without_workers().names_digest().to_string();
        let (asked, open): (i64, i64) = sqlx::query_as(
            "SELECT COUNT(CASE WHEN asked_at > $2 THEN 1 END),
                    COUNT(CASE WHEN state = 'pending' AND expires_at > $3 THEN 1 END)
             FROM approvals WHERE root = $1",
        )
        .bind(&root)
        .bind(question.asked_at.minus(MINUTE).0)
        .bind(question.asked_at.0)
        .fetch_one(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        let limits = &self.0.limits;
        if asked >= i64::from(limits.asked_per_minute_max)
            || open >= i64::from(limits.open_per_chain_max)
        {
            return Ok(None);
        }
        sqlx::query(
            "INSERT INTO approvals
                (id, node, session, chain, target, action, question, state, asked_at, expires_at, root)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9, $10)",
        )
        .bind(question.id.as_str())
        .bind(&self.0.node)
        .bind(question.session.as_ref().map_or("", |s| s.as_str()))
        .bind(chain)
        .bind(&question.target)
        .bind(question.action.to_string())
        .bind(to_json(operation, question)?)
        .bind(question.asked_at.0)
        .bind(question.expires_at.0)
        .bind(&root)
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await?;
        if let Some(id) = replaced {
            self.tell(Change::Settled(id));
        }
        self.tell(Change::Asked(question.id.clone()));
        Ok(Some(Approval {
            question: question.clone(),
            state: ApprovalState::Pending,
            answers: Vec::new(),
        }))
    }

    pub(super) async fn read_approval(
        &self,
        id: &ApprovalId,
    ) -> Result<Option<Approval>, StoreError> {
        let operation = "read an approval";
        let found: Option<ApprovalRow> =
            sqlx::query_as("SELECT question, state FROM approvals WHERE id = $1")
                .bind(id.as_str())
                .fetch_optional(&self.0.readers)
                .await
                .map_err(failed(operation))?;
        let Some(found) = found else { return Ok(None) };
        // Answers are only ever added, so these hold at least those that led to the state.
        let answers =
            sqlx::query_scalar("SELECT answer FROM answers WHERE approval = $1 ORDER BY number")
                .bind(id.as_str())
                .fetch_all(&self.0.readers)
                .await
                .map_err(failed(operation))?;
        row::approval(operation, found, answers, self.0.clock.now()).map(Some)
    }

    async fn wait_for(&self, id: &ApprovalId) -> Result<Approval, StoreError> {
        let operation = "wait for an approval";
        let mut changes = self.changes();
        loop {
            let approval = self
                .read_approval(id)
                .await?
                .ok_or_else(|| row::strange(operation, "id"))?;
            if approval.state != ApprovalState::Pending {
                return Ok(approval);
            }
            let settled = async {
                loop {
                    match changes.recv().await {
                        Ok(Change::Settled(which)) if which == *id => return,
                        Ok(_) => {}
                        Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                    }
                }
            };
            // Running out of time is not an error: it is the time to look again.
            let _woken = tokio::time::timeout(self.0.limits.poll_every, settled).await;
        }
    }

    /// Writes down which questions have lapsed, and tells which, for the audit log; and forgets sign-ins and delegations that
    /// are over. Called by a timer.
    pub async fn expire(&self, now: Timestamp) -> Result<Vec<ApprovalId>, StoreError> {
        let operation = "expire approvals";
        let mut write = self.write(operation).await?;
        let lapsed: Vec<String> = sqlx::query_scalar(
            "UPDATE approvals SET state = 'expired', settled_at = $1
             WHERE state IN ('pending', 'approved') AND expires_at <= $1 RETURNING id",
        )
        .bind(now.0)
        .fetch_all(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        for old in [
            "DELETE FROM sign_ins WHERE ends_at <= $1",
            // What came of a delegation lasts no longer than it would have.
            "DELETE FROM delegations WHERE until <= $1",
        ] {
            sqlx::query(old)
                .bind(now.0)
                .execute(&mut *write.tx)
                .await
                .map_err(failed(operation))?;
        }
        self.settled(write, lapsed).await
    }

    /// Ends what this node's last run left pending, other than what is asked ahead of time: nobody's connection waited
    /// for that.
    pub(super) async fn settle_pending(&self) -> Result<Vec<ApprovalId>, StoreError> {
        let operation = "end questions of the last run";
        let mut write = self.write(operation).await?;
        let left: Vec<String> = sqlx::query_scalar(
            "UPDATE approvals SET state = 'not_run', settled_at = $1
             WHERE state = 'pending' AND node = $2 AND session <> '' RETURNING id",
        )
        .bind(self.0.clock.now().0)
        .bind(&self.0.node)
        .fetch_all(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        self.settled(write, left).await
    }

    async fn settled(
        &self,
        write: Write<'_>,
        ids: Vec<String>,
    ) -> Result<Vec<ApprovalId>, StoreError> {
        let operation = write.operation;
        let ids: Vec<ApprovalId> = row::ids(operation, &ids)?;
        write.commit().await?;
        for id in &ids {
            self.tell(Change::Settled(id.clone()));
        }
        Ok(ids)
    }
}

fn same_rules(open: &[Asked], now: &[Asked]) -> bool {
    let sorted = |asked: &[Asked]| {
        let mut asked = asked.to_vec();
        asked.sort();
        asked
    };
    sorted(open) == sorted(now)
}

impl Write<'_> {
    /// The pending question of the same chain, target and action. One that has lapsed is written down as such.
    async fn open_question(
        &mut self,
        question: &Question,
        chain: &str,
    ) -> Result<Option<Approval>, StoreError> {
        let operation = self.operation;
        let found: Option<ApprovalRow> = sqlx::query_as(
            "SELECT question, state FROM approvals
             WHERE chain = $1 AND target = $2 AND action = $3 AND state = 'pending'",
        )
        .bind(chain)
        .bind(&question.target)
        .bind(question.action.to_string())
        .fetch_optional(&mut *self.tx)
        .await
        .map_err(failed(operation))?;
        let Some(found) = found else { return Ok(None) };
        let open = row::approval(operation, found, Vec::new(), question.asked_at)?;
        if open.state == ApprovalState::Expired {
            let id = &open.question.id;
            self.settle(id, ApprovalState::Expired, question.asked_at)
                .await?;
            return Ok(None);
        }
        let answers = self.answers(&open.question.id).await?;
        Ok(Some(Approval { answers, ..open }))
    }

    /// One more waits for a question.
    async fn join(&mut self, id: &ApprovalId) -> Result<(), StoreError> {
        sqlx::query("UPDATE approvals SET askers = askers + 1 WHERE id = $1")
            .bind(id.as_str())
            .execute(&mut *self.tx)
            .await
            .map_err(failed(self.operation))?;
        Ok(())
    }

    /// The answers so far, in order.
    pub(super) async fn answers(
        &mut self,
        id: &ApprovalId,
    ) -> Result<Vec<brattice_core::approval::Answer>, StoreError> {
        let operation = self.operation;
        let answers: Vec<String> =
            sqlx::query_scalar("SELECT answer FROM answers WHERE approval = $1 ORDER BY number")
                .bind(id.as_str())
                .fetch_all(&mut *self.tx)
                .await
                .map_err(failed(operation))?;
        answers
            .iter()
            .map(|a| row::from_json(operation, a))
            .collect()
    }

    /// Moves a pending question on.
    pub(super) async fn settle(
        &mut self,
        id: &ApprovalId,
        state: ApprovalState,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE approvals SET state = $1, settled_at = $2 WHERE id = $3 AND state = 'pending'",
        )
        .bind(state_name(state))
        .bind(now.0)
        .bind(id.as_str())
        .execute(&mut *self.tx)
        .await
        .map_err(failed(self.operation))?;
        Ok(())
    }
}

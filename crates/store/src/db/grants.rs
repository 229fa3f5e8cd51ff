//! Grants: a yes that stands for a while.
//!
//! Lives here: keeping and ending them. Never: what a grant lifts; that is the gate's.

use super::row::{self, to_json};
use super::{Change, Db, Write, failed};
use brattice_core::approval::Grant;
use brattice_core::ids::{Digest, GrantId};
use brattice_core::ports::StoreError;
use brattice_core::time::Timestamp;

type GrantRow = (String, String, String, String, String, String, String, i64);

impl Db {
    /// Ends a grant before its time; false if it was not in force.
    pub async fn end_grant(&self, id: &GrantId) -> Result<bool, StoreError> {
        let operation = "end a grant";
        let mut write = self.write(operation).await?;
        let done = sqlx::query(
            "UPDATE grants SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL AND until > $1",
        )
        .bind(self.0.clock.now().0)
        .bind(id.as_str())
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await?;
        let ended = done.rows_affected() == 1;
        if ended {
            self.tell(Change::GrantEnded(id.clone()));
        }
        Ok(ended)
    }

    /// All grants in force, those that end last first.
    pub async fn all_grants(&self, now: Timestamp) -> Result<Vec<Grant>, StoreError> {
        let operation = "list grants";
        let rows: Vec<GrantRow> = sqlx::query_as(
            "SELECT id, rule, rule_text, chain, holder, target, approvers, until FROM grants
             WHERE until > $1 AND ended_at IS NULL ORDER BY until DESC, id",
        )
        .bind(now.0)
        .fetch_all(&self.0.readers)
        .await
        .map_err(failed(operation))?;
        rows.into_iter().map(|r| grant(operation, r)).collect()
    }

    pub(super) async fn grants_in_force(
        &self,
        chain: Digest,
        target: &str,
        now: Timestamp,
    ) -> Result<Vec<Grant>, StoreError> {
        let operation = "look for grants";
        let rows: Vec<GrantRow> = sqlx::query_as(
            "SELECT id, rule, rule_text, chain, holder, target, approvers, until FROM grants
             WHERE chain = $1 AND target = $2 AND until > $3 AND ended_at IS NULL ORDER BY id",
        )
        .bind(chain.to_string())
        .bind(target)
        .bind(now.0)
        .fetch_all(&self.0.readers)
        .await
        .map_err(failed(operation))?;
        rows.into_iter().map(|r| grant(operation, r)).collect()
    }
}

impl Write<'_> {
    pub(super) async fn insert_grant(&mut self, grant: &Grant) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO grants (id, rule, rule_text, chain, holder, target, approvers, until)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(grant.id.as_str())
        .bind(&grant.rule)
        .bind(grant.rule_text.to_string())
        .bind(grant.chain.to_string())
        .bind(to_json(self.operation, &grant.holder)?)
        .bind(&grant.target)
        .bind(to_json(self.operation, &grant.approvers)?)
        .bind(grant.until.0)
        .execute(&mut *self.tx)
        .await
        .map_err(failed(self.operation))?;
        Ok(())
    }
}

fn grant(operation: &'static str, row: GrantRow) -> Result<Grant, StoreError> {
    let (id, rule, rule_text, chain, holder, target, approvers, until) = row;
    Ok(Grant {
        id: id.parse().map_err(|_| row::strange(operation, "id"))?,
        rule,
        rule_text: row::digest(operation, rule_text)?,
        chain: row::digest(operation, chain)?,
        holder: row::from_json(operation, &holder)?,
        target,
        approvers: row::from_json(operation, &approvers)?,
        until: Timestamp(until),
    })
}

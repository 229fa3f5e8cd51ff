//! What chains, and budgets of tokens, have used up, as it was when it was last kept.
//!
//! Lives here: keeping and finding it. Never: counting.

use super::row::{from_json, to_json};
use super::{Db, failed};
use brattice_core::ports::StoreError;
use brattice_core::time::Timestamp;
use brattice_core::usage::Kept;
use std::time::Duration;

/// No window of a meter is longer: a day with a change of clocks, and some.
const AGE_MAX: Duration = Duration::from_secs(26 * 3600);

impl Db {
    /// Keeps these figures of chains and these totals of budgets in place of what was kept of the same, and forgets what no
    /// window reaches any more.
    pub async fn keep_usage(
        &self,
        figures: &[(String, Kept)],
        spent: &[(String, u64)],
    ) -> Result<(), StoreError> {
        let operation = "keep what was used up";
        let now = self.0.clock.now();
        let mut write = self.write_quickly(operation).await?;
        for (chain, kept) in figures {
            sqlx::query(
                "INSERT INTO usage (chain, figures, at) VALUES ($1, $2, $3)
                 ON CONFLICT (chain) DO UPDATE SET figures = excluded.figures, at = excluded.at",
            )
            .bind(chain)
            .bind(to_json(operation, kept)?)
            .bind(now.0)
            .execute(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
        }
        for (budget, amount) in spent {
            sqlx::query(
                "INSERT INTO spent (budget, amount, at) VALUES ($1, $2, $3)
                 ON CONFLICT (budget) DO UPDATE SET amount = excluded.amount, at = excluded.at",
            )
            .bind(budget)
            .bind(i64::try_from(*amount).unwrap_or(i64::MAX))
            .bind(now.0)
            .execute(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
        }
        for old in [
            "DELETE FROM usage WHERE at < $1",
            "DELETE FROM spent WHERE at < $1",
        ] {
            sqlx::query(old)
                .bind(now.minus(AGE_MAX).0)
                .execute(&mut *write.tx)
                .await
                .map_err(failed(operation))?;
        }
        write.commit().await
    }

    /// What was kept, of every chain that still counts.
    pub async fn usage(&self) -> Result<Vec<(String, Kept)>, StoreError> {
        let operation = "read what was used up";
        let now: Timestamp = self.0.clock.now();
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT chain, figures FROM usage WHERE at >= $1")
                .bind(now.minus(AGE_MAX).0)
                .fetch_all(&self.0.readers)
                .await
                .map_err(failed(operation))?;
        rows.into_iter()
            .map(|(chain, figures)| Ok((chain, from_json(operation, &figures)?)))
            .collect()
    }

    /// What was kept, of every budget that may still count.
    pub async fn spent(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let operation = "read what budgets have left";
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT budget, amount FROM spent WHERE at >= $1")
                .bind(self.0.clock.now().minus(AGE_MAX).0)
                .fetch_all(&self.0.readers)
                .await
                .map_err(failed(operation))?;
        let amount = |kept: i64| u64::try_from(kept).unwrap_or(u64::MAX);
        Ok(rows
            .into_iter()
            .map(|(b, kept)| (b, amount(kept)))
            .collect())
    }
}

//! What chains have used up, as it was when it was last kept.
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
    /// Keeps these figures in place of what was kept of the same chains, and forgets what no window reaches any more.
    pub async fn keep_usage(&self, figures: &[(String, Kept)]) -> Result<(), StoreError> {
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
        sqlx::query("DELETE FROM usage WHERE at < $1")
            .bind(now.minus(AGE_MAX).0)
            .execute(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
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
}

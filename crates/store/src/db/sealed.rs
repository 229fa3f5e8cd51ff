//! Sealed secrets: blobs that only the holder of the sealing key can open.
//!
//! Lives here: keeping blobs by name. Never: a key, or anything in clear.

use super::{Db, failed};
use brattice_core::ports::StoreError;

impl Db {
    /// Keeps a blob, in place of the one before.
    pub async fn put_sealed(&self, name: &str, blob: &[u8]) -> Result<(), StoreError> {
        let operation = "keep a sealed secret";
        let mut write = self.write(operation).await?;
        sqlx::query(
            "INSERT INTO sealed (name, blob, stored_at) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET blob = excluded.blob, stored_at = excluded.stored_at",
        )
        .bind(name)
        .bind(blob)
        .bind(self.0.clock.now().0)
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await
    }

    /// The blob of this name.
    pub async fn sealed(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        sqlx::query_scalar("SELECT blob FROM sealed WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.0.readers)
            .await
            .map_err(failed("look for a sealed secret"))
    }

    /// The names there are.
    pub async fn sealed_names(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT name FROM sealed ORDER BY name")
            .fetch_all(&self.0.readers)
            .await
            .map_err(failed("list sealed secrets"))
    }

    /// Forgets a blob; false if there was none.
    pub async fn remove_sealed(&self, name: &str) -> Result<bool, StoreError> {
        let operation = "remove a sealed secret";
        let mut write = self.write(operation).await?;
        let done = sqlx::query("DELETE FROM sealed WHERE name = $1")
            .bind(name)
            .execute(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}

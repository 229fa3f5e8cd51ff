//! Revocations: what a principal proved up to an instant is void; what it proves afterwards is not.
//!
//! Lives here: the instants. Never: who may revoke, cutting sessions (they hear of it as a [`super::Change`]).

use super::row::{self, kind_name};
use super::{Change, Db, failed};
use brattice_core::ports::StoreError;
use brattice_core::principal::Principal;
use brattice_core::time::Timestamp;

/// A principal, groups aside, and the instant up to which its proofs are void.
#[derive(Debug, Clone)]
pub struct Revocation {
    /// Who.
    pub principal: Principal,
    /// Up to when.
    pub at: Timestamp,
}

impl Db {
    /// Voids everything that this principal has proved so far, and tells the instant.
    pub async fn revoke(&self, principal: &Principal) -> Result<Timestamp, StoreError> {
        let operation = "revoke a principal";
        let now = self.0.clock.now();
        let mut write = self.write(operation).await?;
        // A clock that stepped back must not shorten an earlier revocation.
        let at: i64 = sqlx::query_scalar(
            "INSERT INTO revocations (kind, issuer, name, at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (kind, issuer, name) DO UPDATE
               SET at = CASE WHEN excluded.at > revocations.at
                             THEN excluded.at ELSE revocations.at END
             RETURNING at",
        )
        .bind(kind_name(principal.kind))
        .bind(&principal.issuer)
        .bind(&principal.name)
        .bind(now.0)
        .fetch_one(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await?;
        self.tell(Change::Revoked(principal.clone()));
        Ok(Timestamp(at))
    }

    /// Whether what this principal proved at `issued_at` has been voided since.
    pub async fn revoked_since(
        &self,
        principal: &Principal,
        issued_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT at FROM revocations
             WHERE kind = $1 AND issuer = $2 AND name = $3 AND at >= $4",
        )
        .bind(kind_name(principal.kind))
        .bind(&principal.issuer)
        .bind(&principal.name)
        .bind(issued_at.0)
        .fetch_optional(&self.0.readers)
        .await
        .map_err(failed("look for a revocation"))?;
        Ok(found.is_some())
    }

    /// All revocations, to be held in memory where each command asks.
    pub async fn revocations(&self) -> Result<Vec<Revocation>, StoreError> {
        let operation = "list revocations";
        let rows: Vec<(String, String, String, i64)> =
            sqlx::query_as("SELECT kind, issuer, name, at FROM revocations")
                .fetch_all(&self.0.readers)
                .await
                .map_err(failed(operation))?;
        rows.into_iter()
            .map(|(kind, issuer, name, at)| {
                Ok(Revocation {
                    principal: row::principal(operation, (kind, issuer, name))?,
                    at: Timestamp(at),
                })
            })
            .collect()
    }
}

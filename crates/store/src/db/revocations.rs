//! Revocations: what a principal proved up to an instant is void; what it proves afterwards is not.
//!
//! Lives here: the instants. Never: who may revoke, cutting sessions (they hear of it as a [`super::Change`]).

use super::row::{self, kind_name};
use super::{Db, Write, failed};
use brattice_core::ports::StoreError;
use brattice_core::principal::{OWN_ISSUER, Principal};
use brattice_core::time::Timestamp;
use std::time::Duration;

/// Revocations of a token, a sign-in or a delegation are needed as long as anything that came of it could last: a sign-in
/// lasts for seven days at most, and what hangs on a token ends sooner.
const TOKEN_NEEDED: Duration = Duration::from_secs(8 * 24 * 3600);
/// How the revocation of a token is named.
const TOKEN: &str = "token:";

/// A principal, groups aside, and the instant up to which its proofs are void.
#[derive(Debug, Clone)]
pub struct Revocation {
    /// Who.
    pub principal: Principal,
    /// Up to when.
    pub at: Timestamp,
}

/// The token, sign-in or delegation that a revocation is of, where it is of one.
pub(super) fn token_of(principal: &Principal) -> Option<&str> {
    let own = principal.issuer == OWN_ISSUER;
    own.then(|| principal.name.strip_prefix(TOKEN)).flatten()
}

impl Write<'_> {
    /// Voids everything that this principal has proved so far, and tells the instant.
    pub(super) async fn note_revocation(
        &mut self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        let needed_until = token_of(principal).map(|_| now.plus(TOKEN_NEEDED).0);
        // A clock that stepped back must not shorten an earlier revocation.
        let at: i64 = sqlx::query_scalar(
            "INSERT INTO revocations (kind, issuer, name, at, needed_until) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (kind, issuer, name) DO UPDATE
               SET at = CASE WHEN excluded.at > revocations.at
                             THEN excluded.at ELSE revocations.at END,
                   needed_until = excluded.needed_until
             RETURNING at",
        )
        .bind(kind_name(principal.kind))
        .bind(&principal.issuer)
        .bind(&principal.name)
        .bind(now.0)
        .bind(needed_until)
        .fetch_one(&mut *self.tx)
        .await
        .map_err(failed(self.operation))?;
        sqlx::query("UPDATE revocations_turn SET turn = turn + 1")
            .execute(&mut *self.tx)
            .await
            .map_err(failed(self.operation))?;
        sqlx::query("DELETE FROM revocations WHERE needed_until <= $1")
            .bind(now.0)
            .execute(&mut *self.tx)
            .await
            .map_err(failed(self.operation))?;
        Ok(Timestamp(at))
    }
}

impl Db {
    /// A number that is another after each revocation.
    pub async fn revocations_turn(&self) -> Result<i64, StoreError> {
        sqlx::query_scalar("SELECT turn FROM revocations_turn")
            .fetch_one(&self.0.readers)
            .await
            .map_err(failed("look whether anybody was revoked"))
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

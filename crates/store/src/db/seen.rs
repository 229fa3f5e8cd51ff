//! Principals as they last proved themselves here, with the groups they were in.
//!
//! Lives here: the last proof of each. Never: a right that follows from one; whoever reads this checks how old it is.

use super::row::{self, IdentityRow, kind_name, to_json};
use super::{Db, failed};
use brattice_core::ports::StoreError;
use brattice_core::principal::{Identity, Principal, PrincipalKind};
use brattice_core::time::Timestamp;

/// A principal as it was last seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Who, with the groups of then.
    pub principal: Principal,
    /// The whole proof, where it was the principal's own and nobody acted for it.
    pub identity: Option<Identity>,
    /// When.
    pub at: Timestamp,
}

impl Db {
    /// Notes everyone in a proven chain. Somebody for whom another acts is noted without a proof of their own; one they
    /// gave before stays.
    pub async fn note_seen(&self, identity: &Identity) -> Result<(), StoreError> {
        let operation = "note who was seen";
        let now = self.0.clock.now();
        let alone = identity.chain.on_behalf_of.is_empty();
        let own = alone
            .then(|| to_json(operation, &IdentityRow::from(identity)))
            .transpose()?;
        let mut write = self.write_quickly(operation).await?;
        for actor in identity.chain.actors() {
            sqlx::query(
                "INSERT INTO seen (kind, issuer, name, principal, identity, at)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (kind, issuer, name) DO UPDATE
                   SET principal = excluded.principal, at = excluded.at,
                       identity = COALESCE(excluded.identity, seen.identity)",
            )
            .bind(kind_name(actor.kind))
            .bind(&actor.issuer)
            .bind(&actor.name)
            .bind(to_json(operation, actor)?)
            .bind(own.as_deref())
            .bind(now.0)
            .execute(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
        }
        write.commit().await
    }

    /// How this principal was last seen; `None` if it never was.
    pub async fn seen(
        &self,
        kind: PrincipalKind,
        issuer: &str,
        name: &str,
    ) -> Result<Option<Seen>, StoreError> {
        let operation = "look for who was seen";
        let found: Option<(String, Option<String>, i64)> = sqlx::query_as(
            "SELECT principal, identity, at FROM seen
             WHERE kind = $1 AND issuer = $2 AND name = $3",
        )
        .bind(kind_name(kind))
        .bind(issuer)
        .bind(name)
        .fetch_optional(&self.0.readers)
        .await
        .map_err(failed(operation))?;
        let Some((principal, identity, at)) = found else {
            return Ok(None);
        };
        let identity = match identity {
            None => None,
            Some(json) => Some(row::from_json::<IdentityRow>(operation, &json)?.into()),
        };
        Ok(Some(Seen {
            principal: row::from_json(operation, &principal)?,
            identity,
            at: Timestamp(at),
        }))
    }
}

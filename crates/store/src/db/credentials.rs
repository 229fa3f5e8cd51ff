//! Minted credentials: what is kept of them is a verifier, never the secret.
//!
//! Lives here: keeping, finding, voiding. Never: minting, the SCRAM exchange.

use super::list::ROWS_MAX;
use super::row::{self, IdentityRow, kind_name, to_json};
use super::{Change, Db, Write, failed};
use brattice_core::ids::{CredentialId, Digest, SessionId};
use brattice_core::ports::{MintedCredential, MintedProof, StoreError};
use brattice_core::principal::{Chain, Identity, Principal};
use brattice_core::time::Timestamp;

/// A credential as lists show it.
#[derive(Debug, Clone)]
pub struct CredentialSummary {
    /// Its id.
    pub id: CredentialId,
    /// What it is for.
    pub target: String,
    /// Who acts with it, for whom.
    pub chain: Chain,
    /// When it was minted.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Of the credentials that are good at `$1` (not expired, not voided, and nobody in their chain revoked since they were
/// minted) these columns, for which this holds as well.
macro_rules! good {
    ($columns:literal, $which:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM credentials WHERE revoked_at IS NULL AND expires_at > $1
               AND NOT EXISTS (
                 SELECT 1 FROM credential_actors AS a
                 JOIN revocations AS r
                   ON r.kind = a.kind AND r.issuer = a.issuer AND r.name = a.name
                 WHERE a.credential = credentials.id AND r.at >= credentials.issued_at) ",
            $which
        )
    };
}

impl Db {
    /// Keeps a credential that was minted now. `parent` is the session that minted it, where there is one.
    pub async fn insert_credential(
        &self,
        credential: &MintedCredential,
        parent: Option<&SessionId>,
    ) -> Result<(), StoreError> {
        let operation = "keep a credential";
        let identity = &credential.identity;
        let (verifier, key) = match &credential.proof {
            MintedProof::Secret(verifier) => (verifier.as_str(), None),
            MintedProof::Key(digest) => ("", Some(digest.to_string())),
        };
        let mut write = self.write(operation).await?;
        sqlx::query(
            "INSERT INTO credentials
                (id, scram_verifier, key_sha256, target, identity, parent, issued_at, expires_at, bounds)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(credential.id.as_str())
        .bind(verifier)
        .bind(key)
        .bind(&credential.target)
        .bind(to_json(operation, &IdentityRow::from(identity))?)
        .bind(parent.map(SessionId::as_str))
        .bind(self.0.clock.now().0)
        .bind(identity.expires_at.0)
        .bind(to_json(operation, &credential.bounds)?)
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        for actor in identity.chain.actors() {
            sqlx::query(
                "INSERT INTO credential_actors (credential, kind, issuer, name)
                 VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            )
            .bind(credential.id.as_str())
            .bind(kind_name(actor.kind))
            .bind(&actor.issuer)
            .bind(&actor.name)
            .execute(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
        }
        write.commit().await
    }

    /// A credential that is good now: not expired, not voided, and nobody in its chain revoked since it was minted.
    pub async fn credential(
        &self,
        id: &CredentialId,
        now: Timestamp,
    ) -> Result<Option<MintedCredential>, StoreError> {
        let operation = "look for a credential";
        let found: Option<Good> = sqlx::query_as(good!(
            "scram_verifier, key_sha256, target, identity, bounds, spent_at",
            "AND id = $2"
        ))
        .bind(now.0)
        .bind(id.as_str())
        .fetch_optional(&self.0.readers)
        .await
        .map_err(failed(operation))?;
        let Some((verifier, key, target, identity, bounds, spent_at)) = found else {
            return Ok(None);
        };
        let identity: IdentityRow = row::from_json(operation, &identity)?;
        Ok(Some(MintedCredential {
            id: id.clone(),
            proof: proof(operation, verifier, key.as_deref())?,
            target,
            identity: Identity::from(identity),
            bounds: row::from_json(operation, &bounds)?,
            spent: spent_at.is_some(),
        }))
    }

    /// Marks a credential as used, on disk: true for exactly one caller, ever.
    pub async fn spend_credential(&self, id: &CredentialId) -> Result<bool, StoreError> {
        let operation = "use up a credential";
        let mut write = self.write(operation).await?;
        let done = sqlx::query(
            "UPDATE credentials SET spent_at = $1
             WHERE id = $2 AND spent_at IS NULL AND revoked_at IS NULL AND expires_at > $1",
        )
        .bind(self.0.clock.now().0)
        .bind(id.as_str())
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Voids a credential; false if it was void or expired already.
    pub async fn revoke_credential(&self, id: &CredentialId) -> Result<bool, StoreError> {
        let operation = "revoke a credential";
        let mut write = self.write(operation).await?;
        let done = sqlx::query(
            "UPDATE credentials SET revoked_at = $1
             WHERE id = $2 AND revoked_at IS NULL AND expires_at > $1",
        )
        .bind(self.0.clock.now().0)
        .bind(id.as_str())
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await?;
        let revoked = done.rows_affected() == 1;
        if revoked {
            self.tell(Change::CredentialRevoked(id.clone()));
        }
        Ok(revoked)
    }

    /// Credentials that are good now, the newest first: those with this principal anywhere in their chain, or all; at most
    /// [`ROWS_MAX`].
    pub async fn credentials(
        &self,
        of: Option<&Principal>,
        now: Timestamp,
    ) -> Result<Vec<CredentialSummary>, StoreError> {
        let operation = "list credentials";
        let of = of.map(|p| (kind_name(p.kind), p.issuer.as_str(), p.name.as_str()));
        let rows = sqlx::query_as(good!(
            "id, target, identity, issued_at, expires_at",
            "AND ($2 = '' OR id IN (
                   SELECT credential FROM credential_actors
                   WHERE kind = $2 AND issuer = $3 AND name = $4))
                 ORDER BY issued_at DESC, id LIMIT $5"
        ))
        .bind(now.0)
        .bind(of.map_or("", |o| o.0))
        .bind(of.map_or("", |o| o.1))
        .bind(of.map_or("", |o| o.2))
        .bind(i64::from(ROWS_MAX))
        .fetch_all(&self.0.readers)
        .await
        .map_err(failed(operation))?;
        rows.into_iter().map(|r| summary(operation, r)).collect()
    }

    /// One that is good now.
    pub async fn credential_summary(
        &self,
        id: &CredentialId,
        now: Timestamp,
    ) -> Result<Option<CredentialSummary>, StoreError> {
        let operation = "look at a credential";
        let row = sqlx::query_as(good!(
            "id, target, identity, issued_at, expires_at",
            "AND id = $2"
        ))
        .bind(now.0)
        .bind(id.as_str())
        .fetch_optional(&self.0.readers)
        .await
        .map_err(failed(operation))?;
        row.map(|r| summary(operation, r)).transpose()
    }
}

type Row = (String, String, String, i64, i64);
type Good = (String, Option<String>, String, String, String, Option<i64>);

/// Never both: a credential that could be proven two ways would be as strong as the weaker.
fn proof(
    operation: &'static str,
    verifier: String,
    key: Option<&str>,
) -> Result<MintedProof, StoreError> {
    match key {
        None if !verifier.is_empty() => Ok(MintedProof::Secret(verifier)),
        Some(hex) if verifier.is_empty() => Digest::try_from(hex.to_owned())
            .map(MintedProof::Key)
            .map_err(|_| row::strange(operation, "key_sha256")),
        _ => Err(row::strange(operation, "key_sha256")),
    }
}

fn summary(
    operation: &'static str,
    (id, target, identity, issued_at, expires_at): Row,
) -> Result<CredentialSummary, StoreError> {
    let identity: IdentityRow = row::from_json(operation, &identity)?;
    Ok(CredentialSummary {
        id: id.parse().map_err(|_| row::strange(operation, "id"))?,
        target,
        chain: Identity::from(identity).chain,
        issued_at: Timestamp(issued_at),
        expires_at: Timestamp(expires_at),
    })
}

impl Write<'_> {
    /// Voids all credentials with this principal anywhere in their chain, and tells which. The name `*` is everybody of its
    /// kind and issuer.
    pub(super) async fn end_credentials_of(
        &mut self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<CredentialId>, StoreError> {
        let operation = self.operation;
        let ids: Vec<String> = sqlx::query_scalar(
            "UPDATE credentials SET revoked_at = $1
             WHERE revoked_at IS NULL AND expires_at > $1 AND id IN (
               SELECT credential FROM credential_actors
               WHERE kind = $2 AND issuer = $3 AND (name = $4 OR $4 = '*'))
             RETURNING id",
        )
        .bind(now.0)
        .bind(kind_name(principal.kind))
        .bind(&principal.issuer)
        .bind(&principal.name)
        .fetch_all(&mut *self.tx)
        .await
        .map_err(failed(operation))?;
        row::ids(operation, &ids)
    }
}

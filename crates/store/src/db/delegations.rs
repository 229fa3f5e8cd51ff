//! Delegations: that an agent may act for a person, for a while.
//!
//! Lives here: keeping and ending them. Never: what one is good for, tokens.

use super::revocations::token_of;
use super::row::{self, to_json};
use super::standing::is_meant;
use super::{Db, Write, failed};
use brattice_core::delegation::Delegation;
use brattice_core::ids::DelegationId;
use brattice_core::ports::StoreError;
use brattice_core::principal::Principal;
use brattice_core::time::Timestamp;

/// Delegations of one person that may be in force at once.
const IN_FORCE_MAX: i64 = 100;

type DelegationRow = (String, String, String, String, String, i64, i64);

const COLUMNS: &str = "SELECT id, person, agent, scope, reason, at, until FROM delegations
     WHERE until > $1 AND ended_at IS NULL";

impl Db {
    /// Keeps a delegation; false when the person has too many in force.
    pub async fn delegate(&self, delegation: &Delegation) -> Result<bool, StoreError> {
        let operation = "keep a delegation";
        let mut write = self.write(operation).await?;
        let done = sqlx::query(
            "INSERT INTO delegations (id, person, agent, scope, reason, at, until, person_id)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8
             WHERE (SELECT COUNT(*) FROM delegations
                    WHERE person_id = $8 AND until > $6 AND ended_at IS NULL) < $9",
        )
        .bind(delegation.id.as_str())
        .bind(to_json(operation, &delegation.person)?)
        .bind(to_json(operation, &delegation.agent)?)
        .bind(to_json(operation, &delegation.scope)?)
        .bind(&delegation.reason)
        .bind(delegation.at.0)
        .bind(delegation.until.0)
        .bind(delegation.person.id())
        .bind(IN_FORCE_MAX)
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// All delegations in force, those that end last first.
    pub async fn delegations(&self, now: Timestamp) -> Result<Vec<Delegation>, StoreError> {
        let operation = "list delegations";
        let rows: Vec<DelegationRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{COLUMNS} ORDER BY until DESC, id"
        )))
        .bind(now.0)
        .fetch_all(&self.0.readers)
        .await
        .map_err(failed(operation))?;
        rows.into_iter().map(|r| delegation(operation, r)).collect()
    }

    /// One that is in force.
    pub async fn delegation(
        &self,
        id: &DelegationId,
        now: Timestamp,
    ) -> Result<Option<Delegation>, StoreError> {
        let operation = "look for a delegation";
        let found: Option<DelegationRow> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} AND id = $2")))
                .bind(now.0)
                .bind(id.as_str())
                .fetch_optional(&self.0.readers)
                .await
                .map_err(failed(operation))?;
        found.map(|r| delegation(operation, r)).transpose()
    }
}

impl Write<'_> {
    /// Ends every delegation by this principal or to it, and that of this id. Returns which.
    pub(super) async fn end_delegations_with(
        &mut self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<DelegationId>, StoreError> {
        let operation = self.operation;
        let rows: Vec<DelegationRow> = sqlx::query_as(COLUMNS)
            .bind(now.0)
            .fetch_all(&mut *self.tx)
            .await
            .map_err(failed(operation))?;
        let mut ended = Vec::new();
        for row in rows {
            let d = delegation(operation, row)?;
            let itself = token_of(principal) == Some(d.id.as_str());
            if itself || is_meant(principal, &d.person) || is_meant(principal, &d.agent) {
                sqlx::query("UPDATE delegations SET ended_at = $1 WHERE id = $2")
                    .bind(now.0)
                    .bind(d.id.as_str())
                    .execute(&mut *self.tx)
                    .await
                    .map_err(failed(operation))?;
                ended.push(d.id);
            }
        }
        Ok(ended)
    }
}

fn delegation(operation: &'static str, row: DelegationRow) -> Result<Delegation, StoreError> {
    let (id, person, agent, scope, reason, at, until) = row;
    Ok(Delegation {
        id: id.parse().map_err(|_| row::strange(operation, "id"))?,
        person: row::from_json(operation, &person)?,
        agent: row::from_json(operation, &agent)?,
        scope: row::from_json(operation, &scope)?,
        reason,
        at: Timestamp(at),
        until: Timestamp(until),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::Fixture;
    use super::*;
    use crate::testing::{agent, user};
    use brattice_core::scope::Scope;
    use std::time::Duration;

    fn given(f: &Fixture, n: u8, person: &str, to: &str) -> Delegation {
        Delegation {
            id: DelegationId::from_bytes([n; 10]),
            person: user(person),
            agent: agent(to),
            scope: Scope::parse("target:orders-db read").unwrap(),
            reason: "holiday".to_owned(),
            at: f.now(),
            until: f.now().plus(Duration::from_secs(60)),
        }
    }

    #[tokio::test]
    async fn a_delegation_ends_once_and_with_either_of_the_two() {
        let f = Fixture::new().await;
        let all = [
            given(&f, 1, "ana", "etl-7"),
            given(&f, 2, "bo", "etl-7"),
            given(&f, 3, "ana", "etl-8"),
            given(&f, 4, "cy", "etl-9"),
        ];
        for one in &all {
            assert!(f.db.delegate(one).await.unwrap());
        }
        let found = f.db.delegation(&all[0].id, f.now()).await.unwrap();
        assert_eq!(found.as_ref(), Some(&all[0]));
        let later = f.now().plus(Duration::from_secs(60));
        assert_eq!(f.db.delegation(&all[0].id, later).await.unwrap(), None);
        let ended = f.db.revoke(&agent("etl-7")).await.unwrap().delegations;
        assert_eq!(ended.len(), 2);
        let ended = f.db.revoke(&user("ana")).await.unwrap().delegations;
        assert_eq!(ended, [all[2].id.clone()]);
        let itself = Principal {
            issuer: "brattice".to_owned(),
            ..agent(&format!("token:{}", all[3].id))
        };
        let ended = f.db.revoke(&itself).await.unwrap().delegations;
        assert_eq!(ended, [all[3].id.clone()]);
        assert!(f.db.revoke(&itself).await.unwrap().delegations.is_empty());
        assert!(f.db.delegations(f.now()).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn one_person_has_only_so_many_in_force() {
        let f = Fixture::new().await;
        for n in 0..100 {
            assert!(f.db.delegate(&given(&f, n, "ana", "etl-7")).await.unwrap());
        }
        assert!(
            !f.db
                .delegate(&given(&f, 101, "ana", "etl-7"))
                .await
                .unwrap()
        );
        assert!(f.db.delegate(&given(&f, 102, "bo", "etl-7")).await.unwrap());
    }
}

//! Freezes: targets that people stopped, until somebody lets them go on.
//!
//! Lives here: keeping, widening and ending them. Never: who may, what one reaches.

use super::row::{self, to_json};
use super::{Change, Db, failed};
use brattice_core::freeze::{Freeze, Reach};
use brattice_core::ids::FreezeId;
use brattice_core::ports::StoreError;
use brattice_core::principal::Principal;
use brattice_core::time::Timestamp;
use std::collections::BTreeSet;

/// Freezes of one person that may stand at once. Nobody's keep another from stopping something, and everything can always
/// be stopped.
const STANDING_MAX: usize = 100;

type FreezeRow = (String, String, String, String, String, i64);

impl Db {
    /// Freezes; false when too many freezes of this person stand.
    pub async fn freeze(&self, freeze: &Freeze) -> Result<bool, StoreError> {
        let operation = "freeze targets";
        let mut write = self.write(operation).await?;
        let standing: Vec<String> =
            sqlx::query_scalar("SELECT by_whom FROM freezes WHERE ended_at IS NULL")
                .fetch_all(&mut *write.tx)
                .await
                .map_err(failed(operation))?;
        let mut own = 0;
        for by in standing {
            let by: Principal = row::from_json(operation, &by)?;
            own += usize::from(by.is_same(&freeze.by));
        }
        if own >= STANDING_MAX && freeze.reach != Reach::All {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO freezes (id, reach, targets, reason, by_whom, at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(freeze.id.as_str())
        .bind(to_json(operation, &freeze.reach)?)
        .bind(to_json(operation, &freeze.targets)?)
        .bind(&freeze.reason)
        .bind(to_json(operation, &freeze.by)?)
        .bind(freeze.at.0)
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await?;
        self.tell(Change::Frozen(freeze.id.clone()));
        Ok(true)
    }

    /// Ends a freeze; false if it did not stand.
    pub async fn thaw(&self, id: &FreezeId, by: &Principal) -> Result<bool, StoreError> {
        let operation = "end a freeze";
        let mut write = self.write(operation).await?;
        let done = sqlx::query(
            "UPDATE freezes SET ended_at = $1, ended_by = $2 WHERE id = $3 AND ended_at IS NULL",
        )
        .bind(self.0.clock.now().0)
        .bind(to_json(operation, by)?)
        .bind(id.as_str())
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await?;
        let ended = done.rows_affected() == 1;
        if ended {
            self.tell(Change::Thawed(id.clone()));
        }
        Ok(ended)
    }

    /// Notes targets that a freeze has reached since; those it had reached stay.
    pub async fn widen_freeze(
        &self,
        id: &FreezeId,
        also: &BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let operation = "note what a freeze reaches";
        let mut write = self.write(operation).await?;
        let found: Option<String> =
            sqlx::query_scalar("SELECT targets FROM freezes WHERE id = $1 AND ended_at IS NULL")
                .bind(id.as_str())
                .fetch_optional(&mut *write.tx)
                .await
                .map_err(failed(operation))?;
        let Some(found) = found else { return Ok(()) };
        let mut targets: BTreeSet<String> = row::from_json(operation, &found)?;
        targets.extend(also.iter().cloned());
        sqlx::query("UPDATE freezes SET targets = $1 WHERE id = $2")
            .bind(to_json(operation, &targets)?)
            .bind(id.as_str())
            .execute(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
        write.commit().await
    }

    /// All freezes that stand, the oldest first.
    pub async fn freezes(&self) -> Result<Vec<Freeze>, StoreError> {
        let operation = "list freezes";
        let rows: Vec<FreezeRow> = sqlx::query_as(
            "SELECT id, reach, targets, reason, by_whom, at FROM freezes
             WHERE ended_at IS NULL ORDER BY at, id",
        )
        .fetch_all(&self.0.readers)
        .await
        .map_err(failed(operation))?;
        rows.into_iter().map(|r| freeze(operation, r)).collect()
    }
}

fn freeze(operation: &'static str, row: FreezeRow) -> Result<Freeze, StoreError> {
    let (id, reach, targets, reason, by, at) = row;
    Ok(Freeze {
        id: id.parse().map_err(|_| row::strange(operation, "id"))?,
        reach: row::from_json(operation, &reach)?,
        targets: row::from_json(operation, &targets)?,
        reason,
        by: row::from_json(operation, &by)?,
        at: Timestamp(at),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::Fixture;
    use super::*;
    use crate::testing::user;

    fn freeze(n: u8, reach: Reach) -> Freeze {
        Freeze {
            id: FreezeId::from_bytes([n; 10]),
            reach,
            targets: BTreeSet::from(["a".to_owned()]),
            reason: "it ran wild\u{1b}[2J".to_owned(),
            by: user("sasha"),
            at: Timestamp(i64::from(n)),
        }
    }

    #[tokio::test]
    async fn nobody_keeps_another_from_stopping_something() {
        let f = Fixture::new().await;
        let by = |who: &str, n: u8, reach: Reach| Freeze {
            by: user(who),
            ..freeze(n, reach)
        };
        let target = || Reach::Target("a".to_owned());
        for n in 0..100 {
            assert!(f.db.freeze(&by("omar", n, target())).await.unwrap());
        }
        assert!(!f.db.freeze(&by("omar", 100, target())).await.unwrap());
        assert!(f.db.freeze(&by("sasha", 101, target())).await.unwrap());
        assert!(f.db.freeze(&by("omar", 102, Reach::All)).await.unwrap());
    }

    #[tokio::test]
    async fn a_freeze_stands_until_it_is_ended_and_reaches_what_it_ever_reached() {
        let f = Fixture::new().await;
        let one = freeze(1, Reach::Label("env=production".to_owned()));
        let two = freeze(2, Reach::All);
        assert!(f.db.freeze(&one).await.unwrap());
        assert!(f.db.freeze(&two).await.unwrap());
        assert_eq!(f.db.freezes().await.unwrap(), [one.clone(), two.clone()]);
        let more = BTreeSet::from(["b".to_owned()]);
        f.db.widen_freeze(&one.id, &more).await.unwrap();
        let wider = f.db.freezes().await.unwrap();
        let reached = wider.first().map(|f| f.targets.clone());
        assert_eq!(
            reached,
            Some(BTreeSet::from(["a".to_owned(), "b".to_owned()]))
        );
        assert!(f.db.thaw(&one.id, &user("sasha")).await.unwrap());
        assert!(!f.db.thaw(&one.id, &user("sasha")).await.unwrap());
        assert_eq!(f.db.freezes().await.unwrap(), [two]);
    }
}

//! Questions sent out to people elsewhere, and the answers that come back under a nonce.
//!
//! Lives here: one row a delivery. Never: signatures, HTTP.

use super::{Db, failed, row};
use brattice_core::ids::ApprovalId;
use brattice_core::ports::StoreError;
use brattice_core::time::Timestamp;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Not accepted by the other side yet.
    Pending,
    /// Accepted.
    Sent,
    /// Given up.
    Failed,
    /// Its answer came back; the nonce is used up.
    Answered,
}

impl DeliveryState {
    const ALL: [Self; 4] = [Self::Pending, Self::Sent, Self::Failed, Self::Answered];

    /// Its name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Answered => "answered",
        }
    }
}

/// One sending of one question along one route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What an answer must bring back, once.
    pub nonce: String,
    /// The question.
    pub approval: ApprovalId,
    /// The route's name in the configuration.
    pub route: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was made or last tried.
    pub at: Timestamp,
    /// No answer is taken from then on.
    pub expires_at: Timestamp,
}

impl Db {
    /// Keeps a new delivery. A nonce that was used before is an error.
    pub async fn insert_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let operation = "keep a delivery";
        let mut write = self.write(operation).await?;
        sqlx::query(
            "INSERT INTO deliveries (nonce, approval, route, state, attempts, at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&delivery.nonce)
        .bind(delivery.approval.as_str())
        .bind(&delivery.route)
        .bind(delivery.state.as_str())
        .bind(i64::from(delivery.attempts))
        .bind(delivery.at.0)
        .bind(delivery.expires_at.0)
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await
    }

    /// Notes a try. One whose answer has come stays answered.
    pub async fn delivery_tried(
        &self,
        nonce: &str,
        state: DeliveryState,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let operation = "note a delivery";
        let mut write = self.write_quickly(operation).await?;
        sqlx::query(
            "UPDATE deliveries SET state = $1, attempts = attempts + 1, at = $2
             WHERE nonce = $3 AND state <> 'answered'",
        )
        .bind(state.as_str())
        .bind(now.0)
        .bind(nonce)
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await
    }

    /// Uses a nonce up: the delivery for exactly one caller, ever, and only before it expires.
    pub async fn redeem_delivery(
        &self,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Option<Delivery>, StoreError> {
        let operation = "redeem a delivery";
        let mut write = self.write(operation).await?;
        let found: Option<DeliveryRow> = sqlx::query_as(
            "UPDATE deliveries SET state = 'answered', at = $1
             WHERE nonce = $2 AND state <> 'answered' AND expires_at > $1
             RETURNING nonce, approval, route, state, attempts, at, expires_at",
        )
        .bind(now.0)
        .bind(nonce)
        .fetch_optional(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await?;
        found.map(|r| delivery(operation, r)).transpose()
    }

    /// The deliveries of a question.
    pub async fn deliveries(&self, approval: &ApprovalId) -> Result<Vec<Delivery>, StoreError> {
        let operation = "list deliveries";
        let rows: Vec<DeliveryRow> = sqlx::query_as(
            "SELECT nonce, approval, route, state, attempts, at, expires_at FROM deliveries
             WHERE approval = $1 ORDER BY at, nonce",
        )
        .bind(approval.as_str())
        .fetch_all(&self.0.readers)
        .await
        .map_err(failed(operation))?;
        rows.into_iter().map(|r| delivery(operation, r)).collect()
    }
}

type DeliveryRow = (String, String, String, String, i64, i64, i64);

fn delivery(operation: &'static str, row: DeliveryRow) -> Result<Delivery, StoreError> {
    let (nonce, approval, route, state, attempts, at, expires_at) = row;
    Ok(Delivery {
        nonce,
        approval: approval
            .parse()
            .map_err(|_| row::strange(operation, "approval"))?,
        route,
        state: DeliveryState::ALL
            .into_iter()
            .find(|s| s.as_str() == state)
            .ok_or_else(|| row::strange(operation, "state"))?,
        attempts: u32::try_from(attempts).map_err(|_| row::strange(operation, "attempts"))?,
        at: Timestamp(at),
        expires_at: Timestamp(expires_at),
    })
}

//! People who sign in: the steps on their way, each taken once, and their sign-ins.
//!
//! Lives here: keeping, taking, ending. Never: what a step is (its body is sealed), what a sign-in is good for.

use super::revocations::token_of;
use super::row::{self, IdentityRow, kind_name, to_json};
use super::{Db, Write, failed};
use brattice_core::ids::Digest;
use brattice_core::ports::StoreError;
use brattice_core::principal::{Identity, Principal};
use brattice_core::time::Timestamp;

/// Steps that may wait at once.
const STEPS_MAX: i64 = 20_000;
/// Steps of one source that may wait at once.
const STEPS_PER_SOURCE_MAX: i64 = 500;

/// A sign-in.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// Its id.
    pub id: String,
    /// The client that it was for.
    pub client: String,
    /// From which address it was begun.
    pub source: String,
    /// The person, as their provider said last.
    pub identity: Identity,
    /// What its refresh tokens are made with, sealed.
    pub secret: Vec<u8>,
    /// How many of them were used up.
    pub turn: u64,
    /// The provider's refresh token, sealed.
    pub upstream: Option<Vec<u8>>,
    /// When it began.
    pub began_at: Timestamp,
    /// When the provider was asked last.
    pub checked_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
}

/// What the next turn of a sign-in changes.
#[derive(Debug, Clone)]
pub struct SignInTurn {
    /// The person, as their provider said last.
    pub identity: Identity,
    /// The provider's refresh token, sealed.
    pub upstream: Option<Vec<u8>>,
    /// When the provider was asked last.
    pub checked_at: Timestamp,
}

/// Sign-ins as rows, of this condition.
macro_rules! rows_where {
    ($condition:literal) => {
        concat!(
            "SELECT id, client, source, identity, secret, turn, upstream, began_at, checked_at, ends_at FROM sign_ins ",
            $condition
        )
    };
}

type SignInRow = (
    String,
    String,
    String,
    String,
    Vec<u8>,
    i64,
    Option<Vec<u8>>,
    i64,
    i64,
    i64,
);

fn read(operation: &'static str, row: SignInRow) -> Result<SignIn, StoreError> {
    let (id, client, source, identity, secret, turn, upstream, began_at, checked_at, ends_at) = row;
    Ok(SignIn {
        id,
        client,
        source,
        identity: row::from_json::<IdentityRow>(operation, &identity)?.into(),
        secret,
        turn: u64::try_from(turn).unwrap_or(u64::MAX),
        upstream,
        began_at: Timestamp(began_at),
        checked_at: Timestamp(checked_at),
        ends_at: Timestamp(ends_at),
    })
}

impl Db {
    /// Keeps a step until then. Where too many wait of its source, the oldest of those goes; where too many wait in all, the
    /// oldest of the source that has most: nobody keeps another from signing in.
    pub async fn keep_step(
        &self,
        key: Digest,
        body: &[u8],
        source: &str,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let operation = "keep a step of a sign-in";
        let now = self.0.clock.now();
        // A step that is lost with the machine is taken again by its person.
        let mut write = self.write_quickly(operation).await?;
        sqlx::query("DELETE FROM login_steps WHERE until <= $1")
            .bind(now.0)
            .execute(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
        sqlx::query("INSERT INTO login_steps (key, body, source, until) VALUES ($1, $2, $3, $4)")
            .bind(key.to_string())
            .bind(body)
            .bind(source)
            .bind(until.0)
            .execute(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
        let own: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM login_steps WHERE source = $1")
            .bind(source)
            .fetch_one(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
        if own > STEPS_PER_SOURCE_MAX {
            write.drop_oldest_step(source).await?;
        }
        let all: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM login_steps")
            .fetch_one(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
        if all > STEPS_MAX {
            let greediest: String = sqlx::query_scalar(
                "SELECT source FROM login_steps GROUP BY source ORDER BY COUNT(*) DESC LIMIT 1",
            )
            .fetch_one(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
            write.drop_oldest_step(&greediest).await?;
        }
        write.commit().await
    }

    /// Reads a step.
    pub async fn step(&self, key: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        sqlx::query_scalar("SELECT body FROM login_steps WHERE key = $1 AND until > $2")
            .bind(key.to_string())
            .bind(self.0.clock.now().0)
            .fetch_optional(&self.0.readers)
            .await
            .map_err(failed("look for a step of a sign-in"))
    }

    /// Takes a step away: one caller gets it, once.
    pub async fn take_step(&self, key: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let operation = "take a step of a sign-in";
        // Whoever makes something up waits for no writer, and no writer for them.
        if self.step(key).await?.is_none() {
            return Ok(None);
        }
        // On disk before it counts: what was taken must not come back.
        let mut write = self.write(operation).await?;
        let body = sqlx::query_scalar(
            "DELETE FROM login_steps WHERE key = $1 AND until > $2 RETURNING body",
        )
        .bind(key.to_string())
        .bind(self.0.clock.now().0)
        .fetch_optional(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await?;
        Ok(body)
    }

    /// Puts another body in place of this one; false when it is not this one any more.
    pub async fn change_step(
        &self,
        key: Digest,
        from: &[u8],
        to: &[u8],
    ) -> Result<bool, StoreError> {
        let operation = "change a step of a sign-in";
        let mut write = self.write_quickly(operation).await?;
        let done = sqlx::query(
            "UPDATE login_steps SET body = $3 WHERE key = $1 AND body = $2 AND until > $4",
        )
        .bind(key.to_string())
        .bind(from)
        .bind(to)
        .bind(self.0.clock.now().0)
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps a sign-in.
    pub async fn begin_sign_in(&self, sign_in: &SignIn) -> Result<(), StoreError> {
        let operation = "keep a sign-in";
        let who = &sign_in.identity.chain.acting;
        let mut write = self.write(operation).await?;
        sqlx::query("DELETE FROM sign_ins WHERE ends_at <= $1")
            .bind(self.0.clock.now().0)
            .execute(&mut *write.tx)
            .await
            .map_err(failed(operation))?;
        sqlx::query(
            "INSERT INTO sign_ins (id, client, source, kind, issuer, name, identity, secret, turn,
                                   upstream, began_at, checked_at, ends_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(&sign_in.id)
        .bind(&sign_in.client)
        .bind(&sign_in.source)
        .bind(kind_name(who.kind))
        .bind(&who.issuer)
        .bind(&who.name)
        .bind(to_json(operation, &IdentityRow::from(&sign_in.identity))?)
        .bind(&sign_in.secret)
        .bind(i64::try_from(sign_in.turn).unwrap_or(i64::MAX))
        .bind(&sign_in.upstream)
        .bind(sign_in.began_at.0)
        .bind(sign_in.checked_at.0)
        .bind(sign_in.ends_at.0)
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await
    }

    /// A sign-in that has not ended.
    pub async fn sign_in(&self, id: &str) -> Result<Option<SignIn>, StoreError> {
        let operation = "look for a sign-in";
        let row: Option<SignInRow> = sqlx::query_as(rows_where!("WHERE id = $1 AND ends_at > $2"))
            .bind(id)
            .bind(self.0.clock.now().0)
            .fetch_optional(&self.0.readers)
            .await
            .map_err(failed(operation))?;
        row.map(|r| read(operation, r)).transpose()
    }

    /// Moves a sign-in from this turn to the next; false when it is at another, or has ended.
    pub async fn turn_sign_in(
        &self,
        id: &str,
        from: u64,
        to: &SignInTurn,
    ) -> Result<bool, StoreError> {
        let operation = "renew a sign-in";
        let mut write = self.write(operation).await?;
        let done = sqlx::query(
            "UPDATE sign_ins SET turn = turn + 1, identity = $3, upstream = $4, checked_at = $5
             WHERE id = $1 AND turn = $2 AND ends_at > $6",
        )
        .bind(id)
        .bind(i64::try_from(from).unwrap_or(i64::MAX))
        .bind(to_json(operation, &IdentityRow::from(&to.identity))?)
        .bind(&to.upstream)
        .bind(to.checked_at.0)
        .bind(self.0.clock.now().0)
        .execute(&mut *write.tx)
        .await
        .map_err(failed(operation))?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// A person's sign-ins that have not ended, the newest first.
    pub async fn sign_ins_of(&self, who: &Principal) -> Result<Vec<SignIn>, StoreError> {
        let operation = "list sign-ins";
        let rows: Vec<SignInRow> = sqlx::query_as(rows_where!(
            "WHERE kind = $1 AND issuer = $2 AND name = $3 AND ends_at > $4
             ORDER BY began_at DESC, id"
        ))
        .bind(kind_name(who.kind))
        .bind(&who.issuer)
        .bind(&who.name)
        .bind(self.0.clock.now().0)
        .fetch_all(&self.0.readers)
        .await
        .map_err(failed(operation))?;
        rows.into_iter().map(|r| read(operation, r)).collect()
    }
}

impl Write<'_> {
    async fn drop_oldest_step(&mut self, source: &str) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM login_steps WHERE key =
               (SELECT key FROM login_steps WHERE source = $1 ORDER BY until, key LIMIT 1)",
        )
        .bind(source)
        .execute(&mut *self.tx)
        .await
        .map(drop)
        .map_err(failed(self.operation))
    }

    /// Forgets the sign-in that a revocation is of, where it is of one. Tells whether there was one.
    pub(super) async fn forget_sign_in(&mut self, revoked: &Principal) -> Result<bool, StoreError> {
        let Some(id) = token_of(revoked) else {
            return Ok(false);
        };
        let done = sqlx::query("DELETE FROM sign_ins WHERE id = $1")
            .bind(id)
            .execute(&mut *self.tx)
            .await
            .map_err(failed(self.operation))?;
        Ok(done.rows_affected() == 1)
    }
}

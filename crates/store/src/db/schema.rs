//! The tables, and how a database gets from one version of them to the next.
//!
//! Lives here: CREATE and ALTER. Never: a step that is changed after it was released; a new one is added instead.

use sqlx::SqlitePool;

/// Why the tables cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A newer program has been here.
    #[error("the database has schema version {found}; this program knows up to {known}")]
    TooNew {
        /// What it has.
        found: i64,
        /// What is known.
        known: i64,
    },
    /// A step failed; nothing of it was kept.
    #[error("could not bring the database to schema version {version}")]
    Step {
        /// Which.
        version: i64,
        /// What was said.
        #[source]
        source: sqlx::Error,
    },
}

/// Each step leads to the version that is its place in the list, counted from 1.
const STEPS: &[&[&str]] = &[
    FIRST,
    ASKERS,
    LOGINS,
    BOUNDS,
    FREEZES,
    HOLDERS,
    DELEGATIONS,
    USAGE,
    ENDINGS,
    ROOTS,
    KEYS,
];

/// Credentials that are proven by a key: the SHA-256 of it, in hexadecimal.
const KEYS: &[&str] = &["ALTER TABLE credentials ADD COLUMN key_sha256 TEXT"];

/// Whose questions count together: workers' as those of whoever spawned them.
const ROOTS: &[&str] = &[
    "ALTER TABLE approvals ADD COLUMN root TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX approvals_by_root ON approvals (root, asked_at)",
];

/// Until when a revocation is needed, where that can be told; and a number that is another after each, so that nobody
/// reads all of them to see that there is none.
const ENDINGS: &[&str] = &[
    "ALTER TABLE revocations ADD COLUMN needed_until BIGINT",
    "CREATE TABLE revocations_turn (turn BIGINT NOT NULL)",
    "INSERT INTO revocations_turn (turn) VALUES (0)",
];

/// What chains have used up.
const USAGE: &[&str] = &[
    "CREATE TABLE usage (
        chain TEXT PRIMARY KEY,
        figures TEXT NOT NULL,
        at BIGINT NOT NULL
    )",
    "CREATE INDEX usage_by_age ON usage (at)",
    "CREATE TABLE spent (
        budget TEXT PRIMARY KEY,
        amount BIGINT NOT NULL,
        at BIGINT NOT NULL
    )",
    "CREATE INDEX spent_by_age ON spent (at)",
];

/// Targets that people stopped.
const FREEZES: &[&str] = &[
    "CREATE TABLE freezes (
        id TEXT PRIMARY KEY,
        reach TEXT NOT NULL,
        targets TEXT NOT NULL,
        reason TEXT NOT NULL,
        by_whom TEXT NOT NULL,
        at BIGINT NOT NULL,
        ended_at BIGINT,
        ended_by TEXT
    )",
    "CREATE INDEX freezes_standing ON freezes (at) WHERE ended_at IS NULL",
];

/// Agents that may act for people.
const DELEGATIONS: &[&str] = &[
    "CREATE TABLE delegations (
        id TEXT PRIMARY KEY,
        person TEXT NOT NULL,
        person_id TEXT NOT NULL,
        agent TEXT NOT NULL,
        scope TEXT NOT NULL,
        reason TEXT NOT NULL,
        at BIGINT NOT NULL,
        until BIGINT NOT NULL,
        ended_at BIGINT
    )",
    "CREATE INDEX delegations_of ON delegations (person_id, until)",
];

/// Who a grant is for, to be listed and judged by. Those given before this was noted end: none stands for more than a day.
const HOLDERS: &[&str] = &[
    "ALTER TABLE grants ADD COLUMN holder TEXT NOT NULL DEFAULT ''",
    "UPDATE grants SET ended_at = until WHERE ended_at IS NULL",
];

/// Who asks the same shares a question: it ends when the last of them is gone.
const ASKERS: &[&str] = &["ALTER TABLE approvals ADD COLUMN askers BIGINT NOT NULL DEFAULT 1"];

/// What minted credentials are bound to, and whether one for a single login was used.
const BOUNDS: &[&str] = &[
    "ALTER TABLE credentials ADD COLUMN bounds TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE credentials ADD COLUMN spent_at BIGINT",
];

/// People who sign in at the gateway: steps on their way, and what came of them.
const LOGINS: &[&str] = &[
    "CREATE TABLE login_steps (
        key TEXT PRIMARY KEY,
        body BLOB NOT NULL,
        source TEXT NOT NULL,
        until BIGINT NOT NULL
    )",
    "CREATE INDEX login_steps_by_source ON login_steps (source, until)",
    "CREATE INDEX login_steps_by_end ON login_steps (until)",
    "CREATE TABLE sign_ins (
        id TEXT PRIMARY KEY,
        client TEXT NOT NULL,
        source TEXT NOT NULL,
        kind TEXT NOT NULL,
        issuer TEXT NOT NULL,
        name TEXT NOT NULL,
        identity TEXT NOT NULL,
        secret BLOB NOT NULL,
        turn BIGINT NOT NULL,
        upstream BLOB,
        began_at BIGINT NOT NULL,
        checked_at BIGINT NOT NULL,
        ends_at BIGINT NOT NULL
    )",
    "CREATE INDEX sign_ins_by_person ON sign_ins (kind, issuer, name)",
];

/// Instants are microseconds since 1970, digests are hexadecimal, JSON columns hold what the domain serialises.
const FIRST: &[&str] = &[
    "CREATE TABLE approvals (
        id TEXT PRIMARY KEY,
        node TEXT NOT NULL,
        session TEXT NOT NULL,
        chain TEXT NOT NULL,
        target TEXT NOT NULL,
        action TEXT NOT NULL,
        question TEXT NOT NULL,
        state TEXT NOT NULL,
        asked_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        settled_at BIGINT,
        consumed_by TEXT,
        consumed_at BIGINT
    )",
    // One open question for one action of one chain, whoever races.
    "CREATE UNIQUE INDEX approvals_open ON approvals (chain, target, action) WHERE state = 'pending'",
    "CREATE INDEX approvals_by_chain ON approvals (chain, asked_at)",
    "CREATE INDEX approvals_by_state ON approvals (state, expires_at)",
    "CREATE INDEX approvals_by_session ON approvals (session)",
    "CREATE TABLE answers (
        approval TEXT NOT NULL REFERENCES approvals (id),
        kind TEXT NOT NULL,
        issuer TEXT NOT NULL,
        name TEXT NOT NULL,
        number BIGINT NOT NULL,
        answer TEXT NOT NULL,
        PRIMARY KEY (approval, kind, issuer, name)
    )",
    "CREATE TABLE grants (
        id TEXT PRIMARY KEY,
        rule TEXT NOT NULL,
        rule_text TEXT NOT NULL,
        chain TEXT NOT NULL,
        target TEXT NOT NULL,
        approvers TEXT NOT NULL,
        until BIGINT NOT NULL,
        ended_at BIGINT
    )",
    "CREATE INDEX grants_in_force ON grants (chain, target, until)",
    "CREATE TABLE credentials (
        id TEXT PRIMARY KEY,
        scram_verifier TEXT NOT NULL,
        target TEXT NOT NULL,
        identity TEXT NOT NULL,
        parent TEXT,
        issued_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        revoked_at BIGINT
    )",
    "CREATE TABLE credential_actors (
        credential TEXT NOT NULL REFERENCES credentials (id),
        kind TEXT NOT NULL,
        issuer TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (credential, kind, issuer, name)
    )",
    "CREATE INDEX credentials_of ON credential_actors (kind, issuer, name)",
    "CREATE TABLE revocations (
        kind TEXT NOT NULL,
        issuer TEXT NOT NULL,
        name TEXT NOT NULL,
        at BIGINT NOT NULL,
        PRIMARY KEY (kind, issuer, name)
    )",
    "CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        node TEXT NOT NULL,
        header TEXT NOT NULL,
        target TEXT NOT NULL,
        actor TEXT NOT NULL,
        started_at BIGINT NOT NULL,
        ended_at BIGINT,
        end_reason TEXT,
        commands BIGINT NOT NULL,
        bytes_to_client BIGINT NOT NULL,
        recording TEXT
    )",
    "CREATE INDEX sessions_by_start ON sessions (started_at)",
    "CREATE INDEX sessions_by_target ON sessions (target, started_at)",
    "CREATE INDEX sessions_live ON sessions (node) WHERE ended_at IS NULL",
    "CREATE TABLE seen (
        kind TEXT NOT NULL,
        issuer TEXT NOT NULL,
        name TEXT NOT NULL,
        principal TEXT NOT NULL,
        identity TEXT,
        at BIGINT NOT NULL,
        PRIMARY KEY (kind, issuer, name)
    )",
    "CREATE TABLE sealed (
        name TEXT PRIMARY KEY,
        blob BLOB NOT NULL,
        stored_at BIGINT NOT NULL
    )",
    "CREATE TABLE deliveries (
        nonce TEXT PRIMARY KEY,
        approval TEXT NOT NULL,
        route TEXT NOT NULL,
        state TEXT NOT NULL,
        attempts BIGINT NOT NULL,
        at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL
    )",
    "CREATE INDEX deliveries_by_approval ON deliveries (approval)",
];

/// Brings the tables up to this version.
pub(crate) async fn migrate(pool: &SqlitePool) -> Result<(), SchemaError> {
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let found = version(pool)
        .await
        .map_err(|source| SchemaError::Step { version: 0, source })?;
    if found > known {
        return Err(SchemaError::TooNew { found, known });
    }
    for (version, step) in (1..).zip(STEPS) {
        if version > found {
            apply(pool, version, step)
                .await
                .map_err(|source| SchemaError::Step { version, source })?;
        }
    }
    Ok(())
}

async fn version(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
        .execute(pool)
        .await?;
    let found: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM schema_version")
        .fetch_one(pool)
        .await?;
    Ok(found.unwrap_or(0))
}

async fn apply(pool: &SqlitePool, version: i64, step: &[&'static str]) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let done: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM schema_version")
        .fetch_one(&mut *tx)
        .await?;
    if done.unwrap_or(0) >= version {
        return Ok(());
    }
    for statement in step {
        sqlx::query(*statement).execute(&mut *tx).await?;
    }
    sqlx::query("INSERT INTO schema_version (version) VALUES ($1)")
        .bind(version)
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

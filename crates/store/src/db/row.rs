//! Rows and columns to domain types and back.
//!
//! Lives here: conversions shared by several tables. Never: SQL.

use brattice_core::approval::{Approval, ApprovalState, Question};
use brattice_core::ids::{CredentialId, Digest};
use brattice_core::ports::StoreError;
use brattice_core::principal::{Chain, Identity, LoginBy, Principal, PrincipalKind};
use brattice_core::scope::Scope;
use brattice_core::sender::Binding;
use brattice_core::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::str::FromStr;

/// A column that does not hold what was put there.
#[derive(Debug, thiserror::Error)]
#[error("the column `{0}` holds something else")]
struct Strange(&'static str);

pub(crate) fn strange(operation: &'static str, column: &'static str) -> StoreError {
    StoreError {
        operation,
        cause: Box::new(Strange(column)),
    }
}

pub(crate) fn to_json<T: Serialize>(
    operation: &'static str,
    value: &T,
) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|cause| StoreError {
        operation,
        cause: Box::new(cause),
    })
}

pub(crate) fn from_json<T: DeserializeOwned>(
    operation: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|cause| StoreError {
        operation,
        cause: Box::new(cause),
    })
}

/// Ids as they were kept.
pub(crate) fn ids<T: FromStr>(
    operation: &'static str,
    kept: &[String],
) -> Result<Vec<T>, StoreError> {
    kept.iter()
        .map(|id| id.parse().map_err(|_| strange(operation, "id")))
        .collect()
}

pub(crate) fn digest(operation: &'static str, text: String) -> Result<Digest, StoreError> {
    Digest::try_from(text).map_err(|_| strange(operation, "digest"))
}

pub(crate) fn kind_name(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::Agent => "agent",
        PrincipalKind::User => "user",
    }
}

pub(crate) fn kind_of(name: &str) -> Option<PrincipalKind> {
    [PrincipalKind::Agent, PrincipalKind::User]
        .into_iter()
        .find(|kind| kind_name(*kind) == name)
}

/// A principal without its groups, which are not kept.
pub(crate) fn principal(
    operation: &'static str,
    (kind, issuer, name): (String, String, String),
) -> Result<Principal, StoreError> {
    Ok(Principal {
        kind: kind_of(&kind).ok_or_else(|| strange(operation, "kind"))?,
        issuer,
        name,
        groups: BTreeSet::new(),
    })
}

const STATES: [ApprovalState; 6] = [
    ApprovalState::Pending,
    ApprovalState::Approved,
    ApprovalState::Denied,
    ApprovalState::Consumed,
    ApprovalState::Expired,
    ApprovalState::NotRun,
];

/// The state's name in its column.
pub(crate) fn state_name(state: ApprovalState) -> &'static str {
    match state {
        ApprovalState::Pending => "pending",
        ApprovalState::Approved => "approved",
        ApprovalState::Denied => "denied",
        ApprovalState::Consumed => "consumed",
        ApprovalState::Expired => "expired",
        ApprovalState::NotRun => "not_run",
    }
}

/// A row of `approvals`: question and state.
pub(crate) type ApprovalRow = (String, String);

/// The approval as it stands now: what has lapsed is expired, whether or not that is written yet.
pub(crate) fn approval(
    operation: &'static str,
    (question, state): ApprovalRow,
    answers: Vec<String>,
    now: Timestamp,
) -> Result<Approval, StoreError> {
    let question: Question = from_json(operation, &question)?;
    let state = STATES
        .into_iter()
        .find(|s| state_name(*s) == state)
        .ok_or_else(|| strange(operation, "state"))?;
    let answers = answers
        .iter()
        .map(|a| from_json(operation, a))
        .collect::<Result<_, _>>()?;
    let lapses = matches!(state, ApprovalState::Pending | ApprovalState::Approved);
    Ok(Approval {
        state: if lapses && question.expires_at <= now {
            ApprovalState::Expired
        } else {
            state
        },
        question,
        answers,
    })
}

/// An identity as it is kept with a credential.
#[derive(Serialize, Deserialize)]
pub(crate) struct IdentityRow {
    chain: Chain,
    by: LoginBy,
    mfa: bool,
    #[serde(default)]
    binding: Binding,
    authenticated_at: Timestamp,
    expires_at: Timestamp,
    token_id: Option<String>,
    credential: Option<CredentialId>,
    #[serde(default)]
    scope: Scope,
    #[serde(default)]
    lineage: Vec<String>,
    #[serde(default)]
    sign_in: Option<String>,
}

impl From<&Identity> for IdentityRow {
    fn from(i: &Identity) -> Self {
        Self {
            chain: i.chain.clone(),
            by: i.by,
            mfa: i.mfa,
            binding: i.binding,
            authenticated_at: i.authenticated_at,
            expires_at: i.expires_at,
            token_id: i.token_id.clone(),
            credential: i.credential.clone(),
            scope: i.scope.clone(),
            lineage: i.lineage.clone(),
            sign_in: i.sign_in.clone(),
        }
    }
}

impl From<IdentityRow> for Identity {
    fn from(row: IdentityRow) -> Self {
        Self {
            chain: row.chain,
            by: row.by,
            mfa: row.mfa,
            binding: row.binding,
            authenticated_at: row.authenticated_at,
            expires_at: row.expires_at,
            token_id: row.token_id,
            credential: row.credential,
            scope: row.scope,
            lineage: row.lineage,
            sign_in: row.sign_in,
        }
    }
}

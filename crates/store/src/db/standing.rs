//! What people's answers still allow, ended when somebody in them is revoked: the yes was to somebody who may have been
//! another, or by somebody whose word counts no more.
//!
//! Lives here: which questions and grants those are. Never: who may revoke.

use super::row::{self, kind_name};
use super::{Write, failed};
use brattice_core::approval::Question;
use brattice_core::ids::{ApprovalId, GrantId};
use brattice_core::ports::StoreError;
use brattice_core::principal::Principal;
use brattice_core::time::Timestamp;
use std::collections::BTreeSet;

/// What was ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Questions that were open, or approved and not used: they are "not run" now.
    pub approvals: Vec<ApprovalId>,
    /// Grants that were in force.
    pub grants: Vec<GrantId>,
}

/// Whether a revocation is of this one; the name `*` is everybody of its kind and issuer.
pub(super) fn is_meant(revoked: &Principal, who: &Principal) -> bool {
    let everybody = revoked.name == "*" && revoked.kind == who.kind && revoked.issuer == who.issuer;
    everybody || revoked.is_same(who)
}

impl Write<'_> {
    /// Ends every open question, unused approval and grant with this principal in the chain that asked, or among those
    /// who answered.
    pub(super) async fn end_standing(
        &mut self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Ended, StoreError> {
        let (mut ended, chains) = self.asked_by(principal, now).await?;
        ended.extend(self.answered_by(principal).await?);
        for id in &ended {
            self.end_approval(id, now).await?;
        }
        let grants = self.grants_with(principal, &chains, now).await?;
        for id in &grants {
            self.end_grant_at(id, now).await?;
        }
        Ok(Ended {
            approvals: ended.into_iter().collect(),
            grants,
        })
    }

    /// What the principal's chains have open, and the digests of all its chains that could have a grant. A grant keeps
    /// only its chain's digest, and comes from a question of that chain.
    async fn asked_by(
        &mut self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<(BTreeSet<ApprovalId>, BTreeSet<String>), StoreError> {
        let operation = self.operation;
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT chain, question, state FROM approvals
             WHERE state IN ('pending', 'approved')
                OR chain IN (SELECT chain FROM grants WHERE until > $1 AND ended_at IS NULL)",
        )
        .bind(now.0)
        .fetch_all(&mut *self.tx)
        .await
        .map_err(failed(operation))?;
        let (mut open, mut chains) = (BTreeSet::new(), BTreeSet::new());
        for (chain, question, state) in rows {
            let question: Question = row::from_json(operation, &question)?;
            if question.chain.actors().any(|a| is_meant(principal, a)) {
                chains.insert(chain);
                if matches!(state.as_str(), "pending" | "approved") {
                    open.insert(question.id);
                }
            }
        }
        Ok((open, chains))
    }

    async fn answered_by(&mut self, principal: &Principal) -> Result<Vec<ApprovalId>, StoreError> {
        let operation = self.operation;
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT answers.approval FROM answers
             JOIN approvals ON approvals.id = answers.approval
             WHERE answers.kind = $1 AND answers.issuer = $2 AND (answers.name = $3 OR $3 = '*')
               AND approvals.state IN ('pending', 'approved')",
        )
        .bind(kind_name(principal.kind))
        .bind(&principal.issuer)
        .bind(&principal.name)
        .fetch_all(&mut *self.tx)
        .await
        .map_err(failed(operation))?;
        row::ids(operation, &ids)
    }

    async fn grants_with(
        &mut self,
        principal: &Principal,
        chains: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<Vec<GrantId>, StoreError> {
        let operation = self.operation;
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT id, chain, approvers FROM grants WHERE until > $1 AND ended_at IS NULL",
        )
        .bind(now.0)
        .fetch_all(&mut *self.tx)
        .await
        .map_err(failed(operation))?;
        let mut found = Vec::new();
        for (id, chain, approvers) in rows {
            let approvers: Vec<Principal> = row::from_json(operation, &approvers)?;
            if chains.contains(&chain) || approvers.iter().any(|a| is_meant(principal, a)) {
                found.push(id.parse().map_err(|_| row::strange(operation, "id"))?);
            }
        }
        Ok(found)
    }

    async fn end_approval(&mut self, id: &ApprovalId, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE approvals SET state = 'not_run', settled_at = $1
             WHERE id = $2 AND state IN ('pending', 'approved')",
        )
        .bind(now.0)
        .bind(id.as_str())
        .execute(&mut *self.tx)
        .await
        .map_err(failed(self.operation))?;
        Ok(())
    }

    async fn end_grant_at(&mut self, id: &GrantId, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE grants SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL")
            .bind(now.0)
            .bind(id.as_str())
            .execute(&mut *self.tx)
            .await
            .map_err(failed(self.operation))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Fixture;
    use super::*;
    use crate::testing::{agent, answer, asked, chain, question, user};
    use brattice_core::approval::ApprovalState;
    use brattice_core::ports::Approvals;

    /// A question of this chain, with a grant if it is approved.
    async fn ask(f: &Fixture, n: u64, of: (&str, &str)) -> ApprovalId {
        let mut question = question(n, n, f.now());
        question.chain = chain(of.0, of.1);
        question.asked = vec![asked("deletes", 1, Some(30))];
        f.db.ask(question).await.unwrap().unwrap().question.id
    }

    async fn approve(f: &Fixture, id: &ApprovalId, by: &str) {
        let done = f.db.answer(id, answer(user(by), true, &["deletes"])).await;
        assert_eq!(done.unwrap().state, ApprovalState::Approved);
    }

    async fn state(f: &Fixture, id: &ApprovalId) -> ApprovalState {
        f.db.get(id).await.unwrap().unwrap().state
    }

    #[tokio::test]
    async fn what_was_approved_for_a_chain_ends_with_anybody_in_it() {
        for who in [agent("etl-7"), user("ana")] {
            let f = Fixture::new().await;
            let open = ask(&f, 1, ("etl-7", "ana")).await;
            let ticket = ask(&f, 2, ("etl-7", "ana")).await;
            approve(&f, &ticket, "bo").await;
            let other = ask(&f, 3, ("etl-8", "cy")).await;
            approve(&f, &other, "bo").await;
            let ended = f.db.revoke(&who).await.unwrap().standing;
            assert_eq!((ended.approvals.len(), ended.grants.len()), (2, 1));
            assert_eq!(state(&f, &open).await, ApprovalState::NotRun);
            assert_eq!(state(&f, &ticket).await, ApprovalState::NotRun);
            let session = crate::testing::session(1);
            assert!(!f.db.consume(&ticket, &session, f.now()).await.unwrap());
            assert_eq!(state(&f, &other).await, ApprovalState::Approved);
            assert_eq!(f.db.all_grants(f.now()).await.unwrap().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_grant_ends_though_its_question_was_used_long_ago() {
        let f = Fixture::new().await;
        let ticket = ask(&f, 1, ("etl-7", "ana")).await;
        approve(&f, &ticket, "bo").await;
        let session = crate::testing::session(1);
        assert!(f.db.consume(&ticket, &session, f.now()).await.unwrap());
        let ended = f.db.revoke(&agent("etl-7")).await.unwrap().standing;
        assert_eq!((ended.approvals.len(), ended.grants.len()), (0, 1));
        assert_eq!(state(&f, &ticket).await, ApprovalState::Consumed);
        assert!(f.db.all_grants(f.now()).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_somebody_approved_ends_with_them() {
        let f = Fixture::new().await;
        let ticket = ask(&f, 1, ("etl-7", "ana")).await;
        approve(&f, &ticket, "bo").await;
        let by_another = ask(&f, 2, ("etl-8", "ana")).await;
        approve(&f, &by_another, "di").await;
        let ended = f.db.revoke(&user("bo")).await.unwrap().standing;
        assert_eq!(ended.approvals, std::slice::from_ref(&ticket));
        assert_eq!(ended.grants.len(), 1);
        assert_eq!(state(&f, &by_another).await, ApprovalState::Approved);
        let again = f.db.revoke(&user("bo")).await.unwrap().standing;
        assert_eq!(again, Ended::default());
    }
}

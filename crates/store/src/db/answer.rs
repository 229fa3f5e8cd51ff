//! One person's answer to one question, and what follows from it, in one transaction.
//!
//! Lives here: the tally's consequence. Never: whether the person is in a group that may answer; the caller has asked
//! policy, and says for which rules.

use super::row::{self, ApprovalRow, kind_name, to_json};
use super::{Change, Db, Write, failed};
use brattice_core::approval::{Answer, Approval, ApprovalState, Grant};
use brattice_core::ids::{ApprovalId, GrantId};
use brattice_core::ports::StoreError;
use brattice_core::time::Timestamp;
use std::time::Duration;

/// Why an answer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// There is no such question.
    #[error("no such approval")]
    NotFound,
    /// It is no longer open.
    #[error("the approval is no longer pending")]
    NotPending(ApprovalState),
    /// This person has answered it.
    #[error("this person has answered already")]
    AlreadyAnswered,
    /// This person is in the chain that asks.
    #[error("nobody answers what they ask themselves, or what is asked on their behalf")]
    OwnQuestion,
    /// The answer is for no rule that asks.
    #[error("the answer is for no rule that holds this action")]
    NoRule,
    /// The store failed: the answer does not count.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Db {
    /// Takes an answer, moves the question on if that decides it, and opens the grants it brings.
    pub async fn answer(&self, id: &ApprovalId, answer: Answer) -> Result<Approval, AnswerError> {
        let now = self.0.clock.now();
        let mut write = self.write("take an answer").await?;
        let mut approval = write
            .approval(id, now)
            .await?
            .ok_or(AnswerError::NotFound)?;
        check(&approval, &answer)?;
        write.insert_answer(&approval, &answer).await?;
        approval.answers.push(answer);
        approval.state = approval.tally();
        if approval.state == ApprovalState::Approved {
            for grant in self.grants_of(&approval, now)? {
                write.insert_grant(&grant).await?;
            }
            // No command waits for it: the grants are all there is.
            if approval.question.ahead.is_some() {
                approval.state = ApprovalState::Consumed;
            }
        }
        if approval.state != ApprovalState::Pending {
            write.settle(id, approval.state, now).await?;
        }
        write.commit().await?;
        self.tell(if approval.state == ApprovalState::Pending {
            Change::Answered(id.clone())
        } else {
            Change::Settled(id.clone())
        });
        Ok(approval)
    }

    /// The grants that an approved question brings: one for each rule that offers one.
    fn grants_of(&self, approval: &Approval, now: Timestamp) -> Result<Vec<Grant>, StoreError> {
        let question = &approval.question;
        let mut grants = Vec::new();
        for asked in &question.asked {
            let Some(minutes) = asked.grant_minutes else {
                continue;
            };
            let mut bytes = [0; 10];
            self.0.random.fill(&mut bytes).map_err(|cause| StoreError {
                operation: "open a grant",
                cause: Box::new(cause),
            })?;
            grants.push(Grant {
                id: GrantId::from_bytes(bytes),
                rule: asked.rule.clone(),
                rule_text: asked.rule_text,
                chain: question.chain.names_digest(),
                holder: question.chain.clone(),
                target: question.target.clone(),
                approvers: approval
                    .answers
                    .iter()
                    .filter(|a| a.yes && a.rules.contains(&asked.rule))
                    .map(|a| a.by.clone())
                    .collect(),
                until: now.plus(Duration::from_secs(minutes.saturating_mul(60))),
            });
        }
        Ok(grants)
    }
}

fn check(approval: &Approval, answer: &Answer) -> Result<(), AnswerError> {
    if approval.state != ApprovalState::Pending {
        return Err(AnswerError::NotPending(approval.state));
    }
    if approval.question.chain.includes(&answer.by) {
        return Err(AnswerError::OwnQuestion);
    }
    if approval.answers.iter().any(|a| a.by.is_same(&answer.by)) {
        return Err(AnswerError::AlreadyAnswered);
    }
    let asked = |rule: &String| approval.question.asked.iter().any(|a| a.rule == *rule);
    if answer.rules.is_empty() || !answer.rules.iter().all(asked) {
        return Err(AnswerError::NoRule);
    }
    Ok(())
}

impl Write<'_> {
    async fn approval(
        &mut self,
        id: &ApprovalId,
        now: Timestamp,
    ) -> Result<Option<Approval>, StoreError> {
        let operation = self.operation;
        let found: Option<ApprovalRow> =
            sqlx::query_as("SELECT question, state FROM approvals WHERE id = $1")
                .bind(id.as_str())
                .fetch_optional(&mut *self.tx)
                .await
                .map_err(failed(operation))?;
        let Some(found) = found else { return Ok(None) };
        let approval = row::approval(operation, found, Vec::new(), now)?;
        let answers = self.answers(id).await?;
        Ok(Some(Approval {
            answers,
            ..approval
        }))
    }

    async fn insert_answer(
        &mut self,
        approval: &Approval,
        answer: &Answer,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO answers (approval, kind, issuer, name, number, answer)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(approval.question.id.as_str())
        .bind(kind_name(answer.by.kind))
        .bind(&answer.by.issuer)
        .bind(&answer.by.name)
        .bind(i64::try_from(approval.answers.len()).unwrap_or(i64::MAX))
        .bind(to_json(self.operation, answer)?)
        .execute(&mut *self.tx)
        .await
        .map_err(failed(self.operation))?;
        Ok(())
    }
}

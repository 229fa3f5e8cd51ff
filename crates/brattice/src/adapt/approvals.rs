//! Questions to people, as the store keeps them.
//!
//! Lives here: listing, reading, answering. Never: who may answer (policy says, before this is asked).

use super::failed;
use crate::run::Gateway;
use brattice_admin::ports::{Answered, ApprovalFilter, ApprovalsApi, Failed};
use brattice_core::approval::{Answer, Approval};
use brattice_core::ids::ApprovalId;
use brattice_core::ports::{Approvals, BoxFuture};
use brattice_store::db::{self, AnswerError};
use std::sync::Arc;

/// The questions of a gateway.
pub struct Questions(pub Arc<Gateway>);

impl Questions {
    async fn take(&self, id: &ApprovalId, answer: Answer) -> Result<Option<Answered>, Failed> {
        let outcome = self.0.db.answer(id, answer).await;
        let as_it_is = async || {
            let found = self.0.db.get(id).await.map_err(failed)?;
            found.ok_or_else(|| Failed::new("take an answer", "the question is gone"))
        };
        match outcome {
            Ok(approval) => Ok(Some(Answered::Counted(approval))),
            Err(AnswerError::NotFound) => Ok(None),
            Err(AnswerError::NotPending(_)) => Ok(Some(Answered::Closed(as_it_is().await?))),
            Err(AnswerError::AlreadyAnswered) => Ok(Some(Answered::Twice(as_it_is().await?))),
            // The rules were asked before, so neither happens; if it does, nothing was answered.
            Err(e @ (AnswerError::OwnQuestion | AnswerError::NoRule)) => {
                Err(Failed::new("take an answer", e))
            }
            Err(AnswerError::Store(error)) => Err(failed(error)),
        }
    }
}

impl ApprovalsApi for Questions {
    fn list<'a>(
        &'a self,
        filter: &'a ApprovalFilter,
    ) -> BoxFuture<'a, Result<Vec<Approval>, Failed>> {
        Box::pin(async move {
            let filter = db::ApprovalFilter {
                state: filter.state,
                target: filter.target.clone(),
                limit: Some(u32::try_from(filter.limit).unwrap_or(u32::MAX)),
                ..db::ApprovalFilter::default()
            };
            self.0.db.approvals(&filter).await.map_err(failed)
        })
    }

    fn get<'a>(&'a self, id: &'a ApprovalId) -> BoxFuture<'a, Result<Option<Approval>, Failed>> {
        Box::pin(async move { self.0.db.get(id).await.map_err(failed) })
    }

    fn answer<'a>(
        &'a self,
        id: &'a ApprovalId,
        answer: Answer,
    ) -> BoxFuture<'a, Result<Option<Answered>, Failed>> {
        Box::pin(self.take(id, answer))
    }
}

//! Putting the ends of questions on record that no session puts there: denied, lapsed, or their asker gone.
//!
//! Lives here: following the store. Never: ending anything.

use super::{Gateway, told};
use brattice_core::approval::ApprovalState;
use brattice_core::audit::Event;
use brattice_core::ids::ApprovalId;
use brattice_core::ports::Approvals;
use brattice_store::db::Change;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

/// Runs until told to stop, and then to the end of what has changed.
pub(super) async fn record(
    gateway: Arc<Gateway>,
    mut changes: broadcast::Receiver<Change>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            biased;
            change = changes.recv() => match change {
                Ok(Change::Settled(id)) => one(&gateway, &id).await,
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "ends of questions may be missing in the audit log; the store has them");
                }
                Err(RecvError::Closed) => return,
            },
            () = told(&mut stop) => return,
        }
    }
}

async fn one(gateway: &Gateway, id: &ApprovalId) {
    let approval = match gateway.db.get(id).await {
        Ok(Some(approval)) => approval,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, approval = %id, "the end of a question could not be read");
            return;
        }
    };
    if let Some(event) = event(id, approval.state)
        && let Err(error) = gateway.note(event)
    {
        tracing::error!(error = &error as &dyn std::error::Error, approval = %id, "the end of a question could not be recorded");
    }
}

/// What is on record otherwise, or has not ended, has no such entry.
pub(super) fn event(id: &ApprovalId, state: ApprovalState) -> Option<Event> {
    let state = match state {
        ApprovalState::Denied => "denied",
        ApprovalState::Expired => "expired",
        ApprovalState::NotRun => "not_run",
        ApprovalState::Pending | ApprovalState::Approved | ApprovalState::Consumed => return None,
    };
    Some(Event::ApprovalEnded {
        approval: id.clone(),
        state: state.to_owned(),
    })
}

//! Stopped targets: asked about when somebody comes in, and again when they are in.
//!
//! Lives here: the two looks. Never: a look on the way of a command; whoever is in is cut.

use super::Gate;
use super::cut::CutReason;
use super::session::Session;
use crate::denial::{Code, Denial};
use crate::target::Target;

impl Gate {
    /// Whether this target may be used: not while it is frozen, nor while nobody can tell.
    ///
    /// # Errors
    /// With what the caller is told.
    pub(super) async fn not_frozen(&self, target: &Target) -> Result<(), Denial> {
        match self.freezes.standing().await {
            Ok(standing) => match standing.iter().find(|f| f.stops(target)) {
                None => Ok(()),
                Some(freeze) => Err(freeze.denial()),
            },
            Err(cause) => Err(self.store_away(&cause)),
        }
    }

    /// Cuts a session whose target was frozen while it was on its way in. Asked once it is on the list of those that a
    /// freeze cuts, so that no freeze passes between.
    pub async fn settle_in(&self, session: &Session) {
        let Err(denial) = self.not_frozen(session.target()).await else {
            return;
        };
        let reason = match denial.code {
            Code::Frozen => CutReason::Frozen,
            _ => CutReason::Failing,
        };
        session.cut.throw_saying(reason, denial);
    }
}

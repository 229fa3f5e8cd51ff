//! The sessions that are open on this node, and the switch of each.
//!
//! Lives here: the list and how it is cut. Never: who may cut.

use brattice_core::denial::Denial;
use brattice_core::gate::{Cut, CutReason, Granted};
use brattice_core::ids::SessionId;
use brattice_core::principal::{Chain, Identity, PrincipalKind};
use brattice_core::time::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// One open session.
#[derive(Debug)]
pub struct LiveSession {
    /// Its id.
    pub id: SessionId,
    /// Who, for whom.
    pub chain: Chain,
    /// What it was opened with.
    pub identity: Arc<Identity>,
    /// The target's name.
    pub target: String,
    /// The database.
    pub place: String,
    /// The caller's address.
    pub client: String,
    /// When it began.
    pub started_at: Timestamp,
    /// What it lives by, when it was opened by grants.
    pub granted: Option<Arc<Granted>>,
    /// Its switch.
    pub cut: Arc<Cut>,
}

/// All open sessions of this node.
#[derive(Debug, Default)]
pub struct Live(Mutex<HashMap<SessionId, Arc<LiveSession>>>);

impl Live {
    fn map(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<LiveSession>>> {
        match self.0.lock() {
            Ok(m) => m,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// Lists a session until the guard is dropped.
    pub fn enter(self: &Arc<Self>, session: LiveSession) -> Entered {
        let session = Arc::new(session);
        self.map().insert(session.id.clone(), session.clone());
        Entered {
            live: self.clone(),
            id: session.id.clone(),
        }
    }

    /// All of them.
    pub fn list(&self) -> Vec<Arc<LiveSession>> {
        self.map().values().cloned().collect()
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.map().len()
    }

    /// One by id.
    pub fn get(&self, id: &SessionId) -> Option<Arc<LiveSession>> {
        self.map().get(id).cloned()
    }

    /// Ends one; false when there is none.
    pub fn cut(&self, id: &SessionId, reason: CutReason) -> bool {
        match self.get(id) {
            Some(s) => {
                s.cut.throw(reason);
                true
            }
            None => false,
        }
    }

    /// Ends every session in whose chain this principal is. Returns which.
    pub fn cut_principal(
        &self,
        kind: PrincipalKind,
        issuer: &str,
        name: &str,
        reason: CutReason,
    ) -> Vec<SessionId> {
        self.cut_where(reason, |s| {
            s.chain
                .actors()
                .any(|a| a.kind == kind && a.issuer == issuer && a.name == name)
        })
    }

    /// Ends all of them.
    pub fn cut_all(&self, reason: CutReason) -> Vec<SessionId> {
        self.cut_where(reason, |_| true)
    }

    /// Ends every session that this holds for. Returns which.
    pub fn cut_where(
        &self,
        reason: CutReason,
        which: impl Fn(&LiveSession) -> bool,
    ) -> Vec<SessionId> {
        let found: Vec<Arc<LiveSession>> = self.list().into_iter().filter(|s| which(s)).collect();
        found
            .into_iter()
            .map(|s| {
                s.cut.throw(reason);
                s.id.clone()
            })
            .collect()
    }
}

impl Live {
    /// Ends every session for which there is something to say, and says it. Returns which.
    pub fn cut_saying(
        &self,
        reason: CutReason,
        what: impl Fn(&LiveSession) -> Option<Denial>,
    ) -> Vec<SessionId> {
        let mut ended = Vec::new();
        for session in self.list() {
            if let Some(denial) = what(&session) {
                session.cut.throw_saying(reason, denial);
                ended.push(session.id.clone());
            }
        }
        ended
    }
}

/// Keeps a session on the list.
#[derive(Debug)]
pub struct Entered {
    live: Arc<Live>,
    id: SessionId,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.live.map().remove(&self.id);
    }
}

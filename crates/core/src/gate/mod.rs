//! The gate: admit, judge, close. The only ordering of checks, and the only maker of proofs.
//!
//! Lives here: the order and the proof types. Never: sockets, clocks of its own, how a protocol spells anything.
//!
//! The order of one command, all in this folder: is the session still good ([`judge`]), what does the text do
//! ([`understand`]), what do the rules say ([`judge`]), what do people say ([`hold`]), is the intent on record
//! ([`note`]); only then is there a [`Cleared`].

mod admit;
mod ahead;
mod bundle;
mod connect;
mod cut;
mod frozen;
mod held;
mod hold;
mod judge;
mod look;
mod names;
mod note;
mod pass;
mod proof;
mod refuse;
mod request;
mod results;
mod rights;
mod session;
mod shown;
mod understand;

pub use admit::{Admitted, Opening, Role};
pub use ahead::{MINUTES_MAX, Wish, Wished};
pub use bundle::{CatalogueUnavailable, Catalogues, Guarded, InForce, Snapshot};
pub use connect::Granted;
pub use cut::{Cut, CutReason};
pub use held::{Held, Look, Parked, Passed, Portal, Rows, Tx, Verdict, What};
pub use hold::Waited;
pub use judge::{Pending, Thought};
pub use look::{catalogue_queries, next_version, text_rows};
pub use names::{Cursor, Names, Prepared};
pub use proof::{Cleared, Lane};
pub use request::{Allowed, Answer, Asked, Request};
pub use results::Results;
pub use session::{Admission, Session, SqlSession};

use crate::elsewhere::Elsewhere;
use crate::ports::{Approvals, AuditLog, Freezes, People, Randomness};
use crate::time::Clock;
use crate::usage::{Account, Meters, Portion};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;

/// The name of the statements and portals that the gateway itself prepares on a target; callers may not take it.
pub const OWN_NAME: &str = "brattice gateway";

/// What the gate is made of.
pub struct Gate {
    in_force: ArcSwap<InForce>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    audit: Arc<dyn AuditLog>,
    approvals: Arc<dyn Approvals>,
    people: Arc<dyn People>,
    freezes: Arc<dyn Freezes>,
    cache: understand::Cache,
    meters: Meters,
    elsewhere: Arc<Elsewhere>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gate(revision {})", self.in_force.load().revision)
    }
}

impl Gate {
    /// A gate with a bundle in force.
    pub fn new(
        bundle: InForce,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
        audit: Arc<dyn AuditLog>,
        approvals: Arc<dyn Approvals>,
        people: Arc<dyn People>,
        freezes: Arc<dyn Freezes>,
    ) -> Self {
        Self {
            in_force: ArcSwap::from_pointee(bundle),
            clock,
            randomness,
            audit,
            approvals,
            people,
            freezes,
            cache: understand::Cache::new(),
            meters: Meters::default(),
            elsewhere: Arc::default(),
        }
    }

    /// Puts another bundle in force, at once, for every later judgement of every session.
    pub fn apply(&self, bundle: InForce) {
        self.in_force.store(Arc::new(bundle));
    }

    /// The bundle in force.
    pub fn in_force(&self) -> Arc<InForce> {
        self.in_force.load_full()
    }

    /// How long a busy session may outlive its identity.
    pub fn expiry_grace(&self) -> Duration {
        self.in_force.load().expiry_grace
    }

    /// The clock that judgement goes by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// What chains have used up.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Where proofs of identity were used from.
    pub fn elsewhere(&self) -> &Arc<Elsewhere> {
        &self.elsewhere
    }

    /// Counts a part of a result. False when it goes beyond a budget of the session's token: then the session is cut, and
    /// that part is not for its caller.
    pub fn used(&self, account: &Account, cut: &Cut, portion: Portion) -> bool {
        let zone = &self.in_force.load().zone;
        match account.used(self.clock.now(), zone, portion) {
            None => true,
            Some(over) => {
                cut.throw_saying(CutReason::Spent, refuse::used_up(over));
                false
            }
        }
    }

    /// The audit log that intents go to.
    pub fn audit(&self) -> &Arc<dyn AuditLog> {
        &self.audit
    }
}

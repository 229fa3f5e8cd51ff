//! A user that a vault made for one session: renewed while the session lasts, revoked after it.
//!
//! Lives here: its life. Never: the request that made it.

use super::Vault;
use super::book::Book;
use super::token::Token;
use crate::lend::returns::{Debt, Returns};
use brattice_core::gate::{Cut, CutReason};
use brattice_core::ports::{BoxFuture, LeaseHeld};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long before its end a lease that cannot be renewed ends its session: a tenth of its time, within these bounds.
const MARGIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long is waited after a renewal that failed.
const AGAIN: Duration = Duration::from_secs(2);

/// What is known of a lease while its session lasts.
pub(super) struct Life {
    pub vault: Arc<Vault>,
    pub book: Arc<Book>,
    pub id: String,
    pub time: Duration,
    pub renewable: bool,
    /// What it was taken with: it ends when this does.
    pub token: Arc<Token>,
    pub state: Mutex<State>,
    pub over: Notify,
}

/// How it stands.
#[derive(Default)]
pub(super) struct State {
    cut: Option<Arc<Cut>>,
    run_out: bool,
}

impl Life {
    fn state(&self) -> MutexGuard<'_, State> {
        match self.state.lock() {
            Ok(state) => state,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    fn run_out(&self) {
        let mut state = self.state();
        state.run_out = true;
        if let Some(cut) = &state.cut {
            cut.throw(CutReason::Lease);
        }
    }

    fn margin(&self) -> Duration {
        let shorter = self
            .token
            .time
            .map_or(self.time, |time| time.min(self.time));
        (shorter / 10).clamp(MARGIN.0, MARGIN.1)
    }
}

/// Renews it until its session is over, or ends the session before it runs out.
pub(super) async fn keep(life: Arc<Life>, begun: Instant) {
    let mut ends = begun + life.time;
    let mut next = ends - life.time / 2;
    loop {
        let last = life.token.ends().map_or(ends, |token| token.min(ends)) - life.margin();
        let now = Instant::now();
        if now >= last {
            tracing::warn!(
                vault = life.vault.name(),
                "a lease runs out and was not renewed: its session ends"
            );
            return life.run_out();
        }
        let wake = if life.renewable { next.min(last) } else { last };
        tokio::select! {
            () = tokio::time::sleep_until(wake) => {}
            () = life.over.notified() => return,
        }
        if !life.renewable || Instant::now() < next {
            continue;
        }
        let asked = Instant::now();
        match life.vault.renew(&life.id, life.time).await {
            Ok(time) => {
                ends = asked + time;
                next = asked + time / 2;
                // What is given grows shorter towards the longest that the vault allows.
                if time <= life.margin() {
                    next = ends;
                }
            }
            Err(why) => {
                tracing::warn!(vault = life.vault.name(), %why, "a lease could not be renewed yet");
                next = Instant::now() + AGAIN;
            }
        }
    }
}

/// A lease that a session has. Dropping this revokes it, elsewhere.
pub(super) struct Issued {
    pub life: Arc<Life>,
    pub returns: Arc<Returns>,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a user made by a vault")
    }
}

impl LeaseHeld for Issued {
    fn ends_with(&self, cut: Arc<Cut>) {
        let mut state = self.life.state();
        if state.run_out {
            cut.throw(CutReason::Lease);
        }
        state.cut = Some(cut);
    }
}

impl Drop for Issued {
    fn drop(&mut self) {
        self.life.over.notify_one();
        self.returns.owe(Box::new(LeaseDebt {
            vault: self.life.vault.clone(),
            book: self.life.book.clone(),
            id: self.life.id.clone(),
        }));
    }
}

/// A lease to revoke.
pub(super) struct LeaseDebt {
    pub vault: Arc<Vault>,
    pub book: Arc<Book>,
    pub id: String,
}

impl Debt for LeaseDebt {
    fn what(&self) -> String {
        format!("a lease of the vault {}", self.vault.name())
    }

    fn pay(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            self.vault
                .revoke(&self.id)
                .await
                .map_err(|why| why.to_string())
        })
    }

    fn settled(&self, paid: bool) {
        self.book.settled(&self.id, paid);
    }
}

//! What the tests of this crate share: a clock that is stepped, bytes that are different each time, and things to keep.
//!
//! Lives here: fixtures. Never: anything but for tests.

use brattice_core::approval::{Answer, Asked, Question};
use brattice_core::audit::{Entry, Event};
use brattice_core::ids::{ApprovalId, Digest, Revision, SessionId};
use brattice_core::ports::{Randomness, RecordFailed};
use brattice_core::principal::{Chain, Principal, PrincipalKind};
use brattice_core::record::Header;
use brattice_core::time::{Clock, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// 2026-11-22T10:00:00Z.
pub(crate) const START: Timestamp = Timestamp(1_795_341_600_000_000);

#[derive(Clone)]
pub(crate) struct StepClock(Arc<AtomicI64>);

impl StepClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(START.0)))
    }
    pub(crate) fn step(&self, span: Duration) {
        let micros = i64::try_from(span.as_micros()).unwrap();
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for StepClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Bytes from a counter, hashed: never the same twice.
#[derive(Default)]
pub(crate) struct Counted(AtomicU64);

impl Randomness for Counted {
    fn fill(&self, buf: &mut [u8]) -> Result<(), RecordFailed> {
        for chunk in buf.chunks_mut(32) {
            let n = self.0.fetch_add(1, Ordering::SeqCst);
            let digest = Digest::of(&n.to_be_bytes());
            chunk.copy_from_slice(&digest.0[..chunk.len()]);
        }
        Ok(())
    }
}

pub(crate) fn ten(n: u64) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&n.to_be_bytes());
    bytes
}

pub(crate) fn session(n: u64) -> SessionId {
    SessionId::from_bytes(ten(n))
}

pub(crate) fn agent(name: &str) -> Principal {
    who(PrincipalKind::Agent, name)
}

pub(crate) fn user(name: &str) -> Principal {
    who(PrincipalKind::User, name)
}

fn who(kind: PrincipalKind, name: &str) -> Principal {
    Principal {
        kind,
        issuer: "okta".to_owned(),
        name: name.to_owned(),
        groups: BTreeSet::from(["okta/everyone".to_owned()]),
    }
}

pub(crate) fn chain(agent_name: &str, user_name: &str) -> Chain {
    Chain {
        acting: agent(agent_name),
        on_behalf_of: vec![user(user_name)],
    }
}

/// An intent, told apart from others by its number.
pub(crate) fn entry(n: u64, of: Option<SessionId>) -> Entry {
    Entry {
        at: START,
        sequence: of.as_ref().map(|_| n),
        session: of,
        revision: Revision(1),
        event: Event::Intent {
            action: Digest::of(&n.to_be_bytes()),
            text: format!("UPDATE orders SET state = 'paid' WHERE id = {n}"),
            parameters: 0,
            effects: Vec::new(),
            approvals: Vec::new(),
            observed: Vec::new(),
        },
    }
}

pub(crate) fn header(of: SessionId) -> Header {
    Header {
        session: of,
        chain: chain("etl-7", "ana"),
        target: "orders-db".to_owned(),
        place: "app".to_owned(),
        protocol: "postgres".to_owned(),
        client: "10.0.0.7:4242".to_owned(),
        started_at: START,
        revision: Revision(1),
    }
}

pub(crate) fn asked(rule: &str, approvers: u8, grant_minutes: Option<u64>) -> Asked {
    Asked {
        rule: rule.to_owned(),
        rule_text: Digest::of(rule.as_bytes()),
        groups: vec!["okta/dba".to_owned()],
        approvers,
        grant_minutes,
        message: None,
    }
}

/// A question about an action that is told apart by its number.
pub(crate) fn question(id: u64, action: u64, at: Timestamp) -> Question {
    Question {
        id: ApprovalId::from_bytes(ten(id)),
        session: Some(session(1)),
        ahead: None,
        chain: chain("etl-7", "ana"),
        target: "orders-db".to_owned(),
        labels: vec!["env=production".to_owned()],
        place: "app".to_owned(),
        action: Digest::of(&action.to_be_bytes()),
        text: "DELETE FROM orders".to_owned(),
        parameters: Vec::new(),
        effects: Vec::new(),
        acts: vec!["sql.delete_all orders-db/app/public/orders".to_owned()],
        asked: vec![asked("deletes", 1, None)],
        revision: Revision(1),
        asked_at: at,
        expires_at: at.plus(Duration::from_secs(3600)),
    }
}

pub(crate) fn answer(by: Principal, yes: bool, rules: &[&str]) -> Answer {
    Answer {
        by,
        yes,
        rules: rules.iter().map(|r| (*r).to_owned()).collect(),
        reason: None,
        at: START,
        via: "cli".to_owned(),
        from: None,
    }
}

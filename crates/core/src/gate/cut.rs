//! The switch that ends a session from outside.
//!
//! Lives here: the switch and its reasons. Never: who may throw it.

use crate::denial::{Code, Denial};
use crate::freeze::RULE;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock};
use std::task::{Context, Poll, Waker};

/// Why a session was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CutReason {
    /// The principal, or one it acts for, was revoked.
    Revoked = 1,
    /// An operator ended the session.
    Killed = 2,
    /// The identity's proof ran out.
    Expired = 3,
    /// The record, the store or another part that the promise needs failed.
    Failing = 4,
    /// The gateway is shutting down.
    Draining = 5,
    /// What the session is logged in to the target with runs out and could not be renewed.
    Lease = 6,
    /// People stopped the target.
    Frozen = 7,
    /// The grant by which it was opened ended.
    GrantEnded = 8,
    /// A budget of its token has nothing left.
    Spent = 9,
}

impl CutReason {
    /// The reason in records.
    pub fn as_str(self) -> &'static str {
        match self {
            CutReason::Revoked => "revoked",
            CutReason::Killed => "killed",
            CutReason::Expired => "expired",
            CutReason::Failing => "failing",
            CutReason::Draining => "draining",
            CutReason::Lease => "lease",
            CutReason::Frozen => "frozen",
            CutReason::GrantEnded => "grant ended",
            CutReason::Spent => "budget used up",
        }
    }
    /// What the caller is told.
    pub fn denial(self) -> Denial {
        match self {
            CutReason::Revoked => Denial::new(
                Code::SessionEnded,
                "brattice.revoked",
                "this identity was revoked",
            )
            .hint("ask the people who run the gateway"),
            CutReason::Killed => Denial::new(
                Code::SessionEnded,
                "brattice.killed",
                "an operator ended this session",
            ),
            CutReason::Expired => Denial::new(
                Code::SessionEnded,
                "brattice.expired",
                "the identity of this session has expired",
            )
            .hint("get a fresh token and connect again"),
            CutReason::Failing => Denial::new(
                Code::Unavailable,
                "brattice.failing",
                "the gateway cannot keep its record, so nothing passes",
            )
            .hint("try again later; the operators can see why in the gateway's log"),
            CutReason::Draining => Denial::new(
                Code::SessionEnded,
                "brattice.draining",
                "the gateway is shutting down",
            )
            .hint("connect again"),
            CutReason::Lease => Denial::new(
                Code::SessionEnded,
                "brattice.lease",
                "the gateway's credential for the target runs out and could not be renewed",
            )
            .hint("connect again; the operators can see why in the gateway's log"),
            CutReason::GrantEnded => Denial::new(
                Code::SessionEnded,
                "brattice.grant",
                "the grant by which this session was opened has ended",
            )
            .hint("ask for another before connecting: brattice request create"),
            CutReason::Spent => Denial::new(
                Code::Forbidden,
                "brattice.scope",
                "a budget of the token is used up",
            ),
            CutReason::Frozen => Denial::new(Code::Frozen, RULE, "people stopped this target")
                .hint("ask the people who run the gateway"),
        }
    }
    fn of(value: u8) -> Option<Self> {
        [
            CutReason::Revoked,
            CutReason::Killed,
            CutReason::Expired,
            CutReason::Failing,
            CutReason::Draining,
            CutReason::Lease,
            CutReason::Frozen,
            CutReason::GrantEnded,
            CutReason::Spent,
        ]
        .into_iter()
        .find(|r| *r as u8 == value)
    }
}

impl fmt::Display for CutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A session's switch: thrown once, seen by the gate at every judgement and by the pump at once.
#[derive(Debug, Default)]
pub struct Cut {
    reason: AtomicU8,
    /// What the caller is told, where whoever threw it has more to say than the reason.
    said: OnceLock<(CutReason, Denial)>,
    waker: Mutex<Option<Waker>>,
}

impl Cut {
    /// A switch that is not thrown.
    pub fn new() -> Self {
        Self::default()
    }
    /// Throws it; the first reason stays.
    pub fn throw(&self, reason: CutReason) {
        let first = self
            .reason
            .compare_exchange(0, reason as u8, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if first {
            let waker = match self.waker.lock() {
                Ok(mut w) => w.take(),
                Err(poisoned) => poisoned.into_inner().take(),
            };
            if let Some(w) = waker {
                w.wake();
            }
        }
    }
    /// Throws it with words of its own for the caller.
    pub fn throw_saying(&self, reason: CutReason, denial: Denial) {
        // Set first: whoever sees the reason finds the words.
        let _first_words_stay = self.said.set((reason, denial));
        self.throw(reason);
    }
    /// What the caller is told of this reason.
    pub fn says(&self, reason: CutReason) -> Denial {
        match self.said.get() {
            Some((of, denial)) if *of == reason => denial.clone(),
            _ => reason.denial(),
        }
    }
    /// Why it was thrown, if it was.
    pub fn reason(&self) -> Option<CutReason> {
        match self.reason.load(Ordering::Acquire) {
            0 => None,
            v => CutReason::of(v),
        }
    }
    /// Ready when it is thrown; remembers one waker (there is one pump).
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<CutReason> {
        if let Some(r) = self.reason() {
            return Poll::Ready(r);
        }
        {
            let mut slot = match self.waker.lock() {
                Ok(w) => w,
                Err(poisoned) => poisoned.into_inner(),
            };
            if !slot.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                *slot = Some(cx.waker().clone());
            }
        }
        match self.reason() {
            Some(r) => Poll::Ready(r),
            None => Poll::Pending,
        }
    }
}

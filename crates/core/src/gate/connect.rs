//! The right to be connected: by the rules, or by grants while they stand.
//!
//! Lives here: judging it, at admission and again while a session goes on. Never: a look into the store on the way of a
//! command; what a session was opened by is kept with it, and renewed from outside.

use super::Gate;
use super::bundle::{Guarded, InForce};
use super::hold::About;
use crate::action::{Act, Object, Verb};
use crate::approval::Asked;
use crate::denial::{Code, Denial};
use crate::ids::Digest;
use crate::policy::{self, Judge, Lifted, Moment, TimeZone};
use crate::principal::Identity;
use crate::time::Timestamp;
use crate::usage::Meter;
use arc_swap::ArcSwap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Whose connection it is about.
pub(super) struct Connecting<'a> {
    pub identity: &'a Identity,
    pub meter: &'a Meter,
    pub force: &'a InForce,
    pub guarded: &'a Arc<Guarded>,
    pub judge: &'a Judge,
    pub client: IpAddr,
}

/// By what right somebody is connected.
#[derive(Debug, Default)]
pub(super) struct Right {
    /// What grants lift for it; nothing where the rules alone permit it.
    pub lifted: Lifted,
    /// Until when they do.
    pub until: Option<Timestamp>,
    /// The grants.
    pub grants: Vec<String>,
}

/// What a session that was opened by grants lives by.
#[derive(Debug)]
pub struct Granted {
    until: AtomicI64,
    lifted: ArcSwap<Lifted>,
    client: IpAddr,
}

impl Granted {
    pub(super) fn of(right: &Right, client: IpAddr) -> Option<Arc<Self>> {
        let until = right.until?;
        Some(Arc::new(Self {
            until: AtomicI64::new(until.0),
            lifted: ArcSwap::from_pointee(right.lifted.clone()),
            client,
        }))
    }

    /// Whether it has ended.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.0 >= self.until.load(Ordering::Acquire)
    }

    pub(super) fn lifted(&self) -> Arc<Lifted> {
        self.lifted.load_full()
    }

    fn renew(&self, right: Right) {
        self.lifted.store(Arc::new(right.lifted));
        // By the rules alone now: as long as those permit it.
        let until = right.until.map_or(i64::MAX, |at| at.0);
        self.until.store(until, Ordering::Release);
    }
}

impl Gate {
    /// By what right this may be opened now.
    pub(super) async fn may_connect(&self, who: &Connecting<'_>) -> Result<Right, Denial> {
        let now = self.clock.now();
        let asked = match self.connected(who, now, &Lifted::none())? {
            None => return Ok(Right::default()),
            Some(asked) => asked,
        };
        let chain = &who.identity.chain;
        let target = &who.guarded.target.name;
        let found = self.approvals.grants(chain, target, now).await;
        let found = found.map_err(|cause| self.store_away(&cause))?;
        let about = About {
            guarded: who.guarded,
            revision: who.force.revision,
            chain,
            place: "",
            session: None,
        };
        let question = self.about(&about, &asked, &[], Digest::of(b"connect"));
        let standing = self.standing(found, &question).await;
        let standing = standing.map_err(|cause| self.store_away(&cause))?;
        let mut right = Right::default();
        for grant in &standing {
            right.lifted.add(grant.rule.clone(), grant.rule_text);
            right.grants.push(grant.id.to_string());
        }
        if let Some(asked) = self.connected(who, now, &right.lifted)? {
            return Err(held(target, &asked));
        }
        // Each rule is lifted as long as its longest grant says; the first that is not lifted any more ends it.
        let last = |a: &Asked| {
            let of_rule = standing.iter().filter(|g| g.rule == a.rule);
            of_rule.map(|g| g.until).max().unwrap_or(now)
        };
        right.until = asked.iter().map(last).min();
        Ok(right)
    }

    /// Asks the rules: what they hold it for, if they do.
    fn connected(
        &self,
        who: &Connecting<'_>,
        now: Timestamp,
        lifted: &Lifted,
    ) -> Result<Option<Vec<Asked>>, Denial> {
        let connect = [Act::new(Verb::Connect, Object::Target)];
        let moment = moment((who.identity, who.meter), now, who.client, &who.force.zone);
        let outcome = who.judge.judge(&connect, &moment, lifted);
        match outcome.verdict {
            policy::Verdict::Allow => Ok(None),
            _ if who.guarded.target.observe => Ok(None),
            policy::Verdict::Deny { rules, messages } => {
                let mut denial = super::admit::not_permitted(&who.guarded.target.name);
                if !rules.is_empty() {
                    denial.rules = rules;
                }
                denial.hint = messages.into_iter().next().or(denial.hint);
                Err(denial)
            }
            policy::Verdict::Hold(asked) => Ok(Some(asked)),
        }
    }

    /// Looks again whether a session that was opened by grants may go on, and until when.
    ///
    /// # Errors
    /// With why it may not, or [`Code::Unavailable`] when nobody can tell now.
    pub async fn still_granted(
        &self,
        identity: &Identity,
        target: &str,
        granted: &Granted,
    ) -> Result<(), Denial> {
        let force = self.in_force.load_full();
        let gone = || super::CutReason::GrantEnded.denial();
        let guarded = force.targets.get(target).ok_or_else(gone)?;
        let judge = force.rules.judge_for(&identity.chain, &guarded.target);
        let who = Connecting {
            identity,
            meter: &self.meters.of(&identity.chain),
            force: &force,
            guarded,
            judge: &judge,
            client: granted.client,
        };
        granted.renew(self.may_connect(&who).await?);
        Ok(())
    }
}

/// The circumstances of opening something.
pub(super) fn moment<'a>(
    (identity, meter): (&'a Identity, &Meter),
    now: Timestamp,
    address: IpAddr,
    zone: &'a TimeZone,
) -> Moment<'a> {
    Moment {
        identity,
        now,
        address,
        budget: meter.read(now, zone),
        zone,
        rows_so_far: 0,
    }
}

fn held(target: &str, asked: &[Asked]) -> Denial {
    let each_time: Vec<&str> = asked
        .iter()
        .filter(|a| a.grant_minutes.is_none())
        .map(|a| a.rule.as_str())
        .collect();
    let hint = match each_time.is_empty() {
        true => format!(
            "ask for a grant before connecting: brattice request create --target {target} --connect --for 30m --reason …"
        ),
        false => format!(
            "no grant can be asked for ahead of {}, which has no @grant: ask the people who write the policy",
            each_time.join(", ")
        ),
    };
    let mut denial = Denial::new(
        Code::ApprovalRequired,
        "brattice.connect",
        "opening this target waits for approval",
    )
    .hint(hint);
    denial.rules = asked.iter().map(|a| a.rule.clone()).collect();
    denial
}

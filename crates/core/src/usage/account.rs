//! What one session counts in: its chain's meter, and the budgets of the token that it was opened with.
//!
//! Lives here: counting one thing everywhere it counts. Never: what is said to whom.

use super::spent::of_portion;
use super::{Meter, Meters, Portion, Spent};
use crate::policy::Budget;
use crate::principal::Identity;
use crate::scope::{Allowance, Measure};
use crate::time::Timestamp;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// Where a session counts.
#[derive(Debug)]
pub struct Account {
    meter: Arc<Meter>,
    budgets: Vec<(Allowance, Arc<Spent>)>,
}

impl Account {
    pub(super) fn new(meters: &Meters, who: &Identity) -> Self {
        let budgets = who.scope.budgets.iter();
        Self {
            meter: meters.of(&who.chain),
            budgets: budgets.map(|b| (b.clone(), meters.spent(b))).collect(),
        }
    }

    /// The chain's meter.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Counts commands that come in one message; what the chain had used up before them.
    pub fn begin(&self, now: Timestamp, zone: &TimeZone, commands: u32) -> Budget {
        self.meter.begin(now, zone, commands)
    }

    /// Takes commands from every budget of commands. The budget that has not so many left, where there is one.
    pub fn take_commands(&self, now: Timestamp, commands: u32) -> Option<&Allowance> {
        let of_commands = || {
            let all = self.budgets.iter();
            all.filter(|(a, _)| a.of == Measure::Commands)
        };
        let commands = u64::from(commands);
        let short = of_commands().position(|(a, spent)| !spent.take(commands, a.most, now))?;
        for (_, spent) in of_commands().take(short) {
            spent.give_back(commands, now);
        }
        of_commands().nth(short).map(|(a, _)| a)
    }

    /// A budget of what commands bring that has nothing left.
    pub fn used_up(&self) -> Option<&Allowance> {
        let mut brought = self
            .budgets
            .iter()
            .filter(|(a, _)| a.of != Measure::Commands);
        brought
            .find(|(a, spent)| spent.amount() >= a.most)
            .map(|(a, _)| a)
    }

    /// Counts a part of a result. The budget that it goes beyond, where there is one: then it may not be handed over.
    pub fn used(&self, now: Timestamp, zone: &TimeZone, portion: Portion) -> Option<&Allowance> {
        let mut over = None;
        for (allowance, spent) in &self.budgets {
            let amount = of_portion(allowance.of, portion);
            if amount > 0 && !spent.take(amount, allowance.most, now) {
                spent.use_up(allowance.most, now);
                over = Some(allowance);
            }
        }
        let received = match over {
            None => portion,
            // It stays here.
            Some(_) => Portion {
                changes: portion.changes,
                ..Portion::default()
            },
        };
        self.meter.used(now, zone, received);
        over
    }
}

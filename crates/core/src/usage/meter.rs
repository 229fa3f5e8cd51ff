//! The figures of one chain.
//!
//! Lives here: what is counted when, and what is told of it. Never: whose chain it is.

use super::window::Window;
use crate::action::FIGURE_MAX;
use crate::policy::Budget;
use crate::time::Timestamp;
use jiff::ToSpan;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a part of a result came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Portion {
    /// Rows that the caller received.
    pub rows: u64,
    /// Bytes that the caller received.
    pub bytes: u64,
    /// Rows that were changed: inserted, updated, deleted, merged, copied in.
    pub changes: u64,
}

impl Portion {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A meter's figures, as they are kept over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    commands: Window<10, 6>,
    rows: Window<300, 12>,
    denials: Window<300, 12>,
    /// When the day ends that the rest is of, in microseconds since the epoch.
    day_ends: i64,
    rows_today: i64,
    bytes_today: i64,
    changes_today: i64,
}

/// Counts what one chain uses up. All sessions of the chain count here; each for a moment, and nobody else waits.
#[derive(Debug, Default)]
pub struct Meter {
    figures: Mutex<Figures>,
}

#[derive(Debug, Default)]
struct Figures {
    kept: Kept,
    changed: bool,
}

impl From<Kept> for Meter {
    fn from(kept: Kept) -> Self {
        Self {
            figures: Mutex::new(Figures {
                kept,
                changed: false,
            }),
        }
    }
}

impl Meter {
    /// What is used up now.
    pub fn read(&self, now: Timestamp, zone: &TimeZone) -> Budget {
        self.lock().kept.read(now, zone)
    }

    /// Counts commands that come in one message; what was used up before them.
    pub fn begin(&self, now: Timestamp, zone: &TimeZone, commands: u32) -> Budget {
        let mut figures = self.lock();
        let before = figures.kept.read(now, zone);
        figures
            .kept
            .commands
            .add(now.seconds(), i64::from(commands));
        figures.changed = true;
        before
    }

    /// Counts a refusal.
    pub fn refused(&self, now: Timestamp) {
        let mut figures = self.lock();
        figures.kept.denials.add(now.seconds(), 1);
        figures.changed = true;
    }

    /// Counts what came of a command.
    pub fn used(&self, now: Timestamp, zone: &TimeZone, portion: Portion) {
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let mut figures = self.lock();
        let kept = &mut figures.kept;
        kept.turn(now, zone);
        kept.rows.add(now.seconds(), count(portion.rows));
        kept.rows_today = kept.rows_today.saturating_add(count(portion.rows));
        kept.bytes_today = kept.bytes_today.saturating_add(count(portion.bytes));
        kept.changes_today = kept.changes_today.saturating_add(count(portion.changes));
        figures.changed = true;
    }

    /// The figures, if they changed since this was last asked.
    pub(super) fn take_change(&self) -> Option<Kept> {
        let mut figures = self.lock();
        std::mem::take(&mut figures.changed).then(|| figures.kept.clone())
    }

    /// What was taken was not kept.
    pub(super) fn take_again(&self) {
        self.lock().changed = true;
    }

    /// Whether nothing of it counts any more.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.lock().kept.is_over(now)
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Whether nothing of it counts any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        let second = now.seconds();
        now.0 >= self.day_ends
            && self.commands.is_over(second)
            && self.rows.is_over(second)
            && self.denials.is_over(second)
    }

    fn read(&mut self, now: Timestamp, zone: &TimeZone) -> Budget {
        self.turn(now, zone);
        let second = now.seconds();
        Budget {
            commands_last_minute: self.commands.sum(second),
            rows_last_hour: self.rows.sum(second),
            rows_today: self.rows_today,
            bytes_today: self.bytes_today,
            changes_today: self.changes_today,
            denials_last_hour: self.denials.sum(second),
            // Nothing that passes here has a price.
            cost_today: FIGURE_MAX,
        }
    }

    /// Begins a new day where the last one is over.
    fn turn(&mut self, now: Timestamp, zone: &TimeZone) {
        if now.0 < self.day_ends {
            return;
        }
        self.rows_today = 0;
        self.bytes_today = 0;
        self.changes_today = 0;
        self.day_ends = midnight_after(now, zone);
    }
}

/// The next midnight of this zone. Where there is none that can be told, a day has 24 hours.
fn midnight_after(now: Timestamp, zone: &TimeZone) -> i64 {
    let instant = jiff::Timestamp::from_microsecond(now.0).unwrap_or(jiff::Timestamp::MAX);
    let next = zone
        .to_datetime(instant)
        .date()
        .checked_add(1.day())
        .and_then(|date| date.to_zoned(zone.clone()));
    match next {
        Ok(midnight) => midnight.timestamp().as_microsecond(),
        Err(_) => now.0.saturating_add(24 * 3600 * 1_000_000),
    }
}

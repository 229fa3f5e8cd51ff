//! What the figures should be. Nothing here measures.

use super::ledger::{Ledger, Measured, Unit};
use super::way::Way;
use serde_json::{Value, json};
use std::fmt;

/// What a figure should be.
pub(super) struct Aim {
    name: &'static str,
    unit: Unit,
    bound: Bound,
}

#[derive(Clone, Copy)]
enum Bound {
    /// At least this part of what the other way reaches.
    AtLeastOf(Way, f64),
    /// At most so much more than the direct way.
    AddedAtMost(f64),
    /// At most so many, by itself.
    AtMost(f64),
    /// At least so many, by itself.
    AtLeast(f64),
}

/// Of the way to a database.
pub(super) const SQL: &[Aim] = &[
    aim(
        "select, simple, 8 clients",
        Unit::PerSecond,
        Bound::AtLeastOf(Way::Pgbouncer, 0.6),
    ),
    aim(
        "select, prepared, 8 clients",
        Unit::PerSecond,
        Bound::AtLeastOf(Way::Pgbouncer, 0.6),
    ),
    aim(
        "select, simple, 1 client",
        Unit::Microseconds,
        Bound::AddedAtMost(45.0),
    ),
    aim(
        "select, prepared, 1 client",
        Unit::Microseconds,
        Bound::AddedAtMost(45.0),
    ),
    aim(
        "200,000 rows",
        Unit::PerSecond,
        Bound::AtLeastOf(Way::Direct, 0.85),
    ),
    aim(
        "200,000 rows, one column masked",
        Unit::PerSecond,
        Bound::AtLeastOf(Way::Direct, 0.85),
    ),
    aim(
        "COPY of 190 MB",
        Unit::MegabytesPerSecond,
        Bound::AtLeastOf(Way::Direct, 0.85),
    ),
    aim(
        "TPC-B, 1 client",
        Unit::PerSecond,
        Bound::AtLeastOf(Way::Direct, 0.7),
    ),
    aim(
        "TPC-B, 8 clients",
        Unit::PerSecond,
        Bound::AtLeastOf(Way::Direct, 0.7),
    ),
    // The last of a minute's agents needs a moment of the next.
    aim("new agents", Unit::PerMinute, Bound::AtLeast(990.0)),
    aim(
        "session ended, 99th percentile",
        Unit::Milliseconds,
        Bound::AtMost(2000.0),
    ),
    aim(
        "statement stopped, 99th percentile",
        Unit::Milliseconds,
        Bound::AtMost(2000.0),
    ),
];

/// Of the way to a host. A hop that only passes bytes on is the yardstick, as pgbouncer is for a database.
pub(super) const SSH: &[Aim] = &[
    aim(
        "text down",
        Unit::MegabytesPerSecond,
        Bound::AtLeastOf(Way::Jump, 0.6),
    ),
    aim(
        "text up",
        Unit::MegabytesPerSecond,
        Bound::AtLeastOf(Way::Jump, 0.6),
    ),
    aim(
        "connect, 1 client",
        Unit::PerSecond,
        Bound::AtLeastOf(Way::Jump, 0.6),
    ),
    aim(
        "command on an open connection",
        Unit::PerSecond,
        Bound::AtLeastOf(Way::Jump, 0.6),
    ),
    aim("key echoed", Unit::Microseconds, Bound::AddedAtMost(200.0)),
    // It must not grow with what is moved.
    aim(
        "memory, most that was added while text came down",
        Unit::Kib,
        Bound::AtMost(32_768.0),
    ),
    aim(
        "memory, most that was added while text went up",
        Unit::Kib,
        Bound::AtMost(32_768.0),
    ),
];

/// What is aimed at, and what was reached. Nothing for what was not measured.
pub(super) fn told(aims: &[Aim], ledger: &Ledger) -> Vec<Value> {
    aims.iter()
        .filter_map(|aim| {
            let measured = ledger.find(aim.name, aim.unit)?;
            let reached = aim.reached(measured)?;
            let met = match aim.bound {
                Bound::AtLeastOf(_, least) | Bound::AtLeast(least) => reached >= least,
                Bound::AddedAtMost(most) | Bound::AtMost(most) => reached <= most,
            };
            Some(json!({"aim": aim.to_string(), "reached": reached, "met": met}))
        })
        .collect()
}

const fn aim(name: &'static str, unit: Unit, bound: Bound) -> Aim {
    Aim { name, unit, bound }
}

impl Aim {
    fn reached(&self, measured: &Measured) -> Option<f64> {
        let ours = measured.median(Way::Gateway)?;
        match self.bound {
            Bound::AtLeastOf(other, _) => Some(ours / measured.median(other)?),
            Bound::AddedAtMost(_) => Some(ours - measured.median(Way::Direct)?),
            Bound::AtMost(_) | Bound::AtLeast(_) => Some(ours),
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, sign) = (self.name, self.unit.sign());
        match self.bound {
            Bound::AtLeastOf(way, least) => write!(f, "{name}: at least {least} of {}", way.name()),
            Bound::AddedAtMost(most) => {
                write!(f, "{name}: at most {most} {sign} added to the median")
            }
            Bound::AtMost(most) => write!(f, "{name}: at most {most} {sign}"),
            Bound::AtLeast(least) => write!(f, "{name}: at least {least} {sign}"),
        }
    }
}

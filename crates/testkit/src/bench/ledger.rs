//! The figures of a run. Nothing here knows where they come from or how they are shown.

use super::way::Way;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Transactions, connections, rows in a second.
    PerSecond,
    /// A thousand thousand bytes in a second.
    MegabytesPerSecond,
    /// Microseconds that somebody waits.
    Microseconds,
    /// Microseconds of CPU time that the process in between spends for one transaction.
    CpuMicroseconds,
    /// Milliseconds of CPU time that the process in between spends for each GiB.
    CpuMillisecondsPerGib,
    /// KiB of memory.
    Kib,
    /// Things.
    Count,
    /// Things in a minute.
    PerMinute,
    /// Milliseconds that somebody waits.
    Milliseconds,
}

impl Unit {
    /// Behind a number.
    pub fn sign(self) -> &'static str {
        match self {
            Unit::PerSecond => "a second",
            Unit::MegabytesPerSecond => "MB a second",
            Unit::Microseconds => "µs",
            Unit::CpuMicroseconds => "µs of CPU time",
            Unit::CpuMillisecondsPerGib => "ms of CPU time a GiB",
            Unit::Kib => "KiB",
            Unit::Count => "",
            Unit::PerMinute => "a minute",
            Unit::Milliseconds => "ms",
        }
    }
}

/// One thing that was measured, several times, each way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Measured {
    pub name: String,
    pub unit: Unit,
    pub rounds: BTreeMap<Way, Vec<f64>>,
}

impl Measured {
    /// The median of this way's rounds.
    pub fn median(&self, way: Way) -> Option<f64> {
        median(self.rounds.get(&way)?)
    }
}

/// All of it, in the order in which it was first noted.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Ledger {
    measured: Vec<Measured>,
}

impl Ledger {
    /// Puts a figure beside those of other rounds and ways.
    pub fn note(&mut self, name: &str, unit: Unit, way: Way, value: f64) {
        let known = self
            .measured
            .iter_mut()
            .find(|m| m.name == name && m.unit == unit);
        match known {
            Some(measured) => measured.rounds.entry(way).or_default().push(value),
            None => self.measured.push(Measured {
                name: name.to_owned(),
                unit,
                rounds: BTreeMap::from([(way, vec![value])]),
            }),
        }
    }

    /// Puts down how long many waited, in milliseconds: the median, and what one in a hundred waits longer than.
    pub fn note_waits(&mut self, name: &str, way: Way, waits: &[Duration]) {
        self.note_waits_in(name, Unit::Milliseconds, 1e3, way, waits);
    }

    /// The same in microseconds, for waits that are too short for that.
    pub fn note_short_waits(&mut self, name: &str, way: Way, waits: &[Duration]) {
        self.note_waits_in(name, Unit::Microseconds, 1e6, way, waits);
    }

    fn note_waits_in(
        &mut self,
        name: &str,
        unit: Unit,
        in_a_second: f64,
        way: Way,
        waits: &[Duration],
    ) {
        let in_unit = |w: &Duration| w.as_secs_f64() * in_a_second;
        let mut sorted: Vec<f64> = waits.iter().map(in_unit).collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        let high = sorted.get((sorted.len() * 99 / 100).min(last));
        if let Some((median, high)) = median(&sorted).zip(high) {
            self.note(name, unit, way, median);
            let name = format!("{name}, 99th percentile");
            self.note(&name, unit, way, *high);
        }
    }

    /// Everything.
    pub fn all(&self) -> &[Measured] {
        &self.measured
    }

    /// One thing.
    pub fn find(&self, name: &str, unit: Unit) -> Option<&Measured> {
        self.measured
            .iter()
            .find(|m| m.name == name && m.unit == unit)
    }
}

/// The middle one; the mean of the two in the middle.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(*upper);
    }
    let lower = sorted.get(sorted.len() / 2 - 1)?;
    Some((lower + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn waits_are_told_by_their_middle_and_their_end() {
        let mut ledger = Ledger::default();
        let waits: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        ledger.note_waits("end", Way::Gateway, &waits);
        let told = |name: &str| {
            let found = ledger.find(name, Unit::Milliseconds).unwrap();
            found.median(Way::Gateway).unwrap()
        };
        assert_eq!((told("end"), told("end, 99th percentile")), (100.5, 199.0));
        ledger.note_short_waits("key", Way::Gateway, &[Duration::from_micros(70)]);
        let key = ledger.find("key", Unit::Microseconds).unwrap();
        assert_eq!(key.median(Way::Gateway).unwrap().round(), 70.0);
    }

    #[test]
    fn rounds_and_ways_of_one_thing_stand_together() {
        let mut ledger = Ledger::default();
        ledger.note("select", Unit::PerSecond, Way::Direct, 10.0);
        ledger.note("select", Unit::PerSecond, Way::Gateway, 5.0);
        ledger.note("select", Unit::PerSecond, Way::Gateway, 7.0);
        ledger.note("select", Unit::Microseconds, Way::Gateway, 99.0);
        let select = ledger.find("select", Unit::PerSecond).unwrap();
        assert_eq!(select.median(Way::Gateway), Some(6.0));
        assert_eq!(select.median(Way::Pgbouncer), None);
        assert_eq!(ledger.all().len(), 2);
    }
}

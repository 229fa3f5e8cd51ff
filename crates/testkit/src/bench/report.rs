//! The figures of a run, as tables for people and as JSON for programs.

use super::aims;
use super::error::{BenchError, During};
use super::family::Family;
use super::ledger::{Ledger, Measured, Unit};
use super::plot;
use super::way::Way;
use serde_json::{Map, Value, json};
use std::fmt;
use std::fs;
use std::path::Path;

/// Everything that a run found.
#[derive(Debug, Default)]
pub struct Report {
    parts: Vec<Part>,
}

/// What was found with one kind of target.
pub(super) struct Part {
    pub family: &'static Family,
    /// What was measured on and how, in words.
    pub setting: Vec<(&'static str, String)>,
    pub ledger: Ledger,
}

impl Report {
    pub(super) fn add(&mut self, part: Part) {
        self.parts.push(part);
    }

    /// All of it for programs: an object with a kind of target for each key.
    pub fn json(&self) -> Value {
        let parts = self.parts.iter();
        let all: Map<String, Value> = parts
            .map(|part| (part.family.key.to_owned(), part.json()))
            .collect();
        Value::Object(all)
    }

    /// Writes `last.json`, and the pictures beside it, into this directory.
    pub(super) fn write(&self, dir: &Path) -> Result<(), BenchError> {
        fs::create_dir_all(dir).during("creating the directory of figures")?;
        let text = format!("{:#}\n", self.json());
        fs::write(dir.join("last.json"), text).during("writing the figures")?;
        for Part { family, ledger, .. } in &self.parts {
            let svg = plot::svg(ledger, family.plain);
            fs::write(dir.join(family.picture), svg).during("drawing the figures")?;
        }
        Ok(())
    }
}

impl Part {
    fn json(&self) -> Value {
        let setting: Map<String, Value> = self
            .setting
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let measured: Vec<Value> = self
            .ledger
            .all()
            .iter()
            .map(|m| {
                let medians: Map<String, Value> = (self.family.ways.iter())
                    .filter_map(|way| Some((way.name().to_owned(), json!(m.median(*way)?))))
                    .collect();
                json!({"name": m.name, "unit": m.unit, "medians": medians, "rounds": m.rounds})
            })
            .collect();
        json!({"setting": setting, "measured": measured, "aims": self.aims()})
    }

    fn aims(&self) -> Vec<Value> {
        aims::told(self.family.aims, &self.ledger)
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.json())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, part) in self.parts.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            if self.parts.len() > 1 {
                writeln!(f, "{}\n", part.family.title)?;
            }
            write!(f, "{part}")?;
        }
        Ok(())
    }
}

/// One kind of figures after the other, each as a table.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.setting {
            writeln!(f, "{name:<12} {value}")?;
        }
        for (unit, title) in [
            (Unit::PerSecond, "in a second"),
            (Unit::MegabytesPerSecond, "MB in a second"),
            (Unit::Microseconds, "µs waited, median of one client"),
            (
                Unit::CpuMicroseconds,
                "µs of CPU time in the process between",
            ),
            (
                Unit::CpuMillisecondsPerGib,
                "ms of CPU time in the process between, a GiB",
            ),
            (Unit::PerMinute, "in a minute"),
            (Unit::Milliseconds, "ms waited, median"),
            (Unit::Kib, "KiB"),
            (Unit::Count, "counted"),
        ] {
            let rows: Vec<&Measured> = self
                .ledger
                .all()
                .iter()
                .filter(|m| m.unit == unit)
                .collect();
            if !rows.is_empty() {
                table(f, self.family, unit, title, &rows)?;
            }
        }
        let aims = self.aims();
        if !aims.is_empty() {
            writeln!(f, "\naims")?;
        }
        for aim in aims {
            let met = aim.get("met").and_then(Value::as_bool).unwrap_or(false);
            let reached = aim
                .get("reached")
                .and_then(Value::as_f64)
                .unwrap_or(f64::NAN);
            let text = aim.get("aim").and_then(Value::as_str).unwrap_or_default();
            writeln!(
                f,
                "  {} {text}: {reached:.2}",
                if met { "met   " } else { "missed" }
            )?;
        }
        Ok(())
    }
}

/// How the gateway's figure is set beside the others'.
enum Beside {
    /// As parts of theirs.
    Parts,
    /// By what it adds, and as parts.
    Added,
    Nothing,
}

fn table(
    f: &mut fmt::Formatter<'_>,
    family: &Family,
    unit: Unit,
    title: &str,
    rows: &[&Measured],
) -> fmt::Result {
    let mut ways = family.ways.to_vec();
    ways.retain(|way| rows.iter().any(|row| row.rounds.contains_key(way)));
    let beside = match unit {
        Unit::PerSecond | Unit::MegabytesPerSecond => Beside::Parts,
        Unit::Microseconds | Unit::Milliseconds if ways.contains(&Way::Direct) => Beside::Added,
        _ => Beside::Nothing,
    };
    write!(f, "\n{title:<50}")?;
    for way in &ways {
        write!(f, "{:>12}", short(*way))?;
    }
    if matches!(beside, Beside::Added) {
        write!(f, "{:>12}", "added")?;
    }
    if !matches!(beside, Beside::Nothing) {
        let plain = format!("of {}", family.plain.name());
        write!(f, "{:>12}{plain:>14}", "of direct")?;
    }
    writeln!(f)?;
    for row in rows {
        write!(f, "  {:<48}", row.name)?;
        for way in &ways {
            write!(f, "{:>12}", shown(row.median(*way)))?;
        }
        let ours = row.median(Way::Gateway);
        let direct = ours.zip(row.median(Way::Direct));
        let plain = ours.zip(row.median(family.plain));
        if matches!(beside, Beside::Added) {
            write!(f, "{:>12}", shown(direct.map(|(a, b)| a - b)))?;
        }
        if !matches!(beside, Beside::Nothing) {
            write!(f, "{:>12}{:>14}", part(direct), part(plain))?;
        }
        writeln!(f)?;
    }
    Ok(())
}

fn part(of: Option<(f64, f64)>) -> String {
    of.map_or("-".to_owned(), |(a, b)| format!("{:.2}", a / b))
}

fn short(way: Way) -> &'static str {
    match way {
        Way::Minted => "minted",
        other => other.name(),
    }
}

fn shown(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(v) if v.abs() >= 100.0 => format!("{v:.0}"),
        Some(v) => format!("{v:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::family;
    use super::*;

    #[test]
    fn the_table_shows_medians_and_parts() {
        let mut ledger = Ledger::default();
        let name = "select, simple, 8 clients";
        ledger.note(name, Unit::PerSecond, Way::Direct, 40_000.0);
        ledger.note(name, Unit::PerSecond, Way::Pgbouncer, 20_000.0);
        ledger.note(name, Unit::PerSecond, Way::Gateway, 10_000.0);
        let mut report = Report::default();
        report.add(Part {
            family: &family::SQL,
            ledger,
            setting: vec![("cores", "2".to_owned())],
        });
        let text = report.to_string();
        assert!(text.contains("0.25") && text.contains("0.50"), "{text}");
        assert!(text.contains("missed select, simple, 8 clients"), "{text}");
    }

    #[test]
    fn waits_are_told_by_what_is_added_and_beside_the_hop() {
        let mut ledger = Ledger::default();
        for (way, wait) in [
            (Way::Direct, 100.0),
            (Way::Jump, 160.0),
            (Way::Gateway, 400.0),
        ] {
            ledger.note("key echoed", Unit::Microseconds, way, wait);
        }
        let mut report = Report::default();
        report.add(Part {
            family: &family::SSH,
            ledger,
            setting: Vec::new(),
        });
        let text = report.to_string();
        let row = text.lines().find(|line| line.contains("key echoed"));
        let row: Vec<&str> = row.unwrap_or_default().split_whitespace().collect();
        assert_eq!(
            row,
            ["key", "echoed", "100", "160", "400", "300", "4.00", "2.50"]
        );
        assert!(text.contains("missed key echoed"), "{text}");
        let json = report.json();
        assert_eq!(json["ssh"]["measured"][0]["medians"]["jump"], 160.0);
    }
}

//! The figures of a run, as a table for people and as JSON for programs.

use super::Plan;
use super::error::{BenchError, During};
use super::ledger::{Ledger, Measured, Unit};
use super::way::Way;
use super::world::World;
use serde_json::{Value, json};
use std::fmt;
use std::fs;
use std::path::Path;

/// The columns of the table.
const WAYS: [Way; 4] = [Way::Direct, Way::Pgbouncer, Way::Gateway, Way::Minted];

/// Everything that a run found.
#[derive(Debug)]
pub struct Report {
    ledger: Ledger,
    setting: Vec<(&'static str, String)>,
}

impl Report {
    pub(super) fn new(world: &World, plan: &Plan, ledger: Ledger) -> Result<Report, BenchError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let version = world.postgres.psql("postgres", "SHOW server_version")?;
        let setting = vec![
            ("cores", cores.to_string()),
            ("file system", world.file_system()),
            (
                "PostgreSQL",
                format!("{version}, fsync on, 512 MB of shared buffers"),
            ),
            (
                "client side",
                "TLS everywhere, also straight at PostgreSQL".to_owned(),
            ),
            (
                "server side",
                "plain loopback, from pgbouncer and from the gateway".to_owned(),
            ),
            (
                "rounds",
                format!("{} of {} s, in turns; medians", plan.rounds, plan.seconds),
            ),
        ];
        Ok(Report { ledger, setting })
    }

    /// Writes `last.json`, and the picture beside it, into this directory.
    pub(super) fn write(&self, dir: &Path) -> Result<(), BenchError> {
        fs::create_dir_all(dir).during("creating the directory of figures")?;
        let text = serde_json::to_string_pretty(&self.json())
            .map_err(|e| BenchError::Wrong(e.to_string()))?;
        fs::write(dir.join("last.json"), text).during("writing the figures")?;
        fs::write(dir.join("last.svg"), super::plot::svg(&self.ledger))
            .during("drawing the figures")
    }

    fn json(&self) -> Value {
        let setting: serde_json::Map<String, Value> = self
            .setting
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let measured: Vec<Value> = self
            .ledger
            .all()
            .iter()
            .map(|m| {
                let medians: serde_json::Map<String, Value> = WAYS
                    .iter()
                    .filter_map(|way| Some((way.name().to_owned(), json!(m.median(*way)?))))
                    .collect();
                json!({"name": m.name, "unit": m.unit, "medians": medians, "rounds": m.rounds})
            })
            .collect();
        json!({"setting": setting, "measured": measured, "aims": self.aims()})
    }

    /// What is aimed at, and what was reached. Nothing for what was not measured.
    fn aims(&self) -> Vec<Value> {
        AIMS.iter()
            .filter_map(|aim| {
                let measured = self.ledger.find(aim.name, aim.unit)?;
                let reached = aim.reached(measured)?;
                let met = match aim.bound {
                    Bound::AtLeastOf(_, least) => reached >= least,
                    Bound::AddedAtMost(most) | Bound::AtMost(most) => reached <= most,
                    Bound::AtLeast(least) => reached >= least,
                };
                Some(json!({"aim": aim.to_string(), "reached": reached, "met": met}))
            })
            .collect()
    }
}

/// What a figure should be.
struct Aim {
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
    /// At most so many milliseconds, by itself.
    AtMost(f64),
    /// At least so many a minute, by itself.
    AtLeast(f64),
}

const AIMS: [Aim; 12] = [
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
        match self.bound {
            Bound::AtLeastOf(way, least) => {
                write!(f, "{}: at least {least} of {}", self.name, way.name())
            }
            Bound::AddedAtMost(most) => {
                write!(f, "{}: at most {most} µs added to the median", self.name)
            }
            Bound::AtMost(most) => write!(f, "{}: at most {most} ms", self.name),
            Bound::AtLeast(least) => write!(f, "{}: at least {least} a minute", self.name),
        }
    }
}

/// One kind of figures after the other, each as a table.
impl fmt::Display for Report {
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
                table(f, unit, title, &rows)?;
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

fn table(f: &mut fmt::Formatter<'_>, unit: Unit, title: &str, rows: &[&Measured]) -> fmt::Result {
    let faster = matches!(unit, Unit::PerSecond | Unit::MegabytesPerSecond);
    let ways: Vec<Way> = WAYS
        .into_iter()
        .filter(|way| rows.iter().any(|row| row.rounds.contains_key(way)))
        .collect();
    write!(f, "\n{title:<46}")?;
    for way in &ways {
        write!(f, "{:>12}", short(*way))?;
    }
    if faster {
        write!(f, "{:>12}{:>14}", "of direct", "of pgbouncer")?;
    } else if unit == Unit::Microseconds {
        write!(f, "{:>12}", "added")?;
    }
    writeln!(f)?;
    for row in rows {
        write!(f, "  {:<44}", row.name)?;
        for way in &ways {
            write!(f, "{:>12}", shown(row.median(*way)))?;
        }
        let ours = row.median(Way::Gateway);
        let of = |other: Way| ours.zip(row.median(other)).map(|(a, b)| a / b);
        if faster {
            let part = |p: Option<f64>| p.map_or("-".to_owned(), |p| format!("{p:.2}"));
            write!(
                f,
                "{:>12}{:>14}",
                part(of(Way::Direct)),
                part(of(Way::Pgbouncer))
            )?;
        } else if unit == Unit::Microseconds {
            let added = ours.zip(row.median(Way::Direct)).map(|(a, b)| a - b);
            write!(f, "{:>12}", shown(added))?;
        }
        writeln!(f)?;
    }
    Ok(())
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
    use super::*;

    #[test]
    fn the_table_shows_medians_and_parts() {
        let mut ledger = Ledger::default();
        let name = "select, simple, 8 clients";
        ledger.note(name, Unit::PerSecond, Way::Direct, 40_000.0);
        ledger.note(name, Unit::PerSecond, Way::Pgbouncer, 20_000.0);
        ledger.note(name, Unit::PerSecond, Way::Gateway, 10_000.0);
        let report = Report {
            ledger,
            setting: vec![("cores", "2".to_owned())],
        };
        let text = report.to_string();
        assert!(text.contains("0.25") && text.contains("0.50"), "{text}");
        assert!(text.contains("missed select, simple, 8 clients"), "{text}");
    }
}

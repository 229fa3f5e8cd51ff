//! Figures for Prometheus, in its text format 0.0.4.
//!
//! Lives here: what a metric is, and how samples are written. Never: where figures come from.

use std::fmt::Write;

/// What kind of metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A metric, as it is declared and documented.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: MetricKind,
    /// What it tells.
    pub help: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
}

/// A page of metrics that is being written.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// Adds a metric with its samples: the labels' values, in the order of their names, and a figure.
    pub fn metric<'a>(
        &mut self,
        metric: &Metric,
        samples: impl IntoIterator<Item = (Vec<&'a str>, f64)>,
    ) {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
        };
        let help = metric.help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {} {help}", metric.name);
        let _ = writeln!(self.0, "# TYPE {} {kind}", metric.name);
        for (values, figure) in samples {
            self.0.push_str(metric.name);
            self.labels(metric.labels, &values);
            let _ = writeln!(self.0, " {figure}");
        }
    }

    /// Adds a metric without labels.
    pub fn figure(&mut self, metric: &Metric, figure: f64) {
        self.metric(metric, [(Vec::new(), figure)]);
    }

    /// The page so far.
    pub fn text(self) -> String {
        self.0
    }

    fn labels(&mut self, names: &[&str], values: &[&str]) {
        if names.is_empty() {
            return;
        }
        self.0.push('{');
        for (i, (name, value)) in names.iter().zip(values).enumerate() {
            if i > 0 {
                self.0.push(',');
            }
            let _ = write!(self.0, "{name}=\"");
            for c in value.chars() {
                match c {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    other => self.0.push(other),
                }
            }
            self.0.push('"');
        }
        self.0.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERDICTS: Metric = Metric {
        name: "brattice_verdicts_total",
        kind: MetricKind::Counter,
        help: "Commands judged.",
        labels: &["target", "verdict"],
    };

    #[test]
    fn writes_samples_with_labels_and_escapes_them() {
        let mut page = Page::default();
        page.metric(
            &VERDICTS,
            [
                (vec!["orders-db", "allow"], 3.0),
                (vec!["a\"b\n", "deny"], 1.0),
            ],
        );
        assert_eq!(
            page.text(),
            "# HELP brattice_verdicts_total Commands judged.\n\
             # TYPE brattice_verdicts_total counter\n\
             brattice_verdicts_total{target=\"orders-db\",verdict=\"allow\"} 3\n\
             brattice_verdicts_total{target=\"a\\\"b\\n\",verdict=\"deny\"} 1\n"
        );
    }
}

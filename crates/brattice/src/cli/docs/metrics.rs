//! The metrics' document.

use super::cell;
use crate::adapt::figures;
use brattice_admin::metrics::MetricKind;
use std::fmt::Write;

/// The document.
pub fn document() -> String {
    let mut text = String::from(
        "# Metrics\n\nAt `/metrics` of `listen.metrics`, in Prometheus's text format, without authentication and without names \
         of principals or texts of commands.\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in figures::ALL {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {kind} | {} | {} |",
            metric.name,
            metric.labels.join(", "),
            cell(metric.help)
        );
    }
    text
}

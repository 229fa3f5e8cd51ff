//! The figures as a picture: what is left of a direct connection's rate through a plain proxy and through the gateway.
//!
//! Here lives drawing bars, as SVG. Nothing here measures.

use super::ledger::{Ledger, Unit};
use super::way::Way;
use std::fmt::Write as _;

const ROW: f64 = 34.0;
const LEFT: f64 = 250.0;
const FULL: f64 = 420.0;
const TOP: f64 = 48.0;
/// Bars end here, in parts of the direct rate: beyond it a figure says more of the machine's mood than of the way.
const MOST: f64 = 1.25;

/// The colours of a plain proxy and of the gateway, told apart without seeing colour by their brightness.
const COLOURS: [&str; 2] = ["#b8c4ce", "#1f5f8b"];

/// A bar for each rate that was measured directly too, through this proxy and through the gateway.
pub(super) fn svg(ledger: &Ledger, plain: Way) -> String {
    let [grey, blue] = COLOURS;
    let ways = [(plain, grey), (Way::Gateway, blue)];
    let rows: Vec<(&str, [Option<f64>; 2])> = ledger
        .all()
        .iter()
        .filter(|m| matches!(m.unit, Unit::PerSecond | Unit::MegabytesPerSecond))
        .filter_map(|m| {
            let direct = m.median(Way::Direct)?;
            let part = |way| Some(m.median(way)? / direct);
            Some((m.name.as_str(), ways.map(|(way, _)| part(way))))
        })
        .collect();
    let height = rows.iter().fold(TOP + 24.0, |h, _| h + ROW);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" font-family="sans-serif" font-size="13">
<rect width="760" height="{height}" fill="#ffffff"/>
<text x="12" y="24" font-weight="bold">Part of a direct connection's rate that is left (longer is better)</text>"##
    );
    let mut x = LEFT;
    for (way, colour) in ways {
        let _ = writeln!(
            out,
            r##"<rect x="{x}" y="32" width="10" height="10" fill="{colour}"/><text x="{}" y="41">{}</text>"##,
            x + 15.0,
            way.name()
        );
        x += 110.0;
    }
    let mut y = TOP + 8.0;
    for (name, parts) in rows {
        let _ = writeln!(
            out,
            r##"<text x="{}" y="{}" text-anchor="end">{name}</text>"##,
            LEFT - 8.0,
            y + 16.0
        );
        for ((_, colour), part) in ways.iter().zip(parts) {
            if let Some(part) = part {
                let width = FULL * part.min(MOST) / MOST;
                let _ = writeln!(
                    out,
                    r##"<rect x="{LEFT}" y="{y}" width="{width:.1}" height="11" fill="{colour}"/><text x="{:.1}" y="{:.1}" font-size="11">{part:.2}</text>"##,
                    LEFT + width + 5.0,
                    y + 10.0
                );
            }
            y += 12.0;
        }
        y += ROW - 24.0;
    }
    let whole = LEFT + FULL / MOST;
    let _ = writeln!(
        out,
        r##"<line x1="{whole}" y1="{TOP}" x2="{whole}" y2="{}" stroke="#888888" stroke-dasharray="3 3"/>
</svg>"##,
        height - 12.0
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_a_bar_for_each_way_that_was_measured() {
        let mut ledger = Ledger::default();
        ledger.note("select", Unit::PerSecond, Way::Direct, 100.0);
        ledger.note("select", Unit::PerSecond, Way::Gateway, 50.0);
        ledger.note("burst", Unit::PerSecond, Way::Gateway, 50.0);
        let svg = svg(&ledger, Way::Pgbouncer);
        assert!(svg.contains(">0.50<") && svg.contains(">select<"), "{svg}");
        assert!(!svg.contains("burst"), "{svg}");
    }
}

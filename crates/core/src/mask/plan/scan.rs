//! Detectors over one cell of any type.
//!
//! Lives here: how a hit is replaced without making the value invalid. Never: the detectors.

use super::Change;
use crate::mask::cell::{self, Form, Format, Kind, Replacement, ValueType, as_text};
use crate::mask::classes::OnHit;
use crate::mask::detect::{Detector, Tally};

/// Looks at a cell that no column rule covers.
pub(crate) fn scan(
    detector: &Detector,
    of: ValueType,
    value: &[u8],
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> Change {
    let kind = cell::kind(of.oid);
    if kind.is_text() || (kind == Kind::Unknown && of.format == Format::Text) {
        return match detector.redact(value, out, tally) {
            true => Change::Bytes,
            false => Change::Same,
        };
    }
    // Anything else stays valid only as a whole: one hit replaces the value.
    let Some(text) = as_text(kind, of, value) else {
        return Change::Same;
    };
    let mut first = None;
    for hit in detector.scan(text.as_bytes()) {
        tally.count(&hit.class, hit.action);
        if hit.action == OnHit::Mask && first.is_none() {
            first = Some(hit.class);
        }
    }
    let Some(class) = first else {
        return Change::Same;
    };
    match cell::mask(&class, Form::Masked, None, of, value, out) {
        Replacement::Bytes => Change::Bytes,
        Replacement::Null => Change::Null,
    }
}

//! Detectors over one cell of any type.
//!
//! Lives here: how a hit is replaced without making the value invalid. Never: the detectors.

use super::Change;
use crate::mask::cell::{self, Form, Format, Kind, Replacement, ValueType, as_text};
use crate::mask::classes::OnHit;
use crate::mask::detect::{Detector, Tally};
use crate::mask::json;

/// Looks at a cell that no column rule covers.
pub(crate) fn scan(
    detector: &Detector,
    of: ValueType,
    value: &[u8],
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> Change {
    let kind = cell::kind(of.oid);
    let replaced = match (kind, of.format) {
        (Kind::Text | Kind::Varchar | Kind::Bpchar | Kind::Name, _)
        | (Kind::Unknown, Format::Text) => detector.redact(value, out, tally),
        (Kind::Array(element), Format::Text) if cell::kind(element).is_text() => {
            detector.redact(value, out, tally)
        }
        (Kind::Array(element), Format::Binary) => {
            return array(detector, of, element, value, out, tally);
        }
        (Kind::Json, _) | (Kind::Jsonb, Format::Text) => json::redact(detector, value, out, tally),
        (Kind::Jsonb, Format::Binary) => return jsonb(detector, value, out, tally),
        (Kind::Unknown, Format::Binary) => return opaque(detector, value, tally),
        _ => return whole(detector, kind, of, value, out, tally),
    };
    if replaced {
        Change::Bytes
    } else {
        Change::Same
    }
}

/// Stays valid only as a whole: one hit replaces the value.
fn whole(
    detector: &Detector,
    kind: Kind,
    of: ValueType,
    value: &[u8],
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> Change {
    let Some(text) = as_text(kind, of, value) else {
        return Change::Same;
    };
    let Some(class) = first_masked(detector, text.as_bytes(), tally) else {
        return Change::Same;
    };
    match cell::mask(&class, Form::Masked, None, of, value, out) {
        Replacement::Bytes => Change::Bytes,
        Replacement::Null => Change::Null,
    }
}

fn first_masked(
    detector: &Detector,
    text: &[u8],
    tally: &mut Tally,
) -> Option<std::sync::Arc<str>> {
    let mut first = None;
    for hit in detector.scan(text) {
        tally.count(&hit.class, hit.action);
        if hit.action == OnHit::Mask && first.is_none() {
            first = Some(hit.class);
        }
    }
    first
}

/// A value of a type we do not know: when it is text, or has text in it, a hit makes it NULL.
fn opaque(detector: &Detector, value: &[u8], tally: &mut Tally) -> Change {
    match first_masked(detector, value, tally) {
        Some(_) => Change::Null,
        None => Change::Same,
    }
}

fn jsonb(detector: &Detector, value: &[u8], out: &mut Vec<u8>, tally: &mut Tally) -> Change {
    let Some(body) = value.strip_prefix(&[1]) else {
        return opaque(detector, value, tally);
    };
    let begin = out.len();
    out.push(1);
    if json::redact(detector, body, out, tally) {
        return Change::Bytes;
    }
    out.truncate(begin);
    Change::Same
}

/// `array_send`: dimensions, flags, element type, each dimension's length and lower bound, then the elements.
fn array(
    detector: &Detector,
    of: ValueType,
    element: u32,
    value: &[u8],
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> Change {
    let begin = out.len();
    let element = ValueType { oid: element, ..of };
    match elements(detector, element, value, out, tally) {
        Some(true) => Change::Bytes,
        Some(false) => {
            out.truncate(begin);
            Change::Same
        }
        // Not an array as we know it.
        None => {
            out.truncate(begin);
            opaque(detector, value, tally)
        }
    }
}

fn elements(
    detector: &Detector,
    of: ValueType,
    value: &[u8],
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> Option<bool> {
    let dimensions = usize::try_from(int(value, 0)?).ok().filter(|d| *d <= 6)?;
    let header = 12 + dimensions * 8;
    out.extend_from_slice(value.get(..header)?);
    let flags_at = out.len() - header + 4;
    let mut rest = value.get(header..)?;
    let mut changed = false;
    let mut nulls = false;
    while !rest.is_empty() {
        let length = int(rest, 0)?;
        rest = rest.get(4..)?;
        let Ok(length) = usize::try_from(length) else {
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            continue;
        };
        let (item, after) = rest.split_at_checked(length)?;
        rest = after;
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        let new = match scan(detector, of, item, out, tally) {
            Change::Same => {
                out.extend_from_slice(item);
                i32::try_from(length).ok()?
            }
            Change::Bytes => {
                changed = true;
                i32::try_from(out.len() - at - 4).ok()?
            }
            Change::Null => {
                changed = true;
                nulls = true;
                out.truncate(at + 4);
                -1
            }
        };
        out.get_mut(at..at + 4)?.copy_from_slice(&new.to_be_bytes());
    }
    if nulls {
        out.get_mut(flags_at..flags_at + 4)?
            .copy_from_slice(&1_i32.to_be_bytes());
    }
    Some(changed)
}

fn int(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

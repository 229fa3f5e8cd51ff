//! The text format: one line a row, fields between delimiters, backslash escapes.
//!
//! Lives here: reading and writing fields. Never: where rows end (that is the search).

use super::{CopyBroken, CopyOptions};
use crate::mask::detect::Tally;
use crate::mask::plan::{Change, RowPlan};
use memchr::{memchr, memchr2};

/// Writes one line anew.
pub(super) fn row(
    plan: &RowPlan,
    columns: usize,
    options: &CopyOptions,
    line: &[u8],
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> Result<(), CopyBroken> {
    let body = line.strip_suffix(b"\n").unwrap_or(line);
    // The end-of-data mark of old protocols; a table without columns.
    if body == b"\\." || (columns == 0 && body.is_empty()) {
        out.extend_from_slice(line);
        return Ok(());
    }
    let (mut value, mut new) = (Vec::new(), Vec::new());
    // Most lines leave as they came: what was not changed is copied in one piece.
    let mut copied = 0;
    let (mut index, mut at) = (0, 0);
    loop {
        let fields = body.get(at..).unwrap_or_default();
        let end = at + field_length(fields, options.delimiter);
        let field = body.get(at..end).unwrap_or_default();
        let change = match field == options.null.as_slice() {
            true => Change::Same,
            false => {
                new.clear();
                plan.cell(index, Some(unescape(field, &mut value)), &mut new, tally)
            }
        };
        if change != Change::Same {
            out.extend_from_slice(body.get(copied..at).unwrap_or_default());
            match change {
                Change::Bytes => escape(&new, options.delimiter, out),
                Change::Null | Change::Same => out.extend_from_slice(&options.null),
            }
            copied = end;
        }
        index += 1;
        if end == body.len() {
            break;
        }
        at = end + 1;
    }
    if index != columns {
        return Err(CopyBroken::Columns {
            expected: columns,
            found: index,
        });
    }
    out.extend_from_slice(body.get(copied..).unwrap_or_default());
    out.push(b'\n');
    Ok(())
}

/// Up to the next delimiter that no backslash precedes.
fn field_length(bytes: &[u8], delimiter: u8) -> usize {
    let mut at = 0;
    while let Some(found) = memchr2(delimiter, b'\\', bytes.get(at..).unwrap_or_default()) {
        let found = at + found;
        if bytes.get(found) == Some(&delimiter) {
            return found;
        }
        // What stands behind a backslash is the value's.
        at = found + 2;
    }
    bytes.len()
}

fn unescape<'a>(field: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    if memchr(b'\\', field).is_none() {
        return field;
    }
    buffer.clear();
    let mut bytes = field.iter().copied();
    while let Some(b) = bytes.next() {
        let b = match b {
            b'\\' => match bytes.next() {
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 11,
                Some(other) => other,
                None => b'\\',
            },
            b => b,
        };
        buffer.push(b);
    }
    buffer
}

/// As `CopyAttributeOutText` writes it.
fn escape(value: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    for b in value {
        let letter = match *b {
            8 => b'b',
            12 => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            11 => b'v',
            b'\\' => b'\\',
            b if b == delimiter => b,
            b => {
                out.push(b);
                continue;
            }
        };
        out.push(b'\\');
        out.push(letter);
    }
}

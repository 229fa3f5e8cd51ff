//! The text format: one line a row, fields between delimiters, backslash escapes.
//!
//! Lives here: reading and writing fields. Never: where rows end (that is the search).

use super::{CopyBroken, CopyOptions};
use crate::mask::detect::Tally;
use crate::mask::plan::{Change, RowPlan};

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
    let mut index = 0;
    let mut rest = Some(body);
    while let Some(fields) = rest {
        let length = field_length(fields, options.delimiter);
        let field = fields.get(..length).unwrap_or_default();
        if index > 0 {
            out.push(options.delimiter);
        }
        let change = match field == options.null.as_slice() {
            true => Change::Same,
            false => {
                new.clear();
                plan.cell(index, Some(unescape(field, &mut value)), &mut new, tally)
            }
        };
        match change {
            Change::Same => out.extend_from_slice(field),
            Change::Bytes => escape(&new, options.delimiter, out),
            Change::Null => out.extend_from_slice(&options.null),
        }
        index += 1;
        rest = fields
            .get(length..)
            .filter(|r| !r.is_empty())
            .and_then(|r| r.get(1..));
    }
    if index != columns {
        return Err(CopyBroken::Columns {
            expected: columns,
            found: index,
        });
    }
    out.push(b'\n');
    Ok(())
}

/// Up to the next delimiter that no backslash precedes.
fn field_length(bytes: &[u8], delimiter: u8) -> usize {
    let mut escaped = false;
    for (i, b) in bytes.iter().enumerate() {
        match (escaped, *b) {
            (true, _) => escaped = false,
            (false, b'\\') => escaped = true,
            (false, b) if b == delimiter => return i,
            _ => {}
        }
    }
    bytes.len()
}

fn unescape<'a>(field: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    if !field.contains(&b'\\') {
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

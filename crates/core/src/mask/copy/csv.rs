//! The CSV format, and where rows of both line formats end.
//!
//! Lives here: quoting and escaping. Never: options.

use super::{CopyBroken, CopyOptions};
use crate::mask::detect::Tally;
use crate::mask::plan::{Change, RowPlan};

/// A search for the end of a row that goes on where it stopped when more data comes.
#[derive(Debug, Default)]
pub(super) struct Search {
    at: usize,
    quoted: bool,
    escaped: bool,
}

impl Search {
    /// The end of a line.
    pub(super) fn line(&mut self, data: &[u8]) -> Option<usize> {
        let found = memchr::memchr(b'\n', data.get(self.at..)?).map(|i| self.at + i + 1);
        self.at = data.len();
        found
    }

    /// The end of a line that is not inside quotes.
    pub(super) fn row(&mut self, data: &[u8], options: &CopyOptions) -> Option<usize> {
        for (i, b) in data.iter().enumerate().skip(self.at) {
            if self.escaped {
                self.escaped = false;
            } else if self.quoted && *b == options.escape && options.escape != options.quote {
                self.escaped = true;
            } else if *b == options.quote {
                self.quoted = !self.quoted;
            } else if *b == b'\n' && !self.quoted {
                return Some(i + 1);
            }
        }
        self.at = data.len();
        None
    }
}

/// Writes one row anew.
pub(super) fn row(
    plan: &RowPlan,
    columns: usize,
    options: &CopyOptions,
    row: &[u8],
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> Result<(), CopyBroken> {
    let body = row.strip_suffix(b"\n").unwrap_or(row);
    if body == b"\\." || (columns == 0 && body.is_empty()) {
        out.extend_from_slice(row);
        return Ok(());
    }
    let (mut value, mut new) = (Vec::new(), Vec::new());
    let mut index = 0;
    let mut rest = Some(body);
    while let Some(fields) = rest {
        let (length, quoted) = field(fields, options, &mut value)?;
        let raw = fields.get(..length).unwrap_or_default();
        if index > 0 {
            out.push(options.delimiter);
        }
        let null = !quoted && raw == options.null.as_slice();
        new.clear();
        let change = match null {
            true => Change::Same,
            false => plan.cell(index, Some(&value), &mut new, tally),
        };
        match change {
            Change::Same => out.extend_from_slice(raw),
            Change::Bytes => write(&new, quoted, options, out),
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

/// Reads a field into `value`; its raw length, and whether it was quoted.
fn field(
    bytes: &[u8],
    options: &CopyOptions,
    value: &mut Vec<u8>,
) -> Result<(usize, bool), CopyBroken> {
    value.clear();
    if bytes.first() != Some(&options.quote) {
        let length = bytes
            .iter()
            .position(|b| *b == options.delimiter)
            .unwrap_or(bytes.len());
        value.extend_from_slice(bytes.get(..length).unwrap_or_default());
        return match value.contains(&options.quote) {
            // The server quotes whole values only.
            true => Err(CopyBroken::Format),
            false => Ok((length, false)),
        };
    }
    let mut at = 1;
    while let Some(b) = bytes.get(at) {
        let next = bytes.get(at + 1);
        let escapes = *b == options.escape
            && next.is_some_and(|n| *n == options.quote || *n == options.escape);
        match (escapes, next) {
            (true, Some(next)) => {
                value.push(*next);
                at += 2;
            }
            _ if *b == options.quote => {
                let ends = next.is_none_or(|n| *n == options.delimiter);
                return if ends {
                    Ok((at + 1, true))
                } else {
                    Err(CopyBroken::Format)
                };
            }
            _ => {
                value.push(*b);
                at += 1;
            }
        }
    }
    Err(CopyBroken::Format)
}

/// As `CopyAttributeOutCSV` writes it; what was quoted stays so.
fn write(value: &[u8], quoted: bool, options: &CopyOptions, out: &mut Vec<u8>) {
    let special =
        |b: &u8| *b == options.delimiter || *b == options.quote || matches!(b, b'\n' | b'\r');
    let quoted =
        quoted || value == options.null.as_slice() || value == b"\\." || value.iter().any(special);
    if !quoted {
        out.extend_from_slice(value);
        return;
    }
    out.push(options.quote);
    for b in value {
        if *b == options.quote || *b == options.escape {
            out.push(options.escape);
        }
        out.push(*b);
    }
    out.push(options.quote);
}

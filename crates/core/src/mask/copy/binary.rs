//! The binary format: a header, then rows of counted fields.
//!
//! Lives here: its framing. Never: values.

use super::{CopyBroken, ROW_BYTES_MAX};
use crate::mask::detect::Tally;
use crate::mask::plan::{Change, RowPlan};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xFF\r\n\0";

/// The header's length: signature, flags, and an extension that is skipped.
pub(super) fn header_length(data: &[u8]) -> Result<Option<usize>, CopyBroken> {
    let known = data.len().min(SIGNATURE.len());
    if data.get(..known) != SIGNATURE.get(..known) {
        return Err(CopyBroken::Format);
    }
    let (Some(flags), Some(extension)) = (int(data, 11), int(data, 15)) else {
        return Ok(None);
    };
    // No flag is in use since OIDs are gone (bit 16), and the critical ones (16 to 31) must be understood.
    let extension = usize::try_from(extension).map_err(|_| CopyBroken::Format)?;
    if flags != 0 || extension > ROW_BYTES_MAX {
        return Err(CopyBroken::Format);
    }
    let length = 19 + extension;
    Ok((data.len() >= length).then_some(length))
}

/// The length of the next row, or of the trailer.
pub(super) fn row_length(data: &[u8]) -> Result<Option<usize>, CopyBroken> {
    let Some(count) = short(data) else {
        return Ok(None);
    };
    if count == -1 {
        return Ok(Some(2));
    }
    let count = usize::try_from(count).map_err(|_| CopyBroken::Format)?;
    let mut at: usize = 2;
    for _ in 0..count {
        let Some(length) = int(data, at) else {
            return Ok(None);
        };
        at += 4;
        if length != -1 {
            at += usize::try_from(length).map_err(|_| CopyBroken::Format)?;
        }
        if at > ROW_BYTES_MAX {
            return Err(CopyBroken::RowTooLong);
        }
    }
    Ok((data.len() >= at).then_some(at))
}

/// Writes one row anew.
pub(super) fn row(
    plan: &RowPlan,
    columns: usize,
    row: &[u8],
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> Result<(), CopyBroken> {
    let (head, mut rest) = row.split_at_checked(2).ok_or(CopyBroken::Format)?;
    out.extend_from_slice(head);
    let count = short(head).ok_or(CopyBroken::Format)?;
    if count == -1 {
        return Ok(());
    }
    let found = usize::try_from(count).map_err(|_| CopyBroken::Format)?;
    if found != columns {
        return Err(CopyBroken::Columns {
            expected: columns,
            found,
        });
    }
    for index in 0..columns {
        let length = int(rest, 0).ok_or(CopyBroken::Format)?;
        rest = rest.get(4..).ok_or(CopyBroken::Format)?;
        let Ok(length) = usize::try_from(length) else {
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            continue;
        };
        let (value, after) = rest.split_at_checked(length).ok_or(CopyBroken::Format)?;
        rest = after;
        field(plan, index, value, out, tally)?;
    }
    Ok(())
}

fn field(
    plan: &RowPlan,
    index: usize,
    value: &[u8],
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> Result<(), CopyBroken> {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    let length = match plan.cell(index, Some(value), out, tally) {
        Change::Same => {
            out.extend_from_slice(value);
            i32::try_from(value.len()).map_err(|_| CopyBroken::RowTooLong)?
        }
        Change::Bytes => i32::try_from(out.len() - at - 4).map_err(|_| CopyBroken::RowTooLong)?,
        Change::Null => {
            out.truncate(at + 4);
            -1
        }
    };
    match out.get_mut(at..at + 4) {
        Some(place) => place.copy_from_slice(&length.to_be_bytes()),
        None => return Err(CopyBroken::Format),
    }
    Ok(())
}

fn int(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}

fn short(bytes: &[u8]) -> Option<i16> {
    Some(i16::from_be_bytes(bytes.get(..2)?.try_into().ok()?))
}

//! E-mail addresses.
//!
//! Lives here: finding the two sides of an `@`. Never: whether the mailbox exists.

use std::ops::Range;

/// RFC 5321 §4.5.3.1: local part and domain.
const LOCAL_BYTES_MAX: usize = 64;
const DOMAIN_BYTES_MAX: usize = 255;

/// Calls `hit` with the position of the `@` and the address's range.
pub(crate) fn find(bytes: &[u8], mut hit: impl FnMut(usize, Range<usize>)) {
    let mut floor = 0;
    for (at, _) in bytes.iter().enumerate().filter(|(_, b)| **b == b'@') {
        let Some(start) = local(bytes, floor, at) else {
            continue;
        };
        let Some(end) = domain(bytes, at + 1) else {
            continue;
        };
        hit(at, start..end);
        floor = end;
    }
}

fn local(bytes: &[u8], floor: usize, at: usize) -> Option<usize> {
    let from = at.saturating_sub(LOCAL_BYTES_MAX).max(floor);
    let head = bytes.get(from..at)?;
    let mut length = head.iter().rev().take_while(|b| is_local(**b)).count();
    // Neither a dot nor half a character begins an address.
    while length > 0
        && head
            .get(head.len() - length)
            .is_some_and(|b| *b == b'.' || b & 0xC0 == 0x80)
    {
        length -= 1;
    }
    (length > 0).then(|| at - length)
}

fn is_local(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-') || b >= 0x80
}

/// Two labels or more; the last has no digits alone and at least two characters.
fn domain(bytes: &[u8], from: usize) -> Option<usize> {
    let limit = bytes.len().min(from + DOMAIN_BYTES_MAX);
    let tail = bytes.get(from..limit)?;
    let mut end = None;
    let mut at = 0;
    let mut labels = 0;
    loop {
        let label = tail.get(at..)?;
        let length = label
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'-' || **b >= 0x80)
            .count();
        let label = label.get(..length)?;
        let dashes = label.iter().rev().take_while(|b| **b == b'-').count();
        let body = label.get(..length - dashes)?;
        if body.is_empty() || body.first() == Some(&b'-') {
            return end;
        }
        labels += 1;
        if labels > 1 && body.len() > 1 && body.iter().any(|b| !b.is_ascii_digit()) {
            end = Some(whole(bytes, from + at + body.len()));
        }
        if dashes > 0 || tail.get(at + length) != Some(&b'.') {
            return end;
        }
        at += length + 1;
    }
}

/// The cut at the longest domain may fall inside a character.
fn whole(bytes: &[u8], mut end: usize) -> usize {
    while bytes.get(end).is_some_and(|b| b & 0xC0 == 0x80) {
        end += 1;
    }
    end
}

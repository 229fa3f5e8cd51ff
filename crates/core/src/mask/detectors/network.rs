//! IPv6 addresses.
//!
//! Lives here: words of hexadecimal digits and colons. Never: IPv4 alone, which is made of digits.

use std::net::Ipv6Addr;
use std::ops::Range;

/// The longest text form, with an embedded IPv4 address.
const BYTES_MAX: usize = 45;

/// Calls `hit` for every address.
pub(crate) fn find(bytes: &[u8], mut hit: impl FnMut(Range<usize>)) {
    let mut at = 0;
    while let Some(colon) = next_colon(bytes, at) {
        let before = bytes.get(at..colon).unwrap_or_default();
        let start = colon - before.iter().rev().take_while(|b| is_part(**b)).count();
        let rest = bytes.get(colon..).unwrap_or_default();
        at = colon + rest.iter().take_while(|b| is_part(**b)).count();
        let word = bytes.get(start..at).unwrap_or_default();
        let trailing = word.iter().rev().take_while(|b| **b == b'.').count();
        let word = word.get(..word.len() - trailing).unwrap_or_default();
        let glued = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let free = !glued(start.checked_sub(1).and_then(|i| bytes.get(i))) && !glued(bytes.get(at));
        if free && word.len() <= BYTES_MAX && is_address(word) {
            hit(start..start + word.len());
        }
    }
}

/// The next colon that a hexadecimal digit or another colon follows.
fn next_colon(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    memchr::memchr_iter(b':', rest).map(|i| from + i).find(
        |colon| matches!(bytes.get(colon + 1), Some(b) if *b == b':' || b.is_ascii_hexdigit()),
    )
}

fn is_part(b: u8) -> bool {
    b.is_ascii_hexdigit() || b == b':' || b == b'.'
}

/// Seven colons, six before an embedded IPv4 address, or two in a row; `::` and `::1` are nobody's address.
fn is_address(word: &[u8]) -> bool {
    let colons = word.iter().filter(|b| **b == b':').count();
    let possible = colons >= 6 || word.windows(2).any(|w| w == b"::");
    possible
        && std::str::from_utf8(word)
            .ok()
            .and_then(|w| w.parse::<Ipv6Addr>().ok())
            .is_some_and(|a| !a.is_loopback() && !a.is_unspecified())
}

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
    while let Some(start) = bytes
        .get(at..)
        .and_then(|r| r.iter().position(|b| is_part(*b)))
        .map(|i| at + i)
    {
        let word = bytes.get(start..).unwrap_or_default();
        let length = word.iter().take_while(|b| is_part(**b)).count();
        at = start + length;
        let free = start == 0
            || !bytes
                .get(start - 1)
                .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let ends = !bytes
            .get(at)
            .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let word = word.get(..length).unwrap_or_default();
        let trailing = word.iter().rev().take_while(|b| **b == b'.').count();
        let word = word.get(..length - trailing).unwrap_or_default();
        if free && ends && word.len() <= BYTES_MAX && is_address(word) {
            hit(start..start + word.len());
        }
    }
}

fn is_part(b: u8) -> bool {
    b.is_ascii_hexdigit() || b == b':' || b == b'.'
}

/// `::` and `::1` are nobody's address.
fn is_address(word: &[u8]) -> bool {
    word.iter().filter(|b| **b == b':').count() >= 2
        && std::str::from_utf8(word)
            .ok()
            .and_then(|w| w.parse::<Ipv6Addr>().ok())
            .is_some_and(|a| !a.is_loopback() && !a.is_unspecified())
}

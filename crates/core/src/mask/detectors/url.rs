//! Passwords in URLs: `scheme://user:password@host`.
//!
//! Lives here: where the password stands. Never: the rest of the URL.

use std::ops::Range;

/// Longer is no user information.
const BYTES_MAX: usize = 512;

/// Calls `hit` with the range of every password.
pub(crate) fn find(bytes: &[u8], mut hit: impl FnMut(Range<usize>)) {
    for (at, _) in bytes.windows(3).enumerate().filter(|(_, w)| *w == b"://") {
        let from = at + 3;
        let rest = bytes
            .get(from..bytes.len().min(from + BYTES_MAX))
            .unwrap_or_default();
        let authority = rest.iter().take_while(|b| !ends(**b)).count();
        let Some(authority) = rest.get(..authority) else {
            continue;
        };
        let Some(host) = authority.iter().rposition(|b| *b == b'@') else {
            continue;
        };
        let Some(user) = authority
            .iter()
            .position(|b| *b == b':')
            .filter(|u| *u < host)
        else {
            continue;
        };
        if user + 1 < host {
            hit(from + user + 1..from + host);
        }
    }
}

fn ends(b: u8) -> bool {
    matches!(b, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\') || b.is_ascii_whitespace()
}

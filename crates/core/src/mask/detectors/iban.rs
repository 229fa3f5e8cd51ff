//! International bank account numbers (ISO 13616).
//!
//! Lives here: lengths by country and the mod 97 check. Never: whether the bank exists.

/// Country code and the length of its IBANs, from the SWIFT registry.
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// The end of an IBAN that begins at `start`; single spaces or hyphens may stand between its characters.
pub(crate) fn end(bytes: &[u8], start: usize) -> Option<usize> {
    let upper = |i: usize| bytes.get(i).map(u8::to_ascii_uppercase);
    let country = [upper(start)?, upper(start + 1)?];
    let (_, length) = LENGTHS.iter().find(|(c, _)| **c == country)?;
    let mut compact: Vec<u8> = Vec::with_capacity(*length);
    let mut at = start;
    while compact.len() < *length {
        let b = upper(at)?;
        match b {
            b'A'..=b'Z' | b'0'..=b'9' => compact.push(b),
            b' ' | b'-' if bytes.get(at.checked_sub(1)?)?.is_ascii_alphanumeric() => {}
            _ => return None,
        }
        at += 1;
    }
    let bounded = !bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    (bounded && mod97(&compact) == 1).then_some(at)
}

/// The remainder with the first four characters moved to the end and letters read as 10 to 35.
fn mod97(compact: &[u8]) -> u32 {
    let (head, tail) = compact.split_at(compact.len().min(4));
    tail.iter().chain(head).fold(0, |rest, b| match b {
        b'0'..=b'9' => (rest * 10 + u32::from(b - b'0')) % 97,
        _ => (rest * 100 + u32::from(b.wrapping_sub(b'A')) + 10) % 97,
    })
}

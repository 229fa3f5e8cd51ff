//! Payment card numbers: issuer ranges, lengths and the Luhn check (ISO/IEC 7812-1).
//!
//! Lives here: whether a string of digits is one. Never: finding digits.

/// Prefix ranges `(first, last, digits in the prefix)` with the lengths that issuers use.
const ISSUERS: &[(u32, u32, u32, &[usize])] = &[
    (4, 4, 1, &[13, 16, 19]),
    (51, 55, 2, &[16]),
    (2221, 2720, 4, &[16]),
    (34, 34, 2, &[15]),
    (37, 37, 2, &[15]),
    (6011, 6011, 4, &[16, 19]),
    (644, 649, 3, &[16, 19]),
    (65, 65, 2, &[16, 19]),
    (62, 62, 2, &[16, 17, 18, 19]),
    (81, 82, 2, &[16, 17, 18, 19]),
    (300, 305, 3, &[14, 16, 19]),
    (3095, 3095, 4, &[14, 16, 19]),
    (36, 36, 2, &[14, 16, 19]),
    (38, 39, 2, &[14, 16, 19]),
    (3528, 3589, 4, &[16, 17, 18, 19]),
    (2200, 2204, 4, &[16, 17, 18, 19]),
    (5018, 5018, 4, &[13, 14, 15, 16, 17, 18, 19]),
    (5020, 5020, 4, &[13, 14, 15, 16, 17, 18, 19]),
    (5038, 5038, 4, &[13, 14, 15, 16, 17, 18, 19]),
    (5893, 5893, 4, &[13, 14, 15, 16, 17, 18, 19]),
    (6304, 6304, 4, &[13, 14, 15, 16, 17, 18, 19]),
    (6759, 6759, 4, &[13, 14, 15, 16, 17, 18, 19]),
    (6761, 6763, 4, &[13, 14, 15, 16, 17, 18, 19]),
    (508, 508, 3, &[16]),
    (606, 608, 3, &[16]),
    (9792, 9792, 4, &[16]),
];

/// The fewest and the most digits of a card number.
pub(crate) const DIGITS_MIN: usize = 13;
pub(crate) const DIGITS: std::ops::RangeInclusive<usize> = DIGITS_MIN..=19;

/// Whether these ASCII digits are a card number.
pub(crate) fn is_card(digits: &[u8]) -> bool {
    DIGITS.contains(&digits.len()) && known_issuer(digits) && luhn(digits)
}

fn known_issuer(digits: &[u8]) -> bool {
    ISSUERS.iter().any(|(first, last, width, lengths)| {
        let prefix = digits
            .iter()
            .take(*width as usize)
            .fold(0, |n: u32, d| n * 10 + u32::from(d.wrapping_sub(b'0')));
        (*first..=*last).contains(&prefix) && lengths.contains(&digits.len())
    })
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            let n = u32::from(d.wrapping_sub(b'0'));
            match (i % 2 == 1, n * 2) {
                (false, _) => n,
                (true, twice) if twice > 9 => twice - 9,
                (true, twice) => twice,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

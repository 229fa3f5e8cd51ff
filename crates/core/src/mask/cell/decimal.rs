//! Values in their text form, whatever format they came in.
//!
//! Lives here: reading the binary forms that can hold what a class is about. Never: writing.

use super::types::{Format, Kind, ValueType};

/// The most decimal digits we make of a binary numeric: more is no number that a class is about.
const DIGITS_MAX: usize = 64;

/// The text form of a value; `None` when it cannot be told.
pub(crate) fn as_text(kind: Kind, of: ValueType, value: &[u8]) -> Option<String> {
    match (of.format, kind) {
        (Format::Text, _)
        | (Format::Binary, Kind::Text | Kind::Varchar | Kind::Bpchar | Kind::Name | Kind::Json) => {
            std::str::from_utf8(value).ok().map(str::to_owned)
        }
        (Format::Binary, Kind::Jsonb) => {
            let body = value.strip_prefix(&[1])?;
            std::str::from_utf8(body).ok().map(str::to_owned)
        }
        (Format::Binary, Kind::Int8) => {
            Some(i64::from_be_bytes(value.try_into().ok()?).to_string())
        }
        (Format::Binary, Kind::Int4) => {
            Some(i32::from_be_bytes(value.try_into().ok()?).to_string())
        }
        (Format::Binary, Kind::Float8) => {
            Some(format!("{}", f64::from_be_bytes(value.try_into().ok()?)))
        }
        (Format::Binary, Kind::Numeric) => numeric(value),
        (Format::Binary, Kind::Uuid) => {
            let n = u128::from_be_bytes(value.try_into().ok()?);
            let h = format!("{n:032x}");
            let part = |from: usize, to: usize| h.get(from..to).unwrap_or_default().to_owned();
            Some(
                [
                    part(0, 8),
                    part(8, 12),
                    part(12, 16),
                    part(16, 20),
                    part(20, 32),
                ]
                .join("-"),
            )
        }
        _ => None,
    }
}

/// `numeric_send`: ndigits, weight, sign, dscale, then digits to base 10000.
fn numeric(value: &[u8]) -> Option<String> {
    let word = |i: usize| -> Option<i16> {
        let at = i.checked_mul(2)?;
        let bytes = value.get(at..at.checked_add(2)?)?;
        Some(i16::from_be_bytes(bytes.try_into().ok()?))
    };
    let (count, weight, sign, scale) = (word(0)?, word(1)?, word(2)?, word(3)?);
    let negative = match u16::from_be_bytes(sign.to_be_bytes()) {
        0x0000 => false,
        0x4000 => true,
        _ => return None,
    };
    let count = usize::try_from(count).ok()?;
    let scale = usize::try_from(scale).ok()?;
    let whole_groups = usize::try_from(i32::from(weight) + 1).unwrap_or(0);
    if whole_groups.checked_mul(4)?.checked_add(scale)? > DIGITS_MAX {
        return None;
    }
    // The digit of weight w is number weight - w; those outside are zero.
    let digit = |w: i32| -> Option<i16> {
        let index = i32::from(weight) - w;
        match usize::try_from(index) {
            Ok(i) if i < count => word(i + 4),
            _ => Some(0),
        }
    };
    let mut text = String::new();
    for w in (0..i32::try_from(whole_groups).ok()?).rev() {
        text.push_str(&format!("{:04}", digit(w)?));
    }
    let whole = text.trim_start_matches('0');
    let mut out = String::new();
    if negative {
        out.push('-');
    }
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let mut fraction = String::new();
        for group in 0..scale.div_ceil(4) {
            fraction.push_str(&format!("{:04}", digit(-1 - i32::try_from(group).ok()?)?));
        }
        out.push('.');
        out.extend(fraction.chars().take(scale));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(w: &[i16]) -> Vec<u8> {
        w.iter().flat_map(|w| w.to_be_bytes()).collect()
    }

    #[test]
    fn reads_binary_numerics() {
        let text = |w: &[i16]| numeric(&words(w)).unwrap();
        assert_eq!(
            text(&[4, 3, 0, 0, 4111, 1111, 1111, 1111]),
            "4111111111111111"
        );
        assert_eq!(text(&[1, 3, 0, 0, 4]), "4000000000000");
        assert_eq!(text(&[2, 0, 0x4000, 2, 12, 3400]), "-12.34");
        assert_eq!(text(&[1, -1, 0, 4, 5]), "0.0005");
        assert_eq!(text(&[1, -2, 0, 8, 5]), "0.00000005");
        assert_eq!(text(&[0, 0, 0, 0]), "0");
    }

    #[test]
    fn gives_up_on_what_is_not_a_number_or_is_cut() {
        assert_eq!(numeric(&words(&[0, 0, -0x4000, 0])), None);
        assert_eq!(numeric(&words(&[4, 3, 0, 0, 4111])), None);
        assert_eq!(numeric(&words(&[1, 30000, 0, 0, 1])), None);
        assert_eq!(numeric(b"\0"), None);
    }
}

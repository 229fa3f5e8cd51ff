//! Masks of types that are not text: one constant, valid value for each, in both formats.
//!
//! Lives here: those constants, and where a number or token can stand instead. Never: text types.

use super::types::{Format, Kind, ValueType};
use super::{Replacement, marker};

/// Days from 2000-01-01 to 1900-01-01, the date that stands for every masked one.
const DAYS: i32 = -36_524;
const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

/// Appends the mask; `shown` is a number, token or UUID to use where the type can hold it.
pub(super) fn put(
    kind: Kind,
    class: &str,
    shown: Option<&str>,
    of: ValueType,
    out: &mut Vec<u8>,
) -> Replacement {
    let done = match of.format {
        Format::Text => {
            put_text(kind, class, shown, of, out);
            Some(())
        }
        Format::Binary => put_binary(kind, class, shown, of, out),
    };
    match done {
        Some(()) => Replacement::Bytes,
        None => Replacement::Null,
    }
}

fn put_text(kind: Kind, class: &str, shown: Option<&str>, of: ValueType, out: &mut Vec<u8>) {
    let constant: &str = match kind {
        Kind::Bool => "f",
        Kind::Char => "*",
        Kind::Int4 | Kind::Int8 | Kind::Numeric => shown.unwrap_or("0"),
        Kind::Int2 | Kind::Oid | Kind::Float4 | Kind::Float8 => "0",
        Kind::Money => "$0.00",
        Kind::Date => "1900-01-01",
        Kind::Time => "00:00:00",
        Kind::TimeTz => "00:00:00+00",
        Kind::Timestamp => "1900-01-01 00:00:00",
        Kind::TimestampTz => "1900-01-01 00:00:00+00",
        Kind::Interval => "00:00:00",
        Kind::Uuid => shown.unwrap_or("00000000-0000-0000-0000-000000000000"),
        Kind::Inet => "0.0.0.0",
        Kind::Cidr => "0.0.0.0/32",
        Kind::MacAddr => "00:00:00:00:00:00",
        Kind::MacAddr8 => "00:00:00:00:00:00:00:00",
        Kind::Lsn => "0/0",
        Kind::Point => "(0,0)",
        Kind::Range => "empty",
        Kind::Multirange | Kind::Array(_) => "{}",
        Kind::Varbit | Kind::TsVector => "",
        Kind::Bit => {
            out.extend(std::iter::repeat_n(b'0', bits(of)));
            return;
        }
        Kind::Bytea => {
            out.extend_from_slice(b"\\x");
            out.extend_from_slice(hex::encode(marker(class)).as_bytes());
            return;
        }
        Kind::Json | Kind::Jsonb => return put_json(class, shown, out),
        Kind::Text | Kind::Varchar | Kind::Bpchar | Kind::Name | Kind::Unknown => {
            out.extend_from_slice(marker(class).as_bytes());
            return;
        }
    };
    out.extend_from_slice(constant.as_bytes());
}

/// Class names, tokens and digits need no escape in JSON.
fn put_json(class: &str, shown: Option<&str>, out: &mut Vec<u8>) {
    out.push(b'"');
    match shown {
        Some(text) => out.extend_from_slice(text.as_bytes()),
        None => out.extend_from_slice(marker(class).as_bytes()),
    }
    out.push(b'"');
}

fn bits(of: ValueType) -> usize {
    usize::try_from(of.modifier).unwrap_or(0).min(1 << 20)
}

fn put_binary(
    kind: Kind,
    class: &str,
    shown: Option<&str>,
    of: ValueType,
    out: &mut Vec<u8>,
) -> Option<()> {
    match kind {
        Kind::Bool => out.push(0),
        Kind::Char => out.push(b'*'),
        Kind::Int2 => out.extend_from_slice(&[0; 2]),
        Kind::Int4 => {
            let n: i32 = shown.and_then(|s| s.parse().ok()).unwrap_or(0);
            out.extend_from_slice(&n.to_be_bytes());
        }
        Kind::Int8 => {
            let n: i64 = shown.and_then(|s| s.parse().ok()).unwrap_or(0);
            out.extend_from_slice(&n.to_be_bytes());
        }
        Kind::Oid | Kind::Float4 => out.extend_from_slice(&[0; 4]),
        Kind::Float8 | Kind::Money | Kind::Time | Kind::Lsn | Kind::MacAddr8 => {
            out.extend_from_slice(&[0; 8])
        }
        Kind::Numeric => put_numeric(shown.and_then(|s| s.parse().ok()).unwrap_or(0), out),
        Kind::Date => out.extend_from_slice(&DAYS.to_be_bytes()),
        Kind::Timestamp | Kind::TimestampTz => {
            out.extend_from_slice(&(i64::from(DAYS) * MICROSECONDS_PER_DAY).to_be_bytes());
        }
        Kind::TimeTz => out.extend_from_slice(&[0; 12]),
        Kind::Interval | Kind::Point => out.extend_from_slice(&[0; 16]),
        Kind::Uuid => {
            let n = shown.and_then(|s| u128::from_str_radix(&s.replace('-', ""), 16).ok());
            out.extend_from_slice(&n.unwrap_or(0).to_be_bytes());
        }
        // family (PGSQL_AF_INET = 2), bits, is_cidr, address bytes.
        Kind::Inet => out.extend_from_slice(&[2, 32, 0, 4, 0, 0, 0, 0]),
        Kind::Cidr => out.extend_from_slice(&[2, 32, 1, 4, 0, 0, 0, 0]),
        Kind::MacAddr => out.extend_from_slice(&[0; 6]),
        Kind::Bit => {
            let bits = bits(of);
            out.extend_from_slice(&i32::try_from(bits).ok()?.to_be_bytes());
            out.extend(std::iter::repeat_n(0, bits.div_ceil(8)));
        }
        Kind::Varbit | Kind::TsVector | Kind::Multirange => out.extend_from_slice(&[0; 4]),
        // RANGE_EMPTY.
        Kind::Range => out.push(1),
        // No dimensions, no nulls, the element's type.
        Kind::Array(element) => {
            out.extend_from_slice(&[0; 8]);
            out.extend_from_slice(&element.to_be_bytes());
        }
        Kind::Bytea => out.extend_from_slice(marker(class).as_bytes()),
        Kind::Json => put_json(class, shown, out),
        Kind::Jsonb => {
            out.push(1);
            put_json(class, shown, out);
        }
        Kind::Text | Kind::Varchar | Kind::Bpchar | Kind::Name => {
            out.extend_from_slice(marker(class).as_bytes())
        }
        Kind::Unknown => return None,
    }
    Some(())
}

/// `numeric_send` of a whole number.
fn put_numeric(mut n: u64, out: &mut Vec<u8>) {
    let mut digits = Vec::new();
    while n > 0 {
        digits.push(i16::try_from(n % 10_000).unwrap_or(0));
        n /= 10_000;
    }
    let weight = i16::try_from(digits.len())
        .unwrap_or(0)
        .saturating_sub(1)
        .max(0);
    // Zero digits at the end are not sent.
    let count = digits
        .len()
        .saturating_sub(digits.iter().take_while(|d| **d == 0).count());
    let header = [i16::try_from(count).unwrap_or(0), weight, 0, 0];
    let body = digits.iter().rev().take(count);
    out.extend(header.iter().chain(body).flat_map(|w| w.to_be_bytes()));
}

//! What stands in a masked cell: a value of the column's own type, recognisable where the type allows.
//!
//! Lives here: the replacement for one value, and how to recognise one that comes back. Never: which cells.

mod decimal;
mod numbers;
mod types;

pub(crate) use decimal::as_text;
pub use types::{Format, ValueType};
pub(crate) use types::{Kind, kind};

use aws_lc_rs::hmac;
use std::fmt;

/// What a masked value is shown as. Ordered from the least to the most that it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// Nothing of it.
    Masked,
    /// A stable token: equal values of a class have equal tokens.
    Token,
    /// Its last four characters.
    Last4,
}

/// Whether there is a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// It was appended to the output.
    Bytes,
    /// No value of that type could be made: the cell is NULL.
    Null,
}

/// The key of stable tokens. Whoever has it can test guesses, so it stays with the gateway.
#[derive(Clone)]
pub struct TokenKey(hmac::Key);

impl TokenKey {
    /// Takes 32 random bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The token's bytes for a value's text form.
    pub(crate) fn token(&self, class: &str, text: &[u8]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"brattice token 1\0");
        context.update(class.as_bytes());
        context.update(b"\0");
        context.update(text);
        let tag = context.sign();
        let mut out = [0; 16];
        for (to, from) in out.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        out
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

/// The marker that stands for a value of a class: `[masked:email]`.
pub fn marker(class: &str) -> String {
    format!("[masked:{class}]")
}

/// What is appended in place of `value`, which is not NULL. A form that the value or its type does not allow
/// falls back to [`Form::Masked`]; so does a token without a key.
pub fn mask(
    class: &str,
    form: Form,
    key: Option<&TokenKey>,
    of: ValueType,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Replacement {
    let kind = kind(of.oid);
    let shown = match form {
        Form::Masked => None,
        Form::Last4 => last4(kind, of, value),
        Form::Token => key.and_then(|k| token(kind, k, class, of, value)),
    };
    let as_characters = kind.is_text() || (kind == Kind::Unknown && of.format == Format::Text);
    if as_characters {
        put_text(kind, of, &shown.unwrap_or_else(|| marker(class)), out);
        return Replacement::Bytes;
    }
    numbers::put(kind, class, shown.as_deref(), of, out)
}

/// The text form's last four letters or digits, behind asterisks; nothing when that would tell half of the value.
fn last4(kind: Kind, of: ValueType, value: &[u8]) -> Option<String> {
    let text = as_text(kind, of, value)?;
    let shown: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
    if shown.len() < 8 {
        return None;
    }
    let tail: String = shown.iter().skip(shown.len().saturating_sub(4)).collect();
    match kind {
        Kind::Int8 | Kind::Int4 | Kind::Numeric => {
            tail.bytes().all(|b| b.is_ascii_digit()).then(|| {
                tail.parse::<u32>()
                    .map(|n| n.to_string())
                    .unwrap_or_default()
            })
        }
        Kind::Text | Kind::Varchar | Kind::Bpchar | Kind::Name | Kind::Unknown => {
            Some(format!("************{tail}"))
        }
        _ => None,
    }
}

/// A token in the shape that the type asks for; `numbers` gives the fixed-width types theirs.
fn token(kind: Kind, key: &TokenKey, class: &str, of: ValueType, value: &[u8]) -> Option<String> {
    let text = as_text(kind, of, value)?;
    let text = match kind {
        Kind::Bpchar => text.trim_end_matches(' '),
        _ => text.as_str(),
    };
    let bytes = key.token(class, text.as_bytes());
    let number = u64::from_be_bytes(bytes.first_chunk::<8>().copied().unwrap_or_default());
    match kind {
        Kind::Int8 => Some((number >> 2).to_string()),
        Kind::Int4 => Some((number >> 34).to_string()),
        Kind::Numeric => Some((number % 1_000_000_000_000_000).to_string()),
        Kind::Uuid => Some(uuid8(bytes)),
        Kind::Text
        | Kind::Varchar
        | Kind::Bpchar
        | Kind::Name
        | Kind::Unknown
        | Kind::Json
        | Kind::Jsonb => Some(format!("tok_{class}_{number:016x}")),
        _ => None,
    }
}

/// RFC 9562 §5.8: a UUID whose content is ours.
fn uuid8(bytes: [u8; 16]) -> String {
    let n = u128::from_be_bytes(bytes);
    let n = n & !(0xF << 76) | (8 << 76);
    let n = n & !(0b11 << 62) | (0b10 << 62);
    let h = format!("{n:032x}");
    let part = |from: usize, to: usize| h.get(from..to).unwrap_or_default().to_owned();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}

/// Cuts to the declared length in characters, and pads `char(n)` to it.
fn put_text(kind: Kind, of: ValueType, text: &str, out: &mut Vec<u8>) {
    let declared = match kind {
        Kind::Varchar | Kind::Bpchar => usize::try_from(of.modifier)
            .ok()
            .and_then(|m| m.checked_sub(4)),
        Kind::Name => Some(63),
        _ => None,
    };
    let length = declared.unwrap_or(usize::MAX);
    let mut count = 0_usize;
    for c in text.chars().take(length) {
        let mut buf = [0; 4];
        out.extend_from_slice(c.encode_utf8(&mut buf).as_bytes());
        count += 1;
    }
    if let (Kind::Bpchar, Some(length)) = (kind, declared) {
        out.extend(std::iter::repeat_n(b' ', length.saturating_sub(count)));
    }
}

/// Whether text carries a mask that was handed out: a marker, one cut to a short column, a last-four form or a
/// token. A write of such a value would put masks into the data.
pub fn looks_like_mask(text: &[u8]) -> bool {
    let trimmed = text.trim_ascii();
    if contains_marker(trimmed) || contains_token(trimmed) || contains_last4(trimmed) {
        return true;
    }
    let cut = trimmed.len() >= 5 && b"[masked:".starts_with(trimmed);
    // bytea in text form is hexadecimal.
    cut || trimmed
        .strip_prefix(b"\\x")
        .is_some_and(|hex| hex::decode(hex).is_ok_and(|raw| contains_marker(&raw)))
}

fn is_name_byte(b: &u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_'
}

fn after<'a>(text: &'a [u8], needle: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    text.windows(needle.len())
        .enumerate()
        .filter(move |(_, w)| *w == needle)
        .filter_map(move |(i, _)| text.get(i + needle.len()..))
}

/// A marker, whole or cut by the column it stood in: then a quote ends it, in a statement's literal or in JSON.
fn contains_marker(text: &[u8]) -> bool {
    after(text, b"[masked:").any(|rest| {
        let name = rest.iter().take_while(|b| is_name_byte(b)).count();
        match rest.get(name) {
            Some(b']') => name > 0,
            Some(b'\'' | b'"') | None => true,
            Some(_) => false,
        }
    })
}

fn contains_token(text: &[u8]) -> bool {
    after(text, b"tok_").any(|rest| {
        let name: Vec<u8> = rest.iter().copied().take_while(is_name_byte).collect();
        let (class, tail) = name.split_at(name.len().saturating_sub(17));
        !class.is_empty()
            && tail.first() == Some(&b'_')
            && tail.iter().skip(1).all(|b| b.is_ascii_hexdigit())
    })
}

fn contains_last4(text: &[u8]) -> bool {
    after(text, b"************").any(|rest| {
        let tail = String::from_utf8_lossy(rest);
        tail.chars().take_while(|c| c.is_alphanumeric()).count() >= 4
    })
}

#[cfg(test)]
#[path = "cell/tests.rs"]
mod tests;

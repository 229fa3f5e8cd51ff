//! Detectors over JSON text: what comes out is JSON still.
//!
//! Lives here: strings and numbers in it. Never: what JSON means, or trees of it.
//!
//! Escapes are undone before looking, so that `jo\u0040example.org` is found.

use crate::mask::cell::marker;
use crate::mask::classes::OnHit;
use crate::mask::detect::{Detector, Tally};

/// Appends the redacted text. Says whether anything was replaced; when not, nothing was appended.
pub(crate) fn redact(
    detector: &Detector,
    text: &[u8],
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> bool {
    let quiet = !text.contains(&b'\\') && detector.scan(text).next().is_none();
    if quiet {
        return false;
    }
    let begin = out.len();
    let mut replaced = false;
    let mut at = 0;
    while let Some(b) = text.get(at) {
        let length = match *b {
            b'"' => string_length(text.get(at..).unwrap_or_default()),
            b'-' | b'0'..=b'9' => number_length(text.get(at..).unwrap_or_default()),
            _ => 1,
        };
        let token = text.get(at..at + length).unwrap_or_default();
        replaced |= match *b {
            b'"' => string(detector, token, out, tally),
            b'-' | b'0'..=b'9' => number(detector, token, out, tally),
            _ => {
                out.extend_from_slice(token);
                false
            }
        };
        at += length;
    }
    if !replaced {
        out.truncate(begin);
    }
    replaced
}

/// Up to the closing quote, or all of it when there is none.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    for (i, b) in text.iter().enumerate().skip(1) {
        match (escaped, *b) {
            (true, _) => escaped = false,
            (false, b'\\') => escaped = true,
            (false, b'"') => return i + 1,
            _ => {}
        }
    }
    text.len()
}

fn number_length(text: &[u8]) -> usize {
    text.iter()
        .take_while(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'))
        .count()
}

fn string(detector: &Detector, token: &[u8], out: &mut Vec<u8>, tally: &mut Tally) -> bool {
    let plain = |out: &mut Vec<u8>, tally: &mut Tally| {
        let replaced = detector.redact(token, out, tally);
        if !replaced {
            out.extend_from_slice(token);
        }
        replaced
    };
    if !token.contains(&b'\\') {
        return plain(out, tally);
    }
    let Ok(content) = serde_json::from_slice::<String>(token) else {
        return plain(out, tally);
    };
    let mut redacted = Vec::new();
    if !detector.redact(content.as_bytes(), &mut redacted, tally) {
        out.extend_from_slice(token);
        return false;
    }
    match String::from_utf8(redacted).map(|s| serde_json::to_string(&s)) {
        Ok(Ok(quoted)) => out.extend_from_slice(quoted.as_bytes()),
        _ => out.extend_from_slice(b"\"[masked]\""),
    }
    true
}

/// A number becomes a string: nothing else is both valid and recognisable.
fn number(detector: &Detector, token: &[u8], out: &mut Vec<u8>, tally: &mut Tally) -> bool {
    let mut first = None;
    for hit in detector.scan(token) {
        tally.count(&hit.class, hit.action);
        if hit.action == OnHit::Mask && first.is_none() {
            first = Some(hit.class);
        }
    }
    match &first {
        Some(class) => {
            out.push(b'"');
            out.extend_from_slice(marker(class).as_bytes());
            out.push(b'"');
        }
        None => out.extend_from_slice(token),
    }
    first.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::classes::Classes;

    fn run(text: &str) -> Option<String> {
        let detector = Detector::new(&Classes::builtin()).unwrap();
        let mut out = Vec::new();
        redact(&detector, text.as_bytes(), &mut out, &mut Tally::default())
            .then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn strings_numbers_and_keys_stay_json() {
        let rows = [
            (
                r#"{"e": "jo@example.org", "n": 1}"#,
                r#"{"e": "[masked:email]", "n": 1}"#,
            ),
            (
                r#"{"card": 4111111111111111}"#,
                r#"{"card": "[masked:payment_card]"}"#,
            ),
            (r#"["a\u0040b.example", "x"]"#, r#"["[masked:email]", "x"]"#),
            (
                r#"{"jo@example.org": [true, null]}"#,
                r#"{"[masked:email]": [true, null]}"#,
            ),
            (
                r#"["say \"jo@example.org\"\n"]"#,
                r#"["say \"[masked:email]\"\n"]"#,
            ),
        ];
        for (text, expected) in rows {
            let found = run(text).unwrap();
            assert_eq!(found, expected);
            serde_json::from_str::<serde_json::Value>(&found).unwrap();
        }
    }

    #[test]
    fn json_without_anything_to_hide_is_left_as_it_is() {
        for text in [r#"{"a": [1, 2.5e10, "b\n"]}"#, "", "\"", "{\"a", "[\"\\"] {
            assert_eq!(run(text), None, "{text}");
        }
    }
}

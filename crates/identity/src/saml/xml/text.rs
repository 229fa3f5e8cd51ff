//! Characters: which may stand in a document, what stands for them, how they are written.
//!
//! Lives here: the rules of XML 1.0 for characters, references and names. Never: elements, namespaces.

use super::super::refusal::SamlRefused;

/// Longest name of an element, an attribute or a prefix.
const NAME_BYTES_MAX: usize = 128;

/// White space (XML 1.0, production 3).
pub(super) fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

/// A character of a document (XML 1.0, production 2).
pub(super) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// A name without a colon. SAML's own are all of ASCII, and so are the prefixes that anybody uses.
pub(super) fn is_plain_ncname(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(is_name_byte)
}

/// What may stand in such a name.
pub(super) fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

/// Resolves references and the ends of lines (XML 1.0, sections 2.11 and 4.1). In a value of an attribute, white space
/// that was written as such becomes a space (section 3.3.3).
pub(super) fn resolved(raw: &str, in_attribute: bool) -> Result<String, SamlRefused> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        match c {
            '&' => {
                let (reference, after) = rest
                    .as_str()
                    .split_once(';')
                    .ok_or(SamlRefused::Xml("a reference does not end"))?;
                out.push(character_of(reference)?);
                rest = after.chars();
            }
            '\r' => {
                if rest.as_str().starts_with('\n') {
                    rest.next();
                }
                out.push(if in_attribute { ' ' } else { '\n' });
            }
            '\n' | '\t' if in_attribute => out.push(' '),
            c => out.push(c),
        }
    }
    Ok(out)
}

/// Only the five entities that XML itself has; others would need a DTD.
fn character_of(reference: &str) -> Result<char, SamlRefused> {
    let number = match reference {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "apos" => return Ok('\''),
        "quot" => return Ok('"'),
        _ => reference.strip_prefix('#'),
    };
    let digits = number.ok_or(SamlRefused::Xml("it refers to an entity"))?;
    let read = |digits: &str, radix, max| {
        let good = (1..=max).contains(&digits.len()) && digits.chars().all(|c| c.is_digit(radix));
        good.then(|| u32::from_str_radix(digits, radix).ok())
            .flatten()
    };
    let code = match digits.strip_prefix('x') {
        Some(hex) => read(hex, 16, 6),
        None => read(digits, 10, 7),
    };
    code.and_then(char::from_u32)
        .filter(|c| is_char(*c))
        .ok_or(SamlRefused::Xml("a reference names no character"))
}

/// A text as it is written in a document of our own, be it between elements or in a double-quoted attribute.
pub(in super::super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_once() {
        assert_eq!(resolved("a&amp;lt;&#65;&#x42;", false).unwrap(), "a&lt;AB");
        assert_eq!(
            resolved("a\r\nb\rc\n\td&#13;&#10;", false).unwrap(),
            "a\nb\nc\n\td\r\n"
        );
        assert_eq!(resolved("a\r\nb\tc&#9;&#10;", true).unwrap(), "a b c\t\n");
    }

    #[test]
    fn what_is_no_character_cannot_be_referred_to() {
        for bad in [
            "&",
            "&;",
            "&#;",
            "&#x;",
            "&#0;",
            "&#x0;",
            "&#xD800;",
            "&#xFFFE;",
            "&#x110000;",
            "&#1;",
            "&#-65;",
            "&#+65;",
            "&#x+41;",
            "&# 65;",
            "&#X41;",
            "&admin;",
            "&lt",
            "&LT;",
            "&nbsp;",
            "&#00000065;",
            "&#x0000041;",
        ] {
            assert!(resolved(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_escaped_reads_back() {
        let text = "<a b=\"c\">&'\t\r\n</a>";
        assert_eq!(resolved(&escaped(text), true).unwrap(), text);
        assert_eq!(resolved(&escaped(text), false).unwrap(), text);
    }
}

//! Text that a provider put into a token and that people and records will see.
//!
//! Lives here: the test whether such a text is plain. Never: escaping or mending it; what is not plain is refused.

/// Longest subject, group or token id that is taken over.
pub(crate) const NAME_BYTES_MAX: usize = 256;

/// Whether this is a text that reads as what it is: not empty, not too long, no control or invisible characters,
/// nothing that turns the direction of writing, no white space at its ends.
pub(crate) fn is_plain_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= NAME_BYTES_MAX
        && text.trim() == text
        && !text.chars().any(is_deceptive)
}

fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_plain() {
        for name in [
            "etl-7",
            "ana@example.com",
            "spiffe://prod/ns/a/sa/b",
            "José Núñez",
            "/dba",
            "山田",
        ] {
            assert!(is_plain_name(name), "{name}");
        }
    }

    #[test]
    fn names_that_look_like_others_are_not() {
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for name in [
            "",
            " admin",
            "admin ",
            "admin\n",
            "ad\u{200b}min",
            "ad\u{ad}min",
            "\u{202e}nimda",
            "admin\u{feff}",
            "a\0b",
            "admin\u{3164}",
            "admin\u{e0041}",
            &long,
        ] {
            assert!(!is_plain_name(name), "{name:?}");
        }
    }
}

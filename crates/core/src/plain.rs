//! Text of other people, made visible: nothing in it is in control of where it is shown.
//!
//! Lives here: making control characters, direction overrides, invisible characters and floods of blanks visible.
//! Never: leaving anything out.

/// Blanks in a row that are shown as they are.
const BLANKS_MAX: usize = 16;

/// A text without line ends in which nothing is hidden.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut blanks = 0;
    for c in text.chars() {
        if c == ' ' {
            blanks += 1;
            if blanks <= BLANKS_MAX {
                shown.push(' ');
            }
            continue;
        }
        more_blanks(&mut shown, blanks);
        blanks = 0;
        if is_plain(c) {
            shown.push(c);
        } else {
            shown.push_str(&format!("⟪U+{:04X}⟫", u32::from(c)));
        }
    }
    more_blanks(&mut shown, blanks);
    shown
}

fn more_blanks(shown: &mut String, blanks: usize) {
    if blanks > BLANKS_MAX {
        shown.push_str(&format!("⟪{} more blanks⟫", blanks - BLANKS_MAX));
    }
}

/// Whether a character shows as itself, takes its place, and changes nothing about its neighbours.
fn is_plain(c: char) -> bool {
    if c.is_control() || (c.is_whitespace() && c != ' ') {
        return false;
    }
    // Format characters (general category Cf), variation selectors, fillers and other blanks.
    !matches!(u32::from(c),
        0x00AD | 0x034F | 0x0600..=0x0605 | 0x061C | 0x06DD | 0x070F | 0x0890..=0x0891 | 0x08E2
        | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x2028..=0x202E
        | 0x2060..=0x206F | 0x2800 | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
        | 0x110BD | 0x110CD | 0x13430..=0x1343F | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A
        | 0xE0000..=0xE0FFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_escapes_overrides_and_invisible_characters_visible() {
        assert_eq!(visible("a\u{1b}[2Jb"), "a⟪U+001B⟫[2Jb");
        assert_eq!(
            visible("x\u{202e}y\u{2066}z\u{200b}"),
            "x⟪U+202E⟫y⟪U+2066⟫z⟪U+200B⟫"
        );
        assert_eq!(visible("tag\u{e0041}\u{feff}"), "tag⟪U+E0041⟫⟪U+FEFF⟫");
        assert_eq!(visible("\u{9b}31m\r\u{8}"), "⟪U+009B⟫31m⟪U+000D⟫⟪U+0008⟫");
        assert_eq!(visible("Ünïcode 表 ok"), "Ünïcode 表 ok");
    }
}

//! Text of other people on a terminal: everything visible, nothing in control.
//!
//! Lives here: cells and lines, with floods of blank lines counted. What of a character is visible is the core's.
//! Never: leaving anything out of a text that is shown whole.

pub use brattice_core::plain::visible;

/// Blank lines in a row that are shown as they are.
const BLANK_LINES_MAX: usize = 2;

/// One line, for a cell: line ends visible, at most `width` characters.
pub fn cell(text: &str, width: usize) -> String {
    let line = visible(&text.replace("\r\n", "\n").replace('\n', "⏎"));
    if line.chars().count() <= width {
        return line;
    }
    let mut cut: String = line.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// All of a text, a line for each of its lines, with floods of blank lines counted instead of printed.
pub fn lines(text: &str) -> Vec<String> {
    let mut shown = Vec::new();
    let mut blank = 0;
    for line in text.replace("\r\n", "\n").split('\n') {
        if line.trim().is_empty() {
            blank += 1;
            if blank <= BLANK_LINES_MAX {
                shown.push(visible(line));
            }
            continue;
        }
        flood(&mut shown, blank);
        blank = 0;
        shown.push(visible(line));
    }
    flood(&mut shown, blank);
    shown
}

fn flood(shown: &mut Vec<String>, blank: usize) {
    if blank > BLANK_LINES_MAX {
        shown.push(format!("⟪{} more blank lines⟫", blank - BLANK_LINES_MAX));
    }
}

/// `1 session`, `2 sessions`.
pub fn count<N: PartialEq + From<u8> + std::fmt::Display>(many: N, what: &str) -> String {
    let more = if many == N::from(1) { "" } else { "s" };
    format!("{many} {what}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_floods_and_keeps_every_line_of_text() {
        let text = format!("select 1;{}drop table t;", "\n".repeat(1_000_000));
        let shown = lines(&text);
        assert_eq!(shown.first().map(String::as_str), Some("select 1;"));
        assert_eq!(shown.last().map(String::as_str), Some("drop table t;"));
        assert!(shown.contains(&"⟪999997 more blank lines⟫".to_owned()));
        let wide = format!("select 1{}; drop table t", " ".repeat(5000));
        assert_eq!(
            visible(&wide),
            format!("select 1{}⟪4984 more blanks⟫; drop table t", " ".repeat(16))
        );
    }

    #[test]
    fn a_cell_is_one_line() {
        assert_eq!(cell("a\nb", 80), "a⏎b");
        assert_eq!(cell("abcdef", 4), "abc…");
    }
}

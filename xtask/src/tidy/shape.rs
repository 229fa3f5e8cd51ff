//! How a Rust file must look: it opens with what lives in it, and it is short enough to hold one idea.

use super::Finding;
use super::tree::SourceFile;

const LINES_WARN: usize = 400;
const LINES_MAX: usize = 800;
const EXCUSE: &str = "// tidy: long because ";

/// Header and length.
pub fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !file.text.starts_with("//!") {
        findings.push(Finding::error(
            &file.path,
            1,
            "opens without a header (`//!`) that says what lives here",
        ));
    }
    let lines = file.text.lines().count();
    let excused = file.text.lines().any(|line| {
        line.trim()
            .strip_prefix(EXCUSE)
            .is_some_and(|why| !why.is_empty())
    });
    if lines > LINES_MAX && !excused {
        let text = format!("{lines} lines, more than {LINES_MAX}, without a line `{EXCUSE}...`");
        findings.push(Finding::error(&file.path, 0, text));
    } else if lines > LINES_WARN && !excused {
        findings.push(Finding::warning(
            &file.path,
            0,
            format!("{lines} lines, more than {LINES_WARN}"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(text: &str) -> Vec<bool> {
        check(&SourceFile {
            path: "a.rs".into(),
            text: text.into(),
        })
        .iter()
        .map(|finding| finding.fatal)
        .collect()
    }

    #[test]
    fn a_header_is_required() {
        assert!(check_text("//! What.\n").is_empty());
        assert_eq!(check_text("// What.\n"), [true]);
        assert_eq!(check_text(""), [true]);
    }

    #[test]
    fn long_files_are_warned_about_then_refused_unless_excused() {
        let lines = |count: usize| "//! What.\n".to_owned() + &"\n".repeat(count - 1);
        assert!(check_text(&lines(400)).is_empty());
        assert_eq!(check_text(&lines(401)), [false]);
        assert_eq!(check_text(&lines(801)), [true]);
        assert!(check_text(&(lines(801) + "// tidy: long because it is one table\n")).is_empty());
        assert_eq!(
            check_text(&(lines(801) + "// tidy: long because \n")),
            [true]
        );
    }
}

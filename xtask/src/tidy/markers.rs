//! What must not be left behind: notes to do something later, code that is not there yet, tests that were switched off or
//! that nothing runs.

use super::Finding;
use super::split::{Split, is_identifier};
use super::tree::SourceFile;

/// In comments and prose. Spelled in two parts, or this file would find itself.
const NOTES: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
/// In comments only: as text it may be a mask.
const NOTE_IN_COMMENTS: &str = concat!("X", "XX");
const MISSING_CODE: [&str; 2] = [concat!("todo", "!"), concat!("unimplemented", "!")];
const BARE_IGNORE: &str = concat!("#[", "ignore]");

/// Comments for notes, code for the rest.
pub fn check_rust(file: &SourceFile, split: &Split) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        if is_documentation_test(line) {
            findings.push(Finding::error(
                &file.path,
                number + 1,
                "code in a documentation comment, which nothing runs: make it a test",
            ));
        }
    }
    for (number, line) in split.comments.lines().enumerate() {
        for note in NOTES
            .iter()
            .chain([&NOTE_IN_COMMENTS])
            .filter(|note| holds(line, note))
        {
            findings.push(Finding::error(
                &file.path,
                number + 1,
                format!("{note} in a comment"),
            ));
        }
    }
    for (number, line) in split.code.lines().enumerate() {
        for macro_name in MISSING_CODE.iter().filter(|name| line.contains(**name)) {
            findings.push(Finding::error(
                &file.path,
                number + 1,
                format!("{macro_name} instead of code"),
            ));
        }
        if line.contains(BARE_IGNORE) {
            findings.push(Finding::error(
                &file.path,
                number + 1,
                "an ignored test without a reason",
            ));
        }
    }
    findings
}

/// Any other text file.
pub fn check_text(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for note in NOTES.iter().filter(|note| holds(line, note)) {
            findings.push(Finding::error(
                &file.path,
                number + 1,
                format!("{note} left behind"),
            ));
        }
    }
    findings
}

/// Whether this line of a documentation comment opens or closes a block of code: looking for such takes a minute, and they
/// say nothing that a test does not.
fn is_documentation_test(line: &str) -> bool {
    let line = line.trim_start();
    let words = ["///", "//!"].iter().find_map(|m| line.strip_prefix(m));
    words.is_some_and(|w| w.trim_start().starts_with("```"))
}

fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at + word.len()..)
            .and_then(|text| text.chars().next());
        !before.is_some_and(is_identifier) && !after.is_some_and(is_identifier)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::split::split;

    fn rust(text: &str) -> usize {
        check_rust(
            &SourceFile {
                path: "a.rs".into(),
                text: text.into(),
            },
            &split(text),
        )
        .len()
    }

    #[test]
    fn notes_in_comments_fail_and_in_strings_pass() {
        for note in NOTES.iter().chain([&NOTE_IN_COMMENTS]) {
            assert_eq!(rust(&format!("// {note}: later\n")), 1);
            assert_eq!(rust(&format!("let table = \"{note}\";\n")), 0);
            assert_eq!(rust(&format!("// a {note}LIST is fine\n")), 0);
        }
    }

    #[test]
    fn code_in_documentation_fails() {
        assert_eq!(rust("/// ```\n"), 1);
        assert_eq!(rust("    //! ```rust\n"), 1);
        assert_eq!(rust("// ```\n"), 0);
    }

    #[test]
    fn missing_code_and_silent_tests_fail() {
        for name in MISSING_CODE {
            assert_eq!(rust(&format!("fn f() {{ {name}() }}\n")), 1);
        }
        assert_eq!(rust(&format!("#[test]\n{BARE_IGNORE}\nfn t() {{}}\n")), 1);
        assert_eq!(
            rust("#[test]\n#[ignore = \"needs an hour\"]\nfn t() {}\n"),
            0
        );
    }

    #[test]
    fn prose_may_show_masks_but_no_notes() {
        let text = |text: String| {
            check_text(&SourceFile {
                path: "a.md".into(),
                text,
            })
            .len()
        };
        assert_eq!(text("shown as XXX-XX-6789\n".into()), 0);
        assert_eq!(text(format!("{} describe this\n", NOTES[0])), 1);
    }
}

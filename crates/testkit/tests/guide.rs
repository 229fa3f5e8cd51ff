//! What the guide shows is what the examples hold, so that what is read was tried.
//!
//! Here lives comparing the two. Whether the examples decide as they say is the gateway's own test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file below a directory with this ending.
fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found
}

fn texts(ending: &str) -> String {
    let files = files(&root().join("examples"), ending);
    files
        .iter()
        .map(|f| fs::read_to_string(f).unwrap())
        .collect()
}

/// The fenced blocks of a language in a page.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let after = page.split(&fence).skip(1);
    after
        .filter_map(|rest| rest.split("\n```").next())
        .collect()
}

#[test]
fn every_rule_and_decision_in_the_guide_is_in_an_example() {
    let (rules, tables) = (texts("cedar"), texts("toml"));
    let mut pages = files(&root().join("docs/guide"), "md");
    pages.push(root().join("README.md"));
    let mut compared = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for (language, examples) in [("cedar", &rules), ("toml", &tables)] {
            for block in blocks(&text, language) {
                assert!(
                    examples.contains(block.trim()),
                    "{}: in no example:\n{block}",
                    page.display()
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 10, "{compared} blocks");
}

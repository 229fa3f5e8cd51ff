//! Fuzz target: the classifier, on statements made from the corpus, held against what must be true of any statement.

use crate::corpus::{Case, FILES, cases, judged};
use brattice_core::classify::sql::catalogue::Major;
use brattice_core::classify::sql::{Command, SqlLimits, Template, parse};
use brattice_fuzz::{Fuzz, Rng, digest};
use std::collections::BTreeSet;

const WORDS: &[&str] = &[
    "SELECT",
    "DELETE FROM",
    "UPDATE",
    "INSERT INTO",
    "WITH x AS (",
    "RETURNING *",
    "EXPLAIN ANALYZE",
    "COPY",
    "TO STDOUT",
    "FROM PROGRAM",
    "DO $$",
    "$$",
    "CALL",
    "PREPARE s AS",
    "EXECUTE s",
    "SET",
    "search_path",
    "LIMIT 1",
    "WHERE",
    "FOR UPDATE",
    "::text",
    "''",
    "\"",
    "/*",
    "*/",
    "--",
    ";",
    "(",
    ")",
    ",",
    "E'\\'",
    "$1",
    "U&'",
    "MERGE INTO",
    "CREATE",
    "INTO",
];

#[test]
fn fuzz_sql_classify() {
    let mut fuzz = Fuzz::new("sql-classify", env!("CARGO_MANIFEST_DIR"))
        .words(WORDS)
        .smoke(400);
    for (_, text) in FILES {
        for case in cases(text) {
            fuzz = fuzz.seed(&case.sql);
        }
    }
    for numbered in [
        "SELECT name FROM customers WHERE id = 17 AND id IN (1, 2, 30)",
        "UPDATE orders SET total = total + 12 WHERE id BETWEEN 1 AND 20; DELETE FROM orders WHERE id = 1",
        "INSERT INTO orders (id) VALUES (1), (22)",
    ] {
        fuzz = fuzz.seed(numbered);
    }
    fuzz.run(|input, rng| {
        let parsed = parse(input, Major(15), &SqlLimits::default());
        let Ok(text) = std::str::from_utf8(input) else {
            return match parsed {
                Ok(_) => Err("it read what is not UTF-8".to_owned()),
                Err(_) => Ok(1),
            };
        };
        let (Ok(parsed), Ok(command)) = (parsed, judged(&Case::of(text))) else {
            return Ok(2);
        };
        same_between_comments(text, &command)?;
        hides_nothing_behind_it(text, &command)?;
        if Template::of(input).is_some_and(|template| template.fits(parsed.tree())) {
            numbers_mean_nothing(text, &command, rng)?;
        }
        Ok(digest(verbs(&command)))
    });
}

fn same_between_comments(text: &str, command: &Command) -> Result<(), String> {
    match judged(&Case::of(&format!("/* a */ {text}\n/* z */"))) {
        Ok(other) if verbs(&other) == verbs(command) => Ok(()),
        other => Err(format!("comments change it: {command:?} {other:?}")),
    }
}

fn hides_nothing_behind_it(text: &str, command: &Command) -> Result<(), String> {
    let Ok(both) = judged(&Case::of(&format!(
        "{text}\n;DELETE FROM orders WHERE id = 1"
    ))) else {
        return Ok(());
    };
    let found = verbs(&both);
    let second = found.contains("sql.delete") || found.contains("sql.unknown");
    if second && found.is_superset(&verbs(command)) {
        Ok(())
    } else {
        Err(format!("two statements hide one: {command:?} {both:?}"))
    }
}

fn numbers_mean_nothing(text: &str, command: &Command, rng: &mut Rng) -> Result<(), String> {
    let other = renumbered(text, rng);
    match judged(&Case::of(&other)) {
        Ok(again) if said(&again) == said(command) => Ok(()),
        again => Err(format!("{other} is another: {command:?} {again:?}")),
    }
}

fn verbs(command: &Command) -> BTreeSet<&'static str> {
    command.acts.iter().map(|act| act.verb.as_str()).collect()
}

/// All that a reading says, but for the text.
fn said(c: &Command) -> String {
    let acts = (&c.acts, &c.relations, c.needs_names);
    let refused = (&c.unclear, &c.refusals);
    format!("{acts:?} {refused:?} {:?} {:?}", c.steps, c.consequences)
}

/// The same text with every number another of the same length.
fn renumbered(text: &str, rng: &mut Rng) -> String {
    let mut before = ' ';
    let mut number = false;
    let digits = "0123456789".as_bytes();
    text.chars()
        .map(|c| {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if word(c) && !word(before) {
                number = c.is_ascii_digit();
            }
            before = c;
            if number && c.is_ascii_digit() {
                char::from(digits[rng.below(10)])
            } else {
                c
            }
        })
        .collect()
}

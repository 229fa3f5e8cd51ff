//! Runs the corpus.

use crate::world::CATALOGUE;
use brattice_core::action::{Act, FIGURE_MAX, Object, Verb};
use brattice_core::classify::sql::catalogue::{Catalogue, Major, SearchPath};
use brattice_core::classify::sql::{
    Command, Context, Lists, NothingPrepared, Parsed, SqlLimits, classify, parse,
};
use std::collections::BTreeSet;
use std::fmt::Write;

pub const FILES: &[(&str, &str)] = &[
    ("read", include_str!("corpus/read.txt")),
    ("write", include_str!("corpus/write.txt")),
    ("structure", include_str!("corpus/structure.txt")),
    ("session", include_str!("corpus/session.txt")),
    ("functions", include_str!("corpus/functions.txt")),
    ("messages", include_str!("corpus/messages.txt")),
];

#[derive(Default)]
pub struct Case {
    pub sql: String,
    path: Vec<String>,
    major: u16,
    in_transaction: bool,
    expected: Vec<String>,
}

impl Case {
    pub fn of(sql: &str) -> Self {
        Case {
            sql: sql.to_owned(),
            path: vec!["pg_catalog".into(), "public".into()],
            major: 15,
            ..Case::default()
        }
    }
    pub fn set_major(&mut self, major: u16) {
        self.major = major;
    }
}

pub fn cases(text: &str) -> Vec<Case> {
    text.split("\n\n")
        .map(|block| {
            let mut case = Case::of("");
            for line in block.lines() {
                if let Some(path) = line.strip_prefix("@path ") {
                    case.path = path.split(',').map(|s| s.trim().to_owned()).collect();
                } else if let Some(major) = line.strip_prefix("@major ") {
                    case.major = major.parse().expect("a version");
                } else if line == "@in_transaction" {
                    case.in_transaction = true;
                } else if let Some(expected) = line.strip_prefix("=> ") {
                    case.expected.push(expected.trim().to_owned());
                } else if !line.starts_with("# ") {
                    case.sql.push_str(line);
                    case.sql.push('\n');
                }
            }
            case.sql.truncate(case.sql.trim_end().len());
            case
        })
        .filter(|c| !c.expected.is_empty())
        .collect()
}

pub fn judged(case: &Case) -> Result<Command, String> {
    judged_against(case, &CATALOGUE)
}

pub fn judged_against(case: &Case, catalogue: &Catalogue) -> Result<Command, String> {
    let parsed = parse(
        case.sql.as_bytes(),
        Major(case.major),
        &SqlLimits::default(),
    )
    .map_err(|u| u.rule.to_owned())?;
    Ok(judged_parsed(case, &parsed, catalogue))
}

pub fn judged_parsed(case: &Case, parsed: &Parsed, catalogue: &Catalogue) -> Command {
    let path = SearchPath(case.path.clone());
    let lists = Lists::new();
    classify(
        parsed,
        &Context {
            catalogue,
            path: &path,
            major: Major(case.major),
            prepared: &NothingPrepared,
            lists: &lists,
            in_transaction: case.in_transaction,
            parameter_types: &[],
            earlier: None,
        },
    )
}

fn object(object: &Object) -> String {
    match object {
        Object::Target => "target".into(),
        Object::Database { database } => format!("database {database}"),
        Object::Schema { schema, .. } => format!("schema {schema}"),
        Object::Table { schema, table, .. } => format!("{schema}.{table}"),
        Object::Function {
            schema, signature, ..
        } => format!("{schema}.{signature}"),
        Object::Setting { name } => format!("setting {name}"),
        Object::Role { name } => format!("role {name}"),
        Object::Field { column, .. } => format!("field {column}"),
        other => format!("{other:?}"),
    }
}

/// Whether an act is what a line says.
fn fits(act: &Act, line: &str) -> bool {
    let (line, columns) = match line.split_once(" {") {
        Some((head, rest)) => {
            let (columns, tail) = rest.split_once('}').expect("a closing brace");
            (format!("{head}{tail}"), Some(columns.to_owned()))
        }
        None => (line.to_owned(), None),
    };
    let mut words: Vec<&str> = line.split(' ').collect();
    let mut figures = Vec::new();
    while let Some(last) = words.last() {
        if *last == "where"
            || *last == "nowhere"
            || last.starts_with("limit=")
            || last.starts_with("rows=")
        {
            figures.push(*last);
            words.pop();
        } else {
            break;
        }
    }
    let head = words.join(" ");
    if head != format!("{} {}", act.verb.as_str(), object(&act.object)) {
        return false;
    }
    let columns_fit = columns.is_none_or(|c| {
        let wanted: BTreeSet<String> = c
            .split(',')
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect();
        wanted == act.facts.sql().columns || (c == "*" && act.facts.sql().columns.contains("*"))
    });
    columns_fit
        && figures.iter().all(|f| match f.split_once('=') {
            Some(("limit", n)) => act.facts.sql().limit.to_string() == n,
            Some(("rows", n)) => act.facts.sql().estimated_rows.to_string() == n,
            _ => (*f == "where") == act.facts.sql().has_where,
        })
}

/// An answer in the corpus's own words.
fn lines(command: &Result<Command, String>) -> Vec<String> {
    let command = match command {
        Err(rule) => return vec![format!("error {rule}")],
        Ok(command) => command,
    };
    let mut lines = Vec::new();
    for act in &command.acts {
        if act.verb == Verb::SqlUnknown {
            continue;
        }
        let mut line = format!("{} {}", act.verb.as_str(), object(&act.object));
        let facts = act.facts.sql();
        if facts.columns != BTreeSet::from(["*".to_owned()]) {
            let all: Vec<&str> = facts.columns.iter().map(String::as_str).collect();
            let all = if facts.columns.contains("*") {
                "*".to_owned()
            } else {
                all.join(",")
            };
            write!(line, " {{{all}}}").expect("writes");
        }
        if facts.has_where {
            line.push_str(" where");
        }
        if facts.limit != FIGURE_MAX {
            write!(line, " limit={}", facts.limit).expect("writes");
        }
        if facts.estimated_rows != FIGURE_MAX {
            write!(line, " rows={}", facts.estimated_rows).expect("writes");
        }
        lines.push(line);
    }
    let refused: BTreeSet<&str> = command.refusals.iter().map(|u| u.rule).collect();
    let unknown: BTreeSet<&str> = command.unclear.iter().map(|u| u.rule).collect();
    lines.extend(unknown.difference(&refused).map(|r| format!("unknown {r}")));
    lines.extend(refused.iter().map(|r| format!("refused {r}")));
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    lines.extend(command.consequences.iter().map(|c| format!("leaves {c:?}")));
    lines.extend(command.redacted.iter().map(|r| format!("redacted {r}")));
    lines
}

/// What is wrong with the answer, if anything.
pub fn wrong(case: &Case) -> Option<String> {
    let command = judged(case);
    let mut problems = Vec::new();
    let starting = |word: &str| -> Vec<&str> {
        case.expected
            .iter()
            .filter_map(|e| e.strip_prefix(word).map(str::trim))
            .collect()
    };
    match &command {
        Err(rule) => {
            if case.expected != [format!("error {rule}")] {
                problems.push("an error was not expected".to_owned());
            }
        }
        Ok(command) => {
            let unknown: BTreeSet<&str> = command.unclear.iter().map(|u| u.rule).collect();
            if unknown
                != starting("unknown ")
                    .into_iter()
                    .chain(starting("refused "))
                    .collect()
            {
                problems.push(format!("unknown: {unknown:?}"));
            }
            let refused: BTreeSet<&str> = command.refusals.iter().map(|u| u.rule).collect();
            if refused != starting("refused ").into_iter().collect() {
                problems.push(format!("refused: {refused:?}"));
            }
            let acts: Vec<&Act> = command
                .acts
                .iter()
                .filter(|a| a.verb != Verb::SqlUnknown)
                .collect();
            let said: Vec<&String> = case
                .expected
                .iter()
                .filter(|e| {
                    ![
                        "unknown ",
                        "refused ",
                        "error ",
                        "leaves ",
                        "redacted ",
                        "nothing",
                    ]
                    .iter()
                    .any(|w| e.starts_with(w))
                })
                .collect();
            for line in &said {
                if !acts.iter().any(|a| fits(a, line)) {
                    problems.push(format!("missing: {line}"));
                }
            }
            for act in &acts {
                if !said.iter().any(|line| fits(act, line)) {
                    problems.push(format!(
                        "too much: {} {}",
                        act.verb.as_str(),
                        object(&act.object)
                    ));
                }
            }
            if command.unclear.is_empty() == command.has(Verb::SqlUnknown) {
                problems.push("sql.unknown and unclear differ".to_owned());
            }
            let left = format!("{:?}", command.consequences);
            for leaves in starting("leaves ") {
                if !left.contains(leaves) {
                    problems.push(format!("does not leave {leaves}"));
                }
            }
            for text in starting("redacted ") {
                if command.redacted.as_deref() != Some(text) {
                    problems.push(format!("redacted: {:?}", command.redacted));
                }
            }
        }
    }
    (!problems.is_empty()).then(|| {
        format!(
            "\n{}\n{}\nexpected:\n{}\nproblems: {}\n",
            case.sql,
            lines(&command).join("\n"),
            case.expected.join("\n"),
            problems.join("; ")
        )
    })
}

/// Adds to each case without expectations what it is judged as now, to be read before it is kept.
#[test]
#[ignore = "writes the corpus"]
fn fills_in_new_cases() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/classify/corpus");
    for (file, text) in FILES {
        let filled: Vec<String> = text
            .trim_end()
            .split("\n\n")
            .map(|block| {
                let case = cases(&format!("{block}\n=> any")).remove(0);
                if block.contains("\n=> ") || case.sql.is_empty() {
                    return block.to_owned();
                }
                let told = lines(&judged(&case));
                format!("{block}\n=> {}", told.join("\n=> "))
            })
            .collect();
        std::fs::write(format!("{folder}/{file}.txt"), filled.join("\n\n") + "\n").expect("writes");
    }
}

#[test]
fn statements_do_what_the_corpus_says() {
    let mut wrongs = String::new();
    let mut count = 0;
    for (file, text) in FILES {
        for case in cases(text) {
            count += 1;
            if let Some(wrong) = wrong(&case) {
                write!(wrongs, "── {file} ──{wrong}").expect("writes");
            }
        }
    }
    assert!(count > 100, "the corpus is there");
    assert!(wrongs.is_empty(), "{wrongs}");
}

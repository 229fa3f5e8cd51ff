//! A table of statements and what they do with masked columns. It only grows.

use super::*;
use crate::mask::lineage::fixture;

/// `[outputs] uses | unclear`, each output a class or `-`.
fn trace(sql: &str) -> String {
    let catalogue = fixture::catalogue();
    let masked = fixture::masked(&catalogue);
    let tree = pg_query::parse(sql, pg_query::ParserOptions::default())
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
    let found = lineage(&tree.protobuf, &catalogue, &fixture::path(), &masked);
    let statement = found.statements.last().unwrap();
    show(statement)
}

fn show_outputs(outputs: &Outputs) -> String {
    match outputs {
        Outputs::Columns(list) => {
            let class = |c: &OutputColumn| match c.fields.as_slice() {
                [] => "-".to_owned(),
                fields => fields
                    .iter()
                    .map(|f| f.path().rsplit('.').next().unwrap().to_owned())
                    .collect::<Vec<_>>()
                    .join("+"),
            };
            format!("[{}]", list.iter().map(class).collect::<Vec<_>>().join(" "))
        }
        Outputs::Unmasked => "[plain]".into(),
        Outputs::Cursor(name) => format!("[cursor {name}]"),
        Outputs::Prepared(name) => format!("[prepared {name}]"),
        Outputs::Unknown => "[unknown]".into(),
    }
}

fn show(statement: &Statement) -> String {
    let mut out = show_outputs(&statement.outputs);
    for used in &statement.uses {
        let verb = match used.verb {
            Verb::Filter => "filter",
            Verb::RevealCount => "count",
            _ => "derive",
        };
        let column = used.field.path();
        out.push_str(&format!(" {verb}:{}", column.rsplit('.').next().unwrap()));
    }
    if !statement.unclear.is_empty() {
        out.push_str(" unclear");
    }
    out
}

#[track_caller]
fn check(rows: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (sql, expected) in rows {
        let mut found = trace(sql);
        let words: Vec<&str> = found.split(' ').collect();
        let mut unique: Vec<&str> = Vec::new();
        for word in words {
            let repeatable = !(word.starts_with("filter:")
                || word.starts_with("derive:")
                || word.starts_with("count:"));
            if repeatable || !unique.contains(&word) {
                unique.push(word);
            }
        }
        found = unique.join(" ");
        if found != *expected {
            wrong.push(format!(
                "{sql}\n   expected {expected}\n   found    {found}"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

mod corpus;

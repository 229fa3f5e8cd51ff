//! Statements and what they do with masked columns.

use super::*;
use crate::mask::lineage::fixture;

/// The table; it only grows.
const CORPUS: &str = include_str!("tests/corpus.txt");

/// As the table writes it: `[outputs] uses unclear`, each output a masked column or `-`.
fn trace(sql: &str) -> String {
    let catalogue = fixture::catalogue();
    let masked = fixture::masked(&catalogue);
    let tree = pg_query::parse(sql, pg_query::ParserOptions::default())
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
    let found = lineage(&tree.protobuf, &catalogue, &fixture::path(), &masked);
    show(found.statements.last().unwrap())
}

fn column(field: &Field) -> String {
    field.path().rsplit('.').next().unwrap().to_owned()
}

fn show_outputs(outputs: &Outputs) -> String {
    match outputs {
        Outputs::Columns(list) => {
            let shown = |c: &OutputColumn| match c.fields.as_slice() {
                [] => "-".to_owned(),
                fields => fields
                    .iter()
                    .map(|f| column(f))
                    .collect::<Vec<_>>()
                    .join("+"),
            };
            format!("[{}]", list.iter().map(shown).collect::<Vec<_>>().join(" "))
        }
        Outputs::Unmasked => "[plain]".into(),
        Outputs::Cursor(name) => format!("[cursor {name}]"),
        Outputs::Prepared(name) => format!("[prepared {name}]"),
        Outputs::Unknown => "[unknown]".into(),
    }
}

fn show(statement: &Statement) -> String {
    let mut words = vec![show_outputs(&statement.outputs)];
    for used in &statement.uses {
        let verb = match used.verb {
            Verb::Filter => "filter",
            Verb::RevealCount => "count",
            _ => "derive",
        };
        let word = format!("{verb}:{}", column(&used.field));
        if !words.contains(&word) {
            words.push(word);
        }
    }
    if !statement.unclear.is_empty() {
        words.push("unclear".into());
    }
    words.join(" ")
}

#[test]
fn the_corpus_is_traced_as_it_says() {
    let mut wrong = Vec::new();
    for (number, line) in CORPUS.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (expected, sql) = line.split_once(" | ").unwrap();
        let found = trace(sql);
        if found != expected {
            wrong.push(format!(
                "line {}: {sql}\n   expected {expected}\n   found    {found}",
                number + 1
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn messages_say_where() {
    let catalogue = fixture::catalogue();
    let masked = fixture::masked(&catalogue);
    let what = |sql: &str| {
        let tree = pg_query::parse(sql, pg_query::ParserOptions::default()).unwrap();
        let found = lineage(&tree.protobuf, &catalogue, &fixture::path(), &masked);
        found
            .uses()
            .map(|u| u.what.clone())
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert_eq!(
        what("SELECT lower(ssn) FROM customers"),
        "inside lower(…) in the select list"
    );
    assert_eq!(what("SELECT 1 FROM customers WHERE ssn = 'x'"), "in WHERE");
    assert_eq!(
        what("SELECT 1 FROM customers WHERE ssn::int = 1"),
        "inside a cast to int4 in WHERE"
    );
    assert_eq!(
        what("UPDATE orders SET note = ssn FROM customers"),
        "written to orders.note"
    );
    assert_eq!(
        what("SELECT 1 FROM customer_ssns"),
        "read by the view public.customer_ssns"
    );
    assert!(what("SELECT c FROM customers c").starts_with("inside the whole row of c"));
}

#[test]
fn deep_statements_end_in_a_doubt_not_in_a_crash() {
    let catalogue = fixture::catalogue();
    let masked = fixture::masked(&catalogue);
    let run = move || {
        let sql = format!(
            "SELECT {}ssn{} FROM customers",
            "(".repeat(60),
            ")".repeat(60)
        );
        let nested = (0..25).fold("SELECT ssn FROM customers".to_owned(), |q, i| {
            format!("SELECT * FROM ({q}) s{i}")
        });
        let unions = vec!["SELECT ssn FROM customers"; 40].join(" UNION ALL ");
        for sql in [sql, nested, unions] {
            let Ok(tree) = pg_query::parse(&sql, pg_query::ParserOptions::default()) else {
                continue;
            };
            let found = lineage(&tree.protobuf, &catalogue, &fixture::path(), &masked);
            assert_eq!(show(found.statements.first().unwrap()), "[ssn]");
        }
    };
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

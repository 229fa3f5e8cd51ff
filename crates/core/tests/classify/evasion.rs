//! Messages that do more than they seem to, and their harmless twins. Both lists only grow.

use crate::corpus::{Case, cases, judged, judged_against};
use crate::world::CATALOGUE;
use brattice_core::action::{Effect, Verb};
use brattice_core::classify::sql::catalogue::{Catalogue, Major, SearchPath};
use brattice_core::classify::sql::{
    Command, Context, Lists, PreparedLookup, SqlLimits, classify, parse,
};
use std::sync::Arc;

const VERSIONS: &[u16] = &[13, 14, 15, 16, 17, 18];

fn blocks(text: &str) -> Vec<Case> {
    let marked = text
        .split("\n\n")
        .map(|b| format!("{}\n=> any", b.trim_end()))
        .collect::<Vec<_>>()
        .join("\n\n");
    cases(&marked)
        .into_iter()
        .filter(|c| !c.sql.is_empty())
        .collect()
}

#[test]
fn evasions_are_never_taken_for_reading() {
    let all = blocks(include_str!("corpus/evasions.txt"));
    assert!(all.len() > 60, "the list is there");
    let mut wrongs = Vec::new();
    for mut case in all {
        for version in VERSIONS {
            case.set_major(*version);
            if let Ok(command) = judged(&case) {
                let more = command.acts.iter().any(|a| a.effect() != Effect::Read);
                if !more || command.reads_only() {
                    wrongs.push(format!("{version}: {}", case.sql));
                }
            }
        }
    }
    assert!(
        wrongs.is_empty(),
        "taken for reading:\n{}",
        wrongs.join("\n")
    );
}

#[test]
fn harmless_twins_are_taken_for_reading() {
    let all = blocks(include_str!("corpus/twins.txt"));
    assert!(all.len() > 40, "the list is there");
    all_read(all, &CATALOGUE);
}

/// Statements logged by a server while clients looked around in `world.sql`'s database, separated by empty lines.
#[test]
#[ignore = "needs a log: BRATTICE_TEST_STATEMENTS"]
fn what_clients_send_to_look_around_is_taken_for_reading() {
    let file = std::env::var("BRATTICE_TEST_STATEMENTS").expect("BRATTICE_TEST_STATEMENTS is set");
    let mut all = blocks(&std::fs::read_to_string(file).expect("a readable file"));
    match crate::server::live_catalogue() {
        Some((catalogue, major)) => {
            all.iter_mut().for_each(|c| c.set_major(major.0));
            all_read(all, &catalogue);
        }
        None => all_read(all, &CATALOGUE),
    }
}

fn all_read(all: Vec<Case>, catalogue: &Catalogue) {
    let mut wrongs = Vec::new();
    for case in all {
        match judged_against(&case, catalogue) {
            Ok(command) => {
                for act in &command.acts {
                    if act.effect() != Effect::Read {
                        wrongs.push(format!("{}\n    {act:?} {:?}", case.sql, command.unclear));
                    }
                }
            }
            Err(rule) => wrongs.push(format!("{}\n    {rule}", case.sql)),
        }
    }
    assert!(
        wrongs.is_empty(),
        "not taken for reading:\n{}",
        wrongs.join("\n")
    );
}

/// On a thread with the stack that the gateway's have.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(f)
        .expect("a thread")
        .join()
        .expect("no overflow");
}

fn refused(sql: String) {
    on_a_small_stack(move || {
        for version in [13, 18] {
            let limits = SqlLimits::default();
            assert!(parse(sql.as_bytes(), Major(version), &limits).is_err());
        }
    });
}

#[test]
fn refuses_ten_thousand_parentheses_without_overflowing() {
    refused(format!(
        "SELECT {}1{}",
        "(".repeat(10_000),
        ")".repeat(10_000)
    ));
    refused(format!(
        "SELECT {}1{}",
        "((SELECT ".repeat(3_000),
        "))".repeat(3_000)
    ));
    refused(format!(
        "SELECT {}1{}",
        "ARRAY[".repeat(5_000),
        "]".repeat(5_000)
    ));
}

#[test]
fn refuses_sixty_four_thousand_terms_without_overflowing() {
    refused(format!("SELECT 1{}", "+1".repeat(64_000)));
    refused(format!("SELECT {}true", "NOT ".repeat(60_000)));
    refused(format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(20_000)));
    refused(format!("SELECT 1{}", "::int".repeat(60_000)));
    refused(format!(
        "SELECT {}1 END",
        "CASE WHEN true THEN ".repeat(20_000)
    ));
    refused(format!(
        "SELECT * FROM a{}",
        " JOIN a USING (x)".repeat(20_000)
    ));
    refused(format!("SELECT {}1", "- ".repeat(100_000)));
    refused(format!("EXPLAIN {}SELECT 1", "EXPLAIN ".repeat(20_000)));
}

#[test]
fn judges_the_deepest_that_parses_on_a_small_stack() {
    on_a_small_stack(|| {
        for wrap in [
            ("(SELECT ", ")"),
            ("coalesce(1, ", ")"),
            ("- ", ""),
            ("ARRAY[", "]"),
            ("NOT ", ""),
        ] {
            for depth in (1..120).rev() {
                let sql = format!("SELECT {}1{}", wrap.0.repeat(depth), wrap.1.repeat(depth));
                if parse(sql.as_bytes(), Major(18), &SqlLimits::default()).is_ok() {
                    let case = Case::of(&sql);
                    judged(&case).expect("it parses");
                    break;
                }
            }
        }
    });
}

/// Every message of the corpus, and each with tokens left out, doubled or swapped: nothing panics.
#[test]
fn judges_broken_messages_without_panicking() {
    on_a_small_stack(|| {
        let mut state = 7_u64;
        let mut next = move |bound: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % bound.max(1)
        };
        let mut parsed = 0;
        for text in crate::corpus::FILES.iter().map(|(_, t)| *t).chain([
            include_str!("corpus/evasions.txt"),
            include_str!("corpus/twins.txt"),
        ]) {
            for case in blocks(text) {
                let words: Vec<&str> = case.sql.split_inclusive([' ', '(', ',']).collect();
                for _ in 0..8 {
                    let mut changed = words.clone();
                    let (a, b) = (next(words.len()), next(words.len()));
                    match next(3) {
                        0 => drop(changed.remove(a)),
                        1 => changed.insert(a, words[b]),
                        _ => changed.swap(a, b),
                    }
                    parsed += usize::from(judged(&Case::of(&changed.concat())).is_ok());
                }
            }
        }
        assert!(parsed > 500, "enough of them still parse: {parsed}");
    });
}

/// How long judging takes; with optimisation a typical statement takes a tenth of what is printed here.
#[test]
#[ignore = "measures"]
fn measures_judging() {
    let statements = [
        "SELECT id, name FROM customers WHERE id = $1",
        "UPDATE customers SET name = $1, email = lower($2) WHERE id = $3 RETURNING id",
        "SELECT c.name, sum(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id \
         WHERE c.active AND o.status IN ('a', 'b') GROUP BY c.name HAVING count(*) > 1 ORDER BY 2 DESC LIMIT 10",
    ];
    for sql in statements {
        let limits = SqlLimits::default();
        let rounds = 2_000_u32;
        let start = std::time::Instant::now();
        for _ in 0..rounds {
            parse(sql.as_bytes(), Major(15), &limits).expect("parses");
        }
        let parsing = start.elapsed() / rounds;
        let parsed = parse(sql.as_bytes(), Major(15), &limits).expect("parses");
        let start = std::time::Instant::now();
        for _ in 0..rounds {
            crate::corpus::judged_parsed(&Case::of(sql), &parsed, &CATALOGUE);
        }
        let judging = start.elapsed() / rounds;
        println!("parse {parsing:?}, classify {judging:?}: {sql}");
    }
}

#[test]
fn refuses_what_the_server_would_convert_first() {
    let mut catalogue = CATALOGUE.clone();
    catalogue.server_encoding = "LATIN1".to_owned();
    let other = judged_against(&Case::of("SELECT 'é'"), &catalogue).expect("parses");
    assert_eq!(other.refusals.len(), 1);
    let ascii = judged_against(&Case::of("SELECT 'e'"), &catalogue).expect("parses");
    assert!(ascii.refusals.is_empty());
    let limits = SqlLimits::default();
    for version in [12, 19] {
        let rule = parse(b"SELECT 1", Major(version), &limits)
            .expect_err("refused")
            .rule;
        assert_eq!(rule, "brattice.sql.version");
    }
}

/// A session that keeps whole PREPARE and DECLARE statements, as the gate does.
struct Kept(Vec<(&'static str, &'static str)>);

impl PreparedLookup for Kept {
    fn prepared(&self, name: &str) -> Option<Arc<Command>> {
        let (_, text) = self.0.iter().find(|(n, _)| *n == name)?;
        judged(&Case::of(text)).ok().map(Arc::new)
    }
    fn cursor(&self, name: &str) -> Option<Arc<Command>> {
        self.prepared(name)
    }
}

#[test]
fn executes_by_name_what_was_prepared_and_nothing_else() {
    let kept = Kept(vec![
        ("p", "PREPARE p AS DELETE FROM customers RETURNING id"),
        ("s1", "DELETE FROM customers"),
        ("c", "DECLARE c CURSOR FOR SELECT ssn FROM customers"),
    ]);
    let run = |sql: &str| {
        let parsed = parse(sql.as_bytes(), Major(15), &SqlLimits::default()).expect("parses");
        let (path, lists) = (
            SearchPath(vec!["pg_catalog".into(), "public".into()]),
            Lists::new(),
        );
        classify(
            &parsed,
            &Context {
                catalogue: &CATALOGUE,
                path: &path,
                major: Major(15),
                prepared: &kept,
                lists: &lists,
                in_transaction: true,
                parameter_types: &[],
                earlier: None,
            },
        )
    };
    for name in ["p", "s1"] {
        let command = run(&format!("EXECUTE {name}"));
        assert!(command.has(Verb::SqlDeleteAll), "{name}");
        assert_eq!(command.steps[0].returns_rows, Some(name == "p"));
        assert!(command.consequences.is_empty());
    }
    assert!(run("EXECUTE p2").has(Verb::SqlUnknown));
    assert!(run("DEALLOCATE p; EXECUTE p").has(Verb::SqlUnknown));
    let fetched = run("FETCH 1 FROM c");
    assert!(fetched.has(Verb::SqlSelect) && fetched.reads_only());
    assert_eq!(fetched.steps[0].fetches.as_deref(), Some("c"));
    assert!(run("CLOSE c; FETCH 1 FROM c").has(Verb::SqlUnknown));
}

#[test]
fn refuses_what_is_not_text() {
    let limits = SqlLimits::default();
    for bytes in [
        &b"SELECT '\xff'"[..],
        b"SELECT 1\0; DELETE FROM customers",
        b"SELECT E'\x95\\'; --'",
    ] {
        let rule = parse(bytes, Major(15), &limits).expect_err("refused").rule;
        assert_eq!(rule, "brattice.sql.encoding");
    }
    let ascii = SqlLimits {
        ascii_only: true,
        ..SqlLimits::default()
    };
    assert!(parse("SELECT 'é'".as_bytes(), Major(15), &ascii).is_err());
    assert!(
        parse(b"", Major(15), &limits)
            .expect("nothing")
            .tree()
            .stmts
            .is_empty()
    );
    assert!(parse(b" ; -- nothing", Major(15), &limits).is_ok());
}

//! Statements that differ in nothing but numbers mean the same: one reading serves them all.
//!
//! Lives here: telling which numbers those are. Never: a statement's meaning.
//!
//! Clients that write values into their statements send a new text each time. A number is *loose* when nothing that a
//! reading says can depend on it: it is compared with or added to a column, stored, or listed. Numbers elsewhere
//! (`LIMIT`, `ORDER BY 2`, `numeric(10)`, arguments, settings) are not, and one of these is enough for the text to be
//! read by itself. What is not foreseen here is not loose.

use super::nodes::{child, inner, names};
use pg_query::protobuf as pb;
use pg_query::{Node, NodeEnum as N};

/// A longer number may be of another type than `integer`, and then other operators apply.
const DIGITS_MAX: usize = 9;

/// A text with its numbers blanked out, digit by digit: every place in it stays where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The text, each digit of a number as `0`.
    pub blanked: Vec<u8>,
    /// How many numbers there are.
    numbers: usize,
}

impl Template {
    /// The template of a text. `None` when it has no number, or anything that would need a lexer to be told from one:
    /// quotes, comments, dollars, other than ASCII.
    pub fn of(text: &[u8]) -> Option<Template> {
        if !text.iter().all(|b| is_plain(*b)) || text.windows(2).any(|w| w == b"--") {
            return None;
        }
        let mut blanked = text.to_vec();
        let mut numbers = 0;
        let mut at = 0;
        while let Some(start) = blanked.get(at..)?.iter().position(|b| in_word(*b)) {
            let start = at + start;
            let word = blanked.get_mut(start..)?;
            let length = word.iter().take_while(|b| in_word(**b)).count();
            let word = word.get_mut(..length)?;
            at = start + length;
            // A word is a name, or a number when it begins with a digit.
            if word.first()?.is_ascii_digit() {
                let whole = length <= DIGITS_MAX && word.iter().all(u8::is_ascii_digit);
                word.fill(b'0');
                let before = start.checked_sub(1).and_then(|i| text.get(i));
                if !whole || before == Some(&b'.') || text.get(at) == Some(&b'.') {
                    return None;
                }
                numbers += 1;
            }
        }
        (numbers > 0).then_some(Template { blanked, numbers })
    }

    /// Whether every number of the text is loose in its tree.
    pub fn fits(&self, tree: &pb::ParseResult) -> bool {
        let statements = tree.stmts.iter().filter_map(|s| child(&s.stmt));
        statements.map(in_statement).sum::<usize>() == self.numbers
    }
}

fn is_plain(b: u8) -> bool {
    in_word(b) || matches!(b, b' ' | b'\t' | b'\r' | b'\n') || b",.()=<>+-*;".contains(&b)
}

fn in_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// How many loose numbers there are in a statement.
fn in_statement(statement: &N) -> usize {
    match statement {
        N::SelectStmt(s) => in_condition(child(&s.where_clause)),
        N::DeleteStmt(s) => in_condition(child(&s.where_clause)),
        N::UpdateStmt(s) => {
            let stored = s.target_list.iter().filter_map(inner).map(|t| match t {
                N::ResTarget(t) => in_stored(child(&t.val)),
                _ => 0,
            });
            stored.sum::<usize>() + in_condition(child(&s.where_clause))
        }
        N::InsertStmt(s) => match child(&s.select_stmt) {
            Some(N::SelectStmt(rows)) => rows.values_lists.iter().map(in_list).sum(),
            _ => 0,
        },
        _ => 0,
    }
}

fn in_condition(condition: Option<&N>) -> usize {
    match condition {
        Some(N::BoolExpr(b)) => b.args.iter().map(|a| in_condition(inner(a))).sum(),
        Some(N::AExpr(e)) => in_operation(e),
        _ => 0,
    }
}

/// A column with a number beside it, or with a list of numbers.
fn in_operation(e: &pb::AExpr) -> usize {
    let (left, right) = (child(&e.lexpr), child(&e.rexpr));
    let named = |allowed: &[&str]| {
        names(&e.name).is_some_and(|n| matches!(n.as_slice(), [one] if allowed.contains(one)))
    };
    match pb::AExprKind::try_from(e.kind) {
        Ok(pb::AExprKind::AexprOp)
            if named(&["=", "<>", "!=", "<", ">", "<=", ">=", "+", "-", "*"]) =>
        {
            match (left, right) {
                (Some(N::ColumnRef(_)), Some(other)) | (Some(other), Some(N::ColumnRef(_))) => {
                    usize::from(is_integer(other))
                }
                _ => 0,
            }
        }
        Ok(pb::AExprKind::AexprIn | pb::AExprKind::AexprBetween) => match (left, right) {
            (Some(N::ColumnRef(_)), Some(N::List(l))) => integers(&l.items),
            _ => 0,
        },
        _ => 0,
    }
}

fn in_stored(value: Option<&N>) -> usize {
    match value {
        Some(N::AExpr(e)) => in_operation(e),
        Some(other) => usize::from(is_integer(other)),
        None => 0,
    }
}

fn in_list(row: &Node) -> usize {
    match inner(row) {
        Some(N::List(l)) => integers(&l.items),
        _ => 0,
    }
}

fn integers(nodes: &[Node]) -> usize {
    nodes
        .iter()
        .filter_map(inner)
        .filter(|n| is_integer(n))
        .count()
}

fn is_integer(node: &N) -> bool {
    matches!(node, N::AConst(c) if !c.isnull && matches!(c.val, Some(pb::a_const::Val::Ival(_))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fits(text: &str) -> bool {
        let tree = pg_query::parse(text, 0).unwrap().protobuf;
        Template::of(text.as_bytes()).is_some_and(|t| t.fits(&tree))
    }

    #[test]
    fn numbers_beside_columns_and_in_rows_are_loose() {
        for text in [
            "SELECT abalance FROM accounts WHERE aid = 4711;",
            "SELECT a FROM t1 WHERE b = 5 AND (c < 10 OR d IN (1, 2, 3)) AND e BETWEEN 1 AND 2",
            "UPDATE accounts SET abalance = abalance + -5 WHERE aid = 17",
            "UPDATE t SET a = 1, b = 2",
            "INSERT INTO history (tid, bid, t) VALUES (1, -2, CURRENT_TIMESTAMP), (3, 4, now())",
            "DELETE FROM t WHERE id = 3; SELECT a FROM t WHERE id=4",
        ] {
            assert!(fits(text), "{text}");
        }
    }

    #[test]
    fn numbers_that_may_mean_something_are_not() {
        for text in [
            "SELECT a FROM t LIMIT 5",
            "SELECT a FROM t WHERE b = 5 LIMIT 5",
            "SELECT a FROM t WHERE b = 5 OFFSET 1",
            "SELECT a, b FROM t WHERE b = 5 ORDER BY 2",
            "SELECT a, b FROM t WHERE b = 5 GROUP BY 1, 2",
            "SELECT 1 FROM t WHERE b = 5",
            "DELETE FROM t WHERE 1 = 1",
            "DELETE FROM t WHERE a = 1 + 1",
            "SELECT a FROM t WHERE f(a, 1) = 5",
            "SELECT CAST(a AS numeric(10)) FROM t WHERE b = 5",
            "SELECT a FROM t WHERE b = 5 FOR UPDATE OF t LIMIT 1",
            "SELECT a FROM t WHERE b = (SELECT 1)",
            "SELECT a FROM t JOIN u ON a = 1 WHERE b = 5",
            "WITH x AS (DELETE FROM t WHERE a = 1 RETURNING a) SELECT a FROM x WHERE a = 1",
            "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2",
            "INSERT INTO t VALUES (1, f(2))",
            "SET statement_timeout = 5",
            "FETCH 5 FROM c",
            "COPY t TO STDOUT; SELECT a FROM t LIMIT 1",
        ] {
            assert!(!fits(text), "{text}");
        }
    }

    #[test]
    fn what_needs_a_lexer_has_no_template() {
        for text in [
            "SELECT a FROM t WHERE b = '5'",
            "SELECT a FROM t WHERE b = $1",
            "SELECT a FROM \"t\" WHERE b = 5",
            "SELECT a FROM t WHERE b = 5 -- 6",
            "SELECT a FROM t WHERE b = 5 /* 6 */",
            "SELECT a FROM t WHERE b = 5.5",
            "SELECT a FROM t WHERE b = .5",
            "SELECT a FROM t WHERE b = 5.",
            "SELECT a FROM t WHERE b = 5e1",
            "SELECT a FROM t WHERE b = 0x5",
            "SELECT a FROM t WHERE b = 5_0",
            "SELECT a FROM t WHERE b = 1234567890",
            "SELECT a FROM tä WHERE b = 5",
            "SELECT a FROM t WHERE b = a[5]",
            "SELECT a FROM t WHERE b = a",
        ] {
            assert_eq!(Template::of(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn only_numbers_are_blanked_and_nothing_moves() {
        let of = |text: &str| {
            let blanked = Template::of(text.as_bytes()).unwrap().blanked;
            String::from_utf8(blanked).unwrap()
        };
        assert_eq!(
            of("SELECT a1 FROM t22 WHERE b3=417"),
            "SELECT a1 FROM t22 WHERE b3=000"
        );
    }
}

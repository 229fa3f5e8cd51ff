//! From bytes to a tree that the server will read the same way.
//!
//! Lives here: what is refused from the bytes alone (rules R1, R2, R3 and R5). Never: names, effects.

use super::catalogue::Major;
use super::command::Unclear;
use super::{redact, tokens};
use pg_query::protobuf;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The oldest server whose reading is known.
const OLDEST: u16 = 13;
/// The newest: the version whose grammar this is.
const NEWEST: u16 = 18;

/// The sizes within which a message is parsed at all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SqlLimits {
    /// Bytes of the message.
    pub message_bytes_max: usize,
    /// Tokens of the message.
    pub tokens_max: usize,
    /// Statements of the message.
    pub statements_max: usize,
    /// Brackets within brackets.
    pub brackets_max: usize,
    /// Only ASCII: the server's encoding is not UTF8.
    pub ascii_only: bool,
}

impl Default for SqlLimits {
    fn default() -> Self {
        Self {
            message_bytes_max: 1 << 20,
            tokens_max: 300_000,
            statements_max: 1_000,
            brackets_max: 200,
            ascii_only: false,
        }
    }
}

fn is_plannable(node: &protobuf::Node) -> bool {
    use protobuf::node::Node as N;
    match &node.node {
        Some(N::SelectStmt(s)) => s.into_clause.is_none(),
        Some(N::InsertStmt(_) | N::UpdateStmt(_) | N::DeleteStmt(_) | N::MergeStmt(_)) => true,
        _ => false,
    }
}

/// A parsed message.
#[derive(Debug)]
pub struct Parsed {
    text: String,
    tree: protobuf::ParseResult,
    ranges: Vec<Range<usize>>,
    redacted: Option<String>,
}

impl Parsed {
    /// Whether all of it is planned, its names looked up with that, before it is run.
    pub fn is_plannable(&self) -> bool {
        let mut statements = self.tree.stmts.iter();
        statements.all(|s| s.stmt.as_deref().is_some_and(is_plannable))
    }
    /// Whether it is one statement that names another, as PREPARE does, or one that could be named so.
    pub fn can_be_executed(&self) -> bool {
        let prepares = |node: &Option<protobuf::node::Node>| {
            matches!(node, Some(protobuf::node::Node::PrepareStmt(_)))
        };
        match self.tree.stmts.as_slice() {
            [one] => one
                .stmt
                .as_deref()
                .is_some_and(|n| is_plannable(n) || prepares(&n.node)),
            _ => false,
        }
    }
    /// The tree.
    pub fn tree(&self) -> &protobuf::ParseResult {
        &self.tree
    }
    /// The text, exactly as it came.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// The statements, each with its bytes' place in the text.
    pub fn statements(&self) -> impl Iterator<Item = (&protobuf::RawStmt, &Range<usize>)> {
        self.tree.stmts.iter().zip(&self.ranges)
    }
    /// The text with secrets cut out, when that differs.
    pub fn redacted(&self) -> Option<&str> {
        self.redacted.as_deref()
    }
}

/// Parses a message as a server of that version would, or says why it cannot be sure to.
pub fn parse(sql: &[u8], major: Major, limits: &SqlLimits) -> Result<Parsed, Unclear> {
    if !(OLDEST..=NEWEST).contains(&major.0) {
        return Err(Unclear::new(
            "brattice.sql.version",
            format!(
                "PostgreSQL {} may read statements differently; {OLDEST} to {NEWEST} are judged.",
                major.0
            ),
        ));
    }
    let text = text(sql, limits)?;
    let tokens = tokens::scan(text)?;
    tokens::check(text, &tokens, major, limits)?;
    let tree = tree(text)?;
    if tree.stmts.len() > limits.statements_max {
        return Err(Unclear::new(
            "brattice.sql.too_large",
            format!(
                "The message has {} statements; at most {} are judged together.",
                tree.stmts.len(),
                limits.statements_max
            ),
        )
        .hint("Send fewer statements at a time."));
    }
    let ranges = tree
        .stmts
        .iter()
        .map(|s| range(s, text))
        .collect::<Result<Vec<_>, _>>()?;
    let redacted = redact::redacted(text, &tokens, &tree, &ranges);
    Ok(Parsed {
        text: text.to_owned(),
        tree,
        ranges,
        redacted,
    })
}

/// R3: valid UTF-8 without NUL, within bounds.
fn text<'a>(sql: &'a [u8], limits: &SqlLimits) -> Result<&'a str, Unclear> {
    if sql.len() > limits.message_bytes_max {
        return Err(Unclear::new(
            "brattice.sql.too_large",
            format!(
                "The message has {} bytes; at most {} are judged together.",
                sql.len(),
                limits.message_bytes_max
            ),
        )
        .hint("Use COPY … FROM STDIN for bulk data, or send fewer rows at a time."));
    }
    let text = std::str::from_utf8(sql).map_err(|e| {
        Unclear::new(
            "brattice.sql.encoding",
            format!(
                "The message is not valid UTF-8 at byte {}.",
                e.valid_up_to()
            ),
        )
        .hint("Set client_encoding to UTF8.")
    })?;
    if text.contains('\0') {
        return Err(Unclear::new(
            "brattice.sql.encoding",
            "The message contains a NUL byte.",
        ));
    }
    if limits.ascii_only && !text.is_ascii() {
        return Err(Unclear::new(
            "brattice.sql.encoding",
            "The server's encoding is not UTF8, so only ASCII statements can be judged.",
        )
        .hint("Pass other characters as parameters."));
    }
    Ok(text)
}

/// R5: whatever PostgreSQL 18's grammar does not take is not forwarded.
fn tree(text: &str) -> Result<protobuf::ParseResult, Unclear> {
    // The crate walks the tree for its own summary, where a surprise would be a panic: here it is a refusal.
    let parsed = catch_unwind(AssertUnwindSafe(|| pg_query::parse(text, 0)));
    match parsed {
        Ok(Ok(result)) => Ok(result.protobuf),
        Ok(Err(pg_query::Error::Parse(message))) => Err(Unclear::new(
            "brattice.sql.parse",
            tokens::shortened(message),
        )),
        Ok(Err(pg_query::Error::Decode(_))) => Err(Unclear::new(
            "brattice.sql.too_deep",
            "The statement nests too deeply to be judged.",
        )
        .hint(
            "Long chains of operators nest: use IN, ANY (ARRAY[…]), concat(…) or a VALUES list.",
        )),
        Ok(Err(_)) | Err(_) => Err(Unclear::new(
            "brattice.sql.parse",
            "The statement could not be parsed.",
        )),
    }
}

fn range(statement: &protobuf::RawStmt, text: &str) -> Result<Range<usize>, Unclear> {
    let start = usize::try_from(statement.stmt_location).ok();
    let end = match (start, usize::try_from(statement.stmt_len)) {
        (Some(_), Ok(0)) => Some(text.len()),
        (Some(s), Ok(n)) => s.checked_add(n),
        _ => None,
    };
    match (start, end) {
        (Some(s), Some(e)) if text.get(s..e).is_some() => Ok(s..e),
        _ => Err(Unclear::new(
            "brattice.sql.parse",
            "The statement could not be told apart from its neighbours.",
        )),
    }
}

//! What is refused by looking at tokens: words and literals that older servers read differently.
//!
//! Lives here: rules R1 and R2, identifiers that would be cut, brackets. Never: the tree.

use super::catalogue::Major;
use super::command::Unclear;
use super::parse::SqlLimits;
use pg_query::protobuf::{KeywordKind, ScanToken, Token};

/// Bytes of the longest identifier that a server keeps whole (NAMEDATALEN - 1).
const IDENTIFIER_BYTES_MAX: usize = 63;

/// Bytes that the lexer may read over and over for comments.
const COMMENT_WORK_MAX: usize = 1 << 20;

/// Characters of PostgreSQL's own words about a text that are passed on.
const MESSAGE_CHARS_MAX: usize = 300;

/// Words that became keywords in PostgreSQL 16 and read as identifiers before.
const NEW_IN_16: &[&str] = &[
    "system_user",
    "json_object",
    "json_array",
    "json_objectagg",
    "json_arrayagg",
];

/// Words that became keywords in PostgreSQL 17 and read as identifiers before.
const NEW_IN_17: &[&str] = &[
    "json_scalar",
    "json_serialize",
    "json_exists",
    "json_query",
    "json_value",
    "json_table",
    "merge_action",
];

/// The tokens of a message, comments among them.
pub(super) fn scan(text: &str) -> Result<Vec<ScanToken>, Unclear> {
    // The crate makes a slice of a null pointer when there is no token at all.
    let blank = |b: u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    if text.bytes().all(blank) {
        return Ok(Vec::new());
    }
    if comment_work(text) > COMMENT_WORK_MAX {
        return Err(Unclear::new(
            "brattice.sql.too_deep",
            "The message nests its comments too deeply to be judged.",
        )
        .hint("Leave the comments out."));
    }
    pg_query::scan_tokens(text).map_err(|e| {
        let reason = match e {
            pg_query::Error::Scan(message) => shortened(message),
            _ => "The message could not be read.".to_owned(),
        };
        Unclear::new("brattice.sql.parse", reason)
    })
}

/// PostgreSQL's words about a text that cannot be read, without the whole rest of that text.
pub(super) fn shortened(message: String) -> String {
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        None => message,
        Some((at, _)) => format!("{}…", message.get(..at).unwrap_or_default()),
    }
}

/// How many bytes the grammar's lexer reads for comments that begin: at each `/*` it reads to the end of the characters
/// that operators are made of (`xcstart` in PostgreSQL's `scan.l`), so that `/*/*/*…` costs the square of its length.
fn comment_work(text: &str) -> usize {
    let of_run = |run: &[u8]| run.len() * run.windows(2).filter(|w| w == b"/*").count();
    text.as_bytes()
        .split(|b| !b"~!@#^&|`?+-*/%<>=".contains(b))
        .map(of_run)
        .sum()
}

/// The bytes of a token.
pub(super) fn spelling<'a>(text: &'a str, token: &ScanToken) -> &'a str {
    match (usize::try_from(token.start), usize::try_from(token.end)) {
        (Ok(start), Ok(end)) => text.get(start..end).unwrap_or_default(),
        _ => "",
    }
}

/// Refuses tokens that this server may read differently from the grammar we judge with.
pub(super) fn check(
    text: &str,
    tokens: &[ScanToken],
    major: Major,
    limits: &SqlLimits,
) -> Result<(), Unclear> {
    if tokens.len() > limits.tokens_max {
        return Err(Unclear::new(
            "brattice.sql.too_large",
            format!(
                "The message has {} tokens; at most {} are judged together.",
                tokens.len(),
                limits.tokens_max
            ),
        )
        .hint("Use COPY … FROM STDIN for bulk data."));
    }
    let mut open = 0_usize;
    for (i, token) in tokens.iter().enumerate() {
        let next = tokens.get(i + 1);
        match token.token() {
            Token::Ascii40 | Token::Ascii91 => {
                open += 1;
                if open > limits.brackets_max {
                    return Err(too_deep());
                }
            }
            Token::Ascii41 | Token::Ascii93 => open = open.saturating_sub(1),
            Token::Ident | Token::Uident => identifier(spelling(text, token))?,
            Token::Iconst | Token::Fconst => number(spelling(text, token), major)?,
            Token::Param => parameter(token, next)?,
            _ if token.keyword_kind() != KeywordKind::NoKeyword => {
                keyword(spelling(text, token), next, major)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn too_deep() -> Unclear {
    Unclear::new(
        "brattice.sql.too_deep",
        "The statement nests too deeply to be judged.",
    )
}

/// R3: the server would cut it, and a cut name may be another's.
fn identifier(spelling: &str) -> Result<(), Unclear> {
    let name = spelling.trim_start_matches(['U', 'u', '&']);
    let name = name
        .strip_prefix('"')
        .and_then(|n| n.strip_suffix('"'))
        .unwrap_or(spelling);
    if name.len() > IDENTIFIER_BYTES_MAX {
        return Err(Unclear::new(
            "brattice.sql.identifier",
            format!(
                "An identifier has more than {IDENTIFIER_BYTES_MAX} bytes; the server would cut it."
            ),
        ));
    }
    Ok(())
}

/// R2: `1_000` and `0x1F` are a number and a name to servers before 16.
fn number(spelling: &str, major: Major) -> Result<(), Unclear> {
    let based = spelling
        .as_bytes()
        .get(1)
        .is_some_and(|b| matches!(b, b'x' | b'X' | b'o' | b'O' | b'b' | b'B'));
    if major.0 < 16 && (based || spelling.contains('_')) {
        return Err(Unclear::new(
            "brattice.sql.number",
            format!("PostgreSQL {} reads the number differently.", major.0),
        )
        .hint("Write it in decimal without underscores."));
    }
    Ok(())
}

/// R2: `$1abc` is a parameter and a name to some servers.
fn parameter(token: &ScanToken, next: Option<&ScanToken>) -> Result<(), Unclear> {
    let joined = next.is_some_and(|n| {
        n.start == token.end
            && (matches!(
                n.token(),
                Token::Ident | Token::Uident | Token::Iconst | Token::Fconst | Token::Param
            ) || n.keyword_kind() != KeywordKind::NoKeyword)
    });
    if joined {
        return Err(Unclear::new(
            "brattice.sql.parameter",
            "A parameter is directly followed by a name.",
        )
        .hint("Put a space after the parameter."));
    }
    Ok(())
}

/// R1: a keyword of the grammar we judge with that this server takes for a name.
fn keyword(spelling: &str, next: Option<&ScanToken>, major: Major) -> Result<(), Unclear> {
    let is = |words: &[&str]| words.iter().any(|w| spelling.eq_ignore_ascii_case(w));
    // JSON as a type, as EXPLAIN's format and as a plain name reads the same everywhere; `JSON (…)` does not.
    let calls = next.is_some_and(|n| n.token() == Token::Ascii40);
    let newer = (major.0 < 16 && is(NEW_IN_16))
        || (major.0 < 17 && (is(NEW_IN_17) || (calls && spelling.eq_ignore_ascii_case("json"))));
    if newer {
        return Err(Unclear::new(
            "brattice.sql.keyword",
            format!(
                "{} is a keyword only in newer versions than PostgreSQL {}.",
                spelling.to_ascii_uppercase(),
                major.0
            ),
        )
        .hint("Put the name in double quotes, lower case, if a name is meant."));
    }
    Ok(())
}

//! Text for the record, without the secrets that statements carry.
//!
//! Lives here: which literals are secrets. Never: what is done with the text.

use super::tokens::spelling;
use pg_query::NodeEnum;
use pg_query::protobuf::{ParseResult, ScanToken, Token};
use std::ops::Range;

/// What stands where a secret stood.
const CUT: &str = "***";

/// Words that announce a secret inside a literal: connection strings, statements within statements.
const TELLTALES: &[&str] = &["password", "passwd", "secret_key", "access_key"];

/// The text with secrets cut out, when there are any.
pub(super) fn redacted(
    text: &str,
    tokens: &[ScanToken],
    tree: &ParseResult,
    ranges: &[Range<usize>],
) -> Option<String> {
    let guarded: Vec<(&Range<usize>, Guard)> = tree
        .stmts
        .iter()
        .zip(ranges)
        .filter_map(|(s, r)| {
            let node = s.stmt.as_ref().and_then(|n| n.node.as_ref())?;
            guard(node).map(|g| (r, g))
        })
        .collect();
    cut(text, tokens, |at| {
        guarded
            .iter()
            .find(|(r, _)| r.contains(&at))
            .map(|(_, g)| *g)
    })
}

/// The same for text that did not parse: every literal is cut as soon as anything in it looks like a secret.
pub fn redacted_unparsed(text: &str) -> String {
    let suspicious = {
        let lower = text.to_ascii_lowercase();
        TELLTALES.iter().any(|t| lower.contains(t)) || values(text).is_some()
    };
    match super::tokens::scan(text) {
        Ok(tokens) => {
            let all = suspicious.then_some(Guard::Literals);
            cut(text, &tokens, |_| all).unwrap_or_else(|| text.to_owned())
        }
        Err(_) if suspicious => "(a statement that could not be read)".to_owned(),
        Err(_) => text.to_owned(),
    }
}

/// What is secret in a statement, besides values that announce themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// Every literal: options may hold credentials under any name.
    Literals,
    /// The literal after PASSWORD.
    Password,
}

fn guard(node: &NodeEnum) -> Option<Guard> {
    match node {
        NodeEnum::CreateUserMappingStmt(_)
        | NodeEnum::AlterUserMappingStmt(_)
        | NodeEnum::CreateForeignServerStmt(_)
        | NodeEnum::AlterForeignServerStmt(_)
        | NodeEnum::CreateFdwStmt(_)
        | NodeEnum::AlterFdwStmt(_)
        | NodeEnum::CreateSubscriptionStmt(_)
        | NodeEnum::AlterSubscriptionStmt(_)
        | NodeEnum::AlterSystemStmt(_) => Some(Guard::Literals),
        NodeEnum::CreateRoleStmt(_) | NodeEnum::AlterRoleStmt(_) => Some(Guard::Password),
        _ => None,
    }
}

fn cut(text: &str, tokens: &[ScanToken], guard: impl Fn(usize) -> Option<Guard>) -> Option<String> {
    let mut out = String::new();
    let mut done = 0_usize;
    let mut after_password = false;
    for token in tokens {
        let (Ok(start), Ok(end)) = (usize::try_from(token.start), usize::try_from(token.end))
        else {
            continue;
        };
        let comment = matches!(token.token(), Token::SqlComment | Token::CComment);
        let literal = matches!(
            token.token(),
            Token::Sconst | Token::Usconst | Token::Bconst | Token::Xconst
        );
        if comment || literal {
            let spelled = spelling(text, token);
            let whole = literal
                && match guard(start) {
                    Some(Guard::Literals) => true,
                    Some(Guard::Password) => after_password,
                    None => false,
                };
            let instead = if whole {
                Some(format!("'{CUT}'"))
            } else {
                values(spelled)
            };
            if let Some(instead) = instead {
                out.push_str(text.get(done..start).unwrap_or_default());
                out.push_str(&instead);
                done = end;
            }
        }
        if !comment {
            after_password = token.token() == Token::Password;
        }
    }
    if done == 0 {
        return None;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Some(out)
}

/// A literal or comment with the values cut that announce themselves: `password=…`, `PASSWORD '…'`, `://user:…@`.
fn values(spelled: &str) -> Option<String> {
    let mut cuts: Vec<Range<usize>> = Vec::new();
    let lower = spelled.to_ascii_lowercase();
    for word in TELLTALES {
        for (at, _) in lower.match_indices(word) {
            cuts.extend(announced(spelled, at + word.len()));
        }
    }
    for (at, _) in lower.match_indices("://") {
        cuts.extend(user_info(spelled, at + 3));
    }
    if cuts.is_empty() {
        return None;
    }
    cuts.sort_by_key(|c| (c.start, c.end));
    let mut out = String::new();
    let mut done = 0_usize;
    for cut in cuts {
        if cut.start >= done {
            out.push_str(spelled.get(done..cut.start).unwrap_or_default());
            out.push_str(CUT);
        }
        done = done.max(cut.end);
    }
    out.push_str(spelled.get(done..).unwrap_or_default());
    Some(out)
}

/// The value after an announcing word: behind `=`, `:` or a quote, up to its end.
fn announced(spelled: &str, from: usize) -> Option<Range<usize>> {
    let rest = spelled.get(from..)?;
    let lead = rest.len()
        - rest
            .trim_start_matches([' ', '\t', '\n', '=', ':', '\'', '"', '\\'])
            .len();
    let announces = rest
        .get(..lead)
        .is_some_and(|l| l.contains(['=', ':', '\'', '"']));
    let value = rest.get(lead..)?;
    let len = value
        .find([' ', '\t', '\n', '\'', '"', '&', ';', ','])
        .unwrap_or(value.len());
    (announces && len > 0).then(|| from + lead..from + lead + len)
}

/// The password in `scheme://user:password@host`.
fn user_info(spelled: &str, from: usize) -> Option<Range<usize>> {
    let rest = spelled.get(from..)?;
    let authority = rest.split(['/', '?', '#', '\'', ' ']).next()?;
    let (info, _) = authority.rsplit_once('@')?;
    let (user, password) = info.split_once(':')?;
    let start = from + user.len() + 1;
    (!password.is_empty()).then(|| start..start + password.len())
}

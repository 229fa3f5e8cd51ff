//! A search path as text: read as a plain list of schema names, and written so that it can only be
//! read the same way (PostgreSQL documentation, "Client Connection Defaults", search_path). Never
//! here: which schemas are welcome.

/// More schemas than anybody looks through.
const ELEMENTS_MAX: usize = 64;
/// A longer name would be cut by the server and name another schema.
const NAME_BYTES_MAX: usize = crate::limits::POSTGRES_NAME_BYTES_MAX;

/// The schema names of a path, in order; unquoted ones in lower case. The empty path has none.
///
/// Narrower than the server: an unquoted name must be of ASCII letters, digits, `_` and `$`.
#[must_use]
pub fn parse(path: &str) -> Option<Vec<String>> {
    let mut rest = path.trim_matches(is_space);
    let mut names = Vec::new();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted)?,
            None => unquoted_name(rest)?,
        };
        if name.len() > NAME_BYTES_MAX || names.len() >= ELEMENTS_MAX {
            return None;
        }
        names.push(name);
        let after = after.trim_start_matches(is_space);
        if after.is_empty() {
            return Some(names);
        }
        rest = after.strip_prefix(',')?.trim_start_matches(is_space);
    }
}

/// The path as text, every name quoted.
#[must_use]
pub fn render<N: AsRef<str>>(names: &[N]) -> String {
    let quoted: Vec<_> = names
        .iter()
        .map(|name| format!("\"{}\"", name.as_ref().replace('"', "\"\"")))
        .collect();
    quoted.join(", ")
}

/// The name up to its closing quote (a doubled one is part of it), and what follows.
fn quoted_name(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

fn unquoted_name(text: &str) -> Option<(String, &str)> {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_$".contains(character);
    let end = text
        .find(|character| !plain(character))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    (!name.is_empty()).then(|| (name.to_ascii_lowercase(), rest))
}

const fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{parse, render};

    #[test]
    fn reads_plain_and_quoted_names() {
        assert_eq!(parse("").unwrap(), Vec::<String>::new());
        assert_eq!(parse("\"\"").unwrap(), [""]);
        assert_eq!(parse("App, public").unwrap(), ["app", "public"]);
        assert_eq!(
            parse(" \"$user\" ,\"A\"\"b, c\"").unwrap(),
            ["$user", "A\"b, c"]
        );
        assert_eq!(parse("$user,public").unwrap(), ["$user", "public"]);
    }

    #[test]
    fn refuses_what_is_not_a_list_of_names() {
        for path in [
            ",", "a,", ",a", "a b", "\"a", "\"a\"b", "a;b", "'a'", "é", "a,,b", "a.b",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
        assert_eq!(parse(&"x".repeat(64)), None);
        assert_eq!(parse(&["x"; 65].join(",")), None);
    }

    #[test]
    fn what_is_written_reads_the_same() {
        for path in ["a, B", "\"\"", "\"x\"\"y\", \"$user\""] {
            let names = parse(path).unwrap();
            assert_eq!(parse(&render(&names)).unwrap(), names);
        }
    }
}

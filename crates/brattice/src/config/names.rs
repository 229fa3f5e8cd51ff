//! Dotted names as SQL writes them.
//!
//! Lives here: splitting `schema.table` and `"Odd.Schema"."table"`. Never: folding case beyond what SQL folds.

/// The parts of a dotted name. Unquoted parts are folded to lower case, as the server does; `None` if it is malformed.
pub fn parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted)?,
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                let (part, after) = rest.split_at_checked(end)?;
                let plain = !part.is_empty()
                    && !part.contains(|c: char| {
                        c == '"' || c.is_whitespace() || c.is_control() || c == '('
                    });
                if !plain {
                    return None;
                }
                (part.to_ascii_lowercase(), after)
            }
        };
        parts.push(part);
        if after.is_empty() {
            return Some(parts);
        }
        rest = after.strip_prefix('.')?;
    }
}

fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        let (before, after) = rest.split_at_checked(end)?;
        part.push_str(before);
        rest = after.strip_prefix('"')?;
        match rest.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None if part.is_empty() => return None,
            None => return Some((part, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    fn of(text: &str) -> Vec<String> {
        parts(text).unwrap()
    }

    #[test]
    fn folds_unquoted_parts_and_keeps_quoted_ones() {
        assert_eq!(
            of("Public.Customers.Email"),
            ["public", "customers", "email"]
        );
        assert_eq!(
            of("\"Odd.Schema\".t.\"a\"\"b\""),
            ["Odd.Schema", "t", "a\"b"]
        );
    }

    #[test]
    fn refuses_what_is_not_a_name() {
        for text in ["", ".", "a.", ".a", "a..b", "\"a", "\"a\"b", "\"\"", "a b"] {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}

//! Rust source, taken apart into code and comments: a rule about code must not trip over what a comment or a string says.

/// Both have the source's lines and columns; what belongs elsewhere is blank. Strings are in neither.
#[derive(Debug, PartialEq, Eq)]
pub struct Split {
    pub code: String,
    pub comments: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// Takes the source apart.
pub fn split(source: &str) -> Split {
    let chars: Vec<char> = source.chars().collect();
    let mut split = Split {
        code: String::new(),
        comments: String::new(),
    };
    let mut rest = chars.as_slice();
    let mut before = ' ';
    while !rest.is_empty() {
        let (kind, length) = next(rest, before);
        let (token, tail) = rest.split_at(length.clamp(1, rest.len()));
        for &c in token {
            let (code, comment) = match kind {
                _ if c == '\n' => (c, c),
                Kind::Code => (c, ' '),
                Kind::Comment => (' ', c),
                Kind::Literal => (' ', ' '),
            };
            split.code.push(code);
            split.comments.push(comment);
            before = c;
        }
        rest = tail;
    }
    split
}

/// What begins here, and how many characters it has.
fn next(rest: &[char], before: char) -> (Kind, usize) {
    match rest {
        ['/', '/', ..] => (
            Kind::Comment,
            length_until(rest, |tail| tail.starts_with(&['\n'])),
        ),
        ['/', '*', ..] => (Kind::Comment, block_comment(rest)),
        ['"', ..] => (Kind::Literal, string(rest)),
        ['r', '"' | '#', ..] if !is_identifier(before) => match raw_string(rest) {
            Some(length) => (Kind::Literal, length),
            None => (Kind::Code, 1),
        },
        ['b' | 'c', 'r', '"' | '#', ..] if !is_identifier(before) => {
            match raw_string(rest.get(1..).unwrap_or_default()) {
                Some(length) => (Kind::Literal, length + 1),
                None => (Kind::Code, 1),
            }
        }
        ['\'', '\\', _, tail @ ..] => (
            Kind::Literal,
            4 + length_until(tail, |tail| tail.starts_with(&['\''])),
        ),
        ['\'', _, '\'', ..] => (Kind::Literal, 3),
        _ => (Kind::Code, 1),
    }
}

fn length_until(rest: &[char], end: impl Fn(&[char]) -> bool) -> usize {
    (0..rest.len())
        .find(|&at| rest.get(at..).is_some_and(&end))
        .unwrap_or(rest.len())
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    loop {
        match rest.get(at..).unwrap_or_default() {
            ['/', '*', ..] => {
                depth += 1;
                at += 2;
            }
            ['*', '/', ..] => {
                depth = depth.saturating_sub(1);
                at += 2;
            }
            [] => return at,
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    loop {
        match rest.get(at) {
            Some('\\') => at += 2,
            Some('"') => return at + 1,
            Some(_) => at += 1,
            None => return rest.len(),
        }
    }
}

/// `r#"…"#` with any number of signs; `r#name` is a name.
fn raw_string(rest: &[char]) -> Option<usize> {
    let signs = rest.iter().skip(1).take_while(|c| **c == '#').count();
    if rest.get(1 + signs) != Some(&'"') {
        return None;
    }
    let body = rest.get(2 + signs..)?;
    let mut end = vec!['"'];
    end.extend(std::iter::repeat_n('#', signs));
    Some(2 + signs + length_until(body, |tail| tail.starts_with(&end)) + end.len())
}

/// May this character be part of a name?
pub fn is_identifier(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_not_code() {
        let split = split("let a = \"tokio \\\" x\"; // never tokio\nb /* x /* y */ z */ c\n");
        assert_eq!(
            split.code.lines().map(str::trim_end).collect::<Vec<_>>(),
            ["let a =             ;", "b                   c"]
        );
        assert!(split.comments.contains("never tokio"));
        assert!(split.comments.contains("/* x /* y */ z */"));
        assert!(!split.comments.contains('c'));
    }

    #[test]
    fn raw_strings_characters_and_lifetimes_are_told_apart() {
        let code = split(r####"let a = r#"x" // y"#; let b: &'a str = f('"', '\'', '\u{7f}', r#type, br"z");"####).code;
        assert!(!code.contains('"') && !code.contains("//"), "{code}");
        assert!(
            code.contains("&'a str") && code.contains("r#type"),
            "{code}"
        );
        assert!(code.ends_with(");"), "{code}");
    }

    #[test]
    fn what_does_not_end_is_taken_to_the_end() {
        for source in ["\"abc", "/* abc", "r#\"abc", "'\\", "\"\\"] {
            assert_eq!(
                split(source).code.chars().count(),
                source.chars().count(),
                "{source}"
            );
        }
    }
}

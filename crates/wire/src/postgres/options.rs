//! The `options` start-up parameter: command-line switches in one string, split as the server splits
//! them (PostgreSQL documentation, "Message Formats", StartupMessage). Only switches that set a
//! parameter are read: `-c name=value` and `--name=value`. Never here: which settings are welcome.

/// What cannot be read as settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsUnread {
    /// A switch other than `-c` and `--name=value`, or a bare word.
    #[error("only -c name=value and --name=value are accepted in options")]
    Switch,
    /// A setting without name or value.
    #[error("a setting in options has no name or no value")]
    Incomplete,
}

/// The settings in an `options` string, in their order; names lower-cased, `-` in them as `_`.
///
/// # Errors
/// When anything in the string is not a setting.
pub fn parse(options: &str) -> Result<Vec<(String, String)>, OptionsUnread> {
    let mut settings = Vec::new();
    let mut words = split(options).into_iter();
    while let Some(word) = words.next() {
        let assignment = if word == "-c" {
            words.next().ok_or(OptionsUnread::Incomplete)?
        } else if let Some(rest) = word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            rest.to_owned()
        } else {
            return Err(OptionsUnread::Switch);
        };
        let (name, value) = assignment
            .split_once('=')
            .ok_or(OptionsUnread::Incomplete)?;
        if name.is_empty() {
            return Err(OptionsUnread::Incomplete);
        }
        let name = name.replace('-', "_").to_ascii_lowercase();
        settings.push((name, value.to_owned()));
    }
    Ok(settings)
}

/// Words between white space; a backslash takes the next character as it is, and at the very end is
/// dropped.
fn split(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut escaped = false;
    for character in options.chars() {
        let space = matches!(character, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r');
        if space && !escaped {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        if character == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            word.push(character);
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{OptionsUnread, parse};

    fn one(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn reads_both_ways_to_set_a_parameter() {
        for options in [
            "-c TimeZone=UTC",
            "-cTimeZone=UTC",
            "--timezone=UTC",
            "  --TimeZone=UTC\t",
            "-c\ntimezone=UTC",
        ] {
            assert_eq!(parse(options).unwrap(), one("timezone", "UTC"), "{options}");
        }
        assert_eq!(
            parse("--statement-timeout=5 -c lock-timeout=6").unwrap(),
            [one("statement_timeout", "5"), one("lock_timeout", "6")].concat()
        );
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn a_backslash_keeps_the_next_character() {
        let read = parse(r"-c search_path=a,\ b\\c").unwrap();
        assert_eq!(read, one("search_path", r"a, b\c"));
        assert_eq!(parse(r"-c a=b\").unwrap(), one("a", "b"));
        assert_eq!(parse(r"-c a=\ -c\ b=c").unwrap(), one("a", " -c b=c"));
    }

    #[test]
    fn values_may_be_empty_and_hold_equal_signs() {
        assert_eq!(parse("-c a=").unwrap(), one("a", ""));
        assert_eq!(parse("-c a=b=c").unwrap(), one("a", "b=c"));
    }

    #[test]
    fn refuses_whatever_is_not_a_setting() {
        for options in ["-d 5", "-f s", "word", "-", "-W 1", "-o x", r"\-c a=b -O"] {
            assert_eq!(parse(options), Err(OptionsUnread::Switch), "{options}");
        }
        for options in ["-c", "--", "-c a", "--a", "-c =b", "--=b"] {
            assert_eq!(parse(options), Err(OptionsUnread::Incomplete), "{options}");
        }
    }
}

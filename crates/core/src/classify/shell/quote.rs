//! The one way in which arguments are written down: for rules and for records.
//!
//! Lives here: quoting. Never: reading what was quoted.

use super::arg::Arg;

/// What stands for the part of an argument that is not known. No literal argument is written so.
const NOT_KNOWN: &str = "$?";

/// Words that would mean something to the shell in a program's place.
const RESERVED: &str = "if then elif else fi do done case esac while until for in select function time coproc \
    foreach end repeat nocorrect always";

/// Arguments as one line, which every shell that we know reads back as the same arguments when all are literal.
pub fn canonical(argv: &[Arg]) -> String {
    let words = argv.iter().enumerate().map(|(at, arg)| match arg {
        Arg::Exact(text) if at == 0 => first(text),
        Arg::Exact(text) => quoted(text),
        Arg::Home(rest) if rest.is_empty() => "~".to_owned(),
        Arg::Home(rest) => format!("~/{}", quoted(rest)),
        Arg::Opaque(opaque) if opaque.prefix.is_empty() => NOT_KNOWN.to_owned(),
        Arg::Opaque(opaque) => format!("{}{NOT_KNOWN}", quoted(&opaque.prefix)),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn first(text: &str) -> String {
    if RESERVED.split_whitespace().any(|word| word == text) || text.contains('=') {
        in_quotes(text)
    } else {
        quoted(text)
    }
}

/// One argument: as it is where no shell could read it otherwise, else in single quotes.
pub fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+:,./-".contains(c);
    // `--name=value` is plain; `name=value` might be an assignment, and zsh reads a leading `=` as a program's path.
    let is_option = text.starts_with('-');
    if !text.is_empty() && text.chars().all(|c| is_plain(c) || (c == '=' && is_option)) {
        text.to_owned()
    } else {
        in_quotes(text)
    }
}

fn in_quotes(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

//! `sed`, whose scripts can run programs and write files.
//!
//! Lives here: reading its commands as far as they only change text. Never: other programs.

use super::options::read;
use super::{Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::arg::Arg;
use crate::classify::shell::catalogue::Program;

/// Flags of `s` that do no more than change what is replaced.
const FLAGS: &str = "gpiI0123456789";

impl Judge<'_> {
    pub(super) fn sed(&self, argv: &[Arg], args: &[Arg], program: &'static Program) -> Judged {
        let reading = read(args, program, &[], None);
        let mut judged = Judged::new(argv, program.effect, program.reason);
        self.options(&mut judged, &reading);
        if reading.maybe {
            judged.raise(
                program.worst,
                "An argument that is not known may be its script.",
            );
        }
        let mut scripts: Vec<&Arg> = reading.values(&["-e", "--expression"]).collect();
        let mut files = reading.operands.as_slice();
        if scripts.is_empty() {
            let Some((first, rest)) = files.split_first() else {
                return judged;
            };
            scripts.push(first);
            files = rest;
        }
        let literal: Option<Vec<&str>> = scripts.iter().map(|script| script.literal()).collect();
        let text = literal.map(|scripts| scripts.join("\n"));
        if !text.is_some_and(|text| only_edits(&text)) {
            judged.raise(
                Effect::Execute,
                "Its script is not known to only edit text: it may run programs and write files.",
            );
        }
        let suffixes = reading.values(&["-i", "--in-place"]);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._~-".contains(c);
        let behind = |arg: &Arg| {
            let text = arg.literal().unwrap_or("/");
            text.starts_with(['.', '~']) && text.chars().all(is_plain)
        };
        if !suffixes.into_iter().all(behind) {
            judged.raise(
                Effect::Execute,
                "What it keeps gets a name that cannot be told.",
            );
        }
        let in_place = reading.has(&["-i", "--in-place"]);
        let effect = if in_place {
            Effect::Write
        } else {
            Effect::Read
        };
        for path in files {
            self.touches(&mut judged, path, effect, false);
        }
        judged
    }
}

/// Whether a script does nothing but edit what passes through.
fn only_edits(script: &str) -> bool {
    // Which end a line has that goes on is read in different ways.
    if script.contains("\\\n") || !script.is_ascii() {
        return false;
    }
    let mut rest = script.trim_start();
    while !rest.is_empty() {
        match command(rest) {
            Some(behind) => rest = behind.trim_start_matches([' ', '\t', '\n', ';']),
            None => return false,
        }
    }
    true
}

/// What follows the command at the beginning, if that is one that only edits.
fn command(text: &str) -> Option<&str> {
    let mut rest = address(text)?.trim_start_matches([' ', '\t']);
    if let Some(behind) = rest.strip_prefix(',') {
        rest = address(behind.trim_start_matches([' ', '\t', '+', '~']))?
            .trim_start_matches([' ', '\t']);
    }
    let rest = rest.trim_start_matches(['!', ' ', '\t']);
    let letter = rest.chars().next()?;
    let behind = rest.strip_prefix(letter)?;
    match letter {
        '{' | '}' => Some(behind),
        'p' | 'd' | '=' | 'n' | 'N' | 'D' | 'P' | 'g' | 'G' | 'h' | 'H' | 'x' | 'z' => {
            ended(behind)
        }
        'q' | 'Q' => ended(behind.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ')),
        's' => {
            let delimiter = delimiter(behind)?;
            let (pattern, behind) = delimited(behind.strip_prefix(delimiter)?, delimiter)?;
            let (_, behind) = delimited(behind, delimiter)?;
            is_closed(pattern).then_some(())?;
            ended(behind.trim_start_matches(|c| FLAGS.contains(c)))
        }
        'y' => {
            let delimiter = delimiter(behind)?;
            let (_, behind) = delimited(behind.strip_prefix(delimiter)?, delimiter)?;
            let (_, behind) = delimited(behind, delimiter)?;
            ended(behind)
        }
        // A place in the script, and jumps to it. Some versions end its name at a `;`, others at the end of the line: in
        // both, all that is run is looked at.
        ':' | 'b' | 't' | 'T' => ended(
            behind
                .trim_start_matches([' ', '\t'])
                .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_'),
        ),
        // The rest of the line is text.
        'a' | 'i' | 'c' => Some(behind.split_once('\n').map_or("", |(_, behind)| behind)),
        _ => None,
    }
}

/// What follows an address, or the text itself when there is none.
fn address(text: &str) -> Option<&str> {
    if let Some(behind) = text.strip_prefix('$') {
        return Some(behind);
    }
    if let Some(behind) = text.strip_prefix('/') {
        let (pattern, behind) = delimited(behind, '/')?;
        return is_closed(pattern).then(|| behind.trim_start_matches('I'));
    }
    if let Some(behind) = text.strip_prefix('\\') {
        let delimiter = delimiter(behind)?;
        let (pattern, behind) = delimited(behind.strip_prefix(delimiter)?, delimiter)?;
        return is_closed(pattern).then(|| behind.trim_start_matches('I'));
    }
    Some(text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '~'))
}

fn delimiter(text: &str) -> Option<char> {
    let c = text.chars().next()?;
    "/|#,:@%!_+".contains(c).then_some(c)
}

/// What stands before and behind the next delimiter that is not escaped.
pub(super) fn delimited(text: &str, delimiter: char) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '\n' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == delimiter => {
                let (before, behind) = text.split_at(at);
                return Some((before, behind.strip_prefix(delimiter)?));
            }
            _ => {}
        }
    }
    None
}

/// Whether every bracket expression ends: some versions take a delimiter within one for text.
pub(super) fn is_closed(pattern: &str) -> bool {
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                rest.next();
            }
            '[' => match after_bracket(rest.as_str()) {
                Some(behind) => rest = behind.chars(),
                None => return false,
            },
            _ => {}
        }
    }
    true
}

/// What follows a bracket expression, given what stands behind its `[`.
fn after_bracket(text: &str) -> Option<&str> {
    let text = text.strip_prefix('^').unwrap_or(text);
    // The first character belongs to it, whatever it is.
    let first = text.chars().next()?;
    let mut rest = if ['[', '\\'].contains(&first) {
        text
    } else {
        text.strip_prefix(first)?
    };
    loop {
        let c = rest.chars().next()?;
        let behind = rest.strip_prefix(c)?;
        rest = match c {
            ']' => return Some(behind),
            // Whether this escapes is read in different ways, and matters only for what could end the bracket.
            '\\' if behind.starts_with(|c: char| c.is_ascii_alphanumeric()) => behind,
            '\\' => return None,
            '[' => match behind.strip_prefix(':') {
                Some(class) => class.split_once(":]")?.1,
                None if behind.starts_with(['.', '=']) => return None,
                None => behind,
            },
            _ => behind,
        };
    }
}

/// What follows a command that ends here.
fn ended(text: &str) -> Option<&str> {
    let text = text.trim_start_matches([' ', '\t']);
    (text.is_empty() || text.starts_with([';', '\n', '}'])).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_only_edit_are_told_from_others() {
        for script in [
            "s/a/b/",
            "s/a/b/g;p",
            "1,5p",
            "/a/d",
            "$!N",
            "/a/,/b/p",
            "s|/x|/y|2",
            "1d;$d",
            "/x/{p;q}",
            "a text; e rm",
            "y/abc/xyz/",
            "10q",
            "s/[0-9]*$//",
            "s/[[:space:]]*$//",
            "s/[^]]*]//",
            r"s/\[a\]/b/",
            "/^$/d",
            "1!G;h;$!d",
            "1~2p",
            ":a;N;$!ba;s/\\n/ /g",
            "b x",
            r"\,x,d",
            r"s/^[ \t]*//",
            r"s/[^\n]*//",
        ] {
            assert!(only_edits(script), "{script}");
        }
        for script in [
            "e",
            "1e rm x",
            "s/a/b/e",
            "s/a/b/w f",
            "w f",
            "s/a/b/ge",
            "r f",
            "W f",
            "p;e ls",
            "/a/w f",
            "s/[/]/b/;e rm",
            "s/[]/]/g;s/p;e rm x;#/y/",
            r"s/[\]/]/g;s/p;e x;#/y/",
            "s/a/b",
            "a\\\ne rm",
            "/a/{e rm\n}",
            "R f",
            "s/x/y/\ne rm",
            "s\nx\ny\n",
            "b x;e",
            r"s/[\]]/]/g;s/p;e x;#/y/",
            r"s/[\\]/]/g;s/p;e x;#/y/",
            ":a;w f",
            "ta;e",
            r"\,x,e",
            "F",
            "s/x/y/M;e",
            "v",
            "l",
            ":a;e",
        ] {
            assert!(!only_edits(script), "{script}");
        }
    }
}

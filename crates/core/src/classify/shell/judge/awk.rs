//! `awk`, whose programs can run others and write files.
//!
//! Lives here: reading a program as far as it only shows what it reads. Never: other languages.

use super::options::read;
use super::sed::{delimited, is_closed};
use super::{Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::arg::Arg;
use crate::classify::shell::catalogue::Program;

/// Words that run programs, read or write files, or change which files are read.
const REACHES_OUT: &[&str] = &[
    "system", "getline", "close", "fflush", "ARGV", "ARGC", "PROCINFO", "SYMTAB", "FUNCTAB",
    "func", "function", "asort", "asorti", "switch", "case", "default",
];
/// Words behind which a `/` begins an expression, or is read in different ways.
const BEFORE_EXPRESSION: &[&str] = &[
    "print", "printf", "return", "else", "do", "in", "delete", "exit", "length", "if", "while",
    "for", "next",
];

impl Judge<'_> {
    pub(super) fn awk(&self, argv: &[Arg], args: &[Arg], program: &'static Program) -> Judged {
        // Options end where its program begins; what follows are files, whatever they look like.
        let reading = read(args, program, &[], Some(1));
        let mut judged = Judged::new(argv, program.effect, program.reason);
        self.options(&mut judged, &reading);
        let text = reading.operands.first().and_then(Arg::literal);
        if reading.maybe || !text.is_some_and(only_shows) {
            judged.raise(
                Effect::Execute,
                "Its program is not known to only show text: it may run others and write files.",
            );
        }
        for arg in &reading.rest {
            match arg {
                Arg::Exact(text) if is_assignment(text) => {}
                Arg::Exact(text) if may_connect(text) => {
                    judged.raise(
                        Effect::Execute,
                        "Some versions open a connection for such a name.",
                    );
                }
                Arg::Opaque(opaque) if may_connect(&opaque.prefix) => {
                    judged.raise(Effect::Execute, "Which file it reads cannot be told.");
                }
                _ => self.touches(&mut judged, arg, Effect::Read, true),
            }
        }
        judged
    }
}

/// `name=value` in the place of a file.
fn is_assignment(text: &str) -> bool {
    let name = text.split_once('=').map_or("", |(name, _)| name);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(plain) && !REACHES_OUT.contains(&name)
}

fn may_connect(name: &str) -> bool {
    name.trim_start_matches('/').starts_with("inet") && name.starts_with('/')
}

/// What was read last, as far as it says what a sign behind it means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// A name, a number, a text: what follows is an operator.
    Operand,
    /// An operator, or nothing yet: what follows is an operand.
    Operator,
    /// What follows may be either.
    Either,
}

struct Reader<'a> {
    rest: &'a str,
    last: Last,
    parentheses: usize,
    braces: usize,
}

/// Whether a program does nothing but show what it computes of its input.
fn only_shows(program: &str) -> bool {
    if !program.is_ascii() {
        return false;
    }
    let mut reader = Reader {
        rest: program,
        last: Last::Operator,
        parentheses: 0,
        braces: 0,
    };
    while !reader.rest.is_empty() {
        if reader.token().is_none() {
            return false;
        }
    }
    true
}

impl<'a> Reader<'a> {
    /// Reads on; none for what is not understood, or does more.
    fn token(&mut self) -> Option<()> {
        let c = self.rest.chars().next()?;
        let behind = self.rest.strip_prefix(c)?;
        match c {
            ' ' | '\t' => self.rest = behind,
            '\n' | ';' => self.operator(behind),
            '#' => {
                self.rest = behind
                    .find('\n')
                    .and_then(|at| behind.get(at..))
                    .unwrap_or_default()
            }
            '"' => self.text(behind)?,
            '/' => self.slash(behind)?,
            'a'..='z' | 'A'..='Z' | '_' => self.word()?,
            '0'..='9' | '.' => {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '.';
                self.operand(behind.trim_start_matches(plain));
            }
            '(' | '[' => {
                self.parentheses = self.parentheses.checked_add(usize::from(c == '('))?;
                self.operator(behind);
            }
            ')' => {
                self.parentheses = self.parentheses.checked_sub(1)?;
                self.rest = behind;
                self.last = Last::Either;
            }
            ']' => self.operand(behind),
            '{' => {
                (self.parentheses == 0).then_some(())?;
                self.braces = self.braces.checked_add(1)?;
                self.operator(behind);
            }
            '}' => {
                (self.parentheses == 0).then_some(())?;
                self.braces = self.braces.checked_sub(1)?;
                self.operator(behind);
            }
            // Behind these a `/` is read in different ways.
            '+' | '-' if behind.starts_with(c) => {
                self.rest = behind.strip_prefix(c)?;
                self.last = Last::Either;
            }
            '|' => self.operator(behind.strip_prefix('|')?),
            '&' => self.operator(behind.strip_prefix('&')?),
            // Outside of parentheses it writes to a file, but for where no statement can be.
            '>' if self.parentheses > 0 || self.braces == 0 => self.operator(behind),
            '>' => return None,
            '$' | ',' | '=' | '<' | '!' | '~' | '+' | '-' | '*' | '%' | '^' | '?' | ':' => {
                self.operator(behind)
            }
            _ => return None,
        }
        Some(())
    }

    fn operator(&mut self, behind: &'a str) {
        self.rest = behind;
        self.last = Last::Operator;
    }

    fn operand(&mut self, behind: &'a str) {
        self.rest = behind;
        self.last = Last::Operand;
    }

    /// A text, to its end on the same line.
    fn text(&mut self, behind: &'a str) -> Option<()> {
        let (_, behind) = delimited(behind, '"')?;
        self.operand(behind);
        Some(())
    }

    /// A division, or an expression to its end on the same line.
    fn slash(&mut self, behind: &'a str) -> Option<()> {
        match self.last {
            Last::Either => return None,
            Last::Operand => self.operator(behind),
            Last::Operator => {
                let (pattern, behind) = delimited(behind, '/')?;
                is_closed(pattern).then_some(())?;
                self.operand(behind);
            }
        }
        Some(())
    }

    fn word(&mut self) -> Option<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let behind = self.rest.trim_start_matches(plain);
        let word = self.rest.strip_suffix(behind)?;
        if REACHES_OUT.contains(&word) {
            return None;
        }
        // A statement stands within parentheses only in a `for`, where a `>` behind it would write to a file.
        if self.parentheses > 0 && ["print", "printf"].contains(&word) {
            return None;
        }
        self.rest = self.rest.get(word.len()..)?;
        self.last = if BEFORE_EXPRESSION.contains(&word) {
            Last::Either
        } else {
            Last::Operand
        };
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_only_show_are_told_from_others() {
        for program in [
            "{print $1}",
            "NR>1",
            "$3 > 100 {print}",
            "{ if ($3 > 100) print }",
            "{print ($1 > 2)}",
            "/a/,/b/",
            "!seen[$0]++",
            "{s+=$1} END {print s/NR}",
            "{gsub(/[a-z]*/, \"x\"); print}",
            "BEGIN {FS=\":\"} {print $1 \"|\" $2} # a; system(\"x\")",
            "$1 ~ /x/ || $2 ~ /y/",
            "{print \"system(x)\", \"a > b\"}",
            "{print a[1] / b / c}",
        ] {
            assert!(only_shows(program), "{program}");
        }
        for program in [
            "{system($1)}",
            "BEGIN{system(\"x\")}",
            "{print > \"f\"}",
            "{print $1 > $2}",
            "{print(1) > \"f\"}",
            "{print >> \"f\"}",
            "{print | \"sh\"}",
            "{\"x\" | getline}",
            "{print |& \"x\"}",
            "BEGIN{@f()}",
            "@load \"x\"",
            "@include \"x\"",
            "/\"/ {system(\"x\")}",
            "{a = b / c; system(\"x\") / d}",
            "{x = 1 / 2 > \"f\" / 3}",
            "BEGIN{ARGV[1]=\"/etc/shadow\"}",
            "{getline x < \"f\"}",
            "{print \"a\\\n\"}",
            "/[/]/{system(\"x\")}#/",
            "{if (x) /a/; system(\"x\")}",
            "{x++ /a; system(\"b\")/ 1}",
            "{print length / 2; system(\"x\") / 1}",
            "function f(x) {print > x} {f($1)}",
            "{print\\\n> \"f\"}",
            "} print > \"f\" {",
            "BEGIN{for(print \"x\" > \"f\";0;);}",
            "BEGIN{for(i=0;i<1;printf \"x\" > \"f\") i++}",
            "BEGIN{for(;;print(1) > \"f\");}",
            "\u{e9}",
        ] {
            assert!(!only_shows(program), "{program}");
        }
    }
}

//! Commands that shells have built in, where their arguments need a look: `test`, `printf`, `set`.
//!
//! Lives here: which of their arguments do no more than they seem to. Never: what the catalogue can say.

use super::{Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::arg::Arg;
use crate::classify::shell::catalogue::Program;
use crate::classify::shell::{Reason, Shell};

/// Questions about one operand. `-v` is not among them: bash computes its operand.
const ASKS_ONE: &str = "-b -c -d -e -f -g -h -k -L -n -p -r -s -t -u -w -x -z -O -G -S -N";
/// Questions about two texts.
const ASKS_TEXTS: &str = "= == != -nt -ot -ef";
/// Questions about two numbers.
const ASKS_NUMBERS: &str = "-eq -ne -lt -le -gt -ge";
/// Options of `set` that change when a script stops and what it shows, and nothing about how it is read.
const SET_LETTERS: &str = "eux";
/// The same by name.
const SET_NAMES: &[&str] = &["errexit", "nounset", "xtrace", "pipefail"];
/// What `printf` may be told to show. `%n` would set a variable.
const SHOWN: &str = "sbdiuoxXceEfFgGq%";

impl Judge<'_> {
    pub(super) fn test(&self, argv: &[Arg], args: &[Arg], program: &Program) -> Judged {
        let mut judged = Judged::new(argv, program.effect, program.reason);
        let bracket = argv.first().and_then(Arg::literal) == Some("[");
        let inner = match args.split_last() {
            Some((last, inner)) if bracket && last.literal() == Some("]") => Some(inner),
            _ if bracket => None,
            _ => Some(args),
        };
        if !inner.is_some_and(|inner| self.is_plain_test(inner)) {
            judged.raise(
                Effect::Execute,
                "What it asks cannot be told, and some shells compute what they compare.",
            );
        }
        judged
    }

    fn is_plain_test(&self, args: &[Arg]) -> bool {
        let args = match args.split_first() {
            Some((first, rest)) if first.literal() == Some("!") => rest,
            _ => args,
        };
        // Two of them joined are more than what they are apart only in ways that POSIX leaves open.
        if args.iter().any(Arg::is_many) {
            return false;
        }
        let is_in = |list: &str, arg: &Arg| {
            arg.literal()
                .is_some_and(|text| list.split_whitespace().any(|one| one == text))
        };
        let is_number = |arg: &Arg| {
            let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
            arg.literal().is_some_and(digits)
        };
        match args {
            [] | [_] => true,
            [asks, one] => {
                let number = self.shell == Shell::Zsh && asks.literal() == Some("-t");
                is_in(ASKS_ONE, asks) && (!number || is_number(one))
            }
            [one, asks, other] => {
                let numbers = self.shell != Shell::Zsh || (is_number(one) && is_number(other));
                is_in(ASKS_TEXTS, asks) || (is_in(ASKS_NUMBERS, asks) && numbers)
            }
            _ => false,
        }
    }

    pub(super) fn printf(&self, argv: &[Arg], args: &[Arg], program: &Program) -> Judged {
        let mut judged = Judged::new(argv, program.effect, program.reason);
        let format = match args.first().and_then(Arg::literal) {
            Some("--") => args.get(1),
            _ => args.first(),
        };
        let shows = |text: &str| {
            let letters = if self.shell == Shell::Zsh {
                "s%"
            } else {
                SHOWN
            };
            !text.starts_with('-') && only_shows(text, letters)
        };
        if !format.and_then(Arg::literal).is_some_and(shows) {
            judged.raise(Effect::Execute, "Its format may set a variable.");
        }
        judged
    }

    pub(super) fn set(
        &mut self,
        argv: &[Arg],
        args: &[Arg],
        program: &Program,
    ) -> Result<(), Reason> {
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let text = arg.literal().ok_or(Reason::ChangesTheShell)?;
            let letters = text
                .strip_prefix(['-', '+'])
                .ok_or(Reason::ChangesTheShell)?;
            let (letters, named) = match letters.strip_suffix('o') {
                Some(letters) => (letters, true),
                None => (letters, false),
            };
            if !letters.chars().all(|c| SET_LETTERS.contains(c)) || text.len() < 2 {
                return Err(Reason::ChangesTheShell);
            }
            let name = if named {
                args.next().and_then(Arg::literal)
            } else {
                None
            };
            if named && !name.is_some_and(|name| SET_NAMES.contains(&name)) {
                return Err(Reason::ChangesTheShell);
            }
        }
        self.push(Judged::new(argv, program.effect, program.reason))
    }
}

/// Whether a format does no more than show.
fn only_shows(format: &str, letters: &str) -> bool {
    let mut rest = format;
    while let Some((_, behind)) = rest.split_once('%') {
        let behind = behind.trim_start_matches(|c: char| c.is_ascii_digit() || "-+ #.".contains(c));
        match behind.chars().next() {
            Some(c) if letters.contains(c) => rest = behind.strip_prefix(c).unwrap_or_default(),
            _ => return false,
        }
    }
    true
}

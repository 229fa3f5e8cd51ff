//! Programs that run what their arguments say.
//!
//! Lives here: finding the command within, and judging it as well. Never: `find`, which has a language of its own.

use super::options::{Reading, read};
use super::program::unclear;
use super::{Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::arg::{Arg, Opaque};
use crate::classify::shell::catalogue::{KNOWN, Program, Special};
use crate::classify::shell::{Reason, Shell, parse};

impl Judge<'_> {
    /// `nice`, `env`, `xargs`, `exec`, `eval`, `sh -c`.
    pub(super) fn wrapper(
        &mut self,
        argv: &[Arg],
        args: &[Arg],
        program: &'static Program,
        special: Special,
    ) -> Result<(), Reason> {
        match special {
            Special::Eval => return self.eval(argv, args, program),
            Special::Shell => return self.shell(argv, args, program),
            _ => {}
        }
        // The first operand behind its own begins the command.
        let mut reading = read(args, program, &[], Some(program.before.saturating_add(1)));
        if !reading.is_clear() {
            return self.push(unclear(argv, program, &reading));
        }
        let mut judged = Judged::new(argv, program.effect, program.reason);
        judged.pages = program.pages;
        self.options(&mut judged, &reading);
        let own = program.before.min(reading.operands.len());
        let mut inner = reading.operands.split_off(own);
        inner.append(&mut reading.rest);
        if reading.operands.iter().any(Arg::is_many) {
            judged.raise(Effect::Execute, "Where the command begins cannot be told.");
            return self.push(judged);
        }
        match special {
            // `command -v` looks for a program, and runs none.
            Special::Wrapper if reading.has(&["-v", "-V"]) && argv_is(argv, "command") => {
                return self.push(judged);
            }
            Special::Env => self.environment(&mut judged, &reading, &mut inner),
            Special::Xargs => from_input(&reading, &mut inner)?,
            _ => {}
        }
        self.push(judged)?;
        match inner.first() {
            None => Ok(()),
            Some(Arg::Exact(_)) => self.run(&inner),
            Some(_) => Err(Reason::HiddenProgram),
        }
    }

    /// What `env` and `sudo` set in front of the command.
    fn environment(&mut self, judged: &mut Judged, reading: &Reading, inner: &mut Vec<Arg>) {
        let told = "It sets a variable that is not known to leave alone which programs run.";
        for directory in reading.values(&["-C", "--chdir", "-D"]) {
            self.enters(directory);
        }
        for name in reading.values(&["--unset"]) {
            if !name
                .literal()
                .is_some_and(|name| KNOWN.is_harmless(name, true))
            {
                judged.raise(Effect::Execute, told);
            }
        }
        let set = inner
            .iter()
            .map_while(|arg| match arg {
                Arg::Exact(text) => text.split_once('=').map(|(name, _)| name),
                Arg::Opaque(opaque) if !opaque.split => {
                    opaque.prefix.split_once('=').map(|(name, _)| name)
                }
                _ => None,
            })
            .map(|name| KNOWN.is_harmless(name, true))
            .collect::<Vec<_>>();
        if !set.iter().all(|harmless| *harmless) {
            judged.raise(Effect::Execute, told);
        }
        inner.drain(..set.len());
    }

    /// The text of its operands, run by this shell.
    fn eval(&mut self, argv: &[Arg], args: &[Arg], program: &Program) -> Result<(), Reason> {
        let words: Option<Vec<&str>> = args.iter().map(Arg::literal).collect();
        let text = words.ok_or(Reason::HiddenText)?.join(" ");
        if text.starts_with('-') {
            return Err(Reason::HiddenText);
        }
        self.push(Judged::new(argv, program.effect, program.reason))?;
        self.text(&text, self.shell)
    }

    /// A text that a shell runs.
    pub(super) fn text(&mut self, text: &str, shell: Shell) -> Result<(), Reason> {
        let script = parse::within(text, shell, self.limits, self.depth)?;
        let outer = std::mem::replace(&mut self.shell, shell);
        // It may run later, or in a shell that was not handed them.
        let values = std::mem::take(&mut self.values);
        self.script(&script)?;
        self.shell = outer;
        self.values = values;
        Ok(())
    }

    /// `sh -c TEXT`: anything else reads commands from a file or from its input.
    fn shell(&mut self, argv: &[Arg], args: &[Arg], program: &Program) -> Result<(), Reason> {
        let name = argv.first().and_then(Arg::literal).unwrap_or_default();
        let inner = match name.rsplit('/').next() {
            Some("bash") => Shell::Bash,
            Some("zsh") => Shell::Zsh,
            _ => Shell::Sh,
        };
        if let Some(files) = only_checks(args) {
            let mut judged = Judged::new(argv, Effect::Read, "Checks how a script is written.");
            for path in files {
                self.touches(&mut judged, path, Effect::Read, false);
            }
            return self.push(judged);
        }
        match text_of(args) {
            Some(text) => {
                self.push(Judged::new(argv, Effect::Read, program.reason))?;
                self.text(text, inner)
            }
            None => self.push(Judged::new(
                argv,
                Effect::Execute,
                "What the shell is to run is not part of the command line.",
            )),
        }
    }

    /// `trap TEXT SIGNAL`.
    pub(super) fn trap(
        &mut self,
        argv: &[Arg],
        args: &[Arg],
        program: &Program,
    ) -> Result<(), Reason> {
        let judged = Judged::new(argv, program.effect, program.reason);
        self.push(judged)?;
        match args.first() {
            None => Ok(()),
            Some(Arg::Exact(text)) if text.is_empty() || text == "-" => Ok(()),
            Some(Arg::Exact(text)) if !text.starts_with('-') => {
                let text = text.clone();
                self.text(&text, self.shell)
            }
            Some(_) => Err(Reason::HiddenText),
        }
    }
}

fn argv_is(argv: &[Arg], name: &str) -> bool {
    argv.first().and_then(Arg::literal) == Some(name)
}

/// `sh -n FILE…`: nothing in the file is run.
fn only_checks(args: &[Arg]) -> Option<&[Arg]> {
    let (first, files) = args.split_first()?;
    let is_file = |arg: &Arg| match arg {
        Arg::Exact(text) => !text.starts_with(['-', '+']),
        Arg::Home(_) => true,
        Arg::Opaque(opaque) => !arg.may_be_option() && !opaque.prefix.starts_with('+'),
    };
    let checks = first.literal() == Some("-n") && !files.is_empty();
    (checks && files.iter().all(is_file)).then_some(files)
}

/// The text behind `-c`.
fn text_of(args: &[Arg]) -> Option<&str> {
    let mut args = args.iter();
    let mut is_text = false;
    loop {
        let arg = args.next()?.literal()?;
        match arg.strip_prefix('-') {
            Some("o") => {
                let option = args.next()?.literal()?;
                if !["errexit", "nounset", "pipefail"].contains(&option) {
                    return None;
                }
            }
            Some(letters)
                if !letters.is_empty() && letters.chars().all(|c| "ceuxl".contains(c)) =>
            {
                is_text |= letters.contains('c');
            }
            Some(_) => return None,
            None => return (is_text && !arg.starts_with('+')).then_some(arg),
        }
    }
}

/// What `xargs` adds from its input.
fn from_input(reading: &Reading, inner: &mut Vec<Arg>) -> Result<(), Reason> {
    // The last of these counts, and with it whether arguments are put in or added.
    if reading.has(&["-I"]) && reading.has(&["-n", "-L", "--max-args"]) {
        return Err(Reason::HiddenText);
    }
    let Some(replaced) = reading.values(&["-I"]).last() else {
        // Without a command it is `echo`.
        if inner.is_empty() {
            inner.push(Arg::exact("echo"));
        }
        inner.push(Arg::anything());
        return Ok(());
    };
    let replaced = replaced.literal().filter(|text| !text.is_empty());
    let replaced = replaced.ok_or(Reason::HiddenText)?;
    for arg in inner {
        let text = match &*arg {
            Arg::Exact(text) => text.as_str(),
            Arg::Home(_) => continue,
            // It may hold what is replaced, before or behind.
            Arg::Opaque(opaque) => {
                let many = opaque.many;
                *arg = Arg::Opaque(Opaque {
                    prefix: String::new(),
                    many,
                    split: many,
                    expands: true,
                    digits: false,
                });
                continue;
            }
        };
        if let Some((before, _)) = text.split_once(replaced) {
            *arg = Arg::beginning(before);
        }
    }
    Ok(())
}

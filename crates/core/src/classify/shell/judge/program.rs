//! What a program does, by its entry in the catalogue.
//!
//! Lives here: options, subcommands and operands put together. Never: programs that are read in code.

use super::options::{Reading, read};
use super::{File, Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::Reason;
use crate::classify::shell::arg::Arg;
use crate::classify::shell::catalogue::{KNOWN, Operands, Program, Rules, Special, Value};

impl Judge<'_> {
    /// A program with its arguments.
    pub(super) fn run(&mut self, argv: &[Arg]) -> Result<(), Reason> {
        let (Some(Arg::Exact(name)), Some(args)) = (argv.first(), argv.get(1..)) else {
            return Err(Reason::HiddenProgram);
        };
        let Some(program) = KNOWN.program(name) else {
            return self.push(unknown_program(argv));
        };
        let looks = |arg: &Arg| {
            arg.literal()
                .is_some_and(|text| program.looks.contains(&text))
        };
        let helps = |arg: &Arg| matches!(arg.literal(), Some("--help" | "--version"));
        let mild = program.worst < Effect::Execute && args.iter().all(helps);
        if !args.is_empty() && (mild || args.iter().all(looks)) {
            return self.push(Judged::new(
                argv,
                Effect::Read,
                "Shows something of itself.",
            ));
        }
        match program.special {
            None => {
                let served = self.git_serves(argv, args);
                let judged = served.unwrap_or_else(|| self.by_entry(argv, args, program));
                if name == "cd" {
                    self.changes_directory(args);
                }
                self.push(judged)
            }
            Some(Special::Changes) => Err(Reason::ChangesTheShell),
            Some(
                special @ (Special::Wrapper
                | Special::Env
                | Special::Xargs
                | Special::Eval
                | Special::Exec
                | Special::Shell),
            ) => self.deeper(|judge| judge.wrapper(argv, args, program, special)),
            Some(Special::Find) => self.deeper(|judge| judge.find(argv, args, program)),
            Some(Special::Trap) => self.deeper(|judge| judge.trap(argv, args, program)),
            Some(Special::Set) => self.set(argv, args, program),
            Some(Special::Sed) => {
                let judged = self.sed(argv, args, program);
                self.push(judged)
            }
            Some(Special::Tar) => {
                let judged = self.tar(argv, args, program);
                self.push(judged)
            }
            Some(Special::Awk) => {
                let judged = self.awk(argv, args, program);
                self.push(judged)
            }
            Some(Special::Unzip) => {
                let judged = self.unzip(argv, args, program);
                self.push(judged)
            }
            Some(Special::Dd) => {
                let judged = self.dd(argv, args, program);
                self.push(judged)
            }
            Some(Special::Psql) => {
                let judged = self.psql(argv, args, program);
                self.push(judged)
            }
            Some(Special::Serve) => {
                let judged = self.serve(argv, args, program);
                self.push(judged)
            }
            Some(Special::Test) => self.push(self.test(argv, args, program)),
            Some(Special::Printf) => self.push(self.printf(argv, args, program)),
        }
    }

    fn changes_directory(&mut self, args: &[Arg]) {
        let is_operand = |arg: &&Arg| !matches!(arg.literal(), Some("--" | "-P" | "-L"));
        let operands: Vec<&Arg> = args.iter().filter(is_operand).collect();
        let is_known = |arg: &Arg| match arg {
            Arg::Exact(text) => text == "-" || !text.starts_with(['-', '+']),
            Arg::Home(_) => true,
            Arg::Opaque(_) => false,
        };
        match operands.as_slice() {
            [] => self.enters(&Arg::Home(String::new())),
            [directory] if is_known(directory) => self.enters(directory),
            // zsh puts the second in the place of the first, or takes the one for a place in a list.
            _ => self.anywhere = true,
        }
    }

    fn by_entry(&self, argv: &[Arg], args: &[Arg], program: &'static Program) -> Judged {
        if program.operands == Operands::Anything {
            return Judged::new(argv, program.effect, program.reason);
        }
        if program.responses && args.iter().any(is_response) {
            let why = "It takes more arguments from a file, and which ones cannot be told.";
            return Judged::new(argv, Effect::Execute, why);
        }
        if !program.has_subs() {
            let stops = program.stops.then_some(0);
            let mut reading = read(args, program, &[], stops.map(|_| 1));
            let rest = std::mem::take(&mut reading.rest);
            reading.operands.extend(rest);
            return self.by_reading(argv, &reading, &program.rules, program);
        }
        let global = read(args, program, &[], Some(1));
        let named = global.operands.first().and_then(Arg::literal);
        if !global.is_clear() {
            return unclear(argv, program, &global);
        }
        let Some(name) = named else {
            let mut judged = Judged::new(argv, program.effect, program.reason);
            if !global.operands.is_empty() {
                judged.raise(Effect::Execute, "Which subcommand it runs cannot be told.");
            }
            judged.pages = program.pages;
            return judged;
        };
        let second = global.rest.first().and_then(Arg::literal);
        let joined = second.map(|second| format!("{name}/{second}"));
        let twice = joined.and_then(|joined| program.subs.get(joined.as_str()));
        let (sub, rest) = match (twice, program.subs.get(name)) {
            (Some(sub), _) => (sub, global.rest.get(1..).unwrap_or_default()),
            (None, Some(sub)) => (sub, global.rest.as_slice()),
            (None, None) => {
                let why = format!("The subcommand {name} is not known.");
                return Judged::new(argv, Effect::Execute, why);
            }
        };
        let mut reading = read(rest, program, &sub.options, None);
        reading.options.extend(global.options);
        self.by_reading(argv, &reading, sub, program)
    }

    fn by_reading(
        &self,
        argv: &[Arg],
        reading: &Reading,
        rules: &Rules,
        program: &Program,
    ) -> Judged {
        let mut judged = Judged::new(argv, rules.effect, rules.reason);
        let mut operands = rules.operands;
        // An argument that is not known may be an operand as well as an option.
        if !reading.maybe && is_mild(reading, rules) {
            judged.effect = rules.mild;
            if matches!(
                operands,
                Operands::Write | Operands::Destroy | Operands::Administer
            ) {
                operands = Operands::Read;
            }
        }
        judged.pages = program.pages;
        self.options(&mut judged, reading);
        if reading.maybe {
            judged.raise(
                rules.worst,
                "An argument that is not known may be any of its options.",
            );
        }
        self.operands(&mut judged, reading, operands);
        if program.uris && reading.names_files(operands).any(may_be_address) {
            judged.raise(
                Effect::Execute,
                "What names a file may be an address, which it would ask: name a file with a slash in front.",
            );
        }
        judged
    }

    /// What the options do.
    pub(super) fn options(&self, judged: &mut Judged, reading: &Reading) {
        if let Some(option) = &reading.unknown {
            judged.raise(
                Effect::Execute,
                format!("The option {option} is not known."),
            );
        }
        for (spec, value) in &reading.options {
            judged.raise(
                spec.effect,
                format!("The option {} makes it so.", spec.name),
            );
            if spec.anywhere {
                self.touches(judged, &Arg::beginning("/"), Effect::Read, false);
            }
            match (spec.file, value) {
                (Some(Effect::Write), Some(Arg::Exact(path))) if path.contains('#') => judged
                    .raise(
                        Effect::Execute,
                        "Some programs put something else in the place of `#`.",
                    ),
                (Some(effect), Some(path)) => self.touches(judged, path, effect, true),
                (Some(_), None) if spec.value == Value::Attached => {}
                (Some(_), None) => judged.raise(Effect::Execute, "An option lacks its file."),
                (None, Some(value)) if spec.is_name && !is_plain_name(value) => {
                    judged.raise(Effect::Execute, "It runs a program that is called so.");
                }
                (None, Some(value)) if spec.may_name => self.may_name(judged, spec.name, value),
                _ => {}
            }
        }
    }

    /// A value that is text, or names a file: `@file` and its like for `curl`, `file:file` for a password of `openssl`,
    /// `jsonpath-file=file` for what `kubectl` shows.
    fn may_name(&self, judged: &mut Judged, option: &str, value: &Arg) {
        let text = match value {
            Arg::Exact(text) => text.as_str(),
            Arg::Opaque(opaque) if !opaque.many => opaque.prefix.as_str(),
            _ => "@",
        };
        let is_open = value.literal().is_none();
        let name = match option {
            "-pass" | "-passin" | "-passout" => {
                let whole = "file:".starts_with(text) && is_open;
                text.strip_prefix("file:").or(whole.then_some(""))
            }
            "-o" | "--output" => match text.split_once("file=") {
                Some((_, name)) => Some(name),
                None => is_open.then_some(""),
            },
            _ => return self.curl_value(judged, option, value, text),
        };
        if let Some(name) = name {
            self.touches(judged, &valued(value, name), Effect::Read, true);
        }
    }

    /// A file that it touches.
    pub(super) fn touches(&self, judged: &mut Judged, path: &Arg, effect: Effect, sinks: bool) {
        let is_stream = path.literal() == Some("-");
        if is_stream || (sinks && effect == Effect::Write && super::place::is_sink(path)) {
            return;
        }
        let own = judged.why.clone();
        let why = if effect > judged.effect {
            "It changes files."
        } else {
            &own
        };
        let (effect, why) = self.written(path, effect, why);
        judged.raise(effect, why);
        judged.files.push(File {
            path: path.clone(),
            effect,
        });
    }
}

/// Whether what it is asked for makes it do less than it could.
fn is_mild(reading: &Reading, rules: &Rules) -> bool {
    let is_bare = |bare: &Vec<&str>| {
        let mut options = reading.options.iter();
        reading.operands.is_empty() && options.all(|(spec, _)| bare.contains(&spec.name))
    };
    let last = !rules.modes.is_empty() && reading.has(&rules.modes);
    (!rules.milder.is_empty() && reading.has(&rules.milder))
        || (!rules.shows.is_empty() && reading.has(&rules.shows) && !last)
        || rules.bare.as_ref().is_some_and(is_bare)
}

/// A name that leads to no other directory.
fn is_plain_name(value: &Arg) -> bool {
    value.literal().is_some_and(|name| !name.contains('/'))
}

impl Reading {
    /// What names files that it reads or writes: values of options, and operands of that kind.
    fn names_files(&self, operands: Operands) -> impl Iterator<Item = &Arg> {
        let values = self.options.iter().filter(|(spec, _)| spec.file.is_some());
        let files = matches!(operands, Operands::Read | Operands::Write);
        let operands = self.operands.iter().filter(move |_| files);
        values
            .filter_map(|(_, value)| value.as_ref())
            .chain(operands)
    }
}

/// Whether an argument stands for those in a file, or may. One of which nothing is known may be any option anyway.
fn is_response(arg: &Arg) -> bool {
    match arg {
        Arg::Exact(text) => text.starts_with('@'),
        Arg::Home(_) => false,
        Arg::Opaque(opaque) => opaque.split || opaque.prefix.starts_with('@'),
    }
}

/// Whether what names a file may be `http://host/…`: a slash before the colon says that it is a path. Names of files that
/// are there hold no `//`.
fn may_be_address(arg: &Arg) -> bool {
    let leads = |text: &str| {
        let before = text.split_once(':').map(|(before, _)| before);
        before.is_some_and(|before| !before.contains('/'))
    };
    match arg {
        Arg::Exact(text) => leads(text),
        Arg::Home(_) => false,
        Arg::Opaque(opaque) => {
            opaque.split
                || leads(&opaque.prefix)
                || (opaque.expands && !opaque.prefix.contains('/'))
        }
    }
}

/// What stands behind a sign in a value.
pub(super) fn valued(arg: &Arg, name: &str) -> Arg {
    match arg {
        Arg::Exact(_) => Arg::exact(name),
        _ => Arg::beginning(name),
    }
}

fn unknown_program(argv: &[Arg]) -> Judged {
    Judged::new(
        argv,
        Effect::Execute,
        "What this program does is not known beforehand.",
    )
}

/// A program whose options could not be read.
pub(super) fn unclear(argv: &[Arg], program: &Program, reading: &Reading) -> Judged {
    let mut judged = Judged::new(argv, program.effect, program.reason);
    match &reading.unknown {
        Some(option) => judged.raise(
            Effect::Execute,
            format!("The option {option} is not known."),
        ),
        None => judged.raise(
            Effect::Execute,
            "An argument that is not known may be any of its options.",
        ),
    }
    judged
}

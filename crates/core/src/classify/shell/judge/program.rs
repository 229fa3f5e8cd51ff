//! What a program does, by its entry in the catalogue.
//!
//! Lives here: options, subcommands and operands put together. Never: programs that are read in code.

use super::options::{Reading, read};
use super::{File, Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::arg::{Arg, Opaque};
use crate::classify::shell::catalogue::{KNOWN, Operands, OptionSpec, Program, Special};
use crate::classify::shell::{Reason, Shell};

/// What of an entry counts, once the subcommand is known.
struct Entry<'a> {
    effect: Effect,
    reason: &'a str,
    worst: Effect,
    operands: Operands,
}

impl Judge<'_> {
    /// A program with its arguments.
    pub(super) fn run(&mut self, argv: &[Arg]) -> Result<(), Reason> {
        let (Some(Arg::Exact(name)), Some(args)) = (argv.first(), argv.get(1..)) else {
            return Err(Reason::HiddenProgram);
        };
        let Some(program) = KNOWN.program(name) else {
            return self.push(unknown_program(argv));
        };
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
        if !program.has_subs() {
            let stops = program.stops.then_some(0);
            let mut reading = read(args, &[&program.options], stops.map(|_| 1));
            let rest = std::mem::take(&mut reading.rest);
            reading.operands.extend(rest);
            let entry = Entry {
                effect: program.effect,
                reason: program.reason,
                worst: program.worst,
                operands: program.operands,
            };
            return self.by_reading(argv, &reading, &entry, program);
        }
        let global = read(args, &[&program.options], Some(1));
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
        let specs: [&'static [OptionSpec]; 2] = [&sub.options, &program.options];
        let mut reading = read(rest, &specs, None);
        reading.options.extend(global.options);
        let entry = Entry {
            effect: sub.effect,
            reason: sub.reason,
            worst: Effect::Execute,
            operands: sub.operands,
        };
        self.by_reading(argv, &reading, &entry, program)
    }

    fn by_reading(
        &self,
        argv: &[Arg],
        reading: &Reading,
        entry: &Entry,
        program: &Program,
    ) -> Judged {
        let mut judged = Judged::new(argv, entry.effect, entry.reason);
        judged.pages = program.pages;
        self.options(&mut judged, reading);
        if reading.maybe {
            judged.raise(
                entry.worst,
                "An argument that is not known may be any of its options.",
            );
        }
        self.operands(&mut judged, reading, entry.operands);
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
            match (spec.file, value) {
                (Some(Effect::Write), Some(Arg::Exact(path))) if path.contains('#') => judged
                    .raise(
                        Effect::Execute,
                        "Some programs put something else in the place of `#`.",
                    ),
                (Some(effect), Some(path)) => self.touches(judged, path, effect, true),
                (Some(_), None) => judged.raise(Effect::Execute, "An option lacks its file."),
                _ => {}
            }
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

    fn operands(&self, judged: &mut Judged, reading: &Reading, kind: Operands) {
        let operands = reading.operands.as_slice();
        let all = |judged: &mut Judged, operands: &[Arg], effect: Effect| {
            for path in operands {
                self.touches(judged, path, effect, true);
            }
        };
        match kind {
            Operands::Text => {}
            Operands::None => {
                if !operands.is_empty() {
                    judged.raise(Effect::Execute, "It is not known to take such an argument.");
                }
            }
            Operands::Read => all(judged, operands, Effect::Read),
            Operands::Write => all(judged, operands, Effect::Write),
            Operands::Destroy => all(judged, operands, Effect::Destroy),
            Operands::Administer => all(judged, operands, Effect::Administer),
            Operands::PatternRead => {
                let given = reading.has(&["-e", "-f", "--regexp", "--file"]);
                let skip = usize::from(!given);
                all(
                    judged,
                    operands.get(skip..).unwrap_or_default(),
                    Effect::Read,
                );
            }
            Operands::TextAdminister => {
                let skip = usize::from(!reading.has(&["--reference"]));
                let files = operands.get(skip..).unwrap_or_default();
                all(judged, files, Effect::Administer);
            }
            Operands::LastWrite => self.last_written(judged, reading, Effect::Read),
            Operands::Move => self.last_written(judged, reading, Effect::Write),
            Operands::Variables => self.variables(judged, reading),
            Operands::Names => {
                let is_name =
                    |arg: &Arg| arg.literal().is_some_and(|text| !text.contains(['/', '=']));
                if !operands.iter().all(is_name) {
                    judged.raise(
                        Effect::Execute,
                        "What it acts on is a path, or is not known: it may run what is there.",
                    );
                }
            }
            Operands::Number => {
                let is_number = |arg: &Arg| {
                    arg.literal()
                        .is_some_and(|text| text.chars().all(|c| c.is_ascii_digit()))
                };
                if self.shell == Shell::Zsh && !operands.iter().all(is_number) {
                    judged.raise(Effect::Execute, "zsh computes what it is given.");
                }
            }
            Operands::Format => {
                let shows = |arg: &Arg| arg.literal().is_some_and(|text| text.starts_with('+'));
                if !operands.iter().all(shows) {
                    judged.raise(Effect::Administer, "It sets the clock.");
                }
            }
            Operands::References => {
                // A helper of that name is run for such an address.
                let helped = |arg: &Arg| arg.literal().is_none_or(|text| text.contains("::"));
                if operands.iter().any(helped) {
                    judged.raise(
                        Effect::Execute,
                        "Which program it reaches that place with cannot be told.",
                    );
                }
                let destroys = |arg: &Arg| match arg.literal() {
                    Some(text) => text.starts_with(['+', ':']),
                    None => true,
                };
                if operands.iter().any(destroys) {
                    judged.raise(Effect::Destroy, "It takes away what is there.");
                }
            }
        }
    }

    /// Files that are copied or moved to the last, or to where an option says.
    fn last_written(&self, judged: &mut Judged, reading: &Reading, effect: Effect) {
        let directory = reading.values(&["-t", "--target-directory"]).next();
        let (from, to) = match (directory, reading.operands.split_last()) {
            (Some(directory), _) => (reading.operands.as_slice(), directory),
            (None, Some((last, from))) => (from, last),
            (None, None) => return,
        };
        if reading.has(&["-T", "--no-target-directory"])
            && reading.has(&["-r", "-R", "-a", "--recursive", "--archive"])
        {
            judged.raise(
                Effect::Execute,
                "Which names the files will have cannot be told, and some decide what runs.",
            );
        }
        for path in from {
            self.touches(judged, path, effect, false);
            let (effect, why) = self.copied_to(path, to);
            if effect > Effect::Write {
                judged.raise(effect, why);
            }
        }
        if directory.is_none() {
            self.touches(judged, to, Effect::Write, false);
        }
        if to.is_many() && effect == Effect::Read {
            for path in from {
                self.touches(judged, path, Effect::Write, false);
            }
        }
    }

    /// What it is to write a file that keeps its name in another directory.
    fn copied_to(&self, from: &Arg, to: &Arg) -> (Effect, String) {
        let name = match from {
            Arg::Exact(path) | Arg::Home(path) => path.trim_end_matches('/').rsplit('/').next(),
            // Names that come of `*` do not begin with a dot.
            Arg::Opaque(opaque) if is_visible(opaque) => return (Effect::Write, String::new()),
            Arg::Opaque(_) => None,
        };
        match (name.filter(|name| !["", ".", ".."].contains(name)), to) {
            (Some(name), Arg::Exact(to)) => {
                self.written(&Arg::exact(format!("{to}/{name}")), Effect::Write, "")
            }
            (Some(name), Arg::Home(to)) => {
                self.written(&Arg::Home(format!("{to}/{name}")), Effect::Write, "")
            }
            (Some(_), Arg::Opaque(_)) => (Effect::Write, String::new()),
            (None, _) => (
                Effect::Execute,
                "Which names the files will have cannot be told, and some decide what runs."
                    .to_owned(),
            ),
        }
    }

    /// Names that the shell sets: `read x`, `export x=1`.
    fn variables(&self, judged: &mut Judged, reading: &Reading) {
        if self.shell == Shell::Zsh && reading.options.iter().any(|(spec, _)| spec.name != "-r") {
            judged.raise(Effect::Execute, "zsh reads that option in another way.");
        }
        for arg in &reading.operands {
            let text = match arg {
                Arg::Exact(text) => text.as_str(),
                Arg::Opaque(opaque) if !opaque.split && opaque.prefix.contains('=') => {
                    opaque.prefix.as_str()
                }
                _ => "",
            };
            let name = text.split_once('=').map_or(text, |(name, _)| name);
            if !KNOWN.is_harmless(name, self.shell != Shell::Zsh) || name.is_empty() {
                judged.raise(
                    Effect::Execute,
                    "It sets a variable that is not known to leave alone which programs run.",
                );
            }
        }
    }
}

/// Whether names that begin so are of files that are there, and not hidden.
fn is_visible(opaque: &Opaque) -> bool {
    let name = opaque.prefix.rsplit('/').next().unwrap_or_default();
    !opaque.expands && !name.starts_with('.')
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

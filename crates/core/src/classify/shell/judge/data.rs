//! Programs that move data, and read their arguments in ways of their own: `tar`, `unzip`, `dd`.
//!
//! Lives here: those ways. Never: what an option does, which the catalogue says.

use super::options::read;
use super::place::reached;
use super::{Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::arg::Arg;
use crate::classify::shell::catalogue::{Program, Value};

/// Settings of `dd` that are no files.
const DD_SETTINGS: &[&str] = &[
    "bs", "ibs", "obs", "cbs", "count", "skip", "iseek", "seek", "oseek", "status", "conv",
    "iflag", "oflag",
];

/// Options with which `tar` makes an archive or adds to one.
const TAR_WRITES: &[&str] = &[
    "-c",
    "-r",
    "-u",
    "-A",
    "--create",
    "--append",
    "--update",
    "--catenate",
    "--concatenate",
];

impl Judge<'_> {
    pub(super) fn tar(&self, argv: &[Arg], args: &[Arg], program: &'static Program) -> Judged {
        let spelled = with_dashes(args, program);
        let reading = read(&spelled, program, &[], None);
        let mut judged = Judged::new(argv, program.effect, program.reason);
        self.options(&mut judged, &reading);
        if reading.maybe {
            judged.raise(
                program.worst,
                "An argument that is not known may be any of its options.",
            );
        }
        let writes = reading.has(TAR_WRITES);
        let shows = reading.has(&["-O", "--to-stdout"]);
        let extracts = reading.has(&["-x", "--extract", "--get"]) && !shows;
        // Where it packs to without `-f` is not part of the line.
        if extracts || (writes && !reading.has(&["-f", "--file"])) {
            judged.raise(Effect::Write, program.reason);
        }
        for path in reading.values(&["-f", "--file"]) {
            if may_be_remote(path) {
                judged.raise(
                    Effect::Execute,
                    "An archive on another machine is reached by running a program.",
                );
            }
            let effect = match (writes, reading.has(&["--delete"])) {
                (_, true) => Effect::Destroy,
                (true, false) => Effect::Write,
                (false, false) => Effect::Read,
            };
            self.touches(&mut judged, path, effect, true);
        }
        let mut into: Vec<Arg> = Vec::new();
        for to in reading.values(&["-C", "--directory"]) {
            // Each is entered from the one before.
            into.push(into.last().map_or(to.clone(), |from| reached(from, to)));
        }
        for path in &into {
            let effect = if extracts {
                Effect::Write
            } else {
                Effect::Read
            };
            self.touches(&mut judged, path, effect, false);
        }
        let elsewhere = !into.is_empty() && !into.iter().any(|to| self.may_be_home(to));
        if extracts && !elsewhere {
            judged.raise(
                Effect::Execute,
                "It may unpack over files of a home directory that decide what runs: say where to, with -C and a directory below it.",
            );
        }
        if extracts {
            self.touches(&mut judged, &Arg::exact("."), Effect::Write, false);
        }
        if writes {
            for path in &reading.operands {
                self.touches(&mut judged, path, Effect::Read, false);
            }
        }
        judged
    }

    /// `unzip`: writes where `-d` says, or where it is run.
    pub(super) fn unzip(&self, argv: &[Arg], args: &[Arg], program: &'static Program) -> Judged {
        let reading = read(args, program, &[], Some(1));
        let shows = reading.has(&program.milder);
        let effect = if shows { Effect::Read } else { Effect::Write };
        let mut judged = Judged::new(argv, effect, program.reason);
        self.options(&mut judged, &reading);
        let mut to: Vec<&Arg> = reading.values(&["-d"]).collect();
        // A dash more takes back what a letter asked for.
        let takes_back = args.iter().any(|arg| arg.literal() == Some("--"));
        let members = names_within(&reading.rest, &mut to);
        if takes_back || members == Members::Unclear {
            judged.raise(
                Effect::Execute,
                "What it unpacks, and where to, cannot be told.",
            );
        }
        if reading.maybe || members == Members::Open {
            judged.raise(
                program.worst,
                "An argument that is not known may be any of its options.",
            );
        }
        for path in &reading.operands {
            self.touches(&mut judged, path, Effect::Read, false);
        }
        let here = Arg::exact(".");
        if to.is_empty() {
            to.push(&here);
        }
        for to in to.iter().filter(|_| !shows) {
            self.receives(&mut judged, to);
        }
        judged
    }

    pub(super) fn dd(&self, argv: &[Arg], args: &[Arg], program: &Program) -> Judged {
        let mut judged = Judged::new(argv, program.effect, program.reason);
        for arg in args {
            let text = match arg {
                Arg::Exact(text) => text.as_str(),
                Arg::Opaque(opaque) if !opaque.many => opaque.prefix.as_str(),
                _ => "",
            };
            match text.split_once('=') {
                Some(("if", path)) => {
                    self.touches(&mut judged, &valued(arg, path), Effect::Read, true)
                }
                Some(("of", path)) => {
                    self.touches(&mut judged, &valued(arg, path), Effect::Write, true)
                }
                Some((name, _)) if DD_SETTINGS.contains(&name) => {}
                _ => judged.raise(Effect::Execute, "A setting of it is not known."),
            }
        }
        judged
    }
}

/// What stands behind the archive that `unzip` unpacks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Members {
    /// Names of what is in it.
    Named,
    /// Something that is no such name.
    Unclear,
    /// An argument of which it is not known.
    Open,
}

/// Reads the names of what is in an archive. Of options only `-x` and `-d` stand there; where these lead is added.
fn names_within<'a>(args: &'a [Arg], to: &mut Vec<&'a Arg>) -> Members {
    let mut args = args.iter();
    let mut members = Members::Named;
    while let Some(arg) = args.next() {
        match arg {
            Arg::Exact(text) if text == "-x" => {}
            Arg::Exact(text) if text == "-d" => match args.next() {
                Some(directory) if !directory.is_many() => to.push(directory),
                _ => return Members::Unclear,
            },
            Arg::Exact(text) if text.starts_with('-') => return Members::Unclear,
            arg if arg.may_be_option() => members = Members::Open,
            _ => {}
        }
    }
    members
}

/// The path behind `of=`.
fn valued(arg: &Arg, path: &str) -> Arg {
    match arg {
        Arg::Opaque(_) => Arg::beginning(path),
        _ => Arg::exact(path),
    }
}

/// `host:file` is reached by running `rsh`; a slash before the colon says that it is a path.
fn may_be_remote(path: &Arg) -> bool {
    match path {
        Arg::Exact(text) => {
            let before = text.split_once(':').map(|(before, _)| before);
            before.is_some_and(|before| !before.contains('/'))
        }
        Arg::Home(_) => false,
        // A colon in what is known would be in front of what is not.
        Arg::Opaque(opaque) if opaque.digits => {
            let before = opaque.prefix.split_once(':').map(|(before, _)| before);
            before.is_some_and(|before| !before.contains('/'))
        }
        Arg::Opaque(opaque) => opaque.split || !opaque.prefix.contains('/'),
    }
}

/// `tar xzf a.tgz`: the first argument is letters without a dash, and their values follow in order.
fn with_dashes(args: &[Arg], program: &'static Program) -> Vec<Arg> {
    let (Some(Arg::Exact(letters)), Some(rest)) = (args.first(), args.get(1..)) else {
        return args.to_vec();
    };
    if letters.starts_with('-') {
        return args.to_vec();
    }
    let mut rest = rest.iter().cloned();
    let mut spelled = Vec::new();
    for letter in letters.chars() {
        let name = format!("-{letter}");
        let spec = program.options.iter().find(|spec| spec.name == name);
        let has_value = spec.is_some_and(|spec| spec.value == Value::Needed);
        spelled.push(Arg::exact(name));
        if has_value {
            spelled.extend(rest.next());
        }
    }
    spelled.extend(rest);
    spelled
}

//! Programs that move data, and read their arguments in ways of their own: `tar`, `unzip`, `dd`.
//!
//! Lives here: those ways. Never: what an option does, which the catalogue says.

use super::options::read;
use super::{Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::arg::Arg;
use crate::classify::shell::catalogue::{Program, Value};

/// Settings of `dd` that are no files.
const DD_SETTINGS: &[&str] = &[
    "bs", "ibs", "obs", "cbs", "count", "skip", "iseek", "seek", "oseek", "status", "conv",
    "iflag", "oflag",
];

impl Judge<'_> {
    pub(super) fn tar(&self, argv: &[Arg], args: &[Arg], program: &'static Program) -> Judged {
        let spelled = with_dashes(args, program);
        let reading = read(&spelled, &[&program.options], None);
        let mut judged = Judged::new(argv, program.effect, program.reason);
        self.options(&mut judged, &reading);
        if reading.maybe {
            judged.raise(
                program.worst,
                "An argument that is not known may be any of its options.",
            );
        }
        let writes = reading.has(&["-c", "-r", "-u", "--create", "--append", "--update"]);
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
            let effect = if writes { Effect::Write } else { Effect::Read };
            self.touches(&mut judged, path, effect, true);
        }
        for path in reading.values(&["-C", "--directory"]) {
            let effect = if extracts {
                Effect::Write
            } else {
                Effect::Read
            };
            self.touches(&mut judged, path, effect, false);
        }
        let into: Vec<&Arg> = reading.values(&["-C", "--directory"]).collect();
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
        let reading = read(args, &[&program.options], None);
        let shows = reading.has(&program.milder);
        let effect = if shows { Effect::Read } else { Effect::Write };
        let mut judged = Judged::new(argv, effect, program.reason);
        self.options(&mut judged, &reading);
        if reading.maybe {
            judged.raise(
                program.worst,
                "An argument that is not known may be any of its options.",
            );
        }
        let operands = reading.operands.as_slice();
        for path in operands.first().iter().copied() {
            self.touches(&mut judged, path, Effect::Read, false);
        }
        let here = Arg::exact(".");
        let to = reading.values(&["-d"]).last().unwrap_or(&here);
        if !shows {
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

//! What the arguments of a program are that are no options.
//!
//! Lives here: files, names and addresses among them, and what is done to each. Never: options.

use super::options::Reading;
use super::{Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::Shell;
use crate::classify::shell::arg::{Arg, Opaque};
use crate::classify::shell::catalogue::{KNOWN, Operands};

impl Judge<'_> {
    pub(super) fn operands(&self, judged: &mut Judged, reading: &Reading, kind: Operands) {
        let operands = reading.operands.as_slice();
        let all = |judged: &mut Judged, operands: &[Arg], effect: Effect| {
            for path in operands {
                self.touches(judged, path, effect, true);
            }
        };
        match kind {
            Operands::Text | Operands::Anything => {}
            Operands::ReadWrite => self.first_read(judged, operands),
            Operands::Pieces => self.pieces(judged, operands),
            Operands::Sections => self.sections(judged, reading),
            Operands::Statements => statements(judged, operands),
            Operands::Patches => self.patches(judged, reading),
            Operands::Tree => self.working_tree(judged, reading),
            Operands::FilterRead => {
                self.filter(judged, operands.first());
                all(judged, operands.get(1..).unwrap_or_default(), Effect::Read);
            }
            Operands::Addresses => self.curl(judged, reading),
            Operands::Kernel => self.kernel(judged, reading),
            Operands::Pages => self.pages(judged, operands),
            Operands::Clone => self.copied_repository(judged, reading),
            Operands::Read => all(judged, operands, Effect::Read),
            Operands::Write => all(judged, operands, Effect::Write),
            Operands::Destroy => all(judged, operands, Effect::Destroy),
            Operands::Administer => all(judged, operands, Effect::Administer),
            Operands::PatternRead => {
                let files = searched(reading);
                all(judged, files, Effect::Read);
                let walks = ["-r", "-R", "-d", "--recursive", "--dereference-recursive"];
                let walks = reading.has(&walks) || reading.has(&["--directories"]);
                if files.is_empty() && walks {
                    self.touches(judged, &Arg::exact("."), Effect::Read, true);
                }
            }
            Operands::PatternWalk => {
                let files = searched(reading);
                all(judged, files, Effect::Read);
                if files.is_empty() {
                    self.touches(judged, &Arg::exact("."), Effect::Read, true);
                }
            }
            Operands::TextAdminister => {
                let skip = usize::from(!reading.has(&["--reference"]));
                let files = operands.get(skip..).unwrap_or_default();
                all(judged, files, Effect::Administer);
            }
            Operands::LastWrite => self.last_written(judged, reading, Effect::Read),
            Operands::Move => self.last_written(judged, reading, Effect::Write),
            Operands::Variables => self.variables(judged, reading),
            Operands::Revisions => self.revisions(judged, operands),
            Operands::Compared => self.compared(judged, operands),
            Operands::Message => {
                all(judged, operands, Effect::Read);
                self.names(judged, reading, Operands::Names);
            }
            _ => self.names(judged, reading, kind),
        }
    }

    /// Arguments that are no files.
    fn names(&self, judged: &mut Judged, reading: &Reading, kind: Operands) {
        let operands = reading.operands.as_slice();
        match kind {
            Operands::Administered => {
                if !operands.is_empty() {
                    judged.raise(Effect::Administer, "It sets what it would show.");
                }
            }
            Operands::Interface => {
                if operands.len() > 1 {
                    judged.raise(Effect::Administer, "It changes the network.");
                }
                let plain = |arg: &Arg| {
                    arg.literal()
                        .is_some_and(|text| !text.contains("xdp") && text != "netns")
                };
                if !operands.iter().all(plain) {
                    judged.raise(Effect::Execute, "It may have a program run in the kernel.");
                }
            }
            Operands::Routes => {
                let wraps = |arg: &Arg| arg.is_many() || arg.literal() == Some("encap");
                if operands.iter().any(wraps) {
                    judged.raise(Effect::Execute, "It may have a program run in the kernel.");
                }
            }
            Operands::LookedUp => {
                if operands.len() > 1 || operands.iter().any(Arg::is_many) {
                    judged.raise(Effect::Execute, "It sets what it would show.");
                }
            }
            Operands::Service => {
                let is_name =
                    |arg: &Arg| arg.literal().is_some_and(|text| !text.contains(['/', '=']));
                let shows = matches!(operands, [_, what] if what.literal() == Some("status"));
                if !operands.iter().all(is_name) {
                    judged.raise(Effect::Execute, "Which program it runs cannot be told.");
                } else if !operands.is_empty() && !shows {
                    judged.raise(Effect::Administer, "It changes which services run.");
                }
            }
            Operands::None => {
                if !operands.is_empty() {
                    judged.raise(Effect::Execute, "It is not known to take such an argument.");
                }
            }
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
            _ => judged.raise(Effect::Execute, "What its arguments are is not known."),
        }
    }

    fn first_read(&self, judged: &mut Judged, operands: &[Arg]) {
        for (at, path) in operands.iter().enumerate() {
            let effect = if at == 0 { Effect::Read } else { Effect::Write };
            self.touches(judged, path, effect, true);
            if path.is_many() {
                self.touches(judged, path, Effect::Write, true);
            }
        }
    }

    fn pages(&self, judged: &mut Judged, operands: &[Arg]) {
        let begins = |text: &str| {
            let at = text.strip_prefix('+').unwrap_or_default();
            at == "G" || at == "F" || (!at.is_empty() && at.chars().all(|c| c.is_ascii_digit()))
        };
        for path in operands {
            match path.literal() {
                Some(text) if begins(text) => {}
                Some(text) if text.starts_with('+') => {
                    judged.raise(Effect::Execute, "What it begins with may run programs.")
                }
                _ => self.touches(judged, path, Effect::Read, true),
            }
        }
    }

    fn revisions(&self, judged: &mut Judged, operands: &[Arg]) {
        let leads_out = |arg: &&Arg| match arg {
            Arg::Exact(text) => text.starts_with('/') || text.contains("../") || text == "..",
            Arg::Home(_) => true,
            Arg::Opaque(opaque) => opaque.prefix.starts_with('/'),
        };
        for path in operands.iter().filter(leads_out) {
            self.touches(judged, path, Effect::Read, true);
        }
    }

    /// What `git diff` compares. Outside of a repository two names are those of files, whatever they are.
    fn compared(&self, judged: &mut Judged, operands: &[Arg]) {
        let several = operands.len() > 1 || operands.iter().any(Arg::is_many);
        let named = |arg: &&Arg| !arg.literal().is_some_and(is_revision);
        if !several {
            return self.revisions(judged, operands);
        }
        for path in operands.iter().filter(named) {
            self.touches(judged, path, Effect::Read, true);
        }
    }

    /// A filter of `jq`. Modules are looked for where it says, and data among them is any file.
    fn filter(&self, judged: &mut Judged, filter: Option<&Arg>) {
        let Some(filter) = filter else {
            return;
        };
        let loads = |text: &str| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "_.$".contains(c);
            let mut words = text.split(|c| !is_part(c));
            words.any(|word| ["import", "include", "modulemeta"].contains(&word))
        };
        if filter.literal().is_none_or(loads) {
            judged.raise(
                Effect::Execute,
                "Its filter may read other files: spell it out, without modules.",
            );
        }
    }

    /// Settings that `sysctl` shows, or sets.
    fn kernel(&self, judged: &mut Judged, reading: &Reading) {
        let loads = reading.has(&["-p", "--load"]);
        for arg in &reading.operands {
            let text = arg.literal().filter(|text| !text.contains('/') && !loads);
            let harmless = ["vm.", "net.", "fs.inotify.", "fs.file-max="];
            match text {
                Some(text) if !text.contains('=') => {}
                Some(text) if harmless.iter().any(|name| text.starts_with(name)) => {
                    judged.raise(Effect::Administer, "It changes settings of the kernel.");
                }
                _ => judged.raise(Effect::Execute, "Some settings of the kernel run programs."),
            }
        }
        let attached = reading.values(&["-p", "--load"]).next().is_some();
        if attached || reading.has(&["-w", "--write"]) && reading.operands.is_empty() {
            judged.raise(Effect::Execute, "What it sets is not part of the line.");
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
            && self.may_be_home(to)
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
            (None, to) if !self.may_be_home(to) => (Effect::Write, String::new()),
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

/// What `nft` is told: it puts its arguments together, and reads statements from that.
fn statements(judged: &mut Judged, operands: &[Arg]) {
    let shows = judged.effect == Effect::Read;
    let plain = |c: char| c.is_ascii_alphanumeric() || " _.:/@-".contains(c);
    let is_one = |text: &str| match shows {
        true => text.chars().all(plain) && !text.contains("include"),
        false => !text.contains("include"),
    };
    if !operands.iter().all(|arg| arg.literal().is_some_and(is_one)) {
        judged.raise(
            Effect::Execute,
            "It may be told more than one thing, or be told it by a file.",
        );
    }
}

/// Whether a name is one that only a commit has: `HEAD`, what comes before it, `a..b`.
fn is_revision(text: &str) -> bool {
    let is_step = |c: char| c.is_ascii_digit() || "~^".contains(c);
    let is_head = |text: &str| {
        text.strip_prefix("HEAD")
            .is_some_and(|rest| rest.chars().all(is_step))
    };
    let is_range = |text: &str| {
        text.split_once("..").is_some_and(|(from, to)| {
            let ends = |text: &str| text.is_empty() || text.contains('/');
            !ends(from) && !ends(to)
        })
    };
    is_head(text) || is_range(text)
}

/// Whether names that begin so are of files that are there, and not hidden.
fn is_visible(opaque: &Opaque) -> bool {
    let name = opaque.prefix.rsplit('/').next().unwrap_or_default();
    !opaque.expands && !name.starts_with('.')
}

/// Where it looks: what follows the pattern, unless that was given by an option.
fn searched(reading: &Reading) -> &[Arg] {
    let given = reading.has(&["-e", "-f", "--regexp", "--file", "--files"]);
    let skip = usize::from(!given);
    reading.operands.get(skip..).unwrap_or_default()
}

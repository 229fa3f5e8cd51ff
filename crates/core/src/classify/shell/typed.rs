//! A shell of one line at a time, each of which is judged for itself: what such a shell remembers, and what a line comes to.
//!
//! Lives here: the directory and the variables, and the text that the host is given for a line. Never: whether it may run.
//!
//! Every line runs in a shell of its own, begun with what is remembered: so the text that is judged says all that the line
//! means, and nothing is left on the host between lines.

use super::arg::{Arg, args};
use super::catalogue::KNOWN;
use super::judge::joined;
use super::quote::{canonical, quoted};
use super::tree::{Command, Simple};
use super::{Shell, ShellLimits, parse};
use std::collections::BTreeMap;

/// Variables that are remembered.
const VARIABLES_MAX: usize = 32;
/// Bytes of a variable's value.
const VALUE_BYTES_MAX: usize = 4096;

/// What such a shell remembers.
#[derive(Debug, Clone)]
pub struct Typed {
    shell: Shell,
    /// None where the account's commands begin.
    directory: Option<Arg>,
    previous: Option<Arg>,
    variables: BTreeMap<String, Variable>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Variable {
    value: String,
    exported: bool,
}

/// What a line comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Nothing is to be run, and nothing said.
    Nothing,
    /// Something else is remembered from now on.
    Remembered,
    /// The host is to run this.
    Run(String),
    /// The host is asked whether that directory can be entered, by running this.
    Enter {
        /// What it is asked.
        text: String,
        /// The directory, for [`Typed::entered`].
        to: Directory,
    },
    /// It ends, with this status; without one, with that of the last line.
    Leave(Option<u8>),
    /// It cannot be done, and why.
    Refused(&'static str),
}

/// A directory to be entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory(Option<Arg>);

impl Typed {
    /// One that remembers nothing yet, for lines that this shell reads.
    pub fn new(shell: Shell) -> Self {
        Self {
            shell,
            directory: None,
            previous: None,
            variables: BTreeMap::new(),
        }
    }

    /// The directory, for people.
    pub fn directory(&self) -> String {
        match &self.directory {
            None => "~".to_owned(),
            Some(directory) => canonical(std::slice::from_ref(directory)),
        }
    }

    /// The variables that are remembered and may decide which programs run, so that every line does more with them.
    pub fn heavy(&self) -> Vec<&str> {
        let names = self.variables.keys().map(String::as_str);
        names
            .filter(|name| !KNOWN.is_harmless(name, self.shell != Shell::Zsh))
            .collect()
    }

    /// Reads a line.
    pub fn read(&mut self, line: &str) -> Line {
        let line = line.trim();
        if line.is_empty() {
            return Line::Nothing;
        }
        // What is not understood is judged, and put on record, as any.
        let Some(simple) = self.alone(line) else {
            return Line::Run(self.text(line));
        };
        let none = BTreeMap::new();
        let argv: Vec<Arg> = simple.words.iter().flat_map(|w| args(w, &none)).collect();
        let words: Option<Vec<&str>> = argv.iter().map(Arg::literal).collect();
        match (argv.first().and_then(Arg::literal), words) {
            (None, _) if argv.is_empty() => self.assigned(&simple, line),
            (Some("cd"), _) => self.changes(argv.get(1..).unwrap_or_default()),
            (Some("export"), Some(words)) if words.len() > 1 => self.exported(&words),
            (Some("unset"), Some(words)) if words.len() > 1 => self.forgotten(&words),
            (Some("exit" | "logout"), Some(words)) => match words.as_slice() {
                [_] => Line::Leave(None),
                [_, status] => match status.parse() {
                    Ok(status) => Line::Leave(Some(status)),
                    Err(_) => Line::Refused("a status is a number from 0 to 255"),
                },
                _ => Line::Refused("one status is enough"),
            },
            _ => Line::Run(self.text(line)),
        }
    }

    /// The host has entered it.
    pub fn entered(&mut self, to: Directory) {
        self.previous = self.directory.take();
        self.directory = to.0;
    }

    /// The one command that a line is, when it is no more than that.
    fn alone(&self, line: &str) -> Option<Simple> {
        let script = parse(line.as_bytes(), self.shell, &ShellLimits::default()).ok()?;
        let [item] = script.items.as_slice() else {
            return None;
        };
        let [Command::Simple(simple)] = item.first.stages.as_slice() else {
            return None;
        };
        let bare = item.rest.is_empty() && item.documents.is_empty() && !item.background;
        let plain = simple.words.is_empty() || simple.assignments.is_empty();
        (bare && plain && !item.first.negated && simple.redirections.is_empty())
            .then(|| simple.clone())
    }

    /// What the host is given: what is remembered, then the line.
    fn text(&self, line: &str) -> String {
        let mut text = String::new();
        if let Some(directory) = &self.directory {
            text.push_str(&entering(directory));
            text.push_str(" || exit 1\n");
        }
        for (name, Variable { value, exported }) in &self.variables {
            let export = if *exported { "export " } else { "" };
            text.push_str(&format!("{export}{name}={}\n", quoted(value)));
        }
        text.push_str(line);
        text
    }

    fn changes(&mut self, args: &[Arg]) -> Line {
        let args = match args.split_first() {
            Some((first, rest)) if first.literal() == Some("--") => rest,
            _ => args,
        };
        let to = match args {
            [] => Some(Arg::Home(String::new())),
            [only] if only.literal() == Some("-") => self.previous.clone(),
            [Arg::Exact(path)] if path.is_empty() || path.starts_with(['-', '+']) => None,
            [Arg::Exact(path)] if path.chars().any(char::is_control) => None,
            [Arg::Exact(path)] if path.starts_with('/') => Some(Arg::exact(joined("", path))),
            [Arg::Exact(path)] => match &self.directory {
                Some(Arg::Exact(here)) => Some(Arg::exact(joined(here, path))),
                Some(Arg::Home(here)) => at_home(here, path),
                _ => at_home("", path),
            },
            [Arg::Home(path)] => at_home("", path),
            _ => None,
        };
        match to {
            Some(to) => Line::Enter {
                text: entering(&to),
                to: Directory(Some(to)),
            },
            None => Line::Refused("which directory is meant cannot be told: name it whole"),
        }
    }

    /// `name=value`, and nothing else.
    fn assigned(&mut self, simple: &Simple, line: &str) -> Line {
        let none = BTreeMap::new();
        let mut new = Vec::new();
        for (name, value) in &simple.assignments {
            match args(value, &none).as_slice() {
                [] => new.push((name.clone(), String::new())),
                [Arg::Exact(value)] => new.push((name.clone(), value.clone())),
                // What it comes to is known to the host alone, and forgotten with the line.
                _ => return Line::Run(self.text(line)),
            }
        }
        let exported =
            |name: &str, this: &Self| this.variables.get(name).is_some_and(|v| v.exported);
        for (name, value) in new {
            let exported = exported(&name, self);
            if !self.remember(name, value, exported) {
                return Line::Refused(TOO_MUCH);
            }
        }
        Line::Remembered
    }

    fn exported(&mut self, words: &[&str]) -> Line {
        for word in words.get(1..).unwrap_or_default() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => match self.variables.get(*word) {
                    Some(variable) => (*word, variable.value.clone()),
                    None => return Line::Refused("it exports what is not set: write NAME=VALUE"),
                },
            };
            if !is_name(name) {
                return Line::Refused("what it exports has no name: write NAME=VALUE");
            }
            if !self.remember(name.to_owned(), value, true) {
                return Line::Refused(TOO_MUCH);
            }
        }
        Line::Remembered
    }

    fn forgotten(&mut self, words: &[&str]) -> Line {
        let names = words.get(1..).unwrap_or_default();
        if !names.iter().all(|name| is_name(name)) {
            return Line::Refused("only variables that were set here can be forgotten");
        }
        for name in names {
            self.variables.remove(*name);
        }
        Line::Remembered
    }

    fn remember(&mut self, name: String, value: String, exported: bool) -> bool {
        let known = self.variables.contains_key(&name);
        let fits =
            value.len() <= VALUE_BYTES_MAX && (known || self.variables.len() < VARIABLES_MAX);
        if fits {
            self.variables.insert(name, Variable { value, exported });
        }
        fits
    }
}

const TOO_MUCH: &str = "no more variables are remembered, or none that long";

fn entering(directory: &Arg) -> String {
    canonical(&[Arg::exact("cd"), directory.clone()])
}

/// A directory below the account's home; none where it leads out of that.
fn at_home(here: &str, path: &str) -> Option<Arg> {
    let whole = joined(here, path);
    let leads_out = whole == ".." || whole.starts_with("../");
    (!leads_out).then_some(Arg::Home(whole))
}

fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn enters(shell: &mut Typed, line: &str) {
        match shell.read(line) {
            Line::Enter { to, .. } => shell.entered(to),
            other => panic!("{line}: {other:?}"),
        }
    }

    fn runs(shell: &mut Typed, line: &str) -> String {
        match shell.read(line) {
            Line::Run(text) => text,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_line_runs_as_it_is_until_something_is_remembered() {
        let mut shell = Typed::new(Shell::Bash);
        assert_eq!(runs(&mut shell, "  ls -l | wc -l "), "ls -l | wc -l");
    }

    #[test]
    fn what_is_remembered_stands_in_front_of_every_line() {
        let mut shell = Typed::new(Shell::Bash);
        enters(&mut shell, "cd '/srv/my app'");
        assert_eq!(shell.read("export LANG=C.UTF-8"), Line::Remembered);
        assert_eq!(shell.read("WHAT='it'\"'\"'s'"), Line::Remembered);
        assert_eq!(
            runs(&mut shell, "cat x"),
            "cd '/srv/my app' || exit 1\nexport LANG=C.UTF-8\nWHAT='it'\\''s'\ncat x"
        );
        assert_eq!(shell.read("unset WHAT LANG"), Line::Remembered);
        assert_eq!(runs(&mut shell, "x"), "cd '/srv/my app' || exit 1\nx");
    }

    #[test]
    fn directories_are_followed_as_a_shell_follows_them() {
        let mut shell = Typed::new(Shell::Sh);
        assert_eq!(shell.directory(), "~");
        for (line, there) in [
            ("cd app/logs", "~/app/logs"),
            ("cd ..", "~/app"),
            ("cd /srv/x/../y/", "/srv/y"),
            ("cd ./z", "/srv/y/z"),
            ("cd -", "/srv/y"),
            ("cd ../..", "/"),
            ("cd ..", "/"),
            ("cd ~/a", "~/a"),
            ("cd", "~"),
        ] {
            enters(&mut shell, line);
            assert_eq!(shell.directory(), there, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_entered() {
        for line in [
            "cd ..",
            "cd ~/../x",
            "cd $HOME",
            "cd *",
            "cd -P /x",
            "cd -",
            "cd ''",
            "cd a b",
            "cd +1",
        ] {
            let mut shell = Typed::new(Shell::Bash);
            assert!(matches!(shell.read(line), Line::Refused(_)), "{line}");
        }
    }

    #[test]
    fn more_than_a_plain_command_is_remembered_by_nobody() {
        let mut shell = Typed::new(Shell::Bash);
        for line in [
            "cd /srv && ls",
            "(cd /srv)",
            "cd /srv > x",
            "A=b cd /srv",
            "cd /srv &",
            "! cd /srv",
            "cd /srv; ls",
            "A=$(date)",
            "if true; then cd /x; fi",
        ] {
            assert_eq!(runs(&mut shell, line), line);
        }
    }

    #[test]
    fn it_ends_when_it_is_told_to() {
        let mut shell = Typed::new(Shell::Zsh);
        assert_eq!(shell.read("exit"), Line::Leave(None));
        assert_eq!(shell.read("exit 3"), Line::Leave(Some(3)));
        assert_eq!(shell.read("logout"), Line::Leave(None));
        assert!(matches!(shell.read("exit 300"), Line::Refused(_)));
        assert_eq!(shell.read(" \t"), Line::Nothing);
    }

    #[test]
    fn memory_is_bounded() {
        let mut shell = Typed::new(Shell::Bash);
        for at in 0..VARIABLES_MAX {
            assert_eq!(shell.read(&format!("A{at}=1")), Line::Remembered);
        }
        assert!(matches!(shell.read("B=1"), Line::Refused(_)));
        assert_eq!(shell.read("A1=2"), Line::Remembered);
        let long = format!("A1={}", "x".repeat(VALUE_BYTES_MAX + 1));
        assert!(matches!(shell.read(&long), Line::Refused(_)));
    }
}

//! Where a file is, as far as that decides what writing it does.
//!
//! Lives here: places in which data becomes code. Never: reading paths from arguments.

use super::Judge;
use crate::action::Effect;
use crate::classify::shell::arg::Arg;
use crate::classify::shell::catalogue::{KNOWN, Place};

/// Whether what is written there is gone, or shown.
pub(super) fn is_sink(path: &Arg) -> bool {
    let sinks = ["/dev/null", "/dev/stdout", "/dev/stderr"];
    path.literal().is_some_and(|path| sinks.contains(&path))
}

/// Whether bash may open a network connection for a redirection to or from that path.
pub(super) fn may_connect(path: &Arg) -> bool {
    let is_network = |path: &str| {
        let parts = parts(path);
        matches!(parts.as_slice(), ["dev", "tcp" | "udp", ..])
    };
    match path {
        Arg::Exact(path) => is_network(path),
        Arg::Home(_) => false,
        Arg::Opaque(opaque) => {
            let start = opaque.prefix.as_str();
            // Names of files that are there begin as the pattern does.
            if !opaque.expands && !opaque.split && !start.starts_with('/') {
                return false;
            }
            start.is_empty() || "/dev/".starts_with(start) || start.starts_with("/dev")
        }
    }
}

impl Judge<'_> {
    /// What it is to do that to a file, and why.
    pub(super) fn written(&self, path: &Arg, effect: Effect, why: &str) -> (Effect, String) {
        // Taking something away, or changing who may use it, is what it is wherever that is.
        if effect != Effect::Write {
            return (effect, why.to_owned());
        }
        let worse = match path {
            Arg::Exact(path) => self.somewhere(path),
            Arg::Home(rest) => worst_of(&["~", rest].join("/")),
            Arg::Opaque(opaque) if opaque.expands => Some((
                Effect::Execute,
                "Which file it changes cannot be told, and some decide what runs.",
            )),
            Arg::Opaque(opaque) => self.matching(&opaque.prefix),
        };
        match worse {
            Some((worse, why)) if worse > effect => (worse, why.to_owned()),
            _ => (effect, why.to_owned()),
        }
    }

    /// A path that is known.
    fn somewhere(&self, path: &str) -> Option<(Effect, &'static str)> {
        if path.starts_with('/') {
            return worst_of(path);
        }
        if self.anywhere || self.directories.len() > super::DIRECTORIES_MAX {
            return Some((
                Effect::Execute,
                "Which directory it works in cannot be told, and files in some decide what runs.",
            ));
        }
        self.directories
            .iter()
            .filter_map(|directory| worst_of(&joined(directory, path)))
            .max_by_key(|(effect, _)| *effect)
    }

    /// Names of files that begin so, and are there.
    fn matching(&self, prefix: &str) -> Option<(Effect, &'static str)> {
        let (directory, name) = prefix.rsplit_once('/').unwrap_or(("", prefix));
        if name.starts_with('.')
            || prefix == "/"
            || (prefix.starts_with('/') && directory.is_empty())
        {
            return Some((
                Effect::Execute,
                "Which file it changes cannot be told, and some decide what runs.",
            ));
        }
        let around = self.somewhere(if directory.is_empty() { "x" } else { directory });
        // What follows may be nothing.
        let itself = if name.is_empty() {
            None
        } else {
            self.somewhere(prefix)
        };
        around
            .into_iter()
            .chain(itself)
            .max_by_key(|(effect, _)| *effect)
    }

    /// Whether files whose names are not known may be put into a home directory, where some decide what runs.
    pub(super) fn may_be_home(&self, path: &Arg) -> bool {
        let path = match path {
            Arg::Exact(path) => path.as_str(),
            Arg::Home(rest) => return is_home(rest, false),
            Arg::Opaque(opaque) => match opaque.prefix.rsplit_once('/') {
                Some((directory, _)) => return is_home(directory, true),
                None => return true,
            },
        };
        if path.starts_with('/') {
            return is_home(path, false);
        }
        self.anywhere
            || self
                .directories
                .iter()
                .any(|directory| is_home(&joined(directory, path), false))
    }

    /// Another directory is entered.
    pub(super) fn enters(&mut self, directory: &Arg) {
        self.moves = self.moves.saturating_add(1);
        if directory.literal() == Some("-") {
            return;
        }
        let Some(to) = entered(directory) else {
            self.anywhere = true;
            return;
        };
        if self.directories.len() > super::DIRECTORIES_MAX {
            return;
        }
        let more: Vec<String> = self
            .directories
            .iter()
            .map(|from| joined(from, &to))
            .collect();
        self.directories.extend(more);
    }
}

/// A directory as it is reached from another one.
pub(super) fn reached(from: &Arg, to: &Arg) -> Arg {
    match (from, to) {
        (_, Arg::Home(_)) => to.clone(),
        (_, Arg::Exact(path)) if path.starts_with('/') => to.clone(),
        (_, Arg::Opaque(opaque)) if opaque.prefix.starts_with('/') => to.clone(),
        (Arg::Exact(from), Arg::Exact(to)) => Arg::exact(format!("{from}/{to}")),
        (Arg::Home(from), Arg::Exact(to)) => Arg::Home(format!("{from}/{to}")),
        _ => Arg::beginning(""),
    }
}

/// A directory as it is followed; none where it is not known.
pub(super) fn entered(directory: &Arg) -> Option<String> {
    match directory {
        Arg::Exact(path) => Some(path.clone()),
        Arg::Home(rest) => Some(joined("", &format!("/~/{rest}"))),
        Arg::Opaque(_) => None,
    }
}

/// What it is to write to a file by its absolute path, and why, where that is worse than writing elsewhere: where what is
/// written decides what runs later, or with which rights.
pub fn written(path: &str) -> Option<(Effect, &'static str)> {
    worst_of(path)
}

/// Whether that directory is a home directory or holds some; with `below`, whether what is in it may be one.
fn is_home(path: &str, below: bool) -> bool {
    let parts = parts(path);
    let inner = parts.iter().filter(|part| **part != "..").count();
    match parts.first() {
        None => true,
        // Whose directory it is that steps back lead to is not known, the root among them.
        Some(&"..") => {
            let rest: Vec<&str> = parts.into_iter().filter(|part| *part != "..").collect();
            inner <= 1 || is_home(&format!("/{}", rest.join("/")), below)
        }
        // What `~` stands for when it is entered.
        Some(&"~") => inner == 1,
        Some(&"home") if path.starts_with('/') => inner <= if below { 1 } else { 2 },
        _ => false,
    }
}

/// A path as seen from a directory, without steps that lead back.
pub fn joined(directory: &str, path: &str) -> String {
    let whole = if path.starts_with('/') || directory.is_empty() {
        path.to_owned()
    } else {
        format!("{directory}/{path}")
    };
    let root = if whole.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts(&whole).join("/"))
}

/// The names in a path. `..` takes one back, and stays where there is none.
fn parts(path: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if path.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    parts
}

/// The worst that writing there is, when it is worse than writing elsewhere.
fn worst_of(path: &str) -> Option<(Effect, &'static str)> {
    let parts = parts(path);
    let leads_out = parts.first() == Some(&"..");
    let inner: Vec<&str> = parts.iter().copied().filter(|part| *part != "..").collect();
    let places = KNOWN.places.iter();
    places
        .filter(|place| {
            let named = |part: &&str| {
                let mut rests = place
                    .named
                    .iter()
                    .filter_map(|name| part.strip_prefix(name.as_str()));
                rests.any(|rest| rest.is_empty() || rest.starts_with(['.', '~']))
            };
            let is_absolute = path.starts_with('/') || leads_out;
            inner.iter().any(named) || (is_absolute && is_in(&inner, place))
        })
        .map(|place| (place.effect, place.reason.as_str()))
        .max_by_key(|(effect, _)| *effect)
}

/// Whether a path is in one of those places, or one of them is in it.
fn is_in(path: &[&str], place: &Place) -> bool {
    place.below.iter().any(|below| {
        let below = parts(below);
        path.starts_with(&below) || below.starts_with(path)
    })
}

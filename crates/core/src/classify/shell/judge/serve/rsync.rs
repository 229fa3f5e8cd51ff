//! `rsync --server`, as rsync 3.1 to 3.5 send it.
//!
//! Lives here: what its options do on the host. Never: options that no client sends by itself, which are not understood.
//!
//! The arguments are `--server [--sender] -FLAGS [--option…] . PATH…`: what its clients make of `rsync SRC HOST:PATH`.

use super::{Judge, Judged, is_operand};
use crate::action::Effect;
use crate::classify::shell::arg::Arg;

/// Letters that say which attributes are kept and how files are compared. `s` is not one of them: with it the arguments
/// come through the stream; nor is `y`, by which other files than those of the line are compared.
const FLAGS: &str = "vqbunldKmOJLkWHogDtUNpEAXrcCIRxSz";
/// What changes nothing about the effect.
const PLAIN: &[&str] = &[
    "--append",
    "--compress",
    "--copy-devices",
    "--copy-unsafe-links",
    "--delay-updates",
    "--devices",
    "--existing",
    "--fake-super",
    "--from0",
    "--fsync",
    "--ignore-errors",
    "--ignore-existing",
    "--ignore-missing-args",
    "--inplace",
    "--list-only",
    "--mkpath",
    "--msgs2stderr",
    "--munge-links",
    "--new-compress",
    "--no-devices",
    "--no-implied-dirs",
    "--no-msgs2stderr",
    "--no-r",
    "--no-relative",
    "--no-specials",
    "--numeric-ids",
    "--old-compress",
    "--open-noatime",
    "--partial",
    "--preallocate",
    "--safe-links",
    "--size-only",
    "--specials",
    "--stats",
    "--use-qsort",
];
/// The same with a value, in the same argument.
const VALUED: &[&str] = &[
    "--bwlimit",
    "--checksum-choice",
    "--checksum-seed",
    "--compress-choice",
    "--compress-level",
    "--compress-threads",
    "--debug",
    "--info",
    "--log-file-format",
    "--log-format",
    "--max-alloc",
    "--max-delete",
    "--max-size",
    "--min-size",
    "--modify-window",
    "--outbuf",
    "--skip-compress",
    "--timeout",
];
/// What deletes, on the side that the line is for.
const DELETES: &[&str] = &[
    "--delete",
    "--delete-after",
    "--delete-before",
    "--delete-delay",
    "--delete-during",
    "--delete-excluded",
    "--delete-missing-args",
    "--force",
    "--remove-sent-files",
    "--remove-source-files",
];

/// What an option does with the file or directory that is its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It is read; relative to where files are put.
    Compares,
    /// Files are put there; relative to where the others are put.
    Keeps,
    /// The one file is read, or `-` for the stream; relative to where the program starts.
    Lists,
    /// The one file is written; relative to where the program starts.
    Logs,
}

/// Options with a path, in the same argument or the next. What `--link-dest` leads to is given another name, through
/// which it can be written later, as with `ln`.
const PATHS: &[(&str, Role)] = &[
    ("--compare-dest", Role::Compares),
    ("--copy-dest", Role::Compares),
    ("--link-dest", Role::Keeps),
    ("--backup-dir", Role::Keeps),
    ("--partial-dir", Role::Keeps),
    ("--temp-dir", Role::Keeps),
    ("--files-from", Role::Lists),
    ("--log-file", Role::Logs),
];

/// What its options say.
#[derive(Default)]
struct Asked {
    sender: bool,
    deletes: Option<&'static str>,
    /// Writes to devices, not to files of their names.
    devices: bool,
    /// Gives files to others.
    owners: bool,
    /// Files are sent whole: nothing of what is there already is compared.
    whole: bool,
    paths: Vec<(Role, Arg)>,
}

impl Judge<'_> {
    pub(super) fn rsync(&self, argv: &[Arg], args: &[Arg]) -> Option<Judged> {
        let (server, rest) = args.split_first()?;
        if server.literal() != Some("--server") {
            return None;
        }
        let (asked, operands) = asked(rest)?;
        if !operands.iter().all(is_operand) {
            return None;
        }
        let mut judged = if asked.sender {
            self.sends(argv, operands)?
        } else {
            self.takes(argv, operands, &asked)?
        };
        if let Some(option) = asked.deletes {
            judged.raise(
                Effect::Destroy,
                format!("The option {option} deletes files."),
            );
            for path in operands {
                self.touches(&mut judged, path, Effect::Destroy, false);
            }
        }
        if asked.devices {
            judged.raise(Effect::Destroy, "It writes to devices.");
        }
        if asked.owners {
            judged.raise(Effect::Administer, "It gives files to others.");
        }
        for (role, path) in &asked.paths {
            match role {
                Role::Lists => self.touches(&mut judged, path, Effect::Read, false),
                Role::Logs => self.touches(&mut judged, path, Effect::Write, false),
                Role::Compares | Role::Keeps => {}
            }
        }
        Some(judged)
    }

    fn sends(&self, argv: &[Arg], operands: &[Arg]) -> Option<Judged> {
        let mut judged = Judged::new(argv, Effect::Read, "Sends files to a client");
        (!operands.is_empty()).then_some(())?;
        for path in operands {
            self.touches(&mut judged, path, Effect::Read, false);
        }
        Some(judged)
    }

    fn takes(&self, argv: &[Arg], operands: &[Arg], asked: &Asked) -> Option<Judged> {
        let [to] = operands else {
            return None;
        };
        let mut judged = Judged::new(argv, Effect::Write, "Takes over files from a client");
        self.receives(&mut judged, to);
        // It tells the client sums of each block of what is there, which can be as short as a byte.
        if !asked.whole {
            self.touches(&mut judged, to, Effect::Read, false);
        }
        for (role, path) in &asked.paths {
            for place in seen_from(to, path) {
                match role {
                    Role::Compares => self.touches(&mut judged, &place, Effect::Read, false),
                    Role::Keeps => self.receives(&mut judged, &place),
                    Role::Lists | Role::Logs => {}
                }
            }
        }
        Some(judged)
    }
}

/// The options, and what stands behind the `.` that ends them.
fn asked(args: &[Arg]) -> Option<(Asked, &[Arg])> {
    let mut asked = Asked::default();
    let mut rest = args;
    loop {
        let (first, behind) = rest.split_first()?;
        rest = behind;
        let text = first.literal()?;
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        match (name, value) {
            (".", None) => return Some((asked, rest)),
            ("--sender", None) => asked.sender = true,
            ("--write-devices", None) => asked.devices = true,
            ("--super", None) | ("--usermap" | "--groupmap", Some(_)) => asked.owners = true,
            // What is kept of a file gets its name with this behind it.
            ("--suffix", Some(suffix)) if is_suffix(suffix) => {}
            (_, None) if PLAIN.contains(&name) => {}
            (_, Some(_)) if VALUED.contains(&name) => {}
            (_, None) if name.starts_with('-') && !name.starts_with("--") => {
                asked.whole |= flags(name)?;
            }
            _ if let Some(option) = DELETES.iter().find(|option| **option == text) => {
                asked.deletes = Some(option);
            }
            _ => {
                let (_, role) = PATHS.iter().find(|(option, _)| *option == name)?;
                let path = match value {
                    Some(value) => Arg::exact(value),
                    None => {
                        let (next, behind) = rest.split_first()?;
                        rest = behind;
                        next.clone()
                    }
                };
                if matches!(path, Arg::Opaque(_)) {
                    return None;
                }
                asked.paths.push((*role, path));
            }
        }
    }
}

/// `-vlogDtprze.iLsfxCIvu`: letters, then what the client can do. `-B700` and `-@2` stand alone. Whether files are sent
/// whole.
fn flags(text: &str) -> Option<bool> {
    let text = text.strip_prefix('-')?;
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    if let Some(number) = text.strip_prefix(['B', '@']) {
        return is_number(number).then_some(false);
    }
    let (letters, can) = match text.split_once('e') {
        Some((letters, can)) => (letters, Some(can)),
        None => (text, None),
    };
    let is_version =
        |can: &str| can.contains('.') && can.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    let known = letters.chars().all(|c| FLAGS.contains(c)) && can.is_none_or(is_version);
    (known && !text.is_empty()).then_some(letters.contains('W'))
}

fn is_suffix(suffix: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._~-".contains(c);
    suffix.starts_with(['.', '~']) && suffix.chars().all(is_plain)
}

/// Where a path leads that is relative to where files are put: to that directory, or to the one around that file.
fn seen_from(to: &Arg, path: &Arg) -> Vec<Arg> {
    let text = match path {
        Arg::Exact(text) if !text.starts_with('/') => text,
        _ => return vec![path.clone()],
    };
    let both = |to: &str| {
        let root = if to.starts_with('/') { "/" } else { "" };
        let to = to.trim_end_matches('/');
        let around = to.rsplit_once('/').map_or("", |(around, _)| around);
        [to, around].map(|from| match from {
            "" => format!("{root}{text}"),
            from => format!("{from}/{text}"),
        })
    };
    match to {
        Arg::Exact(to) => both(to).map(Arg::exact).to_vec(),
        Arg::Home(to) => both(to).map(Arg::Home).to_vec(),
        Arg::Opaque(_) => vec![Arg::beginning("")],
    }
}

//! What file-transfer clients make a host run: `scp -t`, `rsync --server`, `git-upload-pack` and its like.
//!
//! Lives here: their options, each program's own, as its clients send them; anything else is `execute`. Never: these
//! programs as a person types them, which reaches other machines.
//!
//! Which files a client then sends or asks for is said within the stream, below the paths that are named here.

mod rsync;

use super::{File, Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::arg::Arg;
use crate::classify::shell::catalogue::Program;

const NAMES_CHOSEN: &str = "The client chooses which names the files will have, and in a home directory some decide what runs: name a \
     directory below it.";

/// Subcommands of `git` that are these programs as well.
const GIT: &[&str] = &["upload-pack", "receive-pack", "upload-archive"];

impl Judge<'_> {
    /// A program that speaks a protocol of files over its streams.
    pub(super) fn serve(&self, argv: &[Arg], args: &[Arg], program: &'static Program) -> Judged {
        let name = argv.first().and_then(Arg::literal).unwrap_or_default();
        let served = match name.rsplit('/').next().unwrap_or_default() {
            "scp" => self.scp(argv, args),
            "rsync" => self.rsync(argv, args),
            other => git(argv, other.strip_prefix("git-").unwrap_or_default(), args),
        };
        match served {
            Some(mut judged) => {
                judged.transfers = true;
                judged
            }
            None => Judged::new(argv, Effect::Execute, program.reason),
        }
    }

    /// `git upload-pack REPO` and its like; none for any other subcommand.
    pub(super) fn git_serves(&self, argv: &[Arg], args: &[Arg]) -> Option<Judged> {
        let name = argv.first()?.literal()?;
        let (sub, rest) = args.split_first()?;
        let sub = sub.literal()?;
        if name.rsplit('/').next() != Some("git") || !GIT.contains(&sub) {
            return None;
        }
        let mut judged = git(argv, sub, rest)?;
        judged.transfers = true;
        Some(judged)
    }

    /// `scp [-r] [-p] [-d] [-v] [-q] -t|-f [--] PATH…`. No client sends another order, or an option behind a path.
    fn scp(&self, argv: &[Arg], args: &[Arg]) -> Option<Judged> {
        let mut receives = None;
        let mut rest = args;
        while let Some((first, behind)) = rest.split_first() {
            match first.literal() {
                Some("-t" | "-f") if receives.is_some() => return None,
                Some("-t") => receives = Some(true),
                Some("-f") => receives = Some(false),
                Some("-r" | "-p" | "-d" | "-v" | "-q") => {}
                _ => break,
            }
            rest = behind;
        }
        let paths = paths(rest)?;
        match (receives?, paths) {
            (true, [path]) => {
                let mut judged = Judged::new(argv, Effect::Write, "Takes over files from a client");
                self.receives(&mut judged, path);
                Some(judged)
            }
            (false, [_, ..]) => {
                let mut judged = Judged::new(argv, Effect::Read, "Sends files to a client");
                for path in paths {
                    self.touches(&mut judged, path, Effect::Read, false);
                }
                Some(judged)
            }
            _ => None,
        }
    }

    /// A place where files are put whose names only the client knows.
    pub(super) fn receives(&self, judged: &mut Judged, path: &Arg) {
        self.touches(judged, path, Effect::Write, false);
        if self.may_be_home(path) {
            judged.raise(Effect::Execute, NAMES_CHOSEN);
        }
    }
}

/// Operands, when none of them can be an option: behind `--`, or known to begin with something else.
fn paths(args: &[Arg]) -> Option<&[Arg]> {
    if let Some((first, rest)) = args.split_first()
        && first.literal() == Some("--")
    {
        return Some(rest);
    }
    args.iter().all(is_operand).then_some(args)
}

fn is_operand(arg: &Arg) -> bool {
    match arg {
        Arg::Exact(text) => !text.starts_with('-'),
        Arg::Home(_) => true,
        Arg::Opaque(_) => !arg.may_be_option(),
    }
}

/// `git-upload-pack REPO`: clients send the path alone, in quotes.
fn git(argv: &[Arg], sub: &str, args: &[Arg]) -> Option<Judged> {
    let (effect, why) = match sub {
        "upload-pack" => (Effect::Read, "Sends what is in a repository to a client"),
        "upload-archive" => (Effect::Read, "Sends files of a repository to a client"),
        "receive-pack" => (
            Effect::Write,
            "Takes over commits and branches from a client, which may move and delete branches; hooks of the \
             repository, which are the host's own code, run",
        ),
        _ => return None,
    };
    let [path] = args else {
        return None;
    };
    let path = match path {
        // git itself reads these, since they are in quotes.
        Arg::Exact(text) if text == "~" => Arg::Home(String::new()),
        Arg::Exact(text) => match text.strip_prefix("~/") {
            Some(below) => Arg::Home(below.to_owned()),
            None => path.clone(),
        },
        Arg::Home(_) => path.clone(),
        Arg::Opaque(_) => return None,
    };
    if !is_operand(&path) {
        return None;
    }
    let mut judged = Judged::new(argv, effect, why);
    judged.files.push(File { path, effect });
    Some(judged)
}

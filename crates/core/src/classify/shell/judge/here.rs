//! The directory that a whole line works in, where that is certain.
//!
//! Lives here: lines that begin with `cd DIR || exit` or `cd DIR && …`, and names below that directory. Never: a guess; where
//! anything in the line may change the directory again, relative names stay relative.

use super::place::entered;
use super::{File, Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::arg::{Arg, args};
use crate::classify::shell::catalogue::KNOWN;
use crate::classify::shell::tree::{Command, Item, Joint, Pipeline, Script};

/// Programs that take relative names from the directory that they are started in, whatever their options say.
const NEAR: &str = "cat tac head tail nl wc cut pr paste fold fmt rev column uniq sort comm join tsort shuf sed awk gawk \
    mawk nawk grep egrep fgrep rg od hexdump xxd strings base64 base32 jq less more ls dir vdir stat du df file find \
    readlink realpath md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum cmp diff sdiff touch mkdir \
    rmdir rm unlink shred cp mv tee truncate chmod chown chgrp";

impl Judge<'_> {
    /// The directory that all of a line works in. To be asked once the line was judged: only then is known what else it does.
    pub(super) fn certain(&self, script: &Script) -> Option<Arg> {
        let directory = leading(script)?;
        let told = self
            .commands
            .iter()
            .all(|judged| judged.effect < Effect::Execute);
        (told && !self.anywhere && self.moves == 1).then_some(directory)
    }

    /// From now on, the line is known to work there.
    pub(super) fn settles(&mut self, directory: Arg) {
        self.directories.clear();
        self.directories.extend(entered(&directory));
        self.here = Some(directory);
    }

    /// Gives the files of a program the names by which they are known wherever one is.
    pub(super) fn settle(&self, judged: &mut Judged) {
        let name = judged.program.rsplit('/').next().unwrap_or_default();
        let known = KNOWN.program(&judged.program).is_some();
        if known && NEAR.split_whitespace().any(|near| near == name) {
            for File { path, .. } in &mut judged.files {
                *path = self.below(path);
            }
        }
    }

    /// A path as it is known wherever one is, where it begins in the directory of the line.
    pub(super) fn below(&self, path: &Arg) -> Arg {
        match (&self.here, path) {
            (Some(Arg::Exact(here)), Arg::Exact(name)) if !name.starts_with('/') => {
                Arg::Exact(format!("{here}/{name}"))
            }
            (Some(Arg::Home(here)), Arg::Exact(name)) if !name.starts_with('/') => {
                let here = here.trim_end_matches('/');
                match here {
                    "" => Arg::Home(name.clone()),
                    here => Arg::Home(format!("{here}/{name}")),
                }
            }
            _ => path.clone(),
        }
    }
}

/// The directory that a line begins by entering, and without which nothing else of it runs.
fn leading(script: &Script) -> Option<Arg> {
    let (Item { first, rest, .. }, later) = script.items.split_first()?;
    let plain = script.items.first().is_some_and(|item| !item.background);
    let leaves = match rest.as_slice() {
        [(Joint::Or, then)] => is_exit(then),
        [] => later.is_empty(),
        rest => later.is_empty() && rest.iter().all(|(joint, _)| *joint == Joint::And),
    };
    let directory = match simple(first)?.as_slice() {
        [cd, directory] if cd.literal() == Some("cd") => directory.clone(),
        [cd, end, directory] if cd.literal() == Some("cd") && end.literal() == Some("--") => {
            directory.clone()
        }
        _ => return None,
    };
    let is_whole = match &directory {
        Arg::Exact(path) => path.starts_with('/'),
        Arg::Home(_) => true,
        Arg::Opaque(_) => false,
    };
    (plain && leaves && is_whole).then_some(directory)
}

fn is_exit(pipeline: &Pipeline) -> bool {
    let words = simple(pipeline).unwrap_or_default();
    let words: Vec<&str> = words.iter().filter_map(Arg::literal).collect();
    matches!(words.as_slice(), ["exit"] | ["exit", "1"])
}

/// A program and its arguments, without anything around them.
fn simple(pipeline: &Pipeline) -> Option<Vec<Arg>> {
    let [Command::Simple(simple)] = pipeline.stages.as_slice() else {
        return None;
    };
    let bare = simple.assignments.is_empty() && simple.redirections.is_empty();
    let none = std::collections::BTreeMap::new();
    let words = simple.words.iter().flat_map(|word| args(word, &none));
    (bare && !pipeline.negated).then(|| words.collect())
}

//! Files that a program makes under names, or below a directory, of its own choice.
//!
//! Lives here: pieces of files, copies of repositories and working trees. Never: archives (`data`), file transfer (`serve`).

use super::options::Reading;
use super::{Judge, Judged};
use crate::action::Effect;
use crate::classify::shell::arg::{Arg, Opaque};

impl Judge<'_> {
    /// `split FILE PREFIX`.
    pub(super) fn pieces(&self, judged: &mut Judged, operands: &[Arg]) {
        for path in operands.first().iter().copied() {
            self.touches(judged, path, Effect::Read, true);
        }
        let begin = match operands.get(1) {
            None => "x",
            Some(prefix) => prefix.literal().unwrap_or("."),
        };
        self.touches(judged, &piece(begin), Effect::Write, true);
        if operands.len() > 2 || operands.iter().any(Arg::is_many) {
            judged.raise(
                Effect::Execute,
                "What the pieces are called cannot be told.",
            );
        }
    }

    /// `csplit -f PREFIX FILE PATTERN…`.
    pub(super) fn sections(&self, judged: &mut Judged, reading: &Reading) {
        for path in reading.operands.first().iter().copied() {
            self.touches(judged, path, Effect::Read, true);
            if path.is_many() {
                judged.raise(Effect::Execute, "Which file it cuts cannot be told.");
            }
        }
        let prefix = reading.values(&["-f", "--prefix"]).last();
        let begin = prefix.map_or("xx", |prefix| prefix.literal().unwrap_or("."));
        self.touches(judged, &piece(begin), Effect::Write, true);
    }

    /// `git format-patch COMMIT`: the files are called `0001-…`.
    pub(super) fn patches(&self, judged: &mut Judged, reading: &Reading) {
        if reading.has(&["-o", "--output-directory", "--stdout"]) {
            return;
        }
        self.touches(judged, &piece("0"), Effect::Write, true);
        if reading.has(&["-C"]) {
            judged.raise(
                Effect::Execute,
                "Which directory it works in is not looked at.",
            );
        }
    }

    /// `git worktree add PATH BRANCH`.
    pub(super) fn working_tree(&self, judged: &mut Judged, reading: &Reading) {
        let Some(to) = reading.operands.first().filter(|to| !to.is_many()) else {
            judged.raise(Effect::Execute, "Where it puts files cannot be told.");
            return;
        };
        // Beside the repository it is no home directory that is in use: git wants an empty one.
        let beside = |to: &str| to.strip_prefix("../").is_some_and(is_name);
        if to.literal().is_some_and(beside) {
            self.touches(judged, to, Effect::Write, false);
        } else {
            self.receives(judged, to);
        }
        let is_whole = to.literal().is_some_and(|text| text.starts_with('/'));
        if reading.has(&["-C"]) && !is_whole {
            judged.raise(
                Effect::Execute,
                "Which directory it works in is not looked at.",
            );
        }
    }

    /// Where `git clone` puts what a repository elsewhere has: where it is told to, or below the name of the repository.
    pub(super) fn copied_repository(&self, judged: &mut Judged, reading: &Reading) {
        let from = reading.operands.first().and_then(Arg::literal);
        let named = from.and_then(|from| {
            let name = from.trim_end_matches('/').rsplit(['/', ':']).next()?;
            Some(Arg::exact(name.strip_suffix(".git").unwrap_or(name)))
        });
        let to = match reading.operands.as_slice() {
            [_] => named.as_ref(),
            [_, to] => Some(to),
            _ => None,
        };
        // A helper of that name is run for such an address.
        let helped = from.is_none_or(|from| from.contains("::"));
        match to.filter(|to| !helped && !to.is_many()) {
            Some(to) => self.receives(judged, to),
            None => judged.raise(
                Effect::Execute,
                "Where it copies from, or to, cannot be told.",
            ),
        }
        let is_whole = |arg: &Arg| arg.literal().is_some_and(|text| text.starts_with('/'));
        if reading.has(&["-C"]) && !to.is_some_and(is_whole) {
            judged.raise(
                Effect::Execute,
                "Which directory it works in is not looked at.",
            );
        }
    }
}

/// A name in no other directory, and of none.
fn is_name(text: &str) -> bool {
    !text.contains('/') && !["", ".", ".."].contains(&text)
}

/// Files whose names begin so.
fn piece(begin: &str) -> Arg {
    Arg::Opaque(Opaque {
        prefix: begin.to_owned(),
        many: true,
        split: false,
        expands: false,
        digits: false,
    })
}

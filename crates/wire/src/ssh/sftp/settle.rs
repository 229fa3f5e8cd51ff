//! Settling a name: what it means on the target, asked of the target before anybody judges it.
//!
//! Here lives the order of look-ups for one path. Where an operation follows links the whole path is resolved, where it
//! does not, all but its last name. What does not exist yet has no answer of its own: then the deepest directory above it
//! that does is resolved, and the names below stay as written, as long as the first of them is no link. Never here: the
//! judgement, or a look that changes anything.
//!
//! What remains is a race: somebody else on the target may put a link in place between the look and the use. The target's
//! own permissions decide who can.

use super::code::Code;
use super::path;
use super::reply::Reply;
use super::request;
use crate::{PeerMisbehaved, Side};

/// One question to the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lookup {
    /// What is this path without links?
    Realpath(String),
    /// Is this a link?
    Lstat(String),
}

/// Why a name could not be settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsettled {
    /// It leads through a link whose end cannot be found.
    DeadLink,
    /// On the target it has a name that is not UTF-8, or is not a path.
    NotText,
    /// On the target it is longer than a path may be.
    TooLong,
    /// The target could not tell.
    Untold,
}

/// What comes after an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Ask this.
    Look(Lookup),
    /// It is settled.
    Settled(String),
    /// It cannot be.
    Refused(Unsettled),
}

/// One name being settled.
#[derive(Debug)]
pub(super) struct Settling {
    /// What is resolved.
    base: String,
    /// Names below it, which are not.
    below: Vec<String>,
    /// The last name may be a link: the operation is about the link itself.
    about_link: bool,
    /// The answer, once there is one and a link is looked for.
    settled: Option<String>,
    looks_left: usize,
    path_bytes_max: usize,
}

impl Settling {
    /// Begins with a plain absolute path.
    pub(super) fn new(
        plain: &str,
        follow: bool,
        looks_max: usize,
        path_bytes_max: usize,
    ) -> (Self, Lookup) {
        let (base, below) = match path::split(plain) {
            Some((parent, name)) if !follow => (parent.to_owned(), vec![name.to_owned()]),
            _ => (plain.to_owned(), Vec::new()),
        };
        let first = Lookup::Realpath(base.clone());
        let settling = Self {
            base,
            about_link: !below.is_empty(),
            below,
            settled: None,
            looks_left: looks_max,
            path_bytes_max,
        };
        (settling, first)
    }

    /// Goes on with what the target said.
    ///
    /// # Errors
    /// When it is not an answer to what was asked.
    pub(super) fn heard(&mut self, reply: Reply) -> Result<Turn, PeerMisbehaved> {
        match (self.settled.take(), reply) {
            (_, Reply::Status(Code::Ok, _)) => Err(no_answer("STATUS")),
            (None, Reply::Status(code, _)) => Ok(self.goes_up(code)),
            (None, Reply::Names(names)) => match names.as_slice() {
                [one] => Ok(self.resolved(&one.name)),
                _ => Err(no_answer("NAME")),
            },
            (Some(settled), Reply::Attributes(attributes)) => Ok(match attributes.is_link() {
                Some(false) => Turn::Settled(settled),
                Some(true) => Turn::Refused(Unsettled::DeadLink),
                None => Turn::Refused(Unsettled::Untold),
            }),
            (Some(settled), Reply::Status(code, _)) => Ok(if is_no(code) {
                Turn::Settled(settled)
            } else {
                Turn::Refused(Unsettled::Untold)
            }),
            (_, other) => Err(no_answer(other.kind())),
        }
    }

    /// The path has no answer: the directory above it may.
    fn goes_up(&mut self, code: Code) -> Turn {
        let left = self.looks_left.checked_sub(1);
        let (Some(left), true, Some((parent, name))) = (left, is_no(code), path::split(&self.base))
        else {
            return Turn::Refused(Unsettled::Untold);
        };
        self.looks_left = left;
        self.below.insert(0, name.to_owned());
        self.base = parent.to_owned();
        Turn::Look(Lookup::Realpath(self.base.clone()))
    }

    fn resolved(&mut self, raw: &[u8]) -> Turn {
        let Ok(real) = request::path(raw, self.path_bytes_max) else {
            return Turn::Refused(Unsettled::NotText);
        };
        if !path::is_plain(&real) {
            return Turn::Refused(Unsettled::NotText);
        }
        let below = self.below.iter();
        let settled = below.fold(real.clone(), |above, name| path::join(&above, name));
        if settled.len() > self.path_bytes_max {
            return Turn::Refused(Unsettled::TooLong);
        }
        // Also when all of it was resolved: a target whose REALPATH leaves links in place is found out here.
        let suspect = match self.below.as_slice() {
            [] if real == "/" => None,
            [] => Some(real),
            [_] if self.about_link => None,
            [first, ..] => Some(path::join(&real, first)),
        };
        match suspect {
            None => Turn::Settled(settled),
            Some(suspect) => {
                self.settled = Some(settled);
                Turn::Look(Lookup::Lstat(suspect))
            }
        }
    }
}

/// It is not there, or this account may not see it: then nor can the operation go past it.
fn is_no(code: Code) -> bool {
    matches!(code, Code::NoSuchFile | Code::PermissionDenied)
}

fn no_answer(message: &'static str) -> PeerMisbehaved {
    PeerMisbehaved::Unexpected {
        side: Side::Target,
        message,
        state: "a look-up of the gateway's",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "settle_tests.rs"]
mod tests;

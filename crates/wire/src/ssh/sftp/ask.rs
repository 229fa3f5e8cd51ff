//! What the gate is asked: an operation on settled paths, and the frame that would do exactly that. Never here: the answer.

use super::attributes::{Attributes, Which};
use super::open_flags::OpenFlags;
use super::request::{OnPath, OnTwo, Request};
use bytes::Bytes;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Opens a file for reading.
    Read,
    /// Opens a file for writing.
    Write {
        /// It is made if it is not there.
        create: bool,
        /// It is emptied.
        truncate: bool,
        /// What is written goes to its end.
        append: bool,
    },
    /// Opens a file for both.
    ReadWrite {
        /// It is made if it is not there.
        create: bool,
        /// It is emptied.
        truncate: bool,
        /// What is written goes to its end.
        append: bool,
    },
    /// Lists a directory.
    List,
    /// Tells of a file, a link, a file system or a name.
    Stat,
    /// Removes a file or a link.
    Delete,
    /// Removes an empty directory.
    RemoveDirectory,
    /// Makes a directory.
    MakeDirectory,
    /// Gives a file or a directory, with all below it, another name.
    Rename {
        /// Something that has that name already is lost.
        replace: bool,
    },
    /// Sets attributes. Setting the size cuts a file off or lengthens it.
    SetAttributes(Which),
    /// Makes a symbolic link.
    SymbolicLink,
    /// Gives a file a further name.
    HardLink,
}

/// A question to the gate. What it says and what its frame does are the same.
#[derive(Debug)]
pub struct Ask {
    /// Counts the questions of this machine, from 1.
    pub number: u64,
    /// All of it on one line, for the record, for people, and for an approval to be bound to: the request as it is forwarded
    /// but for its id and the target's handle. Two questions that would do different things have different lines.
    pub line: String,
    /// What is done.
    pub operation: Operation,
    /// To what: absolute, settled by the target. For links, what is made: the new link's own place, or for a hard link the
    /// file that gets a further name.
    pub path: String,
    /// The new name (rename, hard link), or where the link leads (symbolic link): also settled, also to be judged.
    pub second: Option<String>,
    /// The text of a symbolic link, as it is written into it.
    pub text: Option<String>,
    /// What is set, by SETSTAT and its like, or on what is made.
    pub attributes: Attributes,
    /// It is done to something that is open already, which had this path when it was opened.
    pub by_handle: bool,
    /// The frame for the target, written anew. This and nothing else may be cleared.
    pub frame: Bytes,
}

/// The parts of a question that a request with settled paths gives.
pub(super) struct Said {
    pub operation: Operation,
    pub path: String,
    pub second: Option<String>,
    pub text: Option<String>,
    pub attributes: Attributes,
}

impl Said {
    /// See [`Ask::line`]. Paths are quoted, with control characters and quotes escaped, so that none runs into another.
    pub(super) fn line(&self, request: &Request) -> String {
        let mut line = request.name().to_owned();
        let mut add = |text: String| {
            line.push(' ');
            line.push_str(&text);
        };
        if let Request::Path(OnPath::Open { flags, .. }, _) = request {
            flags.words().for_each(|word| add(word.to_owned()));
        }
        add(format!("{:?}", self.path));
        if let Some(second) = &self.second {
            add(format!("{second:?}"));
        }
        if let Some(text) = &self.text {
            add(format!("text={text:?}"));
        }
        let Attributes {
            size,
            owner,
            permissions,
            times,
        } = self.attributes;
        if let Some(size) = size {
            add(format!("size={size}"));
        }
        if let Some((user, group)) = owner {
            add(format!("owner={user}:{group}"));
        }
        if let Some(permissions) = permissions {
            add(format!("permissions={permissions:04o}"));
        }
        if let Some((read, changed)) = times {
            add(format!("times={read},{changed}"));
        }
        line
    }
}

/// What a settled request about paths does. `leads` is where a symbolic link leads.
pub(super) fn said(request: &Request, leads: Option<String>) -> Option<Said> {
    let said = |operation, path: &str| Said {
        operation,
        path: path.to_owned(),
        second: None,
        text: None,
        attributes: Attributes::default(),
    };
    Some(match request {
        Request::Path(what, path) => Said {
            attributes: sets(what),
            ..said(operation(what), path)
        },
        Request::Two(OnTwo::Symlink, text, place) => Said {
            second: Some(leads?),
            text: Some(text.clone()),
            ..said(Operation::SymbolicLink, place)
        },
        Request::Two(what, first, second) => Said {
            second: Some(second.clone()),
            ..said(
                match what {
                    OnTwo::Rename => Operation::Rename { replace: false },
                    OnTwo::PosixRename => Operation::Rename { replace: true },
                    OnTwo::Hardlink => Operation::HardLink,
                    OnTwo::Symlink => return None,
                },
                first,
            )
        },
        Request::Handle(..) | Request::Limits => return None,
    })
}

/// Whether the request is about what a path leads to, and not about what stands in its place.
pub(super) fn follows(what: &OnPath) -> bool {
    match what {
        // Made only if nothing has that name: a link of that name must make it fail, not lead it elsewhere.
        OnPath::Open { flags, .. } => !flags.exclusive,
        OnPath::Stat
        | OnPath::Setstat(_)
        | OnPath::Opendir
        | OnPath::Realpath
        | OnPath::Statvfs => true,
        OnPath::Lstat
        | OnPath::Lsetstat(_)
        | OnPath::Remove
        | OnPath::Mkdir { .. }
        | OnPath::Rmdir
        | OnPath::Readlink => false,
    }
}

fn operation(what: &OnPath) -> Operation {
    match what {
        OnPath::Open { flags, .. } => opens(*flags),
        OnPath::Opendir => Operation::List,
        OnPath::Stat | OnPath::Lstat | OnPath::Realpath | OnPath::Readlink | OnPath::Statvfs => {
            Operation::Stat
        }
        OnPath::Setstat(attributes) | OnPath::Lsetstat(attributes) => {
            Operation::SetAttributes(attributes.which())
        }
        OnPath::Remove => Operation::Delete,
        OnPath::Rmdir => Operation::RemoveDirectory,
        OnPath::Mkdir { .. } => Operation::MakeDirectory,
    }
}

fn opens(flags: OpenFlags) -> Operation {
    let OpenFlags {
        create,
        truncate,
        append,
        ..
    } = flags;
    match (flags.read, flags.write) {
        (_, false) => Operation::Read,
        (false, true) => Operation::Write {
            create,
            truncate,
            append,
        },
        (true, true) => Operation::ReadWrite {
            create,
            truncate,
            append,
        },
    }
}

fn sets(what: &OnPath) -> Attributes {
    match what {
        OnPath::Setstat(attributes) | OnPath::Lsetstat(attributes) => *attributes,
        OnPath::Open { permissions, .. } | OnPath::Mkdir { permissions } => Attributes {
            permissions: *permissions,
            ..Attributes::default()
        },
        _ => Attributes::default(),
    }
}

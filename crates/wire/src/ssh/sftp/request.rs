//! Every request of version 3 and of the modelled extensions, decoded into types (draft-ietf-secsh-filexfer-02, section 6;
//! OpenSSH's PROTOCOL document, section 4). What is well framed and still not modelled is [`Unfit`]: it is answered, and
//! goes nowhere. Never here: whether a request may pass.

use super::attributes::Attributes;
use super::code;
use super::extensions::{Extension, Greeting, greeting};
use super::limits::Limits;
use super::open_flags::OpenFlags;
use super::read::{self, Reader};
use crate::{PeerMisbehaved, Side};
use bytes::{Bytes, BytesMut};

/// A request about one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPath {
    /// Opens a file.
    Open {
        /// How.
        flags: OpenFlags,
        /// The mode it gets if it is made. Other attributes have no meaning here and are dropped.
        permissions: Option<u32>,
    },
    /// Attributes, of a link itself.
    Lstat,
    /// Attributes.
    Stat,
    /// Sets attributes.
    Setstat(Attributes),
    /// Sets attributes of a link itself.
    Lsetstat(Attributes),
    /// Opens a directory.
    Opendir,
    /// Removes a file or a link.
    Remove,
    /// Makes a directory.
    Mkdir {
        /// The mode it gets. Other attributes have no meaning here and are dropped.
        permissions: Option<u32>,
    },
    /// Removes an empty directory.
    Rmdir,
    /// Its absolute path without links.
    Realpath,
    /// Where a link leads.
    Readlink,
    /// Its file system.
    Statvfs,
}

/// A request about two paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTwo {
    /// The first becomes the second, which must not be there.
    Rename,
    /// The first becomes the second, over what is there.
    PosixRename,
    /// The second becomes another name of the first.
    Hardlink,
    /// The second becomes a link whose text is the first. This is OpenSSH's order (its PROTOCOL document, section 4.1), not
    /// the draft's.
    Symlink,
}

/// A request about something open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnHandle {
    /// Closes it.
    Close,
    /// Reads of a file.
    Read {
        /// From where.
        offset: u64,
        /// At most so many bytes.
        length: u32,
    },
    /// Writes to a file.
    Write {
        /// From where.
        offset: u64,
        /// What.
        data: Bytes,
    },
    /// Its attributes.
    Fstat,
    /// Sets its attributes.
    Fsetstat(Attributes),
    /// More of a directory's entries.
    Readdir,
    /// Its file system.
    Fstatvfs,
    /// Puts it on the disk.
    Fsync,
}

/// A decoded request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// About one path.
    Path(OnPath, String),
    /// About two, in the order in which they are sent.
    Two(OnTwo, String, String),
    /// About a handle.
    Handle(OnHandle, Bytes),
    /// The server's own limits.
    Limits,
}

/// Why a request that is framed well is answered with an error and goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// An extension that is not modelled.
    Extension,
    /// Extended attributes.
    ExtendedAttributes,
    /// Attributes that version 3 does not have.
    AttributeFlags,
    /// A way of opening that makes no sense, or that version 3 does not have.
    OpenFlags,
    /// A path with a NUL in it, or that is not UTF-8.
    PathNotText,
    /// A path beyond its maximum.
    PathTooLong,
}

/// A whole frame of the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromClient {
    /// The first one.
    Init(Greeting),
    /// Any other.
    Request(u32, Result<Request, Unfit>),
}

/// Takes the next frame from the client, or nothing if it has not all arrived.
///
/// # Errors
/// When it is not a frame of version 3, or has bytes too few or too many.
pub fn next(buf: &mut BytesMut, limits: &Limits) -> Result<Option<FromClient>, PeerMisbehaved> {
    let Some(body) = read::frame(buf, Side::Client, limits.frame_bytes_max)? else {
        return Ok(None);
    };
    let mut r = Reader::new(Side::Client, "SFTP frame", body);
    let kind = r.u8()?;
    if kind == code::INIT {
        let greeting = greeting(Side::Client, "INIT", r.rest(), limits)?;
        return Ok(Some(FromClient::Init(greeting)));
    }
    r.is(code::name(kind).ok_or(PeerMisbehaved::UnknownMessage {
        side: Side::Client,
        tag: kind,
    })?);
    let id = r.u32()?;
    let request = Decode { r, limits }.request(kind)?;
    Ok(Some(FromClient::Request(id, request)))
}

type Decoded<T> = Result<Result<T, Unfit>, PeerMisbehaved>;

/// Leaves the function with what makes the request unfit; its remaining fields are not looked at.
macro_rules! fit {
    ($read:expr) => {
        match $read? {
            Ok(value) => value,
            Err(unfit) => return Ok(Err(unfit)),
        }
    };
}

struct Decode<'a> {
    r: Reader,
    limits: &'a Limits,
}

impl Decode<'_> {
    fn request(mut self, kind: u8) -> Decoded<Request> {
        let request = match kind {
            code::OPEN => fit!(self.open()),
            code::CLOSE => self.on_handle(OnHandle::Close)?,
            code::READ => self.read()?,
            code::WRITE => self.write()?,
            code::LSTAT => fit!(self.on_path(OnPath::Lstat)),
            code::FSTAT => self.on_handle(OnHandle::Fstat)?,
            code::SETSTAT => fit!(self.setstat(OnPath::Setstat)),
            code::FSETSTAT => fit!(self.fsetstat()),
            code::OPENDIR => fit!(self.on_path(OnPath::Opendir)),
            code::READDIR => self.on_handle(OnHandle::Readdir)?,
            code::REMOVE => fit!(self.on_path(OnPath::Remove)),
            code::MKDIR => fit!(self.mkdir()),
            code::RMDIR => fit!(self.on_path(OnPath::Rmdir)),
            code::REALPATH => fit!(self.on_path(OnPath::Realpath)),
            code::STAT => fit!(self.on_path(OnPath::Stat)),
            code::RENAME => fit!(self.on_two(OnTwo::Rename)),
            code::READLINK => fit!(self.on_path(OnPath::Readlink)),
            code::SYMLINK => fit!(self.on_two(OnTwo::Symlink)),
            code::EXTENDED => fit!(self.extended()),
            _ => return Err(self.r.bad_value("type")),
        };
        self.r.finish()?;
        Ok(Ok(request))
    }

    fn extended(&mut self) -> Decoded<Request> {
        let name = self
            .r
            .string("request's name", self.limits.frame_bytes_max)?;
        Ok(Ok(match Extension::named(&name) {
            None => return Ok(Err(Unfit::Extension)),
            Some(Extension::PosixRename) => fit!(self.on_two(OnTwo::PosixRename)),
            Some(Extension::Statvfs) => fit!(self.on_path(OnPath::Statvfs)),
            Some(Extension::Fstatvfs) => self.on_handle(OnHandle::Fstatvfs)?,
            Some(Extension::Hardlink) => fit!(self.on_two(OnTwo::Hardlink)),
            Some(Extension::Fsync) => self.on_handle(OnHandle::Fsync)?,
            Some(Extension::Lsetstat) => fit!(self.setstat(OnPath::Lsetstat)),
            Some(Extension::Limits) => Request::Limits,
        }))
    }

    fn open(&mut self) -> Decoded<Request> {
        let path = self.path()?;
        let flags = self.r.u32()?;
        let attributes = fit!(Attributes::read(&mut self.r));
        let path = fit!(Ok::<_, PeerMisbehaved>(path));
        let Some(flags) = OpenFlags::of(flags) else {
            return Ok(Err(Unfit::OpenFlags));
        };
        let permissions = attributes.permissions;
        Ok(Ok(Request::Path(OnPath::Open { flags, permissions }, path)))
    }

    fn mkdir(&mut self) -> Decoded<Request> {
        let path = self.path()?;
        let permissions = fit!(Attributes::read(&mut self.r)).permissions;
        let path = fit!(Ok::<_, PeerMisbehaved>(path));
        Ok(Ok(Request::Path(OnPath::Mkdir { permissions }, path)))
    }

    fn setstat(&mut self, as_what: fn(Attributes) -> OnPath) -> Decoded<Request> {
        let path = self.path()?;
        let attributes = fit!(Attributes::read(&mut self.r));
        let path = fit!(Ok::<_, PeerMisbehaved>(path));
        Ok(Ok(Request::Path(as_what(attributes), path)))
    }

    fn fsetstat(&mut self) -> Decoded<Request> {
        let handle = self.handle()?;
        let attributes = fit!(Attributes::read(&mut self.r));
        Ok(Ok(Request::Handle(OnHandle::Fsetstat(attributes), handle)))
    }

    fn read(&mut self) -> Result<Request, PeerMisbehaved> {
        let handle = self.handle()?;
        let (offset, length) = (self.r.u64()?, self.r.u32()?);
        Ok(Request::Handle(OnHandle::Read { offset, length }, handle))
    }

    fn write(&mut self) -> Result<Request, PeerMisbehaved> {
        let handle = self.handle()?;
        let offset = self.r.u64()?;
        let data = self.r.string("data", self.limits.frame_bytes_max)?;
        Ok(Request::Handle(OnHandle::Write { offset, data }, handle))
    }

    fn on_handle(&mut self, what: OnHandle) -> Result<Request, PeerMisbehaved> {
        Ok(Request::Handle(what, self.handle()?))
    }

    fn on_path(&mut self, what: OnPath) -> Decoded<Request> {
        Ok(self.path()?.map(|path| Request::Path(what, path)))
    }

    fn on_two(&mut self, what: OnTwo) -> Decoded<Request> {
        let (first, second) = (self.path()?, self.path()?);
        Ok(first.and_then(|first| second.map(|second| Request::Two(what, first, second))))
    }

    fn handle(&mut self) -> Result<Bytes, PeerMisbehaved> {
        self.r.string("handle", self.limits.handle_bytes_max)
    }

    fn path(&mut self) -> Decoded<String> {
        let raw = self.r.string("path", self.limits.frame_bytes_max)?;
        Ok(path(&raw, self.limits.path_bytes_max))
    }
}

/// A path as the gateway takes it: UTF-8 without NUL, so that what is judged and shown is what the target gets.
pub(super) fn path(raw: &[u8], max: usize) -> Result<String, Unfit> {
    if raw.len() > max {
        return Err(Unfit::PathTooLong);
    }
    match std::str::from_utf8(raw) {
        Ok(text) if !text.contains('\0') => Ok(text.to_owned()),
        _ => Err(Unfit::PathNotText),
    }
}

impl Request {
    /// Its name, as the draft or the extension has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        if let Some(extension) = self.extension() {
            return extension.name();
        }
        match self {
            Self::Path(what, _) => match what {
                OnPath::Open { .. } => "OPEN",
                OnPath::Lstat => "LSTAT",
                OnPath::Setstat(_) | OnPath::Lsetstat(_) => "SETSTAT",
                OnPath::Opendir => "OPENDIR",
                OnPath::Remove => "REMOVE",
                OnPath::Mkdir { .. } => "MKDIR",
                OnPath::Rmdir => "RMDIR",
                OnPath::Realpath => "REALPATH",
                OnPath::Readlink => "READLINK",
                OnPath::Stat | OnPath::Statvfs => "STAT",
            },
            Self::Two(OnTwo::Symlink, ..) => "SYMLINK",
            Self::Two(..) => "RENAME",
            Self::Handle(what, _) => match what {
                OnHandle::Close => "CLOSE",
                OnHandle::Read { .. } => "READ",
                OnHandle::Write { .. } => "WRITE",
                OnHandle::Fsetstat(_) => "FSETSTAT",
                OnHandle::Readdir => "READDIR",
                OnHandle::Fstat | OnHandle::Fstatvfs | OnHandle::Fsync => "FSTAT",
            },
            Self::Limits => "EXTENDED",
        }
    }

    /// The extension that it is of, if it is of one.
    #[must_use]
    pub const fn extension(&self) -> Option<Extension> {
        match self {
            Self::Path(OnPath::Lsetstat(_), _) => Some(Extension::Lsetstat),
            Self::Path(OnPath::Statvfs, _) => Some(Extension::Statvfs),
            Self::Two(OnTwo::PosixRename, ..) => Some(Extension::PosixRename),
            Self::Two(OnTwo::Hardlink, ..) => Some(Extension::Hardlink),
            Self::Handle(OnHandle::Fstatvfs, _) => Some(Extension::Fstatvfs),
            Self::Handle(OnHandle::Fsync, _) => Some(Extension::Fsync),
            Self::Limits => Some(Extension::Limits),
            _ => None,
        }
    }
}

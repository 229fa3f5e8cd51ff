//! Every reply of version 3, decoded into types (draft-ietf-secsh-filexfer-02, section 7). Never here: which request it
//! answers.

use super::attributes::Attributes;
use super::code::{self, Code};
use super::extensions::{Greeting, greeting};
use super::limits::Limits;
use super::read::{self, Reader};
use crate::{PeerMisbehaved, Side};
use bytes::{Bytes, BytesMut};

/// The figures of a file system (OpenSSH's PROTOCOL document, section 4.4).
pub const STATVFS_FIGURES: usize = 11;
/// The figures of a server's limits (section 4.8).
pub const LIMITS_FIGURES: usize = 4;

/// One entry of a directory, or the one answer to REALPATH and READLINK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name: any bytes, as the target's file system has them.
    pub name: Bytes,
    /// A line for people, as `ls -l` writes it.
    pub long: Bytes,
    /// Its attributes.
    pub attributes: Attributes,
}

/// A decoded reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// How the request ended.
    Status(Code, String),
    /// Something was opened.
    Handle(Bytes),
    /// A piece of a file.
    Data(Bytes),
    /// Names.
    Names(Vec<Name>),
    /// Attributes.
    Attributes(Attributes),
    /// What an extension answers: figures, as both modelled ones do.
    Figures(Vec<u64>),
}

impl Reply {
    /// Its name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Status(..) => "STATUS",
            Self::Handle(_) => "HANDLE",
            Self::Data(_) => "DATA",
            Self::Names(_) => "NAME",
            Self::Attributes(_) => "ATTRS",
            Self::Figures(_) => "EXTENDED_REPLY",
        }
    }
}

/// A whole frame of the target's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromTarget {
    /// The first one.
    Version(Greeting),
    /// Any other.
    Reply(u32, Reply),
}

/// Takes the next frame from the target, or nothing if it has not all arrived.
///
/// # Errors
/// When it is not a frame of version 3, has bytes too few or too many, or carries what is not modelled.
pub fn next(buf: &mut BytesMut, limits: &Limits) -> Result<Option<FromTarget>, PeerMisbehaved> {
    let Some(body) = read::frame(buf, Side::Target, limits.frame_bytes_max)? else {
        return Ok(None);
    };
    let mut r = Reader::new(Side::Target, "SFTP frame", body);
    let kind = r.u8()?;
    if kind == code::VERSION {
        let greeting = greeting(Side::Target, "VERSION", r.rest(), limits)?;
        return Ok(Some(FromTarget::Version(greeting)));
    }
    r.is(code::name(kind).ok_or(PeerMisbehaved::UnknownMessage {
        side: Side::Target,
        tag: kind,
    })?);
    let id = r.u32()?;
    let reply = match kind {
        code::STATUS => status(&mut r, limits)?,
        code::HANDLE => Reply::Handle(r.string("handle", limits.handle_bytes_max)?),
        code::DATA => Reply::Data(r.string("data", limits.frame_bytes_max)?),
        code::NAME => Reply::Names(names(&mut r, limits)?),
        code::ATTRS => Reply::Attributes(attributes(&mut r)?),
        code::EXTENDED_REPLY => Reply::Figures(figures(&mut r)?),
        _ => return Err(r.bad_value("type")),
    };
    r.finish()?;
    Ok(Some(FromTarget::Reply(id, reply)))
}

fn status(r: &mut Reader, limits: &Limits) -> Result<Reply, PeerMisbehaved> {
    let code = Code::of(r.u32()?);
    let text = r.string("text", limits.frame_bytes_max)?;
    let _language = r.string("language", limits.frame_bytes_max)?;
    Ok(Reply::Status(
        code,
        one_line(&String::from_utf8_lossy(&text), limits.text_bytes_max),
    ))
}

fn names(r: &mut Reader, limits: &Limits) -> Result<Vec<Name>, PeerMisbehaved> {
    // Two lengths and the flags of attributes: an entry has at least these.
    let count = r.long_count("names", limits.frame_bytes_max, 12)?;
    let mut names = Vec::with_capacity(count);
    for _ in 0..count {
        names.push(Name {
            name: r.string("name", limits.path_bytes_max)?,
            long: r.string("long name", limits.frame_bytes_max)?,
            attributes: attributes(r)?,
        });
    }
    Ok(names)
}

fn attributes(r: &mut Reader) -> Result<Attributes, PeerMisbehaved> {
    Attributes::read(r)?.map_err(|_| r.bad_value("attribute"))
}

fn figures(r: &mut Reader) -> Result<Vec<u64>, PeerMisbehaved> {
    let mut figures = Vec::with_capacity(STATVFS_FIGURES);
    while r.remaining() > 0 {
        if figures.len() >= STATVFS_FIGURES {
            return Err(r.too_many("figures", figures.len().saturating_add(1), STATVFS_FIGURES));
        }
        figures.push(r.u64()?);
    }
    Ok(figures)
}

/// A text on one line, cut to its maximum.
pub(super) fn one_line(text: &str, max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if line.len().saturating_add(c.len_utf8()) > max {
            break;
        }
        line.push(c);
    }
    line
}

//! Writes frames: requests for the target, replies for the client. Everything written came out of a frame within its
//! maximum or is bounded by the machine, so every length fits its field. Never here: what may be written to whom.

use super::attributes::Attributes;
use super::code::{self, Code};
use super::extensions::{Extension, VERSION, put_greeting};
use super::reply::Name;
use super::request::{OnHandle, OnPath, OnTwo, Request};
use bytes::{BufMut, BytesMut};

/// Writes one request.
pub fn request(out: &mut BytesMut, id: u32, request: &Request) {
    match request {
        Request::Path(what, path) => on_path(out, id, *what, path),
        Request::Two(what, first, second) => on_two(out, id, *what, first, second),
        Request::Handle(what, handle) => on_handle(out, id, what, handle),
        Request::Limits => extended(out, id, Extension::Limits, |_| ()),
    }
}

/// Writes the first frame of a client.
pub fn init(out: &mut BytesMut) {
    frame(out, code::INIT, |out| out.put_u32(VERSION));
}

/// Writes the first frame of a server.
pub fn version(out: &mut BytesMut, extensions: &[Extension]) {
    frame(out, code::VERSION, |out| put_greeting(out, extensions));
}

/// Writes how a request ended. The text's language is not told.
pub fn status(out: &mut BytesMut, id: u32, code: Code, text: &str) {
    with_id(out, code::STATUS, id, |out| {
        out.put_u32(code.number());
        put_string(out, text.as_bytes());
        put_string(out, b"");
    });
}

/// Writes a handle.
pub fn handle(out: &mut BytesMut, id: u32, handle: &[u8]) {
    with_id(out, code::HANDLE, id, |out| put_string(out, handle));
}

/// Writes a piece of a file.
pub fn data(out: &mut BytesMut, id: u32, data: &[u8]) {
    with_id(out, code::DATA, id, |out| put_string(out, data));
}

/// Writes names with their attributes.
pub fn names(out: &mut BytesMut, id: u32, names: &[Name]) {
    with_id(out, code::NAME, id, |out| {
        out.put_u32(length(names.len()));
        for name in names {
            put_string(out, &name.name);
            put_string(out, &name.long);
            name.attributes.write(out);
        }
    });
}

/// Writes attributes.
pub fn attributes(out: &mut BytesMut, id: u32, attributes: &Attributes) {
    with_id(out, code::ATTRS, id, |out| attributes.write(out));
}

/// Writes the figures of a file system, or limits.
pub fn figures(out: &mut BytesMut, id: u32, figures: &[u64]) {
    with_id(out, code::EXTENDED_REPLY, id, |out| {
        figures.iter().for_each(|figure| out.put_u64(*figure));
    });
}

fn on_path(out: &mut BytesMut, id: u32, what: OnPath, path: &str) {
    let path = path.as_bytes();
    let mut with = |kind, rest: &dyn Fn(&mut BytesMut)| {
        with_id(out, kind, id, |out| {
            put_string(out, path);
            rest(out);
        });
    };
    match what {
        OnPath::Open { flags, permissions } => with(code::OPEN, &|out| {
            out.put_u32(flags.bits());
            mode(permissions).write(out);
        }),
        OnPath::Lstat => with(code::LSTAT, &|_| ()),
        OnPath::Stat => with(code::STAT, &|_| ()),
        OnPath::Setstat(attributes) => with(code::SETSTAT, &|out| attributes.write(out)),
        OnPath::Opendir => with(code::OPENDIR, &|_| ()),
        OnPath::Remove => with(code::REMOVE, &|_| ()),
        OnPath::Mkdir { permissions } => with(code::MKDIR, &|out| mode(permissions).write(out)),
        OnPath::Rmdir => with(code::RMDIR, &|_| ()),
        OnPath::Realpath => with(code::REALPATH, &|_| ()),
        OnPath::Readlink => with(code::READLINK, &|_| ()),
        OnPath::Lsetstat(attributes) => extended(out, id, Extension::Lsetstat, |out| {
            put_string(out, path);
            attributes.write(out);
        }),
        OnPath::Statvfs => extended(out, id, Extension::Statvfs, |out| put_string(out, path)),
    }
}

fn on_two(out: &mut BytesMut, id: u32, what: OnTwo, first: &str, second: &str) {
    let both = |out: &mut BytesMut| {
        put_string(out, first.as_bytes());
        put_string(out, second.as_bytes());
    };
    match what {
        OnTwo::Rename => with_id(out, code::RENAME, id, both),
        OnTwo::Symlink => with_id(out, code::SYMLINK, id, both),
        OnTwo::PosixRename => extended(out, id, Extension::PosixRename, both),
        OnTwo::Hardlink => extended(out, id, Extension::Hardlink, both),
    }
}

fn on_handle(out: &mut BytesMut, id: u32, what: &OnHandle, handle: &[u8]) {
    let mut with = |kind, rest: &dyn Fn(&mut BytesMut)| {
        with_id(out, kind, id, |out| {
            put_string(out, handle);
            rest(out);
        });
    };
    match what {
        OnHandle::Close => with(code::CLOSE, &|_| ()),
        OnHandle::Read { offset, length } => with(code::READ, &|out| {
            out.put_u64(*offset);
            out.put_u32(*length);
        }),
        OnHandle::Write { offset, data } => with(code::WRITE, &|out| {
            out.put_u64(*offset);
            put_string(out, data);
        }),
        OnHandle::Fstat => with(code::FSTAT, &|_| ()),
        OnHandle::Fsetstat(attributes) => with(code::FSETSTAT, &|out| attributes.write(out)),
        OnHandle::Readdir => with(code::READDIR, &|_| ()),
        OnHandle::Fstatvfs => extended(out, id, Extension::Fstatvfs, |out| put_string(out, handle)),
        OnHandle::Fsync => extended(out, id, Extension::Fsync, |out| put_string(out, handle)),
    }
}

fn mode(permissions: Option<u32>) -> Attributes {
    Attributes {
        permissions,
        ..Attributes::default()
    }
}

fn extended(out: &mut BytesMut, id: u32, what: Extension, rest: impl FnOnce(&mut BytesMut)) {
    with_id(out, code::EXTENDED, id, |out| {
        put_string(out, what.name().as_bytes());
        rest(out);
    });
}

fn with_id(out: &mut BytesMut, kind: u8, id: u32, rest: impl FnOnce(&mut BytesMut)) {
    frame(out, kind, |out| {
        out.put_u32(id);
        rest(out);
    });
}

fn frame(out: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32(0);
    out.put_u8(kind);
    body(out);
    let written = out.len().saturating_sub(start).saturating_sub(4);
    if let Some(slot) = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut::<4>) {
        *slot = length(written).to_be_bytes();
    }
}

pub(super) fn put_string(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(length(bytes.len()));
    out.extend_from_slice(bytes);
}

/// See the module: it fits. Should it ever not, the peer refuses a frame of this length.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

//! A small SFTP server over a tree in memory: links are followed as a real one follows them. Handles are told apart, and
//! what it was asked is kept.

use crate::ssh::sftp::request::{self, FromClient, OnHandle, OnPath, OnTwo, Request};
use crate::ssh::sftp::{Attributes, Code, Extension, Limits, OpenFlags, encode, reply::Name};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, HashMap};

/// Its disk is small.
const FILE_BYTES_MAX: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Directory,
    File(Vec<u8>),
    Link(String),
}

struct Open {
    path: String,
    flags: OpenFlags,
    listed: bool,
}

pub struct Target {
    pub tree: BTreeMap<String, Node>,
    /// Every request, in order.
    pub asked: Vec<Request>,
    /// What it offers.
    pub extensions: Vec<Extension>,
    /// Its own limits.
    pub figures: [u64; 4],
    /// REALPATH takes a last name that is not there, as OpenSSH's does.
    pub lenient: bool,
    /// REALPATH leaves links in place.
    pub textual: bool,
    /// It gives no more bytes at once.
    pub piece: usize,
    open: HashMap<Bytes, Open>,
    opened: u32,
    input: BytesMut,
}

impl Target {
    pub fn new() -> Self {
        let mut tree = BTreeMap::new();
        for directory in ["/", "/home", "/home/u", "/home/u/dir", "/secret"] {
            tree.insert(directory.to_owned(), Node::Directory);
        }
        for (file, content) in [
            ("/home/u/a.txt", "hello world"),
            ("/home/u/dir/b.txt", "b"),
            ("/secret/key", "k"),
        ] {
            tree.insert(file.to_owned(), Node::File(content.as_bytes().to_vec()));
        }
        for (link, leads) in [
            ("/home/u/key", "/secret/key"),
            ("/home/u/up", "../u/dir"),
            ("/home/u/vault", "/secret"),
            ("/home/u/dead", "/nowhere/x"),
            ("/home/u/soon", "/secret/new"),
            ("/home/u/loop", "loop"),
        ] {
            tree.insert(link.to_owned(), Node::Link(leads.to_owned()));
        }
        Self {
            tree,
            asked: Vec::new(),
            extensions: Extension::ALL.to_vec(),
            figures: [0; 4],
            lenient: true,
            textual: false,
            piece: usize::MAX,
            open: HashMap::new(),
            opened: 0,
            input: BytesMut::new(),
        }
    }

    /// What was asked of it beside looks.
    pub fn done(&self) -> Vec<&Request> {
        let look = |r: &&Request| {
            !matches!(
                r,
                Request::Path(OnPath::Realpath | OnPath::Lstat, _) | Request::Limits
            )
        };
        self.asked.iter().filter(look).collect()
    }

    pub fn content(&self, path: &str) -> Option<&[u8]> {
        match self.tree.get(path) {
            Some(Node::File(content)) => Some(content),
            _ => None,
        }
    }

    /// Takes frames and gives the answers.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.input.extend_from_slice(bytes);
        let mut out = BytesMut::new();
        let limits = Limits::default();
        while let Some(frame) = request::next(&mut self.input, &limits).unwrap() {
            match frame {
                FromClient::Init(greeting) => {
                    assert_eq!(greeting.version, 3);
                    encode::version(&mut out, &self.extensions);
                }
                FromClient::Request(id, request) => {
                    let request = request.unwrap();
                    self.asked.push(request.clone());
                    self.answer(&mut out, id, request);
                }
            }
        }
        out.to_vec()
    }

    fn answer(&mut self, out: &mut BytesMut, id: u32, request: Request) {
        let ended = match request {
            Request::Limits => {
                encode::figures(out, id, &self.figures);
                return;
            }
            Request::Path(what, path) => self.on_path(out, id, what, &path),
            Request::Two(what, first, second) => self.on_two(what, &first, &second),
            Request::Handle(what, handle) => self.on_handle(out, id, what, &handle),
        };
        match ended {
            Ok(false) => {}
            Ok(true) => encode::status(out, id, Code::Ok, "Success"),
            Err(code) => encode::status(out, id, code, "No"),
        }
    }

    fn on_path(
        &mut self,
        out: &mut BytesMut,
        id: u32,
        what: OnPath,
        path: &str,
    ) -> Result<bool, Code> {
        match what {
            OnPath::Realpath => {
                let real = match (path, self.textual) {
                    (".", _) => "/home/u".to_owned(),
                    (path, true) => path.to_owned(),
                    (path, false) => self.real(path, self.lenient)?,
                };
                encode::names(out, id, &[name(&real, Attributes::default())]);
                return Ok(false);
            }
            OnPath::Lstat => {
                let real = self.place(path)?;
                encode::attributes(out, id, &self.attributes(&real)?);
                return Ok(false);
            }
            OnPath::Stat => {
                let real = self.real(path, false)?;
                encode::attributes(out, id, &self.attributes(&real)?);
                return Ok(false);
            }
            OnPath::Readlink => {
                let Some(Node::Link(text)) = self.tree.get(&self.place(path)?) else {
                    return Err(Code::Failure);
                };
                encode::names(out, id, &[name(text, Attributes::default())]);
                return Ok(false);
            }
            OnPath::Statvfs => {
                let _real = self.real(path, false)?;
                encode::figures(out, id, &[7; 11]);
                return Ok(false);
            }
            OnPath::Open { flags, .. } => {
                let real = self.real(path, flags.create)?;
                self.opens(out, id, real, flags)?;
                return Ok(false);
            }
            OnPath::Opendir => {
                let real = self.real(path, false)?;
                let flags = OpenFlags::default();
                let handle = self.handle(real, flags);
                encode::handle(out, id, &handle);
                return Ok(false);
            }
            OnPath::Setstat(attributes) => {
                let real = self.real(path, false)?;
                self.sets(&real, &attributes)?;
            }
            OnPath::Lsetstat(_) => {
                self.attributes(&self.place(path)?)?;
            }
            OnPath::Remove | OnPath::Rmdir => {
                let place = self.place(path)?;
                self.tree.remove(&place).ok_or(Code::NoSuchFile)?;
            }
            OnPath::Mkdir { .. } => {
                let place = self.place(path)?;
                self.makes(place, Node::Directory)?;
            }
        }
        Ok(true)
    }

    fn on_two(&mut self, what: OnTwo, first: &str, second: &str) -> Result<bool, Code> {
        let place = self.place(second)?;
        match what {
            OnTwo::Symlink => self.makes(place, Node::Link(first.to_owned()))?,
            OnTwo::Hardlink => {
                let node = self.tree.get(&self.place(first)?).cloned();
                self.makes(place, node.ok_or(Code::NoSuchFile)?)?;
            }
            OnTwo::Rename | OnTwo::PosixRename => {
                let from = self.place(first)?;
                if what == OnTwo::Rename && self.tree.contains_key(&place) {
                    return Err(Code::Failure);
                }
                let node = self.tree.remove(&from).ok_or(Code::NoSuchFile)?;
                self.tree.insert(place, node);
            }
        }
        Ok(true)
    }

    fn on_handle(
        &mut self,
        out: &mut BytesMut,
        id: u32,
        what: OnHandle,
        handle: &Bytes,
    ) -> Result<bool, Code> {
        if what == OnHandle::Close {
            self.open.remove(handle).ok_or(Code::Failure)?;
            return Ok(true);
        }
        let open = self.open.get_mut(handle).ok_or(Code::Failure)?;
        let path = open.path.clone();
        match what {
            OnHandle::Read { offset, length } => {
                assert!(open.flags.read);
                let all = self.content(&path).ok_or(Code::Failure)?;
                let from = usize::try_from(offset).unwrap().min(all.len());
                let to = (from + self.piece.min(length as usize)).min(all.len());
                if from == to {
                    return Err(Code::Eof);
                }
                encode::data(out, id, &all[from..to]);
                return Ok(false);
            }
            OnHandle::Write { offset, data } => {
                assert!(open.flags.write);
                let Some(Node::File(all)) = self.tree.get_mut(&path) else {
                    return Err(Code::Failure);
                };
                if offset > FILE_BYTES_MAX {
                    return Err(Code::Failure);
                }
                let at = usize::try_from(offset).unwrap();
                all.resize(all.len().max(at + data.len()), 0);
                all[at..at + data.len()].copy_from_slice(&data);
            }
            OnHandle::Fstat => {
                encode::attributes(out, id, &self.attributes(&path)?);
                return Ok(false);
            }
            OnHandle::Fsetstat(attributes) => self.sets(&path, &attributes)?,
            OnHandle::Readdir => {
                if std::mem::replace(&mut open.listed, true) {
                    return Err(Code::Eof);
                }
                let below = format!("{}/", path.trim_end_matches('/'));
                let names: Vec<Name> = self
                    .tree
                    .keys()
                    .filter_map(|p| p.strip_prefix(&below))
                    .filter(|n| !n.is_empty() && !n.contains('/'))
                    .map(|n| name(n, Attributes::default()))
                    .collect();
                encode::names(out, id, &names);
                return Ok(false);
            }
            OnHandle::Fstatvfs => {
                encode::figures(out, id, &[7; 11]);
                return Ok(false);
            }
            OnHandle::Fsync | OnHandle::Close => {}
        }
        Ok(true)
    }

    fn opens(
        &mut self,
        out: &mut BytesMut,
        id: u32,
        real: String,
        flags: OpenFlags,
    ) -> Result<(), Code> {
        match self.tree.get_mut(&real) {
            Some(Node::File(content)) if flags.truncate => content.clear(),
            Some(Node::File(_)) => {}
            Some(_) => return Err(Code::Failure),
            None if flags.create => self.makes(real.clone(), Node::File(Vec::new()))?,
            None => return Err(Code::NoSuchFile),
        }
        let handle = self.handle(real, flags);
        encode::handle(out, id, &handle);
        Ok(())
    }

    fn handle(&mut self, path: String, flags: OpenFlags) -> Bytes {
        self.opened += 1;
        let handle = Bytes::copy_from_slice(format!("t{}", self.opened).as_bytes());
        let open = Open {
            path,
            flags,
            listed: false,
        };
        self.open.insert(handle.clone(), open);
        handle
    }

    fn makes(&mut self, place: String, node: Node) -> Result<(), Code> {
        if self.tree.contains_key(&place) {
            return Err(Code::Failure);
        }
        self.tree.insert(place, node);
        Ok(())
    }

    fn sets(&mut self, path: &str, attributes: &Attributes) -> Result<(), Code> {
        match (self.tree.get_mut(path), attributes.size) {
            (None, _) => return Err(Code::NoSuchFile),
            (_, Some(size)) if size > FILE_BYTES_MAX => return Err(Code::Failure),
            (Some(Node::File(content)), Some(size)) => {
                content.resize(usize::try_from(size).unwrap(), 0);
            }
            _ => {}
        }
        Ok(())
    }

    fn attributes(&self, place: &str) -> Result<Attributes, Code> {
        let permissions = match self.tree.get(place).ok_or(Code::NoSuchFile)? {
            Node::Directory => 0o040_755,
            Node::File(_) => 0o100_644,
            Node::Link(_) => 0o120_777,
        };
        Ok(Attributes {
            permissions: Some(permissions),
            ..Attributes::default()
        })
    }
}

pub fn name(text: &str, attributes: Attributes) -> Name {
    let name = Bytes::copy_from_slice(text.as_bytes());
    Name {
        long: name.clone(),
        name,
        attributes,
    }
}

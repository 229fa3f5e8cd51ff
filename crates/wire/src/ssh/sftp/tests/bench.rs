//! A client that writes requests, the machine, a judge with one rule, and a target.

use super::gate::Gated;
use super::target::Target;
use crate::PeerMisbehaved;
use crate::ssh::sftp::reply::{self, FromTarget, Reply};
use crate::ssh::sftp::request::{OnHandle, OnPath, OnTwo, Request};
use crate::ssh::sftp::{Ask, Code, Event, FileDone, Limits, OpenFlags, Sftp, Verdict, encode};
use brattice_core::denial::{Code as Why, Denial};
use brattice_core::ids::ApprovalId;
use brattice_core::mask::Detector;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

pub const SECRET: &str = "/secret";

pub struct Bench {
    pub sftp: Sftp,
    pub gate: Gated,
    pub target: Target,
    /// What the gate was asked, as a line each.
    pub asks: Vec<String>,
    /// What goes on record.
    pub refused: Vec<String>,
    pub outcomes: Vec<(u64, Code)>,
    pub files: Vec<FileDone>,
    /// Everything the target said.
    pub answered: Vec<u8>,
    /// The stand-in says nothing: the script does.
    pub mute: bool,
    /// Nobody answers questions.
    pub silent: bool,
    /// What masks the content of what is opened.
    pub masks: Option<Arc<Detector>>,
    pub held: Option<Ask>,
    pub from_client: BytesMut,
    pub from_target: BytesMut,
    /// What the client has seen and no script has looked at.
    pub seen: BytesMut,
    pub written: Vec<u8>,
    id: u32,
}

impl Bench {
    /// After the opening.
    pub fn new() -> Self {
        let mut bench = Self::before(Target::new());
        bench.open();
        bench
    }

    pub fn with(target: Target) -> Self {
        let mut bench = Self::before(target);
        bench.open();
        bench
    }

    /// Before the opening.
    pub fn before(target: Target) -> Self {
        Self::limited(target, Limits::default(), 1 << 30)
    }

    pub fn limited(target: Target, limits: Limits, lane_bytes_max: u64) -> Self {
        Self {
            sftp: Sftp::new(limits),
            gate: Gated::new(lane_bytes_max),
            target,
            asks: Vec::new(),
            refused: Vec::new(),
            outcomes: Vec::new(),
            files: Vec::new(),
            answered: Vec::new(),
            mute: false,
            silent: false,
            masks: None,
            held: None,
            from_client: BytesMut::new(),
            from_target: BytesMut::new(),
            seen: BytesMut::new(),
            written: Vec::new(),
            id: 1_000,
        }
    }

    pub fn open(&mut self) {
        encode::init(&mut self.from_client);
        self.run().unwrap();
        let version = reply::next(&mut self.seen, &Limits::default()).unwrap();
        assert!(matches!(version, Some(FromTarget::Version(_))));
    }

    /// Sends a request and gives the client's id of it.
    pub fn send(&mut self, request: &Request) -> u32 {
        self.id += 1;
        encode::request(&mut self.from_client, self.id, request);
        self.id
    }

    /// Sends a request and gives its only answer.
    pub fn call(&mut self, request: &Request) -> Reply {
        let id = self.send(request);
        self.run().unwrap();
        let mut replies = self.replies();
        assert_eq!(replies.len(), 1, "{replies:?}");
        let (of, reply) = replies.remove(0);
        assert_eq!(of, id);
        reply
    }

    /// The code that a request ends with.
    pub fn code(&mut self, request: &Request) -> Code {
        match self.call(request) {
            Reply::Status(code, _) => code,
            other => panic!("{other:?}"),
        }
    }

    /// The text that it ends with.
    pub fn text(&mut self, request: &Request) -> String {
        match self.call(request) {
            Reply::Status(_, text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// Opens a file and gives the client's handle.
    pub fn opens(&mut self, path: &str, flags: u32) -> Bytes {
        match self.call(&open(path, flags)) {
            Reply::Handle(handle) => handle,
            other => panic!("{other:?}"),
        }
    }

    /// What the client was told since.
    pub fn replies(&mut self) -> Vec<(u32, Reply)> {
        let limits = Limits::default();
        std::iter::from_fn(|| reply::next(&mut self.seen, &limits).unwrap())
            .map(|frame| match frame {
                FromTarget::Reply(id, reply) => (id, reply),
                FromTarget::Version(_) => panic!("a second VERSION"),
            })
            .collect()
    }

    /// Runs until nothing moves.
    pub fn run(&mut self) -> Result<(), PeerMisbehaved> {
        loop {
            let unread = (self.from_client.len(), self.from_target.len());
            let mut moved = false;
            let result = self.sftp.client(&mut self.from_client);
            self.seen.extend_from_slice(&self.sftp.to_client.split());
            if let Some(event) = result? {
                moved = true;
                self.event(event);
            }
            let out = self.sftp.outbox.bytes().to_vec();
            self.sftp.outbox.advance(out.len());
            if !out.is_empty() {
                moved = true;
                self.written.extend_from_slice(&out);
                let answers = self.target.take(&out);
                if !self.mute {
                    self.answered.extend_from_slice(&answers);
                    self.from_target.extend_from_slice(&answers);
                }
            }
            let result = self.sftp.target(&mut self.from_target);
            self.seen.extend_from_slice(&self.sftp.to_client.split());
            if let Some(event) = result? {
                moved = true;
                self.event(event);
            }
            if !moved && unread == (self.from_client.len(), self.from_target.len()) {
                return Ok(());
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Ask(ask) => {
                let second = ask.second.as_deref().map(|s| format!(" {s}"));
                let second = second.unwrap_or_default();
                self.asks
                    .push(format!("{:?} {}{second}", ask.operation, ask.path));
                if self.silent {
                    self.held = Some(ask);
                } else {
                    self.judge(ask);
                }
            }
            Event::Refused { what, denial } => {
                self.refused.push(format!("{what}: {}", denial.reason));
            }
            Event::Outcome { ask, code } => self.outcomes.push((ask, code)),
            Event::FileDone(done) => self.files.push(done),
        }
    }

    /// Nothing below `/secret`.
    pub fn judge(&mut self, ask: Ask) {
        let forbidden = |path: &str| {
            let below = path.strip_prefix(SECRET);
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let names = [Some(&ask.path), ask.second.as_ref()];
        let verdict = if names.into_iter().flatten().any(|n| forbidden(n)) {
            Verdict::Deny(denial())
        } else {
            Verdict::Pass {
                cleared: self.gate.clear(ask.frame),
                lane: Some(self.gate.lane()),
                masks: self.masks.clone(),
            }
        };
        if let Some(event) = self.sftp.answer(verdict) {
            self.event(event);
        }
    }
}

pub fn denial() -> Denial {
    let mut denial = Denial::new(Why::Forbidden, "no-secrets", "this is\nsecret");
    denial.hint = Some("ask for something else".to_owned());
    denial.approval = Some(ApprovalId::from_bytes([7; 10]));
    denial.approval_url = Some("https://gateway/approvals/x".to_owned());
    denial
}

pub const READ: u32 = 1;
pub const WRITE: u32 = 2;
pub const APPEND: u32 = 4;
pub const CREATE: u32 = 8;
pub const TRUNCATE: u32 = 16;
pub const EXCLUSIVE: u32 = 32;

pub fn open(path: &str, flags: u32) -> Request {
    let flags = OpenFlags::of(flags).unwrap();
    on(
        OnPath::Open {
            flags,
            permissions: Some(0o644),
        },
        path,
    )
}

pub fn on(what: OnPath, path: &str) -> Request {
    Request::Path(what, path.to_owned())
}

pub fn two(what: OnTwo, first: &str, second: &str) -> Request {
    Request::Two(what, first.to_owned(), second.to_owned())
}

pub fn handle(what: OnHandle, handle: &Bytes) -> Request {
    Request::Handle(what, handle.clone())
}

pub fn read(of: &Bytes, offset: u64, length: u32) -> Request {
    handle(OnHandle::Read { offset, length }, of)
}

pub fn write(to: &Bytes, offset: u64, data: &[u8]) -> Request {
    let data = Bytes::copy_from_slice(data);
    handle(OnHandle::Write { offset, data }, to)
}

/// The machine's own ids of the last requests that it sent.
pub fn last_ids(b: &Bench, count: usize) -> Vec<u32> {
    let (mut ids, mut at) = (Vec::new(), 0);
    while let Some((length, _)) = b.written[at..].split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let id = b.written[at + 5..].first_chunk::<4>().unwrap();
        ids.push(u32::from_be_bytes(*id));
        at += 4 + length;
    }
    ids.split_off(ids.len() - count)
}

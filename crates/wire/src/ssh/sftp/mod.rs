//! SFTP version 3 between one client and one target: bytes in, bytes out, questions for the gate.
//!
//! Here live the codec (draft-ietf-secsh-filexfer-02; OpenSSH's PROTOCOL document for extensions) and the machine: what is
//! asked, what is forwarded once cleared, which reply belongs to what. Never here: sockets, clocks, verdicts. Every frame
//! for the target goes through [`Outbox`], which takes only what the gate cleared, what a lane of an opened file passed, and
//! a closed set of frames that the gateway makes itself.
//!
//! Names are settled by the target before anybody judges them (`settle`): what is judged is an absolute path without links,
//! and the frame that is forwarded carries that very path. One question is outstanding at a time, a look-up or a
//! judgement; what follows it from the client stays undecoded.

mod answer;
mod ask;
mod attributes;
mod client;
mod code;
mod content;
pub mod encode;
mod extensions;
mod files;
mod limits;
mod masked;
mod open_flags;
mod outbox;
mod path;
mod read;
mod refusal;
pub mod reply;
pub mod request;
mod settle;
mod stream;
mod target;

pub use answer::Verdict;
pub use ask::{Ask, Operation};
pub use attributes::{Attributes, Which};
pub use code::Code;
pub use content::Content;
pub use extensions::{Extension, Greeting, VERSION};
pub use files::FileDone;
pub use limits::Limits;
pub use masked::READ_BYTES_MAX as MASKED_READ_BYTES_MAX;
pub use open_flags::OpenFlags;
pub use outbox::Outbox;
pub use refusal::line_of;

use brattice_core::denial::Denial;
use bytes::{Bytes, BytesMut};
use files::{Files, Opening};
use masked::Window;
use outbox::Plumbing;
use refusal::Refusal;
use request::Request;
use settle::Settling;
use std::collections::HashMap;

/// What reading from either side came to.
#[derive(Debug)]
pub enum Event {
    /// Ask the gate, and give its answer to [`Sftp::answer`]. Until then nothing more is decoded from the client.
    Ask(Ask),
    /// Refused without asking; to be put on record. The client has been answered.
    Refused {
        /// What it was.
        what: &'static str,
        /// What the client was told.
        denial: Denial,
    },
    /// The target answered what was asked and passed: for the record.
    Outcome {
        /// The number of the question.
        ask: u64,
        /// How it ended; [`Code::Ok`] where the target sent what was wanted.
        code: Code,
    },
    /// A file was closed: for the record.
    FileDone(FileDone),
}

/// What was under way when the session ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Files that were open.
    pub files: Vec<FileDone>,
    /// Questions that passed and were forwarded, and whose outcome nobody knows, in order.
    pub unanswered: Vec<u64>,
    /// The question that was not decided.
    pub undecided: Option<u64>,
}

/// Where the opening stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The target owes its VERSION.
    Greeting,
    /// It owes so many answers to the gateway's first questions.
    Looking(u8),
    /// Requests may go.
    Ready,
    /// It is over.
    Ended,
}

/// What the target owes.
#[derive(Debug)]
enum Owed {
    /// Where relative paths begin.
    Start,
    /// Its own limits.
    Limits,
    /// The answer to a look-up.
    Look,
    /// A reply that the client waits for.
    Client(Owing),
}

#[derive(Debug)]
struct Owing {
    /// The client's own id.
    id: u32,
    /// The question it was, if it was one.
    ask: Option<u64>,
    wanted: Wanted,
}

/// Which reply a request can have, beside a STATUS that says no.
#[derive(Debug)]
enum Wanted {
    Status,
    Attributes,
    /// Entries of a directory.
    Entries,
    /// One name.
    Name,
    /// The figures of a file system.
    Statvfs,
    Handle(Box<Opening>),
    Data {
        file: u64,
        offset: u64,
        length: u32,
    },
    /// The same, of a file whose content is masked.
    Window(Box<Window>),
    Written {
        file: u64,
        bytes: u64,
    },
    Closed {
        file: u64,
    },
}

/// The one request that waits for a look-up or for the gate.
#[derive(Debug)]
enum Work {
    Settling {
        /// The client's own id.
        id: u32,
        request: Request,
        /// The first of its names, once that is settled.
        first: Option<String>,
        name: Settling,
    },
    Asked(Asked),
}

/// What the gate was asked about, to act on its answer.
#[derive(Debug)]
struct Asked {
    number: u64,
    /// The client's own id.
    id: u32,
    /// The id towards the target.
    own: u32,
    frame: Bytes,
    what: &'static str,
    then: Then,
}

/// What the target owes once it has passed.
#[derive(Debug)]
enum Then {
    /// A reply.
    Wants(Wanted),
    /// A handle; `None`: of a directory.
    Opens(String, Option<OpenFlags>),
}

/// The machine. See the module.
#[derive(Debug)]
pub struct Sftp {
    limits: Limits,
    stage: Stage,
    /// The client has sent its INIT.
    greeted: bool,
    /// It has been told the VERSION.
    introduced: bool,
    /// Modelled extensions that the target offers.
    extensions: Vec<Extension>,
    /// Where relative paths begin.
    start: String,
    read_bytes_max: usize,
    write_bytes_max: usize,
    owed: HashMap<u32, Owed>,
    /// How many of these are windows of files that are masked.
    windows: usize,
    last_id: u32,
    work: Option<Work>,
    asks: u64,
    files: Files,
    /// Bytes for the client.
    pub to_client: BytesMut,
    /// Frames for the target.
    pub outbox: Outbox,
}

impl Sftp {
    /// A machine for a channel that has just been opened to the target's SFTP server.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let mut outbox = Outbox::default();
        outbox.plumbing(Plumbing::Init);
        Self {
            stage: Stage::Greeting,
            greeted: false,
            introduced: false,
            extensions: Vec::new(),
            start: String::new(),
            read_bytes_max: limits.read_bytes_max,
            write_bytes_max: limits.write_bytes_max,
            owed: HashMap::new(),
            windows: 0,
            last_id: 0,
            work: None,
            asks: 0,
            files: Files::new(limits.early_bytes_max),
            to_client: BytesMut::new(),
            outbox,
            limits,
        }
    }

    /// Whether more from the client could be worked on now.
    #[must_use]
    pub fn wants_client(&self) -> bool {
        let opened = self.introduced || (!self.greeted && self.stage != Stage::Ended);
        opened
            && self.stage != Stage::Ended
            && self.work.is_none()
            && self.owed.len() < self.limits.outstanding_max
            && self.windows < masked::WINDOWS_MAX
            && self.outbox.bytes().len() < self.limits.outbox_bytes_max
            && self.to_client.len() < self.limits.to_client_bytes_max
    }

    /// Whether more from the target could be worked on now.
    #[must_use]
    pub fn wants_target(&self) -> bool {
        self.stage != Stage::Ended && self.to_client.len() < self.limits.to_client_bytes_max
    }

    /// Whether the gate is being asked.
    #[must_use]
    pub fn awaits_gate(&self) -> bool {
        matches!(self.work, Some(Work::Asked(_)))
    }

    /// Whether the target owes a reply.
    #[must_use]
    pub fn awaits_target(&self) -> bool {
        !self.owed.is_empty() || self.stage == Stage::Greeting
    }

    /// Ends the session: either side went, or it was cut. Nothing is read or forwarded any more.
    pub fn end(&mut self) -> Ended {
        self.stage = Stage::Ended;
        let mut unanswered: Vec<u64> = self
            .owed
            .drain()
            .filter_map(|(_, owed)| match owed {
                Owed::Client(owing) => owing.ask,
                _ => None,
            })
            .collect();
        unanswered.sort_unstable();
        let undecided = match self.work.take() {
            Some(Work::Asked(asked)) => Some(asked.number),
            _ => None,
        };
        Ended {
            files: self.files.drain(),
            unanswered,
            undecided,
        }
    }

    /// An id towards the target that nothing is owed for.
    fn id(&mut self) -> u32 {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if !self.owed.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }

    /// Answers a request with an error, without asking anybody.
    fn refuse(&mut self, id: u32, what: &'static str, refusal: Refusal) -> Event {
        let Refusal { code, denial } = refusal;
        self.tell(id, code, &denial);
        Event::Refused { what, denial }
    }

    fn tell(&mut self, id: u32, code: Code, denial: &Denial) {
        let line = line_of(denial, self.limits.text_bytes_max);
        encode::status(&mut self.to_client, id, code, &line);
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
mod tests;

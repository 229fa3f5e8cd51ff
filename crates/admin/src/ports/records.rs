//! The ports of questions, sessions and the audit log.
//!
//! Lives here: the traits, what they take and return. Never: an implementation, HTTP.

use super::Failed;
use brattice_core::approval::{Answer, Approval, ApprovalState};
use brattice_core::ids::{ApprovalId, Digest, Revision, SessionId};
use brattice_core::ports::BoxFuture;
use brattice_core::principal::Chain;
use brattice_core::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Which questions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalFilter {
    /// In this state alone.
    pub state: Option<ApprovalState>,
    /// About this target alone.
    pub target: Option<String>,
    /// At most so many, the newest first.
    pub limit: usize,
}

/// What became of an answer.
#[derive(Debug, Clone)]
pub enum Answered {
    /// It counts; this is the question with it.
    Counted(Approval),
    /// The question was no longer open; nothing changed.
    Closed(Approval),
    /// This person has answered before; nothing changed.
    Twice(Approval),
}

/// Questions to people.
pub trait ApprovalsApi: Send + Sync {
    /// Lists questions, the newest first.
    fn list<'a>(
        &'a self,
        filter: &'a ApprovalFilter,
    ) -> BoxFuture<'a, Result<Vec<Approval>, Failed>>;
    /// Reads one.
    fn get<'a>(&'a self, id: &'a ApprovalId) -> BoxFuture<'a, Result<Option<Approval>, Failed>>;
    /// Adds an answer and moves the question on, in one step; whoever waits for it is told. `None` if there is no such
    /// question.
    fn answer<'a>(
        &'a self,
        id: &'a ApprovalId,
        answer: Answer,
    ) -> BoxFuture<'a, Result<Option<Answered>, Failed>>;
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// Open on this gateway.
    Live,
    /// Ended in order.
    Closed,
    /// The gateway died under it.
    Interrupted,
}

/// A session as administrators see it.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// Where it stands.
    pub state: SessionState,
    /// Who, for whom.
    pub chain: Chain,
    /// The target.
    pub target: String,
    /// The target's labels.
    pub labels: BTreeMap<String, String>,
    /// The database, or what stands for it.
    pub place: String,
    /// The protocol's name.
    pub protocol: String,
    /// The caller's address.
    pub client: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Commands judged so far.
    pub commands: u64,
    /// Bytes sent to the caller so far.
    pub bytes_to_client: u64,
    /// The bundle it began under.
    pub revision: Revision,
    /// The question it waits for.
    pub holding: Option<ApprovalId>,
    /// Digest of the sealed recording.
    pub recording: Option<Digest>,
}

/// Which sessions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// In this state alone.
    pub state: Option<SessionState>,
    /// On this target alone.
    pub target: Option<String>,
    /// At most so many, the newest first.
    pub limit: usize,
}

/// One frame of a recording, for showing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayFrame {
    /// Its place in the recording, counted from 0.
    pub index: u64,
    /// When.
    pub at: Timestamp,
    /// What it holds: `command`, `parameters`, `input`, `output`, `verdict`, `outcome`.
    pub kind: &'static str,
    /// The session's command counter.
    pub command: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Some frames, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayPage {
    /// The frames, in order.
    pub frames: Vec<ReplayFrame>,
    /// The index to ask for next; `None` at the end of a sealed recording.
    pub next: Option<u64>,
}

/// A terminal that a command of a session runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalView {
    /// The command, by its number.
    pub command: u64,
    /// Its size, as `COLUMNSxROWS`.
    pub size: String,
}

/// What came of a session since one last looked. All of it is on record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Terminals as they were before the frames, where frames that told it are not here.
    pub terminals: Option<Vec<TerminalView>>,
    /// Frames that were left out, as whoever looks on is too slow for them.
    pub missed: u64,
    /// The frames, in order.
    pub frames: Vec<ReplayFrame>,
    /// Why the session ended, if it has; there will be no more then.
    pub ended: Option<String>,
}

/// A session that somebody looks on. Dropping it ends that, and is all that it takes.
pub trait Following: Send {
    /// Waits until something has come, and gives it; the first one comes at once, and may be empty. One that is given up
    /// before it is done ends the looking on.
    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Seen, Failed>>;
}

/// What came of the wish to look on.
pub enum Watch {
    /// One may.
    Open(Box<dyn Following>),
    /// The session is not open on this gateway.
    NotOpen,
    /// As many look on as may, at this session or at all of them.
    Full,
}

/// Sessions and their recordings.
pub trait SessionsApi: Send + Sync {
    /// Lists sessions, the newest first.
    fn list<'a>(
        &'a self,
        filter: &'a SessionFilter,
    ) -> BoxFuture<'a, Result<Vec<SessionView>, Failed>>;
    /// Reads one.
    fn get<'a>(&'a self, id: &'a SessionId) -> BoxFuture<'a, Result<Option<SessionView>, Failed>>;
    /// Cuts it: the caller's connection closes, a running command is cancelled. False if it was not open.
    fn end<'a>(&'a self, id: &'a SessionId, reason: &'a str)
    -> BoxFuture<'a, Result<bool, Failed>>;
    /// Frames of the recording from an index on, at most so many and so many bytes. `None` if there is no recording.
    fn replay<'a>(
        &'a self,
        id: &'a SessionId,
        from: u64,
        frames_max: usize,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Option<ReplayPage>, Failed>>;
    /// Begins to look on, from now or with all that was recorded so far. Never makes the session wait.
    fn watch<'a>(
        &'a self,
        id: &'a SessionId,
        from_start: bool,
    ) -> BoxFuture<'a, Result<Watch, Failed>>;
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditLine {
    /// Its position in the node's chain.
    pub position: u64,
    /// The entry as it was hashed, in JSON.
    pub entry: serde_json::Value,
}

/// A file of the audit log: a segment, the signed heads, or the public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFile {
    /// Its name, without a directory.
    pub name: String,
    /// How long it is now; segments and heads only grow.
    pub bytes: u64,
}

/// The audit log, for reading.
pub trait AuditApi: Send + Sync {
    /// Entries from a position on, at most so many. Waits up to `wait` when there is none yet.
    fn read<'a>(
        &'a self,
        from: u64,
        limit: usize,
        wait: Duration,
    ) -> BoxFuture<'a, Result<Vec<AuditLine>, Failed>>;
    /// How many entries there are.
    fn entries(&self) -> Result<u64, Failed>;
    /// Signs a head that vouches for every entry there is.
    fn vouch<'a>(&'a self) -> BoxFuture<'a, Result<(), Failed>>;
    /// The files that offline verification needs. No head of the listed length vouches for an entry beyond the listed
    /// lengths of the segments.
    fn files<'a>(&'a self) -> BoxFuture<'a, Result<Vec<AuditFile>, Failed>>;
    /// Bytes of one of those files from an offset on; `None` if there is no such file.
    fn file<'a>(
        &'a self,
        name: &'a str,
        offset: u64,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, Failed>>;
}

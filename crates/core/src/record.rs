//! What a recording is made of: the stream of a session as the agent saw it.
//!
//! Lives here: frames and the header. Never: files, compression, encryption (the store's).

use crate::ids::{Revision, SessionId};
use crate::principal::Chain;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Who and what a recording is of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Header {
    /// The session.
    pub session: SessionId,
    /// Who, for whom.
    pub chain: Chain,
    /// The target's name.
    pub target: String,
    /// The database, or what stands for it.
    pub place: String,
    /// The protocol's name.
    pub protocol: String,
    /// The caller's address.
    pub client: String,
    /// When it began.
    pub started_at: Timestamp,
    /// The bundle it began under.
    pub revision: Revision,
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum FrameKind {
    /// A command the caller sent, as text: judged and forwarded.
    Command = 1,
    /// Parameter values of the command before, in the protocol's encoding.
    Parameters = 2,
    /// Bytes the caller sent inside a command (COPY data).
    Input = 3,
    /// Bytes the caller received, in the protocol's encoding.
    Output = 4,
    /// A verdict other than allow, as JSON.
    Verdict = 5,
    /// How a command ended: the command tag or SQLSTATE, or a program's exit status or signal.
    Outcome = 6,
    /// Bytes that a program wrote to its stream of errors.
    Errors = 7,
    /// The size of the terminal from here on, as `COLUMNSxROWS`.
    Terminal = 8,
    /// What was moved of a file: JSON with its path, and bytes and SHA-256 each way.
    File = 9,
}

/// One piece of a recording.
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: FrameKind,
    /// The session's command counter, which the audit log's intents carry as `sequence`.
    pub command: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

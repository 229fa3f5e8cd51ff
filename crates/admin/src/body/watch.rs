//! What is told to somebody who looks on at a session.

use super::{FrameBody, SessionBody};
use crate::ports::TerminalView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A terminal that a command of a session runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TerminalBody {
    /// The command, by its number.
    pub command: u64,
    /// Its size, as `COLUMNSxROWS`.
    pub size: String,
}

impl From<&TerminalView> for TerminalBody {
    fn from(t: &TerminalView) -> Self {
        Self {
            command: t.command,
            size: t.size.clone(),
        }
    }
}

/// One line for somebody who looks on. The first is always `session`; one that says `ended` or `stopped` is the last, and
/// where none does, the connection broke off. More kinds may come: whoever does not know one passes over it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum WatchBody {
    /// What is looked on at.
    Session {
        /// The session.
        session: Box<SessionBody>,
        /// The terminals of commands that run now; empty where the frames from the start tell it.
        terminals: Vec<TerminalBody>,
    },
    /// A frame. It is on record.
    Frame(FrameBody),
    /// Frames were left out, as they were not read fast enough; the recording has them.
    Missed {
        /// How many.
        frames: u64,
        /// The terminals of commands that run now.
        terminals: Vec<TerminalBody>,
    },
    /// Nothing has come for a while.
    Quiet,
    /// The session has ended.
    Ended {
        /// Why.
        reason: String,
    },
    /// There is no more to see here, though the session may go on.
    Stopped {
        /// Why, for machines: the code that a request would be refused with now, or `too_slow`, `stopping`.
        code: String,
        /// Why.
        detail: String,
    },
}

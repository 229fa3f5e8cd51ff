//! A PostgreSQL session after login, between one client and one target: bytes in, bytes out, questions for the gate.
//!
//! Here lives the order of messages: what is asked, what is forwarded once cleared, which reply belongs to what. Never
//! here: sockets, clocks, verdicts. Every frame for the target goes through [`Outbox`], which takes only what the gate
//! cleared and the closed set of [`Plumbing`].
//!
//! One judgement is outstanding at a time; what follows stays undecoded. A pipeline begins only when the one before
//! was answered, so the transaction status at its start is known.

mod answer;
mod client;
mod copy;
mod expect;
mod look;
mod names;
mod outbox;
mod refusal;
mod rows;
mod target;
mod words;

pub use outbox::{Outbox, Plumbing};
pub use refusal::{error_of, fatal_of};
pub use target::TargetFault;

use crate::Limits;
use brattice_core::denial::Denial;
use brattice_core::gate::{Held, Lane, Look, Names, Portal, Rows, Tx};
use brattice_core::mask::{Detector, Tally};
use brattice_core::ports::{RecordFailed, Recorder};
use brattice_core::record::{Frame, FrameKind};
use brattice_core::time::Timestamp;
use brattice_core::usage::Portion;
use bytes::{Bytes, BytesMut};
use expect::Expect;
use rows::RowShow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, OnceLock};

/// What reading from the client came to.
#[derive(Debug)]
pub enum Step {
    /// Nothing whole to read, or nothing may be read now.
    Nothing,
    /// Ask the gate.
    Ask(Held),
    /// Refused for everyone, without asking; to be put on record. The client has been answered.
    Refused {
        /// What it was.
        what: &'static str,
        /// What the client was told.
        denial: Denial,
    },
    /// The client says goodbye.
    Goodbye,
}

/// What a look through the session's own connection brought.
#[derive(Debug)]
pub struct Looked {
    /// The command that waits for it; `None` for the look a session begins with.
    pub held: Option<Held>,
    /// What was looked for.
    pub look: Look,
    /// What was found.
    pub rows: Rows,
}

/// Where the client's side stands.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Mode {
    /// Between commands.
    Boundary,
    /// Extended messages were sent and no Sync yet.
    Pipeline,
    /// An error ended the pipeline; everything up to Sync is dropped, as the target does.
    Skipping,
}

/// What the gate was asked about, to act on its answer.
#[derive(Debug)]
enum Asked {
    Query {
        text: Bytes,
    },
    Parse {
        name: Bytes,
        prepared: Arc<brattice_core::gate::Prepared>,
    },
    Bind {
        portal: Bytes,
        prepared: Arc<brattice_core::gate::Prepared>,
        parameters: Bytes,
    },
    Execute {
        state: Arc<PortalState>,
    },
    Sync,
}

impl Asked {
    /// The statement that it is about.
    fn text(&self) -> &[u8] {
        match self {
            Asked::Query { text } => text,
            Asked::Parse { prepared, .. } | Asked::Bind { prepared, .. } => &prepared.text,
            Asked::Execute { state } => &state.portal.prepared.text,
            Asked::Sync => &[],
        }
    }
}

/// A portal and how its rows are shown, known once it was described.
#[derive(Debug)]
struct PortalState {
    portal: Arc<Portal>,
    show: OnceLock<RowShow>,
}

/// COPY data on its way to the target.
#[derive(Debug)]
struct CopyIn {
    lane: Lane,
    number: u64,
}

/// The machine. See the module.
#[derive(Debug)]
pub struct Machine {
    limits: Limits,
    detector: Arc<Detector>,
    names: Arc<Names>,
    portals: HashMap<Bytes, Arc<PortalState>>,
    expect: VecDeque<Expect>,
    tx: Tx,
    mode: Mode,
    asked: Option<Asked>,
    /// Something was forwarded since the last Sync.
    mid_pipeline: bool,
    /// Cursors declared so far.
    declared: usize,
    /// Something was sent that changes names; until the target has said so nothing more is read.
    settling: bool,
    /// A COPY FROM STDIN was forwarded; the client waits for the target's word.
    copy_expected: bool,
    copy_in: Option<CopyIn>,
    /// The right to stream, cleared with a COPY that has not begun yet.
    lane: Option<Lane>,
    /// Masked columns were in reach of something that this transaction did.
    masked_in_reach: bool,
    look_closes: u8,
    looking: Option<(Option<Held>, Look)>,
    /// How statements bound lately were shown.
    shows: VecDeque<target::KnownShow>,
    /// Mask notices already given in this session.
    noticed: HashSet<String>,
    /// Bytes for the client.
    pub to_client: BytesMut,
    /// Frames for the target.
    pub outbox: Outbox,
    scratch_cell: Vec<u8>,
    /// What the detectors found in this session.
    tally: Tally,
    /// What the caller received, and what was changed, since this was last taken.
    used: Portion,
    /// Where in `to_client` the last read from the target begins, and of which command it was.
    shown_from: usize,
    shown_of: u64,
    ended: bool,
}

/// Mask notices remembered; beyond it they are given again.
const NOTICED_MAX: usize = 256;

impl Machine {
    /// A machine for a session that has just logged in to its target.
    pub fn new(limits: Limits, detector: Arc<Detector>) -> Self {
        Self {
            limits,
            detector,
            names: Arc::default(),
            portals: HashMap::new(),
            expect: VecDeque::new(),
            tx: Tx::Idle,
            mode: Mode::Boundary,
            asked: None,
            mid_pipeline: false,
            declared: 0,
            settling: false,
            copy_expected: false,
            copy_in: None,
            lane: None,
            masked_in_reach: false,
            look_closes: 0,
            looking: None,
            shows: VecDeque::new(),
            noticed: HashSet::new(),
            to_client: BytesMut::new(),
            outbox: Outbox::default(),
            scratch_cell: Vec::new(),
            tally: Tally::default(),
            used: Portion::default(),
            shown_from: 0,
            shown_of: 0,
            ended: false,
        }
    }

    /// The named statements, for the gate.
    pub fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// Whether nothing is under way: no reply is awaited, no judgement, no transaction.
    pub fn is_idle(&self) -> bool {
        self.expect.is_empty()
            && self.asked.is_none()
            && self.mode == Mode::Boundary
            && self.tx == Tx::Idle
    }

    /// Whether the target is at work for this session.
    pub fn awaits_target(&self) -> bool {
        !self.expect.is_empty()
    }

    /// Whether more from the client could be worked on now.
    pub fn wants_client(&self) -> bool {
        self.may_read()
    }

    /// Whether a judgement is outstanding.
    pub fn awaits_gate(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether the session ended itself: what is in `to_client` is its last word.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Ends the session with an error that the client can read.
    pub fn end(&mut self, denial: &Denial) {
        if !self.ended {
            crate::postgres::reply::error(&mut self.to_client, &refusal::fatal_of(denial));
            self.ended = true;
        }
    }
}

/// Records a frame with the session's clock.
fn note(
    recorder: &mut dyn Recorder,
    at: Timestamp,
    kind: FrameKind,
    command: u64,
    bytes: &[u8],
) -> Result<(), RecordFailed> {
    recorder.frame(Frame {
        at,
        kind,
        command,
        bytes,
    })
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
mod tests;

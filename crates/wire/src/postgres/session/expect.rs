//! Which replies the target still owes, in order, and what is undone if it fails or skips one.
//!
//! Here lives the queue's element. Never here: how a reply is shown.

use super::PortalState;
use super::names::Change;
use super::rows::RowShow;
use crate::postgres::NameKind;
use brattice_core::classify::sql::Direction;
use brattice_core::denial::Denial;
use brattice_core::gate::{Prepared, Results};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// One awaited reply.
#[derive(Debug)]
pub(super) enum Expect {
    /// A simple query, up to its ReadyForQuery.
    Query {
        run: Run,
        results: Option<Arc<Results>>,
        step: usize,
    },
    /// ParseComplete. `before` is what the name meant until now.
    Parse {
        name: Bytes,
        before: Option<Arc<Prepared>>,
    },
    /// BindComplete. `before` is the portal the name meant until now.
    Bind {
        portal: Bytes,
        before: Option<Arc<PortalState>>,
    },
    /// The description of a portal that the gateway asked for itself.
    OwnDescribe { state: Arc<PortalState> },
    /// A description the client asked for.
    Describe { kind: NameKind },
    /// The rows and the end of an Execute.
    Execute { run: Run, state: Arc<PortalState> },
    /// CloseComplete.
    Close {
        kind: NameKind,
        name: Bytes,
        statement: Option<Arc<Prepared>>,
        portal: Option<Arc<PortalState>>,
    },
    /// ReadyForQuery.
    Sync,
    /// The error of a statement that fails in place of a refused one; `None`: the target's own error is shown.
    Instead {
        denial: Option<Denial>,
        as_query: bool,
    },
    /// The replies to the gateway's own reads: results so far, and whether a Sync closes them.
    Look {
        texts: usize,
        rows: Vec<Vec<Vec<Option<Bytes>>>>,
        ready: bool,
    },
}

/// A command that is running: what its replies change and how they are shown.
#[derive(Debug)]
pub(super) struct Run {
    pub number: u64,
    pub changes: VecDeque<Change>,
    /// For each statement of the message: the COPY it is, if it is one.
    pub copies: Vec<Option<brattice_core::classify::sql::Copy>>,
    pub show: Option<RowShow>,
    pub copy: Option<brattice_core::mask::CopyMasker>,
    /// What its answers may show, errors too.
    pub results: Option<Arc<Results>>,
}

impl Run {
    /// Whether this statement of the message is a COPY from the client.
    pub fn copies_in(&self, step: usize) -> bool {
        let copy = self.copies.get(step).and_then(Option::as_ref);
        copy.is_some_and(|c| c.direction == Direction::In)
    }
}

//! The session's statement names: one map for the protocol's and for SQL's own.
//!
//! Here lives what changes it. Never here: what a statement does.

use super::Machine;
use brattice_core::classify::sql::{Command, Consequence};
use brattice_core::gate::Prepared;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// What running a statement does to the map, once its tag comes back.
#[derive(Debug)]
pub(super) enum Change {
    Prepares(Bytes, Arc<Prepared>),
    Deallocates(Bytes),
    DeallocatesAll,
}

/// The changes of a command, in the order of its statements.
pub(super) fn changes(
    command: &Command,
    prepares: Vec<(Bytes, Arc<Prepared>)>,
) -> VecDeque<Change> {
    let mut prepares = prepares.into_iter();
    command
        .consequences
        .iter()
        .filter_map(|c| match c {
            Consequence::Prepares { .. } => {
                prepares.next().map(|(name, p)| Change::Prepares(name, p))
            }
            Consequence::Deallocates(name) => {
                Some(Change::Deallocates(Bytes::copy_from_slice(name.as_bytes())))
            }
            Consequence::DeallocatesAll => Some(Change::DeallocatesAll),
            _ => None,
        })
        .collect()
}

/// Whether a command tag reports a change of the map.
fn is_change(tag: &[u8]) -> bool {
    matches!(
        tag,
        b"PREPARE" | b"DEALLOCATE" | b"DEALLOCATE ALL" | b"DISCARD ALL"
    )
}

impl Machine {
    /// Applies the next change when its tag arrives.
    pub(super) fn completed(&mut self, tag: &[u8], changes: &mut VecDeque<Change>) {
        if !is_change(tag) {
            return;
        }
        match changes.pop_front() {
            Some(Change::Prepares(name, prepared)) => {
                Arc::make_mut(&mut self.names).insert(name, prepared);
            }
            Some(Change::Deallocates(name)) => {
                Arc::make_mut(&mut self.names).remove(&name);
            }
            Some(Change::DeallocatesAll) | None => Arc::make_mut(&mut self.names).clear(),
        }
    }

    pub(super) fn set_name(
        &mut self,
        name: Bytes,
        prepared: Option<Arc<Prepared>>,
    ) -> Option<Arc<Prepared>> {
        let names = Arc::make_mut(&mut self.names);
        match prepared {
            Some(p) => names.insert(name, p),
            None => names.remove(&name),
        }
    }

    pub(super) fn set_portal(
        &mut self,
        name: Bytes,
        state: Option<Arc<super::PortalState>>,
    ) -> Option<Arc<super::PortalState>> {
        match state {
            Some(s) => self.portals.insert(name, s),
            None => self.portals.remove(&name),
        }
    }
}

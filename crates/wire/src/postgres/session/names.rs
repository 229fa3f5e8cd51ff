//! The session's names: one map for the protocol's statements and SQL's own, and one space for portals and cursors.
//!
//! Here lives what changes them. Never here: what a statement does.
//!
//! What SQL does to a statement's name is known when its tag comes back; until then nothing that follows is read, so that no
//! name is judged as what it was. A cursor may be open from when its DECLARE is sent, and is closed when a tag says so.

use super::Machine;
use brattice_core::classify::sql::{Command, Consequence};
use brattice_core::gate::{Cursor, Names, Passed, Prepared};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// What running a statement does to the names, once its tag comes back.
#[derive(Debug)]
pub(super) enum Change {
    Prepares(Bytes, Arc<Prepared>),
    Deallocates(Bytes),
    DeallocatesAll,
    /// Of the cursors that were declared before, those of this name.
    Closes(Bytes, usize),
    /// Of the cursors that were declared before, all.
    ClosesAll(usize),
}

impl Change {
    /// The tag that reports it. DISCARD ALL reports all that it does.
    fn is_reported_by(&self, tag: &[u8]) -> bool {
        let own: &[u8] = match self {
            Change::Prepares(..) => b"PREPARE",
            Change::Deallocates(_) => b"DEALLOCATE",
            Change::DeallocatesAll => b"DEALLOCATE ALL",
            Change::Closes(..) => b"CLOSE CURSOR",
            Change::ClosesAll(_) => b"CLOSE CURSOR ALL",
        };
        tag == own
            || (tag == b"DISCARD ALL"
                && matches!(self, Change::DeallocatesAll | Change::ClosesAll(_)))
    }

    fn apply(self, names: &mut Names) {
        match self {
            Change::Prepares(name, prepared) => {
                names.statements.insert(name, prepared);
            }
            Change::Deallocates(name) => {
                names.statements.remove(&name);
            }
            Change::DeallocatesAll => names.statements.clear(),
            Change::Closes(name, before) => close(names, before, |c| c.name == name),
            Change::ClosesAll(before) => close(names, before, |_| true),
        }
    }
}

fn close(names: &mut Names, before: usize, closed: impl Fn(&Cursor) -> bool) {
    names.cursors.retain(|c| c.number >= before || !closed(c));
}

/// Whether a command tag reports a change of names.
fn is_change(tag: &[u8]) -> bool {
    matches!(
        tag,
        b"PREPARE"
            | b"DEALLOCATE"
            | b"DEALLOCATE ALL"
            | b"DISCARD ALL"
            | b"CLOSE CURSOR"
            | b"CLOSE CURSOR ALL"
    )
}

impl Machine {
    /// The changes of a command that is being sent, in the order of its statements. The cursors that it declares may be
    /// open from now on.
    pub(super) fn changes(&mut self, command: &Command, passed: &mut Passed) -> VecDeque<Change> {
        let mut prepares = std::mem::take(&mut passed.prepares).into_iter();
        let mut declares = std::mem::take(&mut passed.declares).into_iter();
        let mut changes = VecDeque::new();
        for consequence in &command.consequences {
            changes.extend(match consequence {
                Consequence::Prepares { .. } => {
                    prepares.next().map(|(name, p)| Change::Prepares(name, p))
                }
                Consequence::Deallocates(name) => {
                    Some(Change::Deallocates(Bytes::copy_from_slice(name.as_bytes())))
                }
                Consequence::DeallocatesAll => Some(Change::DeallocatesAll),
                Consequence::Declares { .. } => {
                    if let Some(mut cursor) = declares.next() {
                        cursor.number = self.declared;
                        self.declared += 1;
                        Arc::make_mut(&mut self.names).cursors.push(cursor);
                    }
                    None
                }
                Consequence::Closes(name) => {
                    let name = Bytes::copy_from_slice(name.as_bytes());
                    Some(Change::Closes(name, self.declared))
                }
                Consequence::ClosesAll => Some(Change::ClosesAll(self.declared)),
                _ => None,
            });
        }
        changes
    }

    /// Applies what a tag reports. A tag that reports what was not foreseen leaves no statement known.
    pub(super) fn completed(&mut self, tag: &[u8], changes: &mut VecDeque<Change>) {
        if !is_change(tag) {
            return;
        }
        let names = Arc::make_mut(&mut self.names);
        let mut foreseen = false;
        while let Some(change) = changes.pop_front_if(|change| change.is_reported_by(tag)) {
            foreseen = true;
            change.apply(names);
            if tag != b"DISCARD ALL" {
                break;
            }
        }
        if !foreseen {
            names.statements.clear();
        }
    }

    /// Outside any transaction only cursors are open that were declared to outlive theirs, and no portal.
    pub(super) fn transaction_over(&mut self) {
        self.portals.clear();
        let ends =
            |names: &Names| !names.portals.is_empty() || names.cursors.iter().any(|c| !c.hold);
        if ends(&self.names) {
            let names = Arc::make_mut(&mut self.names);
            names.portals.clear();
            names.cursors.retain(|c| c.hold);
        }
    }

    pub(super) fn set_name(
        &mut self,
        name: Bytes,
        prepared: Option<Arc<Prepared>>,
    ) -> Option<Arc<Prepared>> {
        let statements = &mut Arc::make_mut(&mut self.names).statements;
        match prepared {
            Some(p) => statements.insert(name, p),
            None => statements.remove(&name),
        }
    }

    pub(super) fn set_portal(
        &mut self,
        name: Bytes,
        state: Option<Arc<super::PortalState>>,
    ) -> Option<Arc<super::PortalState>> {
        if !name.is_empty() {
            let portals = &mut Arc::make_mut(&mut self.names).portals;
            match &state {
                Some(_) => portals.insert(name.clone()),
                None => portals.remove(&name),
            };
        }
        match state {
            Some(s) => self.portals.insert(name, s),
            None => self.portals.remove(&name),
        }
    }
}

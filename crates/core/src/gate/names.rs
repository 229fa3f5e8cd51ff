//! The names that a session gave: statements, portals and cursors, and what may be behind each.
//!
//! Lives here: what a name was understood to mean when it was given, and whether it still means that. Never: the protocol
//! that gives names.
//!
//! PostgreSQL has one space of names for statements, whether Parse or PREPARE gave them, and one for portals and cursors. It
//! binds a name to relations when it is given, and may or may not bind anew when it is used: a statement that would be
//! understood otherwise now than then is refused unless the server must have bound it anew.

use super::held::What;
use crate::action::{Effect, Object};
use crate::classify::sql::catalogue::{Catalogue, SearchPath};
use crate::classify::sql::{Command, Consequence};
use crate::denial::{Code, Denial};
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Search paths under which one statement may be used; the server binds it anew for each.
const PATHS_MAX: usize = 8;

/// Cursors that may be open in a session.
const CURSORS_MAX: usize = 1000;

/// What a session has names for.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Statements. Exact: what SQL does to one is known before anything after it is judged.
    pub statements: HashMap<Bytes, Arc<Prepared>>,
    /// Portals that the protocol named; at least those that are open.
    pub portals: HashSet<Bytes>,
    /// Cursors that SQL declared; at least those that are open. No name is both a portal's and a cursor's.
    pub cursors: Vec<Cursor>,
}

/// A statement that can be executed by name.
#[derive(Debug)]
pub struct Prepared {
    /// Its text, exactly as forwarded.
    pub text: Bytes,
    /// Parameter types as the client declared them.
    pub types: Vec<u32>,
    meant: Mutex<Vec<(Arc<SearchPath>, Arc<Command>)>>,
}

/// A cursor, by the statement that declared it.
#[derive(Debug, Clone)]
pub struct Cursor {
    /// Its name.
    pub name: Bytes,
    /// The whole DECLARE.
    pub text: Bytes,
    /// Its place among the cursors that the session declared.
    pub number: usize,
    /// It outlives its transaction.
    pub hold: bool,
    /// What fetching from it was understood to do when it was declared. It is never bound anew.
    pub command: Arc<Command>,
}

impl Names {
    /// Why a command may not be given: a name of its would be a portal's and a cursor's at once, or there are too many.
    pub(super) fn refuse(&self, what: &What, command: &Command) -> Option<Denial> {
        if let What::Bind { portal, .. } = what
            && self.cursors.iter().any(|c| c.name == portal)
        {
            return Some(taken("cursor", portal));
        }
        for consequence in &command.consequences {
            if let Consequence::Declares { name, .. } = consequence {
                if self.portals.contains(name.as_bytes()) {
                    return Some(taken("portal", name.as_bytes()));
                }
                if self.cursors.len() >= CURSORS_MAX {
                    let why = "too many cursors in this session";
                    let denial = Denial::new(Code::TooLarge, "brattice.protocol", why);
                    return Some(denial.hint("close those that are not needed"));
                }
            }
        }
        None
    }

    /// The cursors that may be behind a name, where they were all declared by the same words: else none is taken.
    pub(super) fn cursors(&self, name: &str) -> Vec<&Cursor> {
        let known = self.cursors.iter().filter(|c| c.name == name.as_bytes());
        let known: Vec<&Cursor> = known.collect();
        let same = known.windows(2).all(|w| match w {
            [a, b] => a.text == b.text,
            _ => true,
        });
        if same { known } else { Vec::new() }
    }
}

fn taken(by: &str, name: &[u8]) -> Denial {
    let name = String::from_utf8_lossy(name);
    let why = format!("{by} \"{name}\" already exists, or may");
    Denial::new(Code::Unknown, "brattice.protocol", why).hint("choose another name")
}

/// It would be judged as something else than the server may run.
pub(super) fn rebound() -> Denial {
    let why = "names in this statement meant something else when it was prepared";
    Denial::new(Code::NotSupported, "brattice.names", why).hint("prepare it again")
}

impl Prepared {
    /// A statement that was not understood yet.
    pub fn new(text: Bytes, types: Vec<u32>) -> Self {
        Self {
            text,
            types,
            meant: Mutex::default(),
        }
    }

    /// Remembers what it was understood to mean when it was given or used, under this search path.
    pub(super) fn means(&self, path: &Arc<SearchPath>, command: &Arc<Command>) {
        let mut meant = self.meant.lock().unwrap_or_else(PoisonError::into_inner);
        let room = meant.len() < PATHS_MAX;
        match meant.iter_mut().find(|(p, _)| p == path) {
            Some((_, then)) => *then = command.clone(),
            None if room => meant.push((path.clone(), command.clone())),
            None => {}
        }
    }

    /// Whether the server can have bound it to nothing else than what it is now understood to mean.
    pub(super) fn still_means(
        &self,
        now: &Arc<Command>,
        path: &Arc<SearchPath>,
        catalogue: &Catalogue,
    ) -> bool {
        let meant = self.meant.lock().unwrap_or_else(PoisonError::into_inner);
        match meant.iter().find(|(p, _)| p == path) {
            Some((_, then)) => {
                Arc::ptr_eq(then, now) || same(then, now) || bound_to_gone(then, catalogue)
            }
            // Another search path makes the server read it anew.
            None => meant.len() < PATHS_MAX,
        }
    }
}

impl Cursor {
    /// Whether it is understood as it was when it was declared.
    pub(super) fn still_means(&self, now: &Command) -> bool {
        same(&self.command, now)
    }
}

/// Whether both reach the same relations and call the same code.
fn same(then: &Command, now: &Command) -> bool {
    relations(then) == relations(now) && calls(then) == calls(now)
}

/// Whether something that it was bound to is gone: the server has to bind all of it anew then.
fn bound_to_gone(then: &Command, catalogue: &Catalogue) -> bool {
    then.relations
        .iter()
        .any(|r| !catalogue.by_oid.contains_key(r))
}

fn relations(command: &Command) -> HashSet<u32> {
    command.relations.iter().copied().collect()
}

fn calls(command: &Command) -> HashSet<&Object> {
    let code = command
        .acts
        .iter()
        .filter(|a| a.effect() == Effect::Execute);
    code.map(|a| &a.object).collect()
}

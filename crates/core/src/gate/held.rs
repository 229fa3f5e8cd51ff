//! A command on its way: decoded, not yet judged. There is no way out of it but the gate.
//!
//! Lives here: what is asked and what comes back. Never: how it is decided.

use super::names::{Cursor, Prepared};
use super::proof::Cleared;
use super::results::Results;
use super::understand::Understood;
use crate::approval::{Approval, Grant};
use crate::classify::sql::Command;
use crate::denial::Denial;
use crate::ids::{ApprovalId, Revision};
use crate::policy::Lifted;
use crate::time::Timestamp;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The transaction status that the target last reported (`ReadyForQuery`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tx {
    /// No transaction block.
    Idle,
    /// In a transaction block.
    Open,
    /// In a failed transaction block.
    Failed,
}

/// A statement with its parameters, bound and cleared to run.
#[derive(Debug)]
pub struct Portal {
    /// The statement.
    pub prepared: Arc<Prepared>,
    /// What it does.
    pub command: Arc<Command>,
    pub(super) revision: Revision,
    /// What the session had judged when it was bound.
    pub(super) turn: u64,
    /// It was run, at least in part.
    pub(super) started: AtomicBool,
    /// The command counter of its intent.
    pub number: u64,
    /// How its rows are shown.
    pub results: Option<Arc<Results>>,
}

/// What a client wants done.
#[derive(Debug)]
pub enum What {
    /// A simple query: one or more statements.
    Query {
        /// The text.
        text: Bytes,
    },
    /// A statement to be prepared.
    Parse {
        /// Its name; empty for the unnamed one.
        name: Bytes,
        /// The statement.
        prepared: Arc<Prepared>,
    },
    /// A prepared statement to be bound.
    Bind {
        /// The portal's name; empty for the unnamed one.
        portal: Bytes,
        /// The statement.
        prepared: Arc<Prepared>,
        /// Parameter values.
        parameters: Vec<Option<Bytes>>,
        /// Parameter formats, as sent.
        shape: Bytes,
    },
    /// A bound statement to be run.
    Execute {
        /// The portal.
        portal: Arc<Portal>,
    },
    /// The end of a pipeline, where an implicit transaction commits.
    Sync,
}

/// A decoded command and the frame that would carry it on.
#[derive(Debug)]
pub struct Held {
    /// What it is.
    pub(super) what: What,
    /// The frame, written anew from what was decoded.
    pub(super) frame: Bytes,
    /// Where the session stands.
    pub(super) tx: Tx,
    /// Something was forwarded since the last Sync.
    pub(super) mid_pipeline: bool,
    pub(super) lifted: Lifting,
}

/// What people have already said about it.
#[derive(Debug, Default)]
pub(super) struct Lifting {
    pub(super) approval: Option<Box<Approval>>,
    pub(super) grants: Vec<Grant>,
    pub(super) looked: bool,
    /// Grants that lift what keeps fields masked were looked for.
    pub(super) granted: bool,
    /// It was counted in what its chain has used up.
    pub(super) counted: bool,
    /// What it does, once that is understood.
    pub(super) understood: Option<Arc<Understood>>,
    /// A picture of the catalogue that was compared with the server since then is fresh enough for this command, however
    /// long the comparison took: otherwise a slow target would be compared with for ever.
    pub(super) fresh_since: Option<Timestamp>,
}

impl Lifting {
    /// The rules that are lifted.
    pub(super) fn lifted(&self) -> Lifted {
        let mut lifted = Lifted::default();
        for g in &self.grants {
            lifted.add(g.rule.clone(), g.rule_text);
        }
        if let Some(approval) = &self.approval {
            for a in &approval.question.asked {
                lifted.add(a.rule.clone(), a.rule_text);
            }
        }
        lifted
    }
    /// Adds those that are not there yet.
    pub(super) fn add_grants(&mut self, grants: Vec<Grant>) {
        for grant in grants {
            if !self.grants.iter().any(|g| g.id == grant.id) {
                self.grants.push(grant);
            }
        }
    }
}

impl Held {
    /// Holds a command. `frame` must carry exactly what `what` says.
    pub fn new(what: What, frame: Bytes, tx: Tx, mid_pipeline: bool) -> Self {
        Self {
            what,
            frame,
            tx,
            mid_pipeline,
            lifted: Lifting::default(),
        }
    }
    /// What is asked.
    pub fn what(&self) -> &What {
        &self.what
    }
    /// How long the statement is that has to be read for it.
    pub fn text_bytes(&self) -> usize {
        match &self.what {
            What::Query { text } => text.len(),
            What::Parse { prepared, .. } | What::Bind { prepared, .. } => prepared.text.len(),
            What::Execute { .. } | What::Sync => 0,
        }
    }
}

/// What is to be read through the session's own connection before judging goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The search path in force.
    pub path: bool,
    /// The whole catalogue, as this session sees it.
    pub catalogue: bool,
}

/// What a look brought: for each query of [`Look`] in order, rows of text columns.
pub type Rows = Vec<Vec<Vec<Option<Bytes>>>>;

/// The gate's answer.
#[derive(Debug)]
pub enum Verdict {
    /// It may pass.
    Pass(Cleared, Passed),
    /// Refused.
    Deny(Denial),
    /// Refused by the target itself, in a failed transaction: only the target's own error is wanted.
    Failed,
    /// It waits for people.
    Park(Box<Parked>),
    /// Read this through the session's connection, then ask again.
    Look(Held, Look),
}

/// What passing entails.
#[derive(Debug)]
pub struct Passed {
    /// How results are masked; for queries and binds.
    pub results: Option<Arc<Results>>,
    /// What it does; for queries and executes.
    pub command: Option<Arc<Command>>,
    /// For binds: the portal.
    pub portal: Option<Arc<Portal>>,
    /// Statements that running this names, in order of the message's steps.
    pub prepares: Vec<(Bytes, Arc<Prepared>)>,
    /// Cursors that running this opens, in that order.
    pub declares: Vec<Cursor>,
    /// The command counter.
    pub number: u64,
    /// The text, for the recording.
    pub text: Bytes,
    /// The right to stream, where the command is a COPY from the client.
    pub lane: Option<super::proof::Lane>,
}

/// A command that waits for people.
#[derive(Debug)]
pub struct Parked<Command = Held> {
    pub(super) held: Command,
    pub(super) approval: Approval,
    pub(super) url: String,
}

impl<Command> Parked<Command> {
    /// The question's id.
    pub fn approval(&self) -> &ApprovalId {
        &self.approval.question.id
    }
    /// Where a person decides it.
    pub fn url(&self) -> &str {
        &self.url
    }
    /// One line for the waiting caller.
    pub fn notice(&self) -> String {
        // Each rule asks people of its own; whoever is in one of its groups may answer for it.
        let mut asked: Vec<String> = Vec::new();
        for rule in &self.approval.question.asked {
            let groups = rule.groups.join(" or ");
            if !asked.contains(&groups) {
                asked.push(groups);
            }
        }
        format!(
            "held for approval {} by {}: {}",
            self.approval(),
            asked.join(" and by "),
            self.url
        )
    }
}

//! Letting a judged command through: the intent on record first, then the proof.
//!
//! Lives here: what is written, what it leaves in doubt, and what must reach the disk before it may go. Never: a
//! decision.

use super::held::{Held, Passed, Portal, Tx, Verdict, What};
use super::judge::{Pending, Ready};
use super::names::{Cursor, Prepared};
use super::note::{Intent, text_of};
use super::proof::Cleared;
use super::session::SqlSession;
use super::understand::Understood;
use super::{Gate, admit};
use crate::action::{Act, Effect, Verb};
use crate::audit::Position;
use crate::classify::sql::catalogue::SearchPath;
use crate::classify::sql::{Command, Consequence, Direction, Transaction};
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

impl Gate {
    /// Records the intent and makes the proof. `approvals` were used up for it.
    pub(super) fn pass(
        &self,
        session: &mut SqlSession,
        ready: Ready,
        mut approvals: Vec<String>,
    ) -> Result<Verdict, Pending> {
        let Ready {
            held,
            understood,
            action,
            observed,
            results,
        } = ready;
        session.turn += 1;
        if let What::Parse { prepared, .. } | What::Bind { prepared, .. } = &held.what {
            prepared.means(&session.path, &understood.command);
        }
        for (prepared, command) in &understood.executed {
            prepared.means(&session.path, command);
        }
        if let What::Parse { .. } = &held.what {
            return Ok(Verdict::Pass(
                Cleared::new(held.frame),
                nothing(session.commands),
            ));
        }
        approvals.extend(held.lifted.grants.iter().map(|g| g.id.to_string()));
        let command = understood.command.clone();
        let shown = match &command.redacted {
            Some(redacted) => Cow::Borrowed(redacted.as_str()),
            None => String::from_utf8_lossy(text_of(&held)),
        };
        let effects = effects(&understood.acts);
        let parameters = match &held.what {
            What::Bind { parameters, .. } => parameters.len(),
            _ => 0,
        };
        let number = session.entries;
        let intent = Intent {
            action,
            text: &shown,
            parameters,
            effects,
            approvals,
            observed,
        };
        let position = match self.write_intent(session, intent) {
            Ok(p) => p,
            Err(e) => return Ok(Verdict::Deny(admit::unavailable(e))),
        };
        session.commands += 1;
        let wait_for = self.consequences(session, &held, &understood, position);
        let portal = match &held.what {
            What::Bind { prepared, .. } => Some(Arc::new(Portal {
                prepared: prepared.clone(),
                command: command.clone(),
                revision: session.admission.force.revision,
                turn: session.turn,
                started: AtomicBool::new(false),
                number,
                results: results.clone(),
            })),
            _ => None,
        };
        let is_query = matches!(held.what, What::Query { .. });
        let (prepares, declares) = if is_query {
            (prepares(&command, &session.path), declares(&command))
        } else {
            (Vec::new(), Vec::new())
        };
        let lane = (is_query && copies_in(&command)).then(|| session.lane());
        let text = text_of(&held).clone();
        let passed = Passed {
            results,
            command: Some(command),
            portal,
            prepares,
            declares,
            number,
            text,
            lane,
        };
        let verdict = Verdict::Pass(Cleared::new(held.frame), passed);
        match wait_for {
            Some(position) => Err(Pending::Durable(position, Box::new(verdict))),
            None => Ok(verdict),
        }
    }

    /// What running it leaves in doubt of names.
    pub(super) fn doubts(&self, session: &mut SqlSession, command: &Command) {
        for c in &command.consequences {
            match c {
                Consequence::PathInDoubt => {
                    session.path_in_doubt = true;
                    session.path_touched = true;
                }
                Consequence::CatalogueChanged => {
                    session.overlay_in_doubt = true;
                    session.path_in_doubt = true;
                }
                _ => {}
            }
        }
        let ends = command
            .steps
            .iter()
            .any(|s| ends_or_rewinds(&s.transaction));
        if ends {
            session.path_in_doubt |= session.path_touched;
            session.overlay_in_doubt |= session.overlay.is_some();
        }
        // Code that cannot be judged from outside may change settings, objects, or commit by itself.
        if is_opaque(command) {
            session.path_in_doubt = true;
            session.path_touched = true;
            session.overlay_in_doubt = true;
        }
    }

    /// What passing leaves in doubt, and which intents must be on disk before it may go.
    fn consequences(
        &self,
        session: &mut SqlSession,
        held: &Held,
        understood: &Understood,
        position: Position,
    ) -> Option<Position> {
        let command = &understood.command;
        self.doubts(session, command);
        let writes = |a: &&Act| a.effect() != Effect::Read && a.verb != Verb::SqlLock;
        let wrote = understood.acts.iter().any(|a| writes(&a));
        let opaque = is_opaque(command);
        session.wrote |= wrote;
        session.locked |= understood.acts.iter().any(|a| a.verb == Verb::SqlLock);
        if wrote {
            session.owed = Some(position);
        }
        let data_only = understood
            .acts
            .iter()
            .filter(writes)
            .all(|a| a.effect() == Effect::Write);
        let commits_itself = match held.what {
            What::Query { .. } => held.tx != Tx::Open,
            // In a pipeline the data's fate is sealed by Sync or COMMIT; anything else may seal itself.
            _ => !data_only,
        };
        let seals = command.steps.iter().any(|s| {
            matches!(
                s.transaction,
                Transaction::Commit { .. }
                    | Transaction::PrepareTransaction
                    | Transaction::CommitPrepared
            )
        });
        if (wrote && (commits_itself || opaque)) || seals {
            return session.owed.take();
        }
        if wrote {
            // Its commit will wait for the disk; the statements until then need not pass in vain.
            self.audit.soon(position);
        }
        None
    }
}

fn is_opaque(command: &Command) -> bool {
    let mut acts = command.acts.iter();
    acts.any(|a| matches!(a.effect(), Effect::Execute | Effect::Unknown))
}

pub(super) fn copies_in(command: &Command) -> bool {
    command.steps.iter().any(|s| {
        s.copy
            .as_ref()
            .is_some_and(|c| c.direction == Direction::In)
    })
}

/// Whether settings and objects may be back to what they were before it.
fn ends_or_rewinds(t: &Transaction) -> bool {
    !matches!(
        t,
        Transaction::None
            | Transaction::Begin
            | Transaction::Savepoint(_)
            | Transaction::Release(_)
    )
}

pub(super) fn nothing(number: u64) -> Passed {
    Passed {
        results: None,
        command: None,
        portal: None,
        prepares: Vec::new(),
        declares: Vec::new(),
        number,
        text: Bytes::new(),
        lane: None,
    }
}

/// The statements that it names, in order.
pub(super) fn prepares(command: &Command, path: &Arc<SearchPath>) -> Vec<(Bytes, Arc<Prepared>)> {
    let all = command.consequences.iter();
    all.filter_map(|c| match c {
        Consequence::Prepares {
            name,
            text,
            command,
        } => {
            let prepared = Prepared::new(Bytes::copy_from_slice(text.as_bytes()), Vec::new());
            prepared.means(path, command);
            Some((Bytes::copy_from_slice(name.as_bytes()), Arc::new(prepared)))
        }
        _ => None,
    })
    .collect()
}

/// The cursors that it opens, in order.
pub(super) fn declares(command: &Command) -> Vec<Cursor> {
    let all = command.consequences.iter();
    all.filter_map(|c| match c {
        Consequence::Declares {
            name,
            command,
            hold,
            text,
        } => Some(Cursor {
            name: Bytes::copy_from_slice(name.as_bytes()),
            text: Bytes::copy_from_slice(text.as_bytes()),
            number: 0,
            hold: *hold,
            command: command.clone(),
        }),
        _ => None,
    })
    .collect()
}

fn effects(acts: &[Act]) -> Vec<Effect> {
    let mut effects: Vec<Effect> = acts.iter().map(Act::effect).collect();
    effects.sort_unstable();
    effects.dedup();
    effects
}

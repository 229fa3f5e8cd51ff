//! Judging a request: is the session still good, what does it do, what do the rules say, is it on record.
//!
//! Lives here: the order. Never: a way round it.

use super::read::{Reading, read};
use super::{Allowed, Answer, Asked, Request};
use crate::action::{Act, ActionKey, Effect, Verb};
use crate::approval;
use crate::audit::Position;
use crate::denial::{Code, Denial};
use crate::gate::held::Lifting;
use crate::gate::note::Intent;
use crate::gate::proof::Cleared;
use crate::gate::refuse::{explain, observed_denial, out_of_scope};
use crate::gate::{Gate, Session, admit};
use crate::ids::Digest;
use crate::policy::{self, Lifted};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What has to be waited for before judging can go on.
pub(super) enum Step {
    /// Nothing.
    Answer(Answer),
    /// The record must reach the disk; then this is the answer.
    Durable(Position, Answer),
    /// Rules hold it.
    Hold {
        asked: Vec<approval::Asked>,
        acts: Vec<Act>,
        action: Digest,
    },
    /// An approval is used up; then it passes.
    Consume(Ready),
}

/// A request that may pass once it is on record.
pub(super) struct Ready {
    pub action: Digest,
    pub acts: Vec<Act>,
    pub observed: Vec<String>,
    pub transfers: bool,
    pub masks: bool,
}

pub(super) fn lock(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    /// Judges a request. Several of one session may be judged at once.
    pub async fn request(&self, session: &Mutex<Session>, request: Request) -> Answer {
        let asked = Asked {
            request,
            lifted: Lifting::default(),
        };
        self.ponder(session, asked).await
    }

    /// Judges until there is an answer.
    pub(super) async fn ponder(&self, session: &Mutex<Session>, mut asked: Asked) -> Answer {
        loop {
            let step = self.judge_request(&mut lock(session), &mut asked);
            match step {
                Step::Answer(answer) => return answer,
                Step::Durable(position, answer) => {
                    return self.once_durable(session, position, answer).await;
                }
                Step::Hold {
                    asked: rules,
                    acts,
                    action,
                } => match self
                    .hold_request(session, asked, (rules, acts), action)
                    .await
                {
                    Ok(again) => asked = again,
                    Err(answer) => return answer,
                },
                Step::Consume(ready) => {
                    return self.consume_for_request(session, asked, ready).await;
                }
            }
        }
    }

    async fn once_durable(
        &self,
        session: &Mutex<Session>,
        position: Position,
        answer: Answer,
    ) -> Answer {
        match self.audit.durable(position).await {
            Ok(()) => answer,
            Err(e) => {
                lock(session).cut.throw(crate::gate::CutReason::Failing);
                Answer::Deny(admit::unavailable(e))
            }
        }
    }

    /// One judgement, which waits for nothing.
    fn judge_request(&self, session: &mut Session, asked: &mut Asked) -> Step {
        let action = action_hash(session, &asked.request);
        if let Err(denial) = self.still_good(session) {
            return self.refuse_request(session, asked, action, denial);
        }
        let Reading {
            acts,
            unclear,
            transfers,
        } = read(&asked.request, session.admission.guarded.shell);
        let observe = session.admission.guarded.target.observe;
        // The token's own narrowing comes before any rule, and where a target is only observed as well.
        let scope = &session.admission.identity.scope;
        if let Some(act) = acts.iter().find(|act| !scope.has(act)) {
            let denial = out_of_scope(scope, act);
            return self.refuse_request(session, asked, action, denial);
        }
        if let Some(denial) = self.none_left(session, &asked.lifted, 1) {
            return self.refuse_request(session, asked, action, denial);
        }
        let budget = self.count(session, &mut asked.lifted, 1);
        let judge = session.admission.judge.clone();
        let outcome = judge.judge(&acts, &self.moment(session, budget), &asked.lifted.lifted());
        let refused = !outcome.unpermitted.is_empty()
            || matches!(outcome.verdict, policy::Verdict::Deny { .. });
        let (verdict, mut observed) = match (refused, observe) {
            (true, false) => {
                let denial = why(unclear, &acts, &outcome);
                return self.refuse_request(session, asked, action, denial);
            }
            (true, true) => observed_denial(outcome),
            (false, _) => (outcome.verdict, outcome.observed),
        };
        let masks = match self.masks_files(session, &asked.request, &acts, transfers, budget) {
            Ok(masks) => masks,
            Err(denial) => return self.refuse_request(session, asked, action, denial),
        };
        match verdict {
            policy::Verdict::Hold(rules) if observe => {
                observed.extend(rules.into_iter().map(|a| a.rule));
            }
            policy::Verdict::Hold(rules) => {
                return Step::Hold {
                    asked: rules,
                    acts,
                    action,
                };
            }
            policy::Verdict::Allow | policy::Verdict::Deny { .. } => {}
        }
        let ready = Ready {
            action,
            acts,
            observed,
            transfers,
            masks,
        };
        match asked.lifted.approval {
            Some(_) => Step::Consume(ready),
            None => self.pass_request(session, asked, ready, Vec::new()),
        }
    }

    /// Whether values in the content of what it reads are to be masked.
    ///
    /// # Errors
    /// When they are, and it reads in a way in which they cannot be: nobody is asked about that then.
    fn masks_files(
        &self,
        session: &Session,
        request: &Request,
        acts: &[Act],
        transfers: bool,
        budget: policy::Budget,
    ) -> Result<bool, Denial> {
        let admission = &session.admission;
        if !admission.guarded.masks_files {
            return Ok(false);
        }
        // What else a command reads of files comes out masked, as all output does.
        let moves_files = matches!(request, Request::Files { .. }) || transfers;
        if !moves_files {
            return Ok(false);
        }
        let of = |verb| acts.iter().filter(move |a| a.verb == verb);
        let renamed: Vec<&Act> = of(Verb::SshRename).collect();
        let moment = self.moment(session, budget);
        // A narrowing to some classes says nothing of a whole file.
        let may_be_whole = admission.identity.scope.classes.is_none();
        let shown = |act: &Act| {
            let act = Act {
                verb: Verb::SshReveal,
                ..act.clone()
            };
            let outcome = admission.judge.judge(&[act], &moment, &Lifted::none());
            may_be_whole && outcome.verdict == policy::Verdict::Allow
        };
        // A name under which it is shown makes it so.
        if let [from, to] = renamed.as_slice()
            && shown(to)
            && !shown(from)
        {
            return Err(not_masked(transfers));
        }
        if of(Verb::SshDownload).all(shown) {
            return Ok(false);
        }
        match !transfers && acts.len() == 1 {
            true => Ok(true),
            false => Err(not_masked(transfers)),
        }
    }

    /// Records the intent and makes the proof. `approvals` were used up for it.
    pub(super) fn pass_request(
        &self,
        session: &mut Session,
        asked: &Asked,
        ready: Ready,
        mut approvals: Vec<String>,
    ) -> Step {
        approvals.extend(asked.lifted.grants.iter().map(|g| g.id.to_string()));
        let mut effects: Vec<Effect> = ready.acts.iter().map(Act::effect).collect();
        effects.sort_unstable();
        effects.dedup();
        let reads_only = effects.iter().all(|e| *e == Effect::Read);
        // A used approval without an intent on disk would be a hole.
        let must_last = !reads_only || !approvals.is_empty();
        let number = session.entries;
        let intent = Intent {
            action: ready.action,
            text: &asked.request.text(),
            parameters: 0,
            effects,
            approvals,
            observed: ready.observed,
        };
        let position = match self.write_intent(session, intent) {
            Ok(position) => position,
            Err(e) => return Step::Answer(Answer::Deny(admit::unavailable(e))),
        };
        session.commands += 1;
        let granted = Allowed {
            number,
            lane: session.lane(),
            reads_only,
            transfers: ready.transfers,
            masks: ready.masks,
        };
        let answer = Answer::Pass(Cleared::new(asked.request.bytes()), granted);
        if must_last {
            Step::Durable(position, answer)
        } else {
            Step::Answer(answer)
        }
    }

    pub(super) fn refuse_request(
        &self,
        session: &mut Session,
        asked: &Asked,
        action: Digest,
        denial: Denial,
    ) -> Step {
        self.write_refusal(session, action, &asked.request.text(), &denial);
        Step::Answer(Answer::Deny(denial))
    }

    /// Finishes a step that can no longer be held.
    pub(super) async fn finish(&self, session: &Mutex<Session>, step: Step) -> Answer {
        match step {
            Step::Answer(answer) => answer,
            Step::Durable(position, answer) => self.once_durable(session, position, answer).await,
            Step::Hold { .. } | Step::Consume(_) => {
                Answer::Deny(crate::gate::CutReason::Failing.denial())
            }
        }
    }
}

/// What an approval is bound to.
fn action_hash(session: &Session, request: &Request) -> Digest {
    ActionKey {
        target: &session.admission.guarded.target.name,
        place: &session.admission.place,
        role: &session.rights,
        text: match request {
            Request::Exec { command, .. } => command,
            _ => b"",
        },
        parameters: &[],
        parameter_shape: b"",
        settings: &request.circumstances(),
    }
    .hash()
}

/// Why files whose contents are masked are not read in this way.
fn not_masked(transfers: bool) -> Denial {
    let (why, hint) = match transfers {
        true => (
            "what this program sends of them cannot be",
            "copy with sftp, or with scp without -O: values are masked then",
        ),
        false => (
            "they cannot be for who writes to one, links to it, or gives it a name under which it is shown",
            "open it for reading alone",
        ),
    };
    let reason = format!("contents of files are masked on this host, and {why}");
    Denial::new(Code::Masked, "brattice.mask_files", reason).hint(format!(
        "{hint}; a rule that permits ssh.reveal on a file, named by its whole path, shows it as it is"
    ))
}

/// Why the rules refuse it: where it could not be told, why not.
fn why(unclear: Option<Denial>, acts: &[Act], outcome: &policy::Outcome) -> Denial {
    let by_rules = explain(None, &[], acts, outcome);
    match unclear {
        Some(mut denial) => {
            denial.rules.extend(by_rules.rules);
            denial
        }
        None => by_rules,
    }
}

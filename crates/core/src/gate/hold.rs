//! Holding: grants and tickets first, then people.
//!
//! Lives here: what a hold turns into. Never: timers (the pump's), notification.

use super::Gate;
use super::bundle::Guarded;
use super::held::{Held, Parked, Tx, Verdict, What};
use super::judge::{Holding, Pending, Ready, Thought};
use super::note::{shown, text_of};
use super::session::{Session, SqlSession};
use crate::action::Act;
use crate::approval::{Approval, ApprovalState, Asked, Question};
use crate::audit::Event;
use crate::denial::{Code, Denial};
use crate::ids::{ApprovalId, Digest, Revision, SessionId};
use crate::ports::{BoxFuture, StoreError};
use crate::principal::Chain;
use std::sync::Arc;

/// What waiting for people came to.
pub type Waited = Result<Approval, StoreError>;

/// What a question is about, beside what is asked.
pub(super) struct About<'a> {
    pub guarded: &'a Guarded,
    pub revision: Revision,
    pub chain: &'a Chain,
    pub place: &'a str,
    pub session: Option<&'a SessionId>,
}

impl<'a> About<'a> {
    pub(super) fn session(session: &'a Session) -> Self {
        let admission = &session.admission;
        Self {
            guarded: &admission.guarded,
            revision: admission.force.revision,
            chain: &admission.identity.chain,
            place: &admission.place,
            session: Some(&admission.id),
        }
    }
}

impl Gate {
    /// Does what [`Pending`] waits for.
    pub async fn think(
        self: Arc<Self>,
        mut session: Box<SqlSession>,
        pending: Pending,
    ) -> (Box<SqlSession>, Thought) {
        let thought = match pending {
            Pending::Refresh(held) => self.refresh(&mut session, held).await,
            Pending::Durable(position, verdict) => {
                Thought::Verdict(match self.audit.durable(position).await {
                    Ok(()) => *verdict,
                    Err(e) => {
                        session.cut.throw(super::CutReason::Failing);
                        Verdict::Deny(super::admit::unavailable(e))
                    }
                })
            }
            Pending::Hold(holding) => match self.hold(&mut session, *holding).await {
                Ok(thought) => thought,
                Err(cause) => Thought::Verdict(Verdict::Deny(self.store_away(&cause))),
            },
            Pending::Consume(ready) => self.consume(&mut session, *ready).await,
            Pending::Grants(held, asked) => match self.grants(&session, held, asked).await {
                Ok(thought) => thought,
                Err(cause) => Thought::Verdict(Verdict::Deny(self.store_away(&cause))),
            },
        };
        (session, thought)
    }

    async fn refresh(&self, session: &mut SqlSession, mut held: Held) -> Thought {
        let guarded = session.admission.guarded.clone();
        held.lifted.fresh_since = Some(self.clock.now());
        match guarded.catalogues.refresh(&session.admission.place).await {
            Ok(_) => Thought::Again(held),
            Err(_) => {
                let denial = Denial::new(
                    Code::Unavailable,
                    "brattice.catalogue",
                    "the target's catalogue could not be read",
                )
                .hint("try again; the operators can see why in the gateway's log");
                let action = Digest::of(text_of(&held));
                Thought::Verdict(self.refuse(session, &held, action, denial))
            }
        }
    }

    /// Grants and a ticket are looked for once; what is still held then is asked.
    async fn hold(
        &self,
        session: &mut SqlSession,
        mut holding: Holding,
    ) -> Result<Thought, StoreError> {
        let identity = session.admission.identity.clone();
        let target = session.admission.guarded.target.name.clone();
        let now = self.clock.now();
        if !holding.held.lifted.looked {
            holding.held.lifted.looked = true;
            let grants = self.approvals.grants(&identity.chain, &target, now).await?;
            let ticket = self
                .approvals
                .ticket(&identity.chain, &target, holding.action, now)
                .await?;
            let question = self.about(
                &About::session(session),
                &holding.asked,
                &holding.acts,
                holding.action,
            );
            let grants = self.standing(grants, &question).await?;
            if !grants.is_empty() || ticket.is_some() {
                holding.held.lifted.add_grants(grants);
                holding.held.lifted.approval = ticket.map(Box::new);
                return Ok(Thought::Again(holding.held));
            }
        }
        let question = match self.question(session, &holding) {
            Ok(q) => q,
            Err(denial) => {
                return Ok(Thought::Verdict(self.refuse(
                    session,
                    &holding.held,
                    holding.action,
                    denial,
                )));
            }
        };
        let rules: Vec<String> = question.asked.iter().map(|a| a.rule.clone()).collect();
        let asked_id = question.id.clone();
        let Some(approval) = self.approvals.ask(question).await? else {
            let denial = asked_too_much(rules);
            return Ok(Thought::Verdict(self.refuse(
                session,
                &holding.held,
                holding.action,
                denial,
            )));
        };
        if approval.question.id == asked_id {
            let event = Event::ApprovalAsked {
                approval: asked_id,
                action: holding.action,
                rules,
            };
            if let Err(e) = self.write(session, event) {
                return Ok(Thought::Verdict(Verdict::Deny(super::admit::unavailable(
                    e,
                ))));
            }
        }
        let url = format!(
            "{}{}",
            session.admission.force.approval_url, approval.question.id
        );
        let parked = Parked {
            held: holding.held,
            approval,
            url,
        };
        // Locks are never kept for a person.
        let unsettled = parked.held.tx == Tx::Open || parked.held.mid_pipeline;
        if unsettled && (session.wrote || session.locked) {
            return Ok(Thought::Verdict(self.ticket(session, parked)));
        }
        Ok(Thought::Verdict(Verdict::Park(Box::new(parked))))
    }

    /// Grants given ahead are looked for once; what keeps fields masked and is not lifted then keeps them masked.
    async fn grants(
        &self,
        session: &SqlSession,
        mut held: Held,
        asked: Vec<Asked>,
    ) -> Result<Thought, StoreError> {
        held.lifted.granted = true;
        let chain = &session.admission.identity.chain;
        let target = &session.admission.guarded.target.name;
        let now = self.clock.now();
        let grants = self.approvals.grants(chain, target, now).await?;
        let about = About::session(session);
        let question = self.about(&about, &asked, &[], Digest::of(text_of(&held)));
        held.lifted
            .add_grants(self.standing(grants, &question).await?);
        Ok(Thought::Again(held))
    }

    fn question(&self, session: &SqlSession, holding: &Holding) -> Result<Question, Denial> {
        let mut id = [0; 10];
        self.randomness
            .fill(&mut id)
            .map_err(super::admit::unavailable)?;
        let parameters = match &holding.held.what {
            What::Bind { parameters, .. } => parameters
                .iter()
                .map(|p| p.as_ref().map(|v| String::from_utf8_lossy(v).into_owned()))
                .collect(),
            _ => Vec::new(),
        };
        Ok(Question {
            id: ApprovalId::from_bytes(id),
            text: with_executed(&holding.held),
            parameters,
            ..self.about(
                &About::session(session),
                &holding.asked,
                &holding.acts,
                holding.action,
            )
        })
    }

    /// A question without an id, a text and parameters: all that rules about approving look at.
    pub(super) fn about(
        &self,
        about: &About<'_>,
        asked: &[Asked],
        acts: &[Act],
        action: Digest,
    ) -> Question {
        let now = self.clock.now();
        let target = &about.guarded.target;
        let mut effects: Vec<_> = acts.iter().map(Act::effect).collect();
        effects.sort_unstable();
        effects.dedup();
        Question {
            id: ApprovalId::from_bytes([0; 10]),
            session: about.session.cloned(),
            chain: about.chain.clone(),
            target: target.name.clone(),
            labels: target
                .labels
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect(),
            place: about.place.to_owned(),
            action,
            text: String::new(),
            parameters: Vec::new(),
            effects,
            acts: acts
                .iter()
                .map(|a| format!("{} {}", a.verb.as_str(), a.object.entity_id(target)))
                .collect(),
            asked: asked.to_vec(),
            ahead: None,
            revision: about.revision,
            asked_at: now,
            expires_at: now.plus(about.guarded.holds.ticket_lifetime),
        }
    }

    /// Uses the approval up, exactly once; only then is the intent written and the command passed.
    async fn consume(&self, session: &mut SqlSession, ready: Ready) -> Thought {
        let Some(approval) = &ready.held.lifted.approval else {
            return Thought::Verdict(Verdict::Failed);
        };
        let id = approval.question.id.clone();
        match self.still_stands(approval).await {
            Ok(true) => {}
            Ok(false) => return self.fallen(session, &ready, id).await,
            Err(cause) => return Thought::Verdict(Verdict::Deny(self.store_away(&cause))),
        }
        let used = match self
            .approvals
            .consume(&id, &session.admission.id, self.clock.now())
            .await
        {
            Ok(used) => used,
            Err(cause) => return Thought::Verdict(Verdict::Deny(self.store_away(&cause))),
        };
        if !used {
            let denial = gone(&id, "was already used or has expired");
            let action = ready.action;
            return Thought::Verdict(self.refuse(session, &ready.held, action, denial));
        }
        // The intent names the approval and must be on disk: a consumed approval without one would be a hole.
        match self.pass(session, ready, vec![id.to_string()]) {
            Ok(verdict) => Thought::Verdict(verdict),
            Err(Pending::Durable(position, verdict)) => {
                Thought::Verdict(match self.audit.durable(position).await {
                    Ok(()) => *verdict,
                    Err(e) => {
                        session.cut.throw(super::CutReason::Failing);
                        Verdict::Deny(super::admit::unavailable(e))
                    }
                })
            }
            Err(_) => Thought::Verdict(Verdict::Failed),
        }
    }

    /// Refuses what was approved by people who may not approve it any more, and ends that approval.
    async fn fallen(&self, session: &mut SqlSession, ready: &Ready, id: ApprovalId) -> Thought {
        if let Err(cause) = self.approvals.void(&id).await {
            return Thought::Verdict(Verdict::Deny(self.store_away(&cause)));
        }
        let denial = gone(&id, FALLEN);
        Thought::Verdict(self.refuse(session, &ready.held, ready.action, denial))
    }

    /// Goes on after people decided. An approved command is judged again under the policy in force.
    pub fn release(&self, session: &mut SqlSession, parked: Parked, decided: Waited) -> Thought {
        let approval = match decided {
            Ok(a) => a,
            Err(cause) => return Thought::Verdict(Verdict::Deny(self.store_away(&cause))),
        };
        let Some(denial) = not_approved(&approval) else {
            let mut held = parked.held;
            held.lifted.approval = Some(Box::new(approval));
            // Whatever was known of the catalogue was known before people thought about it.
            held.lifted.fresh_since = None;
            // Their yes may have brought a grant.
            held.lifted.granted = false;
            return Thought::Again(held);
        };
        Thought::Verdict(self.refuse(session, &parked.held, approval.question.action, denial))
    }

    /// Turns a hold into a ticket: refused now, and once approved the identical command passes once, on any connection.
    pub fn ticket(&self, session: &mut SqlSession, parked: Parked) -> Verdict {
        let denial = parked.ticket();
        self.refuse(
            session,
            &parked.held,
            parked.approval.question.action,
            denial,
        )
    }

    /// Ends a hold because its caller asked for a stop. What is asked of people ends with the last who waits.
    pub async fn stop_waiting(
        self: Arc<Self>,
        mut session: Box<SqlSession>,
        parked: Parked,
    ) -> (Box<SqlSession>, Thought) {
        let id = parked.approval().clone();
        self.abandon_id(id.clone()).await;
        let mut denial = Denial::new(
            Code::Cancelled,
            "brattice.approvals",
            "canceling statement due to user request",
        );
        denial.approval = Some(id);
        let action = parked.approval.question.action;
        let verdict = self.refuse(&mut session, &parked.held, action, denial);
        (session, Thought::Verdict(verdict))
    }

    /// Resolves when people have decided.
    pub fn decided<Command>(&self, parked: &Parked<Command>) -> BoxFuture<'static, Waited> {
        let (approvals, id) = (self.approvals.clone(), parked.approval().clone());
        Box::pin(async move { approvals.decided(&id).await })
    }

    /// Ends a hold whose asker is gone: it is marked as not run.
    pub fn abandon(&self, parked: &Parked) -> BoxFuture<'static, ()> {
        self.abandon_id(parked.approval().clone())
    }

    /// The same by id, for a pump that no longer has the parked command.
    pub fn abandon_id(&self, id: ApprovalId) -> BoxFuture<'static, ()> {
        let approvals = self.approvals.clone();
        Box::pin(async move {
            // The sweep of old questions ends it if the store does not answer now.
            let _ = approvals.abandon(&id).await;
        })
    }

    pub(super) fn store_away(&self, _cause: &StoreError) -> Denial {
        Denial::new(
            Code::Unavailable,
            "brattice.store",
            "the gateway cannot reach its store, so nothing passes that depends on it",
        )
        .hint("try again later; the operators can see why in the gateway's log")
    }
}

impl<Command> Parked<Command> {
    /// What its caller is told when nobody decided while it waited.
    pub(super) fn ticket(&self) -> Denial {
        let id = self.approval.question.id.clone();
        let reason = format!("this command waits for approval {id}");
        let hint = format!(
            "it is decided at {}; once approved, send the identical command again, on any connection",
            self.url
        );
        let mut denial =
            Denial::new(Code::ApprovalRequired, "brattice.approvals", reason).hint(hint);
        denial.rules = rules(&self.approval);
        denial.approval = Some(id);
        denial.approval_url = Some(self.url.clone());
        denial
    }
}

/// Why an approval that people gave is not used.
pub(super) const FALLEN: &str = "no longer stands: not all who gave it may still give it";

pub(super) fn asked_too_much(rules: Vec<String>) -> Denial {
    let reason = "too many approvals were asked for lately";
    let mut denial = Denial::new(Code::Throttled, "brattice.approvals", reason)
        .hint("wait for the open ones to be decided");
    denial.rules = rules;
    denial
}

/// An approval that cannot be used.
pub(super) fn gone(id: &ApprovalId, why: &str) -> Denial {
    let reason = format!("approval {id} {why}");
    let mut denial = Denial::new(Code::ApprovalExpired, "brattice.approvals", reason)
        .hint("send the command again to ask anew");
    denial.approval = Some(id.clone());
    denial
}

/// The rules that an approval lifts.
fn rules(approval: &Approval) -> Vec<String> {
    let asked = approval.question.asked.iter();
    asked.map(|a| a.rule.clone()).collect()
}

/// What its caller is told when people decided otherwise, or not at all; nothing where they said yes.
pub(super) fn not_approved(approval: &Approval) -> Option<Denial> {
    let id = approval.question.id.clone();
    let (code, reason) = match approval.state {
        ApprovalState::Approved => return None,
        ApprovalState::Denied => {
            let by = approval.answers.iter().find(|a| !a.yes);
            let why = by
                .and_then(|a| a.reason.clone())
                .map(|r| format!(": {r}"))
                .unwrap_or_default();
            (
                Code::ApprovalDenied,
                format!("approval {id} was refused{why}"),
            )
        }
        _ => (
            Code::ApprovalExpired,
            format!("approval {id} was not decided in time"),
        ),
    };
    let mut denial = Denial::new(code, "brattice.approvals", reason);
    denial.rules = rules(approval);
    denial.approval = Some(id);
    Some(denial)
}

/// The command, and the statements that it runs by their names: whoever decides sees those too.
fn with_executed(held: &Held) -> String {
    let mut text = shown(held).to_owned();
    let executed = held.lifted.understood.iter().flat_map(|u| &u.executed);
    for (prepared, _) in executed {
        text.push_str("\n\n-- runs:\n");
        text.push_str(&String::from_utf8_lossy(&prepared.text));
    }
    text
}

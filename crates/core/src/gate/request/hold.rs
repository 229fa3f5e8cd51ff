//! A request that waits for people: grants and tickets first, then a question.
//!
//! Lives here: what a hold of a request turns into. Never: timers (the driver's), notification.

use super::judge::{Ready, lock};
use super::{Answer, Asked};
use crate::action::Act;
use crate::approval;
use crate::approval::Question;
use crate::audit::Event;
use crate::denial::{Code, Denial};
use crate::gate::held::Parked;
use crate::gate::hold::{About, FALLEN, Waited, asked_too_much, gone, not_approved};
use crate::gate::{Gate, Session, admit};
use crate::ids::{ApprovalId, Digest};
use crate::ports::StoreError;
use std::sync::Mutex;

impl Gate {
    /// Grants and a ticket are looked for once; what is still held then is asked. `Ok` is to be judged again.
    pub(super) async fn hold_request(
        &self,
        session: &Mutex<Session>,
        asked: Asked,
        (rules, acts): (Vec<approval::Asked>, Vec<Act>),
        action: Digest,
    ) -> Result<Asked, Answer> {
        let away = |cause: StoreError| Answer::Deny(self.store_away(&cause));
        let question = {
            let session = lock(session);
            self.about(&About::session(&session), &rules, &acts, action)
        };
        let mut asked = asked;
        if !asked.lifted.looked {
            asked.lifted.looked = true;
            if self
                .look_for_yes(&question, &mut asked)
                .await
                .map_err(away)?
            {
                return Ok(asked);
            }
        }
        let mut id = [0; 10];
        if let Err(e) = self.randomness.fill(&mut id) {
            return Err(Answer::Deny(admit::unavailable(e)));
        }
        let question = Question {
            id: ApprovalId::from_bytes(id),
            text: asked.request.question(),
            ..question
        };
        let rules: Vec<String> = question.asked.iter().map(|a| a.rule.clone()).collect();
        let asked_id = question.id.clone();
        let Some(approval) = self.approvals.ask(question).await.map_err(away)? else {
            let denial = asked_too_much(rules);
            return Err(self.refused(session, &asked, action, denial));
        };
        let mut session = lock(session);
        if approval.question.id == asked_id {
            let event = Event::ApprovalAsked {
                approval: asked_id,
                action,
                rules,
            };
            if let Err(e) = self.write(&mut session, event) {
                return Err(Answer::Deny(admit::unavailable(e)));
            }
        }
        let url = format!(
            "{}{}",
            session.admission.force.approval_url, approval.question.id
        );
        Err(Answer::Park(Box::new(Parked {
            held: asked,
            approval,
            url,
        })))
    }

    /// Whether something lifts what holds it: a grant, or a yes that was not used yet.
    async fn look_for_yes(
        &self,
        question: &Question,
        asked: &mut Asked,
    ) -> Result<bool, StoreError> {
        let (chain, target) = (&question.chain, question.target.as_str());
        let now = self.clock.now();
        let grants = self.approvals.grants(chain, target, now).await?;
        let grants = self.standing(grants, question).await?;
        let ticket = self
            .approvals
            .ticket(chain, target, question.action, now)
            .await?;
        let found = !grants.is_empty() || ticket.is_some();
        asked.lifted.add_grants(grants);
        asked.lifted.approval = ticket.map(Box::new);
        Ok(found)
    }

    /// Uses the approval up, exactly once; only then is the intent written and the request passed.
    pub(super) async fn consume_for_request(
        &self,
        session: &Mutex<Session>,
        asked: Asked,
        ready: Ready,
    ) -> Answer {
        let Some(approval) = &asked.lifted.approval else {
            return Answer::Deny(crate::gate::CutReason::Failing.denial());
        };
        let id = approval.question.id.clone();
        let action = ready.action;
        let stands = self.still_stands(approval).await;
        let denial = match stands {
            Ok(true) => {
                let by = lock(session).admission.id.clone();
                match self.approvals.consume(&id, &by, self.clock.now()).await {
                    Ok(true) => None,
                    Ok(false) => Some(gone(&id, "was already used or has expired")),
                    Err(cause) => return Answer::Deny(self.store_away(&cause)),
                }
            }
            Ok(false) => match self.approvals.void(&id).await {
                Ok(()) => Some(gone(&id, FALLEN)),
                Err(cause) => return Answer::Deny(self.store_away(&cause)),
            },
            Err(cause) => return Answer::Deny(self.store_away(&cause)),
        };
        if let Some(denial) = denial {
            return self.refused(session, &asked, action, denial);
        }
        let step = self.pass_request(&mut lock(session), &asked, ready, vec![id.to_string()]);
        self.finish(session, step).await
    }

    /// Goes on after people decided. What was approved is judged again under the policy in force.
    pub async fn release_request(
        &self,
        session: &Mutex<Session>,
        parked: Parked<Asked>,
        decided: Waited,
    ) -> Answer {
        let approval = match decided {
            Ok(approval) => approval,
            Err(cause) => return Answer::Deny(self.store_away(&cause)),
        };
        let mut asked = parked.held;
        match not_approved(&approval) {
            None => {
                asked.lifted.approval = Some(Box::new(approval));
                self.ponder(session, asked).await
            }
            Some(denial) => self.refused(session, &asked, approval.question.action, denial),
        }
    }

    /// Turns a hold into a ticket: refused now, and once approved the identical request passes once, on any connection.
    pub fn ticket_request(&self, session: &Mutex<Session>, parked: Parked<Asked>) -> Denial {
        let denial = parked.ticket();
        let action = parked.approval.question.action;
        self.refused(session, &parked.held, action, denial.clone());
        denial
    }

    /// Ends a hold because its caller is gone or wants it stopped.
    pub async fn abandon_request(&self, session: &Mutex<Session>, parked: Parked<Asked>) {
        let id = parked.approval().clone();
        self.abandon_id(id.clone()).await;
        let reason = "its caller stopped waiting";
        let mut denial = Denial::new(Code::Cancelled, "brattice.approvals", reason);
        denial.approval = Some(id);
        let action = parked.approval.question.action;
        self.refused(session, &parked.held, action, denial);
    }

    fn refused(
        &self,
        session: &Mutex<Session>,
        asked: &Asked,
        action: Digest,
        denial: Denial,
    ) -> Answer {
        self.write_refusal(&mut lock(session), action, &asked.request.text(), &denial);
        Answer::Deny(denial)
    }
}

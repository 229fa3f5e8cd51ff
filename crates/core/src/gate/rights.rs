//! Whether a yes still stands: those who gave it are asked about again when it is used.
//!
//! Lives here: judging answers and grants anew. Never: taking an answer, storage.
//!
//! An answer is judged under the bundle in force now, with the groups that its giver last proved here, and only while
//! that proof was not revoked. Its circumstances (time, address) stay those of the answer: an approver need not be
//! logged in any more, nor at work, when what they approved runs. Groups that were taken away at the identity provider
//! count from the next time the person proves who they are here; a revocation counts at once. A grant has no
//! circumstances of its own: it is judged as if it were given now, from nowhere.

use super::Gate;
use crate::approval::{Approval, ApprovalState, Asked, Grant, Question};
use crate::policy::AdminMoment;
use crate::ports::StoreError;
use crate::principal::Principal;
use crate::time::Timestamp;
use std::net::{IpAddr, Ipv4Addr};

const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

impl Gate {
    /// Whether an approval would still be one if only the answers of those counted who may still give them.
    pub(super) async fn still_stands(&self, approval: &Approval) -> Result<bool, StoreError> {
        let mut standing = approval.clone();
        standing.answers.clear();
        for answer in &approval.answers {
            let mut answer = answer.clone();
            if answer.yes {
                let from = answer.from.unwrap_or(NOWHERE);
                let may = self
                    .may_still(&answer.by, &approval.question, (answer.at, from))
                    .await?;
                answer.rules.retain(|rule| may.contains(rule));
            }
            // A no stays one, whatever becomes of who gave it.
            standing.answers.push(answer);
        }
        Ok(standing.tally() == ApprovalState::Approved)
    }

    /// Those grants that lift one of these rules, and whose givers may still give them. `question` is what is asked now.
    pub(super) async fn standing(
        &self,
        grants: Vec<Grant>,
        question: &Question,
    ) -> Result<Vec<Grant>, StoreError> {
        let mut standing = Vec::new();
        for grant in grants {
            let lifts = |a: &&Asked| a.rule == grant.rule && a.rule_text == grant.rule_text;
            let Some(asked) = question.asked.iter().find(lifts) else {
                continue;
            };
            let now = self.clock.now();
            let mut givers: Vec<&Principal> = Vec::new();
            for giver in &grant.approvers {
                let counted = givers.iter().any(|g| g.is_same(giver));
                let may = self.may_still(giver, question, (now, NOWHERE)).await?;
                if !counted && may.contains(&asked.rule) {
                    givers.push(giver);
                }
            }
            if givers.len() >= usize::from(asked.approvers) {
                standing.push(grant);
            }
        }
        Ok(standing)
    }

    /// For which rules of a question this person may answer now.
    async fn may_still(
        &self,
        who: &Principal,
        question: &Question,
        (now, address): (Timestamp, IpAddr),
    ) -> Result<Vec<String>, StoreError> {
        let Some(proof) = self.people.last_proof(who).await? else {
            return Ok(Vec::new());
        };
        let force = self.in_force();
        let Some(guarded) = force.targets.get(&question.target) else {
            return Ok(Vec::new());
        };
        let moment = AdminMoment {
            now,
            address,
            zone: &force.zone,
        };
        let answerable = force
            .rules
            .may_answer(&proof, question, &guarded.target, &moment);
        Ok(answerable.rules)
    }
}

//! Acts on the gateway, decided by the rules of the bundle in force.
//!
//! Lives here: which verb and object of policy an act is, and a refusal's words. Never: a rule.

use brattice_admin::ports::{Act, Authorizer, SessionState, Stopped};
use brattice_core::action::{self, Object, Verb};
use brattice_core::approval::Approval;
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Gate, InForce};
use brattice_core::policy::{
    AdminMoment, AdminObject, AdminVerb, Lifted, Moment, OWN, Outcome, Verdict,
};
use brattice_core::principal::Identity;
use brattice_core::target::{Protocol, Target};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The rules in force, asked about acts on the gateway.
pub struct Policy {
    gate: Arc<Gate>,
}

impl Policy {
    /// Asks the rules that this gate judges by.
    pub fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }

    fn ask(
        &self,
        force: &InForce,
        who: &Identity,
        verb: AdminVerb,
        object: &AdminObject<'_>,
        from: IpAddr,
    ) -> Outcome {
        let moment = AdminMoment {
            now: self.gate.clock().now(),
            address: from,
            zone: &force.zone,
        };
        force.rules.may(who, verb, object, &moment, &Lifted::none())
    }

    /// An act on something below a target. Of a target that left the bundle the labels are not known any more, so that a
    /// rule about them would be silent: then only what is one's own remains.
    fn below(
        &self,
        force: &InForce,
        who: &Identity,
        verb: AdminVerb,
        (target, object): (&Below, &AdminObject<'_>),
        from: IpAddr,
    ) -> Result<(), Denial> {
        let outcome = self.ask(force, who, verb, object, from);
        if target.known {
            return allowed(outcome, verb.as_str());
        }
        let own = outcome.allowed() && outcome.permits.iter().any(|p| p == OWN);
        if own {
            Ok(())
        } else {
            Err(target_gone(&target.target.name))
        }
    }

    fn connect(
        &self,
        force: &InForce,
        who: &Identity,
        target: &str,
        from: IpAddr,
    ) -> Result<(), Denial> {
        let Some(guarded) = force.targets.get(target) else {
            // The same words whether it is missing or forbidden: names are not confirmed to strangers.
            return Err(not_permitted("connect"));
        };
        let now = self.gate.clock().now();
        let moment = Moment {
            identity: who,
            now,
            address: from,
            budget: self.gate.meters().of(&who.chain).read(now, &force.zone),
            zone: &force.zone,
            rows_so_far: 0,
        };
        let judge = force.rules.judge_for(&who.chain, &guarded.target);
        let outcome = judge.judge(
            &[action::Act::new(Verb::Connect, Object::Target)],
            &moment,
            &Lifted::none(),
        );
        if guarded.target.observe {
            Ok(())
        } else {
            allowed(outcome, "connect")
        }
    }
}

impl Authorizer for Policy {
    fn decide(&self, who: &Identity, act: &Act<'_>, from: IpAddr) -> Result<(), Denial> {
        let force = self.gate.in_force();
        let plain = |verb: AdminVerb, object: AdminObject<'_>| {
            allowed(self.ask(&force, who, verb, &object, from), verb.as_str())
        };
        match act {
            Act::ReadApproval(a) => {
                let q = &a.question;
                let below = Below::of(&force, &q.target);
                let object = AdminObject::Approval {
                    id: &q.id,
                    target: &below.target,
                    chain: &q.chain,
                    asked: &q.asked,
                    effects: &q.effects,
                };
                self.below(
                    &force,
                    who,
                    AdminVerb::ApprovalRead,
                    (&below, &object),
                    from,
                )
            }
            Act::Approve(a) => self.may_answer(who, a, from).map(drop),
            Act::ReadSession(s) | Act::Replay(s) | Act::Watch(s) | Act::EndSession(s) => {
                let verb = match act {
                    Act::ReadSession(_) => AdminVerb::SessionRead,
                    Act::Replay(_) => AdminVerb::Replay,
                    Act::Watch(_) => AdminVerb::Watch,
                    _ => AdminVerb::SessionEnd,
                };
                let live = s.state == SessionState::Live;
                let below = Below::of(&force, &s.target);
                let object = AdminObject::Session {
                    id: &s.id,
                    target: &below.target,
                    chain: &s.chain,
                    live,
                };
                self.below(&force, who, verb, (&below, &object), from)
            }
            Act::Request(_) | Act::Delegate(_) => Ok(()),
            // One's own needs no rule; whoever may suspend the agent ends what it was given.
            Act::EndDelegation(d) if who.chain.acting.is_same(&d.person) => Ok(()),
            Act::EndDelegation(d) => {
                plain(AdminVerb::IdentitySuspend, AdminObject::Identity(&d.agent))
            }
            Act::EndGrant(g) => {
                let below = Below::of(&force, &g.target);
                let object = AdminObject::Grant {
                    id: &g.id,
                    target: &below.target,
                    chain: &g.holder,
                    rule: &g.rule,
                    approvers: &g.approvers,
                };
                self.below(&force, who, AdminVerb::GrantEnd, (&below, &object), from)
            }
            Act::Freeze(what) => plain(AdminVerb::TargetFreeze, stopped(what)),
            Act::Thaw(what) => plain(AdminVerb::TargetThaw, stopped(what)),
            Act::ReadAudit => plain(AdminVerb::AuditRead, AdminObject::Gateway),
            Act::ReadBundle => plain(AdminVerb::PolicyRead, AdminObject::Bundle),
            Act::ApplyBundle => plain(AdminVerb::PolicyApply, AdminObject::Bundle),
            Act::Suspend(principal) => {
                plain(AdminVerb::IdentitySuspend, AdminObject::Identity(principal))
            }
            Act::RevokeCredential(c) => {
                let below = Below::of(&force, &c.target);
                let object = AdminObject::Credential {
                    id: &c.id,
                    target: &below.target,
                    chain: &c.chain,
                };
                self.below(
                    &force,
                    who,
                    AdminVerb::CredentialRevoke,
                    (&below, &object),
                    from,
                )
            }
            Act::Connect(target) => self.connect(&force, who, target, from),
        }
    }

    fn may_answer(
        &self,
        who: &Identity,
        approval: &Approval,
        from: IpAddr,
    ) -> Result<Vec<String>, Denial> {
        let force = self.gate.in_force();
        let question = &approval.question;
        let Some(guarded) = force.targets.get(&question.target) else {
            return Err(target_gone(&question.target));
        };
        let moment = AdminMoment {
            now: self.gate.clock().now(),
            address: from,
            zone: &force.zone,
        };
        let answerable = force
            .rules
            .may_answer(who, question, &guarded.target, &moment);
        if !answerable.rules.is_empty() {
            return Ok(answerable.rules);
        }
        let mut denial = not_permitted("approve");
        if let Some((_, outcome)) = answerable.refused.into_iter().next() {
            denial = allowed(outcome, "approve").err().unwrap_or(denial);
        }
        Err(denial)
    }
}

fn stopped<'a>(what: &'a Stopped<'a>) -> AdminObject<'a> {
    match what {
        Stopped::Everything => AdminObject::Gateway,
        Stopped::Label(label) => AdminObject::Label(label),
        Stopped::Target(target) => AdminObject::Target(target),
    }
}

/// What an object hangs below: a target of the bundle in force, or the name of one that was there.
struct Below {
    target: Target,
    known: bool,
}

impl Below {
    fn of(force: &InForce, name: &str) -> Self {
        match force.targets.get(name) {
            Some(guarded) => Self {
                target: guarded.target.clone(),
                known: true,
            },
            None => Self {
                target: unlabelled(name),
                known: false,
            },
        }
    }
}

/// An outcome as the API has it. What would be held is refused: acts on the gateway wait for nobody.
fn allowed(outcome: Outcome, act: &str) -> Result<(), Denial> {
    let mut denial = not_permitted(act);
    match outcome.verdict {
        Verdict::Allow => return Ok(()),
        Verdict::Deny { rules, messages } => {
            if !rules.is_empty() {
                denial.rules = rules;
            }
            denial.hint = messages.into_iter().next().or(denial.hint);
        }
        Verdict::Hold(asked) => {
            denial.code = Code::ApprovalRequired;
            denial.rules = asked.into_iter().map(|a| a.rule).collect();
            denial.hint =
                Some("This needs an approval that was given ahead, and there is none.".to_owned());
        }
    }
    Err(denial)
}

fn not_permitted(act: &str) -> Denial {
    Denial::new(
        Code::Forbidden,
        "brattice.not-permitted",
        format!("`{act}` is not permitted to you here."),
    )
    .hint(format!(
        "Ask the people who write the policy for a rule that permits `{act}`."
    ))
}

fn target_gone(target: &str) -> Denial {
    Denial::new(
        Code::Forbidden,
        "brattice.target-gone",
        format!("The target \"{target}\" is not in the bundle any more, so rules about it cannot be asked."),
    )
    .hint("Put the target back into the bundle, if need be for the time of looking.")
}

fn unlabelled(name: &str) -> Target {
    Target {
        name: name.to_owned(),
        protocol: Protocol::Postgres,
        labels: BTreeMap::new(),
        observe: false,
    }
}

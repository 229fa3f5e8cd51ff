//! Asking for grants ahead of time: one question to people about rules that will stand in the way.
//!
//! Lives here: which question that is. Never: what a grant is good for (`hold`, `connect`), storage.

use super::Gate;
use super::hold::About;
use crate::action::{Act, Effect, Object, Verb};
use crate::approval::{Ahead, Approval, Asked, Question};
use crate::audit::{Entry, Event};
use crate::denial::{Code, Denial};
use crate::ids::{ApprovalId, Digest, Hasher};
use crate::plain::visible;
use crate::policy::{self, Lifted, Wanted};
use crate::principal::Identity;
use std::net::IpAddr;

/// The longest time that can be asked for: no rule grants more.
pub const MINUTES_MAX: u64 = 24 * 60;

/// What somebody asks for.
#[derive(Debug)]
pub struct Wish<'a> {
    /// Who, for whom.
    pub identity: &'a Identity,
    /// On which target.
    pub target: &'a str,
    /// What they want to do.
    pub wanted: Wanted,
    /// For how long, at most.
    pub minutes: u64,
    /// Why, in their words.
    pub reason: &'a str,
    /// From which address.
    pub client: IpAddr,
}

/// What asking came to.
#[derive(Debug)]
pub enum Wished {
    /// People are asked, or were before. What a grant does not lift is told as well.
    Asked(Box<Approval>, policy::Ahead),
    /// Nothing that a grant lifts stands in the way.
    Nothing(policy::Ahead),
}

impl Gate {
    /// Asks people for grants of every rule with `@grant` that may stand in the way, in one question.
    ///
    /// # Errors
    /// When the target is not for this chain at all, too much was asked lately, or the store is away.
    pub async fn ask_ahead(&self, wish: Wish<'_>) -> Result<Wished, Denial> {
        let force = self.in_force.load_full();
        let identity = wish.identity;
        let guarded = force
            .targets
            .get(wish.target)
            .filter(|_| identity.scope.has_target(wish.target))
            // The same words whether it is missing or forbidden: names are not confirmed to strangers.
            .ok_or_else(|| no_target(wish.target))?;
        let beyond = wish
            .wanted
            .effects
            .iter()
            .find(|e| !identity.scope.has_effect(**e));
        if let Some(effect) = beyond {
            return Err(out_of_scope(*effect));
        }
        let judge = force.rules.judge_for(&identity.chain, &guarded.target);
        let connect = [Act::new(Verb::Connect, Object::Target)];
        let now = self.clock.now();
        let meter = self.meters.of(&identity.chain);
        let moment = super::connect::moment((identity, &meter), now, wish.client, &force.zone);
        let outcome = judge.judge(&connect, &moment, &Lifted::none());
        let forbidden = matches!(outcome.verdict, policy::Verdict::Deny { .. });
        if forbidden && !guarded.target.observe {
            return Err(no_target(wish.target));
        }
        let mut ahead = force
            .rules
            .ahead(&identity.chain, &guarded.target, &wish.wanted);
        if ahead.liftable.is_empty() {
            return Ok(Wished::Nothing(ahead));
        }
        for asked in &mut ahead.liftable {
            asked.grant_minutes = asked.grant_minutes.map(|m| m.min(wish.minutes));
        }
        let about = About {
            guarded,
            revision: force.revision,
            chain: &identity.chain,
            place: "",
            session: None,
        };
        let question = self.wished(&wish, &ahead.liftable, &about)?;
        let (id, action) = (question.id.clone(), question.action);
        let approval = self.approvals.ask(question).await;
        let approval = approval.map_err(|cause| self.store_away(&cause))?;
        let Some(approval) = approval else {
            return Err(Denial::new(
                Code::Throttled,
                "brattice.approvals",
                "too many approvals were asked for lately",
            )
            .hint("wait for the open ones to be decided"));
        };
        if approval.question.id == id {
            let rules = ahead.liftable.iter().map(|a| a.rule.clone()).collect();
            let entry = Entry {
                at: now,
                session: None,
                sequence: None,
                revision: force.revision,
                event: Event::ApprovalAsked {
                    approval: id,
                    action,
                    rules,
                },
            };
            self.audit
                .append(&entry)
                .map_err(super::admit::unavailable)?;
        }
        Ok(Wished::Asked(Box::new(approval), ahead))
    }

    fn wished(
        &self,
        wish: &Wish<'_>,
        asked: &[Asked],
        about: &About<'_>,
    ) -> Result<Question, Denial> {
        let mut id = [0; 10];
        self.randomness
            .fill(&mut id)
            .map_err(super::admit::unavailable)?;
        let words = wish.wanted.words();
        Ok(Question {
            id: ApprovalId::from_bytes(id),
            text: text(wish, asked, &words),
            effects: wish.wanted.effects.iter().copied().collect(),
            acts: words
                .iter()
                .map(|w| format!("{w} {}", wish.target))
                .collect(),
            ahead: Some(Ahead {
                minutes: wish.minutes,
                connect: wish.wanted.connect,
                reveal: wish.wanted.reveal,
                reason: wish.reason.to_owned(),
            }),
            ..self.about(about, asked, &[], digest(wish, asked, &words))
        })
    }
}

/// What people read, and answer by its hash. The asker's words stand last and on one line, so that they look like
/// nothing else.
fn text(wish: &Wish<'_>, asked: &[Asked], words: &[&str]) -> String {
    let rules: Vec<String> = asked
        .iter()
        .map(|a| format!("  {} for {} minutes", a.rule, a.grant_minutes.unwrap_or(0)))
        .collect();
    format!(
        "GRANT AHEAD OF TIME\nto:     {}\non:     {}\nwhat:   {}\nlifts all that these rules hold, from the moment of the yes:\n{}\nreason, in their words: {}",
        visible(&wish.identity.chain.to_string()),
        wish.target,
        words.join(", "),
        rules.join("\n"),
        visible(wish.reason)
    )
}

/// What an answer names. No command has such a hash.
fn digest(wish: &Wish<'_>, asked: &[Asked], words: &[&str]) -> Digest {
    let mut h = Hasher::new();
    h.field(b"brattice grant ahead 1");
    h.field(wish.target.as_bytes());
    h.field(&(words.len() as u64).to_be_bytes());
    for word in words {
        h.field(word.as_bytes());
    }
    for a in asked {
        h.field(a.rule.as_bytes()).field(&a.rule_text.0);
        h.field(&a.grant_minutes.unwrap_or(0).to_be_bytes());
    }
    h.field(wish.reason.as_bytes());
    h.finish()
}

fn no_target(name: &str) -> Denial {
    Denial::new(
        Code::Forbidden,
        "brattice.connect",
        format!(
            "there is no target \"{}\" that you may ever open",
            super::note::cut(name)
        ),
    )
    .hint("ask the people who write the policy for a rule that permits `connect`")
}

fn out_of_scope(effect: Effect) -> Denial {
    Denial::new(
        Code::Forbidden,
        "brattice.scope",
        format!("the token was narrowed and has no `{}`", effect.as_str()),
    )
    .hint("ask with a token that has it")
}

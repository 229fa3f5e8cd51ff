//! Asking people: what is asked, what they answered, and what that is good for.
//!
//! Lives here: the domain and its state machine. Never: storage, notification.

use crate::action::Effect;
use crate::ids::{ApprovalId, Digest, GrantId, Revision, SessionId};
use crate::principal::{Chain, Principal};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// What one holding rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Asked {
    /// The rule's `@id`.
    pub rule: String,
    /// Digest of the rule's text: an approval lifts only the rule it was asked for.
    pub rule_text: Digest,
    /// Any of these groups may answer, each as `issuer/name`.
    pub groups: Vec<String>,
    /// How many distinct people must say yes.
    pub approvers: u8,
    /// How long a yes stands for the same rule, chain and target, if it does.
    pub grant_minutes: Option<u64>,
    /// The rule's `@message`.
    pub message: Option<String>,
}

/// A question to people about one exact action.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Question {
    /// Its id.
    pub id: ApprovalId,
    /// The session that asked; a grant ahead of time is asked for by none.
    pub session: Option<SessionId>,
    /// Who asks, for whom.
    pub chain: Chain,
    /// The target's name.
    pub target: String,
    /// The target's labels as `key=value`, for routing.
    pub labels: Vec<String>,
    /// Where on the target: the database.
    pub place: String,
    /// The hash of the exact action ([`crate::action::ActionKey::hash`]).
    pub action: Digest,
    /// The command's text, complete.
    pub text: String,
    /// Parameters as text for people; masked values are not filled in.
    pub parameters: Vec<Option<String>>,
    /// What it would do.
    pub effects: Vec<Effect>,
    /// `verb object` of each act, for people.
    pub acts: Vec<String>,
    /// What each holding rule asks.
    pub asked: Vec<Asked>,
    /// That it is about grants ahead of time, and no command waits.
    #[serde(default)]
    pub ahead: Option<Ahead>,
    /// The bundle it was judged under.
    pub revision: Revision,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When it lapses if nobody answers, and when an approved ticket lapses.
    pub expires_at: Timestamp,
}

/// What is asked for ahead of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// For how long at most, from the moment of the yes.
    pub minutes: u64,
    /// To open the target.
    pub connect: bool,
    /// To see or use what is masked.
    pub reveal: bool,
    /// Why, in the asker's words.
    pub reason: String,
}

/// Where a question stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Nobody has decided yet.
    Pending,
    /// Every rule's groups said yes; not used yet.
    Approved,
    /// Someone said no.
    Denied,
    /// Used, once. A question about grants ahead of time is used by the yes that opens them.
    Consumed,
    /// Nobody decided in time, or it was approved and not used in time.
    Expired,
    /// The asker went away or the gateway restarted before it ran.
    NotRun,
}

/// One person's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// Who.
    pub by: Principal,
    /// Yes or no.
    pub yes: bool,
    /// Which of the asked rules this person may answer for.
    pub rules: Vec<String>,
    /// Why, in their words.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
    /// How it came in: `cli`, `api`, `webhook:<route>`.
    pub via: String,
    /// From which address.
    #[serde(default)]
    pub from: Option<IpAddr>,
}

/// A question with its answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Approval {
    /// What was asked.
    pub question: Question,
    /// Where it stands.
    pub state: ApprovalState,
    /// The answers so far.
    pub answers: Vec<Answer>,
}

impl Approval {
    /// Where the answers alone lead: one no ends it; every rule needs its number of distinct people.
    pub fn tally(&self) -> ApprovalState {
        if self.answers.iter().any(|a| !a.yes) {
            return ApprovalState::Denied;
        }
        let satisfied = self.question.asked.iter().all(|asked| {
            let mut people: Vec<String> = self
                .answers
                .iter()
                .filter(|a| a.yes && a.rules.contains(&asked.rule))
                .map(|a| a.by.to_string())
                .collect();
            people.sort();
            people.dedup();
            people.len() >= usize::from(asked.approvers)
        });
        if satisfied && !self.question.asked.is_empty() {
            ApprovalState::Approved
        } else {
            ApprovalState::Pending
        }
    }
}

/// A yes that stands for a while: one rule, one chain, one target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// The rule it lifts.
    pub rule: String,
    /// Digest of that rule's text.
    pub rule_text: Digest,
    /// Digest of the chain's names ([`Chain::names_digest`]).
    pub chain: Digest,
    /// The chain that asked.
    pub holder: Chain,
    /// The target's name.
    pub target: String,
    /// Who approved.
    pub approvers: Vec<Principal>,
    /// When it ends.
    pub until: Timestamp,
}

/// How long waiting may take.
#[derive(Debug, Clone, Copy)]
pub struct HoldTimes {
    /// How long the connection is kept waiting before the hold becomes a ticket.
    pub hold_wait_max: Duration,
    /// How long a question stays open, and an approved ticket usable.
    pub ticket_lifetime: Duration,
    /// How often a waiting client is told.
    pub notice_every: Duration,
}

impl Default for HoldTimes {
    fn default() -> Self {
        Self {
            hold_wait_max: Duration::from_secs(120),
            ticket_lifetime: Duration::from_secs(3600),
            notice_every: Duration::from_secs(15),
        }
    }
}

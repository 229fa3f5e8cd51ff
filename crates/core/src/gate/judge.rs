//! Judging one command: is the session still good, what does it do, what do the rules say, is it on record.
//!
//! Lives here: the order. Never: a way round it.

use super::Gate;
use super::held::{Held, Lifting, Passed, Portal, Tx, Verdict, What};
use super::names::Names;
use super::note::text_of;
use super::pass::{copies_in, declares, nothing, prepares};
use super::proof::Cleared;
use super::refuse::{explain, masked_denial, observed_denial};
use super::results::Results;
use super::session::{Session, SqlSession};
use super::shown::carries_mask;
use super::understand::{Scope, Understood, is_masked_use};
use crate::action::{Act, ActionKey, Effect};
use crate::approval::Asked;
use crate::audit::Position;
use crate::classify::sql::catalogue::Catalogue;
use crate::classify::sql::{Consequence, Transaction, Unclear};
use crate::denial::{Code, Denial};
use crate::ids::Digest;
use crate::policy::{self, Budget, Moment};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What has to be waited for before judging can end.
#[derive(Debug)]
pub enum Pending {
    /// A fresh picture of the catalogue; then judge again.
    Refresh(Held),
    /// The record must reach the disk; then this is the verdict.
    Durable(Position, Box<Verdict>),
    /// Rules hold it: grants and tickets are looked up, or people are asked.
    Hold(Box<Holding>),
    /// Fields are masked unless this was granted ahead: grants are looked up; then judge again.
    Grants(Held, Vec<Asked>),
    /// An approval is used up; then it passes.
    Consume(Box<Ready>),
}

/// What thinking came to.
#[derive(Debug)]
pub enum Thought {
    /// An answer.
    Verdict(Verdict),
    /// Judge this again: something it depends on has been fetched.
    Again(Held),
}

/// A held command with what its rules ask.
#[derive(Debug)]
pub struct Holding {
    pub(super) held: Held,
    pub(super) asked: Vec<Asked>,
    pub(super) action: Digest,
    pub(super) acts: Vec<Act>,
}

/// A command that may pass once it is on record.
#[derive(Debug)]
pub struct Ready {
    pub(super) held: Held,
    pub(super) understood: Arc<Understood>,
    pub(super) action: Digest,
    pub(super) observed: Vec<String>,
    pub(super) results: Option<Arc<Results>>,
}

impl Gate {
    /// Judges a command. The fast path makes no future: `Err` is what has to be waited for.
    pub fn judge_now(
        &self,
        session: &mut SqlSession,
        held: Held,
        names: &Names,
    ) -> Result<Verdict, Pending> {
        if let Err(denial) = self.still_good(session) {
            return Ok(self.refuse(session, &held, Digest::of(text_of(&held)), denial));
        }
        session.follow_bundle();
        session.settled = held.tx == Tx::Idle && !held.mid_pipeline;
        if session.settled {
            session.wrote = false;
            session.locked = false;
            self.settle(session);
            session.owed = None;
        }
        match &held.what {
            What::Sync => self.judge_sync(session, held),
            What::Execute { portal } => {
                let portal = portal.clone();
                self.judge_execute(session, held, &portal, names)
            }
            What::Query { .. } | What::Parse { .. } | What::Bind { .. } => {
                self.judge_text(session, held, names)
            }
        }
    }

    /// Whether the session may do anything at all: not cut, not expired, still admitted by the bundle in force.
    pub(super) fn still_good(&self, session: &mut Session) -> Result<(), Denial> {
        if let Some(reason) = session.cut.reason() {
            return Err(session.cut.says(reason));
        }
        let expires_at = session.admission.identity.expires_at;
        if self.clock.now() >= expires_at.plus(self.expiry_grace()) {
            session.cut.throw(super::CutReason::Expired);
            return Err(super::CutReason::Expired.denial());
        }
        let granted = session.admission.granted.as_ref();
        if granted.is_some_and(|g| g.is_over(self.clock.now())) {
            session.cut.throw(super::CutReason::GrantEnded);
            return Err(super::CutReason::GrantEnded.denial());
        }
        if self.in_force.load().revision != session.admission.force.revision {
            self.readmit(session)?;
        }
        Ok(())
    }

    fn judge_sync(&self, session: &mut SqlSession, held: Held) -> Result<Verdict, Pending> {
        // An implicit transaction commits here, and settings changed in it may be rolled back.
        session.path_in_doubt |= session.path_touched;
        // So may what was created or dropped in it.
        session.overlay_in_doubt |= held.tx == Tx::Idle && session.overlay.is_some();
        let owed = if held.tx == Tx::Idle {
            session.owed.take()
        } else {
            None
        };
        let verdict = Verdict::Pass(Cleared::new(held.frame), nothing(session.commands));
        match owed {
            Some(position) => Err(Pending::Durable(position, Box::new(verdict))),
            None => Ok(verdict),
        }
    }

    /// The portal was judged when it was bound; it runs only under the same bundle.
    fn judge_execute(
        &self,
        session: &mut SqlSession,
        held: Held,
        portal: &Arc<Portal>,
        names: &Names,
    ) -> Result<Verdict, Pending> {
        if portal.revision != session.admission.force.revision {
            let denial = Denial::new(
                Code::Forbidden,
                "brattice.bundle",
                "the policy changed after this statement was bound",
            )
            .hint("bind it again: it is then judged by the policy in force");
            return Ok(self.refuse(session, &held, Digest::of(text_of(&held)), denial));
        }
        // Other names may have been given since it was bound.
        if let Some(denial) = names.refuse(&held.what, &portal.command) {
            return Ok(self.refuse(session, &held, Digest::of(text_of(&held)), denial));
        }
        // What names mean to such a statement is settled when it is run, and it was judged when it was bound.
        let started = portal.started.swap(true, Ordering::AcqRel);
        if portal.command.utility && !started && portal.turn != session.turn {
            let why = "a statement of this kind is run right after it was bound";
            let denial = Denial::new(Code::NotSupported, "brattice.names", why)
                .hint("bind it again, and run it before anything else");
            return Ok(self.refuse(session, &held, Digest::of(text_of(&held)), denial));
        }
        session.turn += 1;
        // A query may be run in parts, and long after something else was looked up.
        self.doubts(session, &portal.command);
        let prepares = prepares(&portal.command, &session.path);
        let lane = copies_in(&portal.command).then(|| session.lane());
        let passed = Passed {
            command: Some(portal.command.clone()),
            prepares,
            declares: declares(&portal.command),
            number: portal.number,
            results: portal.results.clone(),
            portal: None,
            text: Bytes::new(),
            lane,
        };
        Ok(Verdict::Pass(Cleared::new(held.frame), passed))
    }

    fn judge_text(
        &self,
        session: &mut SqlSession,
        mut held: Held,
        names: &Names,
    ) -> Result<Verdict, Pending> {
        let text = match &held.what {
            What::Query { text } => text.clone(),
            What::Parse { prepared, .. } | What::Bind { prepared, .. } => prepared.text.clone(),
            What::Execute { .. } | What::Sync => return Ok(Verdict::Failed),
        };
        let picture = self.picture(session);
        let catalogue = picture.as_ref().map(|p| p.catalogue.clone());
        let catalogue = catalogue.unwrap_or_default();
        let understood = match self.understand(session, &held, &text, names, &catalogue) {
            Ok(u) => u,
            Err(unclear) => return Ok(self.not_understood(session, held, &text, unclear)),
        };
        held.lifted.understood = Some(understood.clone());
        if held.tx == Tx::Failed && !held.mid_pipeline && !ends_transaction(&understood) {
            return Ok(Verdict::Failed);
        }
        if understood.command.needs_names || understood.named {
            if let Some(look) = self.look_needed(session, &held) {
                if held.tx == Tx::Failed {
                    // Perhaps no longer, by something before it in the pipeline.
                    let why = "names cannot be looked up in a transaction that failed";
                    let denial = Denial::new(Code::NotSupported, "brattice.names", why)
                        .hint("end the transaction, wait for that, and send this again");
                    return Ok(self.refuse(session, &held, Digest::of(&text), denial));
                }
                held.lifted.fresh_since = Some(self.clock.now());
                return Ok(Verdict::Look(held, look));
            }
            if session.overlay.is_none() && self.is_stale(picture.as_ref(), session, &held) {
                return Err(Pending::Refresh(held));
            }
        }
        if let Some(denial) = self.misnamed(session, &held, &understood, names, &catalogue) {
            return Ok(self.refuse(session, &held, Digest::of(&text), denial));
        }
        self.apply_rules(session, held, understood)
    }

    /// Why its names cannot be taken for what they seem to be.
    fn misnamed(
        &self,
        session: &SqlSession,
        held: &Held,
        understood: &Understood,
        names: &Names,
        catalogue: &Catalogue,
    ) -> Option<Denial> {
        if let What::Bind { prepared, .. } = &held.what
            && !prepared.still_means(&understood.command, &session.path, catalogue)
        {
            return Some(super::names::rebound());
        }
        names.refuse(&held.what, &understood.command)
    }

    fn understand(
        &self,
        session: &mut SqlSession,
        held: &Held,
        text: &Bytes,
        names: &Names,
        catalogue: &Catalogue,
    ) -> Result<Arc<Understood>, Unclear> {
        let guarded = session.admission.guarded.clone();
        let masked = self.masked(session, catalogue);
        let path = session.path.clone();
        let types: &[u32] = match &held.what {
            What::Parse { prepared, .. } | What::Bind { prepared, .. } => &prepared.types,
            _ => &[],
        };
        let scope = Scope {
            guarded: &guarded,
            catalogue,
            path: &path,
            major: session.major,
            masked: &masked,
            in_transaction: held.tx == Tx::Open,
            types,
        };
        self.cache.understand(
            text,
            session.admission.force.revision.0,
            &path,
            &scope,
            names,
        )
    }

    fn apply_rules(
        &self,
        session: &mut SqlSession,
        mut held: Held,
        understood: Arc<Understood>,
    ) -> Result<Verdict, Pending> {
        let action = action_hash(session, &held, &understood);
        let observe = session.admission.guarded.target.observe;
        // Observed or not: how statements are read is not a question of policy.
        if let Some(refusal) = understood.command.refusals.first() {
            let mut denial = Denial::new(Code::NotSupported, refusal.rule, refusal.reason.clone());
            denial.hint = refusal.hint.clone();
            return Ok(self.refuse(session, &held, action, denial));
        }
        if takes_own_name(&understood) {
            let denial = Denial::new(
                Code::NotSupported,
                "brattice.protocol",
                "this name is the gateway's own",
            )
            .hint("choose another name");
            return Ok(self.refuse(session, &held, action, denial));
        }
        // The token's own narrowing comes before any rule, and where a target is only observed as well.
        if let Some(act) = beyond_scope(session, &understood) {
            let denial = super::refuse::out_of_scope(&session.admission.identity.scope, act);
            return Ok(self.refuse(session, &held, action, denial));
        }
        if let Some(denial) = self.over_budget(session, &held, &understood) {
            return Ok(self.refuse(session, &held, action, denial));
        }
        let budget = self.budget(session, &mut held, &understood);
        let moment = self.moment(session, budget);
        let forms = self.forms(session, &held, &understood, &moment);
        if !forms.grantable.is_empty() && !held.lifted.granted {
            return Err(Pending::Grants(held, forms.grantable));
        }
        let (forms, all_shown) = (forms.of, forms.all_shown);
        if !all_shown && !understood.masked_unclear.is_empty() {
            let denial = masked_denial(&understood.masked_unclear.join("; "));
            return Ok(self.refuse(session, &held, action, denial));
        }
        let acts: Vec<Act>;
        let to_judge: &[Act] = if all_shown && understood.acts.iter().any(is_masked_use) {
            acts = understood
                .acts
                .iter()
                .filter(|a| !is_masked_use(a))
                .cloned()
                .collect();
            &acts
        } else {
            &understood.acts
        };
        let lifted = held.lifted.lifted();
        // Masks stay where a target is only observed, and so does what would get round them: code can show anything.
        let masks = observe && !session.admission.guarded.masked.is_empty();
        let opaque = |a: &Act| masks && matches!(a.effect(), Effect::Execute | Effect::Unknown);
        let uses: Vec<Act> = to_judge
            .iter()
            .filter(|a| observe && (is_masked_use(a) || opaque(a)))
            .cloned()
            .collect();
        if !uses.is_empty() {
            let judge = &session.admission.judge;
            let outcome = judge.judge(&uses, &self.moment(session, budget), &lifted);
            if outcome.verdict != policy::Verdict::Allow {
                let denial = why(&understood, &uses, &outcome);
                return Ok(self.refuse(session, &held, action, denial));
            }
        }
        let (verdict, mut observed) = if to_judge.is_empty() {
            (policy::Verdict::Allow, Vec::new())
        } else {
            let outcome =
                session
                    .admission
                    .judge
                    .judge(to_judge, &self.moment(session, budget), &lifted);
            if !outcome.unpermitted.is_empty()
                || matches!(outcome.verdict, policy::Verdict::Deny { .. })
            {
                if !observe {
                    let denial = why(&understood, to_judge, &outcome);
                    return Ok(self.refuse(session, &held, action, denial));
                }
                observed_denial(outcome)
            } else {
                (outcome.verdict, outcome.observed)
            }
        };
        match verdict {
            policy::Verdict::Hold(asked) if observe => {
                observed.extend(asked.into_iter().map(|a| a.rule))
            }
            // Parsing changes nothing; the hold stands before Bind, where the parameters are known.
            policy::Verdict::Hold(_) if matches!(held.what, What::Parse { .. }) => {}
            policy::Verdict::Hold(asked) => {
                return Err(Pending::Hold(Box::new(Holding {
                    acts: to_judge.to_vec(),
                    held,
                    asked,
                    action,
                })));
            }
            policy::Verdict::Allow | policy::Verdict::Deny { .. } => {}
        }
        if let Some(denial) = carries_mask(&held, &understood) {
            return Ok(self.refuse(session, &held, action, denial));
        }
        let results = self.results(session, &understood, forms, all_shown);
        let ready = Ready {
            held,
            understood,
            action,
            observed,
            results,
        };
        if ready.held.lifted.approval.is_some() && !matches!(ready.held.what, What::Parse { .. }) {
            return Err(Pending::Consume(Box::new(ready)));
        }
        self.pass(session, ready, Vec::new())
    }

    /// What was used up before this command. Preparing a statement uses nothing.
    fn budget(&self, session: &Session, held: &mut Held, understood: &Understood) -> Budget {
        if matches!(held.what, What::Parse { .. }) {
            let zone = &session.admission.force.zone;
            return session
                .admission
                .account
                .meter()
                .read(self.clock.now(), zone);
        }
        self.count(session, &mut held.lifted, commands(understood))
    }

    /// What was used up before a command, which is counted once, however often it is judged. Nothing comes between
    /// looking and counting: of two sessions of a chain one comes first.
    pub(super) fn count(&self, session: &Session, lifted: &mut Lifting, commands: u32) -> Budget {
        let now = self.clock.now();
        let (account, zone) = (&session.admission.account, &session.admission.force.zone);
        if !std::mem::replace(&mut lifted.counted, true) {
            return account.begin(now, zone, commands);
        }
        let used = account.meter().read(now, zone);
        let own = i64::from(commands);
        Budget {
            // One that waited for longer is not among those of the last minute; then too few are read.
            commands_last_minute: used.commands_last_minute.saturating_sub(own).max(0),
            ..used
        }
    }

    /// A budget of the token that has nothing left for this. What only ends a transaction takes nothing.
    fn over_budget(
        &self,
        session: &Session,
        held: &Held,
        understood: &Understood,
    ) -> Option<Denial> {
        if matches!(held.what, What::Parse { .. }) || ends_transaction(understood) {
            return None;
        }
        self.none_left(session, &held.lifted, commands(understood))
    }

    /// A budget of the token that has nothing left for so many commands.
    pub(super) fn none_left(
        &self,
        session: &Session,
        lifted: &Lifting,
        commands: u32,
    ) -> Option<Denial> {
        let account = &session.admission.account;
        let none_left = account.used_up().or_else(|| {
            let first = !lifted.counted;
            first
                .then(|| account.take_commands(self.clock.now(), commands))
                .flatten()
        });
        none_left.map(super::refuse::used_up)
    }

    pub(super) fn moment<'a>(&self, session: &'a Session, budget: Budget) -> Moment<'a> {
        Moment {
            identity: &session.admission.identity,
            now: self.clock.now(),
            address: session.admission.client,
            budget,
            zone: &session.admission.force.zone,
            rows_so_far: 0,
        }
    }
}

/// What of it the token was narrowed not to have. A masked column that may be seen in full is used freely.
fn beyond_scope<'u>(session: &SqlSession, understood: &'u Understood) -> Option<&'u Act> {
    let scope = &session.admission.identity.scope;
    if scope.is_whole() {
        return None;
    }
    // Code can show a class in any shape.
    let masks = scope.classes.is_some() && !session.admission.guarded.masked.is_empty();
    let named = scope
        .effects
        .as_ref()
        .is_some_and(|e| e.contains(&Effect::Execute));
    let opaque =
        |act: &Act| masks && !named && matches!(act.effect(), Effect::Execute | Effect::Unknown);
    let mut acts = understood.acts.iter();
    acts.find(|act| !scope.has(act) || opaque(act))
}

/// Whether it would prepare or declare something under the name that the gateway needs for its own reads.
fn takes_own_name(understood: &Understood) -> bool {
    understood.command.consequences.iter().any(|c| {
        matches!(c, Consequence::Prepares { name, .. } | Consequence::Declares { name, .. } if name == super::OWN_NAME)
    })
}

/// How many commands a message has.
fn commands(understood: &Understood) -> u32 {
    u32::try_from(understood.command.steps.len())
        .unwrap_or(u32::MAX)
        .max(1)
}

fn ends_transaction(understood: &Understood) -> bool {
    !understood.command.steps.is_empty()
        && understood.acts.is_empty()
        && understood
            .command
            .steps
            .iter()
            .all(|s| s.transaction != Transaction::None)
}

/// Why the rules refuse a statement.
fn why(understood: &Understood, acts: &[Act], outcome: &policy::Outcome) -> Denial {
    explain(
        understood.command.unclear.first(),
        &understood.uses,
        acts,
        outcome,
    )
}

pub(super) fn action_hash(session: &SqlSession, held: &Held, understood: &Understood) -> Digest {
    let mut settings = if understood.command.needs_names {
        vec![format!("search_path={}", session.path.0.join(","))]
    } else {
        Vec::new()
    };
    // What its names mean: the same words over another table, or running another statement, are another action.
    let target = &session.admission.guarded.target;
    let acts = understood.acts.iter();
    settings.extend(acts.map(|a| format!("{} {}", a.verb.as_str(), a.object.entity_id(target))));
    let executed = understood.executed.iter();
    settings.extend(executed.map(|(p, _)| String::from_utf8_lossy(&p.text).into_owned()));
    let (parameters, shape): (&[Option<Bytes>], &[u8]) = match &held.what {
        What::Bind {
            parameters, shape, ..
        } => (parameters, shape),
        _ => (&[], b""),
    };
    ActionKey {
        target: &session.admission.guarded.target.name,
        place: &session.admission.place,
        role: &session.rights,
        text: text_of(held).as_ref(),
        parameters,
        parameter_shape: shape,
        settings: &settings,
    }
    .hash()
}

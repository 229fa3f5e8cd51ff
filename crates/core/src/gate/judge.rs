//! Judging one command: is the session still good, what does it do, what do the rules say, is it on record.
//!
//! Lives here: the order. Never: a way round it.

use super::held::{Held, Names, Passed, Portal, Prepared, Tx, Verdict, What};
use super::note::{Intent, text_of};
use super::proof::Cleared;
use super::results::Results;
use super::session::{Cursor, Session};
use super::understand::{Scope, Understood, is_masked_use};
use super::{Gate, admit};
use crate::action::{Act, ActionKey, Effect, Verb};
use crate::approval::{Approval, Asked};
use crate::audit::Position;
use crate::classify::sql::{Command, Consequence, Direction, Transaction, Unclear};
use crate::denial::{Code, Denial};
use crate::ids::Digest;
use crate::mask::{Field, Form, Reveal};
use crate::policy::{self, Budget, Lifted, Moment};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// Cursors a session may have declared.
const CURSORS_MAX: usize = 1000;

/// How long after its identity's expiry a session may go on until it is idle outside a transaction.
pub const EXPIRY_GRACE: Duration = Duration::from_secs(60);

/// What has to be waited for before judging can end.
#[derive(Debug)]
pub enum Pending {
    /// A fresh picture of the catalogue; then judge again.
    Refresh(Held),
    /// The record must reach the disk; then this is the verdict.
    Durable(Position, Box<Verdict>),
    /// Rules hold it: grants and tickets are looked up, or people are asked.
    Hold(Box<Holding>),
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
    pub(super) understood: Option<Arc<Understood>>,
    pub(super) action: Digest,
    pub(super) observed: Vec<String>,
    pub(super) results: Option<Arc<Results>>,
}

impl Gate {
    /// Judges a command. The fast path makes no future: `Err` is what has to be waited for.
    pub fn judge_now(
        &self,
        session: &mut Session,
        held: Held,
        names: &Names,
    ) -> Result<Verdict, Pending> {
        if let Err(denial) = self.still_good(session) {
            return Ok(self.refuse(session, &held, Digest::of(text_of(&held)), denial));
        }
        session.settled = held.tx == Tx::Idle && !held.mid_pipeline;
        if session.settled {
            session.wrote = false;
            session.locked = false;
            session.cursors.clear();
            session.owed = None;
        }
        match &held.what {
            What::Sync => self.judge_sync(session, held),
            What::Execute { portal } => {
                let portal = portal.clone();
                self.judge_execute(session, held, &portal)
            }
            What::Query { .. } | What::Parse { .. } | What::Bind { .. } => {
                self.judge_text(session, held, names)
            }
        }
    }

    /// Whether the session may do anything at all: not cut, not expired, still admitted by the bundle in force.
    fn still_good(&self, session: &mut Session) -> Result<(), Denial> {
        if let Some(reason) = session.cut.reason() {
            return Err(reason.denial());
        }
        if self.clock.now() >= session.admission.identity.expires_at.plus(EXPIRY_GRACE) {
            session.cut.throw(super::CutReason::Expired);
            return Err(super::CutReason::Expired.denial());
        }
        if self.in_force.load().revision != session.admission.force.revision {
            self.readmit(session)?;
        }
        Ok(())
    }

    fn judge_sync(&self, session: &mut Session, held: Held) -> Result<Verdict, Pending> {
        // An implicit transaction commits here, and settings changed in it may be rolled back.
        session.path_in_doubt |= session.path_touched;
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
        session: &mut Session,
        held: Held,
        portal: &Arc<Portal>,
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
        let prepares = prepares(&portal.command);
        let lane = copies_in(&portal.command).then(|| session.lane());
        let passed = Passed {
            command: Some(portal.command.clone()),
            prepares,
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
        session: &mut Session,
        held: Held,
        names: &Names,
    ) -> Result<Verdict, Pending> {
        let text = match &held.what {
            What::Query { text } => text.clone(),
            What::Parse { prepared, .. } | What::Bind { prepared, .. } => prepared.text.clone(),
            What::Execute { .. } | What::Sync => return Ok(Verdict::Failed),
        };
        let understood = match self.understand(session, &held, &text, names) {
            Ok(u) => u,
            Err(unclear) => return Ok(self.not_understood(session, held, &text, unclear)),
        };
        if held.tx == Tx::Failed && !held.mid_pipeline && !ends_transaction(&understood) {
            return Ok(Verdict::Failed);
        }
        if understood.command.needs_names {
            if let Some(look) = self.look_needed(session) {
                return if held.tx == Tx::Failed {
                    Ok(Verdict::Failed)
                } else {
                    Ok(Verdict::Look(held, look))
                };
            }
            if session.overlay.is_none() && self.is_stale(session) {
                return Err(Pending::Refresh(held));
            }
        }
        self.apply_rules(session, held, understood)
    }

    fn understand(
        &self,
        session: &mut Session,
        held: &Held,
        text: &Bytes,
        names: &Names,
    ) -> Result<Arc<Understood>, Unclear> {
        let guarded = session.admission.guarded.clone();
        let catalogue = self.catalogue(session);
        let masked = self.masked(session, &catalogue);
        let path = session.path.clone();
        let types: &[u32] = match &held.what {
            What::Parse { prepared, .. } | What::Bind { prepared, .. } => &prepared.types,
            _ => &[],
        };
        let cursors = std::mem::take(&mut session.cursors);
        let scope = Scope {
            guarded: &guarded,
            catalogue: &catalogue,
            path: &path,
            major: session.major,
            masked: &masked,
            in_transaction: held.tx == Tx::Open,
            types,
            cursors: &cursors,
        };
        let understood = self.cache.understand(
            text,
            session.admission.force.revision.0,
            &path,
            &scope,
            names,
        );
        session.cursors = cursors;
        understood
    }

    fn apply_rules(
        &self,
        session: &mut Session,
        held: Held,
        understood: Arc<Understood>,
    ) -> Result<Verdict, Pending> {
        let action = action_hash(session, &held, &understood);
        let observe = session.admission.guarded.target.observe;
        if let Some(refusal) = understood.command.refusals.first().filter(|_| !observe) {
            let mut denial = Denial::new(Code::NotSupported, refusal.rule, refusal.reason.clone());
            denial.hint = refusal.hint.clone();
            return Ok(self.refuse(session, &held, action, denial));
        }
        let (forms, all_shown) = self.forms(session, &understood);
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
        let (verdict, mut observed) = if to_judge.is_empty() {
            (policy::Verdict::Allow, Vec::new())
        } else {
            let lifted = lifted(&held);
            let outcome = session
                .admission
                .judge
                .judge(to_judge, &self.moment(session), &lifted);
            if !outcome.unpermitted.is_empty()
                || matches!(outcome.verdict, policy::Verdict::Deny { .. })
            {
                if !observe {
                    let denial = explain(&understood, to_judge, &outcome);
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
            understood: Some(understood),
            action,
            observed,
            results,
        };
        if ready.held.lifted.approval.is_some() && !matches!(ready.held.what, What::Parse { .. }) {
            return Err(Pending::Consume(Box::new(ready)));
        }
        self.pass(session, ready, Vec::new())
    }

    /// Records the intent and makes the proof. `approvals` were used up for it.
    pub(super) fn pass(
        &self,
        session: &mut Session,
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
        if let What::Parse { .. } = held.what {
            return Ok(Verdict::Pass(
                Cleared::new(held.frame),
                nothing(session.commands),
            ));
        }
        approvals.extend(held.lifted.grants.iter().map(|g| g.id.to_string()));
        let shown = understood
            .as_ref()
            .and_then(|u| u.command.redacted.clone())
            .unwrap_or_else(|| String::from_utf8_lossy(text_of(&held)).into_owned());
        let effects = understood
            .as_ref()
            .map_or_else(|| vec![Effect::Unknown], |u| effects(&u.acts));
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
        let command = understood.as_ref().map(|u| u.command.clone());
        let wait_for = self.consequences(session, &held, understood.as_deref(), position);
        let portal = match (&held.what, &command) {
            (What::Bind { prepared, .. }, Some(command)) => Some(Arc::new(Portal {
                prepared: prepared.clone(),
                command: command.clone(),
                revision: session.admission.force.revision,
                number,
                results: results.clone(),
            })),
            _ => None,
        };
        let is_query = matches!(held.what, What::Query { .. });
        let prepares = match &command {
            Some(c) if is_query => prepares(c),
            _ => Vec::new(),
        };
        let lane = command
            .as_ref()
            .filter(|c| is_query && copies_in(c))
            .map(|_| session.lane());
        let text = text_of(&held).clone();
        let passed = Passed {
            results,
            command,
            portal,
            prepares,
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

    /// What passing leaves in doubt, and which intents must be on disk before it may go.
    fn consequences(
        &self,
        session: &mut Session,
        held: &Held,
        understood: Option<&Understood>,
        position: Position,
    ) -> Option<Position> {
        let Some(understood) = understood else {
            // Not understood, let through by observe mode: everything is in doubt.
            session.path_in_doubt = true;
            session.path_touched = true;
            session.overlay_in_doubt = true;
            return Some(position);
        };
        let command = &understood.command;
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
                Consequence::Declares {
                    name, text, hold, ..
                } => {
                    if session.cursors.len() < CURSORS_MAX {
                        session.cursors.push(Cursor {
                            name: name.clone(),
                            text: Bytes::copy_from_slice(text.as_bytes()),
                            hold: *hold,
                        });
                    }
                }
                Consequence::Closes(name) => session.cursors.retain(|c| &c.name != name),
                Consequence::ClosesAll => session.cursors.clear(),
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
        let writes = |a: &&Act| a.effect() != Effect::Read && a.verb != Verb::SqlLock;
        let wrote = understood.acts.iter().any(|a| writes(&a));
        // Code that cannot be judged from outside may change settings, objects, or commit by itself.
        let opaque = understood
            .acts
            .iter()
            .any(|a| matches!(a.effect(), Effect::Execute | Effect::Unknown));
        if opaque {
            session.path_in_doubt = true;
            session.path_touched = true;
            session.overlay_in_doubt = true;
        }
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
            session.owed.take()
        } else {
            None
        }
    }

    fn not_understood(
        &self,
        session: &mut Session,
        held: Held,
        text: &Bytes,
        unclear: Unclear,
    ) -> Verdict {
        let action = Digest::of(text);
        if held.tx == Tx::Failed && !held.mid_pipeline {
            return Verdict::Failed;
        }
        if session.admission.guarded.target.observe {
            let observed = vec![unclear.rule.to_owned()];
            let ready = Ready {
                held,
                understood: None,
                action,
                observed,
                results: None,
            };
            return match self.pass(session, ready, Vec::new()) {
                Ok(v) => v,
                Err(Pending::Durable(_, v)) => *v,
                Err(_) => Verdict::Failed,
            };
        }
        let mut denial = Denial::new(Code::Unknown, unclear.rule, unclear.reason);
        denial.hint = unclear.hint;
        self.refuse(session, &held, action, denial)
    }

    /// Records a refusal and makes it the verdict.
    pub(super) fn refuse(
        &self,
        session: &mut Session,
        held: &Held,
        action: Digest,
        denial: Denial,
    ) -> Verdict {
        let text = String::from_utf8_lossy(text_of(held)).into_owned();
        self.write_refusal(session, action, &text, &denial);
        Verdict::Deny(denial)
    }

    fn moment<'a>(&self, session: &'a Session) -> Moment<'a> {
        Moment {
            identity: &session.admission.identity,
            now: self.clock.now(),
            address: session.admission.client,
            budget: Budget::UNKNOWN,
            zone: &session.admission.force.zone,
            rows_so_far: 0,
        }
    }

    /// In which form each shown field may be seen, and whether everything masked in reach may be seen in full.
    fn forms(
        &self,
        session: &Session,
        understood: &Understood,
    ) -> (Vec<(Arc<Field>, Reveal)>, bool) {
        if !understood.touches_masked {
            return (Vec::new(), true);
        }
        let Some((_, masked)) = &session.masked else {
            return (Vec::new(), false);
        };
        let moment = self.moment(session);
        let mut all = true;
        let mut forms = Vec::new();
        for relation in &understood.command.relations {
            let own = masked.of(*relation).map(|(_, field)| field);
            for field in own.chain(masked.read_by_view(*relation)) {
                let form =
                    match session
                        .admission
                        .judge
                        .reveal(&field.object, &moment, &Lifted::none())
                    {
                        policy::Reveal::Full => Reveal::Full,
                        policy::Reveal::Last4 => Reveal::As(Form::Last4),
                        policy::Reveal::Token => Reveal::As(Form::Token),
                        policy::Reveal::Masked => Reveal::As(Form::Masked),
                    };
                all &= form == Reveal::Full;
                forms.push((field.clone(), form));
            }
        }
        (forms, all)
    }

    fn results(
        &self,
        session: &mut Session,
        understood: &Understood,
        forms: Vec<(Arc<Field>, Reveal)>,
        all_shown: bool,
    ) -> Option<Arc<Results>> {
        let (version, masked) = session.masked.as_ref()?;
        let touches_masked = understood.touches_masked && !all_shown;
        if !touches_masked {
            if let Some((known, plain)) = &session.plain {
                if known == version {
                    return Some(plain.clone());
                }
            }
        }
        let results = Arc::new(Results {
            outputs: if touches_masked {
                understood.outputs.clone()
            } else {
                Vec::new()
            },
            touches_masked,
            masked: masked.clone(),
            forms,
            tokens: session.admission.force.tokens.clone(),
        });
        if !touches_masked {
            session.plain = Some((*version, results.clone()));
        }
        Some(results)
    }
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

fn copies_in(command: &Command) -> bool {
    command.steps.iter().any(|s| {
        s.copy
            .as_ref()
            .is_some_and(|c| c.direction == Direction::In)
    })
}

fn nothing(number: u64) -> Passed {
    Passed {
        results: None,
        command: None,
        portal: None,
        prepares: Vec::new(),
        number,
        text: Bytes::new(),
        lane: None,
    }
}

fn prepares(command: &Command) -> Vec<(Bytes, Arc<Prepared>)> {
    command
        .consequences
        .iter()
        .filter_map(|c| match c {
            Consequence::Prepares { name, text, .. } => Some((
                Bytes::copy_from_slice(name.as_bytes()),
                Arc::new(Prepared {
                    text: Bytes::copy_from_slice(text.as_bytes()),
                    types: Vec::new(),
                }),
            )),
            _ => None,
        })
        .collect()
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

fn effects(acts: &[Act]) -> Vec<Effect> {
    let mut effects: Vec<Effect> = acts.iter().map(Act::effect).collect();
    effects.sort_unstable();
    effects.dedup();
    effects
}

fn lifted(held: &Held) -> Lifted {
    let mut lifted = Lifted::default();
    for g in &held.lifted.grants {
        lifted.add(g.rule.clone(), g.rule_text);
    }
    if let Some(Approval { question, .. }) = &held.lifted.approval {
        for a in &question.asked {
            lifted.add(a.rule.clone(), a.rule_text);
        }
    }
    lifted
}

pub(super) fn action_hash(session: &Session, held: &Held, understood: &Understood) -> Digest {
    let settings = if understood.command.needs_names {
        vec![format!("search_path={}", session.path.0.join(","))]
    } else {
        Vec::new()
    };
    let (parameters, shape): (&[Option<Bytes>], &[u8]) = match &held.what {
        What::Bind {
            parameters, shape, ..
        } => (parameters, shape),
        _ => (&[], b""),
    };
    ActionKey {
        target: &session.admission.guarded.target.name,
        place: &session.admission.place,
        role: &session.role,
        text: text_of(held).as_ref(),
        parameters,
        parameter_shape: shape,
        settings: &settings,
    }
    .hash()
}

fn observed_denial(outcome: policy::Outcome) -> (policy::Verdict, Vec<String>) {
    let mut observed = outcome.observed;
    if let policy::Verdict::Deny { rules, .. } = outcome.verdict {
        if rules.is_empty() {
            observed.push("brattice.not-permitted".to_owned());
        }
        observed.extend(rules);
    }
    (policy::Verdict::Allow, observed)
}

fn masked_denial(why: &str) -> Denial {
    Denial::new(Code::Masked, "brattice.mask", format!("a masked column would leave in another shape: {why}"))
        .hint("select masked columns as plain columns (they are shown masked), and leave them out of expressions and conditions")
}

/// Why the rules refuse, in the caller's terms.
fn explain(understood: &Understood, acts: &[Act], outcome: &policy::Outcome) -> Denial {
    let (rules, messages) = match &outcome.verdict {
        policy::Verdict::Deny { rules, messages } => (rules.clone(), messages.clone()),
        _ => (Vec::new(), Vec::new()),
    };
    let refused: Vec<&Act> = outcome
        .unpermitted
        .iter()
        .filter_map(|i| acts.get(*i))
        .collect();
    if let Some(unclear) = understood.command.unclear.first() {
        let mut denial = Denial::new(Code::Unknown, unclear.rule, unclear.reason.clone());
        denial.hint = unclear.hint.clone();
        denial.rules.extend(rules);
        return denial;
    }
    if rules.is_empty() && !refused.is_empty() && refused.iter().all(|a| is_masked_use(a)) {
        return masked_denial(&understood.uses.join("; "));
    }
    let what: Vec<String> = refused
        .iter()
        .map(|a| format!("{} on {}", a.verb.as_str(), label(a)))
        .collect();
    let reason = match (rules.is_empty(), what.is_empty()) {
        (true, false) => format!("nothing permits {}", what.join(", ")),
        (true, true) => "nothing permits this".to_owned(),
        (false, _) => match messages.first() {
            Some(m) => m.clone(),
            None => format!("a rule forbids this: {}", rules.join(", ")),
        },
    };
    let mut denial = Denial::new(Code::Forbidden, "brattice.not-permitted", reason);
    if rules.is_empty() {
        denial.hint =
            Some("ask the owners of the policy to permit it, or do it another way".to_owned());
    } else {
        denial.rules = rules;
        denial.hint = Some("this is not lifted by approval; do it another way".to_owned());
    }
    denial
}

fn label(act: &Act) -> String {
    use crate::action::Object;
    match &act.object {
        Object::Target => "the target".to_owned(),
        Object::Database { database } => format!("database {database}"),
        Object::Schema { schema, .. } => format!("schema {schema}"),
        Object::Table { schema, table, .. } => format!("{schema}.{table}"),
        Object::Function {
            schema, signature, ..
        } => format!("function {schema}.{signature}"),
        Object::Setting { name } => format!("setting {name}"),
        Object::Role { name } => format!("role {name}"),
        Object::Field {
            schema,
            table,
            column,
            ..
        } => format!("{schema}.{table}.{column}"),
    }
}

/// A write that carries a mask back would put masks into the data: read-modify-write by an agent that saw masked rows.
fn carries_mask(held: &Held, understood: &Understood) -> Option<Denial> {
    let writes = understood
        .acts
        .iter()
        .any(|a| matches!(a.effect(), Effect::Write | Effect::Destroy));
    if !writes {
        return None;
    }
    let found = match &held.what {
        What::Bind {
            parameters,
            prepared,
            ..
        } => {
            crate::mask::looks_like_mask(&prepared.text)
                || parameters
                    .iter()
                    .flatten()
                    .any(|p| crate::mask::looks_like_mask(p))
        }
        What::Query { text } => crate::mask::looks_like_mask(text),
        _ => false,
    };
    found.then(|| {
        Denial::new(
            Code::Masked,
            "brattice.mask",
            "this write carries a masked value back into the data",
        )
        .hint("write only the columns that you mean to change")
    })
}
